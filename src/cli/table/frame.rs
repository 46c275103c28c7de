//! Rows that polars has read, as text for people, as lines of JSON and as CSV.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polars::prelude::{AnyValue, DataFrame, DataType, PolarsError, TimeUnit};
use serde_json::{Map, Value};

use super::grid::{Side, lay_out};
use crate::error::{Error, Result};

/// One JSON object per row, one row per line.
pub(super) fn json_lines(frame: &DataFrame) -> Result<String> {
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

/// A line of headings and a line per row (RFC 4180, but that lines end with a line feed). Null is an empty field, an empty text is `""`.
pub(super) fn csv(frame: &DataFrame) -> Result<String> {
    let mut text = String::new();
    let headings = frame.columns().iter().map(|column| csv_field(Some(column.name().to_string())));
    push_line(&mut text, headings);
    for row in 0..frame.height() {
        push_line(&mut text, cells(frame, row)?.into_iter().map(csv_field));
    }
    Ok(text)
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

/// All rows in columns, numbers to the right.
pub(super) fn columns_of_text(frame: &DataFrame) -> Result<String> {
    let side = |data_type: &DataType| if data_type.is_numeric() { Side::Right } else { Side::Left };
    let names: Vec<String> = frame.columns().iter().map(|column| on_one_line(column.name())).collect();
    let sides = frame.columns().iter().map(|column| side(column.dtype()));
    let headings: Vec<(&str, Side)> = names.iter().map(String::as_str).zip(sides).collect();
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(frame.height());
    for row in 0..frame.height() {
        let cells = cells(frame, row)?.into_iter();
        rows.push(cells.map(|cell| cell.map_or_else(|| "null".to_owned(), |cell| on_one_line(&cell))).collect());
    }
    Ok(lay_out(&headings, &rows))
}

/// Without what a terminal would obey.
fn on_one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The values of a row as text; objects and lists as JSON, null as `None`.
fn cells(frame: &DataFrame, row: usize) -> Result<Vec<Option<String>>> {
    let cells = frame.columns().iter().map(|column| {
        let value = column.get(row).map_err(|error| unreadable(column.name(), error))?;
        Ok(match json_value(&value) {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        })
    });
    cells.collect()
}

/// An error about what was to be read of `place`.
pub(super) fn unreadable(place: &str, error: PolarsError) -> Error {
    Error::storage(format!("{place} cannot be read")).with_source(error)
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

fn instant_text(count: i64, unit: TimeUnit, has_zone: bool) -> Value {
    let format = if has_zone { "%Y-%m-%dT%H:%M:%S%.fZ" } else { "%Y-%m-%dT%H:%M:%S%.f" };
    Value::from(instant(count, unit).map(|instant| instant.format(format).to_string()))
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
        AnyValue::Datetime(count, unit, zone) => instant_text(*count, *unit, zone.is_some()),
        AnyValue::DatetimeOwned(count, unit, zone) => instant_text(*count, *unit, zone.is_some()),
        AnyValue::Binary(bytes) => Value::from(STANDARD.encode(bytes)),
        AnyValue::BinaryOwned(bytes) => Value::from(STANDARD.encode(bytes)),
        AnyValue::List(elements) => elements.iter().map(|element| json_value(&element)).collect(),
        AnyValue::Struct(_, _, fields) => {
            let values = value._iter_struct_av().map(|value| json_value(&value));
            Value::Object(fields.iter().map(|field| field.name().to_string()).zip(values).collect())
        }
        AnyValue::StructOwned(parts) => {
            let (values, fields) = parts.as_ref();
            let names = fields.iter().map(|field| field.name().to_string());
            Value::Object(names.zip(values.iter().map(json_value)).collect())
        }
        // Texts that are kept once each show themselves in quotes.
        other => Value::from(other.get_str().map_or_else(|| other.to_string(), str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    #[test]
    fn each_form_keeps_what_it_can() {
        let frame = df!(
            "n" => [Some(12), None],
            "text, with" => ["a \"b\"\nc", ""],
            "x" => [f64::NAN, 0.5],
        );
        let frame = frame.unwrap();
        assert_eq!(csv(&frame).unwrap(), "n,\"text, with\",x\n12,\"a \"\"b\"\"\nc\",NaN\n,\"\",0.5\n");
        assert_eq!(
            columns_of_text(&frame).unwrap(),
            "   n  text, with    x\n  12  a \"b\" c     NaN\nnull              0.5\n"
        );
        let lines = json_lines(&frame).unwrap();
        assert_eq!(lines.lines().nth(1), Some(r#"{"n":null,"text, with":"","x":0.5}"#));
    }
}
