//! Strategies of merging through the whole pipeline: partitions, tombstones that carry only their
//! key, counts, and what proves that a key is gone.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use futures::TryStreamExt as _;
use lakefeed::report::{Completeness, RowCounts};
use lakefeed::testing::ManualClock;
use lakefeed::{Environment, Format, Lake, Pipeline};
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::expectations::same_rows;
use crate::support::json_rows::json_rows_in;
use crate::support::script_server::ScriptServer;
use crate::support::{output_of, python};

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "id": {"type": "string"},
    "day": {"type": "string", "format": "date"},
    "rev": {"type": "integer"},
    "title": {"type": "string"},
    "gone": {"type": "boolean"}
  }
}"#;

/// A lake, an API that gives one whole listing per run, and the resource between them.
struct Play {
    server: ScriptServer,
    resource: Value,
    store: Arc<InMemory>,
    clock: Arc<ManualClock>,
    runs: usize,
}

impl Play {
    async fn new(mut resource: Value, listings: &[Value]) -> Self {
        let replies: Vec<Value> = listings
            .iter()
            .map(|items| json!({"json": {"items": items, "total": items.as_array().unwrap().len()}}))
            .collect();
        resource["name"] = json!("events");
        resource["primary_key"] = json!("id");
        resource["schema"] = json!("schema.json");
        let paginator = json!({"type": "offset", "limit": 100});
        resource["endpoint"] = json!({"path": "e", "data_selector": "items", "paginator": paginator});
        let server = ScriptServer::start(vec![json!({"match": {"path": "/e"}, "replies": replies})]).await;
        let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap()));
        Self { server, resource, store: Arc::new(InMemory::new()), clock, runs: 0 }
    }

    async fn run(&mut self) -> (RowCounts, Completeness) {
        self.runs += 1;
        self.clock.advance(std::time::Duration::from_secs(3_600));
        let text = json!({"client": {"base_url": "{{BASE}}"}, "resources": [self.resource]}).to_string();
        let environment = Environment::empty().with_file("schema.json", SCHEMA);
        let pipeline = Pipeline::parse_with(&self.server.fill_in(&text), Format::Json, &environment).unwrap();
        let lake = Lake::in_store(Arc::<InMemory>::clone(&self.store), "");
        let runner = pipeline.runner().lake(&lake).clock(Arc::clone(&self.clock));
        let report = runner.run_id(format!("run-{}", self.runs)).jitter_seed(1).run().await.into_result().unwrap();
        assert!(lake.table("events").verify().await.unwrap().findings.is_empty());
        let resource = &report.resources[0];
        (RowCounts { written: 0, ..resource.rows }, resource.complete.clone().unwrap())
    }

    async fn assert_rows(&self, expected: Value) {
        same_rows(&expected, json_rows_in(&*self.store, "events").await).unwrap();
    }
}

fn event(id: &str, day: &str, rev: i64) -> Value {
    json!({"id": id, "day": format!("2026-11-{day}"), "rev": rev})
}

fn counts(read: u64) -> RowCounts {
    RowCounts { read, ..RowCounts::default() }
}

/// A tombstone would itself belong to the partition of null; its row is found wherever it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_that_carries_its_key_finds_its_row_in_any_partition() {
    let tombstones = json!([event("a", "03", 2), {"id": "b", "gone": true}, {"id": "x", "gone": true}, {"gone": true}]);
    let resource = json!({
        "write_disposition": "merge", "columns": {"gone": {"hard_delete": true}},
        "partition_by": [{"column": "day"}],
    });
    let listing = json!([event("a", "01", 1), event("b", "02", 1), event("c", "02", 1)]);
    let mut play = Play::new(resource, &[listing, tombstones.clone(), tombstones]).await;
    assert_eq!(play.run().await.0, RowCounts { inserted: 3, ..counts(3) });
    let expected = RowCounts { updated: 1, moved: 1, deleted: 1, missed: 1, rejected: 1, ..counts(4) };
    assert_eq!(play.run().await.0, expected);
    play.assert_rows(json!([event("a", "03", 2), event("c", "02", 1)])).await;
    // The same once more changes nothing.
    assert_eq!(play.run().await.0, RowCounts { unchanged: 1, missed: 2, rejected: 1, ..counts(4) });
    play.assert_rows(json!([event("a", "03", 2), event("c", "02", 1)])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_delete_keeps_the_last_values_that_were_known_and_says_when() {
    let resource = json!({
        "write_disposition": {"disposition": "merge", "newer_by": "rev"},
        "columns": {"gone": {"hard_delete": true}}, "deletes": {"mode": "soft"},
        "partition_by": [{"column": "day", "transform": "month"}],
    });
    let mut titled = event("a", "01", 3);
    titled["title"] = json!("Planning");
    let older = json!({"id": "b", "gone": true, "rev": 1});
    let listings = [
        json!([titled, event("b", "02", 5)]),
        json!([{"id": "a", "gone": true, "rev": 4, "title": "hidden"}, older]),
        json!([{"id": "a", "gone": true, "rev": 4}]),
        json!([event("a", "02", 6)]),
    ];
    let mut play = Play::new(resource, &listings).await;
    play.run().await;
    assert_eq!(play.run().await.0, RowCounts { deleted: 1, kept: 1, ..counts(2) });
    let mut deleted = titled.clone();
    deleted["deleted_at"] = json!("2026-11-23T14:00:00Z");
    play.assert_rows(json!([deleted, event("b", "02", 5)])).await;
    assert_eq!(play.run().await.0, RowCounts { unchanged: 1, ..counts(1) });
    assert_eq!(play.run().await.0, RowCounts { updated: 1, ..counts(1) });
    play.assert_rows(json!([event("a", "02", 6), event("b", "02", 5)])).await;
}

/// Closed versions stay where they are, unless the table is partitioned by when they closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_its_versions_in_time_and_closes_what_is_proven_gone() {
    for (by, moves) in [("day", false), ("valid_to", true)] {
        let transform = if by == "day" { "identity" } else { "day" };
        let resource = json!({
            "write_disposition": {"disposition": "merge", "strategy": "scd2"},
            "partition_by": [{"column": by, "transform": transform, "name": "part"}],
        });
        let refused = json!({"id": "b", "day": "soon"});
        let listings = [
            json!([event("a", "01", 1), event("b", "01", 1), event("c", "01", 1)]),
            json!([event("a", "02", 2), event("b", "01", 1), refused]),
            json!([event("a", "02", 2), event("b", "01", 1)]),
        ];
        let mut play = Play::new(resource, &listings).await;
        play.run().await;
        let (rows, complete) = play.run().await;
        assert_eq!(rows, RowCounts { updated: 1, unchanged: 1, rejected: 1, ..counts(3) });
        assert!(complete.reason.ends_with("absent keys stay open, since records were refused"), "{complete:?}");
        let (rows, complete) = play.run().await;
        assert_eq!(rows, RowCounts { unchanged: 2, deleted: 1, retired: 1, ..counts(2) });
        assert!(!complete.reason.contains("absent"), "{complete:?}");
        let version = |mut event: Value, from: &str, to: Option<&str>| {
            event["valid_from"] = json!(format!("2026-11-23T{from}:00:00Z"));
            if let Some(to) = to {
                event["valid_to"] = json!(format!("2026-11-23T{to}:00:00Z"));
            }
            event
        };
        play.assert_rows(json!([
            version(event("a", "01", 1), "13", Some("14")),
            version(event("a", "02", 2), "14", None),
            version(event("b", "01", 1), "13", None),
            version(event("c", "01", 1), "13", Some("15")),
        ]))
        .await;
        let objects: Vec<_> = play.store.list(None).try_collect().await.unwrap();
        let paths: Vec<String> = objects.into_iter().map(|object| object.location.to_string()).collect();
        assert_eq!(paths.iter().any(|path| path.contains("part=2026-11-23")), moves, "{paths:?}");
    }
}

const PRICED: &str = r#"{"type": "object", "properties": {
  "id": {"type": "integer"},
  "day": {"type": "string", "format": "date"},
  "seen": {"type": "string", "format": "date-time"},
  "price": {"type": "number", "x-arrow": "decimal128(18, 2)"},
  "status": {"type": "string", "x-arrow": "dictionary<utf8>"},
  "tags": {"type": "array", "items": {"type": "string"}}
}}"#;

fn priced(id: i64, price: &str, status: &str) -> Value {
    let tags = if id == 2 { Value::Null } else { json!(["x"]) };
    json!({"id": id, "day": format!("2026-11-0{id}"), "seen": "2026-11-01T10:00:00+02:00", "price": price, "status": status, "tags": tags})
}

/// Three listings, two hours apart: row 1 changes, row 3 goes and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn three_readers_see_the_same_history_with_its_types_and_partitions() {
    for (by, transform, current, closed) in [
        ("day", "identity", ["2026-11-01", "2026-11-02", "2026-11-03"], "2026-11-01"),
        ("valid_to", "hour", ["", "", ""], "2026-11-23-12"),
    ] {
        let api = Api::new(Vec::new()).await;
        for (hour, listing) in [
            ("10", json!([priced(1, "0.10", "new"), priced(2, "2.00", "new"), priced(3, "3.00", "new")])),
            ("12", json!([priced(1, "0.30", "old"), priced(2, "2.00", "new")])),
            ("14", json!([priced(1, "0.30", "old"), priced(2, "2.00", "new"), priced(3, "3.00", "new")])),
        ] {
            api.set_pages(vec![listing]);
            let resource = format!(
                "primary_key: id\n    schema: priced.json\n    partition_by: [{{column: {by}, transform: {transform}, name: part}}]\n    \
                 write_disposition: {{disposition: merge, strategy: scd2, boundary_timestamp: \"2026-11-23T{hour}:00:00Z\"}}"
            );
            let ran = api.run(&resource, "", &[("priced.json", PRICED)], &[]).await;
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/read_history.py");
        let mut command = Command::new(python());
        command.arg(script).arg(api.table()).arg("2026-11-23T12:00:00+00:00");
        let ran = output_of(command).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let version = |mut row: Value, from: u32, to: Option<u32>, part: &str| {
            let at = |hour: u32| format!("2026-11-23T{hour}:00:00Z");
            row["seen"] = json!("2026-11-01T08:00:00Z");
            row["valid_from"] = json!(at(from));
            row["valid_to"] = to.map_or(Value::Null, |hour| json!(at(hour)));
            row["part"] = if part.is_empty() { Value::Null } else { json!(part) };
            row
        };
        let gone = if by == "day" { current[2] } else { closed };
        let all = json!([
            version(priced(1, "0.10", "new"), 10, Some(12), closed),
            version(priced(1, "0.30", "old"), 12, None, current[0]),
            version(priced(2, "2.00", "new"), 10, None, current[1]),
            version(priced(3, "3.00", "new"), 10, Some(12), gone),
            version(priced(3, "3.00", "new"), 14, None, current[2]),
        ]);
        let engines: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(engines.as_object().unwrap().len(), 3);
        for (engine, seen) in engines.as_object().unwrap() {
            assert_eq!(seen["all"], all, "{engine}, by {by}");
            // At noon sharp the old versions hold no more.
            assert_eq!((&seen["now"], &seen["then"]), (&json!([1, 2, 3]), &json!([1, 2])), "{engine}, by {by}");
            let mut types = seen["types"].clone();
            types.as_object_mut().unwrap().remove("part");
            let expected = json!({
                "id": "int64", "day": "date32[day]", "seen": "timestamp us UTC", "price": "decimal 18 2", "status": "text",
                "tags": "list of text", "valid_from": "timestamp us UTC", "valid_to": "timestamp us UTC",
            });
            assert_eq!(types, expected, "{engine}, by {by}");
        }
    }
}
