//! Pages that lead to the next one: by a token in the body or a header, by a link, or by their last
//! record.
//!
//! A total may be stated, or be found on the first page, where nobody says that there is none; it
//! ends no listing.
//!
//! Per accepted page, in this order:
//!
//! 1. A page without records ends the listing if `stop_after_empty_page`.
//! 2. With `has_more_path`, the value must be there and be a boolean; false ends the listing. True
//!    is a promise: a page that says that there is more and does not say how to go on is an error.
//! 3. A token or link that is missing, null, empty, false or 0 ends the listing. (A last record
//!    without a value is an error: the listing cannot go on after it.)
//! 4. The same token once more, on a page without records, ends the listing.
//! 5. A token or link that came before is a loop, which is an error. Brent's cycle detection finds
//!    it in constant memory.

use serde::{Deserialize, Serialize};

use super::page_meta::{HeaderLookup, Lookup, PageMeta, Scalar};
use super::step::{PageRequest, PaginationError, Step, StopReason, read, read_total};
use crate::spec::{FollowFrom, FollowSpec, FollowTo, FollowTotal};
use lakefeed_model::spec::JsonPath;

/// The state of a listing in which each page leads to the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    spec: FollowSpec,
    /// What the next request is asked with; none for the first.
    next: Option<Scalar>,
    /// A token that came before, kept while `since` doubles: what comes after it is compared with
    /// it.
    landmark: Option<Scalar>,
    /// Tokens since the landmark, and how many until it is moved.
    since: u64,
    until: u64,
    /// Where the total is, once that is known.
    #[serde(default)]
    total_at: Option<JsonPath>,
}

impl Follow {
    /// Returns a listing at its first page.
    pub fn new(spec: &FollowSpec) -> Self {
        let total_at = match &spec.total {
            FollowTotal::At(path) => Some(path.clone()),
            FollowTotal::Nowhere | FollowTotal::Hinted => None,
        };
        Self { spec: spec.clone(), next: None, landmark: None, since: 0, until: 1, total_at }
    }

    pub(super) fn request(&self) -> PageRequest {
        let Some(next) = &self.next else { return PageRequest::default() };
        match &self.spec.to {
            FollowTo::Value(placement) => {
                PageRequest { values: vec![(placement.clone(), next.clone())], ..PageRequest::default() }
            }
            FollowTo::Url => PageRequest { link: next.as_text(), ..PageRequest::default() },
        }
    }

    pub(super) fn lookups(&self) -> Vec<JsonPath> {
        let from = match &self.spec.from {
            FollowFrom::Body(path) | FollowFrom::LastRecord(path) => Some(path),
            FollowFrom::Header(_) | FollowFrom::LinkHeader(_) => None,
        };
        [self.spec.has_more_path.as_ref(), from, self.total_at.as_ref()].into_iter().flatten().cloned().collect()
    }

    /// Returns whether the first page is to be searched for a total.
    pub(super) fn wants_hints(&self) -> bool {
        self.spec.total == FollowTotal::Hinted && self.next.is_none()
    }

    fn total_in<'p>(&self, page: &'p PageMeta) -> Option<&'p Lookup> {
        page.values.get(self.lookups().len().checked_sub(1)?)
    }

    /// Returns the total that `page` states, where it states a usable one. A hint that is no more
    /// than the records of the page is about the page.
    pub(super) fn stated_total(&self, page: &PageMeta) -> Option<u64> {
        let found = match &self.total_at {
            Some(_) => self.total_in(page).and_then(Lookup::found),
            None => hinted(page).map(|(_, total)| total),
        };
        let is_hint = self.spec.total == FollowTotal::Hinted;
        found.and_then(Scalar::as_u64).filter(|total| !is_hint || *total > page.records)
    }

    pub(super) fn header_lookups(&self) -> Vec<HeaderLookup> {
        match &self.spec.from {
            FollowFrom::Body(_) | FollowFrom::LastRecord(_) => Vec::new(),
            FollowFrom::Header(name) => vec![HeaderLookup::Value(name.clone())],
            FollowFrom::LinkHeader(relation) => vec![HeaderLookup::Link(relation.clone())],
        }
    }

    /// Returns whether `page` says that there is another one, where it has a word for it.
    pub(super) fn says_more(&self, page: &PageMeta) -> Option<bool> {
        self.spec.has_more_path.as_ref()?;
        page.values.first()?.found()?.as_bool()
    }

    pub(super) fn next(&mut self, page: &PageMeta) -> Result<Step, PaginationError> {
        match &self.spec.total {
            FollowTotal::At(path) if self.next.is_none() => {
                read_total(self.total_in(page), path, None)?;
            }
            FollowTotal::Hinted if self.next.is_none() => {
                self.total_at = hinted(page).map(|(path, _)| path.clone());
            }
            FollowTotal::At(_) | FollowTotal::Hinted | FollowTotal::Nowhere => {}
        }
        if page.records == 0 && self.spec.stop_after_empty_page {
            return Ok(Step::Done(StopReason::EmptyPage));
        }
        let mut has_more = None;
        if let Some(path) = &self.spec.has_more_path {
            let more = read(page.values.first(), "has_more_path", path, "true or false", Scalar::as_bool)?;
            if !more {
                return Ok(Step::Done(StopReason::NoMore));
            }
            has_more = Some(path);
        }
        let Some(next) = self.token(page)? else {
            return match has_more {
                None => Ok(Step::Done(StopReason::NoNext)),
                Some(path) => Err(PaginationError::MoreWithoutNext { path: path.clone() }),
            };
        };
        // Some APIs give the token again with which nothing more came.
        if page.records == 0 && self.next.as_ref() == Some(&next) {
            return Ok(Step::Done(StopReason::NoNext));
        }
        self.note(&next)?;
        self.next = Some(next);
        Ok(Step::Fetch(self.request()))
    }

    /// Returns what leads to the next page; none when nothing does.
    fn token(&self, page: &PageMeta) -> Result<Option<Scalar>, PaginationError> {
        let (found, option, path) = match &self.spec.from {
            FollowFrom::Body(path) => {
                (page.values.get(usize::from(self.spec.has_more_path.is_some())), "cursor_path", path)
            }
            FollowFrom::LastRecord(path) => {
                let found = page.values.get(usize::from(self.spec.has_more_path.is_some()));
                // An empty page has no last record; the listing goes on from where it was.
                if page.records == 0 {
                    return Ok(None);
                }
                return read(found, "value_path", path, "a string or a number", sendable).map(Some);
            }
            FollowFrom::Header(_) | FollowFrom::LinkHeader(_) => {
                return Ok(page.headers.first().and_then(Lookup::found).filter(|value| !value.is_nothing()).cloned());
            }
        };
        let option = if self.spec.to == FollowTo::Url { "next_url_path" } else { option };
        let Some(value) = found.and_then(Lookup::found).filter(|value| !value.is_nothing()) else { return Ok(None) };
        sendable(value).map(Some).ok_or_else(|| PaginationError::Unusable {
            option,
            path: path.clone(),
            found: value.describe(),
            expected: "a string or a number",
        })
    }

    /// Compares a token with one that came before. Brent (1980): the landmark moves whenever as
    /// many tokens came as before it, so that any circle is found after at most three times its
    /// length.
    fn note(&mut self, next: &Scalar) -> Result<(), PaginationError> {
        if self.landmark.as_ref() == Some(next) || self.next.as_ref() == Some(next) {
            return Err(PaginationError::Loop { token: next.describe() });
        }
        self.since += 1;
        if self.since >= self.until {
            self.landmark = Some(next.clone());
            self.since = 0;
            self.until = self.until.saturating_mul(2);
        }
        Ok(())
    }
}

/// Returns a value that can be sent.
fn sendable(value: &Scalar) -> Option<Scalar> {
    match value {
        Scalar::Number(_) | Scalar::Text(_) => Some(value.clone()),
        Scalar::Null | Scalar::Bool(_) | Scalar::Container => None,
    }
}

/// Returns where the body of a page seems to have a total, and that.
fn hinted(page: &PageMeta) -> Option<&(JsonPath, Scalar)> {
    page.hints.as_ref()?.total.as_ref()
}

#[cfg(test)]
mod tests;
