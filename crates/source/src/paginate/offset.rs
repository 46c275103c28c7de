//! `offset` and `limit`, with dlt's options and its order of rules.
//!
//! Per accepted page, in this order:
//!
//! 1. A page without records ends the listing if `stop_after_empty_page`, unless the page itself
//!    states a total that is not reached yet: then the server filters its pages, and the listing
//!    goes on. A total that the pipeline file names must be there, too.
//! 2. With `total_path`, the total must be there and be an integer; it is read anew on every page.
//! 3. With `has_more_path`, the value must be there and be a boolean.
//! 4. The offset grows by `limit`. The listing ends when it reaches the total or `maximum_offset`
//!    (exclusive).
//! 5. A false `has_more_path` ends the listing; a true one never prolongs it past rule 4.
//!
//! A short page never ends a listing. Offsets count from `base_offset`; where it is open whether
//! that is 0 or 1, the listing ends as if it were 1, which costs a request at most.

use serde::{Deserialize, Serialize};

use super::page_meta::{PageMeta, Scalar};
use super::step::{PageRequest, PaginationError, Step, StopReason, read, read_total};
use crate::spec::{OffsetSpec, Placement};
use lakefeed_model::spec::JsonPath;

/// The state of an offset listing: its options and the offset of the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields are dlt's options, named as users know them")]
pub struct Offset {
    limit: u64,
    next_offset: u64,
    offset_in: Placement,
    limit_in: Placement,
    /// What the offset is ahead of the number of records before it.
    base: u64,
    total_path: Option<JsonPath>,
    total_is_required: bool,
    /// The total of a page before: some APIs state it on the first page only.
    #[serde(default)]
    known_total: Option<u64>,
    maximum_offset: Option<u64>,
    stop_after_empty_page: bool,
    has_more_path: Option<JsonPath>,
}

impl Offset {
    /// Returns a listing that starts at the spec's first offset.
    pub fn new(spec: &OffsetSpec) -> Self {
        Self {
            limit: spec.limit,
            next_offset: spec.offset,
            offset_in: spec.offset_in.clone(),
            limit_in: spec.limit_in.clone(),
            // Where it is open, what is asked for last is one record too many, or the last one.
            base: spec.base_offset.unwrap_or(1),
            total_path: spec.total_path.clone(),
            total_is_required: spec.total_is_required,
            known_total: None,
            maximum_offset: spec.maximum_offset,
            stop_after_empty_page: spec.stop_after_empty_page,
            has_more_path: spec.has_more_path.clone(),
        }
    }

    pub(super) fn request(&self) -> PageRequest {
        self.request_at(self.next_offset)
    }

    fn request_at(&self, offset: u64) -> PageRequest {
        let values =
            vec![(self.offset_in.clone(), Scalar::whole(offset)), (self.limit_in.clone(), Scalar::whole(self.limit))];
        PageRequest { values, ..PageRequest::default() }
    }

    /// Returns the page `ahead` pages after the next one, where it is certain to exist.
    pub(super) fn ahead(&self, ahead: u64, total: u64) -> Option<PageRequest> {
        let offset = self.next_offset.checked_add(ahead.checked_mul(self.limit)?)?;
        let end = total.saturating_add(self.base).min(self.maximum_offset.unwrap_or(u64::MAX));
        (offset < end).then(|| self.request_at(offset))
    }

    pub(super) fn lookups(&self) -> Vec<JsonPath> {
        [&self.total_path, &self.has_more_path].into_iter().flatten().cloned().collect()
    }

    /// Returns the total that `page` states, where it states a usable one.
    pub(super) fn stated_total(&self, page: &PageMeta) -> Option<u64> {
        self.total_path.as_ref()?;
        page.values.first()?.found()?.as_u64()
    }

    /// Returns whether `page` says that there is another one, where it says something usable.
    pub(super) fn says_more(&self, page: &PageMeta) -> Option<bool> {
        self.has_more_path.as_ref()?;
        page.values.get(usize::from(self.total_path.is_some()))?.found()?.as_bool()
    }

    pub(super) fn page_size(&self) -> u64 {
        self.limit
    }

    pub(super) fn next(&mut self, page: &PageMeta) -> Result<Step, PaginationError> {
        let next_offset = self.next_offset.checked_add(self.limit).ok_or(PaginationError::Overflow)?;
        let stated_total = self.stated_total(page);
        let is_at = |total: u64| next_offset >= total.saturating_add(self.base);
        let may_lack_total = stated_total.or(self.known_total).is_some() || !self.total_is_required;
        if page.records == 0 && self.stop_after_empty_page && may_lack_total && stated_total.is_none_or(is_at) {
            return Ok(Step::Done(match stated_total {
                Some(_) => StopReason::TotalReached,
                None => StopReason::EmptyPage,
            }));
        }
        let mut values = page.values.iter();
        let total = match &self.total_path {
            None => None,
            Some(path) => Some(read_total(values.next(), path, self.known_total)?),
        };
        let has_more = match &self.has_more_path {
            None => true,
            Some(path) => read(values.next(), "has_more_path", path, "true or false", Scalar::as_bool)?,
        };
        let is_whole = total.is_some_and(is_at);
        self.known_total = total;
        self.next_offset = next_offset;
        if is_whole {
            return Ok(Step::Done(StopReason::TotalReached));
        }
        if self.maximum_offset.is_some_and(|maximum| next_offset >= maximum) {
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
