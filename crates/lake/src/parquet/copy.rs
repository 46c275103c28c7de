//! Copies column chunks of one data file into another: nothing is decoded or encoded, pages only
//! get new headers.

use bytes::Bytes;
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    RowGroupMetaData,
};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::schema::types::SchemaDescriptor;

use crate::parquet::page_checksum::{BarePage, without_checksum};

/// A data file in memory.
#[derive(Debug)]
pub(crate) struct Original {
    content: Bytes,
    metadata: ParquetMetaData,
}

/// A column chunk as it is in its file: headers and pages by turns, without checksums and padding.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) blobs: Vec<Bytes>,
    pub(super) close: ColumnCloseResult,
}

impl Original {
    /// Opens the file with this content.
    ///
    /// # Errors
    /// When that is no Parquet file.
    pub(crate) fn open(content: Bytes) -> Result<Self> {
        // The copy is to say, too, which encodings the pages of a chunk have.
        let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = reader.with_metadata_options(Some(options)).parse_and_finish(&content)?;
        Ok(Self { content, metadata })
    }

    pub(crate) fn row_groups(&self) -> &[RowGroupMetaData] {
        self.metadata.row_groups()
    }

    /// Returns whether chunks of the file can be chunks of a file of `schema`: types, names and
    /// field numbers are the same, and it is known where pages are.
    pub(crate) fn is_of(&self, schema: &SchemaDescriptor) -> bool {
        let found = self.metadata.file_metadata().schema_descr();
        found.root_schema() == schema.root_schema() && self.metadata.offset_index().is_some()
    }

    /// Returns the chunk of a leaf column in a row group.
    pub(super) fn chunk(&self, row_group: usize, leaf: usize) -> Result<Chunk> {
        let lost = || {
            ParquetError::General(format!("column {leaf} of row group {row_group} has no chunk or no index of pages"))
        };
        let group = self.metadata.row_groups().get(row_group).ok_or_else(lost)?;
        let column = group.columns().get(leaf).ok_or_else(lost)?;
        let of_row_group = |index: usize| self.metadata.offset_index()?.get(row_group)?.get(index);
        let offset_index = of_row_group(leaf).ok_or_else(lost)?;
        let column_index = self.metadata.column_index().and_then(|index| index.get(row_group)?.get(leaf)).cloned();
        let (blobs, shrunk) = self.pages(column, offset_index)?;
        let metadata =
            column.clone().into_builder().set_total_uncompressed_size(column.uncompressed_size() - shrunk).build()?;
        let close = ColumnCloseResult {
            bytes_written: 0,
            rows_written: u64::try_from(group.num_rows())?,
            bloom_filter: Sbbf::read_from_column_chunk(column, &self.content)?,
            column_index,
            offset_index: Some(offset_index.clone()),
            metadata,
        };
        Ok(Chunk { blobs, close })
    }

    /// Returns the headers and pages of a chunk, and by how many bytes its headers are shorter now.
    fn pages(&self, column: &ColumnChunkMetaData, index: &OffsetIndexMetaData) -> Result<(Vec<Bytes>, i64)> {
        let mut places = Vec::with_capacity(index.page_locations.len() + 1);
        if let Some(offset) = column.dictionary_page_offset() {
            places.push((offset, column.data_page_offset() - offset));
        }
        places.extend(index.page_locations.iter().map(|page| (page.offset, i64::from(page.compressed_page_size))));
        let (mut blobs, mut shrunk) = (Vec::with_capacity(2 * places.len()), 0);
        for (offset, length) in places {
            let (offset, length) = (usize::try_from(offset)?, usize::try_from(length)?);
            let end = offset.checked_add(length).filter(|end| *end <= self.content.len());
            let end = end.ok_or_else(|| {
                ParquetError::EOF(format!("a page ends behind the {} bytes of its file", self.content.len()))
            })?;
            let page = self.content.slice(offset..end);
            let BarePage { header, header_bytes } = without_checksum(&page)?;
            shrunk += i64::try_from(header_bytes)? - i64::try_from(header.len())?;
            blobs.extend([header.into(), page.slice(header_bytes..)]);
        }
        Ok((blobs, shrunk))
    }
}
