//! Drives one listing: asks the paginator, sends through the client, holds the limits, and proves the listing complete.
//!
//! Decoding is the caller's: it takes each [`Page`], and tells what it held with [`Listing::accept`]. So a page that cannot be decoded never moves
//! the paginator.

mod completeness;
mod repetition;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use completeness::{PageFacts, Tally};
use repetition::Repetition;

use crate::client::{ApiRequest, Client};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::{Completeness, Verdict};
use crate::paginate::{PageMeta, PageRequest, Paginator, Step, StopReason};
use crate::spec::json_path::Segment;
use crate::spec::{EndpointSpec, JsonPath, Limits, PaginationSpec, Placement, ResourceSpec};

/// One listing of an API, page by page.
pub struct Listing {
    resource: String,
    endpoint: EndpointSpec,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    paginator: Paginator,
    next: Option<PageRequest>,
    stopped: Option<StopReason>,
    place: String,
    tally: Tally,
    repetition: Repetition,
    pages_max: u64,
    run_time_max: Duration,
    deadline: Duration,
}

/// A page as it came.
#[derive(Clone)]
pub struct Page {
    /// Its number within the listing, from 0.
    pub number: u64,
    /// Its body, decompressed.
    pub body: Bytes,
    /// Its request's method and redacted URL.
    pub place: String,
    /// What the API says that the body is.
    pub content_type: Option<String>,
}

/// How a listing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingOutcome {
    /// Why it ended.
    pub stop_reason: StopReason,
    /// Whether it was read whole; never `False`, which is an error.
    pub complete: Completeness,
    /// Pages that were accepted.
    pub pages: u64,
    /// Records in them, refused ones included.
    pub records: u64,
    /// The total that the API stated last.
    pub total: Option<u64>,
}

impl Listing {
    /// A listing at its first page. Nothing is sent yet.
    pub fn new(resource: &ResourceSpec, limits: &Limits, client: Arc<Client>, clock: Arc<dyn Clock>) -> Self {
        let paginator = Paginator::new(&resource.endpoint.paginator);
        let skipped = match &resource.endpoint.paginator {
            PaginationSpec::Offset(offset) => offset.offset,
            PaginationSpec::SinglePage => 0,
        };
        Self {
            resource: resource.name.clone(),
            endpoint: resource.endpoint.clone(),
            client,
            next: Some(paginator.first()),
            tally: Tally::new(skipped, paginator.page_size()),
            repetition: Repetition::new(!resource.primary_key.is_empty()),
            paginator,
            stopped: None,
            place: String::new(),
            pages_max: limits.pages_max,
            run_time_max: limits.run_time_max,
            deadline: clock.monotonic().saturating_add(limits.run_time_max),
            clock,
        }
    }

    /// The places of a page that [`Self::accept`] wants to know, in the order of [`PageMeta::values`].
    pub fn lookups(&self) -> Vec<JsonPath> {
        self.paginator.lookups()
    }

    /// How many records the whole listing has, as a page states it.
    pub fn stated_total(&self, meta: &PageMeta) -> Option<u64> {
        self.paginator.stated_total(meta)
    }

    /// Fetches the next page; `None` when the listing has ended. After each page, [`Self::accept`] must be called before the next one.
    ///
    /// # Errors
    /// Those of [`Client::fetch`], and `Incomplete` when a limit is reached with more to come.
    pub async fn next_page(&mut self) -> Result<Option<Page>> {
        let Some(request) = self.next.take() else { return Ok(None) };
        self.check_limits()?;
        let request = api_request(&self.endpoint, &request);
        self.place = self.client.place(&request);
        let response = self.client.fetch(&self.resource, &request).await?;
        let content_type = response.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        self.repetition.came(&response.body);
        Ok(Some(Page {
            number: self.tally.pages,
            body: response.body,
            place: self.place.clone(),
            content_type: content_type.map(str::to_owned),
        }))
    }

    /// Takes note of what the last page held, and decides what follows. Exactly once per page.
    ///
    /// # Errors
    /// `Source` when the page lacks what the paginator was told to look for; `Incomplete` when it is the page before once more.
    pub fn accept(&mut self, meta: &PageMeta) -> Result<()> {
        if self.repetition.is_stuck(meta.records) {
            return Err(Error::incomplete(format!("{}: the answer is, byte for byte, the page before", self.place))
                .with_hint(
                    "the API seems to ignore the offset: check offset_param and limit_param of endpoint.paginator",
                ));
        }
        self.tally.note(PageFacts {
            records: meta.records,
            total: self.paginator.stated_total(meta),
            says_more: self.paginator.says_more(meta),
        });
        let step = self.paginator.next(meta).map_err(|error| {
            Error::source_failed(format!("{}: {error}", self.place))
                .with_hint("name the right path in endpoint.paginator, or set it to null when the API does not say")
        })?;
        match step {
            Step::Fetch(request) => self.next = Some(request),
            Step::Done(reason) => self.stopped = Some(reason),
        }
        Ok(())
    }

    /// The end of a listing whose last page was accepted.
    ///
    /// # Errors
    /// `Incomplete` when it was not read whole.
    pub fn finish(self) -> Result<ListingOutcome> {
        let Some(stop_reason) = self.stopped else {
            return Err(Error::incomplete(format!("resource {}: the listing was left before its end", self.resource)));
        };
        let complete = self.tally.verdict(stop_reason);
        if complete.verdict == Verdict::False {
            return Err(self.not_whole(&complete.reason));
        }
        Ok(ListingOutcome {
            stop_reason,
            complete,
            pages: self.tally.pages,
            records: self.tally.records,
            total: self.tally.last_total,
        })
    }

    fn not_whole(&self, reason: &str) -> Error {
        let error = Error::incomplete(format!("resource {}: {reason}", self.resource));
        if let Some(cap) = self.tally.page_cap() {
            return error.with_hint(format!(
                "the API seems to give {cap} records a page at most: set endpoint.paginator.limit: {cap}"
            ));
        }
        if self.tally.last_total.is_none() {
            return error
                .with_hint("set endpoint.paginator.stop_after_empty_page: false to read on after an empty page");
        }
        error
            .with_hint("records may have come or gone while the listing was read: run again")
            .with_hint("if the API's total counts something else, set endpoint.paginator.total_path: null")
    }

    fn check_limits(&self) -> Result<()> {
        if self.tally.pages >= self.pages_max {
            return Err(Error::incomplete(format!(
                "resource {}: {} pages were read and there are more",
                self.resource, self.pages_max
            ))
            .with_hint("raise limits.pages_max, or ask for larger pages"));
        }
        if self.clock.monotonic() >= self.deadline {
            return Err(Error::incomplete(format!(
                "resource {}: the listing took longer than {} seconds",
                self.resource,
                self.run_time_max.as_secs()
            ))
            .with_hint("raise limits.run_time_max_seconds, or ask for larger pages"));
        }
        Ok(())
    }
}

impl fmt::Debug for Listing {
    /// Shows how far the listing is; its endpoint may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing")
            .field("resource", &self.resource)
            .field("place", &self.place)
            .field("paginator", &self.paginator)
            .field("stopped", &self.stopped)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("number", &self.number)
            .field("place", &self.place)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// The endpoint's request with the page's values in their places.
fn api_request(endpoint: &EndpointSpec, page: &PageRequest) -> ApiRequest {
    let mut url = endpoint.url.clone();
    let mut query = endpoint.params.clone();
    let mut json = endpoint.json.clone();
    for (place, value) in &page.values {
        match place {
            Placement::Query(name) => {
                drop_from_url(&mut url, name);
                set_query(&mut query, name, *value);
            }
            Placement::Body(path) => {
                set_body(json.get_or_insert_with(|| Value::Object(Map::new())), path.segments(), *value);
            }
        }
    }
    ApiRequest { method: endpoint.method, url, query, headers: endpoint.headers.clone(), json }
}

/// Takes a parameter out of the URL's own query, which a path may have brought along, and leaves the rest as it is written.
fn drop_from_url(url: &mut Url, name: &str) {
    let Some(query) = url.query() else { return };
    if !url.query_pairs().any(|(known, _)| known == name) {
        return;
    }
    let is_other = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).all(|(known, _)| known != name);
    let others = query.split('&').filter(is_other).collect::<Vec<_>>().join("&");
    url.set_query(Some(others.as_str()).filter(|others| !others.is_empty()));
}

/// Puts a paging value where the user's parameter of that name was, or at the end.
fn set_query(query: &mut Vec<(String, String)>, name: &str, value: u64) {
    let first = query.iter().position(|(known, _)| known == name);
    query.retain({
        let mut position = 0;
        move |(known, _)| {
            position += 1;
            known != name || first == Some(position - 1)
        }
    });
    match first.and_then(|first| query.get_mut(first)) {
        Some((_, old)) => *old = value.to_string(),
        None => query.push((name.to_owned(), value.to_string())),
    }
}

/// Sets the value at a path of a JSON body. Objects that are missing on the way are made; what stands in the way is replaced.
fn set_body(body: &mut Value, path: &[Segment], value: u64) {
    let mut place = body;
    for segment in path {
        place = match segment {
            Segment::Key(key) => {
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                &mut place[key.as_str()]
            }
            Segment::Index(index) => {
                if !place.is_array() {
                    *place = Value::Array(Vec::new());
                }
                if let Value::Array(elements) = place
                    && elements.len() <= *index
                {
                    elements.resize(index + 1, Value::Null);
                }
                &mut place[*index]
            }
            // A paging value has one place; validation refuses wildcards here.
            Segment::Wildcard => return,
        };
    }
    *place = Value::from(value);
}

#[cfg(test)]
mod tests;
