//! Reading data files back, a batch at a time: their keys, some of their rows, or all of them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryFutureExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::storage::Storage;
use crate::error::Result;

/// Rows of a batch that is read.
const BATCH_ROWS: usize = 8_192;
/// Bytes read at the end of a file in the hope that its metadata is there.
const FOOTER_BYTES: usize = 64 * 1024;

/// A data file, or a staged one.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: Path,
    pub(super) bytes: u64,
}

/// Which part of a file is wanted.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// All of it.
    Whole,
    /// These columns, those of them that the file has.
    Columns(&'a [String]),
    /// The rows at these positions, which ascend.
    Rows(&'a [Range<usize>]),
}

/// Batches of a file, in the order of its rows.
pub(super) async fn read<'a>(
    storage: &'a Storage,
    source: &Source,
    part: Part<'_>,
) -> Result<BoxStream<'a, Result<RecordBatch>>> {
    let path = source.path.clone();
    let object = ObjectReader { store: Arc::clone(&storage.store), path: path.clone(), bytes: source.bytes };
    let fails = {
        let path = path.clone();
        move |error: ParquetError| {
            storage
                .failed("read", &path, error)
                .with_hint("if the file is damaged, restore it or reload with --full-refresh")
        }
    };
    let mut options = ArrowReaderOptions::new();
    if matches!(part, Part::Rows(_)) {
        options = options.with_offset_index_policy(PageIndexPolicy::Optional);
    }
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(object, options).await.map_err(&fails)?;
    let builder = builder.with_batch_size(BATCH_ROWS);
    let builder = match part {
        Part::Whole => builder,
        Part::Columns(names) => {
            let positions = names.iter().filter_map(|name| builder.schema().index_of(name).ok()).collect::<Vec<_>>();
            let mask = ProjectionMask::roots(builder.parquet_schema(), positions);
            builder.with_projection(mask)
        }
        Part::Rows(ranges) => {
            let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
            builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges.iter().cloned(), rows))
        }
    };
    let stream = builder.build().map_err(&fails)?;
    Ok(stream.map(move |batch| batch.map_err(&fails)).boxed())
}

/// What a data file's metadata has under `key`.
pub(super) async fn metadata_entry(storage: &Storage, source: &Source, key: &str) -> Result<Option<String>> {
    let mut object = ObjectReader { store: Arc::clone(&storage.store), path: source.path.clone(), bytes: source.bytes };
    let metadata = object.get_metadata(None).await.map_err(|error| storage.failed("read", &source.path, error))?;
    let entries = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    Ok(entries.filter(|entry| entry.key == key).find_map(|entry| entry.value.clone()))
}

/// Positions as ranges; they must ascend.
pub(super) fn ranges(positions: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
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

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        self.store.get_range(&self.path, range).map_err(external).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_become_the_fewest_ranges() {
        assert_eq!(ranges([0, 1, 2, 5, 7, 8].into_iter()), [0..3, 5..6, 7..9]);
        assert!(ranges(std::iter::empty()).is_empty());
    }
}
