use serde_json::{Value, json};

use super::*;
use crate::schema::files::json_schema::SchemaFile;
use crate::schema::table::naming::Naming;
use crate::schema::table::table_shape::TableShape;

const SHAPE: TableShape = TableShape { naming: Naming::SnakeCase, flattens: true, has_child_tables: true };

fn records(properties: &Value) -> RecordSchema {
    SchemaFile::parse(&json!({"properties": properties, "required": ["ID"]}).to_string()).unwrap().schema
}

fn parts_of(records: &RecordSchema) -> Result<Parts, SchemaError> {
    Parts::of("t", &SHAPE.table_of(records)?, &["id".to_owned()])
}

fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

fn object(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties})
}

#[test]
fn the_records_are_known_from_their_tables() {
    let text = json!({"type": "string"});
    let deep = object(&json!({"aB": text, "inner": object(&json!({"e": {"type": "number"}, "cD": list(&text)}))}));
    for lists in [
        json!({}),
        json!({"theTags": list(&text)}),
        json!({"theGuests": list(&deep)}),
        json!({"outer": object(&json!({"theGuests": list(&deep)}))}),
        json!({"grid": list(&list(&text))}),
        json!({"grid": list(&list(&list(&deep)))}),
        json!({"values": list(&object(&json!({"value": text.clone()})))}),
        json!({"maps": list(&json!({"type": "object", "additionalProperties": object(&json!({"xY": text.clone()}))}))}),
        json!({"json": list(&json!({"x-nested": "json"}))}),
    ] {
        let mut properties = json!({"ID": {"type": "integer"}});
        properties.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
        let records = records(&properties);
        let parts = parts_of(&records).unwrap();
        // As a commit keeps them.
        let stored = |schema: &RecordSchema| {
            let schema = schema.clone().identified(None);
            Arc::new(serde_json::from_str::<RecordSchema>(&serde_json::to_string(&schema).unwrap()).unwrap())
        };
        let tables: BTreeMap<&str, _> =
            parts.children.iter().map(|child| (child.name.as_str(), stored(&child.schema))).collect();
        let whole = stored(&parts.own).nested_with(&|name| tables.get(name).cloned()).unwrap();
        let shown = |columns: &[Column]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&whole.record_columns()), shown(records.columns()), "{lists}");
        // A table that is gone is none.
        let gone = stored(&parts.own).nested_with(&|_| None).unwrap();
        assert_eq!(gone.columns(), parts.own.columns(), "{lists}");
    }
}

#[test]
fn names_that_cannot_be_are_errors() {
    let text = json!({"type": "string"});
    for (lists, expected) in [
        (
            json!({"x_a": list(&object(&json!({"b": list(&text)}))), "xA": object(&json!({"b": list(&text)}))}),
            "the lists $.x_a[].b and $.x_a__b of the records would both be the table t__x_a__b",
        ),
        (
            json!({"a": list(&object(&json!({"_lakefeed_list_index": text.clone()})))}),
            "the place in the list and $.a[]._lakefeed_list_index of the records would both be the column _lakefeed_list_index",
        ),
        (
            json!({"a": list(&object(&json!({"xY": text.clone(), "x_y": text.clone()})))}),
            "$.a[].xY and $.a[].x_y of the records would both be the column x_y",
        ),
        (json!({"l".repeat(300): list(&text)}), "and no folder can be called so"),
    ] {
        let mut properties = json!({"ID": {"type": "integer"}});
        properties.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
        let error = parts_of(&records(&properties)).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}\n{error}");
    }
    for (name, expected) in
        [("t__a", true), ("t__a b", true), ("t__a/b", false), ("t__a=1", false), ("", false), ("_t", false)]
    {
        assert_eq!(is_folder_name(name), expected, "{name}");
    }
}

#[test]
fn items_are_of_one_kind() {
    let child = |items: Value| {
        let records = records(&json!({"ID": {"type": "integer"}, "l": list(&items)}));
        parts_of(&records).unwrap().children.remove(0).schema
    };
    let text = json!({"type": "string"});
    let kinds = [child(text.clone()), child(list(&text)), child(object(&json!({"value": text})))];
    for (one, left) in kinds.iter().enumerate() {
        for (other, right) in kinds.iter().enumerate() {
            assert_eq!(left.has_items_like(right), one == other, "{one} {other}");
        }
    }
}
