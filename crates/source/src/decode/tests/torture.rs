//! `tests/types/*.json`: JSON values, the types that they go into, and what must come of it.
//! `tests/it/types.rs` sends the same values through a whole run, and reads them back with the
//! readers of others.

use std::path::Path;

use arrow::array::types::{Decimal128Type, Decimal256Type};
use arrow::datatypes::TimeUnit;
use chrono::{DateTime, NaiveDate, NaiveTime};

use super::*;
use lakefeed_model::schema::SchemaFile;

#[test]
fn every_value_becomes_what_the_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/types");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        for column in file["columns"].as_array().unwrap() {
            let schema = SchemaFile::from_json_schema(&json!({"properties": {"v": column["schema"]}})).unwrap();
            for case in column["cases"].as_array().unwrap() {
                cases += 1;
                let found = decoded(&schema, case["json"].as_str().unwrap());
                let expected = match case["reject"].as_str() {
                    Some(code) => Err((code.to_owned(), format!("$.v{}", case["at"].as_str().unwrap_or_default()))),
                    None => Ok(case["value"].clone()),
                };
                if !is_same(&found, &expected) {
                    wrong.push(format!("{} {}: {found:?}, expected {expected:?}", column["name"], case["json"]));
                }
            }
        }
    }
    assert!(cases > 900, "only {cases} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What becomes of the record `{"v": text}`: its value, or the code and the path of the reject.
fn decoded(file: &SchemaFile, text: &str) -> Result<Value, (String, String)> {
    let target = RowTarget { rules: Some(&file.rules), ..RowTarget::from(&file.schema) };
    let mut decoder = PageDecoder::new(target, Some(path("$")), OPTIONS);
    let page = format!("[{{\"v\":{text}}}]");
    let decoded = decode(&mut decoder, 0, page.as_bytes()).unwrap();
    let batch = decoder.flush().unwrap();
    assert_eq!(batch.schema(), file.schema.to_arrow());
    assert_eq!(batch.num_rows() + decoded.rejects.len(), 1);
    match decoded.rejects.into_iter().next() {
        Some(reject) => Err((reject.code.as_str().to_owned(), reject.path)),
        None => Ok(plain(batch.column(0), 0)),
    }
}

/// Floats are written in several ways.
fn is_same(found: &Result<Value, (String, String)>, expected: &Result<Value, (String, String)>) -> bool {
    let number = |value: &Result<Value, _>| value.as_ref().ok()?["float"].as_str()?.parse::<f64>().ok();
    match (number(found), expected) {
        (Some(found), Ok(Value::String(expected))) => {
            let expected: f64 = expected.parse().unwrap();
            found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan())
        }
        _ => found == expected,
    }
}

/// A value in words that do not depend on its type's units and widths.
fn plain(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    let number = || value(array, row).as_i64().unwrap();
    match array.data_type() {
        DataType::Boolean | DataType::Utf8 | DataType::Dictionary(..) => value(array, row),
        DataType::Float64 => json!({"float": array.as_primitive::<Float64Type>().value(row).to_string()}),
        DataType::Float32 => {
            json!({"float": f64::from(array.as_primitive::<Float32Type>().value(row)).to_string()})
        }
        DataType::Decimal128(..) => json!(array.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Decimal256(..) => json!(array.as_primitive::<Decimal256Type>().value_as_string(row)),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            json!(
                bytes
                    .iter()
                    .flat_map(|byte| [byte >> 4, byte & 15])
                    .map(|half| char::from_digit(half.into(), 16).unwrap())
                    .collect::<String>()
            )
        }
        DataType::Timestamp(unit, zone) => {
            let (seconds, nanos) = split(number(), *unit);
            let moment = DateTime::from_timestamp(seconds, nanos).unwrap().naive_utc();
            let zone = if zone.is_some() { "Z" } else { "" };
            json!(format!("{}{}{zone}", moment.format("%Y-%m-%dT%H:%M:%S"), fraction(nanos)))
        }
        DataType::Date32 => {
            let days = i32::try_from(number()).unwrap() + 719_163;
            json!(NaiveDate::from_num_days_from_ce_opt(days).unwrap().format("%Y-%m-%d").to_string())
        }
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let (seconds, nanos) = split(number(), *unit);
            let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(seconds).unwrap(), 0).unwrap();
            json!(format!("{}{}", time.format("%H:%M:%S"), fraction(nanos)))
        }
        DataType::Duration(unit) => {
            let sign = if number() < 0 { "-" } else { "" };
            let (seconds, nanos) = split(number().abs(), *unit);
            json!(format!("{sign}{seconds}{}", fraction(nanos)))
        }
        DataType::List(_) => {
            let elements = array.as_list::<i32>().value(row);
            (0..elements.len()).map(|element| plain(&elements, element)).collect()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let entry = |entry| json!([plain(entries.column(0), entry), plain(entries.column(1), entry)]);
            (0..entries.len()).map(entry).collect()
        }
        DataType::Struct(fields) => {
            let members = fields.iter().zip(array.as_struct().columns());
            Value::Object(members.map(|(field, member)| (field.name().clone(), plain(member, row))).collect())
        }
        _ => json!(value(array, row).to_string()),
    }
}

fn split(count: i64, unit: TimeUnit) -> (i64, u32) {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let nanos = count.rem_euclid(per_second) * (1_000_000_000 / per_second);
    (count.div_euclid(per_second), u32::try_from(nanos).unwrap())
}

fn fraction(nanos: u32) -> String {
    if nanos == 0 { String::new() } else { format!(".{}", format!("{nanos:09}").trim_end_matches('0')) }
}
