//! The shape of a record.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

use super::{Notes, member_path};

/// The shape of a record: its columns, in order. Names are unique within one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRecordSchema", into = "RawRecordSchema")]
pub struct RecordSchema {
    columns: Vec<Column>,
    notes: Notes,
    version: u64,
}

/// One column, or one field of a nested object. Its name is the JSON key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// `true`, `false`.
    Boolean,
    /// A whole number of 64 bits, signed.
    Int64,
    /// An IEEE 754 double.
    Float64,
    /// A decimal number of `precision` digits (at most 38), `scale` of them after the point; read exactly from its text.
    Decimal128 {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// Text.
    Utf8,
    /// An instant, in microseconds, UTC; from RFC 3339 with any offset.
    TimestampUtc,
    /// A date and time without a zone, in microseconds.
    TimestampNaive,
    /// A calendar date.
    Date32,
    /// A time of day, in microseconds.
    Time64,
    /// An object with known fields.
    Struct(Vec<Column>),
    /// An array. Its elements are nullable.
    List(Box<Self>),
    /// Anything, kept as its own JSON text.
    Json,
}

/// Why a list of columns is not a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A schema needs at least one column.
    #[error("{place} has no fields")]
    Empty {
        /// The level that is empty.
        place: String,
    },
    /// A decimal has 1 to 38 digits, and not more after the point than in all.
    #[error("{place} is a decimal that Arrow does not have")]
    Decimal {
        /// The column, as a JSON path.
        place: String,
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
    /// A schema of `columns`.
    ///
    /// # Errors
    /// When a level has no columns or two of one name.
    pub fn new(columns: Vec<Column>) -> Result<Self, SchemaError> {
        check_level("$", &columns)?;
        Ok(Self { columns, notes: Notes::new(), version: 0 })
    }

    /// The same columns with these notes. Notes of fields that it does not have are of no effect.
    #[must_use]
    pub fn with_notes(self, notes: Notes) -> Self {
        Self { notes, ..self }
    }

    /// The same columns as a later version of a table's schema.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// What is known of its fields beside their types.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// How often the table's schema has changed, from 1; 0 for a schema that is no table's.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The Arrow schema of a batch of records.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(arrow_fields("$", &self.columns, &self.notes)))
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

impl ColumnType {
    /// The Arrow type of a column of this type.
    pub fn to_arrow(&self) -> DataType {
        self.to_arrow_at("$", &Notes::new())
    }

    /// The Arrow type of a column at a place of which something is known.
    fn to_arrow_at(&self, place: &str, notes: &Notes) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Decimal128 { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Utf8 | Self::Json => DataType::Utf8,
            Self::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::TimestampNaive => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Date32 => DataType::Date32,
            Self::Time64 => DataType::Time64(TimeUnit::Microsecond),
            Self::Struct(columns) => DataType::Struct(arrow_fields(place, columns, notes)),
            Self::List(element) => {
                DataType::List(Arc::new(arrow_field("item", &format!("{place}[]"), element, true, notes)))
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

/// Whether the texts of a field are JSON texts.
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
        ColumnType::Decimal128 { precision, scale } => {
            let fits = (1..=38).contains(precision) && *scale >= 0 && scale.unsigned_abs() <= *precision;
            if fits { Ok(()) } else { Err(SchemaError::Decimal { place: place.to_owned() }) }
        }
        ColumnType::Boolean
        | ColumnType::Int64
        | ColumnType::Float64
        | ColumnType::Utf8
        | ColumnType::TimestampUtc
        | ColumnType::TimestampNaive
        | ColumnType::Date32
        | ColumnType::Time64
        | ColumnType::Json => Ok(()),
    }
}
