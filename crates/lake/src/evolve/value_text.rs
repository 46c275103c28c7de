//! Single values as text: as JSON has them, in a form in which they are read back as the same.
//! Pure.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, StringArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field, Float32Type, Float64Type, Int32Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveTime, SecondsFormat};

use lakefeed_model::schema::is_json;

/// Returns a string for each row that is not null.
pub(crate) fn texts(
    column: &ArrayRef,
    text: impl Fn(usize) -> Result<String, ArrowError>,
) -> Result<ArrayRef, ArrowError> {
    let texts = (0..column.len()).map(|row| if column.is_null(row) { Ok(None) } else { text(row).map(Some) });
    Ok(Arc::new(texts.collect::<Result<StringArray, _>>()?))
}

/// Returns a value as it is written in JSON.
pub(crate) fn json_value(column: &dyn Array, field: &Field, row: usize) -> Result<String, ArrowError> {
    if column.is_null(row) {
        return Ok("null".to_owned());
    }
    Ok(match column.data_type() {
        DataType::Utf8 if is_json(field) => column.as_string::<i32>().value(row).to_owned(),
        DataType::Utf8 => quoted(column.as_string::<i32>().value(row)),
        DataType::Dictionary(_, _) => {
            let words = column.as_dictionary::<Int32Type>();
            let word = words.key(row).ok_or_else(|| ArrowError::CastError("a word has no key".to_owned()))?;
            quoted(words.values().as_string::<i32>().value(word))
        }
        DataType::Binary => quoted(&STANDARD.encode(column.as_binary::<i32>().value(row))),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Float64 => number(column.as_primitive::<Float64Type>().value(row)),
        // As a double, with all the digits that the float has.
        DataType::Float32 => number(f64::from(column.as_primitive::<Float32Type>().value(row))),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(..) => column.as_primitive::<Decimal256Type>().value_as_string(row),
        DataType::Struct(fields) => {
            let members = fields.iter().zip(column.as_struct().columns()).map(|(field, member)| {
                Ok(format!("{}:{}", quoted(field.name()), json_value(member.as_ref(), field, row)?))
            });
            format!("{{{}}}", members.collect::<Result<Vec<_>, ArrowError>>()?.join(","))
        }
        DataType::List(field) => {
            let elements = column.as_list::<i32>().value(row);
            let elements = (0..elements.len()).map(|row| json_value(elements.as_ref(), field, row));
            format!("[{}]", elements.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
            let field =
                entries.fields().get(1).ok_or_else(|| ArrowError::CastError("a map has no values".to_owned()))?;
            let members = (0..entries.len())
                .map(|row| Ok(format!("{}:{}", quoted(keys.value(row)), json_value(values.as_ref(), field, row)?)));
            format!("{{{}}}", members.collect::<Result<Vec<_>, ArrowError>>()?.join(","))
        }
        numeric if numeric.is_integer() => array_value_to_string(column, row)?,
        _ => quoted(&plain_text(column, row)?),
    })
}

/// Returns a value that is not null as text: a date or time in the form of RFC 3339, a length of
/// time in that of ISO 8601 (`PT1.5S`), anything else as Arrow shows it.
///
/// # Errors
/// When a time is beyond what can be written.
pub fn plain_text(column: &dyn Array, row: usize) -> Result<String, ArrowError> {
    let beyond = || ArrowError::CastError("a time is beyond what can be written".to_owned());
    Ok(match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let instant = match unit {
                TimeUnit::Second => DateTime::from_timestamp(raw::<TimestampSecondType>(column, row), 0),
                TimeUnit::Millisecond => DateTime::from_timestamp_millis(raw::<TimestampMillisecondType>(column, row)),
                TimeUnit::Microsecond => DateTime::from_timestamp_micros(raw::<TimestampMicrosecondType>(column, row)),
                TimeUnit::Nanosecond => {
                    Some(DateTime::from_timestamp_nanos(raw::<TimestampNanosecondType>(column, row)))
                }
            };
            let text = instant.ok_or_else(beyond)?.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            if zone.is_some() { text } else { text.trim_end_matches('Z').to_owned() }
        }
        DataType::Date32 => {
            let days = raw::<Date32Type>(column, row);
            Date32Type::to_naive_date_opt(days).ok_or_else(beyond)?.to_string()
        }
        DataType::Time32(TimeUnit::Second) => {
            time(raw::<Time32SecondType>(column, row).into(), 1).ok_or_else(beyond)?
        }
        DataType::Time32(_) => time(raw::<Time32MillisecondType>(column, row).into(), 1_000).ok_or_else(beyond)?,
        DataType::Time64(TimeUnit::Nanosecond) => {
            time(raw::<Time64NanosecondType>(column, row), 1_000_000_000).ok_or_else(beyond)?
        }
        DataType::Time64(_) => time(raw::<Time64MicrosecondType>(column, row), 1_000_000).ok_or_else(beyond)?,
        DataType::Duration(unit) => duration(column, *unit, row),
        _ => array_value_to_string(column, row)?,
    })
}

fn raw<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> T::Native {
    column.as_primitive::<T>().value(row)
}

/// Writes a float: JSON has no numbers for three of them; proto3's JSON mapping has strings.
fn number(value: f64) -> String {
    if value.is_finite() {
        serde_json::Value::from(value).to_string()
    } else if value.is_nan() {
        quoted("NaN")
    } else {
        quoted(if value > 0.0 { "Infinity" } else { "-Infinity" })
    }
}

/// Returns a time of day, of a count of which a second has `per_second`.
fn time(count: i64, per_second: i64) -> Option<String> {
    let seconds = u32::try_from(count / per_second).ok()?;
    let nanos = u32::try_from(count % per_second * (1_000_000_000 / per_second)).ok()?;
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos).map(|time| time.to_string())
}

/// Returns a length of time by ISO 8601, in seconds.
fn duration(column: &dyn Array, unit: TimeUnit, row: usize) -> String {
    let (count, digits) = match unit {
        TimeUnit::Second => (raw::<DurationSecondType>(column, row), 0),
        TimeUnit::Millisecond => (raw::<DurationMillisecondType>(column, row), 3),
        TimeUnit::Microsecond => (raw::<DurationMicrosecondType>(column, row), 6),
        TimeUnit::Nanosecond => (raw::<DurationNanosecondType>(column, row), 9),
    };
    let per_second = 10_u64.pow(digits);
    let (sign, length) = (if count < 0 { "-" } else { "" }, count.unsigned_abs());
    let fraction = format!("{:0width$}", length % per_second, width = digits as usize);
    let fraction = if digits == 0 { "" } else { fraction.trim_end_matches('0') };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}PT{}{point}{fraction}S", length / per_second)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
