//! `columns` of a resource: dlt's hints of single columns, and `schema`: where the shape of a record is.

use serde_json::Value;

use super::fields::{Fields, kind};
use super::problems::Problems;
use crate::schema::{ColumnHint, ColumnType, IntegerType, OnError, TimeUnit, UNIX_TIMES};

/// Hints for stores that lakefeed does not have, and notes.
const IGNORED: &[&str] = &[
    "description",
    "partition",
    "cluster",
    "sort",
    "unique",
    "row_key",
    "parent_key",
    "root_key",
    "variant",
    "references",
    "incremental",
];

/// Hints that change what is loaded.
const LATER: &[&str] = &["primary_key", "merge_key", "hard_delete", "dedup_sort"];

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
pub(super) enum SchemaSource {
    /// A JSON Schema file, relative to the pipeline file.
    JsonSchema(String),
    /// A component of an `OpenAPI` document.
    OpenApi { path: String, component: String },
}

impl SchemaSource {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::JsonSchema(path) | Self::OpenApi { path, .. } => path,
        }
    }
}

/// `schema`: the path of a JSON Schema, or `{openapi, component}`.
pub(super) fn read_schema(fields: &mut Fields<'_>) -> Option<SchemaSource> {
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

/// `columns`: a mapping of names, or a list of mappings that have one.
pub(super) fn read_columns(fields: &mut Fields<'_>) -> Vec<ColumnHint> {
    let place = fields.place_of("columns");
    let problems = fields.problems;
    let mut hints: Vec<ColumnHint> = match fields.value("columns") {
        None => return Vec::new(),
        Some(Value::Object(columns)) => {
            let hint =
                |(name, hint): (&String, &Value)| read_hint(format!("{place}/{name}"), Some(name), hint, problems);
            columns.iter().filter_map(hint).collect()
        }
        Some(Value::Array(columns)) => {
            let hint = |(at, hint): (usize, &Value)| read_hint(format!("{place}[{at}]"), None, hint, problems);
            columns.iter().enumerate().filter_map(hint).collect()
        }
        Some(other) => {
            problems.add(&place, format!("expected a mapping of columns, found {}", kind(other)));
            return Vec::new();
        }
    };
    let mut seen = std::collections::HashSet::new();
    hints.retain(|hint| {
        let is_first = seen.insert(hint.name.clone());
        if !is_first {
            problems.add(&place, format!("the column '{}' is there twice", hint.name));
        }
        is_first
    });
    hints
}

fn read_hint(place: String, name: Option<&str>, hint: &Value, problems: &Problems) -> Option<ColumnHint> {
    let mut fields = Fields::of(place, hint, problems)?;
    let own = fields.text("name");
    let name = match (name, own) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Some(own)) => Some(own),
        (None, None) => {
            problems.add(&fields.place, "'name' is missing");
            None
        }
    };
    let column_type = read_type(&mut fields);
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
    fields.unsupported(LATER);
    fields.ignored(IGNORED);
    fields.finish();
    Some(ColumnHint { name: name?, column_type, nullable, on_error, counts })
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
