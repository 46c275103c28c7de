//! What the hints of `columns` say about types, and `schema`: where the shape of a record is.

use serde_json::Value;

use super::fields::Fields;
use crate::schema::{ColumnHint, ColumnType, IntegerType, OnError, TimeUnit, UNIX_TIMES};

/// dlt's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataType {
    Text,
    Double,
    Bool,
    Timestamp,
    Bigint,
    Binary,
    Json,
    Decimal,
    Wei,
    Date,
    Time,
}

const DATA_TYPES: &[(&str, DataType)] = &[
    ("text", DataType::Text),
    ("double", DataType::Double),
    ("bool", DataType::Bool),
    ("timestamp", DataType::Timestamp),
    ("bigint", DataType::Bigint),
    ("binary", DataType::Binary),
    ("json", DataType::Json),
    ("decimal", DataType::Decimal),
    ("wei", DataType::Wei),
    ("date", DataType::Date),
    ("time", DataType::Time),
];

/// Where the shape of a record is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum SchemaSource {
    /// A JSON Schema file, relative to the pipeline file.
    JsonSchema(String),
    /// A component of an `OpenAPI` document.
    OpenApi { path: String, component: String },
}

impl SchemaSource {
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::JsonSchema(path) | Self::OpenApi { path, .. } => path,
        }
    }
}

/// `schema`: the path of a JSON Schema, or `{openapi, component}`.
pub(crate) fn read_schema(fields: &mut Fields<'_>) -> Option<SchemaSource> {
    match fields.value("schema")? {
        Value::Object(_) => {
            let mut source = fields.object("schema")?;
            let (path, component) = (source.required_text("openapi"), source.required_text("component"));
            source.finish();
            Some(SchemaSource::OpenApi { path: path?, component: component? })
        }
        _ => fields.text("schema").map(SchemaSource::JsonSchema),
    }
}

/// What the hints of one column say about its type.
pub(crate) fn read_hint(fields: &mut Fields<'_>, name: &str) -> ColumnHint {
    let problems = fields.problems;
    let column_type = read_type(fields);
    let format = fields.choice("format", UNIX_TIMES);
    let counts = format.filter(|_| {
        let is_time = matches!(&column_type, Some(ColumnType::Duration(_)))
            || column_type.as_ref().is_some_and(|column_type| column_type.as_timestamp().is_some());
        if !is_time {
            problems
                .add(&fields.place_of("format"), "only a timestamp or a duration counts the time; say the type, too");
        }
        is_time
    });
    let nullable = fields.truth("nullable");
    let on_error =
        fields.choice("x-on-error", &[("reject", OnError::Reject), ("null", OnError::Null), ("fail", OnError::Fail)]);
    if on_error == Some(OnError::Null) && nullable == Some(false) {
        problems.add(&fields.place_of("x-on-error"), "null cannot stand in a column that must have a value");
    }
    ColumnHint { path: vec![name.to_owned()], column_type, nullable, on_error, counts }
}

/// `x-arrow`, or `data_type` with its precision, scale and zone.
fn read_type(fields: &mut Fields<'_>) -> Option<ColumnType> {
    let problems = fields.problems;
    let data_type = fields.choice("data_type", DATA_TYPES);
    let precision = fields.whole("precision");
    let scale = fields.whole("scale");
    let is_instant = fields.truth("timezone").unwrap_or(true);
    if let Some(text) = fields.text("x-arrow") {
        let column_type = ColumnType::parse(&text);
        if column_type.is_none() {
            problems.add(&fields.place_of("x-arrow"), format!("'{text}' is not a type; docs/types.md has them all"));
        }
        if data_type.is_some() {
            problems.add(&fields.place, "give either 'data_type' or 'x-arrow'");
        }
        return column_type;
    }
    let found = typed(data_type?, precision, scale, is_instant);
    if found.is_none() {
        let message = "is none that the type has: bits 8, 16, 32 or 64 of bigint, digits 0, 3, 6 or 9 of timestamp and time, at most 76 of decimal";
        problems.add(&fields.place_of("precision"), message);
    }
    found
}

fn typed(data_type: DataType, precision: Option<u64>, scale: Option<u64>, is_instant: bool) -> Option<ColumnType> {
    let unit = match precision.unwrap_or(6) {
        0 => Some(TimeUnit::Second),
        3 => Some(TimeUnit::Millisecond),
        6 => Some(TimeUnit::Microsecond),
        9 => Some(TimeUnit::Nanosecond),
        _ => None,
    };
    Some(match data_type {
        DataType::Text => ColumnType::Utf8,
        DataType::Double => ColumnType::Float64,
        DataType::Bool => ColumnType::Boolean,
        DataType::Timestamp => ColumnType::timestamp(unit?, is_instant),
        DataType::Bigint => match precision.unwrap_or(64) {
            8 => ColumnType::Integer(IntegerType::Int8),
            16 => ColumnType::Integer(IntegerType::Int16),
            32 => ColumnType::Integer(IntegerType::Int32),
            64 => ColumnType::Int64,
            _ => return None,
        },
        DataType::Binary => ColumnType::Binary,
        DataType::Json => ColumnType::Json,
        // dlt's usual precisions.
        DataType::Decimal => {
            decimal(precision.unwrap_or(38), scale.unwrap_or(if precision.is_some() { 0 } else { 9 }))?
        }
        DataType::Wei => decimal(precision.unwrap_or(76), scale.unwrap_or(0))?,
        DataType::Date => ColumnType::Date32,
        DataType::Time => match unit? {
            TimeUnit::Second => ColumnType::Time(crate::schema::OtherUnit::Second),
            TimeUnit::Millisecond => ColumnType::Time(crate::schema::OtherUnit::Millisecond),
            TimeUnit::Microsecond => ColumnType::Time64,
            TimeUnit::Nanosecond => ColumnType::Time(crate::schema::OtherUnit::Nanosecond),
        },
    })
}

fn decimal(precision: u64, scale: u64) -> Option<ColumnType> {
    let name = if precision > 38 { "decimal256" } else { "decimal128" };
    ColumnType::parse(&format!("{name}({precision}, {scale})"))
}
