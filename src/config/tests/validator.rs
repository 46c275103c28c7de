//! A validator of what the JSON Schema of pipeline files uses of draft 2020-12. A keyword that it
//! does not know is a failure. `tests/it/examples.rs` holds the schema against another validator.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

/// A schema, and the patterns that it asked for.
pub(super) struct Validator {
    schema: Value,
    patterns: RefCell<HashMap<String, Regex>>,
}

impl Validator {
    pub(super) fn of(schema: Value) -> Self {
        Self { schema, patterns: RefCell::default() }
    }

    /// Tells the keyword that refuses a document, and what it refuses.
    pub(super) fn validate(&self, document: &Value) -> Result<(), String> {
        self.check(&self.schema, document)
    }

    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let keywords = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => return Err(format!("false refuses {value}")),
            schema => schema.as_object().unwrap(),
        };
        for (keyword, argument) in keywords {
            if !self.holds(keyword, argument, keywords, value) {
                return Err(format!("{keyword}: {argument} refuses {value}"));
            }
        }
        Ok(())
    }

    fn holds(&self, keyword: &str, argument: &Value, keywords: &Map<String, Value>, value: &Value) -> bool {
        let is_valid = |schema: &Value, value: &Value| self.check(schema, value).is_ok();
        let schemas = || argument.as_array().unwrap().iter();
        let valid_count = || schemas().filter(|schema| is_valid(schema, value)).count();
        let number = |is_fit: fn(f64, f64) -> bool| {
            value.as_f64().is_none_or(|number| is_fit(number, argument.as_f64().unwrap()))
        };
        let length = value.as_array().map(|elements| elements.len() as u64);
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "default" | "deprecated" | "examples" => true,
            "$ref" => {
                let pointer = argument.as_str().unwrap().strip_prefix('#').unwrap();
                is_valid(self.schema.pointer(pointer).unwrap(), value)
            }
            "type" => match argument {
                Value::Array(names) => names.iter().any(|name| is_of(name, value)),
                name => is_of(name, value),
            },
            "const" => argument == value,
            "enum" => schemas().any(|known| known == value),
            "minimum" => number(|number, bound| number >= bound),
            "exclusiveMinimum" => number(|number, bound| number > bound),
            "maximum" => number(|number, bound| number <= bound),
            "pattern" => value.as_str().is_none_or(|text| self.matches(argument.as_str().unwrap(), text)),
            "anyOf" => valid_count() > 0,
            "oneOf" => valid_count() == 1,
            "allOf" => valid_count() == schemas().len(),
            "not" => !is_valid(argument, value),
            "minItems" => length.is_none_or(|length| length >= argument.as_u64().unwrap()),
            "maxItems" => length.is_none_or(|length| length <= argument.as_u64().unwrap()),
            "items" => {
                assert!(!keywords.contains_key("prefixItems"), "the two are not known together");
                value.as_array().is_none_or(|elements| elements.iter().all(|element| is_valid(argument, element)))
            }
            "prefixItems" => value
                .as_array()
                .is_none_or(|elements| schemas().zip(elements).all(|(schema, element)| is_valid(schema, element))),
            "required" => value
                .as_object()
                .is_none_or(|members| schemas().all(|name| members.contains_key(name.as_str().unwrap()))),
            "properties" => value.as_object().is_none_or(|members| {
                let known =
                    |(name, schema): (&String, &Value)| members.get(name).is_none_or(|value| is_valid(schema, value));
                argument.as_object().unwrap().iter().all(known)
            }),
            "patternProperties" => value.as_object().is_none_or(|members| {
                argument.as_object().unwrap().iter().all(|(pattern, schema)| {
                    members.iter().all(|(name, value)| !self.matches(pattern, name) || is_valid(schema, value))
                })
            }),
            "additionalProperties" => value.as_object().is_none_or(|members| {
                members.iter().all(|(name, value)| self.is_described(keywords, name) || is_valid(argument, value))
            }),
            other => panic!("the validator does not know {other}"),
        }
    }

    /// Whether `properties` or `patternProperties` describe a member of that name.
    fn is_described(&self, keywords: &Map<String, Value>, name: &str) -> bool {
        let members = |keyword: &str| keywords.get(keyword).and_then(Value::as_object);
        members("properties").is_some_and(|known| known.contains_key(name))
            || members("patternProperties").is_some_and(|known| known.keys().any(|pattern| self.matches(pattern, name)))
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).is_match(text)
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("the validator does not know the type {other}"),
    }
}
