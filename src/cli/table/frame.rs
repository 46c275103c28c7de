//! What a query gave, as text for people and as CSV.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use polars::prelude::{DataFrame, ParquetCompression, ParquetWriter, StatisticsOptions};

use super::grid::{Side, lay_out};
use super::rows::{cell, unshowable};
use crate::error::{Error, Result};

/// The rows of a query.
#[derive(Debug)]
pub(super) struct Frame {
    schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
}

impl Frame {
    /// Takes the rows of polars over. Parquet is the form that both it and Arrow read, without
    /// unsafe code between them.
    pub(super) fn of(mut rows: DataFrame) -> Result<Self> {
        let mut bytes = Vec::new();
        let writer = ParquetWriter::new(&mut bytes)
            .with_compression(ParquetCompression::Uncompressed)
            .with_statistics(StatisticsOptions::empty());
        writer.finish(&mut rows).map_err(unreadable)?;
        let bytes = Bytes::from(bytes);
        let written = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).map_err(unreadable)?;
        // Polars has categoricals of a kind that Arrow's reader does not make.
        let fields: Fields = written.schema().fields().iter().map(without_dictionary).collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let read = ArrowReaderMetadata::try_new(Arc::clone(written.metadata()), options).map_err(unreadable)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, read);
        let schema = SchemaRef::clone(builder.schema());
        let batches = builder.build().map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
        Ok(Self { schema, batches })
    }

    pub(super) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns a line of headings and a line per row (RFC 4180, but that lines end with a line
    /// feed). Null is an empty field, an empty text is `""`.
    pub(super) fn csv(&self) -> Result<String> {
        let mut text = String::new();
        push_line(&mut text, self.schema.fields().iter().map(|field| csv_field(Some(field.name().clone()))));
        self.each_row(|cells| push_line(&mut text, cells.into_iter().map(csv_field)))?;
        Ok(text)
    }

    /// Returns all rows in columns, numbers to the right.
    pub(super) fn columns_of_text(&self) -> Result<String> {
        let side = |field: &FieldRef| if field.data_type().is_numeric() { Side::Right } else { Side::Left };
        let fields = self.schema.fields().iter();
        let headings: Vec<(&str, Side)> = fields.map(|field| (field.name().as_str(), side(field))).collect();
        let mut rows: Vec<Vec<String>> = Vec::with_capacity(self.rows());
        let shown = |cell: Option<String>| cell.unwrap_or_else(|| "null".to_owned());
        self.each_row(|cells| rows.push(cells.into_iter().map(shown).collect()))?;
        Ok(lay_out(&headings, &rows))
    }

    /// Hands over the values of each row as text; objects and lists as JSON, null as `None`.
    fn each_row(&self, mut take: impl FnMut(Vec<Option<String>>)) -> Result<()> {
        for batch in &self.batches {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| cell(column, row));
                take(cells.collect::<Result<_, ArrowError>>().map_err(unshowable)?);
            }
        }
        Ok(())
    }
}

/// Returns a field whose values, and those within, are no references into a dictionary.
fn without_dictionary(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(without_dictionary).collect()),
        DataType::List(items) => DataType::List(without_dictionary(items)),
        DataType::LargeList(items) => DataType::LargeList(without_dictionary(items)),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn push_line(text: &mut String, fields: impl Iterator<Item = String>) {
    text.push_str(&fields.collect::<Vec<_>>().join(","));
    text.push('\n');
}

fn csv_field(cell: Option<String>) -> String {
    match cell {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text,
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::defect("the rows of the query cannot be read").with_source(error)
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::super::rows::json_lines;
    use super::*;

    #[test]
    fn each_form_keeps_what_it_can() {
        let frame = df!(
            "n" => [Some(12), None],
            "text, with" => ["a \"b\"\nc", ""],
            "x" => [f64::NAN, 0.5],
        );
        let frame = Frame::of(frame.unwrap()).unwrap();
        assert_eq!(frame.csv().unwrap(), "n,\"text, with\",x\n12,\"a \"\"b\"\"\nc\",NaN\n,\"\",0.5\n");
        assert_eq!(
            frame.columns_of_text().unwrap(),
            "   n  text, with    x\n  12  a \"b\" c     NaN\nnull              0.5\n"
        );
        let lines = json_lines(&frame.batches).unwrap();
        assert_eq!(lines.lines().nth(1), Some(r#"{"n":null,"text, with":"","x":0.5}"#));
    }
}
