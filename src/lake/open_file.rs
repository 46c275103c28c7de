//! One file of a run on its way to staging: rows wait until there are enough of them to be worth encoding.
//!
//! Rows of many partitions come in small pieces, and an encoder has a price per piece; so has a file, which is why none is begun before it has rows
//! to encode.

use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch};
use arrow::compute::concat_batches;
use object_store::path::Path;

use super::data_file::DataFileWriter;
use super::partition::Partition;
use super::rolling::{StagedFile, StagingArea, key_range};
use super::snapshot::KeyRange;
use super::upload::Upload;
use crate::error::{Error, Result};

/// What an open file holds besides what its encoder counts: compressors, metadata. An estimate.
const ENCODER_OVERHEAD_BYTES: usize = 64 * 1024;
/// Rows that are waited for before any are encoded, and bytes of them.
const WAITING_ROWS_MAX: usize = 4_096;
const WAITING_BYTES_MAX: usize = 512 * 1024;

#[derive(Debug)]
pub(super) struct OpenFile {
    number: u32,
    partition: Arc<Partition>,
    waiting: Waiting,
    encoder: Option<Encoder>,
    pub(super) rows: u64,
    keys: Option<KeyRange>,
    pub(super) held_bytes: usize,
}

/// Rows that are not encoded yet.
#[derive(Debug, Default)]
struct Waiting {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Encoder {
    writer: DataFileWriter,
    upload: Upload,
}

impl OpenFile {
    pub(super) fn new(number: u32, partition: Arc<Partition>) -> Self {
        Self { number, partition, waiting: Waiting::default(), encoder: None, rows: 0, keys: None, held_bytes: 0 }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) async fn append(&mut self, batch: &RecordBatch, area: &StagingArea) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if let Some(column) = area.key_column {
            let range = key_range(batch, column);
            self.keys = if self.rows == 0 { range } else { KeyRange::union(self.keys.take(), range) };
        }
        self.rows += batch.num_rows() as u64;
        self.waiting.push(batch.clone());
        if self.waiting.rows >= WAITING_ROWS_MAX || self.waiting.bytes >= WAITING_BYTES_MAX {
            self.encode(area).await?;
        }
        self.count_held_bytes(area);
        Ok(())
    }

    /// Encodes what waits, and sends what that finishes.
    pub(super) async fn encode(&mut self, area: &StagingArea) -> Result<()> {
        let Some(rows) = self.waiting.take(area)? else { return Ok(()) };
        let path = self.path(area);
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            None => self.encoder.insert(Encoder::new(area, path)?),
        };
        encoder.writer.write(&rows).map_err(|error| encoder.fails(area, error))?;
        encoder.drain(area).await?;
        self.count_held_bytes(area);
        Ok(())
    }

    /// Ends the row group and sends what it makes.
    pub(super) async fn flush(&mut self, area: &StagingArea) -> Result<()> {
        self.encode(area).await?;
        if let Some(encoder) = &mut self.encoder {
            encoder.writer.flush().map_err(|error| encoder.fails(area, error))?;
            encoder.drain(area).await?;
        }
        self.count_held_bytes(area);
        Ok(())
    }

    /// How large the file would be if it were closed now; rows that wait count as they are.
    pub(super) fn estimated_bytes(&self) -> u64 {
        let encoder = self.encoder.as_ref();
        let encoded = encoder.map_or(0, |Encoder { writer, .. }| writer.bytes_written() + writer.in_progress_size());
        (encoded + self.waiting.bytes) as u64
    }

    /// Whether nothing was encoded so far.
    pub(super) fn is_only_held(&self) -> bool {
        self.encoder.is_none()
    }

    /// The file as rows in memory; nothing of it may have been encoded.
    pub(super) fn hold(self) -> StagedFile {
        let Self { number, partition, waiting, rows, keys, .. } = self;
        StagedFile { number, partition, rows, bytes: waiting.bytes as u64, keys, held: Some(waiting.batches.into()) }
    }

    pub(super) async fn close(mut self, area: &StagingArea) -> Result<StagedFile> {
        self.encode(area).await?;
        let path = self.path(area);
        let Self { number, partition, encoder, rows, keys, .. } = self;
        let mut encoder = match encoder {
            Some(encoder) => encoder,
            None => Encoder::new(area, path)?,
        };
        encoder.writer.finish().map(drop).map_err(|error| encoder.fails(area, error))?;
        encoder.drain(area).await?;
        let path = encoder.upload.path().clone();
        let bytes = encoder.upload.finish().await.map_err(|error| area.storage.failed("stage", &path, error))?;
        Ok(StagedFile { number, partition, rows, bytes, keys, held: None })
    }

    pub(super) async fn abort(self) {
        if let Some(encoder) = self.encoder {
            encoder.upload.abort().await;
        }
    }

    fn path(&self, area: &StagingArea) -> Path {
        area.storage.layout.staged_file(&area.run_id, self.number)
    }

    fn count_held_bytes(&mut self, area: &StagingArea) {
        self.held_bytes = self.waiting.bytes + self.encoder.as_ref().map_or(0, |encoder| encoder.held_bytes(area));
    }
}

impl Encoder {
    fn new(area: &StagingArea, path: Path) -> Result<Self> {
        let writer = DataFileWriter::new(Arc::clone(&area.schema), area.options.clone(), area.grid)
            .map_err(|error| area.storage.failed("encode", &path, error))?;
        Ok(Self { writer, upload: Upload::new(Arc::clone(&area.storage.store), path) })
    }

    /// Moves finished bytes from the encoder to the upload.
    async fn drain(&mut self, area: &StagingArea) -> Result<()> {
        let bytes = self.writer.take_bytes().map_err(|error| self.fails(area, error))?;
        if !bytes.is_empty() {
            let written = self.upload.write(bytes).await;
            written.map_err(|error| area.storage.failed("stage", self.upload.path(), error))?;
        }
        Ok(())
    }

    /// The encoder counts buffers that it has reserved; what they hold so far is what costs memory.
    fn held_bytes(&self, area: &StagingArea) -> usize {
        let encoder = self.writer.memory_size().saturating_sub(area.reserved_bytes) + self.writer.in_progress_size();
        encoder + self.upload.buffered_bytes() + ENCODER_OVERHEAD_BYTES
    }

    fn fails(&self, area: &StagingArea, error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>) -> Error {
        area.storage.failed("encode", self.upload.path(), error)
    }
}

impl Waiting {
    fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += slice_bytes(&batch);
        self.batches.push(batch);
    }

    /// What waits, as one batch.
    fn take(&mut self, area: &StagingArea) -> Result<Option<RecordBatch>> {
        let Self { batches, rows, .. } = std::mem::take(self);
        match batches.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            _ if rows == 0 => Ok(None),
            _ => concat_batches(&area.schema, &batches)
                .map(Some)
                .map_err(|error| Error::storage("cannot put the rows of a file together").with_source(error)),
        }
    }
}

/// What the rows of a batch take in memory, without what their buffers hold besides.
fn slice_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(column.get_array_memory_size())).sum()
}
