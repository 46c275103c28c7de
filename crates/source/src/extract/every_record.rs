//! For any page size, order of faults and concurrency, every record once, in order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{asked, client, endpoint, parameter};
use super::*;
use crate::client::{SendLimits, Transport, TransportError, TransportErrorKind};
use crate::paginate::{Lookup, PageMeta, Scalar};
use crate::spec::{
    FollowFrom, FollowSpec, FollowTo, FollowTotal, OffsetSpec, PageNumberSpec, PaginationSpec, Placement,
};
use lakefeed_model::clock::ManualClock;
use lakefeed_model::error::Result;
use lakefeed_model::event::Verdict;
use lakefeed_model::spec::{JsonPath, Limits};

/// How the API pages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Offset,
    Pages,
    Cursor,
    LinkHeader,
}

/// An API with `count` records in pages of `size`, whose answers fail as a seed says, and come in
/// another order than they were asked for.
#[derive(Debug)]
pub(super) struct Api {
    style: Style,
    count: u64,
    size: u64,
    faults: Mutex<Vec<u8>>,
    under_way: Mutex<(usize, usize)>,
    asked: AtomicU64,
    /// From this record on, they are others than before.
    changed: AtomicU64,
}

#[async_trait]
impl Transport for Api {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        {
            let mut under_way = self.under_way.lock().unwrap();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        let fault = self.faults.lock().unwrap().pop().unwrap_or(u8::MAX);
        for _ in 0..fault % 5 {
            tokio::task::yield_now().await;
        }
        self.under_way.lock().unwrap().0 -= 1;
        match fault {
            0..=20 => Ok(http::Response::builder().status(503).body(Bytes::new()).unwrap()),
            21..=30 => Ok(http::Response::builder().status(429).header("retry-after", "1").body(Bytes::new()).unwrap()),
            31..=50 => Err(TransportError::new(TransportErrorKind::Truncated, "cut")),
            51..=60 => Err(TransportError::new(TransportErrorKind::Connect, "refused")),
            _ => Ok(self.answer(&request)),
        }
    }
}

impl Api {
    /// Returns an API without faults.
    pub(super) fn new(style: Style, count: u64, size: u64) -> Arc<Self> {
        Self::with_faults(style, count, size, Vec::new())
    }

    fn with_faults(style: Style, count: u64, size: u64, faults: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            style,
            count,
            size,
            faults: Mutex::new(faults),
            under_way: Mutex::default(),
            asked: AtomicU64::new(0),
            changed: AtomicU64::new(u64::MAX),
        })
    }

    /// Returns how many requests were sent so far.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Has the page that holds this record written otherwise from now on.
    pub(super) fn change(&self, record: u64) {
        self.changed.store(record, Ordering::Relaxed);
    }

    fn answer(&self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let Self { style, count, size, .. } = *self;
        let first = match style {
            Style::Offset => parameter(request, "offset").unwrap_or(0),
            Style::Pages => parameter(request, "page").unwrap() * size,
            Style::Cursor | Style::LinkHeader => parameter(request, "cursor").unwrap_or(0),
        };
        let end = (first + size).min(count);
        let mut page = json!({"items": (first.min(end)..end).collect::<Vec<_>>()});
        if (first..end).contains(&self.changed.load(Ordering::Relaxed)) {
            page["changed"] = json!(true);
        }
        let mut response = http::Response::builder();
        match style {
            Style::Offset => page["total"] = json!(count),
            Style::Pages => page["total"] = json!(count.div_ceil(size)),
            Style::Cursor => page["next"] = if end < count { json!(end) } else { Value::Null },
            Style::LinkHeader if end < count => {
                response = response.header("link", format!("</v1/events?cursor={end}>; rel=\"next\""));
            }
            Style::LinkHeader => {}
        }
        response.body(page.to_string().into()).unwrap()
    }
}

fn pagination(style: Style, limit: u64) -> PaginationSpec {
    let query = |name: &str| Placement::Query(name.to_owned());
    let total_path = Some(JsonPath::keys(["total"]));
    let follow = |from, to| FollowSpec {
        from,
        to,
        stop_after_empty_page: false,
        has_more_path: None,
        total: FollowTotal::Hinted,
    };
    match style {
        Style::Offset => PaginationSpec::Offset(OffsetSpec {
            base_offset: Some(0),
            total_is_required: false,
            limit,
            offset: 0,
            offset_in: query("offset"),
            limit_in: query("limit"),
            total_path,
            maximum_offset: None,
            stop_after_empty_page: true,
            has_more_path: None,
        }),
        Style::Pages => PaginationSpec::PageNumber(PageNumberSpec {
            base_is_open: false,
            total_is_required: false,
            base_page: 0,
            page: 0,
            page_in: query("page"),
            total_path,
            maximum_page: None,
            stop_after_empty_page: true,
            has_more_path: None,
        }),
        Style::Cursor => {
            PaginationSpec::Follow(follow(FollowFrom::Body(JsonPath::keys(["next"])), FollowTo::Value(query("cursor"))))
        }
        Style::LinkHeader => PaginationSpec::Follow(follow(FollowFrom::LinkHeader("next".to_owned()), FollowTo::Url)),
    }
}

/// How a listing is read.
pub(super) struct Reading {
    limit: u64,
    concurrency: usize,
    pages_max: u64,
    journal: Option<Arc<Journal>>,
    clock: Arc<ManualClock>,
    /// How the clock moves with each page, by turns.
    pauses: Vec<Duration>,
}

impl Reading {
    pub(super) fn new(limit: u64, concurrency: usize) -> Self {
        let clock = Arc::new(ManualClock::new(chrono::DateTime::UNIX_EPOCH));
        Self { limit, concurrency, pages_max: u64::MAX, journal: None, clock, pauses: vec![Duration::ZERO] }
    }

    /// Leaves the listing after so many pages.
    pub(super) fn up_to(self, pages_max: u64) -> Self {
        Self { pages_max, ..self }
    }

    /// Adds a journal, and a clock that moves with each page.
    pub(super) fn with(self, journal: Arc<Journal>, clock: &Arc<ManualClock>, pauses: &[Duration]) -> Self {
        Self { journal: Some(journal), clock: Arc::clone(clock), pauses: pauses.to_vec(), ..self }
    }

    /// Reads as the pipeline does.
    pub(super) async fn of(self, api: &Arc<Api>) -> Result<(Vec<u64>, Option<ListingOutcome>)> {
        let Self { limit, concurrency, pages_max, journal, clock, pauses } = self;
        let endpoint = endpoint(pagination(api.style, limit));
        let transport: Arc<dyn Transport> = Arc::<Api>::clone(api);
        let statuses = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        let client = client(transport, Arc::clone(&clock), &Limits::default(), concurrency, &statuses, 1_000);
        let request = render(&endpoint, Bindings::default())?;
        let moving = Arc::clone(&clock);
        let mut listing =
            Listing::new(asked(&endpoint), request, &Limits::default(), client, clock).with_journal(journal);
        let mut records = Vec::new();
        for pause in pauses.into_iter().cycle().take(usize::try_from(pages_max).unwrap_or(usize::MAX)) {
            let Some(page) = listing.next_page().await? else { return Ok((records, Some(listing.finish()?))) };
            records.extend(accepted(&mut listing, &page)?);
            moving.advance(pause);
        }
        Ok((records, None))
    }
}

/// Takes the records of a page.
fn accepted(listing: &mut Listing, page: &Page) -> Result<Vec<u64>> {
    let body: Value = serde_json::from_slice(&page.body).unwrap();
    let items: Vec<u64> = serde_json::from_value(body["items"].clone()).unwrap();
    let value = |path: &JsonPath| match &body[path.to_string()] {
        Value::Null => Lookup::Missing,
        value => Lookup::Found(Scalar::Number(value.to_string())),
    };
    let values = page.questions.lookups.iter().map(value).collect();
    listing.accept(&PageMeta { records: items.len() as u64, values, ..PageMeta::default() })?;
    Ok(items)
}

pub(super) fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_record_comes_once_and_in_order(
        style in prop::sample::select(vec![Style::Offset, Style::Pages, Style::Cursor, Style::LinkHeader]),
        count in 0_u64..400, size in 1_u64..40, concurrency in 1_usize..40,
        faults in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let api = Api::with_faults(style, count, size, faults);
        let (records, outcome) = on_a_runtime(Reading::new(size, concurrency).of(&api)).unwrap();
        prop_assert_eq!(records, (0..count).collect::<Vec<_>>());
        // Without a total of 0, nothing proves nothing.
        let is_proven = count > 0 || matches!(style, Style::Offset | Style::Pages);
        let verdict = if is_proven { Verdict::True } else { Verdict::Unknown };
        prop_assert_eq!(outcome.unwrap().complete.verdict, verdict);
        prop_assert!(api.under_way.lock().unwrap().1 <= concurrency);
    }
}

#[test]
fn many_pages_are_under_way_at_the_same_time_and_a_handful_is_not() {
    let most_under_way = |count| {
        let api = Api::with_faults(Style::Offset, count, 10, vec![254; 1_000]);
        on_a_runtime(Reading::new(10, 8).of(&api)).unwrap();
        api.under_way.lock().unwrap().1
    };
    assert_eq!(most_under_way(60), 1);
    assert_eq!(most_under_way(1_000), 8);
}
