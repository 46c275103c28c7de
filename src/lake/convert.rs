//! Values of one type as those of a wider one, exactly or not at all. Pure.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, Float64Array, ListArray, StringArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Fields, Int64Type, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, NaiveTime, SecondsFormat};

use crate::schema::is_json;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The column as the field `to` wants it.
///
/// # Errors
/// [`ArrowError::CastError`] names a value that would lose something, [`ArrowError::SchemaError`] types of which one does not hold the other.
pub(super) fn convert(column: &ArrayRef, from: &Field, to: &Field) -> Result<ArrayRef, ArrowError> {
    if from.data_type() == to.data_type() && is_json(from) == is_json(to) {
        return Ok(Arc::clone(column));
    }
    match (from.data_type(), to.data_type()) {
        (_, DataType::Utf8) if is_json(to) => texts(column, |row| json_value(column.as_ref(), from, row)),
        (DataType::Utf8, DataType::Utf8) => Err(narrower(from, to)),
        (DataType::Struct(_), DataType::Struct(members)) => convert_struct(column.as_struct(), members),
        (DataType::List(from), DataType::List(to)) => {
            let list = column.as_list::<i32>();
            let elements = convert(list.values(), from, to)?;
            let list = ListArray::try_new(Arc::clone(to), list.offsets().clone(), elements, list.nulls().cloned())?;
            Ok(Arc::new(list))
        }
        (from_type, DataType::Float64) if from_type.is_integer() => to_floats(&cast(column, &DataType::Int64)?, from),
        (from, to) if from.is_integer() && (to.is_integer() || matches!(to, DataType::Decimal128(..))) => {
            cast(column, to)
        }
        (DataType::Decimal128(..), DataType::Decimal128(..))
        | (DataType::Float32, DataType::Float64)
        | (DataType::Timestamp(_, _), DataType::Timestamp(_, _))
        | (DataType::Dictionary(_, _), DataType::Utf8) => cast(column, to.data_type()),
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            let midnights = column
                .as_primitive::<Date32Type>()
                .unary::<_, TimestampMicrosecondType>(|days| i64::from(days) * MICROS_PER_DAY);
            Ok(Arc::new(midnights.with_timezone_opt(zone.clone())))
        }
        (DataType::Timestamp(..) | DataType::Date32 | DataType::Time64(_), DataType::Utf8) => {
            texts(column, |row| plain_text(column.as_ref(), row))
        }
        _ => Err(narrower(from, to)),
    }
}

/// The members by their names, in the order of `fields`; null where there is none.
fn convert_struct(column: &StructArray, fields: &Fields) -> Result<ArrayRef, ArrowError> {
    let members = fields.iter().map(|field| {
        let known = column.fields().iter().position(|known| known.name() == field.name());
        match known.and_then(|place| Some((column.columns().get(place)?, column.fields().get(place)?))) {
            Some((member, known)) => convert(member, known, field),
            None => Ok(new_null_array(field.data_type(), column.len())),
        }
    });
    let members = members.collect::<Result<Vec<_>, _>>()?;
    let nulls = column.nulls().cloned();
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), members, nulls, column.len())?))
}

fn narrower(from: &Field, to: &Field) -> ArrowError {
    ArrowError::SchemaError(format!("column {} is {}, expected {}", to.name(), from.data_type(), to.data_type()))
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() })
}

/// Whole numbers as doubles, where each is one exactly.
fn to_floats(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "compared right afterwards")]
    let exact = |value: i64| {
        let float = value as f64;
        // 2^63 as a double is not the number whose double it is.
        (float < 9_223_372_036_854_775_808.0 && float as i64 == value).then_some(float)
    };
    let floats = column.as_primitive::<Int64Type>().iter().map(|value| match value {
        None => Ok(None),
        Some(value) => exact(value).map(Some).ok_or_else(|| {
            ArrowError::CastError(format!("column {}: {value} is not exact as a 64-bit float", field.name()))
        }),
    });
    Ok(Arc::new(floats.collect::<Result<Float64Array, _>>()?))
}

fn texts(column: &ArrayRef, text: impl Fn(usize) -> Result<String, ArrowError>) -> Result<ArrayRef, ArrowError> {
    let texts = (0..column.len()).map(|row| if column.is_null(row) { Ok(None) } else { text(row).map(Some) });
    Ok(Arc::new(texts.collect::<Result<StringArray, _>>()?))
}

/// A value as it is written in JSON.
fn json_value(column: &dyn Array, field: &Field, row: usize) -> Result<String, ArrowError> {
    if column.is_null(row) {
        return Ok("null".to_owned());
    }
    Ok(match column.data_type() {
        DataType::Utf8 if is_json(field) => column.as_string::<i32>().value(row).to_owned(),
        DataType::Utf8 => quoted(column.as_string::<i32>().value(row)),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Float64 => {
            let value = column.as_primitive::<arrow::datatypes::Float64Type>().value(row);
            serde_json::Value::from(value).to_string()
        }
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row),
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
        numeric if numeric.is_integer() => array_value_to_string(column, row)?,
        _ => quoted(&plain_text(column, row)?),
    })
}

/// A date or time in the form of RFC 3339; anything else as Arrow shows it.
fn plain_text(column: &dyn Array, row: usize) -> Result<String, ArrowError> {
    let beyond = || ArrowError::CastError("a time is beyond what can be written".to_owned());
    Ok(match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let instant = DateTime::from_timestamp_micros(micros).ok_or_else(beyond)?;
            let text = instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            if zone.is_some() { text } else { text.trim_end_matches('Z').to_owned() }
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            Date32Type::to_naive_date_opt(days).ok_or_else(beyond)?.to_string()
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let micros = column.as_primitive::<Time64MicrosecondType>().value(row);
            let seconds = u32::try_from(micros / 1_000_000).map_err(|_| beyond())?;
            let nanos = u32::try_from(micros % 1_000_000 * 1_000).map_err(|_| beyond())?;
            NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos).ok_or_else(beyond)?.to_string()
        }
        _ => array_value_to_string(column, row)?,
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Date32Array, Decimal128Array, Int64Array, TimestampMicrosecondArray};

    use super::*;
    use crate::schema::{Column, ColumnType, RecordSchema};

    fn field(column_type: ColumnType) -> Field {
        let column = Column { name: "x".to_owned(), column_type, nullable: true };
        RecordSchema::new(vec![column]).unwrap().to_arrow().field(0).clone()
    }

    fn check(column: impl Array + 'static, from: ColumnType, to: ColumnType) -> Result<Vec<String>, String> {
        let column: ArrayRef = Arc::new(column);
        let converted = convert(&column, &field(from), &field(to)).map_err(|error| error.to_string())?;
        let show =
            |row| if converted.is_null(row) { "∅".to_owned() } else { plain_text(converted.as_ref(), row).unwrap() };
        Ok((0..converted.len()).map(show).collect())
    }

    #[test]
    fn values_keep_what_they_are_or_are_named() {
        let numbers = || Int64Array::from(vec![Some(5), None, Some(-9_007_199_254_740_992)]);
        assert_eq!(
            check(numbers(), ColumnType::Int64, ColumnType::Float64).unwrap(),
            ["5.0", "∅", "-9007199254740992.0"]
        );
        for beyond in [9_007_199_254_740_993, i64::MAX, i64::MIN + 1] {
            let error = check(Int64Array::from(vec![beyond]), ColumnType::Int64, ColumnType::Float64).unwrap_err();
            assert!(error.contains(&format!("column x: {beyond} is not exact")), "{error}");
        }
        let wide = ColumnType::Decimal128 { precision: 21, scale: 2 };
        assert_eq!(check(numbers(), ColumnType::Int64, wide.clone()).unwrap()[0], "5.00");
        let decimals = Decimal128Array::from(vec![150]).with_precision_and_scale(5, 1).unwrap();
        assert_eq!(check(decimals, ColumnType::Decimal128 { precision: 5, scale: 1 }, wide).unwrap(), ["15.00"]);
        let days = || Date32Array::from(vec![0, 20_000]);
        assert_eq!(
            check(days(), ColumnType::Date32, ColumnType::TimestampUtc).unwrap(),
            ["1970-01-01T00:00:00Z", "2024-10-04T00:00:00Z"]
        );
        assert_eq!(check(days(), ColumnType::Date32, ColumnType::Utf8).unwrap(), ["1970-01-01", "2024-10-04"]);
        let instants = || TimestampMicrosecondArray::from(vec![Some(1_500_000), None]).with_timezone("UTC");
        assert_eq!(
            check(instants(), ColumnType::TimestampUtc, ColumnType::Utf8).unwrap(),
            ["1970-01-01T00:00:01.500Z", "∅"]
        );
        assert_eq!(
            check(instants(), ColumnType::TimestampUtc, ColumnType::Json).unwrap(),
            ["\"1970-01-01T00:00:01.500Z\"", "∅"]
        );
        let texts = || StringArray::from(vec!["a\"b", "5"]);
        assert_eq!(check(texts(), ColumnType::Utf8, ColumnType::Json).unwrap(), ["\"a\\\"b\"", "\"5\""]);
        assert_eq!(check(texts(), ColumnType::Json, ColumnType::Json).unwrap(), ["a\"b", "5"]);
        assert_eq!(check(numbers(), ColumnType::Int64, ColumnType::Json).unwrap()[0], "5");
        assert_eq!(check(BooleanArray::from(vec![true]), ColumnType::Boolean, ColumnType::Json).unwrap(), ["true"]);
        assert!(
            check(texts(), ColumnType::Utf8, ColumnType::Int64)
                .unwrap_err()
                .contains("column x is Utf8, expected Int64")
        );
        assert!(check(texts(), ColumnType::Json, ColumnType::Utf8).is_err());
    }

    #[test]
    fn nested_values_are_converted_member_by_member() {
        let of = |columns: Vec<(&str, ColumnType)>| {
            let column =
                |(name, column_type): (&str, ColumnType)| Column { name: name.to_owned(), column_type, nullable: true };
            ColumnType::Struct(columns.into_iter().map(column).collect())
        };
        let (narrow, wide) =
            (of(vec![("a", ColumnType::Int64)]), of(vec![("b", ColumnType::Utf8), ("a", ColumnType::Float64)]));
        let DataType::Struct(fields) = narrow.to_arrow() else { panic!("a struct") };
        let members: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![1, 2]))];
        let nulls = arrow::buffer::NullBuffer::from(vec![true, false]);
        let rows: ArrayRef = Arc::new(StructArray::new(fields, members, Some(nulls)));
        let converted = convert(&rows, &field(narrow.clone()), &field(wide)).unwrap();
        assert!(converted.is_null(1) && converted.as_struct().column(0).is_null(0));
        assert_eq!(array_value_to_string(converted.as_struct().column(1), 0).unwrap(), "1.0");
        let text = convert(&rows, &field(narrow), &field(ColumnType::Json)).unwrap();
        assert_eq!(text.as_string::<i32>().value(0), "{\"a\":1}");
    }
}
