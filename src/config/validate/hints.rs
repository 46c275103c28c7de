//! What the hints of `columns` say about columns and their types.

use std::collections::HashSet;

use crate::config::document::Mapping as _;
use crate::config::document::columns::{DataType, HintDocument};
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::schema::{ColumnHint, ColumnType, IntegerType, OnError, OtherUnit, RecordSchema, TimeUnit};

/// The hints of one column.
#[derive(Debug)]
pub(crate) struct Hint<'a> {
    /// The name of the column in the table.
    pub(crate) column: String,
    /// The column as it is written in the file.
    pub(crate) written: &'a str,
    pub(crate) said: &'a HintDocument,
    /// What they say about its type.
    pub(crate) typed: ColumnHint,
}

/// Returns the hints of a resource; `records` is the shape of its records, where a file has it.
pub(crate) fn validate_hints<'a>(
    resource: &'a ResourceDocument,
    records: Option<&RecordSchema>,
    problems: &Problems,
) -> Vec<Hint<'a>> {
    let shape = super::table::shape_of(resource);
    let mut seen = HashSet::new();
    let hint = |(written, said): &'a (String, HintDocument)| {
        let column = if shape.is_plain() { written.clone() } else { shape.column_name(written, records) };
        if !seen.insert(column.clone()) {
            problems.add(said.place(), format!("the column '{column}' is there twice"));
        }
        let path = match records {
            Some(records) if !shape.is_plain() => shape.path_of(written, records),
            Some(_) | None => vec![written.clone()],
        };
        Hint { column, written, said, typed: typed(said, path, problems) }
    };
    resource.columns.iter().map(hint).collect()
}

fn typed(said: &HintDocument, path: Vec<String>, problems: &Problems) -> ColumnHint {
    let place = said.place();
    let column_type = column_type(said, problems);
    let counts = said.format.filter(|_| {
        let is_time = matches!(&column_type, Some(ColumnType::Duration(_)))
            || column_type.as_ref().is_some_and(|column_type| column_type.as_timestamp().is_some());
        if !is_time {
            let what = "only a timestamp or a duration counts the time; say the type, too";
            problems.add(&format!("{place}/format"), what);
        }
        is_time
    });
    if said.x_on_error == Some(OnError::Null) && said.nullable == Some(false) {
        problems.add(&format!("{place}/x-on-error"), "null cannot stand in a column that must have a value");
    }
    ColumnHint { path, column_type, nullable: said.nullable, on_error: said.x_on_error, counts }
}

/// Returns `x-arrow`, or `data_type` with its precision, scale and zone.
fn column_type(said: &HintDocument, problems: &Problems) -> Option<ColumnType> {
    let place = said.place();
    if let Some(text) = &said.x_arrow {
        let column_type = ColumnType::parse(text);
        if column_type.is_none() {
            problems.add(&format!("{place}/x-arrow"), format!("'{text}' is not a type; docs/types.md has them all"));
        }
        if said.data_type.is_some() {
            problems.add(place, "give either 'data_type' or 'x-arrow'");
        }
        return column_type;
    }
    let found = of_dlt(said.data_type?, said.precision, said.scale, said.timezone);
    if found.is_none() {
        let what = "is none that the type has: bits 8, 16, 32 or 64 of bigint, digits 0, 3, 6 or 9 of timestamp and time, at most 76 of decimal";
        problems.add(&format!("{place}/precision"), what);
    }
    found
}

fn of_dlt(data_type: DataType, precision: Option<u64>, scale: Option<u64>, is_instant: bool) -> Option<ColumnType> {
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
            TimeUnit::Second => ColumnType::Time(OtherUnit::Second),
            TimeUnit::Millisecond => ColumnType::Time(OtherUnit::Millisecond),
            TimeUnit::Microsecond => ColumnType::Time64,
            TimeUnit::Nanosecond => ColumnType::Time(OtherUnit::Nanosecond),
        },
    })
}

fn decimal(precision: u64, scale: u64) -> Option<ColumnType> {
    let name = if precision > 38 { "decimal256" } else { "decimal128" };
    ColumnType::parse(&format!("{name}({precision}, {scale})"))
}
