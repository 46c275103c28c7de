//! Which page comes next. Pure, serialisable state machines: no socket, no clock, no task.
//!
//! [`Paginator::next`] runs once per *accepted* page, so retries cannot move it. It ends with a named [`StopReason`].
//! Its state is data: serialise it to stop, deserialise it and call [`Paginator::first`] to go on.

mod auto;
mod follow;
mod links;
mod offset;
mod page_meta;
mod page_number;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use follow::Follow;
pub use links::link_target;
pub use offset::Offset;
pub use page_meta::{Content, HeaderLookup, Lookup, PageMeta, PagingHints, Scalar};
pub use page_number::PageNumber;

use crate::spec::{PaginationSpec, Placement};
use lakefeed_model::spec::JsonPath;

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

/// What a page's request has beyond the endpoint's own: values and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageRequest {
    /// Each value with its place; a query value replaces one of the same name.
    pub values: Vec<(Placement, Scalar)>,
    /// The URL to ask instead of the endpoint's, perhaps relative to the last one.
    pub link: Option<String>,
}

/// What follows an accepted page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Another page.
    Fetch(PageRequest),
    /// Nothing: the listing ended, and why.
    Done(StopReason),
}

/// Why a listing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The endpoint has one page.
    SinglePage,
    /// The next offset would be at or past the total that the API states.
    TotalReached,
    /// The next offset would be at or past `maximum_offset`.
    MaximumReached,
    /// A page came without records.
    EmptyPage,
    /// The page said that there is no other.
    NoMore,
    /// The page did not lead to another one.
    NoNext,
    /// A record was past the range that the cursor wants, in the order in which records come.
    RangeEnded,
    /// A response action ignored the answer.
    Ignored,
}

/// A page that a paginator cannot go on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaginationError {
    /// The page lacks a value that the paginator was told to look for.
    #[error("{option} {path} was not found in the response")]
    Missing {
        /// The paginator's option.
        option: &'static str,
        /// The path that it gives.
        path: JsonPath,
    },
    /// The value is not of the kind that the paginator needs.
    #[error("{option} {path} is {found}, not {expected}")]
    Unusable {
        /// The paginator's option.
        option: &'static str,
        /// The path that it gives.
        path: JsonPath,
        /// What was there.
        found: String,
        /// What should have been.
        expected: &'static str,
    },
    /// The offset would pass 2^64.
    #[error("the offset grew past what 64 bits hold")]
    Overflow,
    /// The page says that there is more, but not how to get it.
    #[error("has_more_path {path} says that there is more, but nothing leads to the next page")]
    MoreWithoutNext {
        /// The path of the flag.
        path: JsonPath,
    },
    /// A token or link came before.
    #[error("the token or link {token} came before: the listing goes in a circle")]
    Loop {
        /// The token, cut to a bearable length.
        token: String,
    },
}

impl Paginator {
    /// The machine of a resource's pagination, at its start.
    pub fn new(spec: &PaginationSpec) -> Self {
        match spec {
            PaginationSpec::SinglePage => Self::SinglePage,
            PaginationSpec::Auto => Self::Auto,
            PaginationSpec::Offset(spec) => Self::Offset(Offset::new(spec)),
            PaginationSpec::PageNumber(spec) => Self::PageNumber(PageNumber::new(spec)),
            PaginationSpec::Follow(spec) => Self::Follow(Follow::new(spec)),
        }
    }

    /// The request for the first page or, after a resume, for the first one that was not accepted.
    pub fn first(&self) -> PageRequest {
        match self {
            Self::SinglePage | Self::Auto => PageRequest::default(),
            Self::Offset(offset) => offset.request(),
            Self::PageNumber(pages) => pages.request(),
            Self::Follow(follow) => follow.request(),
        }
    }

    /// The places of a page that [`Self::next`] wants to know, in the order of [`PageMeta::values`].
    pub fn lookups(&self) -> Vec<JsonPath> {
        match self {
            Self::SinglePage | Self::Auto => Vec::new(),
            Self::Offset(offset) => offset.lookups(),
            Self::PageNumber(pages) => pages.lookups(),
            Self::Follow(follow) => follow.lookups(),
        }
    }

    /// What [`Self::next`] wants to know of a page's headers, in the order of [`PageMeta::headers`].
    pub fn header_lookups(&self) -> Vec<HeaderLookup> {
        match self {
            Self::SinglePage | Self::Offset(_) | Self::PageNumber(_) => Vec::new(),
            Self::Auto => {
                vec![HeaderLookup::Link("next".to_owned()), HeaderLookup::Value("x-total-count".to_owned())]
            }
            Self::Follow(follow) => follow.header_lookups(),
        }
    }

    /// Whether the next page must come with [`PageMeta::hints`].
    pub fn wants_hints(&self) -> bool {
        *self == Self::Auto
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

    /// The request to go on with when the last page is the one before it once more, where that has a harmless meaning.
    pub fn after_repetition(&mut self) -> Option<PageRequest> {
        match self {
            Self::PageNumber(pages) => pages.count_from_one(),
            Self::SinglePage | Self::Auto | Self::Offset(_) | Self::Follow(_) => None,
        }
    }

    /// The request `ahead` pages after the next one, where the last page states a total that makes it certain. What
    /// [`Self::next`] says when it comes to that page is what counts.
    pub fn ahead(&self, ahead: u64, page: &PageMeta) -> Option<PageRequest> {
        match self {
            Self::SinglePage | Self::Auto | Self::Follow(_) => None,
            Self::Offset(offset) => offset.ahead(ahead, offset.stated_total(page)?),
            Self::PageNumber(pages) => pages.ahead(ahead, pages.stated_pages(page)?),
        }
    }

    /// How many records the page says that the whole listing has, counted from the listing's first record.
    pub fn stated_total(&self, page: &PageMeta) -> Option<u64> {
        match self {
            // One page is all that was found; where it speaks of more records, there are other pages.
            Self::Auto => {
                let in_header = page.headers.get(1).and_then(Lookup::found).and_then(Scalar::as_u64);
                let in_body = || page.hints.as_ref()?.total.as_ref()?.as_u64();
                in_header.or_else(in_body).filter(|_| self.detects_one_page(page))
            }
            Self::SinglePage | Self::PageNumber(_) | Self::Follow(_) => None,
            Self::Offset(offset) => offset.stated_total(page),
        }
    }

    /// Whether the page says that there is another one, where it says so.
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

    /// How many records a page is asked to hold, where the listing asks for a number.
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

impl StopReason {
    /// The reason as it is written in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SinglePage => "single_page",
            Self::TotalReached => "total_reached",
            Self::MaximumReached => "maximum_reached",
            Self::EmptyPage => "empty_page",
            Self::NoMore => "no_more",
            Self::NoNext => "no_next",
            Self::RangeEnded => "range_ended",
            Self::Ignored => "ignored",
        }
    }
}

fn read<T>(
    value: Option<&Lookup>,
    option: &'static str,
    path: &JsonPath,
    expected: &'static str,
    convert: impl Fn(&Scalar) -> Option<T>,
) -> Result<T, PaginationError> {
    match value {
        None | Some(Lookup::Missing) => Err(PaginationError::Missing { option, path: path.clone() }),
        Some(Lookup::Found(found)) => convert(found).ok_or_else(|| PaginationError::Unusable {
            option,
            path: path.clone(),
            found: found.describe(),
            expected,
        }),
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
