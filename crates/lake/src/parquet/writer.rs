//! Writes one data file by the encoder of the Parquet crate. Every page gets a checksum
//! ([`crate::parquet::page_checksum`]), and every part begins where it is aligned
//! ([`crate::parquet::alignment`]).
//!
//! A row group can also be taken over from another file, with other values in some of its columns:
//! pages of the others are copied as they are ([`crate::parquet::copy`]).
//!
//! Columns are encoded in parallel. The crate hands over each page as it is finished (`PageStore`),
//! and it is compressed then, by the one compressor of its thread. Pages get their checksums when
//! the row group is full, one column at a time, and go to the file without being copied together.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, ArrowWriterOptions, PageKey, PageStore,
    PageStoreArgs, PageStoreFactory, compute_leaves,
};
use parquet::basic::CompressionCodec;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    IntoParallelRefMutIterator as _, ParallelIterator as _,
};
use zstd::bulk::Compressor;

use crate::parquet::alignment::PageAlignment;
use crate::parquet::copy::{Chunk, Original};
use crate::parquet::page_checksum::{is_dictionary, with_checksum, with_compressed_size};

/// With fewer rows than this, handing a column to another core costs more than it spares.
const PARALLEL_ROWS_MIN: usize = 1_024;

/// One data file being written; its finished bytes wait in memory until [`Self::take_bytes`].
#[derive(Debug)]
pub(crate) struct DataFileWriter {
    file: SerializedFileWriter<Pieces>,
    factory: ArrowRowGroupWriterFactory,
    buffers: Arc<PageBuffers>,
    schema: SchemaRef,
    row_group: Option<RowGroup>,
    row_group_rows: usize,
    alignment: PageAlignment,
}

/// Finished bytes in pieces. One growing vector would leave holes of megabytes in the allocator's
/// memory, row group by row group.
#[derive(Debug, Default)]
struct Pieces {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

const PIECE_BYTES: usize = 64 * 1024;

impl Pieces {
    fn finish(mut self) -> Vec<Bytes> {
        if !self.last.is_empty() {
            self.last.shrink_to_fit();
            self.full.push(self.last.into());
        }
        self.full
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.capacity() == 0 {
            self.last.reserve_exact(PIECE_BYTES);
        }
        let taken = bytes.len().min(PIECE_BYTES - self.last.len());
        self.last.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.last.len() == PIECE_BYTES {
            self.full.push(mem::take(&mut self.last).into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The row group that is being filled.
#[derive(Debug)]
struct RowGroup {
    columns: Vec<(ArrowColumnWriter, PageBuffer)>,
    rows: usize,
}

impl DataFileWriter {
    pub(crate) fn new(schema: SchemaRef, options: ArrowWriterOptions, alignment: PageAlignment) -> Result<Self> {
        let buffers = Arc::new(PageBuffers::default());
        let options = options.with_page_store_factory(Arc::<PageBuffers>::clone(&buffers));
        let writer = ArrowWriter::try_new_with_options(Pieces::default(), Arc::clone(&schema), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        let row_group_rows = file.properties().max_row_group_row_count().unwrap_or(usize::MAX).max(1);
        let mut writer = Self { file, factory, buffers, schema, row_group: None, row_group_rows, alignment };
        writer.align()?;
        Ok(writer)
    }

    /// Appends rows. A row group that is full is finished.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut done = 0;
        while done < batch.num_rows() {
            let mut row_group = match self.row_group.take() {
                Some(row_group) => row_group,
                None => self.begin_row_group()?,
            };
            let rows = (batch.num_rows() - done).min(self.row_group_rows - row_group.rows);
            row_group.write(&self.schema, &batch.slice(done, rows))?;
            done += rows;
            let is_full = row_group.rows == self.row_group_rows;
            self.row_group = Some(row_group);
            if is_full {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Returns how many rows a row group has at most.
    pub(crate) fn row_group_rows(&self) -> usize {
        self.row_group_rows
    }

    /// Returns how many rows the open row group has.
    pub(crate) fn open_rows(&self) -> usize {
        self.row_group.as_ref().map_or(0, |row_group| row_group.rows)
    }

    /// Returns whether chunks of `original` can be chunks of this file.
    pub(crate) fn takes(&self, original: &Original) -> bool {
        original.is_of(self.file.schema_descr())
    }

    /// Appends the row group at `position` of `original`, which [`Self::takes`], with other values
    /// in some columns, as many as the row group has rows. The other columns are copied.
    pub(crate) fn write_changed(
        &mut self,
        original: &Original,
        position: usize,
        changed: Vec<Option<Vec<ArrayRef>>>,
    ) -> Result<()> {
        self.flush()?;
        let mut leaves = changed
            .into_iter()
            .zip(self.schema.fields())
            .map(|(values, field)| Some(values?.iter().map(|values| compute_leaves(field, values)).collect()))
            .map(|leaves: Option<Result<Vec<_>>>| Ok(leaves.transpose()?.map(by_leaf)))
            .collect::<Result<Vec<_>>>()?;
        let schema = self.file.schema_descr();
        let mut work = Vec::with_capacity(schema.num_columns());
        for (leaf, (writer, pages)) in self.begin_row_group()?.columns.into_iter().enumerate() {
            let values = leaves.get_mut(schema.get_column_root_idx(leaf)).and_then(Option::as_mut);
            work.push((leaf, writer, pages, values.and_then(VecDeque::pop_front)));
        }
        let chunks = work.into_par_iter().map(|(leaf, mut writer, pages, values)| {
            let Some(values) = values else {
                let Chunk { blobs, close } = original.chunk(position, leaf)?;
                return Ok((close, blobs));
            };
            values.iter().try_for_each(|values| writer.write(values))?;
            closed(writer, &pages)
        });
        let chunks = chunks.collect::<Result<Vec<_>>>()?;
        self.append(chunks)
    }

    /// Finishes the row group, if there is one.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let Some(row_group) = self.row_group.take() else { return Ok(()) };
        let chunks = row_group.columns.into_par_iter().map(|(column, pages)| closed(column, &pages));
        let chunks = chunks.collect::<Result<Vec<_>>>()?;
        self.append(chunks)
    }

    /// Appends a row group of these chunks.
    fn append(&mut self, chunks: Vec<(ColumnCloseResult, Vec<Bytes>)>) -> Result<()> {
        let mut offset = self.file.bytes_written() as u64;
        let mut writer = self.file.next_row_group()?;
        for (close, blobs) in chunks {
            let (pages, close) = finish_chunk(&blobs, close, offset, self.alignment)?;
            offset += pages.len();
            writer.append_column(&pages, close)?;
        }
        writer.close()?;
        self.align()
    }

    /// Writes the last row group, the indexes and the footer.
    pub(crate) fn finish(&mut self) -> Result<ParquetMetaData> {
        self.flush()?;
        self.file.finish()
    }

    /// Takes the bytes that were finished since the last call.
    pub(crate) fn take_bytes(&mut self) -> io::Result<Vec<Bytes>> {
        self.file.flush()?;
        Ok(mem::take(self.file.inner_mut()).finish())
    }

    /// Estimates the memory that the open row group takes, in bytes.
    pub(crate) fn memory_size(&self) -> usize {
        let columns = self.row_group.iter().flat_map(|row_group| &row_group.columns);
        columns.map(|(column, _)| column.memory_size()).sum()
    }

    /// Returns how large the open row group would be if it were finished now.
    pub(crate) fn in_progress_size(&self) -> usize {
        let columns = self.row_group.iter().flat_map(|row_group| &row_group.columns);
        columns.map(|(column, pages)| column.get_estimated_total_bytes().saturating_sub(pages.saved_bytes())).sum()
    }

    /// Returns how many bytes were finished, taken or not.
    pub(crate) fn bytes_written(&self) -> usize {
        self.file.bytes_written()
    }

    fn begin_row_group(&self) -> Result<RowGroup> {
        let writers = self.factory.create_column_writers(self.file.flushed_row_groups().len())?;
        let buffers = self.buffers.take_all();
        if writers.len() != buffers.len() {
            return Err(ParquetError::General("a column has no place for its pages".to_owned()));
        }
        Ok(RowGroup { columns: writers.into_iter().zip(buffers).collect(), rows: 0 })
    }

    /// Writes padding, up to where the next part may begin.
    fn align(&mut self) -> Result<()> {
        let padding_bytes = self.alignment.padding_bytes(self.file.bytes_written() as u64);
        Ok(self.file.write_all(&padding_bytes)?)
    }
}

impl RowGroup {
    fn write(&mut self, schema: &SchemaRef, rows: &RecordBatch) -> Result<()> {
        let mut leaves = Vec::with_capacity(self.columns.len());
        for (field, values) in schema.fields().iter().zip(rows.columns()) {
            leaves.extend(compute_leaves(field, values)?);
        }
        if rows.num_rows() < PARALLEL_ROWS_MIN {
            for ((column, _), leaf) in self.columns.iter_mut().zip(&leaves) {
                column.write(leaf)?;
            }
        } else {
            let columns = self.columns.par_iter_mut().zip(leaves.par_iter());
            columns.try_for_each(|((column, _), leaf)| column.write(leaf))?;
        }
        self.rows += rows.num_rows();
        Ok(())
    }
}

/// Ends a column. Returns what it was encoded to.
fn closed(column: ArrowColumnWriter, pages: &PageBuffer) -> Result<(ColumnCloseResult, Vec<Bytes>)> {
    let mut close = column.close()?.close().clone();
    close.metadata = close.metadata.into_builder().set_compression_codec(CompressionCodec::ZSTD).build()?;
    Ok((close, pages.take_all()))
}

/// Returns the leaves of a column, batch by batch, as the batches of each leaf.
fn by_leaf(batches: Vec<Vec<ArrowLeafColumn>>) -> VecDeque<Vec<ArrowLeafColumn>> {
    let mut leaves = VecDeque::new();
    for batch in batches {
        leaves.resize_with(batch.len(), Vec::new);
        for (leaf, values) in leaves.iter_mut().zip(batch) {
            leaf.push(values);
        }
    }
    leaves
}

/// Adds checksums and padding to the pages of a column chunk that begins at `offset`, and has its
/// metadata say so. `blobs` are headers and pages by turns.
fn finish_chunk(
    blobs: &[Bytes],
    mut close: ColumnCloseResult,
    offset: u64,
    alignment: PageAlignment,
) -> Result<(ChunkPages, ColumnCloseResult)> {
    let pages = blobs.chunks_exact(2).map(|page| (page[0].clone(), page[1].clone()));
    // The dictionary is the first in the file, and the last that the encoder has finished.
    let (dictionary, data): (Vec<_>, Vec<_>) = pages.partition(|(header, _)| is_dictionary(header));
    let mut written = ChunkPages::default();
    let mut data_page_offset = 0;
    let mut headers_grew = 0;
    let mut locations = close.offset_index.iter_mut().flat_map(|index| &mut index.page_locations);
    for (position, (header, page)) in dictionary.iter().chain(&data).enumerate() {
        let begin = signed(written.len())?;
        let new_header = with_checksum(header, page, offset + written.len(), alignment)?;
        headers_grew += signed((new_header.len() - header.len()) as u64)?;
        if position == dictionary.len() {
            data_page_offset = begin;
        }
        if position >= dictionary.len()
            && let Some(location) = locations.next()
        {
            location.offset = begin;
            location.compressed_page_size = i32::try_from(new_header.len() + page.len())?;
        }
        written.push(new_header);
        written.push(page.clone());
    }
    close.bytes_written = written.len();
    let uncompressed_size = close.metadata.uncompressed_size() + headers_grew;
    close.metadata = close
        .metadata
        .into_builder()
        .set_dictionary_page_offset((!dictionary.is_empty()).then_some(0))
        .set_data_page_offset(data_page_offset)
        .set_total_compressed_size(signed(written.len())?)
        .set_total_uncompressed_size(uncompressed_size)
        .build()?;
    Ok((written, close))
}

fn signed(bytes: u64) -> Result<i64> {
    Ok(i64::try_from(bytes)?)
}

/// What the encoder of one column has finished of the open row group.
#[derive(Debug, Clone, Default)]
struct PageBuffer(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    /// Headers and pages by turns; pages are compressed.
    blobs: Vec<Bytes>,
    bytes: usize,
    /// What came, before it was compressed.
    raw_bytes: usize,
}

impl PageBuffer {
    fn take_all(&self) -> Vec<Bytes> {
        mem::take(&mut *self.pages()).blobs
    }

    /// Returns how many bytes less there are than came.
    fn saved_bytes(&self) -> usize {
        let pages = self.pages();
        pages.raw_bytes.saturating_sub(pages.bytes)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PageStore for PageBuffer {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        let mut pages = self.pages();
        pages.raw_bytes += value.len();
        let is_page = pages.blobs.len() % 2 == 1;
        let value = match pages.blobs.last_mut() {
            Some(header) if is_page => {
                let page = compress(&value)?;
                let of_page = with_compressed_size(header, page.len())?;
                let before = mem::replace(header, of_page.into());
                pages.bytes -= before.len();
                pages.bytes += pages.blobs.last().map_or(0, Bytes::len);
                page
            }
            // It comes in memory that is many times as large.
            _ => Bytes::copy_from_slice(&value),
        };
        pages.bytes += value.len();
        pages.blobs.push(value);
        Ok(PageKey::new(pages.blobs.len() as u64 - 1))
    }

    /// Fails, since it is not called: the writer takes all of them at once.
    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        Err(ParquetError::General(format!("page {} was asked for one by one", key.get())))
    }

    fn memory_size(&self) -> usize {
        self.pages().bytes
    }
}

/// The level of zstd that pages are compressed at.
const ZSTD_LEVEL: i32 = 1;

thread_local! {
    /// A compressor takes half a megabyte. The crate would have one for each column of each open
    /// file; one for each thread is enough.
    static COMPRESSOR: RefCell<Option<(Compressor<'static>, Vec<u8>)>> = const { RefCell::new(None) };
}

/// Returns a page, compressed.
fn compress(page: &[u8]) -> Result<Bytes> {
    COMPRESSOR.with_borrow_mut(|cell| {
        let (compressor, buffer) = match cell {
            Some(used) => used,
            None => cell.insert((Compressor::new(ZSTD_LEVEL)?, Vec::new())),
        };
        buffer.clear();
        buffer.reserve(zstd::zstd_safe::compress_bound(page.len()));
        compressor.compress_to_buffer(page, buffer)?;
        Ok(Bytes::copy_from_slice(buffer))
    })
}

/// Buffers of pages that were made and not yet taken, in the order of their columns.
#[derive(Debug, Default)]
struct PageBuffers(Mutex<Vec<PageBuffer>>);

impl PageBuffers {
    fn take_all(&self) -> Vec<PageBuffer> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PageStoreFactory for PageBuffers {
    fn create(&self, _: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        let pages = PageBuffer::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(pages.clone());
        Ok(Box::new(pages))
    }
}

/// The bytes of a column chunk, piece by piece.
#[derive(Debug, Clone, Default)]
struct ChunkPages {
    pieces: Vec<Bytes>,
    bytes: u64,
}

impl ChunkPages {
    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len() as u64;
        self.pieces.push(piece);
    }
}

impl Length for ChunkPages {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for ChunkPages {
    type T = PieceReader;

    fn get_read(&self, start: u64) -> Result<PieceReader> {
        let mut skip = start;
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let skipped = skip.min(piece.len() as u64);
            skip -= skipped;
            pieces.push(piece.slice(usize::try_from(skipped)?..));
        }
        pieces.reverse();
        Ok(PieceReader(pieces))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Pieces that are still to be read, the last one first.
#[derive(Debug)]
struct PieceReader(Vec<Bytes>);

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.0.last_mut() {
            if piece.is_empty() {
                self.0.pop();
                continue;
            }
            let read = piece.len().min(buffer.len());
            let taken = piece.split_to(read);
            if let Some(target) = buffer.get_mut(..read) {
                target.copy_from_slice(&taken);
            }
            return Ok(read);
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
