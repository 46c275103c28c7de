//! How a resource is read from where the last run ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::JsonPath;

/// How a resource is read from where the last run ended.
///
/// Whoever reads one says what it means for each kind, so that a new kind (a token that the API
/// gives, and nobody else understands) shows every place that it concerns.
#[derive(Debug, Clone, PartialEq)]
pub enum Incremental {
    /// By a value that each record has.
    Cursor(CursorSpec),
}

/// Reading from a cursor value on: dlt's `incremental`, and time windows.
#[derive(Debug, Clone, PartialEq)]
pub struct CursorSpec {
    /// Where a record has its cursor value.
    pub cursor_path: JsonPath,
    /// Where the first run starts.
    pub initial_value: Option<CursorValue>,
    /// Where every run ends; with one, runs are stateless.
    pub end_value: Option<CursorValue>,
    /// Which of two values is the later one.
    pub last_value: LastValue,
    /// How far before the last value a run starts.
    pub lag: Option<Lag>,
    /// In which order the API gives records, where that is certain; then paging stops at the first
    /// page past the range.
    pub row_order: Option<RowOrder>,
    /// What becomes of records without a cursor value.
    pub on_missing: OnMissing,
    /// Whether records at the start value are wanted; those that were committed before are dropped
    /// by their key.
    pub range_start: RangeBound,
    /// Whether records at the end value are wanted.
    pub range_end: RangeBound,
    /// The fields that tell records at one value apart; the primary key, or the whole record,
    /// unless given.
    pub key: Option<Vec<String>>,
    /// How values are written in requests; as they came unless given.
    pub format: Option<CursorFormat>,
    /// The length of one window; each window is read and committed on its own.
    pub step: Option<Duration>,
    /// How far before the end of the last window the first one starts.
    pub lookback: Option<Duration>,
}

/// A cursor value: a number or a string, as the API writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CursorValue {
    /// A number, as its JSON text.
    Number(String),
    /// A string: a date, a date-time, an id.
    Text(String),
}

/// Which of two cursor values is the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastValue {
    /// The greater one.
    Max,
    /// The smaller one.
    Min,
}

/// How far before the last value a run starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// How many units; not negative.
    pub amount: f64,
    /// The unit; seconds for date-times, days for dates and what they count for numbers unless
    /// given. A unit of time makes a number a time since 1970.
    pub unit: Option<LagUnit>,
}

/// The unit of a lag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LagUnit {
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// What the number counts.
    Units,
}

/// The order in which an API gives records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// The earliest first.
    Ascending,
    /// The latest first.
    Descending,
}

/// What becomes of records without a cursor value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMissing {
    /// They fail the run.
    Raise,
    /// They are rows.
    Include,
    /// They are left out.
    Exclude,
}

/// Whether a bound belongs to the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeBound {
    /// It does.
    Closed,
    /// It does not.
    Open,
}

/// How cursor values are written in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CursorFormat {
    /// Whole seconds since 1970.
    EpochSeconds,
    /// Whole milliseconds since 1970.
    EpochMilliseconds,
    /// RFC 3339, UTC: `2026-11-23T08:00:00Z`.
    Iso,
    /// `2026-11-23`, UTC.
    Date,
}

impl CursorValue {
    /// Returns the value without quotes.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Number(text) | Self::Text(text) => text,
        }
    }

    /// Returns the value of a JSON scalar; none for anything else.
    pub fn of_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Number(number) => Some(Self::Number(number.to_string())),
            serde_json::Value::String(text) => Some(Self::Text(text.clone())),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => None,
        }
    }
}

impl fmt::Display for CursorValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value of the cursor that a request can be asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncrementalValue {
    /// Where this run, or this window of it, starts: the last value less the lag.
    StartValue,
    /// `incremental.initial_value`
    InitialValue,
    /// The last value that a run committed, less the lag; of all windows of a run the same.
    LastValue,
    /// Where this run, or this window of it, ends.
    EndValue,
    /// `incremental.lag`
    Lag,
}
