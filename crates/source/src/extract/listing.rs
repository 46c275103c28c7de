//! One listing of an API, page by page.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, header};
use url::Url;

use super::complete::graphql::ErrorsBesideData;
use super::complete::repetition::Repetition;
use super::complete::tally::{PageFacts, Tally};
use super::fetcher::Fetcher;
use super::page::{Origin, Page};
use super::prefetch::{Prefetch, WORTH_IT_PAGES};
use super::request::page_request::page_request;
use super::resume::response_cache::{Got, Journal};
use crate::client::{ApiRequest, ApiResponse, Client, Fetched};
use crate::paginate::{
    HeaderLookup, Lookup, PageMeta, PageRequest, PaginationError, Paginator, Scalar, Step, StopReason, link_target,
};
use crate::spec::{Asked, PaginationSpec, RecordFormat};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::{Completeness, Verdict};
use lakefeed_model::spec::Limits;

/// One listing of an API, page by page.
pub struct Listing {
    resource: String,
    slice: ApiRequest,
    /// How pages hold records, where the pipeline file says so.
    format: Option<RecordFormat>,
    /// The origin that the pipeline file names.
    home: Option<url::Origin>,
    client: Arc<Client>,
    fetcher: Fetcher,
    /// The answer of the page that waits for [`Listing::accept`].
    got: Option<Got>,
    clock: Arc<dyn Clock>,
    paginator: Paginator,
    next: Option<PageRequest>,
    stopped: Option<StopReason>,
    place: String,
    /// The URL of the last request, which links may be relative to.
    last_url: Option<Url>,
    /// What the last page's headers say.
    headers: Vec<Lookup>,
    prefetch: Prefetch,
    concurrency: usize,
    page_bytes: usize,
    tally: Tally,
    repetition: Repetition,
    beside_data: ErrorsBesideData,
    limits: Limits,
    deadline: Duration,
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
    /// Whether the stated total changed while the listing was read.
    pub total_moved: bool,
}

impl Listing {
    /// Returns a listing at its first page, with the request that [`render`](super::render) made of
    /// its endpoint. Nothing is sent yet.
    pub fn new(
        asked: Asked<'_>,
        slice: ApiRequest,
        limits: &Limits,
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let paginator = Paginator::new(&asked.endpoint.paginator);
        let page_size = paginator.page_size();
        let tally = match &asked.endpoint.paginator {
            PaginationSpec::Offset(offset) => {
                let skipped = offset.offset.saturating_sub(offset.base_offset.unwrap_or(1));
                Tally::new(skipped, page_size).by_position().begins_at_zero_or_one(offset.base_offset.is_none())
            }
            PaginationSpec::PageNumber(_) => Tally::new(0, page_size).by_position(),
            PaginationSpec::SinglePage => Tally::new(0, page_size),
            PaginationSpec::Auto | PaginationSpec::Follow(_) => Tally::new(0, page_size).with_total_as_floor(),
        };
        Self {
            resource: asked.resource.to_owned(),
            home: asked.endpoint.url.as_fixed().map(Url::origin),
            slice,
            format: asked.endpoint.record_format,
            concurrency: client.concurrency(),
            fetcher: Fetcher { client: Arc::clone(&client), journal: None },
            got: None,
            client,
            next: Some(paginator.first()),
            tally,
            repetition: Repetition::new(asked.has_key),
            beside_data: ErrorsBesideData::of(asked.endpoint),
            paginator,
            stopped: None,
            place: String::new(),
            last_url: None,
            headers: Vec::new(),
            prefetch: Prefetch::default(),
            page_bytes: 0,
            limits: *limits,
            deadline: clock.monotonic().saturating_add(limits.run_time_max),
            clock,
        }
    }

    /// Returns the same listing, with what runs before it have kept; it keeps what it reads.
    #[must_use]
    pub fn with_journal(mut self, journal: Option<Arc<Journal>>) -> Self {
        self.fetcher.journal = journal;
        self
    }

    /// Returns how many records the whole listing has, as a page states it.
    pub fn stated_total(&self, meta: &PageMeta) -> Option<u64> {
        self.paginator.stated_total(meta)
    }

    /// Fetches the next page; `None` when the listing has ended. After each page, [`Self::accept`]
    /// must be called before the next one.
    ///
    /// # Errors
    /// Those of [`Client::fetch`], and `Incomplete` when a limit is reached with more to come.
    pub async fn next_page(&mut self) -> Result<Option<Page>> {
        loop {
            let Some(page) = self.next.take() else { return Ok(None) };
            self.check_limits()?;
            self.fetcher.tick().await;
            let request = self.request(&page)?;
            self.place = self.client.place(&request);
            let got = match self.prefetch.take(&page).await {
                Some(got) => got,
                None => self.fetcher.fetch(&self.resource, &request).await,
            };
            let got = match got {
                Err(error) if self.paginator.may_be_missing() && is_not_there(&error) => {
                    self.stopped = Some(StopReason::EmptyPage);
                    return Ok(None);
                }
                got => got?,
            };
            self.last_url = Some(request.url);
            let Fetched::Answer(response) = got.fetched.clone() else {
                self.fetcher.note(&got);
                self.stopped = Some(StopReason::Ignored);
                return Ok(None);
            };
            self.got = Some(got);
            self.repetition.came(&response.body);
            if self.repetition.is_repeated()
                && let Some(other) = self.paginator.after_repetition()
            {
                self.next = Some(other);
                continue;
            }
            return Ok(Some(self.page(response)));
        }
    }

    fn page(&mut self, response: ApiResponse) -> Page {
        let text = |name: &header::HeaderName| response.headers.get(name).and_then(|value| value.to_str().ok());
        self.page_bytes = response.body.len();
        self.headers =
            self.paginator.header_lookups().iter().map(|wanted| look_up(&response.headers, wanted)).collect();
        let content_type = text(&header::CONTENT_TYPE).map(str::to_owned);
        let mut questions = self.paginator.questions();
        questions.lookups.extend(self.beside_data.question());
        Page {
            number: self.tally.pages,
            body: response.body,
            place: self.place.clone(),
            format: self.format.unwrap_or_else(|| RecordFormat::of_content_type(content_type.as_deref())),
            content_type,
            questions,
            origin: self.got.as_ref().map_or(Origin::Fetched, |got| got.origin),
        }
    }

    fn request(&self, page: &PageRequest) -> Result<ApiRequest> {
        let request = page_request(&self.slice, page, self.last_url.as_ref()).map_err(|error| {
            Error::source_unreadable(format!("{}: the link to the next page is not a URL ({error})", self.place))
                .with_hint("check the link paginator of endpoint.paginator")
        })?;
        // Where the pipeline file itself names another origin, its pages may stay there.
        if self.home.as_ref() != Some(&request.url.origin()) {
            self.client
                .check_link(&request.url)
                .map_err(|error| error.at(format_args!("resource {}", self.resource)))?;
        }
        Ok(request)
    }

    /// Takes note of what the last page held, and decides what follows. Exactly once per page.
    ///
    /// # Errors
    /// `Source` when the page lacks what the paginator was told to look for; `Incomplete` when the
    /// listing goes in a circle.
    pub fn accept(&mut self, meta: &PageMeta) -> Result<()> {
        if self.repetition.is_stuck(meta) {
            return Err(Error::incomplete(format!(
                "{}: the records are, byte for byte, those of the page before, or of one before that",
                self.place
            ))
            .with_retryable(false)
            .with_hint(
                "the API seems to ignore the paging parameters: check their names (offset_param, cursor_param, …) in endpoint.paginator",
            ));
        }
        let mut meta = PageMeta { headers: std::mem::take(&mut self.headers), ..meta.clone() };
        if let Some(said) = self.beside_data.answered(&mut meta.values) {
            return Err(Error::source_unreadable(format!(
                "{}: the answer has errors beside its data: {said}",
                self.place
            ))
            .with_hint("mend the query; endpoint.graphql_errors: warn takes what is there"));
        }
        let meta = &meta;
        self.tally.note(PageFacts {
            records: meta.records,
            total: self.paginator.stated_total(meta),
            says_more: self.paginator.says_more(meta),
        });
        let step = self.paginator.next(meta).map_err(|error| self.cannot_go_on(&error))?;
        if self.paginator.may_be_missing() {
            self.tally.begin_here();
        }
        if let Some(got) = self.got.take() {
            self.fetcher.note(&got);
        }
        match step {
            Step::Fetch(request) => {
                self.next = Some(request);
                self.fetch_ahead(meta)
            }
            Step::Done(reason) => {
                self.stopped = Some(reason);
                Ok(())
            }
        }
    }

    /// Ends the listing at the page that was accepted last: what follows is past the range that is
    /// wanted.
    pub fn stop_at_range(&mut self) {
        self.next = None;
        self.prefetch = Prefetch::default();
        self.stopped = Some(StopReason::RangeEnded);
    }

    /// Sends for the pages that are certain to follow, as many as may be under way.
    fn fetch_ahead(&mut self, meta: &PageMeta) -> Result<()> {
        let window = Prefetch::window(self.concurrency, self.page_bytes);
        let is_worth_it = self.prefetch.len() > 0 || self.paginator.ahead(WORTH_IT_PAGES, meta).is_some();
        if window < 2 || !is_worth_it {
            return Ok(());
        }
        while self.prefetch.len() < window {
            let pages_left = self.limits.pages_max.saturating_sub(self.tally.pages);
            let ahead = self.prefetch.len() as u64;
            let Some(page) = self.paginator.ahead(ahead, meta).filter(|_| ahead < pages_left) else { break };
            let request = self.request(&page)?;
            self.prefetch.start(&self.fetcher, &self.resource, page, request);
        }
        Ok(())
    }

    fn cannot_go_on(&self, error: &PaginationError) -> Error {
        let said = format!("{}: {error}", self.place);
        match error {
            PaginationError::Missing { .. } | PaginationError::Unusable { .. } | PaginationError::Overflow => {
                Error::source_unreadable(said)
                    .with_hint("name the right path in endpoint.paginator, or set it to null when the API does not say")
            }
            PaginationError::MoreWithoutNext { .. } => Error::incomplete(said)
                .with_retryable(false)
                .with_hint("check where the token or link is, in endpoint.paginator"),
            PaginationError::Loop { .. } => Error::incomplete(said).with_retryable(false).with_hint(
                "the API seems to ignore the token: check cursor_param or cursor_body_path of endpoint.paginator",
            ),
        }
    }

    /// Returns the end of a listing whose last page was accepted.
    ///
    /// # Errors
    /// `Incomplete` when it was not read whole.
    pub fn finish(self) -> Result<ListingOutcome> {
        let Some(stop_reason) = self.stopped else {
            return Err(Error::incomplete(format!("resource {}: the listing was left before its end", self.resource)));
        };
        let mut complete = self.tally.verdict(stop_reason);
        if complete.verdict == Verdict::True && self.repetition.had_equal_pages() {
            let doubt = "pages in a row held the same record, and nothing tells whether it is one";
            complete = Completeness { verdict: Verdict::Unknown, reason: format!("{}, but {doubt}", complete.reason) };
        }
        if let Some(doubt) = self.beside_data.doubt().filter(|_| complete.verdict == Verdict::True) {
            complete = Completeness { verdict: Verdict::Unknown, reason: doubt };
        }
        if complete.verdict == Verdict::False {
            return Err(self.not_whole(&complete.reason));
        }
        Ok(ListingOutcome {
            stop_reason,
            complete,
            pages: self.tally.pages,
            records: self.tally.records,
            total: self.tally.last_total,
            total_moved: self.tally.total_moved(),
        })
    }

    fn not_whole(&self, reason: &str) -> Error {
        let error = Error::incomplete(format!("resource {}: {reason}", self.resource));
        if let Some(cap) = self.tally.page_cap() {
            return error.with_retryable(false).with_hint(format!(
                "the API seems to give {cap} records a page at most: set endpoint.paginator.limit: {cap}"
            ));
        }
        if self.stopped == Some(StopReason::SinglePage) {
            return error.with_retryable(false).with_hint(
                "no way to the next page was found: name one in endpoint.paginator, or single_page if one is enough",
            );
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
        if self.tally.pages >= self.limits.pages_max {
            return Err(Error::incomplete(format!(
                "resource {}: {} pages were read and there are more",
                self.resource, self.limits.pages_max
            ))
            .with_retryable(false)
            .with_hint("raise limits.pages_max, or ask for larger pages"));
        }
        if self.clock.monotonic() >= self.deadline {
            return Err(Error::incomplete(format!(
                "resource {}: the listing took longer than {} seconds",
                self.resource,
                self.limits.run_time_max.as_secs()
            ))
            .with_hint("raise limits.run_time_max_seconds, or ask for larger pages"));
        }
        Ok(())
    }
}

/// Returns whether the API said that there is nothing at that address.
fn is_not_there(error: &Error) -> bool {
    error.http().and_then(|http| http.status) == Some(404)
}

/// Returns what headers say of something that the paginator wants to know.
fn look_up(headers: &HeaderMap, wanted: &HeaderLookup) -> Lookup {
    let found = match wanted {
        HeaderLookup::Value(name) => {
            headers.get(name.as_str()).and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned())
        }
        HeaderLookup::Link(relation) => headers
            .get_all(header::LINK)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .find_map(|value| link_target(value, relation)),
    };
    found.map_or(Lookup::Missing, |text| Lookup::Found(Scalar::Text(text)))
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
