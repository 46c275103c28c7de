//! What `format`, `contentEncoding` and `x-arrow` mean beside a `type`.

use serde_json::{Map, Value};

use crate::schema::types::record::{ColumnType, IntegerType, TimeUnit};

/// The formats of numbers that count the time since 1970.
pub const UNIX_TIMES: &[(&str, TimeUnit)] = &[
    ("unix-time", TimeUnit::Second),
    ("unixtime", TimeUnit::Second),
    ("unix-time-ms", TimeUnit::Millisecond),
    ("unix-time-us", TimeUnit::Microsecond),
    ("unix-time-ns", TimeUnit::Nanosecond),
];

/// Returns the type of a string. A format that no column does more with than to keep it stays text.
pub(crate) fn string_type(schema: &Map<String, Value>, format: &str) -> ColumnType {
    let encoding = schema.get("contentEncoding").and_then(Value::as_str).unwrap_or_default();
    match (format, encoding) {
        ("byte", _) | (_, "base64" | "base64url") => ColumnType::Binary,
        ("date-time", _) => ColumnType::TimestampUtc,
        ("date", _) => ColumnType::Date32,
        ("time", _) => ColumnType::Time64,
        // Proto3 writes 64-bit integers as strings, and says so.
        ("int64", _) => ColumnType::Int64,
        ("uint64", _) => ColumnType::Integer(IntegerType::UInt64),
        _ => ColumnType::Utf8,
    }
}

/// Returns what a number with this format counts since 1970.
pub(crate) fn unit_of_format(format: &str) -> Option<TimeUnit> {
    UNIX_TIMES.iter().find(|(name, _)| *name == format).map(|(_, unit)| *unit)
}

/// Returns what a number counts where `x-arrow` makes it a time: by its format, else in the
/// column's own unit. Nothing where it is not said to be a number.
pub(crate) fn count_of_type(schema: &Map<String, Value>, column_type: &ColumnType) -> Option<TimeUnit> {
    let own = match column_type {
        ColumnType::Duration(unit) => *unit,
        other => other.as_timestamp()?.0,
    };
    let names_number = |kind: &Value| kind == "integer" || kind == "number";
    let is_number = match schema.get("type")? {
        Value::Array(kinds) => kinds.iter().any(names_number),
        kind => names_number(kind),
    };
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    is_number.then(|| unit_of_format(format).unwrap_or(own))
}

/// Returns whether a value of the JSON type `kind` can be one of `column_type`.
pub(crate) fn arrow_fits(kind: &str, column_type: &ColumnType) -> bool {
    match kind {
        "object" => matches!(column_type, ColumnType::Map(_) | ColumnType::Json),
        "array" => matches!(column_type, ColumnType::List(_) | ColumnType::Json),
        "boolean" => matches!(column_type, ColumnType::Boolean | ColumnType::Json),
        "integer" | "number" => {
            !matches!(
                column_type,
                ColumnType::Utf8
                    | ColumnType::Dictionary
                    | ColumnType::Binary
                    | ColumnType::Boolean
                    | ColumnType::Date32
                    | ColumnType::Time64
                    | ColumnType::Time(_)
            ) && !column_type.is_nested()
        }
        "string" => !column_type.is_nested(),
        _ => true,
    }
}
