//! Listings over an API that answers from a function of the offset.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::testing::{asked, client, endpoint, parameter};
use super::*;
use crate::client::{SendLimits, Transport, TransportError};
use crate::paginate::{Content, Lookup, PageMeta, Scalar, StopReason};
use crate::spec::{BodySpec, EndpointSpec, EndpointUrl, Method, OffsetSpec, PaginationSpec, Placement, Template};
use lakefeed_model::clock::ManualClock;
use lakefeed_model::error::{ErrorKind, Result};
use lakefeed_model::event::Verdict;
use lakefeed_model::spec::{JsonPath, Limits};

/// What the API holds at an offset: the numbers of the records, and the rest of the page.
type Answer = fn(u64) -> (std::ops::Range<u64>, Value);

struct Api {
    answer: Answer,
    seen: Mutex<Vec<http::Request<Bytes>>>,
    clock: Arc<ManualClock>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

#[async_trait]
impl Transport for Api {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (records, mut page) = (self.answer)(parameter(&request, "offset").unwrap_or(0));
        self.seen.lock().unwrap().push(request);
        self.clock.advance(Duration::from_secs(10));
        page["items"] = records.collect();
        Ok(http::Response::builder().header("content-type", "application/json").body(page.to_string().into()).unwrap())
    }
}

fn offset(limit: u64) -> OffsetSpec {
    OffsetSpec {
        base_offset: Some(0),
        total_is_required: false,
        limit,
        offset: 0,
        offset_in: Placement::Query("offset".to_owned()),
        limit_in: Placement::Query("limit".to_owned()),
        total_path: Some(JsonPath::keys(["total"])),
        maximum_offset: None,
        stop_after_empty_page: true,
        has_more_path: None,
    }
}

fn without_total(limit: u64) -> OffsetSpec {
    OffsetSpec { total_path: None, ..offset(limit) }
}

fn fixed(url: &str) -> EndpointUrl {
    EndpointUrl::Fixed(Url::parse(url).unwrap())
}

struct Stage {
    api: Arc<Api>,
    listing: Listing,
    records: Vec<u64>,
    places: Vec<String>,
}

fn stage(endpoint: &EndpointSpec, limits: &Limits, answer: Answer) -> Stage {
    let clock = Arc::new(ManualClock::new(chrono::DateTime::from_timestamp(1_795_392_000, 0).unwrap()));
    let api = Arc::new(Api { answer, seen: Mutex::default(), clock: Arc::clone(&clock) });
    let transport: Arc<dyn Transport> = Arc::<Api>::clone(&api);
    let client = client(transport, Arc::clone(&clock), limits, 1, &[StatusCode::SERVICE_UNAVAILABLE], 0);
    let listing = Listing::new(asked(endpoint), render(endpoint, Bindings::default()).unwrap(), limits, client, clock);
    Stage { api, listing, records: Vec::new(), places: Vec::new() }
}

impl Stage {
    /// Reads to the end as the pipeline does: decode, accept, go on.
    async fn read(mut self) -> (Vec<u64>, Vec<String>, Result<ListingOutcome>) {
        loop {
            match self.listing.next_page().await {
                Err(error) => return (self.records, self.places, Err(error)),
                Ok(None) => return (self.records, self.places, self.listing.finish()),
                Ok(Some(page)) => {
                    let meta = self.decode(&page);
                    if let Err(error) = self.listing.accept(&meta) {
                        return (self.records, self.places, Err(error));
                    }
                }
            }
        }
    }

    fn decode(&mut self, page: &Page) -> PageMeta {
        let body: Value = serde_json::from_slice(&page.body).unwrap();
        let items: Vec<u64> = serde_json::from_value(body["items"].clone()).unwrap();
        self.records.extend(&items);
        self.places.push(page.place.clone());
        let value = |path: &JsonPath| match body.get(path.to_string().as_str()) {
            None => Lookup::Missing,
            Some(Value::Bool(value)) => Lookup::Found(Scalar::Bool(*value)),
            Some(value) => Lookup::Found(Scalar::Number(value.to_string())),
        };
        let hash = items.iter().fold(0, |hash, item| hash * 31 + u128::from(*item) + 1);
        PageMeta {
            records: items.len() as u64,
            values: page.questions.lookups.iter().map(value).collect(),
            content: Some(Content { hash, is_varied: items.len() > 1 }),
            ..PageMeta::default()
        }
    }
}

async fn read(spec: OffsetSpec, answer: Answer) -> (Vec<u64>, Result<ListingOutcome>) {
    let (records, _, result) = stage(&endpoint(PaginationSpec::Offset(spec)), &Limits::default(), answer).read().await;
    (records, result)
}

/// `count` records in pages of `size`.
fn cut(offset: u64, size: u64, count: u64) -> std::ops::Range<u64> {
    offset.min(count)..offset.saturating_add(size).min(count)
}

#[tokio::test]
async fn a_listing_is_read_to_its_stated_end() {
    let endpoint = endpoint(PaginationSpec::Offset(offset(2)));
    let stage = stage(&endpoint, &Limits::default(), |offset| (cut(offset, 2, 5), json!({"total": 5})));
    let (records, places, outcome) = stage.read().await;
    let outcome = outcome.unwrap();
    assert_eq!(records, [0, 1, 2, 3, 4]);
    assert_eq!(places[2], "GET https://api.example/v1/events?offset=4&limit=2");
    assert_eq!((outcome.stop_reason, outcome.complete.verdict), (StopReason::TotalReached, Verdict::True));
    assert_eq!((outcome.pages, outcome.records, outcome.total), (3, 5, Some(5)));
}

#[tokio::test]
async fn a_listing_that_was_not_read_whole_is_incomplete() {
    for (spec, answer, words, hint) in [
        // A page in the middle lacks a record.
        (
            offset(2),
            (|offset| (if offset == 2 { 2..3 } else { cut(offset, 2, 6) }, json!({"total": 6}))) as Answer,
            "5 records were read where the stated total promises 6",
            "run again",
        ),
        // Records went away while it was read.
        (
            offset(2),
            |offset| (cut(offset, 2, 4), json!({"total": if offset == 0 { 4 } else { 3 }})),
            "the total moved from 4 to 3",
            "run again",
        ),
        // A record went away before the reader, which pulled another one past it; the count alone
        // would look right.
        (
            offset(2),
            |offset| (if offset == 0 { 0..2 } else { 3..4 }, json!({"total": if offset == 0 { 4 } else { 3 }})),
            "the stated total fell from 4 to 3",
            "run again",
        ),
        // The API gives three records a page at most, with and without a total.
        (
            offset(4),
            |offset| (cut(offset, 3, 10), json!({"total": 10})),
            "8 records were read where the stated total promises 10",
            "endpoint.paginator.limit: 3",
        ),
        (
            without_total(4),
            |offset| (cut(offset, 3, 10), json!({})),
            "asked to hold 4 records and held 3",
            "endpoint.paginator.limit: 3",
        ),
        // The API does not know the parameter; the count alone would look right.
        (offset(2), |_| (0..2, json!({"total": 6})), "the page before", "offset_param"),
        (without_total(2), |_| (0..2, json!({})), "the page before", "offset_param"),
        // `total` counts the records of the page, not of the listing.
        (
            OffsetSpec { has_more_path: Some(JsonPath::keys(["more"])), ..offset(2) },
            |offset| (cut(offset, 2, 6), json!({"total": 2, "more": true})),
            "the last page said that there is more",
            "total_path: null",
        ),
        (
            OffsetSpec { has_more_path: Some(JsonPath::keys(["more"])), ..without_total(2) },
            |offset| (if offset == 2 { 0..0 } else { cut(offset, 2, 6) }, json!({"more": true})),
            "said that there is more",
            "stop_after_empty_page: false",
        ),
    ] {
        let (_, result) = read(spec, answer).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete, "{error:?}");
        assert!(error.to_string().contains(words), "{error:?}");
        assert!(error.hints().iter().any(|text| text.contains(hint)), "{error:?}");
    }
}

#[tokio::test]
async fn what_the_paginator_misses_is_named_with_its_place() {
    let (_, result) = read(offset(2), |offset| (cut(offset, 2, 5), json!({}))).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(
        error.to_string(),
        "GET https://api.example/v1/events?offset=0&limit=2: total_path total was not found in the response"
    );
}

#[tokio::test]
async fn a_first_offset_is_not_counted_as_missing() {
    let (records, result) =
        read(OffsetSpec { offset: 3, ..offset(2) }, |offset| (cut(offset, 2, 6), json!({"total": 6}))).await;
    assert_eq!(records, [3, 4, 5]);
    assert_eq!(result.unwrap().complete.verdict, Verdict::True);
}

#[tokio::test]
async fn limits_end_a_listing_as_incomplete_but_only_when_there_is_more() {
    let endpoint = endpoint(PaginationSpec::Offset(offset(2)));
    let answer: Answer = |offset| (cut(offset, 2, 6), json!({"total": 6}));
    for (limits, expected) in [
        (Limits { pages_max: 3, ..Limits::default() }, None),
        (Limits { pages_max: 2, ..Limits::default() }, Some("2 pages were read and there are more")),
        (Limits { run_time_max: Duration::from_secs(21), ..Limits::default() }, None),
        (Limits { run_time_max: Duration::from_secs(20), ..Limits::default() }, Some("longer than 20 seconds")),
    ] {
        let (_, _, result) = stage(&endpoint, &limits, answer).read().await;
        match expected {
            None => assert_eq!(result.unwrap().records, 6),
            Some(words) => {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Incomplete);
                assert!(error.to_string().contains(words), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_listing_that_is_left_early_is_not_done() {
    let endpoint = endpoint(PaginationSpec::Offset(offset(2)));
    let mut stage = stage(&endpoint, &Limits::default(), |offset| (cut(offset, 2, 6), json!({"total": 6})));
    let page = stage.listing.next_page().await.unwrap().unwrap();
    let meta = stage.decode(&page);
    stage.listing.accept(&meta).unwrap();
    assert_eq!(stage.listing.finish().unwrap_err().kind(), ErrorKind::Incomplete);
}

#[tokio::test]
async fn paging_values_go_once_and_beside_what_the_endpoint_has() {
    let mut endpoint = endpoint(PaginationSpec::Offset(OffsetSpec {
        limit_in: Placement::Body(JsonPath::parse("page.size").unwrap()),
        ..offset(2)
    }));
    endpoint.method = Method::Post;
    endpoint.url = fixed("https://api.example/v1/events?offset=9&kept=a%2Cb&flag&off%73et=8");
    endpoint.params = vec![("q".to_owned(), Template::literal("x"))];
    endpoint.body = BodySpec::Json(json!({"filter": 1}));
    let stage = stage(&endpoint, &Limits::default(), |offset| (cut(offset, 2, 3), json!({"total": 3})));
    let api = Arc::clone(&stage.api);
    assert_eq!(stage.read().await.0, [0, 1, 2]);
    let seen = api.seen.lock().unwrap();
    assert_eq!(seen[1].uri().query(), Some("kept=a%2Cb&flag&q=x&offset=2"));
    assert_eq!(
        (seen[1].method().as_str(), seen[1].body().as_ref()),
        ("POST", br#"{"filter":1,"page":{"size":2}}"#.as_slice())
    );
}

#[tokio::test]
async fn one_page_is_one_request() {
    let stage = stage(&endpoint(PaginationSpec::SinglePage), &Limits::default(), |_| (0..3, json!({"total": 9})));
    let api = Arc::clone(&stage.api);
    let (records, _, outcome) = stage.read().await;
    assert_eq!((records.len(), outcome.unwrap().complete.verdict), (3, Verdict::Unknown));
    assert_eq!(api.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_that_is_printed_shows_a_secret() {
    let mut endpoint = endpoint(PaginationSpec::Offset(offset(2)));
    endpoint.params =
        vec![("api_key".to_owned(), Template::literal("hush")), ("normal".to_owned(), Template::literal("v"))];
    endpoint.body = BodySpec::Json(json!({"password": "hush"}));
    let mut stage = stage(&endpoint, &Limits::default(), |_| (0..2, json!({"note": "hush"})));
    let page = stage.listing.next_page().await.unwrap().unwrap();
    assert_eq!(page.place, "GET https://api.example/v1/events?api_key=***&normal=v&offset=0&limit=2");
    let meta = stage.decode(&page);
    let error = stage.listing.accept(&meta).unwrap_err();
    let shown = format!("{page:?} {:?} {error:?} {error}", stage.listing);
    assert!(!shown.contains("hush"), "{shown}");
}
