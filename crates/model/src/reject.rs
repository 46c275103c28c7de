//! A record that was refused, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a record was refused; bounded, so that reports can count by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectCode {
    /// The record is not a JSON object.
    NotAnObject,
    /// A value is of another JSON type than its column.
    WrongType,
    /// A number does not fit its column: out of range, or not exact.
    OutOfRange,
    /// A string does not have the form that its column wants (a date-time, a decimal, …).
    BadFormat,
    /// A column that must have a value has none.
    MissingValue,
    /// A field that the inferred schema does not know.
    UnknownField,
    /// An expression of the processing steps fails on the record.
    Expression,
}

impl RejectCode {
    /// Returns whether a value does not fit the type of its column.
    pub const fn is_about_a_value(self) -> bool {
        matches!(self, Self::WrongType | Self::OutOfRange | Self::BadFormat)
    }

    /// Returns the code as it is written in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::BadFormat => "bad_format",
            Self::MissingValue => "missing_value",
            Self::UnknownField => "unknown_field",
            Self::Expression => "expression",
        }
    }
}

/// Returns the command that shows the refused records of a run beside the table at a URL or path;
/// `None` where that is no table of a lake.
pub fn command_to_show(table: &str, run_id: &str) -> Option<String> {
    let (lake, table) = table.trim_end_matches('/').rsplit_once('/')?;
    Some(format!("lakefeed table rejects {lake} {table} --run {run_id}"))
}

/// A refused record. It is counted, reported and kept beside the table; it never fails the page
/// that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The page of the listing that held the record, from 0.
    pub page: u64,
    /// The record's place within its page, from 0.
    pub position: u64,
    /// Where the refused value is, as a JSON path from the record's root: `$.start_time`.
    pub path: String,
    /// The kind of reason.
    pub code: RejectCode,
    /// The reason in words: what was found and what was expected.
    pub reason: String,
    /// The record's own bytes as they came.
    pub raw: String,
}
