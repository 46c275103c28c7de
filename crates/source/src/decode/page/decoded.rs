//! What decoding a page gives, beside its rows.

use lakefeed_model::reject::Reject;
use lakefeed_model::schema::{Mismatch, Variant};

use crate::paginate::PageMeta;

/// What a page held, beside its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What the paginator wants to know.
    pub meta: PageMeta,
    /// The records that were refused, in order.
    pub rejects: Vec<Reject>,
    /// The values that did not fit and that null stands for, by the rule of their field, in order.
    /// Their records are rows.
    pub nulled: Vec<Reject>,
    /// Records that the gate dropped.
    pub dropped: u64,
    /// Values that did not fit and that null stands for, by the schema contract.
    pub discarded: u64,
    /// Columns that records were refused for lack of, with
    /// [`TypeMismatches::Variant`](crate::decode::TypeMismatches::Variant); one may come more than
    /// once.
    pub variants: Vec<Variant>,
    /// Records that do not fit, with
    /// [`UnknownFields::Collect`](crate::decode::UnknownFields::Collect) or
    /// [`TypeMismatches::Collect`](crate::decode::TypeMismatches::Collect), once of those that are
    /// alike. Where there is any, the page is not taken: no row of it is buffered, and of all the
    /// rest only `meta` counts.
    pub mismatches: Vec<Mismatch>,
}
