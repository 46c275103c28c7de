//! Slices side by side: the result does not depend on how many there are at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;

use super::read_all;
use crate::client::{SendLimits, Transport, TransportError};
use crate::pipeline::testing::{components, options, pipeline, resource};

const PARENTS: usize = 30;

/// An API whose answers come the later, the earlier they were asked for.
#[derive(Debug, Default)]
struct Slow {
    under_way: AtomicUsize,
    /// The greatest number of requests that were under way at once.
    most: AtomicUsize,
    asked: AtomicUsize,
}

#[async_trait]
impl Transport for Slow {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        for _ in 0..(PARENTS * 4).saturating_sub(turn * 4) {
            tokio::task::yield_now().await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let parts: Vec<&str> = request.uri().path().split('/').collect();
        let body = match parts.as_slice() {
            [_, "p"] => json!((0..PARENTS).map(|id| json!({"id": id})).collect::<Vec<_>>()),
            // A slice of two pages, one of one, and an empty one.
            [_, "p", id, "c"] => {
                let id: usize = id.parse().unwrap();
                let page = request.uri().query().map_or(0, |query| query.replace("page=", "").parse().unwrap());
                let records = if page < id % 3 { vec![json!({"n": id * 10 + page})] } else { Vec::new() };
                json!(records)
            }
            other => panic!("{other:?}"),
        };
        Ok(http::Response::new(body.to_string().into()))
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
        let api = Arc::new(Slow::default());
        let (mut components, _) = components(&crate::pipeline::testing::Api::of(&[]));
        components.transport = Arc::<Slow>::clone(&api);
        let (items, _) = read_all(&spec, "c", options(), components).await;
        assert_eq!(items, expected, "{concurrency} at once");
        let most = api.most.load(Ordering::SeqCst);
        assert!(most <= concurrency && (concurrency < 7 || most > 3), "{most} of {concurrency}");
    }
}
