//! Which files may hold the keys of a run that were not found where the run has rows: the Bloom
//! filters on their key columns say so.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::{concat, filter_record_batch};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use futures::TryStreamExt as _;
use parquet::bloom_filter::Sbbf;

use crate::merge::decide::KeyState;
use crate::merge::search::Search;
use crate::parquet::reader::{Filters, Part, Source, ranges, read};
use crate::parquet::row_set::RowSet;
use crate::staging::area::StagedFile;
use crate::storage::objects::Storage;
use lakefeed_model::error::{Error, Result};

/// With more keys than this, asking filters costs more than it spares. Of a hundred keys that a
/// file does not have, its filter says "maybe" of one, and one is enough for its keys to be read.
const NEEDLES_MAX: u64 = 4_096;

/// Keys that are still to be found, as their columns hold them.
#[derive(Debug)]
pub(crate) struct BloomProbe {
    /// Names and values of the key columns; row for row a key.
    columns: Vec<(String, ArrayRef)>,
    keys: usize,
}

impl BloomProbe {
    /// Returns the `unmatched` keys of the run that no row of the table has matched so far. Returns
    /// `None` when they are too many, or not known by their values.
    pub(crate) async fn of(search: &Search, staged: &[StagedFile], unmatched: u64) -> Result<Option<Self>> {
        if unmatched > NEEDLES_MAX {
            return Ok(None);
        }
        let Some(locations) = unmatched_locations(search) else { return Ok(None) };
        let Search { area, identity, .. } = search;
        let mut batches: Vec<RecordBatch> = Vec::new();
        for file in staged {
            let Some(rows) = locations.get(&file.number) else { continue };
            if let Some(held) = &file.held {
                batches.extend(picked(held, rows)?);
                continue;
            }
            let rows = ranges(rows.positions());
            let cells = read(&area.storage, &area.source(file), Part::Cells(&rows, identity.key())).await?;
            batches.extend(cells.try_collect::<Vec<_>>().await?);
        }
        let columns = identity.key().iter().map(|name| {
            let parts =
                batches.iter().filter_map(|batch| batch.column_by_name(name).map(AsRef::as_ref)).collect::<Vec<_>>();
            Ok((name.clone(), concat(&parts)?))
        });
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>();
        let columns =
            columns.map_err(|error| Error::defect("cannot put the keys of a run together").with_source(error))?;
        let keys = batches.iter().map(RecordBatch::num_rows).sum();
        Ok(Some(Self { columns, keys }))
    }

    /// Returns whether a file may have one of the keys.
    pub(crate) async fn may_be_in(&self, storage: &Storage, source: &Source) -> Result<bool> {
        let fails = |error| storage.unreadable("read the bloom filters of", &source.path, error);
        let mut filters = Filters::of(storage, source).await?;
        for row_group in 0..filters.row_groups() {
            let mut candidates: Vec<usize> = (0..self.keys).collect();
            for (name, values) in &self.columns {
                if let Some(filter) = filters.filter(row_group, name).await.map_err(fails)? {
                    candidates.retain(|row| may_have(&filter, values, *row));
                }
            }
            if !candidates.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns those rows of the held batches that are in `rows`.
fn picked(held: &[RecordBatch], rows: &RowSet) -> Result<Vec<RecordBatch>> {
    let mut first = 0;
    let batches = held.iter().map(|batch| {
        let mask = (first..).take(batch.num_rows()).map(|row| rows.contains(row)).collect::<Vec<_>>();
        first += batch.num_rows() as u64;
        filter_record_batch(batch, &BooleanArray::from(mask))
    });
    let batches = batches.collect::<Result<_, ArrowError>>();
    batches.map_err(|error| Error::defect("cannot take the keys of a run").with_source(error))
}

/// Returns where the rows of unmatched keys are staged; `None` when one of the keys has no row.
fn unmatched_locations(search: &Search) -> Option<BTreeMap<u32, RowSet>> {
    let index = search.index.read().unwrap_or_else(PoisonError::into_inner);
    let mut locations: BTreeMap<u32, RowSet> = BTreeMap::new();
    for entry in index.entries().filter(|entry| entry.state == KeyState::Fresh) {
        let location = entry.staged()?;
        locations.entry(location.file).or_default().insert(location.row);
    }
    Some(locations)
}

/// Returns whether a filter may have a value. It may have any value of a type whose stored form is
/// not asked here.
fn may_have(filter: &Sbbf, values: &ArrayRef, row: usize) -> bool {
    match values.data_type() {
        DataType::Utf8 => filter.check(values.as_string::<i32>().value(row)),
        DataType::Int64 => filter.check(&values.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => filter.check(&values.as_primitive::<Int32Type>().value(row)),
        DataType::Date32 => filter.check(&values.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            filter.check(&values.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        _ => true,
    }
}
