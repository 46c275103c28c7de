//! [`RecordSchema`] → JSON Schema (draft 2020-12), for people to edit and for
//! [`SchemaFile::parse`](crate::schema::SchemaFile::parse) to read back. Pure.

use serde_json::{Map, Value, json};

use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType, RecordSchema};

impl RecordSchema {
    /// Returns the JSON Schema document of a record. Columns that may be null say so; the others
    /// are `required`.
    pub fn to_json_schema(&self, title: &str) -> Value {
        let schema = self;
        let mut document = Map::new();
        document.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        document.insert("title".to_owned(), json!(title));
        document.extend(object(schema.columns()));
        let mut document = Value::Object(document);
        for column in schema.columns() {
            let note = schema.notes().get(&member_path("$", &column.name));
            if let Some(description) = note.and_then(|note| note.description.as_ref())
                && let Some(Value::Object(property)) = document["properties"].get_mut(&column.name)
            {
                property.insert("description".to_owned(), json!(description));
            }
        }
        document
    }
}

fn object(columns: &[Column]) -> Map<String, Value> {
    let required: Vec<&str> =
        columns.iter().filter(|column| !column.nullable).map(|column| column.name.as_str()).collect();
    let properties = columns.iter().map(|column| (column.name.clone(), property(&column.column_type, column.nullable)));
    let mut members = Map::new();
    members.insert("type".to_owned(), json!("object"));
    if !required.is_empty() {
        members.insert("required".to_owned(), json!(required));
    }
    members.insert("properties".to_owned(), Value::Object(properties.collect()));
    members
}

fn property(column_type: &ColumnType, nullable: bool) -> Value {
    let kind = |word: &str| if nullable { json!([word, "null"]) } else { json!(word) };
    let text = |format: &str| json!({"type": kind("string"), "format": format});
    match column_type {
        ColumnType::Boolean => json!({"type": kind("boolean")}),
        ColumnType::Int64 => json!({"type": kind("integer")}),
        ColumnType::Float64 => json!({"type": kind("number")}),
        ColumnType::Utf8 => json!({"type": kind("string")}),
        ColumnType::TimestampUtc => text("date-time"),
        ColumnType::Date32 => text("date"),
        ColumnType::Time64 => text("time"),
        ColumnType::TimestampNaive => json!({"type": kind("string"), "x-arrow": "timestamp[us]"}),
        ColumnType::Integer(_)
        | ColumnType::Float32
        | ColumnType::Decimal128 { .. }
        | ColumnType::Decimal256 { .. }
        | ColumnType::Dictionary
        | ColumnType::Binary
        | ColumnType::Timestamp { .. }
        | ColumnType::Time(_)
        | ColumnType::Duration(_)
        | ColumnType::Json => json!({"x-arrow": column_type.to_string()}),
        ColumnType::Map(value) => {
            let text = column_type.to_string();
            // Objects with known fields have no text.
            if ColumnType::parse(&text).as_ref() == Some(column_type) {
                json!({"x-arrow": text})
            } else {
                json!({"type": kind("object"), "additionalProperties": property(value, true)})
            }
        }
        ColumnType::List(element) => json!({"type": kind("array"), "items": property(element, true)}),
        ColumnType::Struct(columns) => {
            let mut members = object(columns);
            members.insert("type".to_owned(), kind("object"));
            Value::Object(members)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::files::json_schema::SchemaFile;
    use crate::schema::strategies::{nested, scalar};

    fn any_type() -> impl Strategy<Value = ColumnType> {
        nested(scalar(), "[a-z~/ $é]{1,3}")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(columns in proptest::collection::btree_map("[a-z~/ $é]{1,3}", any_type(), 1..5)) {
            let column = |(name, column_type)| Column { name, column_type, nullable: true };
            let schema = RecordSchema::new(columns.into_iter().map(column).collect()).unwrap();
            let text = schema.to_json_schema("t").to_string();
            prop_assert_eq!(SchemaFile::parse(&text).unwrap().schema, schema);
        }
    }

    #[test]
    fn columns_that_must_have_a_value_are_required() {
        let column = |name: &str, nullable| Column { name: name.to_owned(), column_type: ColumnType::Int64, nullable };
        let schema = RecordSchema::new(vec![column("id", false), column("n", true)]).unwrap();
        let written = schema.to_json_schema("events");
        assert_eq!(written["required"], json!(["id"]));
        assert_eq!(
            (&written["properties"]["id"]["type"], &written["properties"]["n"]["type"]),
            (&json!("integer"), &json!(["integer", "null"]))
        );
    }
}
