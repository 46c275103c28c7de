//! Writes one data file: the encoder of the Parquet crate, with every page sealed ([`super::page`]) and every part on the grid of its commit.
//!
//! Columns are encoded in parallel. The crate hands over the pages of a row group when it is full (`PageStore`); they are sealed then, one column at
//! a time, and go to the file without being copied together.

use std::io::{self, Read};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, PageKey, PageStore, PageStoreArgs,
    PageStoreFactory, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    IntoParallelRefMutIterator as _, ParallelIterator as _,
};

use super::page::{Grid, is_dictionary, seal};

/// With fewer rows than this, handing a column to another core costs more than it spares.
const PARALLEL_ROWS_MIN: usize = 1_024;

/// One data file on its way; its finished bytes wait in memory until [`Self::take_bytes`].
#[derive(Debug)]
pub(super) struct DataFileWriter {
    file: SerializedFileWriter<Vec<u8>>,
    factory: ArrowRowGroupWriterFactory,
    shelves: Arc<Shelves>,
    schema: SchemaRef,
    row_group: Option<RowGroup>,
    row_group_rows: usize,
    grid: Grid,
}

/// The row group that is being filled.
#[derive(Debug)]
struct RowGroup {
    columns: Vec<(ArrowColumnWriter, Shelf)>,
    rows: usize,
}

impl DataFileWriter {
    pub(super) fn new(schema: SchemaRef, options: ArrowWriterOptions, grid: Grid) -> Result<Self> {
        let shelves = Arc::new(Shelves::default());
        let options = options.with_page_store_factory(Arc::<Shelves>::clone(&shelves));
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        let row_group_rows = file.properties().max_row_group_row_count().unwrap_or(usize::MAX).max(1);
        let mut writer = Self { file, factory, shelves, schema, row_group: None, row_group_rows, grid };
        writer.align()?;
        Ok(writer)
    }

    /// Appends rows; a row group that is full is finished.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
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

    /// Finishes the row group, if there is one.
    pub(super) fn flush(&mut self) -> Result<()> {
        let Some(row_group) = self.row_group.take() else { return Ok(()) };
        let mut offset = self.file.bytes_written() as u64;
        let mut writer = self.file.next_row_group()?;
        let closed = row_group.columns.into_par_iter();
        let closed = closed.map(|(column, shelf)| Ok((column.close()?.close().clone(), shelf)));
        for (close, shelf) in closed.collect::<Result<Vec<_>>>()? {
            let (pages, close) = seal_chunk(&shelf.take_all(), close, offset, self.grid)?;
            offset += pages.len();
            writer.append_column(&pages, close)?;
        }
        writer.close()?;
        self.align()
    }

    /// Writes the last row group, the indexes and the footer.
    pub(super) fn finish(&mut self) -> Result<ParquetMetaData> {
        self.flush()?;
        self.file.finish()
    }

    /// The bytes that were finished since the last call.
    pub(super) fn take_bytes(&mut self) -> io::Result<Vec<u8>> {
        self.file.flush()?;
        Ok(mem::take(self.file.inner_mut()))
    }

    /// Memory that the open row group takes, in bytes; an estimate.
    pub(super) fn memory_size(&self) -> usize {
        self.columns().map(ArrowColumnWriter::memory_size).sum()
    }

    /// How large the open row group would be if it were finished now.
    pub(super) fn in_progress_size(&self) -> usize {
        self.columns().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    /// Bytes that were finished, taken or not.
    pub(super) fn bytes_written(&self) -> usize {
        self.file.bytes_written()
    }

    fn columns(&self) -> impl Iterator<Item = &ArrowColumnWriter> {
        self.row_group.iter().flat_map(|row_group| &row_group.columns).map(|(column, _)| column)
    }

    fn begin_row_group(&self) -> Result<RowGroup> {
        let writers = self.factory.create_column_writers(self.file.flushed_row_groups().len())?;
        let shelves = self.shelves.take_all();
        if writers.len() != shelves.len() {
            return Err(ParquetError::General("a column has no place for its pages".to_owned()));
        }
        Ok(RowGroup { columns: writers.into_iter().zip(shelves).collect(), rows: 0 })
    }

    /// Moves on to where the next part may begin.
    fn align(&mut self) -> Result<()> {
        let fill = self.grid.fill(self.file.bytes_written() as u64);
        Ok(self.file.write_all(&fill)?)
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

/// Seals the pages of a column chunk that begins at `offset`, and has its metadata say so. `blobs` are headers and pages by turns.
fn seal_chunk(
    blobs: &[Bytes],
    mut close: ColumnCloseResult,
    offset: u64,
    grid: Grid,
) -> Result<(ChunkPages, ColumnCloseResult)> {
    let pages = blobs.chunks_exact(2).map(|page| (page[0].clone(), page[1].clone()));
    // The dictionary is the first in the file, and the last that the encoder has finished.
    let (dictionary, data): (Vec<_>, Vec<_>) = pages.partition(|(header, _)| is_dictionary(header));
    let mut sealed = ChunkPages::default();
    let mut data_page_offset = 0;
    let mut headers_grew = 0;
    let mut locations = close.offset_index.iter_mut().flat_map(|index| &mut index.page_locations);
    for (position, (header, page)) in dictionary.iter().chain(&data).enumerate() {
        let begin = signed(sealed.len())?;
        let new_header = seal(header, page, offset + sealed.len(), grid)?;
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
        sealed.push(new_header);
        sealed.push(page.clone());
    }
    close.bytes_written = sealed.len();
    let uncompressed_size = close.metadata.uncompressed_size() + headers_grew;
    close.metadata = close
        .metadata
        .into_builder()
        .set_dictionary_page_offset((!dictionary.is_empty()).then_some(0))
        .set_data_page_offset(data_page_offset)
        .set_total_compressed_size(signed(sealed.len())?)
        .set_total_uncompressed_size(uncompressed_size)
        .build()?;
    Ok((sealed, close))
}

fn signed(bytes: u64) -> Result<i64> {
    Ok(i64::try_from(bytes)?)
}

/// What the encoder of one column has finished of the open row group.
#[derive(Debug, Clone, Default)]
struct Shelf(Arc<Mutex<Vec<Bytes>>>);

impl Shelf {
    fn take_all(&self) -> Vec<Bytes> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PageStore for Shelf {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        let mut blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.push(value);
        Ok(PageKey::new(blobs.len() as u64 - 1))
    }

    /// Not called: the writer takes all of them at once.
    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        Err(ParquetError::General(format!("page {} was asked for one by one", key.get())))
    }

    fn memory_size(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Bytes::len).sum()
    }
}

/// Shelves that were made and not yet taken, in the order of their columns.
#[derive(Debug, Default)]
struct Shelves(Mutex<Vec<Shelf>>);

impl Shelves {
    fn take_all(&self) -> Vec<Shelf> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PageStoreFactory for Shelves {
    fn create(&self, _: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        let shelf = Shelf::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(shelf.clone());
        Ok(Box::new(shelf))
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
