//! How a data file is written: compression, encodings, statistics, filters. Pure.
//!
//! zstd at level 1; keys plain (they do not repeat), with a Bloom filter; integers and instants
//! delta-encoded; statistics per page. The record schema travels in the file as `lakefeed.schema`.

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use lakefeed_model::error::Error;
use lakefeed_model::schema::RecordSchema;
use lakefeed_model::spec::Limits;

/// The key of the record schema in a data file's metadata.
pub(crate) const SCHEMA_KEY: &str = "lakefeed.schema";
/// The key of the number of times that the table's schema has changed.
const SCHEMA_VERSION_KEY: &str = "lakefeed.schema_version";
/// The key of the order of its rows in a data file's metadata, where they have one.
pub(crate) const SORTED_KEY: &str = "lakefeed.sorted_by";
/// How often a Bloom filter says "maybe" of a key that is not there.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// What the delta encoder of a column reserves at once, however little it is given.
const DELTA_RESERVED_BYTES: usize = 1024 * 1024;

/// Returns how many bytes the encoder of a file of `schema` reserves without filling them.
pub(crate) fn reserved_bytes(schema: &SchemaRef) -> Result<usize, ParquetError> {
    let leaves = ArrowSchemaConverter::new().convert(schema)?;
    let delta = leaves.columns().iter().filter(|leaf| is_whole_number(leaf.physical_type())).count();
    Ok(delta * DELTA_RESERVED_BYTES)
}

/// The Parquet crate compresses nothing: the writer compresses pages when they are handed over.
const BY_US: Compression = Compression::UNCOMPRESSED;

/// Returns the options of data files of a table; `order` is that of their rows, where they have
/// one.
pub(crate) fn data_file_options(
    record_schema: &RecordSchema,
    primary_key: &[String],
    limits: &Limits,
    order: Option<String>,
) -> Result<ArrowWriterOptions, ParquetError> {
    let mut entries = described(record_schema)?;
    entries.extend(order.map(|order| KeyValue::new(SORTED_KEY.to_owned(), order)));
    properties(&record_schema.to_arrow(), primary_key, limits, entries, BY_US)
}

fn described(record_schema: &RecordSchema) -> Result<Vec<KeyValue>, ParquetError> {
    let described = serde_json::to_string(record_schema).map_err(|error| ParquetError::External(Box::new(error)))?;
    let version = record_schema.version().to_string();
    Ok(vec![KeyValue::new(SCHEMA_KEY.to_owned(), described), KeyValue::new(SCHEMA_VERSION_KEY.to_owned(), version)])
}

/// Returns the options of a file of any other shape.
pub(crate) fn plain_options(schema: &SchemaRef, limits: &Limits) -> Result<ArrowWriterOptions, ParquetError> {
    properties(schema, &[], limits, Vec::new(), Compression::ZSTD(ZstdLevel::try_new(1)?))
}

fn properties(
    schema: &SchemaRef,
    primary_key: &[String],
    limits: &Limits,
    metadata: Vec<KeyValue>,
    compression: Compression,
) -> Result<ArrowWriterOptions, ParquetError> {
    let mut builder = WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(limits.row_group_rows.max(1)))
        .set_key_value_metadata((!metadata.is_empty()).then_some(metadata));
    for leaf in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let path = leaf.path().clone();
        let is_key = leaf.path().parts().first().is_some_and(|root| primary_key.contains(root));
        if is_whole_number(leaf.physical_type()) {
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
            // The filter of a row group starts as large as the most rows need, and is folded to
            // what it has in the end.
            builder = builder.set_column_bloom_filter_max_ndv(path.clone(), limits.row_group_rows.max(1) as u64);
            builder = builder.set_column_bloom_filter_fpp(path, BLOOM_FALSE_POSITIVES);
        }
    }
    Ok(ArrowWriterOptions::new().with_properties(builder.build()))
}

/// Returns whether a column holds integers: numbers, instants, dates, times and short decimals.
fn is_whole_number(physical_type: Type) -> bool {
    matches!(physical_type, Type::INT64 | Type::INT32)
}

/// Wraps what the Parquet and Arrow libraries say when they cannot encode.
pub(crate) fn cannot_encode(what: &str, error: ParquetError) -> Error {
    Error::defect(format!("cannot encode {what}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::testing::world::{batch, row, schema};

    #[test]
    fn what_an_encoder_reserves_is_what_we_take_off() {
        let limits = Limits { row_group_rows: 1_000, ..Limits::default() };
        let options = data_file_options(&schema(), &["id".to_owned()], &limits, None).unwrap();
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema().to_arrow(), options).unwrap();
        writer.write(&batch(&[row(1, 1, 1)])).unwrap();
        let reserved = reserved_bytes(&schema().to_arrow()).unwrap();
        assert_eq!(reserved, 2 * 1024 * 1024);
        let counted = writer.memory_size();
        assert!(counted > reserved && counted - reserved < 64 * 1024, "{counted}");
    }

    #[test]
    fn keys_have_a_bloom_filter_and_no_dictionary_and_the_schema_is_in_the_file() {
        let options = data_file_options(&schema(), &["id".to_owned()], &Limits::default(), None).unwrap();
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema().to_arrow(), options).unwrap();
        writer.write(&batch(&[row(1, 1, 1), row(2, 1, 1)])).unwrap();
        let metadata = writer.finish().unwrap();
        let columns = metadata.row_group(0).columns();
        assert!(columns[0].bloom_filter_offset().is_some() && columns[0].dictionary_page_offset().is_none());
        assert!(columns[1].bloom_filter_offset().is_none());
        assert!(columns[1].encodings().any(|encoding| encoding == Encoding::DELTA_BINARY_PACKED));
        assert!(columns.iter().all(|column| column.statistics().is_some()));
        let stored = metadata.file_metadata().key_value_metadata().unwrap();
        let stored = stored.iter().find(|entry| entry.key == SCHEMA_KEY).unwrap().value.as_ref().unwrap();
        assert_eq!(&serde_json::from_str::<RecordSchema>(stored).unwrap(), schema().as_ref());
    }
}
