//! JSON Schema (draft 2020-12) of one record → [`RecordSchema`].
//!
//! What is read of a schema: `type`, `format`, `properties`, `items`, `anyOf`/`oneOf` with a null alternative, local `$ref`, `enum` and `const` of texts,
//! and two words of our own: `x-arrow` for an exact type, and `x-nested: json` to keep an object or an array as its JSON text. Constraints on values
//! (`minLength`, `pattern`, …) and annotations are accepted and change nothing: the type decides what a column holds.
//!
//! Every column is nullable; the primary key of a resource makes its columns required.

use std::fmt;

use serde_json::{Map, Value};

use super::type_text::ACCEPTED;
use super::{Column, ColumnType, RecordSchema};

/// References and levels may be nested this deep; a cycle of `$ref` ends here.
const DEPTH_MAX: usize = 64;

/// Something in a schema file that cannot become a column, and where: a JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaProblem {
    /// The JSON pointer, with `#` in front.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Reads the text of a schema file.
///
/// # Errors
/// Every problem of the file.
pub fn parse_json_schema(text: &str) -> Result<RecordSchema, Vec<SchemaProblem>> {
    let problem = |message: String| SchemaProblem { path: "#".to_owned(), message };
    let root: Value = serde_json::from_str(text).map_err(|error| vec![problem(format!("is not JSON: {error}"))])?;
    let mut reader = Reader { root: &root, problems: Vec::new() };
    let columns = match reader.column_type("#", &root, 0) {
        Some(ColumnType::Struct(columns)) => Some(columns),
        Some(_) => {
            reader.problem("#", "a record is an object with `properties`");
            None
        }
        None => None,
    };
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    RecordSchema::new(columns.unwrap_or_default()).map_err(|error| vec![problem(error.to_string())])
}

struct Reader<'a> {
    root: &'a Value,
    problems: Vec<SchemaProblem>,
}

impl<'a> Reader<'a> {
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(SchemaProblem { path: path.to_owned(), message: message.into() });
    }

    /// The type that a (sub)schema means; `None` when it is a problem.
    fn column_type(&mut self, path: &str, schema: &'a Value, depth: usize) -> Option<ColumnType> {
        if depth > DEPTH_MAX {
            self.problem(path, "is nested too deep, or refers to itself");
            return None;
        }
        let schema = match schema {
            Value::Object(schema) => schema,
            // `true` is the schema of anything.
            Value::Bool(true) => return Some(ColumnType::Json),
            _ => {
                self.problem(path, "is not a schema: expected an object");
                return None;
            }
        };
        if let Some(reference) = schema.get("$ref") {
            return self.referenced(path, reference, depth);
        }
        if let Some(text) = schema.get("x-arrow") {
            return self.arrow_type(&format!("{path}/x-arrow"), text);
        }
        if ["x-nested", "nested"].iter().any(|key| schema.get(*key).is_some_and(|value| value == "json")) {
            return Some(ColumnType::Json);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(Value::Array(alternatives)) = schema.get(key) {
                return self.alternative(&format!("{path}/{key}"), alternatives, depth);
            }
        }
        let kind = self.kind(path, schema)?;
        match kind {
            "string" => Some(string_type(schema)),
            "integer" => Some(ColumnType::Int64),
            "number" => Some(ColumnType::Float64),
            "boolean" => Some(ColumnType::Boolean),
            "object" => self.object(path, schema, depth),
            "array" => match schema.get("items") {
                None => Some(ColumnType::Json),
                Some(items) => {
                    let element = self.column_type(&format!("{path}/items"), items, depth + 1)?;
                    Some(ColumnType::List(Box::new(element)))
                }
            },
            "any" => Some(ColumnType::Json),
            unknown => {
                self.problem(
                    &format!("{path}/type"),
                    format!(
                        "{unknown:?} is not a type (accepted: string, integer, number, boolean, object, array, null)"
                    ),
                );
                None
            }
        }
    }

    /// The one type beside null. A schema without `type` says it by its other words, or means anything.
    fn kind(&mut self, path: &str, schema: &'a Map<String, Value>) -> Option<&'a str> {
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "null" => Some("any"),
            Some(Value::String(kind)) => Some(kind),
            Some(Value::Array(kinds)) => {
                let mut others = kinds.iter().filter(|kind| *kind != "null");
                match (others.next(), others.next()) {
                    (None, _) => Some("any"),
                    (Some(Value::String(kind)), None) => Some(kind),
                    (Some(Value::String(one)), Some(Value::String(other)))
                        if [one.as_str(), other.as_str()].iter().all(|kind| ["integer", "number"].contains(kind)) =>
                    {
                        Some("number")
                    }
                    // Several types: what has no fixed shape stays JSON text.
                    (Some(_), Some(_)) => Some("any"),
                    (Some(_), None) => {
                        self.problem(&format!("{path}/type"), "expected the name of a type");
                        None
                    }
                }
            }
            Some(_) => {
                self.problem(&format!("{path}/type"), "expected the name of a type, or a list of names");
                None
            }
            None if schema.contains_key("properties") => Some("object"),
            None if schema.contains_key("items") => Some("array"),
            None if schema.get("enum").and_then(Value::as_array).is_some_and(|values| all_texts(values)) => {
                Some("string")
            }
            None if schema.get("const").is_some_and(Value::is_string) => Some("string"),
            None => Some("any"),
        }
    }

    fn object(&mut self, path: &str, schema: &'a Map<String, Value>, depth: usize) -> Option<ColumnType> {
        let properties = match schema.get("properties") {
            None => return Some(ColumnType::Json),
            Some(Value::Object(properties)) => properties,
            Some(_) => {
                self.problem(&format!("{path}/properties"), "expected an object");
                return None;
            }
        };
        if properties.is_empty() {
            return Some(ColumnType::Json);
        }
        let mut columns = Vec::new();
        for (name, property) in properties {
            let place = format!("{path}/properties/{}", name.replace('~', "~0").replace('/', "~1"));
            if name.is_empty() {
                self.problem(&place, "a column needs a name");
            }
            if let Some(column_type) = self.column_type(&place, property, depth + 1) {
                columns.push(Column { name: name.clone(), column_type, nullable: true });
            }
        }
        (columns.len() == properties.len()).then_some(ColumnType::Struct(columns))
    }

    fn alternative(&mut self, path: &str, alternatives: &'a [Value], depth: usize) -> Option<ColumnType> {
        let mut types = Vec::new();
        for (position, alternative) in alternatives.iter().enumerate() {
            if alternative.get("type").is_some_and(|kind| kind == "null") {
                continue;
            }
            types.push(self.column_type(&format!("{path}/{position}"), alternative, depth + 1)?);
        }
        types.dedup();
        match types.len() {
            1 => types.pop(),
            // Several shapes: what has no fixed one stays JSON text.
            _ => Some(ColumnType::Json),
        }
    }

    fn referenced(&mut self, path: &str, reference: &Value, depth: usize) -> Option<ColumnType> {
        let place = format!("{path}/$ref");
        let Some(pointer) = reference.as_str().and_then(|text| text.strip_prefix('#')) else {
            self.problem(&place, "only references within the file are supported (\"#/$defs/…\")");
            return None;
        };
        let root = self.root;
        let Some(target) = root.pointer(pointer) else {
            self.problem(&place, format!("#{pointer} is not there"));
            return None;
        };
        self.column_type(&place, target, depth + 1)
    }

    fn arrow_type(&mut self, path: &str, text: &Value) -> Option<ColumnType> {
        let found = text.as_str().and_then(ColumnType::parse);
        if found.is_none() {
            self.problem(path, format!("{text} is not known (accepted: {ACCEPTED})"));
        }
        found
    }
}

fn string_type(schema: &Map<String, Value>) -> ColumnType {
    match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => ColumnType::TimestampUtc,
        Some("date") => ColumnType::Date32,
        Some("time") => ColumnType::Time64,
        _ => ColumnType::Utf8,
    }
}

fn all_texts(values: &[Value]) -> bool {
    !values.is_empty() && values.iter().all(|value| value.is_string() || value.is_null())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The type of the one column `x`, or the problems.
    fn check(column: &Value) -> Result<ColumnType, Vec<String>> {
        let schema = json!({"properties": {"x": column}, "$defs": {"day": {"type": "string", "format": "date"}, "ring": {"$ref": "#/$defs/ring"}}});
        parse_json_schema(&schema.to_string())
            .map(|schema| schema.columns()[0].column_type.clone())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn words_of_json_schema_are_types() {
        let list = |element| ColumnType::List(Box::new(element));
        for (column, expected) in [
            (json!({"type": "string"}), ColumnType::Utf8),
            (json!({"type": ["string", "null"], "format": "date-time"}), ColumnType::TimestampUtc),
            (json!({"type": "string", "format": "uuid"}), ColumnType::Utf8),
            (json!({"type": "integer", "minimum": 0}), ColumnType::Int64),
            (json!({"type": ["integer", "number"]}), ColumnType::Float64),
            (json!({"type": "boolean", "description": "…"}), ColumnType::Boolean),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), ColumnType::Int64),
            (json!({"oneOf": [{"type": "integer"}, {"type": "string"}]}), ColumnType::Json),
            (json!({"$ref": "#/$defs/day"}), ColumnType::Date32),
            (json!({"type": "array", "items": {"type": "string"}}), list(ColumnType::Utf8)),
            (json!({"type": "array"}), ColumnType::Json),
            (json!({"type": "object"}), ColumnType::Json),
            (json!({"enum": ["a", "b", null]}), ColumnType::Utf8),
            (json!({"type": "object", "x-nested": "json", "properties": {"a": {}}}), ColumnType::Json),
            (json!({"x-arrow": "decimal128(18, 2)"}), ColumnType::Decimal128 { precision: 18, scale: 2 }),
            (json!({"type": "string", "x-arrow": "timestamp[us, UTC]"}), ColumnType::TimestampUtc),
            (json!(true), ColumnType::Json),
        ] {
            assert_eq!(check(&column), Ok(expected), "{column}");
        }
    }

    #[test]
    fn every_problem_is_named_with_its_place() {
        let text = json!({"properties": {
            "a": {"type": "text"}, "b/c": {"x-arrow": "decimal128(99, 2)"}, "d": {"$ref": "#/nowhere"}, "e": 7,
        }})
        .to_string();
        let problems: Vec<String> = parse_json_schema(&text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 4, "{problems:?}");
        for (problem, start) in problems.iter().zip([
            "#/properties/a/type: \"text\" is not a type",
            "#/properties/b~1c/x-arrow: \"decimal128(99, 2)\" is not known",
            "#/properties/d/$ref: #/nowhere is not there",
            "#/properties/e: is not a schema",
        ]) {
            assert!(problem.starts_with(start), "{problem}");
        }
        assert!(check(&json!({"$ref": "#/$defs/ring"})).unwrap_err()[0].contains("refers to itself"));
        assert!(parse_json_schema("{\"type\": \"array\", \"items\": {}}").is_err());
        assert!(parse_json_schema("nonsense").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            drop(parse_json_schema(&text));
        }

        #[test]
        fn no_word_in_a_wrong_place_makes_it_panic(word in "type|format|properties|items|anyOf|\\$ref|x-arrow|enum|const", value in "null|1|\"x\"|\\[\\]|\\{\\}|\\[1\\]|\"#/a\"") {
            drop(parse_json_schema(&format!("{{\"properties\": {{\"x\": {{\"{word}\": {value}}}}}}}")));
        }
    }
}
