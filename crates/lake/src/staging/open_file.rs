//! One open file of a run: rows wait until there are enough of them to be worth encoding.
//!
//! Rows of many partitions come in small pieces, and an encoder has a price per piece. A file has
//! one, too, so none is begun before it has rows to encode. Encoding goes on beside the work of
//! whoever brings the rows, one piece of a file at a time, so that the file is the same however
//! long it takes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch};
use arrow::compute::concat_batches;
use object_store::path::Path;
use parquet::errors::ParquetError;
use tokio::sync::oneshot;

use crate::log::key_range::KeyRange;
use crate::parquet::writer::DataFileWriter;
use crate::staging::area::{StagedFile, StagingArea, key_range};
use crate::staging::partition::Partition;
use crate::storage::upload::Upload;
use lakefeed_model::error::{Error, Result};

/// What an open file holds besides what its encoder counts: pages in the making, metadata. An
/// estimate.
const ENCODER_OVERHEAD_BYTES: usize = 256 * 1024;
/// How many rows wait before any are encoded, and how many bytes of them.
const WAITING_ROWS_MAX: usize = 4_096;
const WAITING_BYTES_MAX: usize = 512 * 1024;
/// With fewer rows than this, handing them to another thread costs more than it spares.
const HANDED_ROWS_MIN: usize = 1_024;

/// When rows are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As soon as there are enough of them.
    WhenEnough,
    /// When someone asks for it.
    Later,
}

#[derive(Debug)]
pub(crate) struct OpenFile {
    number: u32,
    partition: Arc<Partition>,
    waiting: Waiting,
    encoder: Option<Encoder>,
    at_work: Option<AtWork>,
    /// What the file holds of its encoder, and how large it would be, when that was last at rest.
    encoded: Encoded,
    pub(crate) rows: u64,
    keys: Option<KeyRange>,
    pub(crate) held_bytes: usize,
}

/// An encoder that is encoding.
#[derive(Debug)]
struct AtWork {
    done: oneshot::Receiver<(Encoder, Result<(), ParquetError>)>,
    /// What it encodes, in bytes.
    bytes: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Encoded {
    held_bytes: usize,
    file_bytes: usize,
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
    pub(crate) fn new(number: u32, partition: Arc<Partition>) -> Self {
        Self {
            number,
            partition,
            waiting: Waiting::default(),
            encoder: None,
            at_work: None,
            encoded: Encoded::default(),
            rows: 0,
            keys: None,
            held_bytes: 0,
        }
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Adds rows, which are encoded as `encoding` says.
    pub(crate) async fn append(&mut self, batch: &RecordBatch, area: &StagingArea, encoding: Encoding) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if let Some(column) = area.key_column {
            let range = key_range(batch, column);
            self.keys = if self.rows == 0 { range } else { KeyRange::union(self.keys.take(), range) };
        }
        self.rows += batch.num_rows() as u64;
        self.waiting.push(batch.clone());
        let is_enough = self.waiting.rows >= WAITING_ROWS_MAX || self.waiting.bytes >= WAITING_BYTES_MAX;
        if is_enough && encoding == Encoding::WhenEnough {
            self.begin_to_encode(area).await?;
        }
        self.count_held_bytes();
        Ok(())
    }

    /// Encodes what waits, and sends what that finishes.
    pub(crate) async fn encode(&mut self, area: &StagingArea) -> Result<()> {
        self.begin_to_encode(area).await?;
        self.come_to_rest(area).await
    }

    /// Has the waiting rows encoded, at once or beside what the caller does next.
    async fn begin_to_encode(&mut self, area: &StagingArea) -> Result<()> {
        self.come_to_rest(area).await?;
        let bytes = self.waiting.bytes;
        let Some(rows) = self.waiting.take(area)? else { return Ok(()) };
        let mut encoder = self.take_encoder(area)?;
        if rows.num_rows() < HANDED_ROWS_MIN {
            let written = encoder.writer.write(&rows);
            return self.put_back(encoder, written, area).await;
        }
        let (sender, done) = oneshot::channel();
        rayon::spawn(move || {
            let written = catch_unwind(AssertUnwindSafe(|| encoder.writer.write(&rows)));
            let panicked = |_| Err(ParquetError::General("the encoder has panicked".to_owned()));
            // Whoever does not wait for it any more has given the file up.
            drop(sender.send((encoder, written.unwrap_or_else(panicked))));
        });
        self.at_work = Some(AtWork { done, bytes });
        Ok(())
    }

    /// Waits until nothing of the file is being encoded.
    pub(crate) async fn come_to_rest(&mut self, area: &StagingArea) -> Result<()> {
        let Some(AtWork { done, .. }) = self.at_work.take() else { return Ok(()) };
        let (encoder, written) = done
            .await
            .map_err(|error| Error::defect("the encoding of a file ended unexpectedly").with_source(error))?;
        self.put_back(encoder, written, area).await
    }

    async fn put_back(
        &mut self,
        mut encoder: Encoder,
        written: Result<(), ParquetError>,
        area: &StagingArea,
    ) -> Result<()> {
        let drained = match written {
            Ok(()) => encoder.drain(area).await,
            Err(error) => Err(encoder.fails(area, error)),
        };
        self.encoded = encoder.encoded(area);
        self.encoder = Some(encoder);
        self.count_held_bytes();
        drained
    }

    fn take_encoder(&mut self, area: &StagingArea) -> Result<Encoder> {
        match self.encoder.take() {
            Some(encoder) => Ok(encoder),
            None => Encoder::new(area, area.naming.staged.file(self.number)),
        }
    }

    /// Ends the row group and sends what it makes.
    pub(crate) async fn flush(&mut self, area: &StagingArea) -> Result<()> {
        self.encode(area).await?;
        let Some(mut encoder) = self.encoder.take() else { return Ok(()) };
        let flushed = encoder.writer.flush();
        self.put_back(encoder, flushed, area).await
    }

    /// Returns how large the file would be if it were closed now; rows that are not encoded yet
    /// count as they are.
    pub(crate) fn estimated_bytes(&self) -> u64 {
        (self.encoded.file_bytes + self.raw_bytes()) as u64
    }

    /// Returns whether nothing was encoded so far.
    pub(crate) fn is_only_held(&self) -> bool {
        self.encoder.is_none() && self.at_work.is_none()
    }

    /// Returns the file as rows in memory; nothing of it may have been encoded.
    pub(crate) fn hold(self) -> StagedFile {
        let Self { number, partition, waiting, rows, keys, .. } = self;
        StagedFile { number, partition, rows, bytes: waiting.bytes as u64, keys, held: Some(waiting.batches.into()) }
    }

    pub(crate) async fn close(mut self, area: &StagingArea) -> Result<StagedFile> {
        self.encode(area).await?;
        let mut encoder = self.take_encoder(area)?;
        let Self { number, partition, rows, keys, .. } = self;
        encoder.writer.finish().map(drop).map_err(|error| encoder.fails(area, error))?;
        encoder.drain(area).await?;
        let path = encoder.upload.path().clone();
        let bytes = encoder.upload.finish().await.map_err(|error| area.storage.failed("stage", &path, error))?;
        Ok(StagedFile { number, partition, rows, bytes, keys, held: None })
    }

    pub(crate) async fn abort(self) {
        let at_work = match self.at_work {
            Some(AtWork { done, .. }) => done.await.ok().map(|(encoder, _)| encoder),
            None => None,
        };
        if let Some(encoder) = at_work.or(self.encoder) {
            encoder.upload.abort().await;
        }
    }

    /// Returns how many bytes the rows take that are not encoded yet.
    fn raw_bytes(&self) -> usize {
        self.waiting.bytes + self.at_work.as_ref().map_or(0, |at_work| at_work.bytes)
    }

    fn count_held_bytes(&mut self) {
        self.held_bytes = self.encoded.held_bytes + self.raw_bytes();
    }
}

impl Encoder {
    fn new(area: &StagingArea, path: Path) -> Result<Self> {
        let writer = DataFileWriter::new(Arc::clone(&area.schema), area.options.clone(), area.naming.alignment)
            .map_err(|error| area.storage.failed("encode", &path, error))?;
        Ok(Self { writer, upload: Upload::new(Arc::clone(&area.storage.store), path) })
    }

    /// Moves finished bytes from the encoder to the upload.
    async fn drain(&mut self, area: &StagingArea) -> Result<()> {
        let bytes = self.writer.take_bytes().map_err(|error| self.fails(area, error))?;
        for piece in bytes {
            let written = self.upload.write(piece).await;
            written.map_err(|error| area.storage.failed("stage", self.upload.path(), error))?;
        }
        Ok(())
    }

    fn encoded(&self, area: &StagingArea) -> Encoded {
        let in_progress = self.writer.in_progress_size();
        // The encoder counts buffers that it has reserved; what they hold so far is what costs
        // memory.
        let encoder = self.writer.memory_size().saturating_sub(area.reserved_bytes).max(in_progress);
        Encoded {
            held_bytes: encoder + self.upload.buffered_bytes() + ENCODER_OVERHEAD_BYTES,
            file_bytes: self.writer.bytes_written() + in_progress,
        }
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

    /// Returns what waits, as one batch.
    fn take(&mut self, area: &StagingArea) -> Result<Option<RecordBatch>> {
        let Self { batches, rows, .. } = std::mem::take(self);
        match batches.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            _ if rows == 0 => Ok(None),
            _ => concat_batches(&area.schema, &batches)
                .map(Some)
                .map_err(|error| Error::defect("cannot put the rows of a file together").with_source(error)),
        }
    }
}

/// Returns how many bytes the rows of a batch take in memory, without what their buffers hold
/// besides.
fn slice_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(column.get_array_memory_size())).sum()
}
