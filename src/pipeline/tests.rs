//! Readings without a table, from the API to the last item.

mod families;
mod slices;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt as _;
use object_store::memory::InMemory;
use serde_json::{Value, json};

use super::testing::{Api, components, lake, options, pipeline, resource};
use super::{Components, ReadItem, RunOptions, Start, read_batches, run};
use crate::checkpoint::{Backfill, Checkpoint};
use crate::error::ErrorKind;
use crate::event::RunEvent;
use crate::spec::PipelineSpec;

/// Items as text: schemas as `name type, …`, rows as `[a, b]`, rejects as `code path`.
fn told(item: &ReadItem) -> Vec<String> {
    match item {
        ReadItem::Schema(schema) => {
            let fields = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
            vec![fields.collect::<Vec<_>>().join(", ")]
        }
        ReadItem::Rows(rows) => rows_as_text(rows),
        ReadItem::Rejects(rejects) => {
            rejects.iter().map(|reject| format!("{:?} {}", reject.code, reject.path)).collect()
        }
        ReadItem::Nulled(nulled) => nulled.iter().map(|reject| format!("null at {}", reject.path)).collect(),
    }
}

/// Each row as `[a, b]`.
fn rows_as_text(rows: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let columns = rows.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
    let columns: Vec<_> = columns.collect();
    let cells = |row| columns.iter().map(move |column| column.value(row).to_string()).collect::<Vec<_>>();
    (0..rows.num_rows()).map(|row| format!("{:?}", cells(row)).replace('"', "")).collect()
}

/// All items of a reading as text, and its checkpoint.
async fn read_all(
    spec: &PipelineSpec,
    name: &str,
    options: RunOptions,
    components: Components,
) -> (Vec<String>, Checkpoint) {
    let mut stream = read_batches(Arc::new(spec.clone()), name, options, components).unwrap();
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.extend(told(&item.unwrap()));
    }
    let checkpoint = stream.checkpoint().unwrap().clone();
    (items, checkpoint)
}

fn pages(bodies: &[Value]) -> Arc<Api> {
    let bodies = bodies.to_vec();
    Api::new(move |asked| {
        let page: usize = asked.split_once("page=").map_or(0, |(_, page)| page.parse().unwrap());
        Some(bodies.get(page).unwrap_or(&json!([])).to_string())
    })
}

fn paged(more: Value) -> Value {
    let mut paged = resource("e", more);
    paged["endpoint"]["paginator"] = json!({"type": "page_number", "total_path": null});
    paged
}

#[tokio::test]
async fn a_schema_comes_before_the_rows_that_it_is_of() {
    // Beyond what is sampled, so that it is not known before.
    let mut bodies: Vec<Value> = (0..100).map(|id| json!([{"id": id}])).collect();
    let exact = bodies.len();
    for (more, schemas) in [
        (json!([]), vec!["id Int64"]),
        (json!([{"id": 1.5}]), vec!["id Int64", "id Float64"]),
        (json!([{"id": 7, "name": "x"}]), vec!["id Int64", "id Int64, name Utf8"]),
        (json!([{"id": 7, "name": "x"}, {"id": 0.5}]), vec!["id Int64", "id Float64, name Utf8"]),
        (json!([{"id": {"a": 1}}]), vec!["id Int64"]),
    ] {
        bodies.truncate(exact);
        bodies.push(more.clone());
        let spec = pipeline(&json!([paged(json!({}))]), &json!({"batch_rows": 1000}));
        let (items, checkpoint) = read_all(&spec, "e", options(), components(&pages(&bodies)).0).await;
        let told: Vec<&String> = items.iter().filter(|item| item.starts_with("id ")).collect();
        assert_eq!(told, schemas, "{more}");
        assert_eq!(items.first(), Some(&"id Int64".to_owned()));
        assert_eq!(checkpoint, Checkpoint::full_listing("e"));
    }
}

#[tokio::test]
async fn an_integer_that_no_double_is_keeps_its_column_from_becoming_one() {
    let exact: Vec<Value> = (0..100).map(|id| json!([{"n": {"list": [id]}}])).collect();
    for (integer, expected) in [(1_i64 << 53, true), ((1 << 53) + 1, false), (-(1 << 53) - 1, false), (i64::MAX, false)]
    {
        let mut bodies = exact.clone();
        bodies.push(json!([{"n": {"list": [1, integer]}}]));
        bodies.push(json!([{"n": {"list": [0.5]}}]));
        let spec = pipeline(&json!([paged(json!({}))]), &json!({"batch_rows": 1}));
        let (items, _) = read_all(&spec, "e", options(), components(&pages(&bodies)).0).await;
        assert_eq!(items.iter().any(|item| item.contains("Float64")), expected, "{integer}");
        let kept = items.iter().any(|item| item.contains(&format!("[1, {integer}]")));
        assert!(kept, "{integer}: {:?}", items.last());
    }
}

#[tokio::test]
async fn what_does_not_fit_is_an_item_too() {
    let columns =
        resource("e", json!({"columns": {"n": {"data_type": "bigint", "nullable": true, "x-on-error": "null"}}}));
    let spec = pipeline(&json!([columns]), &json!({}));
    let api = Api::of(&[("/e", json!([{"n": 1}, 7, {"n": "x"}]))]);
    let (items, _) = read_all(&spec, "e", options(), components(&api).0).await;
    assert_eq!(items, ["n Int64", "NotAnObject $", "null at $.n", "[1]", "[null]"]);
}

#[tokio::test]
async fn records_of_the_parents_come_first_and_are_no_rows() {
    let parents = resource("p", json!({}));
    let mut child = resource("c", json!({"include_from_parent": ["id"]}));
    child["endpoint"]["path"] = json!("p/{resources.p.id}/c");
    let spec = pipeline(&json!([parents, child]), &json!({}));
    let api = Api::of(&[
        ("/p", json!([{"id": 1}, {"id": 2}, {"id": 3}])),
        ("/p/1/c", json!([{"x": "a"}])),
        ("/p/2/c", json!([])),
        ("/p/3/c", json!([{"x": "b"}, {"x": "c"}])),
    ]);
    let (items, checkpoint) = read_all(&spec, "c", options(), components(&api).0).await;
    assert_eq!(items, ["x Utf8, _p_id Int64", "[a, 1]", "[b, 3]", "[c, 3]"]);
    assert_eq!(checkpoint, Checkpoint::full_listing("c"));
}

#[tokio::test]
async fn steps_see_fields_of_the_parent_which_count_more_than_those_of_the_record() {
    for (steps, expected) in [
        (json!([]), vec!["x Utf8, _p_id Int64", "[a, 1]", "[b, 3]", "[c, 3]"]),
        (json!([{"filter": "record._p_id == 3"}]), vec!["x Utf8, _p_id Int64", "[b, 3]", "[c, 3]"]),
        (
            json!([{"map": {"y": "record._p_id + record._p_id"}}]),
            vec!["x Utf8, _p_id Int64, y Int64", "[a, 1, 2]", "[b, 3, 6]", "[c, 3, 6]"],
        ),
    ] {
        let mut child = resource("c", json!({"include_from_parent": ["id"], "processing_steps": steps}));
        child["endpoint"]["path"] = json!("p/{resources.p.id}/c");
        let spec = pipeline(&json!([resource("p", json!({})), child]), &json!({}));
        let api = Api::of(&[
            ("/p", json!([{"id": 1}, {"id": 3}])),
            ("/p/1/c", json!([{"x": "a"}])),
            ("/p/3/c", json!([{"x": "b", "_p_id": 7}, {"x": "c", "_p_id": null}])),
        ]);
        let (items, _) = read_all(&spec, "c", options(), components(&api).0).await;
        assert_eq!(items, expected, "{steps}");
    }
}

#[tokio::test]
async fn a_reading_goes_on_from_its_checkpoint() {
    let incremental = json!({"cursor_path": "at", "initial_value": "2026-11-01"});
    let events = json!({"endpoint": {"params": {"since": "{incremental.start_value}"}, "incremental": incremental}});
    let spec = pipeline(&json!([resource("e", events)]), &json!({}));
    let api = Api::of(&[
        ("/e?since=2026-11-01", json!([{"id": 1, "at": "2026-11-02"}, {"id": 2, "at": "2026-11-05"}])),
        ("/e?since=2026-11-05", json!([{"id": 2, "at": "2026-11-05"}, {"id": 3, "at": "2026-11-06"}])),
        ("/e?since=2026-11-06", json!([])),
    ]);
    let mut checkpoints = BTreeMap::new();
    for expected in [
        &["id Int64, at Date32", "[1, 2026-11-02]", "[2, 2026-11-05]"][..],
        &["id Int64, at Date32", "[3, 2026-11-06]"],
        &[],
    ] {
        let start = Start { now: "2026-11-23T00:00:00Z".parse().unwrap(), checkpoints: checkpoints.clone() };
        let options = RunOptions { start: Some(start), ..options() };
        let (items, checkpoint) = read_all(&spec, "e", options, components(&api).0).await;
        assert_eq!(items, expected);
        checkpoints.insert("e".to_owned(), checkpoint);
    }
}

/// A day a window: the stream is one, whatever the windows are, and its checkpoint is the end of
/// the last one.
#[tokio::test]
async fn windows_are_one_stream() {
    let incremental = json!({"cursor_path": "at", "initial_value": "2026-11-20", "step": "1d"});
    let params = json!({"from": "{incremental.start_value}", "to": "{incremental.end_value}"});
    let events = json!({"endpoint": {"params": params, "incremental": incremental}});
    let spec = pipeline(&json!([resource("e", events)]), &json!({}));
    let api = Api::new(|asked| Some(json!([{"at": asked.split_once("from=")?.1.split_once('&')?.0}]).to_string()));
    let (items, checkpoint) = read_all(&spec, "e", options(), components(&api).0).await;
    assert_eq!(items, ["at Date32", "[2026-11-20]", "[2026-11-21]", "[2026-11-22]"]);
    assert_eq!(checkpoint.cursor_state().unwrap().last_value.as_str(), "2026-11-23");
}

#[tokio::test]
async fn a_failure_ends_the_stream_and_there_is_no_checkpoint() {
    let spec = Arc::new(pipeline(&json!([paged(json!({"schema_contract": "freeze"}))]), &json!({"batch_rows": 1})));
    let api = Api::new(|asked| match asked.split_once("page=")?.1 {
        "0" => Some("[{\"id\":1}]".to_owned()),
        "1" => Some("[{\"id\":2}]".to_owned()),
        _ => None,
    });
    let (components, heard) = components(&api);
    let mut stream = read_batches(spec, "e", options(), components).unwrap();
    let error = loop {
        if let Err(error) = stream.next().await.unwrap() {
            break error;
        }
    };
    assert!(error.message().contains("answered 404"), "{error}");
    assert!(stream.next().await.is_none());
    assert_eq!(stream.checkpoint(), None);
    let last = heard.events().pop();
    assert!(matches!(last, Some(RunEvent::ResourceFinished { error: Some(_), .. })), "{last:?}");
}

#[tokio::test]
async fn nothing_is_asked_for_that_nobody_takes() {
    let spec = Arc::new(pipeline(
        &json!([paged(json!({"columns": {"id": {"data_type": "bigint"}}}))]),
        &json!({"batch_rows": 1}),
    ));
    let api = Api::new(|asked| Some(format!("[{{\"id\":{}}}]", asked.split_once("page=")?.1)));
    let mut stream = read_batches(spec, "e", options(), components(&api).0).unwrap();
    for _ in 0..5 {
        stream.next().await.unwrap().unwrap();
    }
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let asked = api.asked().len();
    drop(stream);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    // What is sampled, what waits, and what is fetched ahead.
    assert_eq!((asked < 130, api.asked().len()), (true, asked), "{asked} pages");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_at_once() {
    let spec = Arc::new(pipeline(&json!([resource("e", json!({}))]), &json!({})));
    let api = Api::of(&[]);
    let ranged = RunOptions { backfill: Some(Backfill::default()), ..options() };
    for (name, options, expected) in [("x", options(), "has no resource \"x\""), ("e", ranged, "have no cursor")] {
        let error = read_batches(Arc::clone(&spec), name, options, components(&api).0).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[test]
fn outside_of_a_runtime_a_reading_is_an_error_and_no_panic() {
    let spec = Arc::new(pipeline(&json!([resource("e", json!({}))]), &json!({})));
    let error = read_batches(spec, "e", options(), components(&Api::of(&[])).0).unwrap_err();
    assert!(error.message().contains("Tokio runtime"), "{error}");
}

/// A panic is a defect of one resource: the others are run, and nothing of it is committed.
#[tokio::test]
async fn a_panic_fails_its_resource_and_is_reported() {
    let api =
        || Api::new(|asked| if asked == "/a" { panic!("of the test") } else { Some(json!([{"id": 1}]).to_string()) });
    let spec = pipeline(&json!([resource("a", json!({})), resource("b", json!({}))]), &json!({}));
    let lake = lake(Arc::new(InMemory::new()));
    let (components, heard) = components(&api());
    let all: Vec<_> = spec.resources.iter().collect();
    let error = run(&spec, &all, &options(), &lake, &components).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Defect, "lakefeed panicked: of the test"));
    let committed = heard.events().into_iter().filter_map(|event| match event {
        RunEvent::Committed { resource, rows, .. } => Some((resource, rows.inserted)),
        _ => None,
    });
    assert_eq!(committed.collect::<Vec<_>>(), [("b".to_owned(), 1)]);

    let mut stream = read_batches(Arc::new(spec), "a", options(), self::components(&api()).0).unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Defect, "lakefeed panicked: of the test"));
    assert!(stream.next().await.is_none() && stream.checkpoint().is_none());
}
