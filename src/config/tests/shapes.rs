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
    for (nested, flattens, has_child_tables, levels) in [
        (json!("native"), false, false, None),
        (json!("json"), false, false, Some(0)),
        (json!("flatten"), true, false, None),
        (json!("child_tables"), true, true, None),
        (json!(2), false, false, Some(2)),
        (json!("2"), false, false, Some(2)),
        (json!({"mode": "flatten", "levels": 1}), true, false, Some(1)),
        (json!({"mode": "child_tables", "levels": 1}), true, true, Some(1)),
        (json!({"levels": 3}), false, false, Some(3)),
    ] {
        let spec = spec(&json!("events.json"), &json!({"nested": nested}));
        let found = (spec.shape.flattens, spec.shape.has_child_tables, spec.nested_levels);
        assert_eq!(found, (flattens, has_child_tables, levels), "{nested}");
    }
    assert_refused([
        (
            resource(|r| r["nested"] = json!("flat")),
            "'flat' is not known (accepted: native, flatten, child_tables, json)",
        ),
        (
            resource(|r| r["nested"] = json!({"mode": "json"})),
            "./resources[0]/nested/mode: 'json' is not known (accepted: native, flatten, child_tables)",
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
            "./resources[0]/primary_key: has the column 'event_id' twice",
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

#[test]
fn what_child_tables_cannot_follow_is_refused() {
    let merge = |strategy: &str, more: Value| {
        let mut disposition = json!({"disposition": "merge", "strategy": strategy});
        disposition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"write_disposition": disposition})
    };
    for (more, expected) in [
        (json!({}), None),
        (json!({"write_disposition": "replace"}), None),
        (merge("upsert", json!({})), None),
        (merge("delete-insert", json!({})), None),
        (json!({"write_disposition": "merge", "deletes": {"when": "false"}}), None),
        (json!({"primary_key": null}), Some("nested child_tables needs a primary_key")),
        (json!({"primary_key": "tags"}), Some("primary_key 'tags' is nested")),
        (merge("scd2", json!({})), Some("nested child_tables cannot go with the strategy scd2")),
        (merge("insert-only", json!({})), Some("nested child_tables cannot go with the strategy insert-only")),
        (merge("upsert", json!({"newer_by": "rev"})), Some("nested child_tables cannot go with newer_by")),
        (
            json!({"write_disposition": "merge", "columns": {"rev": {"dedup_sort": "desc"}}}),
            Some("nested child_tables cannot go with dedup_sort"),
        ),
        (
            json!({"write_disposition": "merge", "merge_key": "day"}),
            Some("nested child_tables cannot go with a merge_key"),
        ),
        (
            json!({"write_disposition": "merge", "deletes": {"when": "false", "mode": "soft"}}),
            Some("nested child_tables cannot go with deletes of mode soft"),
        ),
    ] {
        let mut all = json!({"nested": "child_tables", "primary_key": "id", "schema": "lists.json"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let pipeline = pipeline(|pipeline| {
            let resource = pipeline["resources"][0].as_object_mut().unwrap();
            resource.extend(all.as_object().unwrap().clone());
        });
        match expected {
            None => drop(read(&pipeline).unwrap_or_else(|error| panic!("{more}: {error}"))),
            Some(expected) => assert!(problems(&pipeline).contains(expected), "{expected}\n{}", problems(&pipeline)),
        }
    }
    let found = problems(&shaped(&json!("renamed.json"), &json!({"nested": "child_tables", "primary_key": "id"})));
    assert!(found.contains("cannot rename the list 'labels'"), "{found}");
    let named = |table: &str| {
        pipeline(|pipeline| {
            pipeline["resources"][0]["nested"] = json!("child_tables");
            pipeline["resources"][0]["primary_key"] = json!("event_id");
            let first = pipeline["resources"][0]["name"].as_str().unwrap().to_owned();
            let other = json!({"name": "other", "endpoint": "other", "schema": "events.json", "table_name": format!("{first}{table}")});
            pipeline["resources"].as_array_mut().unwrap().push(other);
        })
    };
    assert!(problems(&named("__tags")).contains("could be a child table of"), "{}", problems(&named("__tags")));
    assert!(read(&named("_tags")).is_ok());
}
