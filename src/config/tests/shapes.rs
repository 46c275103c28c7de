//! `naming` and `nested`: which column is meant by a name of the pipeline file.

use serde_json::{Value, json};

use super::{assert_refused, pipeline, problems, read, resource};
use crate::schema::{FieldRule, OnError, RuleStep};
use crate::spec::{ResourceSpec, Transform};

/// A merge of records with an object, with further keys.
fn shaped(schema: &Value, more: &Value) -> Value {
    pipeline(|pipeline| {
        let resource = pipeline["resources"][0].as_object_mut().unwrap();
        resource.insert("schema".to_owned(), schema.clone());
        resource.extend(more.as_object().unwrap().clone());
    })
}

fn spec(schema: &Value, more: &Value) -> ResourceSpec {
    read(&shaped(schema, more)).unwrap().resources.remove(0)
}

#[test]
fn a_name_is_that_of_the_field_or_of_its_column() {
    let by_key = json!({
        "naming": "snake_case", "nested": "flatten",
        "primary_key": ["eventId", "theOwner__displayName"],
        "write_disposition": {"disposition": "merge", "strategy": "delete-insert", "newer_by": "startTime"},
        "merge_key": "theDay",
        "columns": {"theOwner__displayName": {"x-on-error": "fail"}, "startTime": {"nullable": false}},
        "partition_by": {"column": "startTime", "transform": "day"},
    });
    let by_column = json!({
        "naming": "snake_case", "nested": "flatten",
        "primary_key": ["event_id", "the_owner__display_name"],
        "write_disposition": {"disposition": "merge", "strategy": "delete-insert", "newer_by": "start_time"},
        "merge_key": "the_day",
        "columns": {"the_owner__display_name": {"x-on-error": "fail"}, "start_time": {"nullable": false}},
        "partition_by": {"column": "start_time", "transform": "day"},
    });
    for names in [by_key, by_column] {
        let spec = spec(&json!("nested.json"), &names);
        assert_eq!(spec.primary_key, ["event_id", "the_owner__display_name"]);
        assert_eq!(
            (spec.merge.merge_key, spec.merge.precedence.unwrap().column),
            (vec!["the_day".to_owned()], "start_time".to_owned())
        );
        let level = &spec.partition_by[0];
        assert_eq!(
            (level.column.as_str(), level.transform, level.name.as_str()),
            ("start_time", Transform::Day, "start_time_day")
        );
        let place = ["theOwner", "displayName"].map(|key| RuleStep::Field(key.to_owned()));
        assert_eq!(spec.field_rules.of(&place), FieldRule { counts: None, on_error: OnError::Fail });
        let shown: Vec<String> = spec.schema.unwrap().columns().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "eventId: utf8 not null",
                "startTime: timestamp[us, UTC] not null",
                "theDay: date32",
                "theOwner: struct<displayName: utf8 not null, seat: int64> not null",
                "aB: utf8"
            ],
            "the records stay what they are"
        );
    }
    let inferred = spec(&Value::Null, &json!({"naming": "snake_case", "primary_key": "eventId"}));
    assert_eq!(inferred.primary_key, ["event_id"]);
}

#[test]
fn what_nested_may_be() {
    for (nested, flattens, levels) in [
        (json!("native"), false, None),
        (json!("json"), false, Some(0)),
        (json!("flatten"), true, None),
        (json!(2), false, Some(2)),
        (json!("2"), false, Some(2)),
        (json!({"mode": "flatten", "levels": 1}), true, Some(1)),
        (json!({"levels": 3}), false, Some(3)),
    ] {
        let spec = spec(&json!("events.json"), &json!({"nested": nested}));
        assert_eq!((spec.shape.flattens, spec.nested_levels), (flattens, levels), "{nested}");
    }
    assert_refused([
        (resource(|r| r["nested"] = json!("flat")), "'flat' is not known (accepted: native, flatten, json)"),
        (
            resource(|r| r["nested"] = json!({"mode": "json"})),
            "./resources[0]/nested/mode: 'json' is not known (accepted: native, flatten)",
        ),
        (resource(|r| r["nested"] = json!({"depth": 1})), "./resources[0]/nested: received unexpected field 'depth'"),
        (
            resource(|r| r["naming"] = json!("snake")),
            "./resources[0]/naming: 'snake' is not known (accepted: as_is, snake_case)",
        ),
    ]);
}

#[test]
fn collisions_and_keys_that_cannot_be_are_named() {
    let refused = |more: Value| problems(&shaped(&json!("nested.json"), &more));
    let flat = |more: Value| {
        let mut all = json!({"nested": "flatten", "primary_key": "eventId"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(all)
    };
    for (found, expected) in [
        (
            refused(
                json!({"naming": "snake_case", "primary_key": "eventId", "columns": {"a_b": {"data_type": "text"}, "aB": {"nullable": true}}}),
            ),
            "the column 'a_b' is there twice",
        ),
        (
            refused(json!({"naming": "snake_case", "primary_key": ["eventId", "event_id"]})),
            "./resources[0]: primary_key has the column 'event_id' twice",
        ),
        (
            flat(json!({"primary_key": "theOwner"})),
            "primary_key 'theOwner' is not a column of the schema (columns: eventId, startTime, theDay, theOwner__displayName",
        ),
        (
            flat(json!({"primary_key": "theOwner__displayName", "deletes": {"when": "false"}})),
            "'theOwner__displayName' is within an object; records that delete need it outside",
        ),
        (
            flat(
                json!({"columns": {"theOwner__displayName": {"x-on-error": "null"}}, "primary_key": "theOwner__displayName"}),
            ),
            "primary_key 'theOwner__displayName' has x-on-error null",
        ),
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
}
