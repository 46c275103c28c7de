//! Files with types that this build of polars does not have, as files with wider ones: what is shown is the same.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

/// The first `limit` rows of a data file, as a file that polars reads; the file itself when it does so already.
pub(super) fn widened(file: Bytes, limit: usize) -> Result<Bytes, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.clone())?;
    let schema = Arc::clone(builder.schema());
    let wide = Arc::new(Schema::new(schema.fields().iter().map(wide_field).collect::<Vec<_>>()));
    if wide.fields() == schema.fields() {
        return Ok(file);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&wide), None)?;
    for batch in builder.with_limit(limit).build()? {
        let batch = batch?;
        let fields = wide.fields().iter().zip(batch.columns());
        let columns = fields.map(|(field, column)| cast(column, field.data_type()));
        writer.write(&RecordBatch::try_new(Arc::clone(&wide), columns.collect::<Result<_, ArrowError>>()?)?)?;
    }
    writer.into_inner().map(Bytes::from)
}

fn wide_field(field: &FieldRef) -> FieldRef {
    let wide = wide_type(field.data_type());
    if wide == *field.data_type() {
        Arc::clone(field)
    } else {
        Arc::new(Field::new(field.name(), wide, field.is_nullable()))
    }
}

fn wide_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int8 | DataType::Int16 => DataType::Int32,
        DataType::UInt8 | DataType::UInt16 => DataType::UInt32,
        // Its digits do not fit a decimal of polars.
        DataType::Decimal256(_, _) => DataType::Utf8,
        DataType::List(element) => DataType::List(wide_field(element)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(wide_field).collect()),
        DataType::Map(entries, is_ordered) => DataType::Map(wide_field(entries), *is_ordered),
        other => other.clone(),
    }
}
