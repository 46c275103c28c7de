//! What a resource says about merging, as its user wrote it: the long form of `write_disposition`,
//! and `deletes`.

use super::containers::OneOrMore;
use super::read::{mapping, words};
use super::values::{Boolean, Column, Expression, Instant, OneOf, Text};
use crate::spec::{MarkKind, StrategyName, WriteDisposition};

/// `write_disposition`, with dlt's word for a resource that is read for its children only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    Table(WriteDisposition),
    Skip,
}

words! {
    Disposition {
        "append" = Self::Table(WriteDisposition::Append), "replace" = Self::Table(WriteDisposition::Replace),
        "merge" = Self::Table(WriteDisposition::Merge), "skip" = Self::Skip
    }
    StrategyName {
        "upsert" = Self::Upsert, "delete-insert" = Self::DeleteInsert, "insert-only" = Self::InsertOnly,
        "scd2" = Self::Scd2
    }
    MarkKind { "timestamp" = Self::Time, "boolean" = Self::Truth }
}

mapping! {
    /// What a run does with the rows that are there.
    DispositionDocument "write_disposition" or "disposition" {
        /// `append` adds what was read, `replace` makes the table what this run read (a cursor
        /// starts anew in each run), `merge` keeps one row per `primary_key`, the newest version.
        /// `skip` is another word for `selected: false`. The other keys need `merge`.
        disposition: OneOf<Disposition> [none],
        /// `upsert`: the newest version of a key takes the place of the older one. `delete-insert`:
        /// rows with a `merge_key` or a `primary_key` that came leave, and what came takes their
        /// place. `insert-only`: only rows of new keys come. `scd2`: changed rows are closed, and
        /// new versions open.
        strategy: OneOf<StrategyName> [usually "`delete-insert` where there is a `merge_key`, else `upsert`"],
        /// The column that says which version of a key is newer. An older one never overwrites a
        /// newer one, in a run or in the table. Not with `insert-only`.
        newer_by: Column [none],
        /// `scd2`: the names of the columns that say from when on, and until when, a version holds.
        validity_column_names: OneOrMore<Text> [usually "`[valid_from, valid_to]`"],
        /// `scd2`: the time at which versions close and open, a date or an RFC 3339 date-time. Not
        /// before that of the last run.
        boundary_timestamp: Instant [usually "the time of the run"] like "2026-11-23T00:00:00Z",
        /// `scd2`: whether keys that are absent from a listing that was proven complete are closed.
        /// Never where the resource, or one that it depends on, is `incremental`.
        retire_absent: Boolean [usually "`true`"],
        ignored ["deduplicated"],
        refused [
            "source_filter", "destination_scope", "skip_unchanged_rows", "active_record_timestamp",
            "row_version_column_name"
        ],
    }
}

mapping! {
    /// Which records delete, and how.
    DeletesDocument "deletes" {
        /// An [expression](expressions.md): records for which it is true delete. Beside a column
        /// with `hard_delete`, either will do.
        when: Expression [none] like "record.status == 'cancelled'",
        /// `hard`: the row leaves (with `scd2`, its current version is closed). `soft`, with
        /// `upsert` only: the row stays with the last values that were known, and is marked.
        mode: OneOf<DeleteMode> [DeleteMode::Hard],
        /// The column that marks a deleted row, which the table has beside those of the records.
        column: Text [usually "`deleted_at`, or `is_deleted`"],
        /// What it holds. `timestamp`: the time of the run that deleted it, null in other rows.
        /// `boolean`: true, and false in other rows.
        kind "type": OneOf<MarkKind> [usually "`timestamp`"],
    }
}

/// Whether deleted rows leave, or stay with a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeleteMode {
    Hard,
    Soft,
}

words! {
    DeleteMode { "hard" = Self::Hard, "soft" = Self::Soft }
}
