//! The fold by example, the text that people read, and that the committed JSON Schema is fresh.

use std::sync::Arc;
use std::time::Duration;

use super::{ReportBuilder, RunReport, Status, json_schema, render_text};
use crate::checkpoint::Checkpoint;
use crate::clock::ManualClock;
use crate::error::Error;
use crate::event::{
    Completeness, ErrorFacts, FileChange, FileChangeKind, Observer as _, Retry, RowCounts, RunEvent, Verdict,
};
use crate::spec::WriteDisposition;

fn resource() -> String {
    "calendar_events".to_owned()
}

fn started() -> RunEvent {
    RunEvent::ResourceStarted {
        resource: resource(),
        table: "./lake/calendar_events".to_owned(),
        disposition: WriteDisposition::Merge,
    }
}

fn page(records: u64) -> RunEvent {
    RunEvent::PageRead { resource: resource(), page: 0, records, rejected: 1, bytes: 20_000, total: Some(1_234) }
}

fn committed() -> RunEvent {
    let rows = RowCounts {
        read: 1_234,
        written: 1_300,
        inserted: 1_200,
        updated: 30,
        moved: 4,
        rejected: 3,
        duplicate: 1,
        ..RowCounts::default()
    };
    let file = |path: &str, change, bytes| FileChange { path: path.to_owned(), change, rows: 650, bytes };
    let files = vec![
        file("start_time_day=2026-11-23/part-00000.parquet", FileChangeKind::Replaced, 40_000),
        file("start_time_day=2026-11-24/part-00000.parquet", FileChangeKind::Added, 2_000_000),
    ];
    RunEvent::Committed {
        resource: resource(),
        commit: 7,
        rows,
        files,
        checkpoint: Checkpoint::full_listing(resource()),
    }
}

fn report(events: &[RunEvent], error: Option<&Error>) -> RunReport {
    let clock = Arc::new(ManualClock::new(chrono::DateTime::from_timestamp(1_795_392_000, 0).unwrap()));
    let builder = ReportBuilder::new("run-1", "calendar", Arc::<ManualClock>::clone(&clock));
    for event in events {
        builder.observe(event);
    }
    clock.advance(Duration::from_millis(1_500));
    builder.finish(error)
}

fn good_run() -> RunReport {
    let retry = Retry { status: Some(429), wait_seconds: 2.0, reason: "status 429".to_owned() };
    let complete =
        Completeness { verdict: Verdict::True, reason: "all 1234 records of the stated total were read".to_owned() };
    report(
        &[
            started(),
            RunEvent::RequestSent { resource: resource() },
            RunEvent::RetryScheduled { resource: resource(), retry },
            RunEvent::RequestSent { resource: resource() },
            page(1_234),
            RunEvent::ListingEnded { resource: resource(), stop_reason: "total_reached".to_owned(), complete },
            committed(),
            RunEvent::ResourceFinished { resource: resource(), elapsed: Duration::from_millis(1_400), error: None },
        ],
        None,
    )
}

#[test]
fn events_fold_into_counts() {
    let report = good_run();
    let resource = &report.resources[0];
    assert_eq!((report.status, report.exit_code, report.seconds), (Status::Ok, 0, 1.5));
    assert_eq!((resource.pages, resource.requests, resource.retry_count), (1, 2, 1));
    assert_eq!((resource.bytes.read, resource.bytes.written), (20_000, 2_040_000));
    assert_eq!((resource.commit, resource.rows.moved), (Some(7), 4));
    let text = report.to_json();
    assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), report);
}

/// A run over windows commits one after the other, and reads the next one in between.
#[test]
fn commits_of_one_run_add_up() {
    let file = |path: &str, change, bytes| FileChange { path: path.to_owned(), change, rows: 1, bytes };
    let commit = |commit, inserted, files| RunEvent::Committed {
        resource: resource(),
        commit,
        rows: RowCounts { read: 10, inserted, rejected: 1, ..RowCounts::default() },
        files,
        checkpoint: Checkpoint::full_listing(resource()),
    };
    let windows = [
        started(),
        page(10),
        commit(3, 9, vec![file("a", FileChangeKind::Added, 5), file("b", FileChangeKind::Removed, 0)]),
        page(10),
        commit(
            4,
            7,
            vec![
                file("a", FileChangeKind::Replaced, 8),
                file("b", FileChangeKind::Added, 2),
                file("c", FileChangeKind::Added, 1),
            ],
        ),
        page(4),
    ];
    let of = |events: &[RunEvent]| report(events, None).resources.remove(0);
    let committed = of(&windows[..5]);
    assert_eq!((committed.rows.read, committed.rows.inserted, committed.rows.rejected), (20, 16, 2));
    assert_eq!((committed.commit, committed.bytes.written), (Some(4), 16));
    let files = [
        file("a", FileChangeKind::Added, 8),
        file("b", FileChangeKind::Replaced, 2),
        file("c", FileChangeKind::Added, 1),
    ];
    assert_eq!(committed.files, files);
    // What a third window has read so far comes on top, and is forgotten when it is read again.
    assert_eq!(of(&windows).rows.read, 24);
    let again = [&windows[..], &[RunEvent::StartedAgain { resource: resource(), reason: String::new() }]].concat();
    assert_eq!(of(&again).rows.read, 20);
}

#[test]
fn a_good_run_reads_well() {
    insta::assert_snapshot!(render_text(&good_run()), @r"
    calendar_events → ./lake/calendar_events: commit 7
      read      1,234 records in 1 pages, 19.5 KiB, 1.4 s
      rows      1,200 inserted, 30 updated (4 of them moved), 0 unchanged, 0 deleted
      files     2 changed, 1.9 MiB written
      aside     3 rejected, 1 duplicate
                `lakefeed table rejects ./lake calendar_events --run run-1` shows them
      retries   1
      listing   complete: all 1234 records of the stated total were read (total_reached)
    ");
}

#[test]
fn a_failed_run_says_that_the_table_is_as_it_was() {
    let error = Error::source_failed("GET https://api.example/v1/events answered 500").with_hint("run again later");
    let events = [
        started(),
        page(100),
        RunEvent::ResourceFinished {
            resource: resource(),
            elapsed: Duration::from_secs(3),
            error: Some(ErrorFacts::from(&error)),
        },
    ];
    let report = report(&events, Some(&error));
    assert_eq!((report.status, report.exit_code), (Status::Failed, 4));
    let complete = report.resources[0].complete.as_ref().unwrap();
    assert_eq!((complete.verdict, complete.reason.as_str()), (Verdict::False, "the listing was not read to its end"));
    insta::assert_snapshot!(render_text(&report), @r"
    calendar_events → ./lake/calendar_events: failed, the table is as it was
      read      100 records in 1 pages, 19.5 KiB, 3.0 s
      aside     1 rejected, 0 duplicate
    ");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test itself writes the committed file when it is asked to")]
fn the_committed_json_schema_is_fresh() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/generated/run-report.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, json_schema()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == json_schema(), "rewrite {} with UPDATE_SCHEMAS=1 cargo test --lib", path.display());
}

#[test]
fn a_child_table_has_items_and_no_pages() {
    let text = render_text(&report(&[started(), committed()], None));
    assert!(text.contains("  read      1,234 items of lists, 0.0 s"), "{text}");
}
