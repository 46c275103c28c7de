//! What a pipeline file may say about merging.

use serde_json::{Value, json};

use super::{assert_refused, pipeline, read, resource};
use crate::spec::{
    DeleteEffect, DeletesSpec, HistorySpec, MarkKind, MarkSpec, MergeSpec, MergeStrategy, Precedence, SortOrder,
    WriteDisposition,
};

fn merge(edit: impl FnOnce(&mut Value)) -> MergeSpec {
    read(&resource(edit)).unwrap().resources.remove(0).merge
}

/// Which records delete, and what becomes of their rows.
fn deletes(edit: impl FnOnce(&mut Value)) -> (DeletesSpec, DeleteEffect) {
    let resource = read(&resource(edit)).unwrap().resources.remove(0);
    (resource.deletes.unwrap(), resource.merge.deletes.unwrap())
}

/// A mapping with more members.
fn and(mut mapping: Value, more: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut mapping, more) else { panic!("two mappings") };
    members.extend(more);
    mapping
}

fn scd2(more: Value) -> Value {
    and(json!({"disposition": "merge", "strategy": "scd2"}), more)
}

/// The good pipeline with more said about its resource.
fn with(more: Value) -> Value {
    resource(|resource| *resource = and(resource.take(), more))
}

#[test]
fn strategies_are_read_and_merge_is_an_upsert_unless_there_is_a_merge_key() {
    assert_eq!(merge(|_| {}), MergeSpec::default());
    for (word, key, expected) in [
        ("upsert", None, MergeStrategy::Upsert),
        ("insert-only", None, MergeStrategy::InsertOnly),
        ("delete-insert", None, MergeStrategy::DeleteInsert),
        ("delete-insert", Some("kind"), MergeStrategy::DeleteInsert),
    ] {
        let spec = merge(|r| {
            r["write_disposition"] = json!({"disposition": "merge", "strategy": word, "deduplicated": true});
            r["merge_key"] = json!(key);
        });
        assert_eq!((spec.strategy, spec.merge_key), (expected, key.iter().map(|key| (*key).to_owned()).collect()));
    }
    let by_group = merge(|r| {
        r["primary_key"] = json!(null);
        r["merge_key"] = json!(["kind", "day"]);
    });
    assert_eq!(by_group.strategy, MergeStrategy::DeleteInsert);
    let history = HistorySpec {
        valid_from: "valid_from".to_owned(),
        valid_to: "valid_to".to_owned(),
        boundary: None,
        retires_absent: true,
    };
    let keyless = merge(|r| {
        r["primary_key"] = json!(null);
        r["write_disposition"] = scd2(json!({}));
    });
    assert_eq!(keyless.strategy, MergeStrategy::Scd2(history));
    let named = merge(|r| {
        r["write_disposition"] = scd2(json!({
            "validity_column_names": ["from", "to"], "boundary_timestamp": "2026-11-23", "retire_absent": false,
        }));
        r["partition_by"] = json!({"column": "to", "transform": "year"});
    });
    let expected = HistorySpec {
        valid_from: "from".to_owned(),
        valid_to: "to".to_owned(),
        boundary: Some("2026-11-23T00:00:00Z".parse().unwrap()),
        retires_absent: false,
    };
    assert_eq!(named.strategy, MergeStrategy::Scd2(expected));
    assert_eq!(MergeSpec { strategy: named.strategy, ..MergeSpec::default() }.own_columns().len(), 2);
}

#[test]
fn versions_and_deletes_are_read() {
    let spec = merge(|r| r["columns"] = json!({"start_time": {"dedup_sort": "asc", "description": "when"}}));
    let precedence = |order, guards_table| Some(Precedence { column: "start_time".to_owned(), order, guards_table });
    assert_eq!(spec.precedence, precedence(SortOrder::Least, false));
    let spec = merge(|r| {
        r["columns"] = json!([{"name": "start_time", "dedup_sort": "desc"}]);
        r["write_disposition"] = json!({"disposition": "merge", "newer_by": "start_time"});
    });
    assert_eq!(spec.precedence, precedence(SortOrder::Greatest, true));
    let told = deletes(|r| r["columns"] = json!({"kind": {"hard_delete": true}}));
    let by_column = DeletesSpec { column: Some("kind".to_owned()), ..DeletesSpec::default() };
    assert_eq!(told, (by_column.clone(), DeleteEffect::Remove));
    let mark = |column: &str, kind| DeleteEffect::Mark(MarkSpec { column: column.to_owned(), kind });
    for (deletes, expected) in [
        (json!({"mode": "soft"}), mark("deleted_at", MarkKind::Time)),
        (json!({"mode": "soft", "type": "boolean"}), mark("is_deleted", MarkKind::Truth)),
        (json!({"mode": "soft", "column": "gone", "type": "timestamp"}), mark("gone", MarkKind::Time)),
        (json!({"mode": "hard"}), DeleteEffect::Remove),
    ] {
        let told = self::deletes(|r| {
            r["columns"] = json!({"kind": {"hard_delete": true}});
            r["deletes"] = deletes;
        });
        assert_eq!(told, (by_column.clone(), expected));
    }
    let (records, _) = deletes(|r| r["deletes"] = json!({"when": "record.kind == 'cancelled'"}));
    assert!(records.when.is_some() && records.column.is_none());
    let spec = read(&pipeline(|p| {
        p["resource_defaults"]["columns"] = json!({"kind": {"hard_delete": true}, "day": {"sort": true}});
        p["resources"][0]["columns"] = json!({"kind": {"dedup_sort": "desc"}, "day": {}});
    }))
    .unwrap();
    let merge = &spec.resources[0].merge;
    assert!(merge.deletes.is_some() && merge.precedence.is_some(), "hints of defaults and resource come together");
}

/// Where only what is new is read, an absent key is no news: neither in the resource nor below an
/// incremental parent.
#[test]
fn absent_keys_stay_open_where_the_listing_is_never_whole() {
    let incremental = json!({"cursor_path": "start_time"});
    let spec = read(&pipeline(|p| {
        p["resource_defaults"]["write_disposition"] = scd2(json!({}));
        p["resource_defaults"]["schema"] = json!("events.json");
        p["resources"] = json!([
            {"name": "whole"},
            {"name": "parent", "endpoint": {"incremental": incremental}},
            {"name": "child", "endpoint": "c/{resources.parent.event_id}"},
            {"name": "grandchild", "endpoint": "g/{resources.child.event_id}"},
            {"name": "niece", "endpoint": "n/{resources.whole.event_id}"},
            {"name": "old", "endpoint": {"params": {"since": {"type": "incremental", "cursor_path": "day"}}}},
        ]);
    }))
    .unwrap();
    let retires: Vec<_> = spec
        .resources
        .iter()
        .map(|resource| (resource.name.as_str(), resource.merge.history().unwrap().retires_absent))
        .collect();
    let expected =
        [("whole", true), ("parent", false), ("child", false), ("grandchild", false), ("niece", true), ("old", false)];
    assert_eq!(retires, expected);
}

#[test]
fn contradictions_about_merging_are_named() {
    let long = |strategy: &str| json!({"disposition": "merge", "strategy": strategy});
    let no_key = json!(null);
    assert_refused([
        (with(json!({"write_disposition": long("upsrt")})), "did you mean 'upsert'?"),
        (with(json!({"write_disposition": long("cdc")})), "accepted: upsert, delete-insert, insert-only, scd2"),
        (
            with(json!({"primary_key": no_key, "write_disposition": long("upsert")})),
            "the strategy upsert needs a primary_key",
        ),
        (
            with(json!({"primary_key": no_key, "write_disposition": long("insert-only")})),
            "insert-only needs a primary_key",
        ),
        (
            with(json!({"primary_key": no_key, "write_disposition": long("delete-insert")})),
            "needs a primary_key or a merge_key",
        ),
        (with(json!({"merge_key": "kind", "write_disposition": long("upsert")})), "has no use for a merge_key"),
        (with(json!({"merge_key": "knd"})), "merge_key 'knd' is not a column of the schema"),
        (with(json!({"merge_key": "who"})), "merge_key 'who' is nested"),
        (with(json!({"write_disposition": scd2(json!({"validity_column_names": ["a"]}))})), "are two different names"),
        (
            with(json!({"write_disposition": scd2(json!({"validity_column_names": ["kind", "to"]}))})),
            "'kind' is a column of the schema",
        ),
        (
            with(json!({"write_disposition": scd2(json!({"boundary_timestamp": "noon"}))})),
            "expected a date or an RFC 3339 date-time, found 'noon'",
        ),
        (
            with(json!({"write_disposition": scd2(json!({"active_record_timestamp": "9999-12-31"}))})),
            "'active_record_timestamp' is not supported",
        ),
        (
            with(json!({"write_disposition": {"disposition": "merge", "retire_absent": true}})),
            "belongs to the strategy scd2, and this one is upsert",
        ),
        (
            with(json!({"write_disposition": {"disposition": "append", "strategy": "scd2"}})),
            "needs write_disposition merge",
        ),
    ]);
}

#[test]
fn contradictions_about_versions_and_deletes_are_named() {
    let newer = |strategy: &str| json!({"disposition": "merge", "strategy": strategy, "newer_by": "start_time"});
    let grouped = |more: Value| with(and(json!({"primary_key": null, "merge_key": "kind"}), more));
    assert_refused([
        (with(json!({"columns": {"strt_time": {"dedup_sort": "desc"}}})), "did you mean 'start_time'?"),
        (with(json!({"columns": {"who": {"dedup_sort": "desc"}}})), "'who' is nested"),
        (with(json!({"columns": {"day": {"dedup_sort": "down"}}})), "'down' is not known (accepted: desc, asc"),
        (
            with(json!({"columns": {"day": {"dedup_sort": "asc"}, "kind": {"dedup_sort": "asc"}}})),
            "only one column may have 'dedup_sort'",
        ),
        (
            with(json!({"columns": {"day": {"hard_delete": true}, "kind": {"hard_delete": true}}})),
            "only one column may have 'hard_delete'",
        ),
        (with(json!({"columns": {"kind": {"primary_key": true}}})), "'primary_key' is not supported"),
        (with(json!({"columns": {"kind": {"dedupsort": "asc"}}})), "did you mean 'dedup_sort'?"),
        (with(json!({"columns": "kind"})), "expected a mapping or a list of mappings"),
        (
            with(json!({"columns": {"day": {"dedup_sort": "desc"}}, "write_disposition": newer("upsert")})),
            "contradict each other",
        ),
        (
            with(json!({"columns": {"start_time": {"dedup_sort": "asc"}}, "write_disposition": newer("upsert")})),
            "contradict each other",
        ),
        (with(json!({"write_disposition": newer("insert-only")})), "newer_by has no effect with insert-only"),
        (grouped(json!({"columns": {"day": {"dedup_sort": "asc"}}})), "versions have a primary_key in common"),
        (with(json!({"deletes": {"mode": "hard"}})), "without either, nothing is deleted"),
        (
            with(json!({"deletes": {"when": "kind == 'x'"}})),
            "'kind' is not known: an expression sees the record as 'record'",
        ),
        (with(json!({"deletes": {"when": "record.x", "column": "gone"}})), "which needs mode: soft"),
        (
            with(json!({"deletes": {"when": "record.x", "mode": "soft", "column": "kind"}})),
            "'kind' is a column of the schema",
        ),
        (grouped(json!({"deletes": {"when": "record.x", "mode": "soft"}})), "mode soft belongs to the strategy upsert"),
        (
            with(
                json!({"deletes": {"when": "record.x"}, "write_disposition": {"disposition": "merge", "strategy": "insert-only"}}),
            ),
            "nothing can be deleted",
        ),
        (
            with(json!({"deletes": {"when": "record.x"}, "primary_key": null, "write_disposition": scd2(json!({}))})),
            "names its row by the primary_key",
        ),
        (
            with(json!({"deletes": {"when": "record.x"}, "write_disposition": "append"})),
            "'deletes' needs write_disposition merge",
        ),
        (
            with(json!({"columns": {"kind": {"hard_delete": true}}, "write_disposition": "replace"})),
            "'hard_delete' needs write_disposition merge",
        ),
        (with(json!({"columns": {"knd": {"hard_delete": true}}})), "did you mean 'kind'?"),
    ]);
    let spec = read(&grouped(json!({"deletes": {"when": "record.x"}}))).unwrap();
    assert_eq!(spec.resources[0].write_disposition, WriteDisposition::Merge);
}
