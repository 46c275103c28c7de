//! The one that decides which page comes next, of whatever kind.

use serde::{Deserialize, Serialize};

use super::auto;
use super::follow::Follow;
use super::offset::Offset;
use super::page_meta::{HeaderLookup, Lookup, PageMeta, Questions, Scalar};
use super::page_number::PageNumber;
use super::step::{PageRequest, PaginationError, Step, StopReason};
use crate::spec::PaginationSpec;

/// Decides which page comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Paginator {
    /// The first answer is everything.
    SinglePage,
    /// The first page decides which of the others it is.
    Auto,
    /// `offset` and `limit`.
    Offset(Offset),
    /// Numbered pages.
    PageNumber(PageNumber),
    /// Each page leads to the next one.
    Follow(Follow),
}

impl Paginator {
    /// Returns the machine of a resource's pagination, at its start.
    pub fn new(spec: &PaginationSpec) -> Self {
        match spec {
            PaginationSpec::SinglePage => Self::SinglePage,
            PaginationSpec::Auto => Self::Auto,
            PaginationSpec::Offset(spec) => Self::Offset(Offset::new(spec)),
            PaginationSpec::PageNumber(spec) => Self::PageNumber(PageNumber::new(spec)),
            PaginationSpec::Follow(spec) => Self::Follow(Follow::new(spec)),
        }
    }

    /// Returns the request for the first page or, after a resume, for the first one that was not
    /// accepted.
    pub fn first(&self) -> PageRequest {
        match self {
            Self::SinglePage | Self::Auto => PageRequest::default(),
            Self::Offset(offset) => offset.request(),
            Self::PageNumber(pages) => pages.request(),
            Self::Follow(follow) => follow.request(),
        }
    }

    /// Returns what [`Self::next`] wants to know of a page's body.
    pub fn questions(&self) -> Questions {
        let lookups = match self {
            Self::SinglePage | Self::Auto => Vec::new(),
            Self::Offset(offset) => offset.lookups(),
            Self::PageNumber(pages) => pages.lookups(),
            Self::Follow(follow) => follow.lookups(),
        };
        // Whoever is told nothing looks at the first page as a whole.
        let wants_hints = match self {
            Self::Auto => true,
            Self::Follow(follow) => follow.wants_hints(),
            Self::SinglePage | Self::Offset(_) | Self::PageNumber(_) => false,
        };
        Questions { lookups, wants_hints }
    }

    /// Returns what [`Self::next`] wants to know of a page's headers, in the order of
    /// [`PageMeta::headers`].
    pub fn header_lookups(&self) -> Vec<HeaderLookup> {
        match self {
            Self::SinglePage | Self::Offset(_) | Self::PageNumber(_) => Vec::new(),
            Self::Auto => {
                vec![HeaderLookup::Link("next".to_owned()), HeaderLookup::Value("x-total-count".to_owned())]
            }
            Self::Follow(follow) => follow.header_lookups(),
        }
    }

    /// Takes the facts about an accepted page and decides what follows.
    ///
    /// # Errors
    /// When the page lacks what the paginator was told to look for; the state is then as before.
    pub fn next(&mut self, page: &PageMeta) -> Result<Step, PaginationError> {
        match self {
            Self::SinglePage => Ok(Step::Done(StopReason::SinglePage)),
            Self::Auto => {
                let (mut detected, page) = auto::detect(page);
                let step = detected.next(&page)?;
                *self = detected;
                Ok(step)
            }
            Self::Offset(offset) => offset.next(page),
            Self::PageNumber(pages) => pages.next(page),
            Self::Follow(follow) => follow.next(page),
        }
    }

    /// Returns the request to go on with when the last page is the one before it once more, where
    /// that has a harmless meaning.
    pub fn after_repetition(&mut self) -> Option<PageRequest> {
        match self {
            Self::PageNumber(pages) => pages.count_from_one(),
            Self::SinglePage | Self::Auto | Self::Offset(_) | Self::Follow(_) => None,
        }
    }

    /// Returns whether an answer that the next page is not there ends the listing.
    pub fn may_be_missing(&self) -> bool {
        matches!(self, Self::PageNumber(pages) if pages.may_be_missing())
    }

    /// Returns the request `ahead` pages after the next one, where the last page states a total
    /// that makes it certain. What [`Self::next`] says when it comes to that page is what counts.
    pub fn ahead(&self, ahead: u64, page: &PageMeta) -> Option<PageRequest> {
        match self {
            Self::SinglePage | Self::Auto | Self::Follow(_) => None,
            Self::Offset(offset) => offset.ahead(ahead, offset.stated_total(page)?),
            Self::PageNumber(pages) => pages.ahead(ahead, pages.stated_pages(page)?),
        }
    }

    /// Returns how many records the page says that the whole listing has, counted from the
    /// listing's first record.
    pub fn stated_total(&self, page: &PageMeta) -> Option<u64> {
        match self {
            // One page is all that was found; where it speaks of more records, there are other
            // pages.
            Self::Auto => {
                let in_header = page.headers.get(1).and_then(Lookup::found).and_then(Scalar::as_u64);
                let in_body = || page.hints.as_ref()?.total.as_ref()?.1.as_u64();
                in_header.or_else(in_body).filter(|_| self.detects_one_page(page))
            }
            Self::SinglePage => None,
            Self::PageNumber(pages) => pages.stated_records(page),
            Self::Offset(offset) => offset.stated_total(page),
            Self::Follow(follow) => follow.stated_total(page),
        }
    }

    /// Returns whether the page says that there is another one, where it says so.
    pub fn says_more(&self, page: &PageMeta) -> Option<bool> {
        match self {
            Self::SinglePage => None,
            // One page is all that was found; where it says that there are others, it is not.
            Self::Auto => page.hints.as_ref()?.more.as_ref().filter(|_| self.detects_one_page(page)).map(|_| true),
            Self::Offset(offset) => offset.says_more(page),
            Self::PageNumber(pages) => pages.says_more(page),
            Self::Follow(follow) => follow.says_more(page),
        }
    }

    /// Returns how many records a page is asked to hold, where the listing asks for a number.
    pub fn page_size(&self) -> Option<u64> {
        match self {
            Self::SinglePage | Self::Auto | Self::PageNumber(_) | Self::Follow(_) => None,
            Self::Offset(offset) => Some(offset.page_size()),
        }
    }

    fn detects_one_page(&self, page: &PageMeta) -> bool {
        *self == Self::Auto && auto::detect(page).0 == Self::SinglePage
    }
}
