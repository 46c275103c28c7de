//! How a listing is cut into pages.

use serde::{Deserialize, Serialize};

use super::JsonPath;

/// How a listing is cut into pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaginationSpec {
    /// The first answer is everything.
    SinglePage,
    /// `offset` and `limit`.
    Offset(OffsetSpec),
}

/// Where a paging value goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// A query parameter; it replaces one of the same name.
    Query(String),
    /// A place in the JSON body; missing objects on the way are made.
    Body(JsonPath),
}

/// dlt's offset paginator, option for option. At least one of `total_path`, `maximum_offset`, `has_more_path` and
/// `stop_after_empty_page` is set: a listing must be able to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetSpec {
    /// Records asked for per page, and the step of the offset; at least 1.
    pub limit: u64,
    /// The offset of the first page.
    pub offset: u64,
    /// Where the offset goes.
    pub offset_in: Placement,
    /// Where the limit goes.
    pub limit_in: Placement,
    /// Where the page says how many records there are in all.
    pub total_path: Option<JsonPath>,
    /// The offset at which to stop, exclusive.
    pub maximum_offset: Option<u64>,
    /// Whether a page without records ends the listing.
    pub stop_after_empty_page: bool,
    /// Where the page says whether there is another; it can end a listing, never prolong it.
    pub has_more_path: Option<JsonPath>,
}
