//! Numbered pages, with dlt's options and its order of rules.
//!
//! The rules are those of the offset paginator; the total is a number of *pages*, so the listing
//! ends when the next number would be `base_page + total`. `maximum_page` is exclusive.
//!
//! Some APIs count records all the same. As long as that may be, only so many pages are asked for
//! ahead as hold that many records; an empty page after exactly as many ends the listing.
//!
//! Where the paginator was detected and the page did not say its own number, it is open whether the
//! API counts from 0 or from 1. The first page is then 0; when page 1 turns out to be the first
//! page again, the API counts from 1, and the listing goes on with page 2.

use serde::{Deserialize, Serialize};

use super::page_meta::{PageMeta, Scalar};
use super::step::{PageRequest, PaginationError, Step, StopReason, read, read_total};
use crate::spec::PageNumberSpec;
use lakefeed_model::spec::JsonPath;

/// The state of a listing of numbered pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageNumber {
    spec: PageNumberSpec,
    next_page: u64,
    /// Whether the first page's number was never asked for, and is not known.
    base_is_guessed: bool,
    /// The number of pages that a page before stated: some APIs say it on the first page only.
    #[serde(default)]
    known_pages: Option<u64>,
    /// Whether page 1 was asked for only to see whether it is there.
    #[serde(default)]
    asks_for_one: bool,
    /// Records of the first page, and of all pages so far: they tell whether the API counts pages.
    #[serde(default)]
    records: (u64, u64),
}

impl PageNumber {
    /// Returns a listing that starts at the spec's first page.
    pub fn new(spec: &PageNumberSpec) -> Self {
        Self {
            spec: spec.clone(),
            next_page: spec.page,
            base_is_guessed: false,
            known_pages: None,
            asks_for_one: false,
            records: (0, 0),
        }
    }

    /// Returns a listing whose first page came without asking for a number.
    pub(super) fn detected(spec: &PageNumberSpec, base_is_guessed: bool) -> Self {
        Self { base_is_guessed, ..Self::new(spec) }
    }

    pub(super) fn request(&self) -> PageRequest {
        let value = (self.spec.page_in.clone(), Scalar::whole(self.next_page));
        PageRequest { values: vec![value], ..PageRequest::default() }
    }

    /// Returns the page after the next one `ahead` pages on, where it is certain to exist.
    pub(super) fn ahead(&self, ahead: u64, pages_total: u64) -> Option<PageRequest> {
        if self.base_is_guessed {
            return None;
        }
        let page = self.next_page.checked_add(ahead)?;
        let (first, read) = self.records;
        // As long as it may be records that are counted, only so many pages are certain.
        let pages_total = if read > pages_total || first == 0 {
            pages_total
        } else {
            pages_total
                .min(pages_total.div_ceil(first).saturating_add(self.spec.page.saturating_sub(self.spec.base_page)))
        };
        let end = pages_total.saturating_add(self.spec.base_page).min(self.spec.maximum_page.unwrap_or(u64::MAX));
        (page < end).then(|| Self { next_page: page, ..self.clone() }.request())
    }

    pub(super) fn lookups(&self) -> Vec<JsonPath> {
        [&self.spec.total_path, &self.spec.has_more_path].into_iter().flatten().cloned().collect()
    }

    /// Returns the number of pages that `page` states.
    pub(super) fn stated_pages(&self, page: &PageMeta) -> Option<u64> {
        self.spec.total_path.as_ref()?;
        page.values.first()?.found()?.as_u64()
    }

    /// Returns the total of records, where an empty page after that many records shows that the API
    /// counts them, and not pages.
    pub(super) fn stated_records(&self, page: &PageMeta) -> Option<u64> {
        let total = self.stated_pages(page).or(self.known_pages)?;
        (page.records == 0 && total > 0 && self.records.1 == total).then_some(total)
    }

    pub(super) fn says_more(&self, page: &PageMeta) -> Option<bool> {
        self.spec.has_more_path.as_ref()?;
        page.values.get(usize::from(self.spec.total_path.is_some()))?.found()?.as_bool()
    }

    /// Returns the request to go on with when the last page turned out to be the one before it once
    /// more, where that only means that the API counts from 1.
    pub(super) fn count_from_one(&mut self) -> Option<PageRequest> {
        if !self.base_is_guessed || self.next_page != self.spec.base_page + 1 {
            return None;
        }
        self.base_is_guessed = false;
        self.spec.base_page += 1;
        self.next_page += 1;
        Some(self.request())
    }

    /// Returns the request for page 1, when page 0 came empty and the API may count from 1. A page
    /// that states a total of 0 is believed.
    fn ask_for_page_one(&mut self, page: &PageMeta) -> Option<PageRequest> {
        let is_open = std::mem::take(&mut self.spec.base_is_open);
        if !is_open || self.next_page != 0 || page.records > 0 || self.stated_pages(page) == Some(0) {
            return None;
        }
        self.spec.base_page = 1;
        self.next_page = 1;
        self.asks_for_one = true;
        Some(self.request())
    }

    /// Returns whether the next page need not be there.
    pub(super) fn may_be_missing(&self) -> bool {
        self.asks_for_one
    }

    pub(super) fn next(&mut self, page: &PageMeta) -> Result<Step, PaginationError> {
        let next_page = self.next_page.checked_add(1).ok_or(PaginationError::Overflow)?;
        self.asks_for_one = false;
        if let Some(request) = self.ask_for_page_one(page) {
            return Ok(Step::Fetch(request));
        }
        let stated = self.stated_pages(page).map(|pages| pages.saturating_add(self.spec.base_page));
        if self.spec.stop_after_empty_page && self.stated_records(page).is_some() {
            return Ok(Step::Done(StopReason::TotalReached));
        }
        let may_lack_total = stated.or(self.known_pages).is_some() || !self.spec.total_is_required;
        let ends_empty = page.records == 0 && self.spec.stop_after_empty_page && may_lack_total;
        if ends_empty && stated.is_none_or(|end| next_page >= end) {
            return Ok(Step::Done(if stated.is_some() { StopReason::TotalReached } else { StopReason::EmptyPage }));
        }
        let mut values = page.values.iter();
        let pages = match &self.spec.total_path {
            None => None,
            Some(path) => Some(read_total(values.next(), path, self.known_pages)?),
        };
        let end = pages.map(|pages| pages.saturating_add(self.spec.base_page));
        let has_more = match &self.spec.has_more_path {
            None => true,
            Some(path) => read(values.next(), "has_more_path", path, "true or false", Scalar::as_bool)?,
        };
        if self.base_is_guessed && self.next_page > self.spec.base_page {
            // A second page that differs from the first: the API does count from 0.
            self.base_is_guessed = false;
        }
        self.next_page = next_page;
        self.known_pages = pages;
        let (first, read) = self.records;
        self.records = (if read == 0 { page.records } else { first }, read + page.records);
        if end.is_some_and(|end| next_page >= end) {
            return Ok(Step::Done(StopReason::TotalReached));
        }
        if self.spec.maximum_page.is_some_and(|maximum| next_page >= maximum) {
            return Ok(Step::Done(StopReason::MaximumReached));
        }
        if !has_more {
            return Ok(Step::Done(StopReason::NoMore));
        }
        Ok(Step::Fetch(self.request()))
    }
}

#[cfg(test)]
mod tests;
