//! Finds and judges the rows of the table where the keys of a run did not fit into memory. Rows
//! that the run may touch are spread over buckets by their keys, as the keys of the run were, and
//! matched bucket by bucket.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::evolve::reconcile::conform;
use crate::fingerprint::Fingerprint;
use crate::merge::index::KeyIndex;
use crate::merge::judge::{Judge, Resolved};
use crate::merge::search::{Found, Hit, Search};
use crate::merge::spill::{Buckets, KeyFilter, Kind, Record, SpilledKeys};
use crate::parquet::reader::{Part, Source, conform_error, read};
use crate::parquet::row_set::RowLocation;
use crate::tasks::{files_in_flight, spawn};
use lakefeed_model::error::{Error, Result};

/// Where the rows go that the run may touch.
#[derive(Debug)]
struct Sink {
    search: Arc<Search>,
    filter: KeyFilter,
    buckets: Mutex<Buckets>,
}

/// Judges the rows of all `files`, which are numbered in the order in which their rows match a key.
pub(crate) async fn judge_spilled(
    judge: &mut Judge<'_>,
    mut keys: SpilledKeys,
    files: impl Iterator<Item = (&str, u64)>,
    resolved: &mut Resolved,
) -> Result<()> {
    let files = files.collect::<Vec<_>>();
    let search = Arc::clone(judge.search);
    let sink = Sink { search, filter: keys.filter()?, buckets: Mutex::new(keys.buckets_beside()?) };
    let sink = Arc::new(sink);
    let passes = (0_u32..).zip(&files).map(|(number, (path, bytes))| {
        let (sink, bytes, path) = (Arc::clone(&sink), *bytes, (*path).to_owned());
        spawn(async move {
            let source = Source { path: sink.search.area.storage.resolve(&path)?, bytes };
            sink.take(&source, number).await
        })
    });
    let passes = passes.collect::<Vec<_>>();
    stream::iter(passes).buffer_unordered(files_in_flight()).try_collect::<()>().await?;
    let sink = Arc::into_inner(sink).ok_or_else(|| Error::defect("a part of the work is not over"))?;
    let buckets = sink.buckets.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (index, rows) in keys.drain().zip(buckets.drain()) {
        let (index, mut rows) = (index?, rows?);
        rows.sort_unstable_by_key(|row| (row.location.file, row.location.row));
        let met = rows.chunk_by(|left, right| left.location.file == right.location.file);
        let met = met.filter_map(|rows| Some((rows.first()?.location.file, found(&index, rows)))).collect::<Vec<_>>();
        *judge.search.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        for (number, found) in met {
            if let Some((path, _)) = files.get(number as usize) {
                judge.judge(path, &found, resolved);
            }
        }
    }
    Ok(())
}

/// Returns what the run touches of the rows of one file that may be touched.
fn found(index: &KeyIndex, rows: &[Record]) -> Found {
    let mut found = Found::default();
    for Record { kind, key, row, location, .. } in rows {
        if let Some((at, _)) = index.get_at(*key) {
            let is_live = matches!(kind, Kind::Live | Kind::LiveTouched);
            found.hits.push(Hit {
                key: *key,
                location: at,
                row: *row,
                position: location.row,
                is_live,
                needs_row: true,
            });
        } else if matches!(kind, Kind::LiveTouched | Kind::DeadTouched) {
            found.absent.insert(location.row);
        }
    }
    found
}

impl Sink {
    /// Spreads the rows of a file that the run may touch.
    async fn take(&self, source: &Source, number: u32) -> Result<()> {
        let Search { area, .. } = self.search.as_ref();
        let fails = |error: ArrowError| conform_error(&area.storage, "compare the rows of", &source.path, error);
        let mut first = 0_u32;
        let mut batches = read(&area.storage, source, Part::Whole).await?;
        while let Some(batch) = batches.try_next().await? {
            let batch = conform(&batch, &area.schema).map_err(fails)?;
            let records = self.records(&batch, RowLocation { file: number, row: first }).map_err(fails)?;
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            records.iter().try_for_each(|record| buckets.push(record))?;
            first += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        }
        Ok(())
    }

    /// Returns the rows of a batch that the run may touch; the first one is at `first`.
    fn records(&self, batch: &RecordBatch, first: RowLocation) -> Result<Vec<Record>, ArrowError> {
        let identity = &self.search.identity;
        let (keys, groups, current) = (identity.keys(batch)?, identity.groups(batch)?, identity.current(batch)?);
        let keys = keys.unwrap_or_default();
        let is_current = |row: usize| current.as_ref().is_none_or(|current: &BooleanArray| current.value(row));
        let touched =
            |row: usize| self.search.touches_absent(groups.as_ref().and_then(|groups| groups.get(row).copied()));
        let mut chosen: Vec<(u32, Fingerprint, bool)> = Vec::new();
        for ((row, position), key) in (0..).zip(0_u32..).zip(keys).filter(|((row, _), _)| is_current(*row)) {
            let is_touched = touched(row);
            if is_touched || self.filter.may_have(key) {
                chosen.push((position, key, is_touched));
            }
        }
        let rows = take_record_batch(batch, &UInt32Array::from_iter_values(chosen.iter().map(|(row, _, _)| *row)))?;
        let (contents, live) = (identity.rows(&rows)?, identity.live(&rows)?);
        let records =
            chosen.into_iter().zip(contents).enumerate().map(|(position, ((row, key, is_touched), content))| {
                let is_live = live.as_ref().is_none_or(|live| live.value(position));
                let kind = match (is_live, is_touched) {
                    (true, false) => Kind::Live,
                    (false, false) => Kind::Dead,
                    (true, true) => Kind::LiveTouched,
                    (false, true) => Kind::DeadTouched,
                };
                let location = RowLocation { file: first.file, row: first.row + row };
                Record { kind, key, row: content, location, was: location }
            });
        Ok(records.collect())
    }
}
