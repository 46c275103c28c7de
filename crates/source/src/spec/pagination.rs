//! How a listing is cut into pages.

use serde::{Deserialize, Serialize};

use lakefeed_model::spec::JsonPath;

/// How a listing is cut into pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaginationSpec {
    /// The first answer is everything.
    SinglePage,
    /// The first answer decides, by dlt's rules.
    Auto,
    /// `offset` and `limit`.
    Offset(OffsetSpec),
    /// Numbered pages.
    PageNumber(PageNumberSpec),
    /// Each page leads to the next one: by a token, by a link, or by its last record.
    Follow(FollowSpec),
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

/// dlt's offset paginator, option for option. At least one of `total_path`, `maximum_offset`,
/// `has_more_path` and `stop_after_empty_page` is set: a listing must be able to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetSpec {
    /// Records asked for per page, and the step of the offset; at least 1.
    pub limit: u64,
    /// The offset of the first page.
    pub offset: u64,
    /// The offset of the listing's first record. `None` where it is open whether the API counts
    /// from 0 or from 1.
    pub base_offset: Option<u64>,
    /// Where the offset goes.
    pub offset_in: Placement,
    /// Where the limit goes.
    pub limit_in: Placement,
    /// Where the page says how many records there are in all.
    pub total_path: Option<JsonPath>,
    /// Whether the total must be there on a page without records, too.
    pub total_is_required: bool,
    /// The offset at which to stop, exclusive.
    pub maximum_offset: Option<u64>,
    /// Whether a page without records ends the listing.
    pub stop_after_empty_page: bool,
    /// Where the page says whether there is another; it can end a listing, never prolong it.
    pub has_more_path: Option<JsonPath>,
}

/// dlt's page number paginator, option for option. A listing can end, as with [`OffsetSpec`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageNumberSpec {
    /// The number of the API's first page.
    pub base_page: u64,
    /// Whether that is open: page 1 is asked for before an empty page 0 is believed.
    pub base_is_open: bool,
    /// The number of the first page to ask for.
    pub page: u64,
    /// Where the number goes.
    pub page_in: Placement,
    /// Where the page says how many *pages* there are in all.
    pub total_path: Option<JsonPath>,
    /// Whether the total must be there on a page without records, too.
    pub total_is_required: bool,
    /// The page number at which to stop, exclusive.
    pub maximum_page: Option<u64>,
    /// Whether a page without records ends the listing.
    pub stop_after_empty_page: bool,
    /// Where the page says whether there is another; it can end a listing, never prolong it.
    pub has_more_path: Option<JsonPath>,
}

/// A paginator in which each page leads to the next one: dlt's `cursor`, `header_cursor`,
/// `json_link` and `header_link`, and `keyset`, which goes on after the last record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowSpec {
    /// Where a page says how to go on.
    pub from: FollowFrom,
    /// What is done with it.
    pub to: FollowTo,
    /// Whether a page without records ends the listing.
    pub stop_after_empty_page: bool,
    /// Where the page says whether there is another; apart from the token, and only able to end a
    /// listing.
    pub has_more_path: Option<JsonPath>,
    /// Where a page says how many records there are in all.
    pub total: FollowTotal,
}

/// Where pages that lead to each other say how many records there are in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowTotal {
    /// Nowhere, whatever looks like it.
    Nowhere,
    /// Wherever the first page seems to.
    Hinted,
    /// At this place; the first page must have it.
    At(JsonPath),
}

/// Where a page says how to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowFrom {
    /// A place in its body.
    Body(JsonPath),
    /// A header.
    Header(String),
    /// The `Link` header's target with this relation (RFC 8288).
    LinkHeader(String),
    /// A value of its last record, to which the path leads.
    LastRecord(JsonPath),
}

/// What is done with a token or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowTo {
    /// It goes into the next request.
    Value(Placement),
    /// It is the next request's URL, perhaps relative to the last one; the endpoint's parameters
    /// are not added again.
    Url,
}
