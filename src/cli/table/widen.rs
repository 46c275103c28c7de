//! Files with decimals that have more digits than those of polars, as files with their strings.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

/// Writes the rows of a data file in a shape that polars reads. `None` when it reads the file
/// itself.
pub(super) fn widened<W: Write + Send>(file: impl ChunkReader + 'static, to: W) -> Result<Option<W>, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = Arc::clone(builder.schema());
    let wide = Arc::new(wide_schema(&schema));
    if wide.fields() == schema.fields() {
        return Ok(None);
    }
    let mut writer = ArrowWriter::try_new(to, Arc::clone(&wide), None)?;
    for batch in builder.build()? {
        let batch = batch?;
        let fields = wide.fields().iter().zip(batch.columns());
        let columns = fields.map(|(field, column)| cast(column, field.data_type()));
        writer.write(&RecordBatch::try_new(Arc::clone(&wide), columns.collect::<Result<_, ArrowError>>()?)?)?;
    }
    writer.into_inner().map(Some)
}

/// Returns the shape in which polars reads rows of `schema`.
pub(super) fn wide_schema(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(wide_field).collect::<Vec<_>>())
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
        DataType::Decimal256(_, _) => DataType::Utf8,
        DataType::List(element) => DataType::List(wide_field(element)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(wide_field).collect()),
        DataType::Map(entries, is_ordered) => DataType::Map(wide_field(entries), *is_ordered),
        other => other.clone(),
    }
}
