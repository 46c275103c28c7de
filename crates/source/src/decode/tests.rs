mod contracts;
mod deletes;
mod differential;
mod documents;
mod members;
mod records;
mod selection;
mod shapes;
mod torture;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int64Type, UInt64Type};
use serde_json::{Value, json};

use super::*;
use crate::paginate::Questions;
use crate::spec::RecordFormat;
use lakefeed_model::reject::Reject;
use lakefeed_model::schema::{Column, ColumnType, RecordSchema};
use lakefeed_model::spec::JsonPath;

fn column(name: &str, column_type: ColumnType) -> Column {
    Column { name: name.to_owned(), column_type, nullable: true }
}

fn required(name: &str, column_type: ColumnType) -> Column {
    Column { nullable: false, ..column(name, column_type) }
}

fn schema(columns: Vec<Column>) -> RecordSchema {
    RecordSchema::new(columns).unwrap()
}

fn path(text: &str) -> JsonPath {
    JsonPath::parse(text).unwrap()
}

const OPTIONS: DecodeOptions = DecodeOptions::with_depth(64);

/// Decodes a page of JSON, of which nothing but the records is wanted.
fn decode(decoder: &mut PageDecoder, number: u64, body: &[u8]) -> Result<Decoded, DecodeError> {
    decoder.decode(&PageInput::json(number, body), MismatchPolicy::LENIENT, None)
}

/// As [`decode`], where fields that the schema does not have refuse their records.
fn decode_strictly(decoder: &mut PageDecoder, number: u64, body: &[u8]) -> Result<Decoded, DecodeError> {
    decoder.decode(&PageInput::json(number, body), MismatchPolicy::STRICT, None)
}

fn decoder(schema: &RecordSchema, selector: &str) -> PageDecoder {
    PageDecoder::new(schema, Some(path(selector)), OPTIONS)
}

/// The schema of the calendar events.
fn events() -> RecordSchema {
    schema(vec![
        required("event_id", ColumnType::Utf8),
        column("start_time", ColumnType::TimestampUtc),
        column("end_time", ColumnType::TimestampUtc),
        column("summary", ColumnType::Utf8),
    ])
}

/// The rows of a batch as JSON, times as their numbers, decimals as strings.
fn rows(batch: &RecordBatch) -> Vec<Value> {
    (0..batch.num_rows())
        .map(|row| {
            let fields = batch.schema();
            let members = fields.fields().iter().zip(batch.columns());
            members.map(|(field, array)| (field.name().clone(), value(array, row))).collect::<serde_json::Map<_, _>>()
        })
        .map(Value::Object)
        .collect()
}

fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => json!(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => json!(array.as_primitive::<Float32Type>().value(row).to_string()),
        DataType::Decimal256(..) => json!(array.as_primitive::<Decimal256Type>().value(row).to_string()),
        DataType::Binary => json!(array.as_binary::<i32>().value(row)),
        DataType::Dictionary(..) => value(&cast(array, &DataType::Utf8).unwrap(), row),
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => json!(array.as_primitive::<Decimal128Type>().value(row).to_string()),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Time32(_) => value(&cast(array, &DataType::Int32).unwrap(), row),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::Timestamp(..)
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Duration(_) => value(&cast(array, &DataType::Int64).unwrap(), row),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let entry = |entry| {
                let key = value(entries.column(0), entry).as_str().unwrap().to_owned();
                (key, value(entries.column(1), entry))
            };
            Value::Object((0..entries.len()).map(entry).collect())
        }
        DataType::Struct(fields) => {
            let members = fields.iter().zip(array.as_struct().columns());
            Value::Object(members.map(|(field, member)| (field.name().clone(), value(member, row))).collect())
        }
        DataType::List(_) => {
            let elements = array.as_list::<i32>().value(row);
            Value::Array((0..elements.len()).map(|element| value(&elements, element)).collect())
        }
        other => panic!("no column has the type {other}"),
    }
}
