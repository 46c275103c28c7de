//! Rolling Parquet writers: one open file per partition, closed at its target size, all within one byte budget.
//!
//! Files go to staging; nothing that is written here can be seen by a reader of the table. When the open files hold more
//! than the budget, the one that holds most is flushed, or closed when flushing would not help. A merge may have the rows of small files back
//! without their ever being written: it is going to put them together with others anyway.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, max, max_string, min, min_string};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use futures::TryStreamExt as _;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;

use super::index::Place;
use super::open_file::OpenFile;
use super::page::Grid;
use super::partition::Partition;
use super::reader::{Part, Source, read};
use super::schema::{conform, misfit};
use super::snapshot::{KeyBound, KeyRange};
use super::storage::Storage;
use super::upload::PART_BYTES;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::spec::Limits;

/// A file that holds less than this is closed rather than flushed: a flush would leave as much in its upload.
const FLUSH_BYTES_MIN: usize = 2 * PART_BYTES;
/// What may wait in memory before any of it is encoded, where it is going to be put together with rows of the table: a quarter of the budget, and no
/// more than this.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Rows of one file at most, so that a position always fits 32 bits.
const FILE_ROWS_MAX: u64 = 1 << 30;

/// A finished file in staging.
#[derive(Debug, Clone)]
pub(super) struct StagedFile {
    pub(super) number: u32,
    pub(super) partition: Arc<Partition>,
    pub(super) rows: u64,
    /// Its size; while its rows are held, what they take in memory.
    pub(super) bytes: u64,
    pub(super) keys: Option<KeyRange>,
    /// Its rows, where they wait in memory and there is no file.
    pub(super) held: Option<Arc<[RecordBatch]>>,
}

/// What every writer of a run shares.
#[derive(Debug, Clone)]
pub(super) struct StagingArea {
    pub(super) storage: Storage,
    pub(super) run_id: String,
    pub(super) schema: SchemaRef,
    pub(super) options: ArrowWriterOptions,
    /// Where the parts of the files begin, by the commit that they are written for.
    pub(super) grid: Grid,
    /// Bytes that the encoder of an open file reserves without filling them.
    pub(super) reserved_bytes: usize,
    /// The key column's position, when the key is one column whose range is kept.
    pub(super) key_column: Option<usize>,
    pub(super) limits: Limits,
    /// The number of the next staged file.
    pub(super) next_number: Arc<AtomicU32>,
}

/// Writes batches to rolling files, one per partition at a time.
#[derive(Debug)]
pub(super) struct RollingWriter {
    area: StagingArea,
    open: HashMap<String, OpenFile>,
    closed: Vec<StagedFile>,
    held_bytes: usize,
    /// As long as no more is held, nothing is encoded.
    waiting_bytes_max: usize,
}

impl RollingWriter {
    pub(super) fn new(area: StagingArea) -> Self {
        Self { area, open: HashMap::new(), closed: Vec::new(), held_bytes: 0, waiting_bytes_max: 0 }
    }

    /// A writer whose rows are going to be put together with others: files of a small run need never be written.
    pub(super) fn waiting(area: StagingArea) -> Self {
        let waiting_bytes_max = WAITING_BYTES_MAX.min(area.limits.writer_buffer_bytes / 4);
        Self { waiting_bytes_max, ..Self::new(area) }
    }

    /// Appends a batch to the partition's open file; where its first row is.
    pub(super) async fn write(&mut self, partition: &Arc<Partition>, batch: &RecordBatch) -> Result<Place> {
        if !self.open.contains_key(&partition.path) {
            let file = self.area.open(Arc::clone(partition));
            self.open.insert(partition.path.clone(), file);
        }
        let Some(file) = self.open.get_mut(&partition.path) else {
            return Err(Error::storage("an open file was lost"));
        };
        let first = u32::try_from(file.rows).map_err(|_| Error::storage("a staged file has too many rows"))?;
        let place = Place { file: file.number(), row: first };
        let may_wait = self.held_bytes < self.waiting_bytes_max;
        self.held_bytes -= file.held_bytes;
        file.append(batch, &self.area, may_wait).await?;
        if file.estimated_bytes() >= self.area.limits.file_bytes_target {
            file.encode(&self.area).await?;
        }
        self.held_bytes += file.held_bytes;
        if file.estimated_bytes() >= self.area.limits.file_bytes_target || file.rows >= FILE_ROWS_MAX {
            self.close(&partition.path).await?;
        }
        self.keep_to_budget().await?;
        Ok(place)
    }

    /// As [`Self::finish`], but files of which nothing was written so far are not written: their rows come back held.
    pub(super) async fn finish_holding(mut self) -> Result<Vec<StagedFile>> {
        let (held, open) = self.open.drain().partition::<HashMap<_, _>, _>(|(_, file)| file.is_only_held());
        self.held_bytes = open.values().map(|file| file.held_bytes).sum();
        self.open = open;
        self.closed.extend(held.into_values().map(OpenFile::hold));
        self.finish().await
    }

    /// Closes every open file; all files in the order of their numbers.
    pub(super) async fn finish(mut self) -> Result<Vec<StagedFile>> {
        self.close_all().await?;
        self.closed.sort_by_key(|file| file.number);
        Ok(self.closed)
    }

    /// Closes every open file, and opens those that follow in `area`; the numbers of all that are closed.
    pub(super) async fn move_to(&mut self, area: StagingArea) -> Result<impl Iterator<Item = u32> + '_> {
        self.close_all().await?;
        self.area = area;
        Ok(self.closed.iter().map(|file| file.number))
    }

    /// Closes every open file; all that are closed.
    pub(super) async fn settle(&mut self) -> Result<&[StagedFile]> {
        self.close_all().await?;
        Ok(&self.closed)
    }

    async fn close_all(&mut self) -> Result<()> {
        let mut partitions = self.open.keys().cloned().collect::<Vec<_>>();
        partitions.sort();
        for partition in partitions {
            self.close(&partition).await?;
        }
        Ok(())
    }

    /// Gives up every open file.
    pub(super) async fn abort(self) {
        for file in self.open.into_values() {
            file.abort().await;
        }
    }

    async fn keep_to_budget(&mut self) -> Result<()> {
        while self.held_bytes > self.area.limits.writer_buffer_bytes {
            let largest = self.open.iter().max_by_key(|(path, file)| (file.held_bytes, path.as_str()));
            let Some((path, held)) = largest.map(|(path, file)| (path.clone(), file.held_bytes)) else {
                return Ok(());
            };
            match self.open.get_mut(&path) {
                Some(file) if held >= FLUSH_BYTES_MIN => {
                    self.held_bytes -= held;
                    file.flush(&self.area).await?;
                    self.held_bytes += file.held_bytes;
                }
                Some(_) | None => self.close(&path).await?,
            }
        }
        Ok(())
    }

    async fn close(&mut self, path: &str) -> Result<()> {
        if let Some(file) = self.open.remove(path) {
            self.held_bytes -= file.held_bytes;
            self.closed.push(file.close(&self.area).await?);
        }
        Ok(())
    }
}

impl StagingArea {
    /// Writes the rows of a file anew as one staged file, in their order and in the shape of the area. `each` sees every batch, and where its first
    /// row is now.
    pub(super) async fn rewrite(
        &self,
        source: &Source,
        partition: Arc<Partition>,
        mut each: impl FnMut(&RecordBatch, Place) -> Result<()>,
    ) -> Result<StagedFile> {
        let mut file = self.open(partition);
        let mut batches = read(&self.storage, source, Part::Whole).await?;
        while let Some(batch) = batches.try_next().await? {
            let batch =
                conform(&batch, &self.schema).map_err(|error| misfit(&self.storage, "rewrite", &source.path, error))?;
            let row = u32::try_from(file.rows).map_err(|_| Error::storage("a data file has too many rows"))?;
            each(&batch, Place { file: file.number(), row })?;
            file.append(&batch, self, false).await?;
            if file.held_bytes > self.limits.writer_buffer_bytes {
                file.flush(self).await?;
            }
        }
        file.close(self).await
    }

    fn open(&self, partition: Arc<Partition>) -> OpenFile {
        OpenFile::new(self.next_number(), partition)
    }

    /// The number of a staged file that nobody else has.
    pub(super) fn next_number(&self) -> u32 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

/// The smallest and the largest key of a batch, if they are short enough to be kept.
pub(super) fn key_range(batch: &RecordBatch, column: usize) -> Option<KeyRange> {
    let (min, max) = key_bounds(batch, column)?;
    KeyRange::new(Some(min), Some(max))
}

/// The smallest and the largest key of a batch.
pub(super) fn key_bounds(batch: &RecordBatch, column: usize) -> Option<(KeyBound, KeyBound)> {
    bounds(batch.column(column))
}

fn bounds_as(column: &ArrayRef, data_type: &DataType) -> Option<(KeyBound, KeyBound)> {
    bounds(&cast(column, data_type).ok()?)
}

fn bounds(column: &ArrayRef) -> Option<(KeyBound, KeyBound)> {
    match column.data_type() {
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>();
            Some((KeyBound::Int(min(values)?), KeyBound::Int(max(values)?)))
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            let text = |value: &str| KeyBound::Text(value.to_owned());
            Some((text(min_string(values)?), text(max_string(values)?)))
        }
        // Whole numbers that always fit 64 bits, and texts that are kept once.
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            bounds_as(column, &DataType::Int64)
        }
        DataType::Dictionary(_, _) => bounds_as(column, &DataType::Utf8),
        _ => None,
    }
}

/// Runs CPU work that takes long where it does not hold up the other tasks of the runtime. Work of a few milliseconds is better done in place: to hand a
/// worker over costs more than it spares, and threads that come and go spread what they hold over as many arenas of the allocator.
pub(super) fn compute<R>(work: impl FnOnce() -> R) -> R {
    let multi_threaded = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if multi_threaded { tokio::task::block_in_place(work) } else { work() }
}

/// What the Parquet and Arrow libraries say when they cannot encode.
pub(super) fn cannot_encode(what: &str, error: ParquetError) -> Error {
    Error::storage(format!("cannot encode {what}")).with_source(error)
}

#[cfg(test)]
mod tests;
