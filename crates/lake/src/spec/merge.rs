//! How the rows of a run and those of its table become one.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use lakefeed_model::schema::{Column, ColumnType, RecordSchema, SchemaError};

/// How the rows of a run and those of its table become one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergeSpec {
    /// What happens to a row of the table that the run speaks of.
    pub strategy: MergeStrategy,
    /// The columns that name a group of rows which a run brings as a whole; empty for none.
    pub merge_key: Vec<String>,
    /// Which of several versions of a key wins; `None` for the last arrival.
    pub precedence: Option<Precedence>,
    /// What becomes of rows that records delete; `None` when no record deletes.
    pub deletes: Option<DeleteEffect>,
}

/// What happens to a row of the table that the run speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MergeStrategy {
    /// The newest version takes its place.
    #[default]
    Upsert,
    /// Rows of the same `merge_key`, and of the same primary key, leave; the run's rows come.
    DeleteInsert,
    /// It stays; only rows of new keys come.
    InsertOnly,
    /// It is closed, and a new version opens.
    Scd2(HistorySpec),
}

/// The name of a strategy, as pipeline files and commits write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyName {
    /// [`MergeStrategy::Upsert`].
    Upsert,
    /// [`MergeStrategy::DeleteInsert`].
    DeleteInsert,
    /// [`MergeStrategy::InsertOnly`].
    InsertOnly,
    /// [`MergeStrategy::Scd2`].
    Scd2,
}

/// How history is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistorySpec {
    /// The column that says from when on a version holds.
    pub valid_from: String,
    /// The column that says until when it held; null in the current version.
    pub valid_to: String,
    /// The time at which versions close and open; the run's own time when `None`.
    pub boundary: Option<DateTime<Utc>>,
    /// Whether keys that are absent from a complete listing are closed.
    pub retires_absent: bool,
}

/// Which of several versions of a key wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precedence {
    /// The column that decides.
    pub column: String,
    /// Which of its values wins.
    pub order: SortOrder,
    /// Whether a row of the table that wins stays, too; otherwise only the versions of one run are
    /// compared.
    pub guards_table: bool,
}

/// Which of two values wins. Null loses against any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// The greatest (`desc`).
    Greatest,
    /// The least (`asc`).
    Least,
}

/// What becomes of a row whose record was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteEffect {
    /// It leaves the table.
    Remove,
    /// It stays, and is marked.
    Mark(MarkSpec),
}

/// The column that marks a deleted row, which stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkSpec {
    /// The column's name.
    pub column: String,
    /// What is written there.
    pub kind: MarkKind,
}

/// What marks a deleted row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// The run's time; null in rows that are not deleted.
    Time,
    /// True; false in rows that are not deleted.
    Truth,
}

impl MergeStrategy {
    /// Returns the strategy's name.
    pub fn name(&self) -> StrategyName {
        match self {
            Self::Upsert => StrategyName::Upsert,
            Self::DeleteInsert => StrategyName::DeleteInsert,
            Self::InsertOnly => StrategyName::InsertOnly,
            Self::Scd2(_) => StrategyName::Scd2,
        }
    }
}

impl StrategyName {
    /// Returns the name as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::DeleteInsert => "delete-insert",
            Self::InsertOnly => "insert-only",
            Self::Scd2 => "scd2",
        }
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl MergeSpec {
    /// Returns the history that is kept, if any.
    pub fn history(&self) -> Option<&HistorySpec> {
        match &self.strategy {
            MergeStrategy::Scd2(history) => Some(history),
            MergeStrategy::Upsert | MergeStrategy::DeleteInsert | MergeStrategy::InsertOnly => None,
        }
    }

    /// Returns the column that marks deleted rows, if any.
    pub fn mark(&self) -> Option<&MarkSpec> {
        match self.deletes.as_ref()? {
            DeleteEffect::Mark(mark) => Some(mark),
            DeleteEffect::Remove => None,
        }
    }

    /// Returns the columns that the merge adds to those of the records.
    pub fn own_columns(&self) -> Vec<Column> {
        let column = |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
        let history = self.history().into_iter().flat_map(|history| {
            [
                column(&history.valid_from, ColumnType::TimestampUtc, false),
                column(&history.valid_to, ColumnType::TimestampUtc, true),
            ]
        });
        let mark = self.mark().map(|mark| match mark.kind {
            MarkKind::Time => column(&mark.column, ColumnType::TimestampUtc, true),
            // Null in rows that were there before deletes were marked.
            MarkKind::Truth => column(&mark.column, ColumnType::Boolean, true),
        });
        history.chain(mark).collect()
    }

    /// Returns what is wrong with keys of records that delete. Such a record is reduced to its key,
    /// so the key is not within an object, of which other fields may be wanted.
    pub fn deep_keys(&self, primary_key: &[String], table: &RecordSchema) -> Vec<String> {
        let precedence = self.precedence.iter().map(|precedence| &precedence.column);
        let keys = primary_key.iter().chain(&self.merge_key).chain(precedence).filter(|_| self.deletes.is_some());
        let deep = keys.filter(|key| table.source_of(key).len() > 1);
        let what = "is within an object; records that delete need it outside: a map of processing_steps puts it there";
        deep.map(|key| format!("'{key}' {what}")).collect()
    }

    /// Returns the shape of a table whose records have the shape `records`.
    ///
    /// # Errors
    /// When a column of the records has the name of one that the merge adds.
    pub fn table_schema(&self, records: &RecordSchema) -> Result<RecordSchema, SchemaError> {
        let columns = records.columns().iter().cloned().chain(self.own_columns()).collect();
        records.with_columns(columns)
    }
}
