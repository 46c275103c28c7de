//! Types as text: what `x-arrow` takes, and what messages show. Each is the other's inverse, but
//! for objects with known fields.

use std::fmt;

use crate::schema::types::record::{Column, ColumnType, IntegerType, OtherUnit, RecordSchema, TimeUnit};

/// The types that `x-arrow` takes, for messages.
pub(crate) const ACCEPTED: &str = "bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, \
     decimal128(precision, scale), decimal256(precision, scale), utf8, dictionary<utf8>, binary, date32, time32[s], time32[ms], time64[us], \
     time64[ns], timestamp[s|ms|us|ns], \"timestamp[s|ms|us|ns, UTC]\", duration[s|ms|us|ns], list<type>, map<utf8, type>, json";

/// Types within types, at most.
const DEPTH_MAX: usize = 16;

impl ColumnType {
    /// Reads the text of a type, as `Display` writes it; spaces and case do not matter. An object
    /// with known fields has no such text.
    pub fn parse(text: &str) -> Option<Self> {
        let compact: String = text.to_lowercase().chars().filter(|character| !character.is_whitespace()).collect();
        let parsed = parse(&compact, 0)?;
        let column = Column { name: "x".to_owned(), column_type: parsed.clone(), nullable: true };
        // A decimal may have too many digits.
        RecordSchema::new(vec![column]).is_ok().then_some(parsed)
    }
}

fn parse(text: &str, depth: usize) -> Option<ColumnType> {
    if depth > DEPTH_MAX {
        return None;
    }
    let within = |start: &str, end: char| text.strip_prefix(start)?.strip_suffix(end);
    Some(match text {
        "bool" | "boolean" => ColumnType::Boolean,
        "int64" => ColumnType::Int64,
        "int8" => ColumnType::Integer(IntegerType::Int8),
        "int16" => ColumnType::Integer(IntegerType::Int16),
        "int32" => ColumnType::Integer(IntegerType::Int32),
        "uint8" => ColumnType::Integer(IntegerType::UInt8),
        "uint16" => ColumnType::Integer(IntegerType::UInt16),
        "uint32" => ColumnType::Integer(IntegerType::UInt32),
        "uint64" => ColumnType::Integer(IntegerType::UInt64),
        "float64" | "double" => ColumnType::Float64,
        "float32" | "float" => ColumnType::Float32,
        "utf8" | "string" => ColumnType::Utf8,
        "dictionary<utf8>" | "dictionary<int32,utf8>" => ColumnType::Dictionary,
        "binary" => ColumnType::Binary,
        "date32" => ColumnType::Date32,
        "time32[s]" => ColumnType::Time(OtherUnit::Second),
        "time32[ms]" => ColumnType::Time(OtherUnit::Millisecond),
        "time64[us]" => ColumnType::Time64,
        "time64[ns]" => ColumnType::Time(OtherUnit::Nanosecond),
        "json" => ColumnType::Json,
        _ => {
            if let Some(parameters) = within("timestamp[", ']') {
                let (unit, zone) =
                    parameters.split_once(',').map_or((parameters, None), |(unit, zone)| (unit, Some(zone)));
                if zone.is_some_and(|zone| zone != "utc") {
                    return None;
                }
                ColumnType::timestamp(TimeUnit::parse(unit)?, zone.is_some())
            } else if let Some(unit) = within("duration[", ']') {
                ColumnType::Duration(TimeUnit::parse(unit)?)
            } else if let Some(element) = within("list<", '>') {
                ColumnType::List(Box::new(parse(element, depth + 1)?))
            } else if let Some(value) = within("map<utf8,", '>') {
                ColumnType::Map(Box::new(parse(value, depth + 1)?))
            } else if let Some(parameters) = within("decimal128(", ')') {
                let (precision, scale) = parse_decimal(parameters)?;
                ColumnType::Decimal128 { precision, scale }
            } else {
                let (precision, scale) = parse_decimal(within("decimal256(", ')')?)?;
                ColumnType::Decimal256 { precision, scale }
            }
        }
    })
}

fn parse_decimal(parameters: &str) -> Option<(u8, i8)> {
    let (precision, scale) = parameters.split_once(',')?;
    Some((precision.parse().ok()?, scale.parse().ok()?))
}

impl TimeUnit {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "s" => Some(Self::Second),
            "ms" => Some(Self::Millisecond),
            "us" => Some(Self::Microsecond),
            "ns" => Some(Self::Nanosecond),
            _ => None,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        })
    }
}

impl fmt::Display for IntegerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
        })
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int64 => f.write_str("int64"),
            Self::Integer(kind) => kind.fmt(f),
            Self::Float64 => f.write_str("float64"),
            Self::Float32 => f.write_str("float32"),
            Self::Decimal128 { precision, scale } => write!(f, "decimal128({precision}, {scale})"),
            Self::Decimal256 { precision, scale } => write!(f, "decimal256({precision}, {scale})"),
            Self::Utf8 => f.write_str("utf8"),
            Self::Dictionary => f.write_str("dictionary<utf8>"),
            Self::Binary => f.write_str("binary"),
            Self::TimestampUtc => f.write_str("timestamp[us, UTC]"),
            Self::TimestampNaive => f.write_str("timestamp[us]"),
            Self::Timestamp { unit, utc: true } => write!(f, "timestamp[{}, UTC]", TimeUnit::from(*unit)),
            Self::Timestamp { unit, utc: false } => write!(f, "timestamp[{}]", TimeUnit::from(*unit)),
            Self::Date32 => f.write_str("date32"),
            Self::Time64 => f.write_str("time64[us]"),
            Self::Time(OtherUnit::Nanosecond) => f.write_str("time64[ns]"),
            Self::Time(unit) => write!(f, "time32[{}]", TimeUnit::from(*unit)),
            Self::Duration(unit) => write!(f, "duration[{unit}]"),
            Self::Json => f.write_str("json"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Map(value) => write!(f, "map<utf8, {value}>"),
            Self::Struct(columns) => {
                f.write_str("struct<")?;
                for (position, column) in columns.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}{column}")?;
                }
                f.write_str(">")
            }
        }
    }
}

/// The column in words: `id: int64 not null`.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_null = if self.nullable { "" } else { " not null" };
        write!(f, "{}: {}{not_null}", self.name, self.column_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_its_text_and_from_its_stored_form() {
        let texts = "boolean|int8|int16|int32|int64|uint8|uint16|uint32|uint64|float32|float64|decimal128(38, 9)|decimal256(76, 18)|utf8|\
             dictionary<utf8>|binary|date32|time32[s]|time32[ms]|time64[us]|time64[ns]|timestamp[s]|timestamp[ms]|timestamp[us]|timestamp[ns]|\
             timestamp[s, UTC]|timestamp[ms, UTC]|timestamp[us, UTC]|timestamp[ns, UTC]|duration[s]|duration[ms]|duration[us]|duration[ns]|\
             list<map<utf8, list<int32>>>|map<utf8, decimal128(5, 2)>|json";
        for text in texts.split('|').map(str::trim) {
            let parsed = ColumnType::parse(text);
            assert_eq!(parsed.as_ref().map(ToString::to_string).as_deref(), Some(text));
            let stored = serde_json::to_string(&parsed).unwrap();
            assert_eq!(serde_json::from_str::<Option<ColumnType>>(&stored).unwrap(), parsed, "{stored}");
        }
    }

    #[test]
    fn what_is_no_type_is_not_read() {
        for text in [
            "",
            "int",
            "decimal128(39, 2)",
            "decimal256(77, 0)",
            "decimal128(2, 3)",
            "decimal128(2)",
            "timestamp[us, Europe/Berlin]",
            "timestamp[m]",
            "time32[us]",
            "time64[s]",
            "list<>",
            "list<int64",
            "map<int64, utf8>",
            "struct<a: int64>",
            &"list<".repeat(10_000),
        ] {
            assert_eq!(ColumnType::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_stored_stays_readable() {
        for (stored, expected) in [
            ("\"boolean\"", "boolean"),
            ("\"int64\"", "int64"),
            ("\"float64\"", "float64"),
            ("{\"decimal128\":{\"precision\":18,\"scale\":2}}", "decimal128(18, 2)"),
            ("\"utf8\"", "utf8"),
            ("\"timestamp_utc\"", "timestamp[us, UTC]"),
            ("\"timestamp_naive\"", "timestamp[us]"),
            ("\"date32\"", "date32"),
            ("\"time64\"", "time64[us]"),
            ("\"json\"", "json"),
            ("{\"list\":\"utf8\"}", "list<utf8>"),
            ("{\"struct\":[{\"name\":\"a\",\"type\":\"int64\",\"nullable\":false}]}", "struct<a: int64 not null>"),
            ("{\"integer\":\"uint32\"}", "uint32"),
            ("{\"timestamp\":{\"unit\":\"ns\",\"utc\":true}}", "timestamp[ns, UTC]"),
            ("{\"time\":\"ms\"}", "time32[ms]"),
            ("{\"duration\":\"us\"}", "duration[us]"),
            ("{\"map\":{\"decimal256\":{\"precision\":76,\"scale\":0}}}", "map<utf8, decimal256(76, 0)>"),
        ] {
            let read: ColumnType = serde_json::from_str(stored).unwrap();
            assert_eq!(read.to_string(), expected, "{stored}");
            assert_eq!(serde_json::to_string(&read).unwrap(), stored);
        }
    }
}
