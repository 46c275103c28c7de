//! What is known of the fields of a schema beside their types: their ids, descriptions, and names that they had before. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Column, ColumnType, RecordSchema, SchemaProblem, member_path};

/// What is known of a field beside its type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// Its id, which stays when its name changes; from 1. Fields of a table have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i32>,
    /// What it means, from the schema file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Names that the column had before; of columns, not of fields within.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The keys that lead to its value, from the record for a column, from the object for a field within; where its table has a shape of its own
    /// ([`TableShape`](super::TableShape)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Vec<String>>,
    /// The table that the field became: it is a list, and no column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<String>,
}

/// Notes by the JSON path of their field: `$.a.b`; the elements of a list are at `$.a[]`.
pub type Notes = BTreeMap<String, Note>;

/// References may be nested this deep; a cycle ends here.
const DEPTH_MAX: usize = 64;

/// The notes of the schema of a record, which is at `pointer` of the document `root` and was read as `columns`, and what is wrong with them.
///
/// Only what has become a column or a field is looked at: the schema of what is kept as JSON may be of any size, and go in circles.
pub(super) fn read_notes(
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
                message: "expected the former names of a column, as texts".to_owned(),
            }),
        }
    }
}

/// Notes of every field of `schema`: ids as in `known`, where the field was there (or one that has its alias), new ones for the others; descriptions of
/// `schema`, else of `known`.
pub fn identified(schema: &RecordSchema, known: Option<&RecordSchema>) -> Notes {
    let empty = Notes::new();
    let known = known.map_or(&empty, RecordSchema::notes);
    // A run of a plain shape says nothing of where its fields come from: they are called as they are.
    let is_shaped = schema.notes().values().any(|note| note.source.is_some());
    let mut next = known.values().filter_map(|note| note.id).max().unwrap_or(0);
    let mut notes = Notes::new();
    let mut name = |place: &str, was: Option<&Note>| {
        let own = schema.notes().get(place).cloned().unwrap_or_default();
        let before = known.get(place).or(was);
        let id = before.and_then(|note| note.id).unwrap_or_else(|| {
            next += 1;
            next
        });
        let description = own.description.or_else(|| before.and_then(|note| note.description.clone()));
        let source = own.source.or_else(|| before.filter(|_| is_shaped)?.source.clone());
        notes.insert(
            place.to_owned(),
            Note { id: Some(id), description, aliases: own.aliases, source, child: own.child },
        );
    };
    for column in schema.columns() {
        let place = member_path("$", &column.name);
        let aliases = schema.notes().get(&place).map(|note| note.aliases.clone()).unwrap_or_default();
        let was = aliases.iter().find_map(|alias| known.get(&member_path("$", alias)));
        name(&place, was);
        within(&place, &column.column_type, &mut |place| name(place, None));
    }
    // Fields that are not in the schema any more say where they came from all the same, and so do lists that are tables.
    for (place, note) in schema.notes().iter().chain(known).filter(|(_, note)| is_shaped && note.source.is_some()) {
        let source = || Note { source: note.source.clone(), child: note.child.clone(), ..Note::default() };
        notes.entry(place.clone()).or_insert_with(source);
    }
    notes
}

fn within(place: &str, column_type: &ColumnType, name: &mut dyn FnMut(&str)) {
    match column_type {
        ColumnType::Struct(columns) => {
            for Column { name: member, column_type, .. } in columns {
                let place = member_path(place, member);
                name(&place);
                within(&place, column_type, name);
            }
        }
        ColumnType::List(element) => {
            let place = format!("{place}[]");
            name(&place);
            within(&place, element, name);
        }
        ColumnType::Map(value) => {
            let place = format!("{place}{{}}");
            name(&place);
            within(&place, value, name);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parse_json_schema;
    use super::*;

    #[test]
    fn ids_stay_with_their_fields_and_descriptions_come_from_the_file() {
        let file = |properties: Value| {
            parse_json_schema(
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
        let first = first.clone().with_notes(identified(&first, None));
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
        let second = second.clone().with_notes(identified(&second, Some(&first)));
        assert_eq!(ids(&second), [of("$.key", 1), of("$.new", 8), of("$.o", 2), of("$.o.a", 3), of("$.o.b", 9)]);
        assert_eq!(second.notes()["$.key"].description.as_deref(), Some("the key"));
        assert_eq!(serde_json::from_str::<RecordSchema>(&serde_json::to_string(&second).unwrap()).unwrap(), second);
    }

    #[test]
    fn aliases_are_former_names_of_columns() {
        for schema in
            [json!({"a": {"x-aliases": 7}}), json!({"a": {"properties": {"b": {"type": "string", "x-aliases": "c"}}}})]
        {
            let problems = parse_json_schema(&json!({"properties": schema}).to_string()).unwrap_err();
            assert!(problems[0].to_string().contains("x-aliases: expected the former names"), "{problems:?}");
        }
    }
}
