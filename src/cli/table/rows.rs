//! Rows as they are printed: as lines of JSON, and as a table for people.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, StringArray, downcast_integer_array};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int32Type};
use arrow::error::ArrowError;
use arrow::util::pretty::pretty_format_batches;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::grid::shortened;
use crate::error::{Error, Result};
use crate::lake::plain_text;
use crate::schema::RecordSchema;

/// Returns one JSON object per row, one row per line.
pub(super) fn json_lines(batches: &[RecordBatch]) -> Result<String> {
    let mut text = String::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values = batch.schema_ref().fields().iter().zip(batch.columns());
            let object = values.map(|(field, column)| Ok((field.name().clone(), json_value(column, row)?)));
            let object = object.collect::<Result<Map<_, _>, ArrowError>>().map_err(unshowable)?;
            text.push_str(&Value::Object(object).to_string());
            text.push('\n');
        }
    }
    Ok(text)
}

/// Returns a frame around the rows, whose headings are the columns of `schema` and their types.
/// Long values are shortened.
pub(super) fn framed(schema: &RecordSchema, batches: &[RecordBatch]) -> Result<String> {
    let mut columns = Vec::with_capacity(schema.columns().len());
    for (place, column) in schema.columns().iter().enumerate() {
        let heading = format!("{}\n{}", shortened(&column.name), shortened(&column.column_type.to_string()));
        let mut cells = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let cell = cell(batch.column(place), row).map_err(unshowable)?;
                cells.push(cell.map_or_else(|| "null".to_owned(), |cell| shortened(&cell)));
            }
        }
        columns.push((heading, Arc::new(StringArray::from(cells)) as ArrayRef));
    }
    let texts = RecordBatch::try_from_iter(columns).map_err(unshowable)?;
    Ok(format!("{}\n", pretty_format_batches(&[texts]).map_err(unshowable)?))
}

/// Returns a value as text, objects and lists as JSON; `None` for null.
pub(super) fn cell(column: &dyn Array, row: usize) -> Result<Option<String>, ArrowError> {
    Ok(match json_value(column, row)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

pub(super) fn unshowable(error: ArrowError) -> Error {
    Error::defect("a value cannot be shown").with_source(error)
}

/// Returns a value as JSON. What JSON has no kind for (an instant, a date, a decimal) is its text.
fn json_value(column: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(downcast_integer_array!(
        column => Value::from(column.value(row)),
        DataType::Null => Value::Null,
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Float32 => float(f64::from(column.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => Value::from(column.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Decimal256(..) => Value::from(column.as_primitive::<Decimal256Type>().value_as_string(row)),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::from(column.as_string_view().value(row)),
        DataType::Binary => Value::from(STANDARD.encode(column.as_binary::<i32>().value(row))),
        DataType::LargeBinary => Value::from(STANDARD.encode(column.as_binary::<i64>().value(row))),
        DataType::BinaryView => Value::from(STANDARD.encode(column.as_binary_view().value(row))),
        DataType::Dictionary(_, _) => {
            let words = column.as_dictionary::<Int32Type>();
            let word = words.key(row).ok_or_else(|| ArrowError::CastError("a word has no key".to_owned()))?;
            json_value(words.values(), word)?
        },
        DataType::List(_) => json_list(&column.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => json_list(&column.as_list::<i64>().value(row))?,
        DataType::Map(_, _) => json_list(&column.as_map().value(row))?,
        DataType::Struct(fields) => {
            let members = fields.iter().zip(column.as_struct().columns());
            let members = members.map(|(field, member)| Ok((field.name().clone(), json_value(member, row)?)));
            Value::Object(members.collect::<Result<_, ArrowError>>()?)
        },
        _ => Value::from(plain_text(column, row)?),
    ))
}

fn json_list(elements: &dyn Array) -> Result<Value, ArrowError> {
    (0..elements.len()).map(|row| json_value(elements, row)).collect()
}

/// Writes a float: JSON has no numbers for three of them; proto3's JSON mapping has strings.
fn float(number: f64) -> Value {
    if number.is_finite() {
        return Value::from(number);
    }
    Value::from(match number {
        number if number.is_nan() => "NaN",
        number if number > 0.0 => "Infinity",
        _ => "-Infinity",
    })
}

#[cfg(test)]
mod tests;
