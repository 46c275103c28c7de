//! What a merge sees of rows: their key, their group, their content, and whether they still count.
//! Pure.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::is_null;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::fingerprint::{Fingerprint, Fingerprinter, random_seed};
use crate::merge::precedence::is_comparable;
use crate::spec::{MarkKind, Precedence, StrategyName};
use crate::write_spec::WriteSpec;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{RecordSchema, is_load_metadata};

/// What makes two rows versions of the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentifiedBy {
    /// The columns of the primary key.
    Key,
    /// Everything in them: without a primary key, a changed row is another one.
    Record,
    /// Everything in them, and how often it was there before: equal rows are rows of their own.
    Occurrence,
}

/// Extracts from the rows of one table what a merge must know of them.
#[derive(Debug)]
pub(crate) struct RowIdentity {
    seed: u64,
    pub(crate) by: IdentifiedBy,
    key: Vec<String>,
    keys: Option<Fingerprinter>,
    group: Vec<String>,
    groups: Option<Fingerprinter>,
    rows: Fingerprinter,
    /// The columns of the records: those of the table but for the ones that the merge adds.
    record: Vec<String>,
    pub(crate) precedence: Option<Precedence>,
    /// The column that is null in current versions, where history is kept.
    valid_to: Option<String>,
    /// The column that marks deleted rows, where they stay.
    mark: Option<(String, MarkKind)>,
    /// The columns of the table by which rows are found.
    search: SchemaRef,
}

impl RowIdentity {
    /// Returns the extractor of a run for a table of the shape `table`.
    ///
    /// # Errors
    /// When the columns that the merge names are not there, or cannot be compared.
    pub(crate) fn new(write: &WriteSpec, table: &RecordSchema) -> Result<Self> {
        Self::seeded(write, table, random_seed())
    }

    /// Returns the extractor for another shape of the table. Keys and groups keep their
    /// fingerprints.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn reshaped(&self, write: &WriteSpec, table: &RecordSchema) -> Result<Self> {
        Self::seeded(write, table, self.seed)
    }

    fn seeded(write: &WriteSpec, table: &RecordSchema, seed: u64) -> Result<Self> {
        let fails = |error: ArrowError| {
            Error::config(format!("resource {}: rows of this schema cannot be compared", write.resource))
                .with_source(error)
        };
        let merge = &write.merge;
        let table = table.to_arrow();
        let own = merge.own_columns();
        let is_record = |name: &String| own.iter().all(|column| column.name != *name) && !is_load_metadata(name);
        let types = |names: &[String]| -> Result<Vec<_>> {
            let field = |name: &String| table.field_with_name(name).map(|field| field.data_type().clone());
            names.iter().map(field).collect::<Result<_, _>>().map_err(fails)
        };
        let of = |names: &[String]| -> Result<Option<Fingerprinter>> {
            if names.is_empty() {
                return Ok(None);
            }
            Fingerprinter::new(types(names)?, seed).map(Some).map_err(fails)
        };
        let by = match (write.primary_key.as_slice(), merge.strategy.name()) {
            ([], StrategyName::DeleteInsert) => IdentifiedBy::Occurrence,
            ([], _) => IdentifiedBy::Record,
            (_, _) => IdentifiedBy::Key,
        };
        if let Some(precedence) = &merge.precedence
            && !types(std::slice::from_ref(&precedence.column))?.iter().all(is_comparable)
        {
            let what = format!("resource {}: versions cannot be compared by {}", write.resource, precedence.column);
            return Err(Error::config(what).with_hint("name a column of numbers, strings, dates, times or booleans"));
        }
        let record = table.fields().iter().map(|field| field.name().clone()).filter(is_record).collect::<Vec<_>>();
        let rows = Fingerprinter::new(types(&record)?, seed).map_err(fails)?;
        let valid_to = merge.history().map(|history| history.valid_to.clone());
        let is_searched = |name: &String| {
            let is_identity = match by {
                IdentifiedBy::Key => write.primary_key.contains(name),
                IdentifiedBy::Record => is_record(name),
                IdentifiedBy::Occurrence => false,
            };
            is_identity || merge.merge_key.contains(name) || Some(name) == valid_to.as_ref()
        };
        let searched = table.fields().iter().filter(|field| is_searched(field.name()));
        let search = Arc::new(Schema::new(searched.cloned().collect::<Vec<_>>()));
        Ok(Self {
            seed,
            by,
            keys: of(&write.primary_key)?,
            key: write.primary_key.clone(),
            groups: of(&merge.merge_key)?,
            group: merge.merge_key.clone(),
            rows,
            record,
            precedence: merge.precedence.clone(),
            valid_to,
            mark: merge.mark().map(|mark| (mark.column.clone(), mark.kind)),
            search,
        })
    }

    /// Returns the columns by which rows of the table are found.
    pub(crate) fn search(&self) -> &SchemaRef {
        &self.search
    }

    /// Returns the columns of the primary key.
    pub(crate) fn key(&self) -> &[String] {
        &self.key
    }

    /// Returns whether rows are found by their group, too.
    pub(crate) fn has_groups(&self) -> bool {
        self.groups.is_some()
    }

    /// Returns whether the content of rows must be known to tell them apart.
    pub(crate) fn needs_rows(&self) -> bool {
        self.by != IdentifiedBy::Key
    }

    /// Returns whether rows that are marked as deleted stay in the table.
    pub(crate) fn has_mark(&self) -> bool {
        self.mark.is_some()
    }

    /// Returns the identity of each row; `None` where only content and occurrence tell rows apart.
    pub(crate) fn keys(&self, batch: &RecordBatch) -> Result<Option<Vec<Fingerprint>>, ArrowError> {
        match (self.by, &self.keys) {
            (IdentifiedBy::Key, Some(keys)) => keys.of(&columns(batch, &self.key)?).map(Some),
            (IdentifiedBy::Occurrence, _) => Ok(None),
            (IdentifiedBy::Key | IdentifiedBy::Record, _) => self.rows(batch).map(Some),
        }
    }

    /// Returns the group of each row; `None` where there are none.
    pub(crate) fn groups(&self, batch: &RecordBatch) -> Result<Option<Vec<Fingerprint>>, ArrowError> {
        self.groups.as_ref().map(|groups| groups.of(&columns(batch, &self.group)?)).transpose()
    }

    /// Returns for each row whether it has a value in any column of the group.
    pub(crate) fn have_group(&self, batch: &RecordBatch) -> Result<Vec<bool>, ArrowError> {
        let columns = columns(batch, &self.group)?;
        Ok((0..batch.num_rows()).map(|row| columns.iter().any(|column| column.is_valid(row))).collect())
    }

    /// Returns whether a row has null in its primary key.
    pub(crate) fn lacks_key(&self, batch: &RecordBatch) -> Result<bool, ArrowError> {
        Ok(columns(batch, &self.key)?.iter().any(|column| column.null_count() > 0))
    }

    /// Returns the content of each row, without the columns that the merge adds.
    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<Vec<Fingerprint>, ArrowError> {
        self.rows.of(&columns(batch, &self.record)?)
    }

    /// Returns which rows are current versions; `None` where no history is kept.
    pub(crate) fn current(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>, ArrowError> {
        let Some(valid_to) = &self.valid_to else { return Ok(None) };
        is_null(&column(batch, valid_to)?).map(Some)
    }

    /// Returns which rows are not marked as deleted; `None` where deleted rows leave.
    pub(crate) fn live(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>, ArrowError> {
        let Some((name, kind)) = &self.mark else { return Ok(None) };
        let mark = column(batch, name)?;
        Ok(Some(match kind {
            MarkKind::Time => is_null(&mark)?,
            MarkKind::Truth => mark.as_boolean().iter().map(|mark| Some(mark != Some(true))).collect(),
        }))
    }
}

fn column(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    let missing = || ArrowError::SchemaError(format!("the column {name} is missing"));
    batch.column_by_name(name).map(Arc::clone).ok_or_else(missing)
}

fn columns(batch: &RecordBatch, names: &[String]) -> Result<Vec<ArrayRef>, ArrowError> {
    names.iter().map(|name| column(batch, name)).collect()
}
