//! Reads what a schema file says of fields beside their types: descriptions, and names that they
//! had before. Pure.

use serde_json::Value;

use crate::schema::files::problem::SchemaProblem;
use crate::schema::types::note::Notes;
use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType};

/// References may be nested this deep; a cycle ends here.
const DEPTH_MAX: usize = 64;

/// Returns the notes of the schema of a record, which is at `pointer` of the document `root` and
/// was read as `columns`, and what is wrong with them.
///
/// Only what has become a column or a field is looked at: the schema of what is kept as JSON may be
/// of any size, and go in circles.
pub(crate) fn read_notes(
    pointer: &str,
    schema: &Value,
    root: &Value,
    columns: &[Column],
) -> (Notes, Vec<SchemaProblem>) {
    let mut reader = Reader { root, notes: Notes::new(), problems: Vec::new() };
    reader.read(At { place: "$", pointer, level: 0 }, schema, Shape::Object(columns), 0);
    (reader.notes, reader.problems)
}

struct Reader<'a> {
    root: &'a Value,
    notes: Notes,
    problems: Vec<SchemaProblem>,
}

/// What a schema was read as.
#[derive(Debug, Clone, Copy)]
enum Shape<'a> {
    Object(&'a [Column]),
    List(&'a ColumnType),
    Map(&'a ColumnType),
    /// It has no parts.
    Plain,
}

impl<'a> From<&'a ColumnType> for Shape<'a> {
    fn from(column_type: &'a ColumnType) -> Self {
        match column_type {
            ColumnType::Struct(columns) => Self::Object(columns),
            ColumnType::List(element) => Self::List(element),
            ColumnType::Map(value) => Self::Map(value),
            _ => Self::Plain,
        }
    }
}

/// Where in a schema.
#[derive(Debug, Clone, Copy)]
struct At<'a> {
    /// As the JSON path of a field.
    place: &'a str,
    /// As a JSON pointer into the document.
    pointer: &'a str,
    /// Objects and lists around it; 1 for a column.
    level: usize,
}

impl Reader<'_> {
    fn read(&mut self, at: At<'_>, schema: &Value, shape: Shape<'_>, depth: usize) {
        let At { place, pointer, level } = at;
        if depth > DEPTH_MAX {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'))
            && let Some(target) = self.root.pointer(target)
        {
            self.read(at, target, shape, depth + 1);
        }
        if let Some(description) = schema.get("description").and_then(Value::as_str)
            && place != "$"
        {
            self.notes.entry(place.to_owned()).or_default().description = Some(description.to_owned());
        }
        if let Some(aliases) = schema.get("x-aliases") {
            self.read_aliases(at, aliases);
        }
        match shape {
            Shape::Object(columns) => {
                let properties = schema.get("properties").and_then(Value::as_object);
                for column in columns {
                    let Some(property) = properties.and_then(|properties| properties.get(&column.name)) else {
                        continue;
                    };
                    let below = format!("{pointer}/properties/{}", column.name.replace('~', "~0").replace('/', "~1"));
                    let at = At { place: &member_path(place, &column.name), pointer: &below, level: level + 1 };
                    self.read(at, property, Shape::from(&column.column_type), depth + 1);
                }
            }
            Shape::List(element) => {
                if let Some(items) = schema.get("items") {
                    let (place, pointer) = (format!("{place}[]"), format!("{pointer}/items"));
                    let at = At { place: &place, pointer: &pointer, level: level + 1 };
                    self.read(at, items, Shape::from(element), depth + 1);
                }
            }
            Shape::Map(value) => {
                if let Some(values) = schema.get("additionalProperties") {
                    let (place, pointer) = (format!("{place}{{}}"), format!("{pointer}/additionalProperties"));
                    let at = At { place: &place, pointer: &pointer, level: level + 1 };
                    self.read(at, values, Shape::from(value), depth + 1);
                }
            }
            Shape::Plain => {}
        }
    }

    fn read_aliases(&mut self, at: At<'_>, aliases: &Value) {
        let texts = match aliases {
            Value::String(only) => Some(vec![only.clone()]),
            Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        match texts {
            Some(aliases) if at.level == 1 => self.notes.entry(at.place.to_owned()).or_default().aliases = aliases,
            Some(_) | None => self.problems.push(SchemaProblem {
                path: format!("{}/x-aliases", at.pointer),
                message: "expected the former names of a column, as strings".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::files::json_schema::SchemaFile;
    use crate::schema::types::record::RecordSchema;

    #[test]
    fn ids_stay_with_their_fields_and_descriptions_come_from_the_file() {
        let file = |properties: Value| {
            SchemaFile::parse(
                &json!({"properties": properties, "$defs": {"d": {"description": "a day", "type": "string"}}})
                    .to_string(),
            )
            .unwrap()
            .schema
        };
        let first = file(json!({
            "id": {"type": "integer", "description": "the key"},
            "o": {"properties": {"a": {"$ref": "#/$defs/d"}}},
            "l": {"items": {"type": "integer"}},
            "m": {"type": "object", "additionalProperties": {"type": "integer", "description": "how often"}},
        }));
        let first = first.clone().identified(None);
        let ids = |schema: &RecordSchema| -> Vec<(String, i32)> {
            schema.notes().iter().map(|(place, note)| (place.clone(), note.id.unwrap())).collect()
        };
        let of = |place: &str, id| (place.to_owned(), id);
        assert_eq!(
            ids(&first),
            [of("$.id", 1), of("$.l", 4), of("$.l[]", 5), of("$.m", 6), of("$.m{}", 7), of("$.o", 2), of("$.o.a", 3)]
        );
        assert_eq!(first.notes()["$.m{}"].description.as_deref(), Some("how often"));
        assert_eq!(first.notes()["$.o.a"].description.as_deref(), Some("a day"));
        let second = file(json!({
            "new": {"type": "string"},
            "key": {"type": "integer", "x-aliases": ["ident", "id"]},
            "o": {"properties": {"b": {"type": "string"}, "a": {"type": "string"}}},
        }));
        let second = second.clone().identified(Some(&first));
        assert_eq!(ids(&second), [of("$.key", 1), of("$.new", 8), of("$.o", 2), of("$.o.a", 3), of("$.o.b", 9)]);
        assert_eq!(second.notes()["$.key"].description.as_deref(), Some("the key"));
        assert_eq!(serde_json::from_str::<RecordSchema>(&serde_json::to_string(&second).unwrap()).unwrap(), second);
    }

    #[test]
    fn aliases_are_former_names_of_columns() {
        for schema in
            [json!({"a": {"x-aliases": 7}}), json!({"a": {"properties": {"b": {"type": "string", "x-aliases": "c"}}}})]
        {
            let problems = SchemaFile::parse(&json!({"properties": schema}).to_string()).unwrap_err();
            assert!(problems[0].to_string().contains("x-aliases: expected the former names"), "{problems:?}");
        }
    }
}
