//! The words of JSON Schema (draft 2020-12) and of `OpenAPI`'s schema objects: which there are, and
//! what each one's value must be.

use serde_json::{Map, Value};

/// What the value of a word must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Looked at by the reader itself.
    Read,
    Anything,
    Number,
    Count,
    Truth,
    Text,
    Texts,
    Object,
    Schema,
}

const KEYWORDS: &[(&str, Shape)] = &[
    // What gives a value its shape.
    ("$ref", Shape::Read),
    ("type", Shape::Read),
    ("format", Shape::Text),
    ("properties", Shape::Read),
    ("items", Shape::Read),
    ("prefixItems", Shape::Read),
    ("additionalProperties", Shape::Read),
    ("patternProperties", Shape::Read),
    ("anyOf", Shape::Read),
    ("oneOf", Shape::Read),
    ("allOf", Shape::Read),
    ("enum", Shape::Read),
    ("const", Shape::Anything),
    ("contentEncoding", Shape::Text),
    ("nullable", Shape::Truth),
    ("x-arrow", Shape::Read),
    ("x-nested", Shape::Read),
    ("nested", Shape::Read),
    ("x-on-error", Shape::Read),
    // What limits values; the type decides what a column holds.
    ("multipleOf", Shape::Number),
    ("maximum", Shape::Number),
    ("minimum", Shape::Number),
    ("exclusiveMaximum", Shape::Number),
    ("exclusiveMinimum", Shape::Number),
    ("maxLength", Shape::Count),
    ("minLength", Shape::Count),
    ("pattern", Shape::Text),
    ("maxItems", Shape::Count),
    ("minItems", Shape::Count),
    ("uniqueItems", Shape::Truth),
    ("contains", Shape::Schema),
    ("maxContains", Shape::Count),
    ("minContains", Shape::Count),
    ("maxProperties", Shape::Count),
    ("minProperties", Shape::Count),
    ("required", Shape::Texts),
    ("dependentRequired", Shape::Object),
    ("dependentSchemas", Shape::Object),
    ("propertyNames", Shape::Schema),
    ("not", Shape::Schema),
    ("if", Shape::Schema),
    ("then", Shape::Schema),
    ("else", Shape::Schema),
    ("unevaluatedItems", Shape::Schema),
    ("unevaluatedProperties", Shape::Schema),
    // What says something about it.
    ("$schema", Shape::Text),
    ("$id", Shape::Text),
    ("$anchor", Shape::Text),
    ("$comment", Shape::Text),
    ("$vocabulary", Shape::Object),
    ("$defs", Shape::Object),
    ("definitions", Shape::Object),
    ("title", Shape::Text),
    ("description", Shape::Text),
    ("default", Shape::Anything),
    ("deprecated", Shape::Truth),
    ("readOnly", Shape::Truth),
    ("writeOnly", Shape::Truth),
    ("examples", Shape::Anything),
    ("example", Shape::Anything),
    ("contentMediaType", Shape::Text),
    ("contentSchema", Shape::Schema),
    ("discriminator", Shape::Object),
    ("externalDocs", Shape::Object),
    ("xml", Shape::Object),
];

/// Words that change what other words mean, and that are not followed.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("$dynamicRef", "is not followed: use $ref"),
    ("$recursiveRef", "is not followed: use $ref"),
    ("extends", "is not followed: use allOf"),
];

/// Words of which a schema must have one for its value to have a shape.
const SHAPING: &[&str] = &[
    "$ref",
    "type",
    "format",
    "properties",
    "items",
    "prefixItems",
    "additionalProperties",
    "patternProperties",
    "anyOf",
    "oneOf",
    "allOf",
    "enum",
    "const",
    "contentEncoding",
    "x-arrow",
    "x-nested",
    "nested",
];

/// Returns whether a schema says anything about the shape of a value, and not only about which
/// values are valid.
pub(crate) fn has_shape(schema: &Value) -> bool {
    match schema {
        Value::Object(schema) => SHAPING.iter().any(|word| schema.contains_key(*word)),
        Value::Bool(_) => false,
        _ => true,
    }
}

/// Returns what is wrong with the words of a schema: each with the word and the message.
pub(crate) fn problems_of(schema: &Map<String, Value>, is_openapi: bool) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    for (word, value) in schema {
        if let Some((_, message)) = UNSUPPORTED.iter().find(|(known, _)| known == word) {
            problems.push((word.clone(), (*message).to_owned()));
        } else if let Some((_, shape)) = KEYWORDS.iter().find(|(known, _)| known == word) {
            // OpenAPI 3.0 has two limits that are true or false.
            let is_old = is_openapi && word.starts_with("exclusive") && value.is_boolean();
            if let Some(expected) = misfit(*shape, value).filter(|_| !is_old) {
                problems.push((word.clone(), format!("expected {expected}")));
            }
        } else if let Some(meant) = misspelt(word) {
            problems.push((word.clone(), format!("is not a word of JSON Schema; did you mean '{meant}'?")));
        }
    }
    problems
}

/// Returns what the value of a word should have been.
fn misfit(shape: Shape, value: &Value) -> Option<&'static str> {
    let is_count = value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0);
    let (fits, expected) = match shape {
        Shape::Read | Shape::Anything => (true, "anything"),
        Shape::Number => (value.is_number(), "a number"),
        Shape::Count => (is_count, "an integer that is not negative"),
        Shape::Truth => (value.is_boolean(), "true or false"),
        Shape::Text => (value.is_string(), "a string"),
        Shape::Texts => (value.as_array().is_some_and(|list| list.iter().all(Value::is_string)), "a list of strings"),
        Shape::Object => (value.is_object(), "an object"),
        Shape::Schema => (value.is_object() || value.is_boolean(), "a schema"),
    };
    (!fits).then_some(expected)
}

/// Returns the word that an unknown one is a slip of. Other unknown words are notes of somebody
/// else.
fn misspelt(word: &str) -> Option<&'static str> {
    let ours = word.starts_with("x-");
    let near = |known: &str| {
        let distance = strsim::damerau_levenshtein(word, known);
        if ours || known.len() < 6 { distance == 1 } else { distance <= 2 }
    };
    KEYWORDS.iter().map(|(known, _)| *known).find(|known| known.starts_with("x-") == ours && near(known))
}
