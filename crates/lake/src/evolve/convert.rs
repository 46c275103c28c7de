//! Values of one type as those of a wider one, exactly or not at all. Pure.

use std::sync::Arc;

use arrow::array::types::ArrowTimestampType;
use arrow::array::{
    Array, ArrayRef, AsArray as _, Float64Array, ListArray, MapArray, PrimitiveArray, StructArray, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Fields, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
};
use arrow::error::ArrowError;

use crate::evolve::value_text::{json_value, plain_text, texts};
use lakefeed_model::schema::is_json;

const SECONDS_PER_DAY: i64 = 86_400;
/// Digits of the greatest integer of 64 bits without a sign.
const UINT64_DIGITS: u8 = 20;

/// Returns the column as the field `to` wants it.
///
/// # Errors
/// [`ArrowError::CastError`] names a value that would lose something, [`ArrowError::SchemaError`]
/// types of which one does not hold the other.
pub(crate) fn convert(column: &ArrayRef, from: &Field, to: &Field) -> Result<ArrayRef, ArrowError> {
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
        (DataType::Map(from, _), DataType::Map(to, is_sorted)) => {
            let map = column.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let entries = convert(&entries, from, to)?.as_struct().clone();
            let nulls = map.nulls().cloned();
            Ok(Arc::new(MapArray::try_new(Arc::clone(to), map.offsets().clone(), entries, nulls, *is_sorted)?))
        }
        (from_type, DataType::Float64) if from_type.is_integer() => {
            to_floats(&cast(column, &DataType::Decimal128(UINT64_DIGITS, 0))?, from)
        }
        (from, to) if from.is_integer() && (to.is_integer() || is_decimal(to)) => cast(column, to),
        (from, to) if is_decimal(from) && is_decimal(to) => cast(column, to),
        (DataType::Float32, DataType::Float64)
        | (DataType::Timestamp(_, _), DataType::Timestamp(_, _))
        | (DataType::Dictionary(_, _), DataType::Utf8) => cast(column, to.data_type()),
        (DataType::Date32, DataType::Timestamp(TimeUnit::Millisecond, zone)) => {
            midnights::<TimestampMillisecondType>(column, SECONDS_PER_DAY * 1_000, zone.as_ref())
        }
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            midnights::<TimestampMicrosecondType>(column, SECONDS_PER_DAY * 1_000_000, zone.as_ref())
        }
        (DataType::Timestamp(..) | DataType::Date32 | DataType::Time32(_) | DataType::Time64(_), DataType::Utf8) => {
            texts(column, |row| plain_text(column.as_ref(), row))
        }
        _ => Err(narrower(from, to)),
    }
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// Returns dates as the instants at which they begin, in a unit of which a day has `per_day`.
fn midnights<T: ArrowTimestampType>(
    column: &ArrayRef,
    per_day: i64,
    zone: Option<&Arc<str>>,
) -> Result<ArrayRef, ArrowError> {
    let midnight = |days: i32| {
        let beyond =
            || ArrowError::CastError(format!("the date {days} days from 1970 is beyond what a timestamp holds"));
        i64::from(days).checked_mul(per_day).ok_or_else(beyond)
    };
    let midnights: PrimitiveArray<T> = column.as_primitive::<Date32Type>().try_unary(midnight)?;
    Ok(Arc::new(midnights.with_timezone_opt(zone.cloned())))
}

/// Returns the members by their names, in the order of `fields`; null where there is none.
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

/// Converts integers, as decimals without digits after the point, to doubles, where each is one
/// exactly.
fn to_floats(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "compared right afterwards")]
    let exact = |value: i128| {
        let float = value as f64;
        (float as i128 == value).then_some(float)
    };
    let floats = column.as_primitive::<Decimal128Type>().iter().map(|value| match value {
        None => Ok(None),
        Some(value) => exact(value).map(Some).ok_or_else(|| {
            ArrowError::CastError(format!("column {}: {value} is not exact as a 64-bit float", field.name()))
        }),
    });
    Ok(Arc::new(floats.collect::<Result<Float64Array, _>>()?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use arrow::util::display::array_value_to_string;
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;
    use lakefeed_model::schema::strategies::related;
    use lakefeed_model::schema::{Column, ColumnType, Conflicts, IntegerType, RecordSchema, TimeUnit as Unit, widen};
    use lakefeed_source::decode::{DecodeOptions, MismatchPolicy, PageDecoder, PageInput};

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

    /// Returns the values `strings`, in JSON, as a column of that type; null where one is refused.
    fn decoded(column_type: &ColumnType, texts: &[String]) -> ArrayRef {
        let column = Column { name: "x".to_owned(), column_type: column_type.clone(), nullable: true };
        let schema = RecordSchema::new(vec![column]).unwrap();
        let root = Some(lakefeed_model::spec::JsonPath::root());
        let mut decoder = PageDecoder::new(&schema, root, DecodeOptions::with_depth(64));
        let records: Vec<String> = texts.iter().map(|text| format!("{{\"x\":{text}}}")).collect();
        let body = format!("[{}]", records.join(","));
        let decoded = decoder.decode(&PageInput::json(0, body.as_bytes()), MismatchPolicy::STRICT, None).unwrap();
        assert!(decoded.rejects.is_empty(), "{column_type} of {texts:?}: {:?}", decoded.rejects);
        Arc::clone(decoder.flush().unwrap().column(0))
    }

    fn whole(bits: u32, signed: bool) -> BoxedStrategy<String> {
        let (least, most) =
            if signed { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
        let ends = proptest::sample::select(vec![
            least,
            most,
            least + 1,
            most - 1,
            0,
            most.min(1 << 53),
            most.min((1 << 53) + 1),
        ]);
        prop_oneof![(least..=most), ends].prop_map(|number| number.to_string()).boxed()
    }

    /// Returns a point in time of which a fraction has `digits`, within the years that the unit
    /// reaches.
    fn instant(digits: u8, suffix: &'static str) -> BoxedStrategy<String> {
        let seconds = if digits > 6 { -9_000_000_000_i64..9_000_000_000 } else { -62_135_596_800_i64..253_402_300_800 };
        let cut = 10_u32.pow(9 - u32::from(digits));
        let text = move |(seconds, nanos): (i64, u32)| {
            let instant = chrono::DateTime::from_timestamp(seconds, nanos / cut * cut).unwrap();
            format!("\"{}{suffix}\"", instant.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f"))
        };
        (seconds, 0_u32..1_000_000_000).prop_map(text).boxed()
    }

    fn time_of_day(digits: u8) -> BoxedStrategy<String> {
        instant(digits, "").prop_map(|text| format!("\"{}", text.split_once('T').unwrap().1)).boxed()
    }

    fn digits(precision: u8, scale: i8) -> BoxedStrategy<String> {
        let count = usize::from(precision);
        let text = move |(digits, negative): (String, bool)| {
            let (before, after) = digits.split_at(count - usize::try_from(scale).unwrap());
            let before = before.trim_start_matches('0');
            let sign = if negative { "-" } else { "" };
            format!("\"{sign}{}.{after}0\"", if before.is_empty() { "0" } else { before })
        };
        let all = proptest::string::string_regex(&format!("[0-9]{{{count}}}")).unwrap();
        (all, any::<bool>()).prop_map(text).boxed()
    }

    /// Returns a value of that type, in JSON.
    fn value(column_type: &ColumnType) -> BoxedStrategy<String> {
        let quoted = |text: String| serde_json::Value::from(text).to_string();
        match column_type {
            ColumnType::Boolean => any::<bool>().prop_map(|truth| truth.to_string()).boxed(),
            ColumnType::Int64 => whole(64, true),
            ColumnType::Integer(kind) => match kind {
                IntegerType::Int8 => whole(8, true),
                IntegerType::Int16 => whole(16, true),
                IntegerType::Int32 => whole(32, true),
                IntegerType::UInt8 => whole(8, false),
                IntegerType::UInt16 => whole(16, false),
                IntegerType::UInt32 => whole(32, false),
                IntegerType::UInt64 => whole(64, false),
            },
            ColumnType::Float64 => prop_oneof![
                9 => any::<f64>().prop_map(|float| serde_json::Value::from(float).to_string()),
                1 => proptest::sample::select(vec!["\"NaN\"", "\"Infinity\"", "\"-Infinity\""]).prop_map(str::to_owned),
            ]
            .boxed(),
            // As a double, which holds it exactly.
            ColumnType::Float32 => {
                any::<f32>().prop_map(|float| serde_json::Value::from(f64::from(float)).to_string()).boxed()
            }
            ColumnType::Decimal128 { precision, scale } | ColumnType::Decimal256 { precision, scale } => {
                digits(*precision, *scale)
            }
            ColumnType::Utf8 | ColumnType::Dictionary => any::<String>().prop_map(quoted).boxed(),
            ColumnType::Binary => proptest::collection::vec(any::<u8>(), 0..9)
                .prop_map(move |bytes| quoted(base64::engine::general_purpose::STANDARD.encode(bytes)))
                .boxed(),
            ColumnType::TimestampUtc => instant(6, "Z"),
            ColumnType::TimestampNaive => instant(6, ""),
            ColumnType::Timestamp { unit, utc } => instant(Unit::from(*unit).digits(), if *utc { "Z" } else { "" }),
            ColumnType::Date32 => {
                instant(0, "").prop_map(|text| format!("{}\"", text.split_once('T').unwrap().0)).boxed()
            }
            ColumnType::Time64 => time_of_day(6),
            ColumnType::Time(unit) => time_of_day(Unit::from(*unit).digits()),
            ColumnType::Duration(unit) => {
                let text = |count: i64| format!("\"{count}s\"");
                let most = i64::MAX / unit.per_second();
                (-most..=most).prop_map(text).boxed()
            }
            ColumnType::Json => proptest::sample::select(vec!["{\"a\":[1.50,null]}", "\"x\"", "true", "1e99"])
                .prop_map(str::to_owned)
                .boxed(),
            ColumnType::List(element) => proptest::collection::vec(maybe(element), 0..3)
                .prop_map(|elements| format!("[{}]", elements.join(",")))
                .boxed(),
            ColumnType::Map(inner) => proptest::collection::btree_map("[a-c\"é]", maybe(inner), 0..3)
                .prop_map(|members| object(members.into_iter().collect()))
                .boxed(),
            ColumnType::Struct(columns) => {
                let members = columns.iter().map(|column| (Just(column.name.clone()), maybe(&column.column_type)));
                members.collect::<Vec<_>>().prop_map(object).boxed()
            }
        }
    }

    fn object(members: Vec<(String, String)>) -> String {
        let member = |(key, value): (String, String)| format!("{}:{value}", serde_json::Value::from(key));
        format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
    }

    fn maybe(column_type: &ColumnType) -> BoxedStrategy<String> {
        prop_oneof![9 => value(column_type), 1 => Just("null".to_owned())].boxed()
    }

    /// Two types, and values of the first one.
    fn values_and_types() -> impl Strategy<Value = (ColumnType, ColumnType, Vec<String>)> {
        related().prop_flat_map(|(one, other)| {
            let values = proptest::collection::vec(maybe(&one), 1..5);
            (Just(one), Just(other), values)
        })
    }

    /// Returns whether something in it may be text that was none.
    fn has_text(column_type: &ColumnType) -> bool {
        match column_type {
            ColumnType::Json | ColumnType::Utf8 => true,
            ColumnType::List(inner) | ColumnType::Map(inner) => has_text(inner),
            ColumnType::Struct(columns) => columns.iter().any(|column| has_text(&column.column_type)),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        /// What was read as the narrower type and then converted is what is read as the wider one;
        /// what became text is read back from it.
        #[test]
        fn every_value_survives((one, other, texts) in values_and_types()) {
            let narrow = decoded(&one, &texts);
            for conflicts in [Conflicts::Reject, Conflicts::Text, Conflicts::Json] {
                let Some(wide) = widen(&one, &other, conflicts) else { continue };
                match convert(&narrow, &field(one.clone()), &field(wide.clone())) {
                    Ok(converted) if wide == one => prop_assert_eq!(&converted, &narrow),
                    Ok(converted) if has_text(&wide) => {
                        let wide = field(wide);
                        let written = (0..converted.len()).map(|row| json_value(converted.as_ref(), &wide, row).unwrap());
                        let written: Vec<String> = written.collect();
                        prop_assert_eq!(&decoded(&one, &written), &narrow, "{:?}", written);
                    }
                    Ok(converted) => prop_assert_eq!(&converted, &decoded(&wide, &texts), "{} to {}", one, wide),
                    // Only an integer may be no double, and then it is named.
                    Err(ArrowError::CastError(told)) => {
                        prop_assert!(told.contains("is not exact as a 64-bit float") && wide.to_string().contains("float64"), "{}", told);
                    }
                    Err(error) => prop_assert!(false, "{} to {}: {}", one, wide, error),
                }
            }
        }
    }
}
