//! How a table is merged, as its commits say, and whether a run may go on with it. Pure.
//!
//! Strategies that keep one row per key, or group, may take turns on a table. History needs columns
//! of its own, and so do rows that are marked as deleted. So a table has history from its first
//! commit, or never; marks may begin at any time.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};

use crate::log::document::{StoredHistory, StoredMerge};
use crate::log::snapshot::Snapshot;
use crate::merge::closing::{booleans, instants};
use crate::spec::MarkKind;
use crate::write_spec::WriteSpec;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{RecordSchema, SchemaError};
use lakefeed_model::spec::WriteDisposition;

/// What a run makes of the rules of its table.
#[derive(Debug)]
pub(crate) struct TableRules {
    /// What its commit will say; `None` where nothing is merged.
    pub(crate) stored: Option<StoredMerge>,
    /// The shape of its table.
    pub(crate) table_schema: Arc<RecordSchema>,
    /// The time at which rows are closed, opened and marked.
    pub(crate) time: DateTime<Utc>,
}

impl TableRules {
    /// Returns the rules of a run at `now`.
    ///
    /// # Errors
    /// When the records have a column that the merge adds, the table was merged in a way that this
    /// run cannot go on with, or the boundary lies before that of the table.
    pub(crate) fn of(write: &WriteSpec, snapshot: &Snapshot, now: DateTime<Utc>, table: &str) -> Result<Self> {
        let merges = write.disposition == WriteDisposition::Merge;
        let table_schema = rows_schema(write)?;
        let goes_on = !write.replaces() && !snapshot.files.is_empty();
        let before = snapshot.merge.as_ref().filter(|_| goes_on);
        let time = boundary(write, before, now)?;
        let stored = merges.then(|| {
            let history = write.merge.history();
            StoredMerge {
                strategy: write.merge.strategy.name(),
                merge_key: write.merge.merge_key.clone(),
                history: history.map(|history| StoredHistory {
                    valid_from: history.valid_from.clone(),
                    valid_to: history.valid_to.clone(),
                    boundary: time,
                }),
                mark: write.merge.mark().map(|mark| mark.column.clone()),
            }
        });
        if goes_on {
            check_change(before, stored.as_ref(), table)?;
        }
        Ok(Self { stored, table_schema, time })
    }

    /// Returns a column that the merge adds to rows of the run, so many; `None` for any other
    /// column, and for one that is null in new rows.
    pub(crate) fn fill(&self, write: &WriteSpec, column: &str, rows: usize) -> Option<ArrayRef> {
        if write.disposition != WriteDisposition::Merge {
            return None;
        }
        if write.merge.history().is_some_and(|history| history.valid_from == column) {
            return Some(instants(self.time, rows));
        }
        let mark = write.merge.mark().filter(|mark| mark.column == column)?;
        (mark.kind == MarkKind::Truth).then(|| booleans(false, rows))
    }
}

/// Returns the shape of rows: that of the records, with the columns that the merge adds, and those
/// that say which run they came with.
pub(crate) fn rows_schema(write: &WriteSpec) -> Result<Arc<RecordSchema>> {
    let merges = write.disposition == WriteDisposition::Merge;
    let schema = if merges { table_schema(write)? } else { Arc::clone(&write.schema) };
    if !write.load_metadata {
        return Ok(schema);
    }
    schema.with_load_metadata().map(Arc::new).map_err(|error| {
        Error::schema(format!("resource {}: its records have a field that load_metadata adds", write.resource))
            .with_source(error)
            .with_hint("leave load_metadata out, or rename the field with a map of processing_steps")
    })
}

fn table_schema(write: &WriteSpec) -> Result<Arc<RecordSchema>> {
    let own = write.merge.own_columns();
    if let Some(taken) = own.iter().find(|own| write.schema.column(&own.name).is_some()) {
        return Err(Error::schema(format!(
            "resource {}: the records have a field {}, and so has the table for its own use",
            write.resource, taken.name
        ))
        .with_hint("give the table's column another name: validity_column_names, or deletes.column"));
    }
    write.merge.table_schema(&write.schema).map(Arc::new).map_err(|error: SchemaError| {
        Error::schema(format!("resource {}: the table's columns contradict each other", write.resource))
            .with_source(error)
    })
}

/// Returns when versions close and open: never before those that the table has.
fn boundary(write: &WriteSpec, before: Option<&StoredMerge>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let Some(history) = write.merge.history() else { return Ok(now) };
    let last = before.and_then(|before| before.history.as_ref()).map(|history| history.boundary);
    match (history.boundary, last) {
        (Some(boundary), Some(last)) if boundary < last => Err(Error::config(format!(
            "resource {}: boundary_timestamp {boundary} lies before {last}, where the table's last versions begin",
            write.resource
        ))
        .with_hint("versions follow each other: give a later time, or none for the time of the run")),
        (Some(boundary), _) => Ok(boundary),
        // A clock that was set back makes no version end before it began.
        (None, last) => Ok(last.map_or(now, |last| last.max(now))),
    }
}

/// Refuses a change that the rows of the table cannot follow.
fn check_change(before: Option<&StoredMerge>, now: Option<&StoredMerge>, table: &str) -> Result<()> {
    let history = |merge: Option<&StoredMerge>| -> Option<(String, String)> {
        merge?.history.as_ref().map(|history| (history.valid_from.clone(), history.valid_to.clone()))
    };
    let mark = |merge: Option<&StoredMerge>| merge.and_then(|merge| merge.mark.clone());
    let what = match ((history(before), history(now)), (mark(before), mark(now))) {
        ((Some(old), Some(new)), _) if old != new => {
            format!("its history is in ({}, {}), the run's in ({}, {})", old.0, old.1, new.0, new.1)
        }
        ((Some(_), None), _) => "it has history (scd2), and the run would keep none".to_owned(),
        ((None, Some(_)), _) => "it has no history, and the run would keep some (scd2)".to_owned(),
        (_, (Some(old), new)) if new.as_ref() != Some(&old) => {
            format!("its deleted rows are marked in {old}, and the run would not mark them there")
        }
        (_, _) => return Ok(()),
    };
    Err(Error::schema(format!("the run cannot go on with the table {table}: {what}"))
        .with_hint("load everything anew with --full-refresh, which keeps neither history nor deleted rows, or write to another table"))
}

/// Returns whether a batch may hold rows that delete.
pub(crate) fn takes_deletes(write: &WriteSpec) -> bool {
    write.disposition == WriteDisposition::Merge && write.merge.deletes.is_some()
}

/// Returns the shape of the batches that a run takes.
pub(crate) fn batch_schema(write: &WriteSpec) -> SchemaRef {
    if takes_deletes(write) { write.schema.to_arrow_with_deletes(&write.primary_key) } else { write.schema.to_arrow() }
}

#[cfg(test)]
mod tests;
