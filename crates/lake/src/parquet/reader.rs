//! Reads data files, a batch at a time: their keys, some of their rows, or all of them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::basic::{LogicalType, Type};
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::storage::objects::Storage;
use lakefeed_model::error::{Error, Result};

/// Rows of a batch that is read.
const BATCH_ROWS: usize = 8_192;
/// Batches that are decoded before they are asked for.
const BATCHES_AHEAD: usize = 2;
/// Bytes read at the end of a file in the hope that its metadata is there.
const FOOTER_BYTES: usize = 64 * 1024;

/// A data file, or a staged one.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: Path,
    pub(crate) bytes: u64,
}

impl Source {
    /// Returns how many bytes the file takes in memory, as it is.
    pub(crate) fn bytes_in_memory(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

/// Which part of a file is wanted.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    /// The whole file.
    Whole,
    /// These columns, those of them that the file has.
    Columns(&'a [String]),
    /// The rows at these positions, which must ascend.
    Rows(&'a [Range<usize>]),
    /// Both: these columns of the rows at these positions.
    Cells(&'a [Range<usize>], &'a [String]),
}

/// When the batches of a file are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoding {
    /// When they are asked for.
    OnDemand,
    /// While the caller works on the one before.
    Ahead,
}

/// Reads batches of a file, in the order of its rows.
pub(crate) async fn read<'a>(
    storage: &'a Storage,
    source: &Source,
    part: Part<'_>,
) -> Result<BoxStream<'a, Result<RecordBatch>>> {
    let path = source.path.clone();
    let object = ObjectReader { store: Arc::clone(&storage.store), path: path.clone(), bytes: source.bytes };
    let fails = {
        let path = path.clone();
        move |error| unreadable(storage, &path, error)
    };
    let (rows, names) = match part {
        Part::Whole => (None, None),
        Part::Columns(names) => (None, Some(names)),
        Part::Rows(rows) => (Some(rows), None),
        Part::Cells(rows, names) => (Some(rows), Some(names)),
    };
    let mut options = ArrowReaderOptions::new();
    if rows.is_some() {
        options = options.with_offset_index_policy(PageIndexPolicy::Optional);
    }
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(object, options).await.map_err(&fails)?;
    let mut builder = builder.with_batch_size(BATCH_ROWS);
    if let Some(names) = names {
        let positions = names.iter().filter_map(|name| builder.schema().index_of(name).ok()).collect::<Vec<_>>();
        let mask = ProjectionMask::roots(builder.parquet_schema(), positions);
        builder = builder.with_projection(mask);
    }
    if let Some(rows) = rows {
        let count = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(rows.iter().cloned(), count));
    }
    let stream = builder.build().map_err(&fails)?;
    Ok(stream.map(move |batch| batch.map_err(&fails)).boxed())
}

/// Reads all bytes of a file.
pub(crate) async fn fetch(storage: &Storage, source: &Source) -> Result<Bytes> {
    let fails = |error| storage.unreadable("read", &source.path, error);
    storage.store.get(&source.path).await.map_err(fails)?.bytes().await.map_err(fails)
}

/// Decodes all batches of a file whose bytes are `content`.
pub(crate) fn decode(
    storage: &Storage,
    source: &Source,
    content: Bytes,
    decoding: Decoding,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let (storage, path) = (storage.clone(), source.path.clone());
    let fails = move |error| unreadable(&storage, &path, error);
    let builder = ParquetRecordBatchReaderBuilder::try_new(content).map_err(&fails)?;
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(&fails)?;
    let batches = reader.map(move |batch| batch.map_err(|error| fails(error.into())));
    Ok(match decoding {
        Decoding::Ahead => in_advance(batches),
        Decoding::OnDemand => stream::iter(batches).boxed(),
    })
}

fn unreadable(storage: &Storage, path: &Path, error: ParquetError) -> Error {
    storage.unreadable("read", path, error)
}

/// Decodes some batches before they are asked for.
fn in_advance(
    batches: impl Iterator<Item = Result<RecordBatch>> + Send + 'static,
) -> BoxStream<'static, Result<RecordBatch>> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    let mut reading = JoinSet::new();
    // On a thread of its own: a task would wait for the one that it is to work beside.
    reading.spawn_blocking(move || {
        for batch in batches {
            if sender.blocking_send(batch).is_err() {
                break;
            }
        }
    });
    let next = |(mut receiver, mut reading): (mpsc::Receiver<Result<RecordBatch>>, JoinSet<()>)| async {
        if let Some(batch) = receiver.recv().await {
            return Some((batch, (receiver, reading)));
        }
        // No more batches are the end of the file only when the reading says so.
        let error = match reading.join_next().await? {
            Ok(()) => return None,
            Err(error) => Error::defect("the reading of a file ended unexpectedly").with_source(error),
        };
        Some((Err(error), (receiver, reading)))
    };
    stream::unfold((receiver, reading), next).boxed()
}

/// A data file whose Bloom filters can be asked.
pub(crate) struct Filters {
    builder: ParquetRecordBatchStreamBuilder<ObjectReader>,
}

impl Filters {
    pub(crate) async fn of(storage: &Storage, source: &Source) -> Result<Self> {
        let object = ObjectReader { store: Arc::clone(&storage.store), path: source.path.clone(), bytes: source.bytes };
        let builder = ParquetRecordBatchStreamBuilder::new(object).await;
        builder.map(|builder| Self { builder }).map_err(|error| storage.unreadable("read", &source.path, error))
    }

    pub(crate) fn row_groups(&self) -> usize {
        self.builder.metadata().num_row_groups()
    }

    /// Returns the filter of a plain column in a row group; `None` where it has none.
    pub(crate) async fn filter(&mut self, row_group: usize, column: &str) -> parquet::errors::Result<Option<Sbbf>> {
        let leaves = self.builder.parquet_schema().columns();
        let Some(leaf) = leaves.iter().position(|leaf| leaf.path().parts() == [column]) else { return Ok(None) };
        self.builder.get_row_group_column_bloom_filter(row_group, leaf).await
    }
}

/// Returns what a data file's metadata has under `key`.
pub(crate) async fn metadata_entry(storage: &Storage, source: &Source, key: &str) -> Result<Option<String>> {
    let mut object = ObjectReader { store: Arc::clone(&storage.store), path: source.path.clone(), bytes: source.bytes };
    let metadata = object.get_metadata(None).await.map_err(|error| storage.unreadable("read", &source.path, error))?;
    let entries = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    Ok(entries.filter(|entry| entry.key == key).find_map(|entry| entry.value.clone()))
}

/// Up to here, every integer is exact as a double.
const DOUBLES_MAX: u64 = 1 << 53;

/// Returns whether the statistics of a file say that every integer in these columns is exact as a
/// double.
pub(crate) async fn are_all_doubles(storage: &Storage, source: &Source, columns: &[String]) -> Result<bool> {
    let mut object = ObjectReader { store: Arc::clone(&storage.store), path: source.path.clone(), bytes: source.bytes };
    let metadata = object.get_metadata(None).await.map_err(|error| storage.unreadable("read", &source.path, error))?;
    let chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let mut chunks =
        chunks.filter(|chunk| chunk.column_path().parts().first().is_some_and(|root| columns.contains(root)));
    Ok(chunks.all(|chunk| match (chunk.column_type(), chunk.statistics()) {
        // Unsigned integers of 64 bits beyond the signed ones are negative here.
        (Type::INT64, Some(Statistics::Int64(range))) => match (range.min_opt(), range.max_opt()) {
            (Some(min), Some(max)) => {
                min <= max && min.unsigned_abs().max(max.unsigned_abs()) <= DOUBLES_MAX && {
                    !is_unsigned(chunk.column_descr()) || *min >= 0
                }
            }
            (None, _) | (_, None) => range.null_count_opt() == u64::try_from(chunk.num_values()).ok(),
        },
        (Type::INT64, _) => false,
        _ => true,
    }))
}

fn is_unsigned(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::Integer(kind)) if !kind.is_signed)
}

/// Turns positions, which must ascend, into ranges.
pub(crate) fn ranges(positions: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for position in positions {
        match ranges.last_mut() {
            Some(last) if last.end == position => last.end += 1,
            Some(_) | None => ranges.push(position..position + 1),
        }
    }
    ranges
}

#[derive(Debug)]
struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

impl ObjectReader {
    /// Tells why nothing was given: an object of another size is not what was committed, and the
    /// store's words on the range would hide it.
    async fn fails(&self, error: object_store::Error) -> ParquetError {
        match self.store.head(&self.path).await {
            Ok(found) if found.size != self.bytes => {
                ParquetError::General(format!("it has {} bytes, the commit says {}", found.size, self.bytes))
            }
            Ok(_) | Err(_) => ParquetError::External(Box::new(error)),
        }
    }
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            match self.store.get_range(&self.path, range).await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(self.fails(error).await),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            match self.store.get_ranges(&self.path, &ranges).await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(self.fails(error).await),
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            let reader =
                ParquetMetaDataReader::new().with_arrow_reader_options(options).with_prefetch_hint(Some(FOOTER_BYTES));
            reader.load_and_finish(self, bytes).await.map(Arc::new)
        }
        .boxed()
    }
}

/// Wraps an error of giving the rows of a file another shape: values that do not fit are a matter
/// of the schema, anything else is damage.
pub(crate) fn conform_error(storage: &Storage, action: &str, path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::CastError(what) => Error::schema(format!("{}: {what}", storage.show(path)))
            .with_hint("the table stays as it was; keep the column's type with a schema file, or let it become JSON there, too: x-arrow: json, with schema_contract.conflicts: json")
            .with_hint("or load everything anew with --full-refresh"),
        error => storage.unreadable(action, path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_become_the_fewest_ranges() {
        assert_eq!(ranges([0, 1, 2, 5, 7, 8].into_iter()), [0..3, 5..6, 7..9]);
        assert!(ranges(std::iter::empty()).is_empty());
    }
}
