//! The JSON Schema (draft 2020-12) of a pipeline file, for editors.
//!
//! It accepts and refuses what reading a document does. It cannot look into `${env:…}`, so a string
//! with one may stand wherever a single value may. The range of a number in a string, and what a
//! string holds, are for `check` alone.

use serde_json::{Map, Value, json};

use super::kind::{Entry, Form, Key, Kind, Need, Union};
use super::read::Mapping as _;

/// Returns the JSON Schema of a pipeline file.
pub(crate) fn json_schema() -> Value {
    let mut definitions = Map::new();
    let form = &super::Document::FORM;
    let Value::Object(whole) = form_schema(form, None, &form.required().collect::<Vec<_>>(), &mut definitions) else {
        return Value::Null;
    };
    for (name, schema) in [
        (
            "interpolated",
            json!({"description": "What is only known when the pipeline runs.", "type": "string", "pattern": r"\$\{"}),
        ),
        ("boolean", json!({"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}, interpolated()]})),
        ("integer_text", json!({"type": "string", "pattern": r"^\s*\+?[0-9]+\s*$|\$\{"})),
        (
            "number_text",
            json!({"type": "string", "pattern": r"^\s*\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$|\$\{"}),
        ),
        ("scalar", json!({"type": ["string", "number", "boolean", "null"]})),
        (
            "duration",
            json!({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\s*[0-9]+\s*[smhdw]?\s*$|\$\{"}]}),
        ),
    ] {
        definitions.insert(name.to_owned(), schema);
    }
    definitions.sort_keys();
    let mut schema = Map::from_iter([
        ("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), json!("A lakefeed pipeline")),
    ]);
    schema.extend(whole);
    schema.insert("patternProperties".to_owned(), json!({"^x-": {"description": "A place for YAML anchors."}}));
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

fn interpolated() -> Value {
    json!({"$ref": "#/$defs/interpolated"})
}

/// The key that chooses the mapping of a union.
struct Tag {
    name: &'static str,
    words: Value,
    is_required: bool,
}

/// Returns a mapping, of which the keys `required` are so.
fn form_schema(form: &Form, tag: Option<Tag>, required: &[&str], definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let mut needs: Vec<Value> = Vec::new();
    let mut alternatives = Vec::new();
    for entry in form.entries() {
        match entry {
            Entry::Key(key) => {
                let is_required = required.contains(&key.name);
                let schema = key_schema(key, is_required, definitions);
                for alias in key.aliases {
                    properties.insert((*alias).to_owned(), schema.clone());
                }
                properties.insert(key.name.to_owned(), schema);
                match key.aliases {
                    [] if is_required => needs.push(json!(key.name)),
                    [] => {}
                    aliases => alternatives.push(one_of(key.name, aliases, is_required)),
                }
            }
            Entry::Ignored(name) => {
                let about = "Accepted, and without effect here.";
                properties.insert((*name).to_owned(), json!({"description": about, "deprecated": true}));
            }
            Entry::Refused(name) => {
                let about = "Not supported by this version of lakefeed.";
                properties
                    .insert((*name).to_owned(), json!({"description": about, "deprecated": true, "type": "null"}));
            }
            Entry::All(_) => {}
        }
    }
    if let Some(tag) = tag {
        properties.insert(tag.name.to_owned(), tag.words);
        needs.extend(tag.is_required.then(|| json!(tag.name)));
    }
    let mut schema = Map::from_iter([
        ("description".to_owned(), json!(form.about.trim())),
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
        ("additionalProperties".to_owned(), json!(false)),
    ]);
    if !needs.is_empty() {
        schema.insert("required".to_owned(), Value::Array(needs));
    }
    if !alternatives.is_empty() {
        schema.insert("allOf".to_owned(), Value::Array(alternatives));
    }
    Value::Object(schema)
}

/// Demands at most one word for a key, or just one where it is required.
fn one_of(name: &str, aliases: &[&str], is_required: bool) -> Value {
    let given = |name: &str| json!({"required": [name], "properties": {name: {"not": {"type": "null"}}}});
    let all: Vec<Value> = std::iter::once(name).chain(aliases.iter().copied()).map(given).collect();
    if is_required { json!({"oneOf": all}) } else { json!({"not": {"allOf": all}}) }
}

fn key_schema(key: &Key, is_required: bool, definitions: &mut Map<String, Value>) -> Value {
    let kind = kind_schema(&key.kind, definitions);
    let mut schema = match kind {
        kind if is_required && key.aliases.is_empty() => kind,
        kind => nullable(kind),
    };
    if let Value::Object(schema) = &mut schema {
        let about = match &key.need {
            Need::Usually(usual) => format!("{} Default: {usual}.", key.about.trim()),
            Need::Required | Need::Optional | Need::Default(_) => key.about.trim().to_owned(),
        };
        schema.insert("description".to_owned(), json!(about));
        if let Need::Default(value) = key.need {
            schema.insert("default".to_owned(), value());
        }
        if !key.examples.is_empty() {
            schema.insert("examples".to_owned(), key.examples.iter().map(|text| example(text)).collect());
        }
    }
    schema
}

/// Returns an example as JSON: what reads as JSON is that, and anything else a string.
pub(crate) fn example(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// Returns the same, or null.
fn nullable(schema: Value) -> Value {
    match schema {
        Value::Object(mut schema) => {
            if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
                choices.push(json!({"type": "null"}));
            } else if let Some(Value::String(name)) = schema.get("type") {
                let both = json!([name, "null"]);
                schema.insert("type".to_owned(), both);
            } else if !schema.is_empty() {
                return json!({"anyOf": [schema, {"type": "null"}]});
            }
            Value::Object(schema)
        }
        other => other,
    }
}

/// Returns the schema of what may stand in one place.
pub(crate) fn kind_schema(kind: &Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Any => json!({}),
        Kind::Boolean => json!({"$ref": "#/$defs/boolean"}),
        Kind::Integer { min, max, .. } => {
            let mut integer = json!({"type": "integer", "minimum": min});
            if *max < u64::MAX {
                integer["maximum"] = json!(max);
            }
            json!({"anyOf": [integer, {"$ref": "#/$defs/integer_text"}]})
        }
        Kind::Number { min, excludes_min, max, .. } => {
            let minimum = if *excludes_min { "exclusiveMinimum" } else { "minimum" };
            let mut number = json!({"type": "number", minimum: min});
            if max.is_finite() {
                number["maximum"] = json!(max);
            }
            json!({"anyOf": [number, {"$ref": "#/$defs/number_text"}]})
        }
        Kind::AnyNumber => json!({"type": "number"}),
        Kind::String(_) => json!({"type": "string"}),
        Kind::Duration => json!({"$ref": "#/$defs/duration"}),
        Kind::Words { words, aliases } => {
            let all: Vec<&str> = words.iter().chain(*aliases).copied().collect();
            json!({"anyOf": [{"enum": all}, interpolated()]})
        }
        Kind::Scalar => json!({"$ref": "#/$defs/scalar"}),
        Kind::List { of, min } => {
            let mut list = json!({"type": "array", "items": kind_schema(of, definitions)});
            if *min > 0 {
                list["minItems"] = json!(min);
            }
            list
        }
        Kind::Pair(of) => {
            let items = [json!({"type": "string"}), kind_schema(of, definitions)];
            json!({"type": "array", "prefixItems": items, "minItems": 2, "maxItems": 2})
        }
        Kind::Map(of) => json!({"type": "object", "additionalProperties": kind_schema(of, definitions)}),
        Kind::Mapping(form) => {
            let required: Vec<&str> = form.required().collect();
            let mapping =
                defined(form.name, definitions, |definitions| form_schema(form, None, &required, definitions));
            match form.short.and_then(|short| form.keys().find(|key| key.name == short)) {
                Some(key) => {
                    let mut either = vec![mapping];
                    either.extend(strings_of(&kind_schema(&key.kind, definitions)));
                    json!({"anyOf": either})
                }
                None => mapping,
            }
        }
        Kind::Partial(form) => {
            let name = format!("{}_defaults", form.name);
            defined(&name, definitions, |definitions| form_schema(form, None, &[], definitions))
        }
        Kind::Named(form, name) => {
            let named = format!("named_{}", form.name);
            defined(&named, definitions, |definitions| form_schema(form, None, &[name], definitions))
        }
        Kind::Union(union) => union_schema(union, definitions),
        Kind::Either(kinds) => {
            let either: Vec<Value> = kinds.iter().map(|kind| kind_schema(kind, definitions)).collect();
            json!({"anyOf": either})
        }
        Kind::Pattern(pattern, _) => json!({"type": "string", "pattern": format!(r"{pattern}|\$\{{")}),
        Kind::Only(value) => json!({"const": example(value)}),
    }
}

/// Returns what of a schema are strings: the short forms of a mapping.
fn strings_of(schema: &Value) -> Vec<Value> {
    match schema.get("anyOf") {
        Some(Value::Array(choices)) => choices.clone(),
        _ => vec![schema.clone()],
    }
}

fn union_schema(union: &Union, definitions: &mut Map<String, Value>) -> Value {
    let words = |variant: &super::kind::Variant| -> Vec<&str> {
        std::iter::once(variant.word).chain(variant.aliases.iter().copied()).collect()
    };
    let mut choices = Vec::new();
    for variant in union.variants {
        let name = format!("{}_{}", union.name, variant.word);
        let is_default = union.default == Some(variant.word);
        choices.push(defined(&name, definitions, |definitions| {
            let required: Vec<&str> = variant.form.required().collect();
            let only = json!({"enum": words(variant)});
            let only = if is_default { nullable(only) } else { only };
            let tag = Tag { name: union.tag, words: only, is_required: !is_default };
            form_schema(variant.form, Some(tag), &required, definitions)
        }));
    }
    if union.is_short {
        let short = union.variants.iter().filter(|variant| variant.form.required().next().is_none());
        let all: Vec<&str> = short.flat_map(words).collect();
        choices.push(json!({"enum": all}));
        choices.push(interpolated());
    }
    json!({"description": union.about.trim(), "anyOf": choices})
}

/// Returns a reference to a definition, which is made when it is first asked for.
fn defined(
    name: &str,
    definitions: &mut Map<String, Value>,
    make: impl FnOnce(&mut Map<String, Value>) -> Value,
) -> Value {
    if !definitions.contains_key(name) {
        definitions.insert(name.to_owned(), Value::Null);
        let schema = make(definitions);
        definitions.insert(name.to_owned(), schema);
    }
    json!({"$ref": format!("#/$defs/{name}")})
}
