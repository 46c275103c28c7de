//! The rows of a table as JSON records, nulls left out.

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Map, Value, json};

/// Every row of the data files of `table`, file by file.
pub async fn json_rows_in(store: &dyn ObjectStore, table: &str) -> Vec<Value> {
    let mut files: Vec<_> = store.list(Some(&table.into())).try_collect().await.unwrap();
    files.sort_by_key(|file| file.location.clone());
    let mut rows = Vec::new();
    for file in files.into_iter().filter(|file| file.location.as_ref().ends_with(".parquet")) {
        rows.extend(rows_of(store.get(&file.location).await.unwrap().bytes().await.unwrap()));
    }
    rows
}

/// Every row of a Parquet file.
pub fn rows_of(bytes: bytes::Bytes) -> Vec<Value> {
    let mut rows = Vec::new();
    for batch in parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 8_192).unwrap() {
        let batch = batch.unwrap();
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let fields = schema
                .fields()
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| (field.name().clone(), json_value(column.as_ref(), row)));
            rows.push(Value::Object(fields.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>()));
        }
    }
    rows
}

fn json_value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Decimal128(_, _) => json!(column.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            json!(Date32Type::to_naive_date_opt(days).unwrap().to_string())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let instant =
                chrono::DateTime::from_timestamp_nanos(column.as_primitive::<TimestampNanosecondType>().value(row));
            let text = instant.format("%Y-%m-%dT%H:%M:%S%.9f").to_string();
            json!(format!("{}Z", text.trim_end_matches('0').trim_end_matches('.')))
        }
        DataType::Timestamp(_, _) => {
            let microseconds = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let instant = chrono::DateTime::from_timestamp_micros(microseconds).unwrap();
            json!(instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(row);
            (0..list.len()).map(|element| json_value(list.as_ref(), element)).collect()
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let fields =
                fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), json_value(column, row)));
            Value::Object(fields.filter(|(_, value)| !value.is_null()).collect())
        }
        other => panic!("no case has a column of type {other}"),
    }
}
