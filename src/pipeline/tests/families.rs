//! Families, and tables of lists: who has a table, in which order they are committed, and what a
//! run that dies in between leaves to the next one.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakefeed_testing::{Death, FaultStore, Fuse};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Value, json};

use super::rows_as_text;
use crate::clock::ManualClock;
use crate::error::Result;
use crate::event::RunEvent;
use crate::lake::Table;
use crate::pipeline::testing::{Api, components, lake, options, pipeline, resource};
use crate::pipeline::{RunOptions, choose, run};
use crate::spec::PipelineSpec;

/// A lake in memory, and a pipeline that fills it.
struct Stage {
    spec: PipelineSpec,
    api: Arc<Api>,
    store: Arc<dyn ObjectStore>,
}

impl Stage {
    fn new(spec: PipelineSpec, api: Arc<Api>) -> Self {
        Self { spec, api, store: Arc::new(InMemory::new()) }
    }

    /// Runs the resources `chosen`, all where there is none, against `store`; `day` is when, so
    /// that leases of the days before are over.
    async fn run_on(&self, store: Arc<dyn ObjectStore>, chosen: &[&str], day: u32) -> (Result<()>, Vec<RunEvent>) {
        let (mut components, heard) = components(&self.api);
        components.clock = Arc::new(ManualClock::new(format!("2026-11-{day:02}T12:00:00Z").parse().unwrap()));
        let chosen: Vec<String> = chosen.iter().map(|name| (*name).to_owned()).collect();
        let chosen = choose(&self.spec, &chosen).unwrap();
        let options = RunOptions { run_id: format!("run-{day}"), ..options() };
        let outcome = run(&self.spec, &chosen, &options, &lake(store), &components).await;
        (outcome, heard.events())
    }

    async fn run(&self, chosen: &[&str]) -> (Result<()>, Vec<RunEvent>) {
        self.run_on(Arc::clone(&self.store), chosen, 1).await
    }

    fn table(&self, name: &str) -> Table {
        lake(Arc::clone(&self.store)).table(name)
    }

    /// The number of a table's last commit, which need not be published.
    async fn commit(&self, table: &str) -> u64 {
        self.table(table).snapshot().await.unwrap().version
    }

    /// The rows of a table as text, in order.
    async fn rows(&self, table: &str) -> Vec<String> {
        let table = self.table(table);
        let snapshot = table.snapshot().await.unwrap();
        let batches = table.first_rows(&snapshot, usize::MAX).await.unwrap();
        let mut rows: Vec<String> = batches.iter().flat_map(rows_as_text).collect();
        rows.sort();
        rows
    }
}

/// Two parents with three records, in tables of their own.
fn family(more: &Value) -> Stage {
    let mut comments = resource("comments", more.clone());
    comments["endpoint"]["path"] = json!("posts/{resources.posts.id}/comments");
    let spec = pipeline(&json!([resource("posts", more.clone()), comments]), &json!({}));
    let api = Api::of(&[
        ("/posts", json!([{"id": 1}, {"id": 2}])),
        ("/posts/1/comments", json!([{"id": 10}, {"id": 11}])),
        ("/posts/2/comments", json!([{"id": 20}])),
    ]);
    Stage::new(spec, api)
}

/// Records with a list each, which is a table of its own.
fn lists(more: &Value) -> Stage {
    let mut orders = resource("orders", more.clone());
    orders["nested"] = json!("child_tables");
    let spec = pipeline(&json!([orders]), &json!({}));
    let records =
        json!([{"id": 1, "items": [{"n": 1}, {"n": 2}]}, {"id": 2, "items": [{"n": 3}]}, {"id": 3, "items": []}]);
    Stage::new(spec, Api::of(&[("/orders", records)]))
}

fn committed(events: &[RunEvent]) -> Vec<&str> {
    let names = events.iter().filter_map(|event| match event {
        RunEvent::Committed { resource, .. } => Some(resource.as_str()),
        _ => None,
    });
    names.collect()
}

/// How each resource that failed has ended.
fn failures(events: &[RunEvent]) -> BTreeMap<&str, &str> {
    let failed = events.iter().filter_map(|event| match event {
        RunEvent::ResourceFinished { resource, error: Some(error), .. } => {
            Some((resource.as_str(), error.message.as_str()))
        }
        _ => None,
    });
    failed.collect()
}

#[tokio::test]
async fn a_table_is_theirs_who_are_wanted_and_parents_are_read_for_their_children() {
    for (chosen, expected, asked) in [
        (&[][..], &["comments", "posts"][..], 3),
        (&["posts", "comments"], &["comments", "posts"], 3),
        (&["comments"], &["comments"], 3),
        (&["posts"], &["posts"], 1),
    ] {
        let stage = family(&json!({}));
        let (outcome, events) = stage.run(chosen).await;
        outcome.unwrap();
        assert_eq!(committed(&events), expected, "{chosen:?}");
        assert_eq!(stage.api.asked().len(), asked, "{chosen:?}");
        for table in ["posts", "comments"] {
            let is_there = expected.contains(&table);
            assert_eq!(stage.commit(table).await, u64::from(is_there), "{chosen:?}: {table}");
            assert_eq!(stage.rows(table).await.is_empty(), !is_there, "{chosen:?}: {table}");
        }
    }
}

#[tokio::test]
async fn a_resource_that_fails_keeps_those_that_it_depends_on_uncommitted() {
    let api = Api::of(&[("/posts", json!([{"id": 1}, {"id": 2}])), ("/posts/1/comments", json!([{"id": 10}]))]);
    let stage = Stage { api, ..family(&json!({})) };
    let (outcome, events) = stage.run(&[]).await;
    assert!(outcome.unwrap_err().message().contains("answered 404"));
    let failures = failures(&events);
    assert!(failures["comments"].contains("answered 404"), "{failures:?}");
    assert!(failures["posts"].contains("since a resource that depends on it failed"), "{failures:?}");
    assert_eq!(committed(&events), Vec::<&str>::new());
    for table in ["posts", "comments"] {
        assert_eq!(stage.commit(table).await, 0, "{table}");
    }
}

/// Kills a run of `stage` at every change that it makes to the store, and runs it again. Whoever is
/// `above` is committed only after `below`. Merged tables become as in a run that nobody disturbs;
/// of appended ones the second run knows whether the first one was committed.
async fn walk(stage_of: impl Fn() -> Stage, [above, below]: [&str; 2], merges: bool, death: Death) {
    let undisturbed = stage_of();
    undisturbed.run(&[]).await.0.unwrap();
    let (above_rows, below_rows) = (undisturbed.rows(above).await, undisturbed.rows(below).await);
    let (mut saw_half, mut saw_whole) = (false, false);
    for fatal in 0.. {
        let stage = stage_of();
        let fuse = Fuse::new(fatal, death);
        let dying: Arc<dyn ObjectStore> = Arc::new(FaultStore::new(Arc::clone(&stage.store), Arc::clone(&fuse)));
        let outcome = stage.run_on(dying, &[], 1).await.0;
        if !fuse.is_dead() {
            outcome.unwrap();
            assert!(fatal > 10 && saw_half && saw_whole, "{fatal} changes, half {saw_half}, whole {saw_whole}");
            return;
        }
        let commits = (stage.commit(above).await, stage.commit(below).await);
        assert!(commits.0 <= commits.1, "change {fatal}: {above} was committed before {below}");
        saw_half |= commits == (0, 1);
        saw_whole |= commits == (1, 1);
        stage.run_on(Arc::clone(&stage.store), &[], 2).await.0.unwrap();
        for (table, rows) in [(above, &above_rows), (below, &below_rows)] {
            let found = stage.rows(table).await;
            if merges {
                assert_eq!(&found, rows, "change {fatal} {death:?}: {table}");
            } else {
                let times = 1 + usize::try_from(commits.0).unwrap();
                assert_eq!(found.len(), rows.len() * times, "change {fatal} {death:?}: {table}: {found:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_family_that_dies_at_any_change_is_whole_after_the_next_run() {
    let merged = json!({"write_disposition": "merge", "primary_key": "id"});
    for death in [Death::BeforeEffect, Death::AfterEffect] {
        walk(|| family(&merged), ["posts", "comments"], true, death).await;
    }
}

#[tokio::test]
async fn tables_of_lists_that_die_at_any_change_are_whole_after_the_next_run() {
    let merged = json!({"write_disposition": "merge", "primary_key": "id"});
    for death in [Death::BeforeEffect, Death::AfterEffect] {
        walk(|| lists(&merged), ["orders", "orders__items"], true, death).await;
        walk(|| lists(&json!({"primary_key": "id"})), ["orders", "orders__items"], false, death).await;
    }
}

/// What is taken from the parent is a field like any other: to a cursor, a key and a delete.
#[tokio::test]
async fn cursors_keys_and_deletes_see_fields_of_the_parent() {
    let mut child = resource(
        "c",
        json!({
            "write_disposition": "merge", "primary_key": ["_p_id", "n"],
            "include_from_parent": ["id", "at", "gone"], "columns": {"_p_gone": {"hard_delete": true}},
        }),
    );
    child["endpoint"]["path"] = json!("p/{resources.p.id}/c");
    child["endpoint"]["incremental"] = json!({"cursor_path": "_p_at"});
    let spec = pipeline(&json!([resource("p", json!({"selected": false})), child]), &json!({}));
    let parents = json!([{"id": 1, "at": 10, "gone": false}, {"id": 2, "at": 20, "gone": false}]);
    let records = json!([{"n": 7}, {"n": 8}]);
    let api = Api::of(&[("/p", parents), ("/p/1/c", records.clone()), ("/p/2/c", records)]);
    let stage = Stage::new(spec, api);
    stage.run(&[]).await.0.unwrap();
    let first = ["[7, 1, 10, false]", "[7, 2, 20, false]", "[8, 1, 10, false]", "[8, 2, 20, false]"];
    assert_eq!(stage.rows("c").await, first);
    // An old parent, one that is deleted, and a new one.
    let parents = json!([
        {"id": 1, "at": 10, "gone": false}, {"id": 2, "at": 21, "gone": true}, {"id": 3, "at": 30, "gone": null}
    ]);
    let of = |id: u32| (format!("/p/{id}/c"), json!([{"n": 7}, {"n": 9}]));
    let later = [("/p".to_owned(), parents), of(1), of(2), of(3)];
    let later: Vec<_> = later.iter().map(|(address, body)| (address.as_str(), body.clone())).collect();
    let stage = Stage { api: Api::of(&later), ..stage };
    stage.run_on(Arc::clone(&stage.store), &[], 2).await.0.unwrap();
    // Of the old parent nothing is read, (2, 7) is deleted, and (2, 9) never was there.
    let then = ["[7, 1, 10, false]", "[7, 3, 30, null]", "[8, 1, 10, false]", "[8, 2, 20, false]", "[9, 3, 30, null]"];
    assert_eq!(stage.rows("c").await, then);
}
