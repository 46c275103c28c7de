//! `columns` and `schema`: what they make of the columns of a table, and what is said about those
//! that are wrong.

use serde_json::{Value, json};

use super::{pipeline, problems, read};
use crate::schema::{FieldRule, OnError, RuleStep, TimeUnit};

/// The columns of the resource with this `schema` and these `columns`.
fn columns(schema: &Value, hints: &Value) -> Vec<String> {
    let spec = read(&pipeline(|pipeline| {
        pipeline["resources"][0]["schema"] = schema.clone();
        pipeline["resources"][0]["columns"] = hints.clone();
        pipeline["resources"][0]["partition_by"] = Value::Null;
    }))
    .unwrap();
    spec.resources[0].schema.as_ref().unwrap().columns().iter().map(ToString::to_string).collect()
}

#[test]
fn hints_of_dlt_are_types() {
    for (hint, expected) in [
        (json!({"data_type": "text"}), "utf8"),
        (json!({"data_type": "double"}), "float64"),
        (json!({"data_type": "bool"}), "boolean"),
        (json!({"data_type": "timestamp"}), "timestamp[us, UTC]"),
        (json!({"data_type": "timestamp", "precision": 3, "timezone": false}), "timestamp[ms]"),
        (json!({"data_type": "timestamp", "precision": 9, "timezone": true}), "timestamp[ns, UTC]"),
        (json!({"data_type": "bigint"}), "int64"),
        (json!({"data_type": "bigint", "precision": 16}), "int16"),
        (json!({"data_type": "binary"}), "binary"),
        (json!({"data_type": "json"}), "json"),
        (json!({"data_type": "decimal"}), "decimal128(38, 9)"),
        (json!({"data_type": "decimal", "precision": 10, "scale": 2}), "decimal128(10, 2)"),
        (json!({"data_type": "decimal", "precision": 50, "scale": 2}), "decimal256(50, 2)"),
        (json!({"data_type": "wei"}), "decimal256(76, 0)"),
        (json!({"data_type": "date"}), "date32"),
        (json!({"data_type": "time", "precision": 0}), "time32[s]"),
        (json!({"x-arrow": "dictionary<utf8>"}), "dictionary<utf8>"),
        (json!({"data_type": "bigint", "nullable": false, "description": "…", "sort": true}), "int64 not null"),
    ] {
        let found = columns(&json!("events.json"), &json!({"kind": hint, "new": hint}));
        assert_eq!(
            found[3..],
            [format!("kind: {expected}"), "who: json".to_owned(), format!("new: {expected}")],
            "{hint}"
        );
        let listed = columns(&json!("events.json"), &json!([{"name": "kind", "x-arrow": "int8"}]));
        assert_eq!(listed[3], "kind: int8");
    }
}

#[test]
fn a_component_of_an_openapi_document_is_a_schema_and_fields_have_rules() {
    let source = json!({"openapi": "api.yaml", "component": "Event"});
    let hints = json!({"price": {"data_type": "decimal", "precision": 18, "scale": 2, "x-on-error": "fail"}});
    let expected = [
        "event_id: utf8 not null",
        "price: decimal128(18, 2)",
        "at: timestamp[us, UTC]",
        "start_time: timestamp[us, UTC]",
    ];
    assert_eq!(columns(&source, &hints), expected);
    let spec = read(&pipeline(|pipeline| {
        pipeline["resources"][0]["schema"] = source;
        pipeline["resources"][0]["columns"] = hints;
    }))
    .unwrap();
    let rule = |name: &str| spec.resources[0].field_rules.of(&[RuleStep::Field(name.to_owned())]);
    assert_eq!(rule("at"), FieldRule { counts: Some(TimeUnit::Second), on_error: OnError::Reject });
    assert_eq!(rule("start_time"), FieldRule { counts: None, on_error: OnError::Null });
    assert_eq!(rule("price"), FieldRule { counts: None, on_error: OnError::Fail });
}

#[test]
fn what_is_wrong_with_a_hint_or_a_document_is_named() {
    for (key, value, expected) in [
        ("columns", json!({"kind": {"data_type": "integer"}}), "./resources[0]/columns/kind/data_type: "),
        (
            "columns",
            json!({"kind": {"data_type": "bigint", "precision": 12}}),
            "./resources[0]/columns/kind/precision: is none that the type has",
        ),
        (
            "columns",
            json!({"kind": {"data_type": "decimal", "precision": 77}}),
            "./resources[0]/columns/kind/precision: is none that the type has",
        ),
        (
            "columns",
            json!({"kind": {"x-arrow": "int33"}}),
            "./resources[0]/columns/kind/x-arrow: 'int33' is not a type",
        ),
        (
            "columns",
            json!({"kind": {"x-arrow": "int8", "data_type": "bigint"}}),
            "give either 'data_type' or 'x-arrow'",
        ),
        (
            "columns",
            json!({"kind": {"data_type": "bigint", "format": "unix-time"}}),
            "only a timestamp or a duration counts the time",
        ),
        (
            "columns",
            json!({"kind": {"nullable": false, "x-on-error": "null"}}),
            "null cannot stand in a column that must have a value",
        ),
        ("columns", json!({"event_id": {"x-on-error": "null"}}), "primary_key 'event_id' has x-on-error null"),
        ("columns", json!({"kind": {"typ": "text"}}), "received unexpected field 'typ'"),
        ("columns", json!([{"data_type": "text"}]), "./resources[0]/columns[0]: 'name' is missing"),
        ("columns", json!([{"name": "a"}, {"name": "a"}]), "the column 'a' is there twice"),
        ("columns", json!("kind"), "./resources[0]/columns: expected a mapping or a list of mappings"),
        ("schema", json!({"openapi": "api.yaml"}), "./resources[0]/schema: 'component' is missing"),
        (
            "schema",
            json!({"openapi": "api.yaml", "component": "Evnt"}),
            "api.yaml at #/components/schemas/Evnt: is not there (components/schemas has: Event)",
        ),
        (
            "schema",
            json!({"openapi": "events.json", "component": "Event"}),
            "events.json at #/openapi: expected an OpenAPI document",
        ),
        (
            "schema",
            json!({"openapi": "nowhere.json", "component": "Event"}),
            "the schema file nowhere.json cannot be read",
        ),
    ] {
        let found = problems(&pipeline(|pipeline| pipeline["resources"][0][key] = value.clone()));
        assert!(found.contains(expected), "{value}\n{found}");
    }
}
