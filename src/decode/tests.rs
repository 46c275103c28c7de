mod deletes;
mod differential;
mod records;
mod selection;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use serde_json::{Value, json};

use super::*;
use crate::schema::{Column, ColumnType};

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

fn options(unknown_fields: UnknownFields) -> DecodeOptions {
    DecodeOptions { depth_max: 64, unknown_fields }
}

fn decoder(schema: &RecordSchema, selector: &str) -> PageDecoder {
    PageDecoder::new(schema, Some(path(selector)), Vec::new(), options(UnknownFields::Ignore))
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

/// The rows of a batch as JSON, times as their numbers, decimals as texts.
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
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => json!(array.as_primitive::<Decimal128Type>().value(row).to_string()),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Timestamp(..) => json!(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Date32 => json!(array.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(_) => json!(array.as_primitive::<Time64MicrosecondType>().value(row)),
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
