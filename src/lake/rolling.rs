//! Rolling Parquet writers: one open file per partition, closed at its target size, all within one byte budget.
//!
//! Files go to staging; nothing that is written here can be seen by a reader of the table. When the open files hold more
//! than the budget, the one that holds most is flushed, or closed when flushing would not help.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, max, max_string, min, min_string};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use futures::TryStreamExt as _;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;

use super::data_file::DataFileWriter;
use super::index::Place;
use super::page::Grid;
use super::partition::Partition;
use super::reader::{Part, Source, read};
use super::schema::{conform, misfit};
use super::snapshot::{KeyBound, KeyRange};
use super::storage::Storage;
use super::upload::{PART_BYTES, Upload};
use crate::error::{Error, Result};
use crate::spec::Limits;

/// What an open file holds besides what its encoder counts: compressors, metadata. An estimate.
const OPEN_FILE_OVERHEAD_BYTES: usize = 64 * 1024;
/// A file that holds less than this is closed rather than flushed: a flush would leave as much in its upload.
const FLUSH_BYTES_MIN: usize = 2 * PART_BYTES;
/// Rows of one file at most, so that a position always fits 32 bits.
const FILE_ROWS_MAX: u64 = 1 << 30;

/// A finished file in staging.
#[derive(Debug, Clone)]
pub(super) struct StagedFile {
    pub(super) number: u32,
    pub(super) partition: Arc<Partition>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) keys: Option<KeyRange>,
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
}

#[derive(Debug)]
struct OpenFile {
    number: u32,
    partition: Arc<Partition>,
    writer: DataFileWriter,
    upload: Upload,
    rows: u64,
    keys: Option<KeyRange>,
    held_bytes: usize,
}

impl RollingWriter {
    pub(super) fn new(area: StagingArea) -> Self {
        Self { area, open: HashMap::new(), closed: Vec::new(), held_bytes: 0 }
    }

    /// Appends a batch to the partition's open file; where its first row is.
    pub(super) async fn write(&mut self, partition: &Arc<Partition>, batch: &RecordBatch) -> Result<Place> {
        if !self.open.contains_key(&partition.path) {
            let file = self.area.open(Arc::clone(partition))?;
            self.open.insert(partition.path.clone(), file);
        }
        let Some(file) = self.open.get_mut(&partition.path) else {
            return Err(Error::storage("an open file was lost"));
        };
        let first = u32::try_from(file.rows).map_err(|_| Error::storage("a staged file has too many rows"))?;
        let place = Place { file: file.number, row: first };
        self.held_bytes -= file.held_bytes;
        file.append(batch, &self.area).await?;
        self.held_bytes += file.held_bytes;
        if file.encoded_bytes() >= self.area.limits.file_bytes_target || file.rows >= FILE_ROWS_MAX {
            self.close(&partition.path).await?;
        }
        self.keep_to_budget().await?;
        Ok(place)
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
            file.upload.abort().await;
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
        let mut file = self.open(partition)?;
        let mut batches = read(&self.storage, source, Part::Whole).await?;
        while let Some(batch) = batches.try_next().await? {
            let batch = compute(|| conform(&batch, &self.schema))
                .map_err(|error| misfit(&self.storage, "rewrite", &source.path, error))?;
            let row = u32::try_from(file.rows).map_err(|_| Error::storage("a data file has too many rows"))?;
            each(&batch, Place { file: file.number, row })?;
            file.append(&batch, self).await?;
            if file.held_bytes > self.limits.writer_buffer_bytes {
                file.flush(self).await?;
            }
        }
        file.close(self).await
    }

    fn open(&self, partition: Arc<Partition>) -> Result<OpenFile> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let path = self.storage.layout.staged_file(&self.run_id, number);
        let writer = DataFileWriter::new(Arc::clone(&self.schema), self.options.clone(), self.grid)
            .map_err(|error| self.storage.failed("encode", &path, error))?;
        let upload = Upload::new(Arc::clone(&self.storage.store), path);
        Ok(OpenFile { number, partition, writer, upload, rows: 0, keys: None, held_bytes: 0 })
    }
}

impl OpenFile {
    async fn append(&mut self, batch: &RecordBatch, area: &StagingArea) -> Result<()> {
        if let Some(column) = area.key_column
            && batch.num_rows() > 0
        {
            let range = key_range(batch, column);
            self.keys = if self.rows == 0 { range } else { KeyRange::union(self.keys.take(), range) };
        }
        compute(|| self.writer.write(batch)).map_err(|error| self.cannot_encode(area, error))?;
        self.rows += batch.num_rows() as u64;
        self.drain(area).await
    }

    /// Ends the row group and sends what it makes.
    async fn flush(&mut self, area: &StagingArea) -> Result<()> {
        compute(|| self.writer.flush()).map_err(|error| self.cannot_encode(area, error))?;
        self.drain(area).await
    }

    /// Moves finished bytes from the encoder to the upload.
    async fn drain(&mut self, area: &StagingArea) -> Result<()> {
        let bytes = self.writer.take_bytes().map_err(|error| self.cannot_encode(area, error))?;
        if !bytes.is_empty() {
            let written = self.upload.write(bytes).await;
            written.map_err(|error| area.storage.failed("stage", self.upload.path(), error))?;
        }
        // The encoder counts buffers that it has reserved; what they hold so far is what costs memory.
        let encoder = self.writer.memory_size().saturating_sub(area.reserved_bytes) + self.writer.in_progress_size();
        self.held_bytes = encoder + self.upload.buffered_bytes() + OPEN_FILE_OVERHEAD_BYTES;
        Ok(())
    }

    /// How large the file would be if it were closed now.
    fn encoded_bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    async fn close(mut self, area: &StagingArea) -> Result<StagedFile> {
        compute(|| self.writer.finish()).map(drop).map_err(|error| self.cannot_encode(area, error))?;
        self.drain(area).await?;
        let path = self.upload.path().clone();
        let bytes = self.upload.finish().await.map_err(|error| area.storage.failed("stage", &path, error))?;
        Ok(StagedFile { number: self.number, partition: self.partition, rows: self.rows, bytes, keys: self.keys })
    }

    fn cannot_encode(
        &self,
        area: &StagingArea,
        error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Error {
        area.storage.failed("encode", self.upload.path(), error)
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

/// Runs CPU work where it does not hold up the other tasks of the runtime.
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
