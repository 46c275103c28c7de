//! The pages of a pass over a resource, slice after slice: one listing, one per parent's record, or
//! one per time window.
//!
//! The first pages of the slices that follow are fetched ahead; they are handed out in the order of
//! the slices, so that the result does not depend on how many are under way.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::slices::SliceSource;
use super::transform::SliceContext;
use crate::client::ApiRequest;
use crate::decode::PageInput;
use crate::error::{Error, Result};
use crate::event::RunEvent;
use crate::extract::{Bindings, Found, Journal, Listing, Page, render};
use crate::paginate::PageMeta;
use crate::pipeline::context::ResourceRun;
use crate::plan::{Part, SliceOutcome};

/// Parents that must be there before it is worth to ask for several at a time.
const WORTH_IT_SLICES: u64 = 8;

/// A page, and the slice that it belongs to.
pub(crate) struct SlicedPage {
    pub(crate) page: Page,
    pub(crate) slice: Arc<SliceContext>,
    /// Whether its listing was told what it held.
    pub(crate) acceptance: Acceptance,
}

/// Whether the listing of a page was told what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acceptance {
    /// It is yet to be told.
    Pending,
    /// It was, when the page was sampled; then it knew how many records there are, where the page
    /// states it.
    Sampled { total: Option<u64> },
}

/// The pages of a pass.
pub(crate) struct Pages<'p> {
    slices: SliceSource<'p>,
    current: Option<Current>,
    upcoming: VecDeque<Upcoming>,
    concurrency: usize,
    pub(crate) sampled: VecDeque<SlicedPage>,
    handed_out: u64,
    outcome: SliceOutcome,
    pub(crate) journal: Option<Arc<Journal>>,
    /// Whether pages were there that a stopped run had already.
    pub(crate) resumed: bool,
}

struct Current {
    listing: Listing,
    slice: Arc<SliceContext>,
    first: Option<Page>,
}

/// A slice whose first page is on its way; dropping it stops it.
struct Upcoming {
    slice: Arc<SliceContext>,
    task: JoinHandle<(Listing, Result<Option<Page>>)>,
}

impl<'p> Pages<'p> {
    pub(crate) fn new(slices: SliceSource<'p>, concurrency: usize, journal: Option<Arc<Journal>>) -> Self {
        let concurrency = if slices.parent_rows() >= WORTH_IT_SLICES { concurrency } else { 1 };
        Self {
            slices,
            current: None,
            upcoming: VecDeque::new(),
            concurrency,
            sampled: VecDeque::new(),
            handed_out: 0,
            outcome: SliceOutcome::default(),
            journal,
            resumed: false,
        }
    }

    /// Returns how many records the listing has, where there is one listing and the page says so.
    pub(crate) fn stated_total(&self, meta: &PageMeta) -> Option<u64> {
        let listing = &self.current.as_ref()?.listing;
        self.slices.is_one_listing().then(|| listing.stated_total(meta)).flatten()
    }

    /// Returns the next page of the pass.
    async fn next(&mut self, run: &ResourceRun<'_>) -> Result<Option<SlicedPage>> {
        if let Some(page) = self.sampled.pop_front() {
            return Ok(Some(page));
        }
        loop {
            if self.current.is_none() && !self.enter_slice(run).await? {
                return Ok(None);
            }
            let Some(current) = &mut self.current else { return Ok(None) };
            let page = match current.first.take() {
                Some(page) => Some(page),
                None => current.listing.next_page().await?,
            };
            if let Some(page) = page {
                let page = Page { number: self.handed_out, ..page };
                self.handed_out += 1;
                return Ok(Some(SlicedPage {
                    page,
                    slice: Arc::clone(&current.slice),
                    acceptance: Acceptance::Pending,
                }));
            }
            self.leave_slice()?;
        }
    }

    /// Tells the listing what its page held.
    pub(crate) fn accept(&mut self, meta: &PageMeta, is_past_range: bool) -> Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.listing.accept(meta)?;
        if is_past_range {
            current.listing.stop_at_range();
        }
        Ok(())
    }

    /// Returns what came of the slices that were read to their end.
    pub(crate) fn finish(self) -> SliceOutcome {
        self.outcome
    }

    /// Goes on to the next slice; false when there is none. One that was fetched ahead and has no
    /// page is left at once: there may be a million of them in a row.
    async fn enter_slice(&mut self, run: &ResourceRun<'_>) -> Result<bool> {
        loop {
            self.fetch_ahead(run)?;
            let Some(mut upcoming) = self.upcoming.pop_front() else { break };
            let (listing, first) = (&mut upcoming.task)
                .await
                .map_err(|error| Error::defect("a slice that was fetched ahead got lost").with_source(error))?;
            let first = first?;
            let has_page = first.is_some();
            self.current = Some(Current { listing, slice: Arc::clone(&upcoming.slice), first });
            if has_page {
                return Ok(true);
            }
            self.leave_slice()?;
        }
        let Some((listing, slice)) = self.next_listing(run)? else { return Ok(false) };
        self.current = Some(Current { listing, slice, first: None });
        Ok(true)
    }

    /// Starts the slices that are to be under way beside the current one.
    fn fetch_ahead(&mut self, run: &ResourceRun<'_>) -> Result<()> {
        while self.concurrency > 1 && self.upcoming.len() < self.concurrency {
            let Some((mut listing, slice)) = self.next_listing(run)? else { break };
            let task = tokio::spawn(async move {
                let first = listing.next_page().await;
                (listing, first)
            });
            self.upcoming.push_back(Upcoming { slice, task });
        }
        Ok(())
    }

    fn next_listing(&mut self, run: &ResourceRun<'_>) -> Result<Option<(Listing, Arc<SliceContext>)>> {
        let Some(slice) = self.slices.next()? else { return Ok(None) };
        let parent = match &slice.part {
            Part::ParentRow(row) => Some(row),
            Part::Listing | Part::Window(_) => None,
        };
        let bindings = Bindings { parent, cursor: slice.bindings.as_deref() };
        let request = render(&run.resource.endpoint, bindings)
            .map_err(|error| error.at(format_args!("resource {}", run.resource.name)))?;
        let listing = listing(run, request).with_journal(self.journal.clone());
        Ok(Some((listing, Arc::new(SliceContext::of(slice, run.resource.parent.as_ref())))))
    }

    fn leave_slice(&mut self) -> Result<()> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let outcome = std::mem::take(&mut self.outcome).and(current.listing.finish()?.into());
        // Without deltas of single slices, nothing can be missing between them.
        self.outcome = outcome.map_err(|error| Error::defect("slices do not follow each other").with_source(error))?;
        Ok(())
    }
}

/// Returns the next page, or the operator's wish to stop, whichever comes first.
pub(crate) async fn next_page(run: &ResourceRun<'_>, pages: &mut Pages<'_>) -> Result<Option<SlicedPage>> {
    if run.components.interrupt.is_raised() {
        return Err(Error::interrupted());
    }
    let page = tokio::select! {
        page = pages.next(run) => page,
        () = run.components.interrupt.raised() => Err(Error::interrupted()),
    }?;
    if let Some(journal) = &pages.journal {
        match journal.found().await {
            Some(Found::Holds(kept)) => run.emit(&RunEvent::Resumed { resource: run.name(), pages: kept }),
            Some(Found::Changed) => {
                journal.forget().await;
                let reason = "the first page is not the same any more".to_owned();
                run.emit(&RunEvent::StartedAgain { resource: run.name(), reason });
            }
            Some(Found::Nothing) | None => {}
        }
    }
    Ok(page)
}

/// Returns a page as decoders take it, whose records have `members` behind their own.
pub(crate) fn input<'p>(page: &'p Page, members: &'p str) -> PageInput<'p> {
    PageInput { number: page.number, body: &page.body, format: page.format, questions: &page.questions, members }
}

fn listing(run: &ResourceRun<'_>, request: ApiRequest) -> Listing {
    let clock = Arc::clone(&run.components.clock);
    Listing::new(run.resource.asked(), request, run.limits, Arc::clone(run.client), clock)
}

impl Drop for Upcoming {
    fn drop(&mut self) {
        self.task.abort();
    }
}
