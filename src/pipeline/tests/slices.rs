//! Slices side by side: the result does not depend on how many there are at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use lakefeed_testing::{Answer, ScriptedTransport, answer};
use serde_json::json;

use super::read_all;
use crate::pipeline::testing::{Api, components, options, pipeline, resource};

const PARENTS: usize = 30;

/// How many requests are under way, and the greatest number that ever were.
#[derive(Debug, Default)]
struct UnderWay {
    now: AtomicUsize,
    most: AtomicUsize,
    asked: AtomicUsize,
}

/// An API whose answers come the later, the earlier they were asked for.
async fn slow(request: http::Request<Bytes>, under_way: Arc<UnderWay>) -> Answer {
    let now = under_way.now.fetch_add(1, Ordering::SeqCst) + 1;
    under_way.most.fetch_max(now, Ordering::SeqCst);
    let turn = under_way.asked.fetch_add(1, Ordering::SeqCst);
    for _ in 0..(PARENTS * 4).saturating_sub(turn * 4) {
        tokio::task::yield_now().await;
    }
    under_way.now.fetch_sub(1, Ordering::SeqCst);
    match request.uri().path().split('/').collect::<Vec<_>>().as_slice() {
        [_, "p"] => answer::json(&(0..PARENTS).map(|id| json!({"id": id})).collect()),
        // A slice of two pages, one of one, and an empty one.
        [_, "p", id, "c"] => {
            let id: usize = id.parse().unwrap();
            let page = answer::parameter(&request, "page").map_or(0, |page| page.parse().unwrap());
            answer::json(&(page..id % 3).take(1).map(|page| json!({"n": id * 10 + page})).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rows_come_in_the_order_of_the_parents_however_many_are_asked_for_at_once() {
    let mut expected = vec!["n Int64".to_owned()];
    expected.extend((0..PARENTS).flat_map(|id| (0..id % 3).map(move |page| format!("[{}]", id * 10 + page))));
    for concurrency in [1, 2, 7, 64] {
        let mut child = resource("c", json!({}));
        child["endpoint"]["path"] = json!("p/{resources.p.id}/c");
        child["endpoint"]["paginator"] = json!({"type": "page_number", "total_path": null});
        let mut spec = pipeline(&json!([resource("p", json!({})), child]), &json!({}));
        spec.client.concurrency = concurrency;
        let under_way = Arc::new(UnderWay::default());
        let (mut components, _) = components(&Api::of(&[]));
        let seen = Arc::clone(&under_way);
        components.transport = Arc::new(ScriptedTransport::new(move |request| slow(request, Arc::clone(&seen))));
        let (items, _) = read_all(&spec, "c", options(), components).await;
        assert_eq!(items, expected, "{concurrency} at once");
        let most = under_way.most.load(Ordering::SeqCst);
        assert!(most <= concurrency && (concurrency < 7 || most > 3), "{most} of {concurrency}");
    }
}

/// However many there are in a row: leaving one must not cost any of the stack.
#[tokio::test]
async fn slices_without_a_page_are_passed_over() {
    const PARENTS: usize = 20_000;
    let mut child = resource("c", json!({}));
    child["endpoint"]["path"] = json!("p/{resources.p.id}/c");
    child["endpoint"]["response_actions"] = json!([{"status_code": 404, "action": "ignore"}]);
    let mut spec = pipeline(&json!([resource("p", json!({})), child]), &json!({}));
    spec.client.concurrency = 16;
    let api = Api::new(|asked| match asked {
        "/p" => Some(json!((0..PARENTS).map(|id| json!({"id": id})).collect::<Vec<_>>()).to_string()),
        "/p/19999/c" => Some(json!([{"n": 7}]).to_string()),
        _ => None,
    });
    let (components, _) = components(&api);
    let (items, _) = read_all(&spec, "c", options(), components).await;
    assert_eq!(items, ["n Int64", "[7]"]);
    assert_eq!(api.asked().len(), 1 + PARENTS);
}
