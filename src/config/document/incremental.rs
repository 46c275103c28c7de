//! `endpoint.incremental` of a pipeline file as its user wrote it.

use super::containers::OneOrMore;
use super::read::{mapping, words};
use super::values::{Column, CursorValue, Number, OneOf, Path, Span, Text};
use crate::spec::{CursorFormat, LagUnit, LastValue, OnMissing, RangeBound, RowOrder};

words! {
    LagUnit {
        "seconds" = Self::Seconds, "minutes" = Self::Minutes, "hours" = Self::Hours, "days" = Self::Days,
        "units" = Self::Units
    }
    LastValue { "max" = Self::Max, "min" = Self::Min }
    RowOrder { "asc" = Self::Ascending, "desc" = Self::Descending }
    OnMissing { "raise" = Self::Raise, "include" = Self::Include, "exclude" = Self::Exclude }
    RangeBound { "closed" = Self::Closed, "open" = Self::Open }
    CursorFormat {
        "epoch_s" = Self::EpochSeconds, "epoch_ms" = Self::EpochMilliseconds, "iso" = Self::Iso, "date" = Self::Date
    }
}

mapping! {
    /// How only what is new is read.
    IncrementalDocument "incremental" {
        /// Where a record has its cursor value, a number or a string. Date-times (ISO 8601, or as
        /// mails have them) are compared as instants, numbers by size also when they are written
        /// as text, other strings by their characters.
        cursor_path: Path [required] like "updated_at",
        /// Where the first run starts.
        initial_value: CursorValue [usually "everything"] like "2026-01-01T00:00:00Z",
        /// Where every run ends. Needs `initial_value`; nothing is remembered then, and every run
        /// reads the same range.
        end_value: CursorValue [none],
        /// Which of two values is the later one.
        last_value_func: OneOf<LastValue> [LastValue::Max],
        /// How far before the last value a run starts, but never before `initial_value`.
        lag: Number [none],
        /// What `lag` counts; `units` is what a number counts. Without it, seconds for date-times,
        /// days for dates, `units` for numbers. A unit of time makes a number a time since 1970, in
        /// seconds or, from 100,000,000,000 on, in milliseconds.
        lag_unit: OneOf<LagUnit> [usually "by the value"],
        /// The order in which the API is certain to give records by the cursor. Then paging stops
        /// at the first page past the range.
        row_order: OneOf<RowOrder> [usually "not known"],
        /// Records without a value: `raise` fails the run, `include` keeps them, `exclude` leaves
        /// them out.
        on_cursor_value_missing: OneOf<OnMissing> [OnMissing::Raise],
        /// Whether records at the start belong to the range. With `closed`, those that were
        /// committed before are not appended again.
        range_start: OneOf<RangeBound> [RangeBound::Closed],
        /// Whether records at the end belong to the range.
        range_end: OneOf<RangeBound> [RangeBound::Open],
        /// The fields that tell records at one value apart; the whole record where there is no key.
        /// An empty list: none are told apart, and all at the start are read again.
        primary_key: OneOrMore<Column> [usually "that of the resource"],
        /// How values are written in requests: seconds or milliseconds since 1970,
        /// `2026-11-23T08:00:00Z` or `2026-11-23`, in UTC. With the first two, numbers of records
        /// are compared with dates, too.
        format: OneOf<CursorFormat> [usually "as the API writes it"],
        /// The length of one time window. A run then reads window by window until now (or
        /// `end_value`), each committed on its own. Needs `initial_value`.
        step: Span [none] like "1d",
        /// How far before the end of the last window the first one starts; a `lag` as a duration.
        /// Excludes `lag`.
        lookback: Span [none] like "6h",
        /// The query parameter that takes the start, as `{incremental.start_value}` would.
        start_param: Text [none],
        /// The query parameter that takes the end.
        end_param: Text [none],
        ignored ["type", "allow_external_schedulers"],
        refused ["convert"],
    }
}
