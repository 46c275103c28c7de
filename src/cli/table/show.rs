//! `lakefeed table show`: the first rows of a table, read by polars, which shares no code with what wrote them.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polars::prelude::{AnyValue, Column, DataFrame, ParquetReader, PolarsError, SerReader as _, TimeUnit};
use serde_json::{Map, Value};

use super::super::args::{Output, ShowArguments};
use super::super::printer::Printer;
use super::missing;
use super::widen::widened;
use crate::error::{Error, Result};
use crate::lake::{Lake, Table};
use crate::spec::DestinationSpec;

/// Prints the first rows of a table as its last commit left it.
pub(super) async fn show(arguments: ShowArguments, printer: Printer) -> Result<()> {
    let text =
        render(&DestinationSpec::at(&arguments.lake), &arguments.table, arguments.limit, arguments.output).await?;
    printer.data(&text);
    Ok(())
}

/// The first rows of a table, as text that ends with a line feed.
pub(in crate::cli) async fn render(
    lake: &DestinationSpec,
    table: &str,
    limit: usize,
    output: Output,
) -> Result<String> {
    let table = Lake::open_existing(lake)?.table(table);
    let snapshot = table.snapshot().await?;
    if snapshot.version == 0 {
        return Err(missing(&table));
    }
    let mut frame = DataFrame::empty();
    for path in snapshot.files.keys() {
        if frame.height() >= limit && frame.width() > 0 {
            break;
        }
        let rows = read(&table, path, limit - frame.height()).await?;
        frame = if frame.width() == 0 { rows } else { stack(frame, rows, path)? };
    }
    match output {
        Output::Json => json_lines(&frame),
        Output::Text => Ok(text_table(&frame, snapshot.rows(), snapshot.files.len(), snapshot.version)),
    }
}

async fn read(table: &Table, path: &str, limit: usize) -> Result<DataFrame> {
    let bytes = table.read_file(path).await?;
    let cannot_widen = |error| Error::storage(format!("{path} cannot be read")).with_source(error);
    let bytes = widened(bytes, limit).map_err(cannot_widen)?;
    ParquetReader::new(Cursor::new(bytes))
        .with_slice(Some((0, limit)))
        .finish()
        .map_err(|error| unreadable(path, error))
}

/// Puts rows below others. Files of an older commit may lack columns that came later, and have nulls there.
fn stack(mut above: DataFrame, mut below: DataFrame, path: &str) -> Result<DataFrame> {
    let failed = |error| unreadable(path, error);
    add_missing_columns(&mut above, &below).map_err(failed)?;
    add_missing_columns(&mut below, &above).map_err(failed)?;
    let below = below.select(above.get_column_names_owned()).map_err(failed)?;
    above.vstack(&below).map_err(failed)
}

fn add_missing_columns(frame: &mut DataFrame, other: &DataFrame) -> Result<(), PolarsError> {
    for column in other.columns() {
        if frame.column(column.name()).is_err() {
            let nulls = Column::full_null(column.name().clone(), frame.height(), column.dtype());
            frame.with_column(nulls)?;
        }
    }
    Ok(())
}

fn unreadable(path: &str, error: PolarsError) -> Error {
    Error::storage(format!("{path} cannot be read")).with_source(error)
}

fn text_table(frame: &DataFrame, rows: u64, files: usize, commit: u64) -> String {
    let shown = frame.height();
    format!("{frame}\n{shown} of {rows} rows in {files} files, commit {commit}\n")
}

/// One JSON object per row, one row per line.
fn json_lines(frame: &DataFrame) -> Result<String> {
    let mut text = String::new();
    for row in 0..frame.height() {
        let mut object = Map::new();
        for column in frame.columns() {
            let value = column.get(row).map_err(|error| unreadable(column.name(), error))?;
            object.insert(column.name().to_string(), json_value(&value));
        }
        text.push_str(&Value::Object(object).to_string());
        text.push('\n');
    }
    Ok(text)
}

/// JSON has no numbers for three floats; proto3's JSON mapping has texts.
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

fn instant(count: i64, unit: TimeUnit) -> Option<chrono::DateTime<chrono::Utc>> {
    match unit {
        TimeUnit::Nanoseconds => Some(chrono::DateTime::from_timestamp_nanos(count)),
        TimeUnit::Microseconds => chrono::DateTime::from_timestamp_micros(count),
        TimeUnit::Milliseconds => chrono::DateTime::from_timestamp_millis(count),
    }
}

/// A value as JSON. What JSON has no kind for (an instant, a date, a decimal) is its text.
fn json_value(value: &AnyValue<'_>) -> Value {
    match value {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => Value::Bool(*value),
        AnyValue::String(text) => Value::from(*text),
        AnyValue::StringOwned(text) => Value::from(text.as_str()),
        AnyValue::Int8(number) => Value::from(*number),
        AnyValue::Int16(number) => Value::from(*number),
        AnyValue::Int32(number) => Value::from(*number),
        AnyValue::Int64(number) => Value::from(*number),
        AnyValue::UInt8(number) => Value::from(*number),
        AnyValue::UInt16(number) => Value::from(*number),
        AnyValue::UInt32(number) => Value::from(*number),
        AnyValue::UInt64(number) => Value::from(*number),
        AnyValue::Float32(number) => float(f64::from(*number)),
        AnyValue::Float64(number) => float(*number),
        AnyValue::Datetime(count, unit, zone) => {
            let format = if zone.is_some() { "%Y-%m-%dT%H:%M:%S%.fZ" } else { "%Y-%m-%dT%H:%M:%S%.f" };
            Value::from(instant(*count, *unit).map(|instant| instant.format(format).to_string()))
        }
        AnyValue::Binary(bytes) => Value::from(STANDARD.encode(bytes)),
        AnyValue::BinaryOwned(bytes) => Value::from(STANDARD.encode(bytes)),
        AnyValue::List(elements) => elements.iter().map(|element| json_value(&element)).collect(),
        AnyValue::Struct(_, _, fields) => {
            let values = value._iter_struct_av().map(|value| json_value(&value));
            Value::Object(fields.iter().map(|field| field.name().to_string()).zip(values).collect())
        }
        other => Value::from(other.to_string()),
    }
}
