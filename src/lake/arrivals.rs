//! The rows of a merging run as they arrive: their fingerprints, and which of them a later one replaced.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::hash::{Fingerprint, Fingerprinter, random_seed};
use super::index::{KeyIndex, Place, RowSet};
use crate::error::{Error, Result};
use crate::schema::is_load_metadata;

/// What a merging run remembers of its rows.
#[derive(Debug)]
pub(super) struct Arrivals {
    key_columns: Vec<usize>,
    seed: u64,
    pub(super) keys: Fingerprinter,
    pub(super) rows: Fingerprinter,
    /// Whether the table has rows to compare with; without any, rows need no fingerprints.
    compares: bool,
    pub(super) index: KeyIndex,
    /// Rows of staged files whose key arrived again later.
    pub(super) dropped: HashMap<u32, RowSet>,
}

/// The fingerprints of a batch: of the key and of the whole of each row.
#[derive(Debug)]
pub(super) struct Fingerprints {
    keys: Vec<Fingerprint>,
    rows: Vec<Fingerprint>,
}

/// The types of what makes two rows differ.
fn types_of_rows(schema: &SchemaRef) -> impl Iterator<Item = DataType> + '_ {
    schema.fields().iter().filter(|field| !is_load_metadata(field.name())).map(|field| field.data_type().clone())
}

impl Arrivals {
    pub(super) fn new(primary_key: &[String], schema: &SchemaRef, compares: bool) -> Result<Self> {
        let fails = |error: ArrowError| Error::config("rows of this schema cannot be compared").with_source(error);
        let key_columns =
            primary_key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>().map_err(fails)?;
        let seed = random_seed();
        let key_types = key_columns.iter().map(|column| schema.field(*column).data_type().clone());
        let row_types = types_of_rows(schema);
        Ok(Self {
            keys: Fingerprinter::new(key_types, seed).map_err(fails)?,
            rows: Fingerprinter::new(row_types, seed).map_err(fails)?,
            key_columns,
            seed,
            compares,
            index: KeyIndex::default(),
            dropped: HashMap::new(),
        })
    }

    /// From now on rows are of another schema, with the same key. What is known of earlier rows holds again once they came by [`Self::come_again`].
    pub(super) fn become_of(&mut self, primary_key: &[String], schema: &SchemaRef) -> Result<()> {
        let fails = |error: ArrowError| Error::config("rows of this schema cannot be compared").with_source(error);
        let positions = primary_key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>();
        self.key_columns = positions.map_err(fails)?;
        self.rows = Fingerprinter::new(types_of_rows(schema), self.seed).map_err(fails)?;
        Ok(())
    }

    /// Rows that arrived before, at `was`, are written anew at `is`.
    pub(super) fn come_again(&mut self, batch: &RecordBatch, was: Place, is: Place) -> Result<()> {
        let prints = self.fingerprints(batch)?;
        for (step, (key, row)) in (0..).zip(prints.keys.into_iter().zip(prints.rows)) {
            if let Some(entry) = self.index.get_mut(key)
                && entry.place == (Place { file: was.file, row: was.row + step })
            {
                entry.place = Place { file: is.file, row: is.row + step };
                entry.row = row;
            }
        }
        Ok(())
    }

    /// # Errors
    /// When a key is null.
    pub(super) fn fingerprints(&self, batch: &RecordBatch) -> Result<Fingerprints> {
        let fails = |error: ArrowError| Error::storage("cannot take the fingerprints of a batch").with_source(error);
        let columns = self.key_columns.iter().map(|column| Arc::clone(batch.column(*column))).collect::<Vec<_>>();
        if columns.iter().any(|column| column.null_count() > 0) {
            return Err(Error::schema("a row of a merge has null in its primary key"));
        }
        let keys = self.keys.of(&columns).map_err(fails)?;
        let rows = if self.compares { self.rows.of_batch(batch).map_err(fails)? } else { vec![0; batch.num_rows()] };
        Ok(Fingerprints { keys, rows })
    }

    /// Takes note of the rows of a batch, in the order in which they arrived, and of where each of them is staged;
    /// how many rows they replaced.
    pub(super) fn arrive(&mut self, prints: Fingerprints, places: Vec<Place>) -> u64 {
        let mut replaced = 0;
        for ((key, row), place) in prints.keys.into_iter().zip(prints.rows).zip(places) {
            if let Some(loser) = self.index.arrive(key, row, place) {
                self.dropped.entry(loser.file).or_default().insert(loser.row);
                replaced += 1;
            }
        }
        replaced
    }
}
