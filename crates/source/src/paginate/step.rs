//! What follows an accepted page: another request, the end with its reason, or why neither can be
//! told.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::page_meta::{Lookup, Scalar};
use crate::spec::Placement;
use lakefeed_model::spec::JsonPath;

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

impl StopReason {
    /// Returns the reason as it is written in reports.
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

/// Reads a total that must be there, unless an earlier page has stated one.
pub(super) fn read_total(value: Option<&Lookup>, path: &JsonPath, known: Option<u64>) -> Result<u64, PaginationError> {
    match (value, known) {
        (None | Some(Lookup::Missing), Some(known)) => Ok(known),
        _ => read(value, "total_path", path, "an integer", Scalar::as_u64),
    }
}

pub(super) fn read<T>(
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
