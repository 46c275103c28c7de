//! The shape of a record.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::TimeUnit as ArrowUnit;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::schema::types::note::Notes;
use crate::schema::types::path::member_path;

/// The shape of a record: its columns, in order. Names are unique within one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRecordSchema", into = "RawRecordSchema")]
pub struct RecordSchema {
    columns: Vec<Column>,
    notes: Notes,
    version: u64,
}

/// One column, or one field of a nested object. Its name is the JSON key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The JSON key and the Arrow field's name.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether a record may lack it. A missing field and `null` are both null.
    pub nullable: bool,
}

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// `true`, `false`.
    Boolean,
    /// A 64-bit integer, signed.
    Int64,
    /// An integer of another width, or without a sign.
    Integer(IntegerType),
    /// An IEEE 754 double.
    Float64,
    /// An IEEE 754 float of 32 bits.
    Float32,
    /// A decimal number of `precision` digits (at most 38), `scale` of them after the point; read
    /// exactly from its text.
    Decimal128 {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// As [`Self::Decimal128`], of up to 76 digits.
    Decimal256 {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// Text.
    Utf8,
    /// Text of few different values, each kept once (Arrow's dictionary of 32-bit numbers and
    /// strings).
    Dictionary,
    /// Bytes; base64 in JSON.
    Binary,
    /// An instant, in microseconds, UTC; from RFC 3339 with any offset.
    TimestampUtc,
    /// A date and time without a zone, in microseconds.
    TimestampNaive,
    /// A date and time in another unit than microseconds.
    Timestamp {
        /// What it counts.
        unit: OtherUnit,
        /// Whether it is an instant, as [`Self::TimestampUtc`]; without a zone otherwise, as
        /// [`Self::TimestampNaive`].
        utc: bool,
    },
    /// A calendar date.
    Date32,
    /// A time of day, in microseconds.
    Time64,
    /// A time of day in another unit.
    Time(OtherUnit),
    /// A length of time.
    Duration(TimeUnit),
    /// An object with known fields.
    Struct(Vec<Column>),
    /// An array. Its elements are nullable.
    List(Box<Self>),
    /// An object whose keys are data, all of its values of one type. The values are nullable.
    Map(Box<Self>),
    /// Anything, kept as its own JSON text.
    Json,
}

/// An integer that is not 64 bits wide, or has no sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntegerType {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 8 bits, without a sign.
    UInt8,
    /// 16 bits, without a sign.
    UInt16,
    /// 32 bits, without a sign.
    UInt32,
    /// 64 bits, without a sign.
    UInt64,
}

/// What a count of time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millisecond,
    /// Microseconds.
    #[serde(rename = "us")]
    Microsecond,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanosecond,
}

/// A unit beside microseconds, which are the usual case and have types of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OtherUnit {
    /// Seconds; kept as milliseconds, since Parquet has no seconds.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millisecond,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanosecond,
}

/// Why a list of columns is not a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A schema needs at least one column.
    #[error("{place} has no fields")]
    Empty {
        /// The level that is empty.
        place: String,
    },
    /// A decimal has 1 to 38 digits (76 when it is wide), and not more after the point than in all.
    #[error("{place} is a decimal that Arrow does not have")]
    Decimal {
        /// The column, as a JSON path.
        place: String,
    },
    /// Two fields of the records would be one column.
    #[error("the fields {} and {} of the records would both be the column {column}", .fields[0], .fields[1])]
    Collision {
        /// The name of the column.
        column: String,
        /// The fields, as JSON paths.
        fields: [String; 2],
    },
    /// Two lists of the records would be one table.
    #[error("the lists {} and {} of the records would both be the table {table}", .fields[0], .fields[1])]
    TableCollision {
        /// The name of the table.
        table: String,
        /// The lists, as JSON paths.
        fields: [String; 2],
    },
    /// A list would be a table that no folder can be called after.
    #[error("the list {field} of the records would be the table {table:?}, and no folder can be called so")]
    TableName {
        /// The name of the table.
        table: String,
        /// The list, as a JSON path.
        field: String,
    },
    /// Two columns of one level share a name.
    #[error("{place} is defined twice")]
    Duplicate {
        /// The column, as a JSON path.
        place: String,
    },
}

#[derive(Clone, Serialize, Deserialize)]
struct RawRecordSchema {
    columns: Vec<Column>,
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    notes: Notes,
    #[serde(default, skip_serializing_if = "is_zero")]
    version: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(version: &u64) -> bool {
    *version == 0
}

impl RecordSchema {
    /// Returns a schema of `columns`.
    ///
    /// # Errors
    /// When a level has no columns or two of one name.
    pub fn new(columns: Vec<Column>) -> Result<Self, SchemaError> {
        check_level("$", &columns)?;
        Ok(Self { columns, notes: Notes::new(), version: 0 })
    }

    /// Returns a schema of other `columns` that has the notes of this one.
    ///
    /// # Errors
    /// When a level has no columns or two of one name.
    pub fn with_columns(&self, columns: Vec<Column>) -> Result<Self, SchemaError> {
        Ok(Self::new(columns)?.with_notes(self.notes.clone()))
    }

    /// Returns the same columns with these notes. Notes of fields that it does not have are of no
    /// effect.
    #[must_use]
    pub fn with_notes(self, notes: Notes) -> Self {
        Self { notes, ..self }
    }

    /// Returns the same columns as a later version of a table's schema.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// Returns what is known of its fields beside their types.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Returns how often the table's schema has changed, from 1; 0 for a schema that is no table's.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Says that the field at `path`, and every object around it, must have a value.
    pub fn require(&mut self, path: &[String]) {
        require(&mut self.columns, path);
    }

    /// Returns the column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the Arrow schema of a batch of records.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(arrow_fields("$", &self.columns, &self.notes)))
    }
}

fn require(columns: &mut [Column], path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    if let Some(column) = columns.iter_mut().find(|column| column.name == *name) {
        column.nullable = false;
        if let ColumnType::Struct(members) = &mut column.column_type {
            require(members, rest);
        }
    }
}

impl TryFrom<RawRecordSchema> for RecordSchema {
    type Error = SchemaError;

    fn try_from(raw: RawRecordSchema) -> Result<Self, SchemaError> {
        Ok(Self::new(raw.columns)?.with_notes(raw.notes).with_version(raw.version))
    }
}

impl From<RecordSchema> for RawRecordSchema {
    fn from(schema: RecordSchema) -> Self {
        Self { columns: schema.columns, notes: schema.notes, version: schema.version }
    }
}

impl IntegerType {
    fn to_arrow(self) -> DataType {
        match self {
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
        }
    }
}

impl TimeUnit {
    /// Returns how many digits of a second's fraction it holds.
    pub const fn digits(self) -> u8 {
        match self {
            Self::Second => 0,
            Self::Millisecond => 3,
            Self::Microsecond => 6,
            Self::Nanosecond => 9,
        }
    }

    /// Returns how many of it make a second.
    pub const fn per_second(self) -> i64 {
        10_i64.pow(self.digits() as u32)
    }

    pub(crate) const fn to_arrow(self) -> ArrowUnit {
        match self {
            Self::Second => ArrowUnit::Second,
            Self::Millisecond => ArrowUnit::Millisecond,
            Self::Microsecond => ArrowUnit::Microsecond,
            Self::Nanosecond => ArrowUnit::Nanosecond,
        }
    }
}

impl From<OtherUnit> for TimeUnit {
    fn from(unit: OtherUnit) -> Self {
        match unit {
            OtherUnit::Second => Self::Second,
            OtherUnit::Millisecond => Self::Millisecond,
            OtherUnit::Nanosecond => Self::Nanosecond,
        }
    }
}

impl OtherUnit {
    /// Returns the unit in which Parquet can keep it: it knows no seconds, and readers would see
    /// bare numbers.
    const fn in_parquet(self) -> ArrowUnit {
        match self {
            Self::Second | Self::Millisecond => ArrowUnit::Millisecond,
            Self::Nanosecond => ArrowUnit::Nanosecond,
        }
    }
}

impl ColumnType {
    /// Returns the type of instants (`utc`), or of dates and times without a zone, in `unit`.
    pub const fn timestamp(unit: TimeUnit, utc: bool) -> Self {
        let unit = match unit {
            TimeUnit::Microsecond if utc => return Self::TimestampUtc,
            TimeUnit::Microsecond => return Self::TimestampNaive,
            TimeUnit::Second => OtherUnit::Second,
            TimeUnit::Millisecond => OtherUnit::Millisecond,
            TimeUnit::Nanosecond => OtherUnit::Nanosecond,
        };
        Self::Timestamp { unit, utc }
    }

    /// Returns whether it has parts: an object, an array, a map.
    pub const fn is_nested(&self) -> bool {
        matches!(self, Self::Struct(_) | Self::List(_) | Self::Map(_))
    }

    /// Returns the unit and whether it is an instant, of a date and time.
    pub fn as_timestamp(&self) -> Option<(TimeUnit, bool)> {
        match self {
            Self::TimestampUtc => Some((TimeUnit::Microsecond, true)),
            Self::TimestampNaive => Some((TimeUnit::Microsecond, false)),
            Self::Timestamp { unit, utc } => Some(((*unit).into(), *utc)),
            _ => None,
        }
    }

    /// Returns the Arrow type of a column of this type.
    pub fn to_arrow(&self) -> DataType {
        self.to_arrow_at("$", &Notes::new())
    }

    /// Returns the Arrow type of a column at a place of which something is known.
    fn to_arrow_at(&self, place: &str, notes: &Notes) -> DataType {
        let timestamp = |unit: ArrowUnit, utc: bool| DataType::Timestamp(unit, utc.then(|| "UTC".into()));
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Integer(kind) => kind.to_arrow(),
            Self::Float64 => DataType::Float64,
            Self::Float32 => DataType::Float32,
            Self::Decimal128 { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Decimal256 { precision, scale } => DataType::Decimal256(*precision, *scale),
            Self::Utf8 | Self::Json => DataType::Utf8,
            Self::Dictionary => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Binary => DataType::Binary,
            Self::TimestampUtc => timestamp(ArrowUnit::Microsecond, true),
            Self::TimestampNaive => timestamp(ArrowUnit::Microsecond, false),
            Self::Timestamp { unit, utc } => timestamp(unit.in_parquet(), *utc),
            Self::Date32 => DataType::Date32,
            Self::Time64 => DataType::Time64(ArrowUnit::Microsecond),
            Self::Time(OtherUnit::Nanosecond) => DataType::Time64(ArrowUnit::Nanosecond),
            Self::Time(unit) => DataType::Time32(unit.in_parquet()),
            Self::Duration(unit) => DataType::Duration(unit.to_arrow()),
            Self::Struct(columns) => DataType::Struct(arrow_fields(place, columns, notes)),
            Self::List(element) => {
                DataType::List(Arc::new(arrow_field("item", &format!("{place}[]"), element, true, notes)))
            }
            Self::Map(value) => {
                // The names of the Parquet format.
                let value = arrow_field("value", &format!("{place}{{}}"), value, true, notes);
                let entries = vec![Field::new("key", DataType::Utf8, false), value];
                DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries.into()), false)), false)
            }
        }
    }
}

fn arrow_fields(place: &str, columns: &[Column], notes: &Notes) -> Fields {
    let field = |column: &Column| {
        arrow_field(&column.name, &member_path(place, &column.name), &column.column_type, column.nullable, notes)
    };
    columns.iter().map(field).collect()
}

/// Where Parquet takes the id of a field from.
const FIELD_ID_KEY: &str = "PARQUET:field_id";
const DESCRIPTION_KEY: &str = "description";
/// JSON text looks like any text to Arrow, so its fields say what they are.
const TYPE_KEY: &str = "lakefeed.type";
const JSON_TYPE: &str = "json";

fn arrow_field(name: &str, place: &str, column_type: &ColumnType, nullable: bool, notes: &Notes) -> Field {
    let mut metadata = HashMap::new();
    if *column_type == ColumnType::Json {
        metadata.insert(TYPE_KEY.to_owned(), JSON_TYPE.to_owned());
    }
    if let Some(note) = notes.get(place) {
        metadata.extend(note.id.map(|id| (FIELD_ID_KEY.to_owned(), id.to_string())));
        metadata.extend(note.description.clone().map(|text| (DESCRIPTION_KEY.to_owned(), text)));
    }
    Field::new(name, column_type.to_arrow_at(place, notes), nullable).with_metadata(metadata)
}

/// Returns whether the strings of a field are JSON strings.
pub fn is_json(field: &Field) -> bool {
    field.metadata().get(TYPE_KEY).is_some_and(|value| value == JSON_TYPE)
}

fn check_level(place: &str, columns: &[Column]) -> Result<(), SchemaError> {
    if columns.is_empty() {
        return Err(SchemaError::Empty { place: place.to_owned() });
    }
    let mut seen = std::collections::HashSet::new();
    for column in columns {
        let place = format!("{place}.{}", column.name);
        if !seen.insert(column.name.as_str()) {
            return Err(SchemaError::Duplicate { place });
        }
        check_type(&place, &column.column_type)?;
    }
    Ok(())
}

fn check_type(place: &str, column_type: &ColumnType) -> Result<(), SchemaError> {
    match column_type {
        ColumnType::Struct(columns) => check_level(place, columns),
        ColumnType::List(element) => check_type(&format!("{place}[*]"), element),
        ColumnType::Map(value) => check_type(&format!("{place}[*]"), value),
        ColumnType::Decimal128 { precision, scale } => check_decimal(place, 38, *precision, *scale),
        ColumnType::Decimal256 { precision, scale } => check_decimal(place, 76, *precision, *scale),
        ColumnType::Boolean
        | ColumnType::Int64
        | ColumnType::Integer(_)
        | ColumnType::Float64
        | ColumnType::Float32
        | ColumnType::Utf8
        | ColumnType::Dictionary
        | ColumnType::Binary
        | ColumnType::TimestampUtc
        | ColumnType::TimestampNaive
        | ColumnType::Timestamp { .. }
        | ColumnType::Date32
        | ColumnType::Time64
        | ColumnType::Time(_)
        | ColumnType::Duration(_)
        | ColumnType::Json => Ok(()),
    }
}

fn check_decimal(place: &str, precision_max: u8, precision: u8, scale: i8) -> Result<(), SchemaError> {
    let fits = (1..=precision_max).contains(&precision) && scale >= 0 && scale.unsigned_abs() <= precision;
    if fits { Ok(()) } else { Err(SchemaError::Decimal { place: place.to_owned() }) }
}
