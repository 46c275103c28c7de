//! How a data file is written: compression, encodings, statistics, filters. Pure.
//!
//! zstd at level 1; keys plain (they do not repeat) with a bloom filter; whole numbers and instants delta-encoded;
//! statistics per page. The record schema travels in the file as `lakefeed.schema`.

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::schema::RecordSchema;
use crate::spec::Limits;

/// The key of the record schema in a data file's metadata.
pub(super) const SCHEMA_KEY: &str = "lakefeed.schema";
/// How often a bloom filter says "maybe" of a key that is not there.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// The options of data files of a table.
pub(super) fn data_file_options(
    record_schema: &RecordSchema,
    primary_key: &[String],
    limits: &Limits,
) -> Result<ArrowWriterOptions, ParquetError> {
    let described = serde_json::to_string(record_schema).map_err(|error| ParquetError::External(Box::new(error)))?;
    properties(&record_schema.to_arrow(), primary_key, limits, Some(KeyValue::new(SCHEMA_KEY.to_owned(), described)))
}

/// The options of a file of any other shape.
pub(super) fn plain_options(schema: &SchemaRef, limits: &Limits) -> Result<ArrowWriterOptions, ParquetError> {
    properties(schema, &[], limits, None)
}

fn properties(
    schema: &SchemaRef,
    primary_key: &[String],
    limits: &Limits,
    metadata: Option<KeyValue>,
) -> Result<ArrowWriterOptions, ParquetError> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(limits.row_group_rows.max(1)))
        .set_key_value_metadata(metadata.map(|entry| vec![entry]));
    for leaf in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let path = leaf.path().clone();
        let is_key = leaf.path().parts().first().is_some_and(|root| primary_key.contains(root));
        let whole_number = matches!(leaf.physical_type(), Type::INT64 | Type::INT32);
        if whole_number {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        } else if is_key {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::PLAIN);
        }
        if is_key && leaf.physical_type() != Type::BOOLEAN {
            builder = builder.set_column_bloom_filter_enabled(path.clone(), true);
            builder = builder.set_column_bloom_filter_fpp(path, BLOOM_FALSE_POSITIVES);
        }
    }
    Ok(ArrowWriterOptions::new().with_properties(builder.build()))
}
