//! Which page comes next. Pure, serialisable state machines: no socket, no clock, no task.
//!
//! [`Paginator::next`] runs once per *accepted* page, so retries cannot move it. It ends with a named [`StopReason`].
//! Its state is data: serialise it to stop, deserialise it and call [`Paginator::first`] to go on.

mod offset;
mod page_meta;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use offset::Offset;
pub use page_meta::{Lookup, PageMeta, Scalar};

use crate::spec::{JsonPath, PaginationSpec, Placement};

/// Decides which page comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Paginator {
    /// The first answer is everything.
    SinglePage,
    /// `offset` and `limit`.
    Offset(Offset),
}

/// What a page's request has beyond the endpoint's own: values and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageRequest {
    /// Each value with its place; a query value replaces one of the same name.
    pub values: Vec<(Placement, u64)>,
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
}

impl Paginator {
    /// The machine of a resource's pagination, at its start.
    pub fn new(spec: &PaginationSpec) -> Self {
        match spec {
            PaginationSpec::SinglePage => Self::SinglePage,
            PaginationSpec::Offset(spec) => Self::Offset(Offset::new(spec)),
        }
    }

    /// The request for the first page or, after a resume, for the first one that was not accepted.
    pub fn first(&self) -> PageRequest {
        match self {
            Self::SinglePage => PageRequest::default(),
            Self::Offset(offset) => offset.request(),
        }
    }

    /// The places of a page that [`Self::next`] wants to know, in the order of [`PageMeta::values`].
    pub fn lookups(&self) -> Vec<JsonPath> {
        match self {
            Self::SinglePage => Vec::new(),
            Self::Offset(offset) => offset.lookups(),
        }
    }

    /// Takes the facts about an accepted page and decides what follows.
    ///
    /// # Errors
    /// When the page lacks what the paginator was told to look for; the state is then as before.
    pub fn next(&mut self, page: &PageMeta) -> Result<Step, PaginationError> {
        match self {
            Self::SinglePage => Ok(Step::Done(StopReason::SinglePage)),
            Self::Offset(offset) => offset.next(page),
        }
    }

    /// How many records the page says that the whole listing has, counted from the listing's first record.
    pub fn stated_total(&self, page: &PageMeta) -> Option<u64> {
        match self {
            Self::SinglePage => None,
            Self::Offset(offset) => offset.stated_total(page),
        }
    }

    /// Whether the page says that there is another one, where it says so.
    pub fn says_more(&self, page: &PageMeta) -> Option<bool> {
        match self {
            Self::SinglePage => None,
            Self::Offset(offset) => offset.says_more(page),
        }
    }

    /// How many records a page is asked to hold, where the listing asks for a number.
    pub fn page_size(&self) -> Option<u64> {
        match self {
            Self::SinglePage => None,
            Self::Offset(offset) => Some(offset.page_size()),
        }
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
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
