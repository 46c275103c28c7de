//! Writes a file of the table anew with rows replaced where they are, which leaves most of it as it was: row groups keep their rows, and of those
//! only columns in which a value changed are encoded. Pages of the others are copied.
//!
//! A row group that loses rows is written like any other rows; so is the last one when rows are added, unless it is full, since every merge would
//! leave a small row group otherwise.

use std::ops::Range;
use std::result::Result as StdResult;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, MutableArrayData, RecordBatch, UInt64Array, make_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter_record_batch, interleave, take};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::data_file::{DataFileWriter, Original};
use super::index::{Place, RowSet};
use super::partition::Partition;
use super::rewrite::keep_rows;
use super::rolling::{StagedFile, StagingArea, key_range};
use super::snapshot::{DataFile, KeyRange};
use super::upload::Upload;
use crate::error::Result;

/// A file of the table in memory.
#[derive(Debug, Default)]
pub(super) struct AtHand {
    /// The file as it is.
    pub(super) content: Bytes,
    /// Its rows, in the shape of the table.
    pub(super) rows: Vec<RecordBatch>,
    /// Which of them are replaced by which incoming rows of the same partition.
    pub(super) replaced: Vec<(u32, Place)>,
}

/// One file that is written anew.
#[derive(Debug)]
pub(super) struct InPlace<'a> {
    pub(super) area: &'a StagingArea,
    pub(super) partition: Arc<Partition>,
    /// What the table knows of the file.
    pub(super) file: &'a DataFile,
    pub(super) at_hand: &'a AtHand,
    /// The rows that leave it, those that are replaced included.
    pub(super) gone: &'a RowSet,
    pub(super) arriving: Vec<Arriving<'a>>,
}

/// Incoming rows of a partition that wait in memory.
#[derive(Debug)]
pub(super) struct Arriving<'a> {
    pub(super) number: u32,
    pub(super) rows: &'a [RecordBatch],
    /// Those that are not needed.
    pub(super) dropped: Option<&'a RowSet>,
}

/// What is to be done, in the terms of rows.
struct Work {
    rows: Vec<RecordBatch>,
    /// Ascending positions and what comes there, as batch and row of `incoming`.
    replaced: Vec<(usize, (usize, usize))>,
    incoming: Vec<RecordBatch>,
    /// Rows that leave and are not replaced.
    leaving: RowSet,
    /// Incoming rows that replace none.
    new: Vec<RecordBatch>,
}

impl InPlace<'_> {
    /// Writes the file to staging; `None` when its pages are of another shape than the table has now.
    pub(super) async fn run(self) -> Result<Option<StagedFile>> {
        let Self { area, partition, file, at_hand, gone, arriving } = self;
        let number = area.next_number();
        let path = area.storage.layout.staged_file(&area.run_id, number);
        let fails = |error: ParquetError| area.storage.failed("encode", &path, error);
        let original = Original::open(at_hand.content.clone()).map_err(fails)?;
        let mut writer =
            DataFileWriter::new(Arc::clone(&area.schema), area.options.clone(), area.grid).map_err(fails)?;
        if !writer.takes(&original) {
            return Ok(None);
        }
        let work = Work::of(at_hand, gone, &arriving).map_err(|error| fails(error.into()))?;
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
    starts: Vec<(usize, usize)>,
    /// The rows that replace others.
    used: RowSet,
    /// Which of its batches had the last row; the next one is mostly there, too.
    last: usize,
}

impl Staged {
    fn new(file: &Arriving<'_>, incoming: &mut Vec<RecordBatch>) -> Self {
        let (mut starts, mut first) = (Vec::with_capacity(file.rows.len() + 1), 0);
        for batch in file.rows {
            starts.push((first, incoming.len()));
            first += batch.num_rows();
            incoming.push(batch.clone());
        }
        starts.push((first, incoming.len()));
        Self { number: file.number, starts, used: RowSet::default(), last: 0 }
    }

    /// Uses a row: its batch, and its place there; `None` where there is no such row.
    fn take(&mut self, row: u32) -> Option<(usize, usize)> {
        self.used.insert(row);
        let row = row as usize;
        let has = |batch: &[(usize, usize)]| matches!(batch, [(first, _), (end, _)] if (*first..*end).contains(&row));
        if !self.starts.get(self.last..self.last + 2).is_some_and(has) {
            self.last = self.starts.windows(2).position(has)?;
        }
        let (first, batch) = self.starts.get(self.last)?;
        Some((*batch, row - first))
    }
}

impl Work {
    fn of(at_hand: &AtHand, gone: &RowSet, arriving: &[Arriving<'_>]) -> StdResult<Self, ArrowError> {
        let mut incoming = Vec::new();
        let mut staged = arriving.iter().map(|file| Staged::new(file, &mut incoming)).collect::<Vec<_>>();
        let mut replaced = Vec::with_capacity(at_hand.replaced.len());
        for (position, place) in at_hand.replaced.iter().copied() {
            let taken = staged.iter_mut().find(|file| file.number == place.file).and_then(|file| file.take(place.row));
            let lost = || ArrowError::ComputeError("an incoming row is not where it was staged".to_owned());
            replaced.push((position as usize, taken.ok_or_else(lost)?));
        }
        replaced.sort_unstable();
        let mut leaving = RowSet::default();
        let mut next = replaced.iter().map(|(position, _)| *position).peekable();
        for position in gone.positions() {
            if next.next_if(|next| *next == position).is_none() {
                leaving.insert(u32::try_from(position).unwrap_or(u32::MAX));
            }
        }
        let mut new = Vec::new();
        for (file, staged) in arriving.iter().zip(&staged) {
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
        Ok(Self { rows: at_hand.rows.clone(), replaced, incoming, leaving, new })
    }

    /// The range of the keys that the file has then.
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
            let replaced = self.replaced_in(&range);
            let (new, changed) = self.changes(&pieces, replaced, range.start)?;
            let loses = (range.clone()).any(|row| self.leaving.contains(row as u64));
            let grows = position + 1 == count && !self.new.is_empty() && rows < writer.row_group_rows();
            let is_between = writer.open_rows() > 0 && writer.open_rows() < writer.row_group_rows() / 2;
            let columns = changed.iter().zip(0..).map(|(changed, column)| {
                changed.then(|| patched(&pieces, column, replaced, range.start, &new)).transpose()
            });
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

    fn replaced_in(&self, range: &Range<usize>) -> &[(usize, (usize, usize))] {
        let place = |row: usize| self.replaced.partition_point(|(position, _)| *position < row);
        self.replaced.get(place(range.start)..place(range.end)).unwrap_or_default()
    }

    /// The values that come to a row group which begins at `first`, column by column, and in which columns there is another one than before.
    fn changes(
        &self,
        pieces: &[RecordBatch],
        replaced: &[(usize, (usize, usize))],
        first: usize,
    ) -> StdResult<(Vec<ArrayRef>, Vec<bool>), ArrowError> {
        let columns = pieces.first().map_or(0, RecordBatch::num_columns);
        if replaced.is_empty() {
            return Ok((Vec::new(), vec![false; columns]));
        }
        let after = replaced.iter().map(|(_, place)| *place).collect::<Vec<_>>();
        let columns = (0..columns).into_par_iter().map(|column| {
            let values = interleave(&arrays(&self.incoming, column), &after)?;
            let is_changed = differs(pieces, column, replaced, first, &values)?;
            Ok((values, is_changed))
        });
        Ok(columns.collect::<StdResult<Vec<_>, ArrowError>>()?.into_iter().unzip())
    }
}

/// Whether one of the values of a column that are replaced is another one than that of `new` which comes there.
fn differs(
    pieces: &[RecordBatch],
    column: usize,
    replaced: &[(usize, (usize, usize))],
    first: usize,
    new: &ArrayRef,
) -> StdResult<bool, ArrowError> {
    let (mut start, mut next) = (first, 0);
    for piece in pieces {
        let positions = positions_in(replaced, next, start, piece.num_rows());
        let before = if positions.len() == piece.num_rows() {
            Arc::clone(piece.column(column))
        } else {
            let positions = positions.iter().map(|position| *position as u64);
            take(piece.column(column), &UInt64Array::from_iter_values(positions), None)?
        };
        if before.as_ref() != new.slice(next, positions.len()).as_ref() {
            return Ok(true);
        }
        next += positions.len();
        start += piece.num_rows();
    }
    Ok(false)
}

/// The rows of a piece that are replaced, from the one with number `next` on, as positions in the piece, which begins at `start`.
fn positions_in(replaced: &[(usize, (usize, usize))], next: usize, start: usize, rows: usize) -> Vec<usize> {
    let here = replaced.iter().skip(next).take_while(|(position, _)| *position < start + rows);
    here.map(|(position, _)| position - start).collect()
}

fn arrays(batches: &[RecordBatch], column: usize) -> Vec<&dyn Array> {
    batches.iter().map(|batch| batch.column(column).as_ref()).collect()
}

/// The rows of a range, batch by batch.
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

/// A column of `pieces`, which begin at `first`, with the values of `new` in the places that are replaced.
fn patched(
    pieces: &[RecordBatch],
    column: usize,
    replaced: &[(usize, (usize, usize))],
    first: usize,
    new: &[ArrayRef],
) -> StdResult<Vec<ArrayRef>, ArrowError> {
    let lost = || ArrowError::ComputeError(format!("column {column} has no values"));
    let new = new.get(column).ok_or_else(lost)?;
    let (mut columns, mut start, mut next) = (Vec::with_capacity(pieces.len()), first, 0);
    for piece in pieces {
        let positions = positions_in(replaced, next, start, piece.num_rows());
        columns.push(replace(piece.column(column), &positions, &new.slice(next, positions.len()))?);
        next += positions.len();
        start += piece.num_rows();
    }
    Ok(columns)
}

/// `values` with those of `new` at `positions`, which ascend.
fn replace(values: &ArrayRef, positions: &[usize], new: &ArrayRef) -> StdResult<ArrayRef, ArrowError> {
    if positions.is_empty() {
        return Ok(Arc::clone(values));
    }
    if positions.len() == values.len() {
        return Ok(Arc::clone(new));
    }
    let (old, new) = (values.to_data(), new.to_data());
    let mut data = MutableArrayData::new(vec![&old, &new], false, values.len());
    let (mut done, mut used) = (0, 0);
    while let Some(start) = positions.get(used).copied() {
        if done < start {
            data.try_extend(0, done, start)?;
        }
        let run =
            positions.iter().skip(used).zip(start..).take_while(|(position, expected)| *position == expected).count();
        data.try_extend(1, used, used + run)?;
        used += run;
        done = start + run;
    }
    data.try_extend(0, done, values.len())?;
    Ok(make_array(data.freeze()))
}

#[cfg(test)]
mod tests;
