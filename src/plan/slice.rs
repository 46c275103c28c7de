//! A part of a resource that can be read on its own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{CursorBindings, Window};
use crate::extract::ParentRow;

/// A part of a resource that can be read on its own. With the pipeline file, it says all that is to
/// be known to do so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slice {
    /// The version of this document.
    pub version: u32,
    /// The resource that it belongs to.
    pub resource: String,
    /// Its place among the slices of its plan, from 0. Rows are in the order of slices, then of
    /// pages, then of records.
    pub number: u64,
    /// Which part it is.
    pub part: Part,
    /// What its requests are asked with, where the resource has a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindings: Option<Arc<CursorBindings>>,
}

/// Which part of a resource a slice is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub(crate) enum Part {
    /// The whole listing.
    Listing,
    /// The records of a time window.
    Window(Window),
    /// The listing of a record of the parent, by the fields that the resource wants of it.
    ParentRow(ParentRow),
}

impl Slice {
    /// The version that this program writes.
    pub(crate) const VERSION: u32 = 1;
}
