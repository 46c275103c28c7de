//! Reads one object of a document field by field, and notes what is missing, unknown or of another type.

use serde_json::{Map, Value};

use super::problems::{Problems, accepted};
use crate::spec::JsonPath;

/// Words in a place's name that make its value a secret: it is not shown, whatever is wrong with it.
const SECRET_PLACES: &[&str] = &["auth", "headers"];

/// One object of a document.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) place: String,
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
    unsupported: Vec<&'static str>,
    pub(crate) problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// The fields of `value`; a problem and `None` when it is not an object.
    pub(crate) fn of(place: String, value: &'a Value, problems: &'a Problems) -> Option<Self> {
        let Value::Object(object) = value else {
            problems.add(&place, format!("expected a mapping, found {}", kind(value)));
            return None;
        };
        Some(Self { place, object, known: Vec::new(), unsupported: Vec::new(), problems })
    }

    /// Whether a field is there at all, null included.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.object.contains_key(key)
    }

    /// A field's value, null included.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.object.get(key)
    }

    /// A field's value; null is as good as absent.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.raw(key).filter(|value| !value.is_null())
    }

    pub(crate) fn place_of(&self, key: &str) -> String {
        format!("{}/{key}", self.place)
    }

    pub(crate) fn object(&mut self, key: &'static str) -> Option<Self> {
        let value = self.value(key)?;
        Self::of(self.place_of(key), value, self.problems)
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        self.convert(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// A text, or a problem when there is none.
    pub(crate) fn required_text(&mut self, key: &'static str) -> Option<String> {
        if self.value(key).is_none() {
            self.problems.add(&self.place, format!("'{key}' is missing"));
        }
        self.text(key)
    }

    pub(crate) fn whole(&mut self, key: &'static str) -> Option<u64> {
        self.convert(key, "a whole number that is not negative", whole)
    }

    pub(crate) fn number(&mut self, key: &'static str) -> Option<f64> {
        self.convert(key, "a number that is not negative", |value| {
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
            (number.is_finite() && number >= 0.0).then_some(number)
        })
    }

    pub(crate) fn truth(&mut self, key: &'static str) -> Option<bool> {
        self.convert(key, "true or false", |value| match value.as_str() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => None,
            None => value.as_bool(),
        })
    }

    /// A text out of a set.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.problems.add(&self.place_of(key), format!("'{text}' is not known {}", accepted(&text, &names)));
        }
        chosen
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.convert(key, "a text or a list of texts", |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(elements) => elements.iter().map(|element| element.as_str().map(str::to_owned)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        })
    }

    pub(crate) fn convert<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let converted = convert(value);
        if converted.is_none() {
            let place = self.place_of(key);
            let secret = SECRET_PLACES.iter().any(|word| place.split('/').any(|part| part == *word));
            let found = if secret { kind(value).to_owned() } else { show(value) };
            self.problems.add(&place, format!("expected {expected}, found {found}"));
        }
        converted
    }

    /// Fields of the vocabulary that this version does not do; each that is there is a problem of its own.
    pub(crate) fn unsupported(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.unsupported.push(key);
            if self.object.get(*key).is_some_and(|value| !value.is_null()) {
                self.problems.add(&self.place, format!("'{key}' is not supported by this version of lakefeed"));
            }
        }
    }

    /// Fields of the vocabulary that change nothing here.
    pub(crate) fn ignored(&mut self, keys: &[&'static str]) {
        self.unsupported.extend(keys);
    }

    /// Every field that was not asked for is a problem.
    pub(crate) fn finish(self) {
        let mut known = self.known;
        known.sort_unstable();
        known.dedup();
        for key in self.object.keys() {
            if !known.contains(&key.as_str()) && !self.unsupported.contains(&key.as_str()) {
                self.problems.add(&self.place, format!("received unexpected field '{key}' {}", accepted(key, &known)));
            }
        }
    }

    /// Every field with its name, for mappings whose keys are the user's.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.object.iter()
    }
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The kind of a value, for messages that must not show it.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A value for a message, cut to a bearable length.
fn show(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("'{}'", text.chars().take(60).collect::<String>()),
    }
}

/// A mapping of texts. Numbers and truth values count as their text; null leaves the name out; a list repeats it.
pub(crate) fn pairs(fields: &mut Fields<'_>, key: &'static str) -> Vec<(String, String)> {
    let place = fields.place_of(key);
    let problems = fields.problems;
    let Some(object) = fields.object(key) else { return Vec::new() };
    let mut pairs = Vec::new();
    for (name, value) in object.entries() {
        let values = match value {
            Value::Array(elements) => elements.iter().collect(),
            single => vec![single],
        };
        for value in values {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name.clone(), text.clone())),
                Value::Bool(_) | Value::Number(_) => pairs.push((name.clone(), value.to_string())),
                Value::Array(_) | Value::Object(_) => {
                    problems.add(&format!("{place}/{name}"), format!("expected a text, found {}", kind(value)));
                }
            }
        }
    }
    pairs
}

/// The path that a text is; a problem and `None` when it is none.
pub(crate) fn json_path(text: &str, place: &str, problems: &Problems) -> Option<JsonPath> {
    JsonPath::parse(text).map_err(|error| problems.add(place, format!("is not a JSON path: {error}"))).ok()
}
