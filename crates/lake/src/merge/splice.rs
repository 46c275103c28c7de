//! Splices incoming rows into a file of the table, which leaves most of it as it was. Row groups
//! keep their rows, and only columns in which a value changed are encoded. Pages of the others are
//! copied.
//!
//! A row group that loses rows is written like any other rows. So is the last one when rows are
//! added, unless it is full, since every merge would leave a small row group otherwise.

use std::ops::Range;
use std::result::Result as StdResult;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, MutableArrayData, RecordBatch, make_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, filter_record_batch, interleave};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::log::document::DataFile;
use crate::log::key_range::KeyRange;
use crate::merge::keep_rows::keep_rows;
use crate::parquet::copy::Original;
use crate::parquet::row_set::{RowLocation, RowSet};
use crate::parquet::writer::DataFileWriter;
use crate::staging::area::{StagedFile, StagingArea, key_range};
use crate::staging::partition::Partition;
use crate::storage::upload::Upload;
use lakefeed_model::error::Result;

/// A file of the table in memory.
#[derive(Debug, Default)]
pub(crate) struct LoadedFile {
    /// The file as it is.
    pub(crate) content: Bytes,
    /// Its rows, in the shape of the table.
    pub(crate) rows: Vec<RecordBatch>,
    /// Which of them are replaced by which incoming rows of the same partition.
    pub(crate) replaced: Vec<(u32, RowLocation)>,
}

/// One file that is written anew.
#[derive(Debug)]
pub(crate) struct Splice<'a> {
    pub(crate) area: &'a StagingArea,
    pub(crate) partition: Arc<Partition>,
    /// What the table knows of the file.
    pub(crate) file: &'a DataFile,
    pub(crate) loaded: &'a LoadedFile,
    /// The rows that leave it, those that are replaced included.
    pub(crate) gone: &'a RowSet,
    pub(crate) incoming_rows: Vec<IncomingRows<'a>>,
}

/// Incoming rows of a partition that wait in memory.
#[derive(Debug)]
pub(crate) struct IncomingRows<'a> {
    pub(crate) number: u32,
    pub(crate) rows: &'a [RecordBatch],
    /// Those that are not needed.
    pub(crate) dropped: Option<&'a RowSet>,
}

/// What is to be done, in the terms of rows.
struct Work {
    rows: Vec<RecordBatch>,
    /// By ascending positions of the file.
    replaced: Vec<Run>,
    incoming: Vec<RecordBatch>,
    /// Rows that leave and are not replaced.
    leaving: RowSet,
    /// Incoming rows that replace none.
    new: Vec<RecordBatch>,
}

/// Incoming rows that lie one after another, and replace rows that lie one after another. Most rows
/// of a run do: an API mostly lists them in the order in which the table has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// The first row that is replaced: of the file, or of a piece of it, as the list says that it
    /// is in.
    at: u32,
    rows: u32,
    /// Where the first row comes from, as a batch of `incoming` and a row of that.
    batch: u32,
    row: u32,
}

impl Run {
    fn at(&self) -> usize {
        self.at as usize
    }

    fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Returns whether one row more, which goes to `position`, goes on with it.
    fn takes(&self, position: u32, (batch, row): (u32, u32)) -> bool {
        batch == self.batch && position == self.at + self.rows && row == self.row + self.rows
    }

    /// Returns what of it goes to a range, as locations in that.
    fn within(self, range: &Range<usize>) -> Option<Self> {
        let (start, end) = (self.at().max(range.start), (self.at() + self.rows()).min(range.end));
        (start < end).then(|| Self {
            at: small(start - range.start),
            rows: small(end - start),
            batch: self.batch,
            row: self.row + small(start - self.at()),
        })
    }
}

/// Returns a position of a row, or the number of a batch. Both fit: a file has fewer.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn rows_in(runs: &[Run]) -> usize {
    runs.iter().map(Run::rows).sum()
}

impl Splice<'_> {
    /// Writes the file to staging. Returns `None` when its pages are of another shape than the
    /// table has now.
    pub(crate) async fn run(self) -> Result<Option<StagedFile>> {
        let Self { area, partition, file, loaded, gone, incoming_rows } = self;
        let number = area.next_number();
        let path = area.naming.staged.file(number);
        let fails = |error: ParquetError| area.storage.failed("encode", &path, error);
        let original = Original::open(loaded.content.clone()).map_err(fails)?;
        let mut writer = DataFileWriter::new(Arc::clone(&area.schema), area.options.clone(), area.naming.alignment)
            .map_err(fails)?;
        if !writer.takes(&original) {
            return Ok(None);
        }
        let work = Work::of(loaded, gone, &incoming_rows).map_err(|error| fails(error.into()))?;
        let keys = work.keys(area, file);
        work.write(&original, &mut writer).map_err(fails)?;
        let metadata = writer.finish().map_err(fails)?;
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
        let content = writer.take_bytes().map_err(|error| fails(error.into()))?;
        let mut upload = Upload::new(Arc::clone(&area.storage.store), path.clone());
        let fails = |error| area.storage.failed("stage", &path, error);
        for piece in content {
            upload.write(piece).await.map_err(fails)?;
        }
        let bytes = upload.finish().await.map_err(fails)?;
        Ok(Some(StagedFile { number, partition, rows, bytes, keys, held: None }))
    }
}

/// Where the rows of a staged file are among all that arrive.
struct Staged {
    number: u32,
    /// The first row of each of its batches, and which of all batches that is.
    starts: Vec<(u32, u32)>,
    /// The rows that replace others.
    used: RowSet,
    /// Which of its batches had the last row; the next one is mostly there, too.
    last: usize,
}

impl Staged {
    fn new(file: &IncomingRows<'_>, incoming: &mut Vec<RecordBatch>) -> Self {
        let (mut starts, mut first) = (Vec::with_capacity(file.rows.len() + 1), 0);
        for batch in file.rows {
            starts.push((first, small(incoming.len())));
            first += small(batch.num_rows());
            incoming.push(batch.clone());
        }
        starts.push((first, small(incoming.len())));
        Self { number: file.number, starts, used: RowSet::default(), last: 0 }
    }

    /// Uses a row. Returns its batch, and its place there; `None` where there is no such row.
    fn take(&mut self, row: u32) -> Option<(u32, u32)> {
        self.used.insert(row);
        let has = |batch: &[(u32, u32)]| matches!(batch, [(first, _), (end, _)] if (*first..*end).contains(&row));
        if !self.starts.get(self.last..self.last + 2).is_some_and(has) {
            self.last = self.starts.windows(2).position(has)?;
        }
        let (first, batch) = self.starts.get(self.last)?;
        Some((*batch, row - first))
    }
}

impl Work {
    fn of(loaded: &LoadedFile, gone: &RowSet, incoming_rows: &[IncomingRows<'_>]) -> StdResult<Self, ArrowError> {
        let mut incoming = Vec::new();
        let mut staged = incoming_rows.iter().map(|file| Staged::new(file, &mut incoming)).collect::<Vec<_>>();
        let mut replaced: Vec<Run> = Vec::new();
        for (position, location) in loaded.replaced.iter().copied() {
            let taken =
                staged.iter_mut().find(|file| file.number == location.file).and_then(|file| file.take(location.row));
            let lost = || ArrowError::ComputeError("an incoming row is not where it was staged".to_owned());
            let (batch, row) = taken.ok_or_else(lost)?;
            match replaced.last_mut() {
                Some(run) if run.takes(position, (batch, row)) => run.rows += 1,
                Some(_) | None => replaced.push(Run { at: position, rows: 1, batch, row }),
            }
        }
        replaced.sort_unstable_by_key(|run| run.at);
        let mut leaving = RowSet::default();
        // Most often none leaves beside those that are replaced.
        if gone.len() > rows_in(&replaced) as u64 {
            let mut next = replaced.iter().flat_map(|run| run.at()..run.at() + run.rows()).peekable();
            for position in gone.positions() {
                if next.next_if_eq(&position).is_none() {
                    leaving.insert(small(position));
                }
            }
        }
        let mut new = Vec::new();
        for (file, staged) in incoming_rows.iter().zip(&staged) {
            // Most often all of them replace one.
            if file.rows.iter().map(|batch| batch.num_rows() as u64).sum::<u64>() == staged.used.len() {
                continue;
            }
            let mut first = 0;
            for batch in file.rows {
                let is_new = |row: usize| {
                    let row = first + row as u64;
                    !file.dropped.is_some_and(|dropped| dropped.contains(row)) && !staged.used.contains(row)
                };
                let mask = BooleanArray::new(BooleanBuffer::collect_bool(batch.num_rows(), is_new), None);
                if mask.true_count() > 0 {
                    new.push(filter_record_batch(batch, &mask)?);
                }
                first += batch.num_rows() as u64;
            }
        }
        Ok(Self { rows: loaded.rows.clone(), replaced, incoming, leaving, new })
    }

    /// Returns the range of the keys that the file has then.
    fn keys(&self, area: &StagingArea, file: &DataFile) -> Option<KeyRange> {
        let column = area.key_column?;
        let ranges = |batches: &[RecordBatch]| batches.iter().map(|batch| key_range(batch, column)).collect::<Vec<_>>();
        let mut known = if self.leaving.len() == 0 {
            // Rows that are replaced have the keys that they had.
            vec![KeyRange::new(file.key_min.clone(), file.key_max.clone())]
        } else {
            let kept = self.rows.iter().scan(0, |first, batch| {
                let kept = keep_rows(batch, *first, &self.leaving);
                *first += batch.num_rows() as u64;
                Some(kept)
            });
            ranges(
                &kept
                    .collect::<StdResult<Vec<_>, _>>()
                    .ok()?
                    .into_iter()
                    .filter(|batch| batch.num_rows() > 0)
                    .collect::<Vec<_>>(),
            )
        };
        known.extend(ranges(&self.new));
        known.into_iter().reduce(KeyRange::union).flatten()
    }

    fn write(&self, original: &Original, writer: &mut DataFileWriter) -> ParquetResult<()> {
        let mut first = 0;
        let count = original.row_groups().len();
        for (position, row_group) in original.row_groups().iter().enumerate() {
            let rows = usize::try_from(row_group.num_rows())?;
            let range = first..first + rows;
            first = range.end;
            let pieces = pieces(&self.rows, &range);
            let locations = self.places_in(&pieces, range.start);
            let (new, changed) = self.changes(&pieces, &locations)?;
            let loses = self.leaving.len() > 0 && range.clone().any(|row| self.leaving.contains(row as u64));
            let grows = position + 1 == count && !self.new.is_empty() && rows < writer.row_group_rows();
            let is_between = writer.open_rows() > 0 && writer.open_rows() < writer.row_group_rows() / 2;
            let columns = changed
                .iter()
                .zip(0..)
                .map(|(changed, column)| changed.then(|| patched(&pieces, column, &locations, &new)).transpose());
            let columns = columns.collect::<StdResult<Vec<_>, _>>()?;
            if !loses && !grows && !is_between {
                writer.write_changed(original, position, columns)?;
                continue;
            }
            let mut start = range.start as u64;
            for (number, piece) in pieces.iter().enumerate() {
                let values = piece.columns().iter().zip(&columns).map(|(before, changed)| {
                    let changed = changed.as_ref().and_then(|pieces| pieces.get(number));
                    Arc::clone(changed.unwrap_or(before))
                });
                let batch = RecordBatch::try_new(piece.schema(), values.collect())?;
                writer.write(&keep_rows(&batch, start, &self.leaving)?)?;
                start += piece.num_rows() as u64;
            }
        }
        self.new.iter().try_for_each(|batch| writer.write(batch))
    }

    /// Returns what comes to a range of rows, as locations in that.
    fn replaced_in(&self, range: &Range<usize>) -> Vec<Run> {
        let first = self.replaced.partition_point(|run| run.at() + run.rows() <= range.start);
        let runs = self.replaced.iter().skip(first).take_while(|run| run.at() < range.end);
        runs.filter_map(|run| run.within(range)).collect()
    }

    /// Returns what comes to each piece of a row group that begins at `first`, as locations in the
    /// piece.
    fn places_in(&self, pieces: &[RecordBatch], first: usize) -> Vec<Vec<Run>> {
        let mut start = first;
        let locations = pieces.iter().map(|piece| {
            let range = start..start + piece.num_rows();
            start = range.end;
            self.replaced_in(&range)
        });
        locations.collect()
    }

    /// Returns the values that come to a row group, column by column, and in which columns there is
    /// another one than before.
    fn changes(
        &self,
        pieces: &[RecordBatch],
        locations: &[Vec<Run>],
    ) -> StdResult<(Vec<ArrayRef>, Vec<bool>), ArrowError> {
        let columns = pieces.first().map_or(0, RecordBatch::num_columns);
        let replaced = locations.concat();
        if replaced.is_empty() {
            return Ok((Vec::new(), vec![false; columns]));
        }
        let columns = (0..columns).into_par_iter().map(|column| {
            let values = gathered(&arrays(&self.incoming, column), &replaced, |run| (run.batch, run.row))?;
            let is_changed = differs(pieces, column, locations, &values)?;
            Ok((values, is_changed))
        });
        Ok(columns.collect::<StdResult<Vec<_>, ArrowError>>()?.into_iter().unzip())
    }
}

/// Rows of a run, on average, from which on it is copied as one.
const RUN_ROWS_MIN: usize = 32;

/// Returns the values of `runs`, one after another; each begins at `start`: in which array, and at
/// which row of it.
fn gathered(
    arrays: &[&dyn Array],
    runs: &[Run],
    start: impl Fn(&Run) -> (u32, u32),
) -> StdResult<ArrayRef, ArrowError> {
    if runs.len() * RUN_ROWS_MIN > rows_in(runs) {
        let locations = runs.iter().flat_map(|run| {
            let (array, first) = start(run);
            (first..first + run.rows).map(move |row| (array as usize, row as usize))
        });
        return interleave(arrays, &locations.collect::<Vec<_>>());
    }
    let lost = || ArrowError::ComputeError("rows come from where none are".to_owned());
    let slice = |run: &Run| {
        let (array, first) = start(run);
        Ok(arrays.get(array as usize).ok_or_else(lost)?.slice(first as usize, run.rows()))
    };
    let slices = runs.iter().map(slice).collect::<StdResult<Vec<_>, ArrowError>>()?;
    concat(&slices.iter().map(AsRef::as_ref).collect::<Vec<_>>())
}

/// Returns whether one of the values of a column that are replaced, at `locations` of each piece,
/// is another one than that of `new` which comes there.
fn differs(
    pieces: &[RecordBatch],
    column: usize,
    locations: &[Vec<Run>],
    new: &ArrayRef,
) -> StdResult<bool, ArrowError> {
    let mut next = 0;
    for (piece, runs) in pieces.iter().zip(locations).filter(|(_, runs)| !runs.is_empty()) {
        let (rows, column) = (rows_in(runs), piece.column(column));
        let before = if rows == piece.num_rows() {
            Arc::clone(column)
        } else {
            gathered(&[column.as_ref()], runs, |run| (0, run.at))?
        };
        if before.as_ref() != new.slice(next, rows).as_ref() {
            return Ok(true);
        }
        next += rows;
    }
    Ok(false)
}

fn arrays(batches: &[RecordBatch], column: usize) -> Vec<&dyn Array> {
    batches.iter().map(|batch| batch.column(column).as_ref()).collect()
}

/// Returns the rows of a range, batch by batch.
fn pieces(batches: &[RecordBatch], range: &Range<usize>) -> Vec<RecordBatch> {
    let (mut pieces, mut first) = (Vec::new(), 0);
    for batch in batches {
        let (start, end) = (range.start.max(first), range.end.min(first + batch.num_rows()));
        if start < end {
            pieces.push(batch.slice(start - first, end - start));
        }
        first += batch.num_rows();
    }
    pieces
}

/// Returns a column of `pieces` with the values of `new` in the locations that are replaced.
fn patched(
    pieces: &[RecordBatch],
    column: usize,
    locations: &[Vec<Run>],
    new: &[ArrayRef],
) -> StdResult<Vec<ArrayRef>, ArrowError> {
    let lost = || ArrowError::ComputeError(format!("column {column} has no values"));
    let new = new.get(column).ok_or_else(lost)?;
    let (mut columns, mut next) = (Vec::with_capacity(pieces.len()), 0);
    for (piece, runs) in pieces.iter().zip(locations) {
        let rows = rows_in(runs);
        columns.push(replace(piece.column(column), runs, &new.slice(next, rows))?);
        next += rows;
    }
    Ok(columns)
}

/// Returns `values` with those of `new`, one after another, where `runs` go.
fn replace(values: &ArrayRef, runs: &[Run], new: &ArrayRef) -> StdResult<ArrayRef, ArrowError> {
    if runs.is_empty() {
        return Ok(Arc::clone(values));
    }
    if new.len() == values.len() {
        return Ok(Arc::clone(new));
    }
    let (old, new) = (values.to_data(), new.to_data());
    let mut data = MutableArrayData::new(vec![&old, &new], false, values.len());
    let (mut done, mut used) = (0, 0);
    for run in runs {
        if done < run.at() {
            data.try_extend(0, done, run.at())?;
        }
        data.try_extend(1, used, used + run.rows())?;
        used += run.rows();
        done = run.at() + run.rows();
    }
    data.try_extend(0, done, values.len())?;
    Ok(make_array(data.freeze()))
}

#[cfg(test)]
mod tests;
