//! Where the columns of a table come from: the keys of the records, by the notes of the table. Pure.

use crate::schema::types::note::{Note, Notes};
use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError};

/// What stands between the names of an object and its field in the name of a column.
pub const SEPARATOR: &str = "__";

/// The columns of the records of which `table` was made, by its notes: with the keys of the records, and objects where there are any.
pub fn records_of(table: &RecordSchema) -> Vec<Column> {
    let mut columns = Vec::new();
    for column in table.columns() {
        add_source(&mut columns, table, column);
    }
    columns
}

/// The schema of those records, with what is known of their fields: what a schema file of the table says.
///
/// # Errors
/// When the notes of the table contradict each other.
pub fn record_schema_of(table: &RecordSchema) -> Result<RecordSchema, SchemaError> {
    let mut notes = Notes::new();
    for column in table.columns() {
        let (note, source) = (table.notes().get(&member_path("$", &column.name)), source_of(table, &column.name));
        if let (Some(note), [key]) = (note, source.as_slice()) {
            notes.insert(member_path("$", key), Note { description: note.description.clone(), ..Note::default() });
        }
    }
    Ok(RecordSchema::new(records_of(table))?.with_notes(notes))
}

/// Adds to the columns of records what the column of `table` was made of, unless they have something else in its place.
pub fn add_source(columns: &mut Vec<Column>, table: &RecordSchema, column: &Column) {
    let place = member_path("$", &column.name);
    let path = source_path(table.notes(), &place, &column.name);
    let column_type = keyed(table.notes(), &place, &column.column_type);
    put(columns, &path, column_type, column.nullable);
}

/// The keys that lead to the value of the column `name` in a record.
pub fn source_of(table: &RecordSchema, name: &str) -> Vec<String> {
    source_path(table.notes(), &member_path("$", name), name)
}

pub(crate) fn source_path(notes: &Notes, place: &str, name: &str) -> Vec<String> {
    let known = notes.get(place).and_then(|note| note.source.clone());
    known.filter(|source| !source.is_empty()).unwrap_or_else(|| vec![name.to_owned()])
}

pub(crate) fn put(columns: &mut Vec<Column>, path: &[String], column_type: ColumnType, nullable: bool) {
    let Some((name, rest)) = path.split_first() else { return };
    let known = columns.iter_mut().find(|column| column.name == *name);
    match (known, rest) {
        (None, []) => columns.push(Column { name: name.clone(), column_type, nullable }),
        (None, rest) => {
            let mut members = Vec::new();
            put(&mut members, rest, column_type, nullable);
            columns.push(Column { name: name.clone(), column_type: ColumnType::Struct(members), nullable });
        }
        (Some(Column { column_type: ColumnType::Struct(members), nullable: is_nullable, .. }), rest) => {
            // A field that is always there is in an object that is always there.
            *is_nullable &= nullable;
            put(members, rest, column_type, nullable);
        }
        (Some(_), _) => {}
    }
}

/// A type with the keys that its fields have in the records.
pub(crate) fn keyed(notes: &Notes, place: &str, column_type: &ColumnType) -> ColumnType {
    match column_type {
        ColumnType::Struct(members) => {
            let member = |member: &Column| {
                let place = member_path(place, &member.name);
                let name = source_path(notes, &place, &member.name).pop().unwrap_or_default();
                Column { name, column_type: keyed(notes, &place, &member.column_type), nullable: member.nullable }
            };
            ColumnType::Struct(members.iter().map(member).collect())
        }
        ColumnType::List(element) => ColumnType::List(Box::new(keyed(notes, &format!("{place}[]"), element))),
        ColumnType::Map(value) => ColumnType::Map(Box::new(keyed(notes, &format!("{place}{{}}"), value))),
        scalar => scalar.clone(),
    }
}

/// Lets fields be missing, or not, as the same fields of `known` may.
pub fn with_nullability_of(columns: &mut [Column], known: &[Column]) {
    for column in columns {
        if let Some(known) = known.iter().find(|known| known.name == column.name) {
            column.nullable = known.nullable;
            type_with_nullability_of(&mut column.column_type, &known.column_type);
        }
    }
}

fn type_with_nullability_of(column_type: &mut ColumnType, known: &ColumnType) {
    match (column_type, known) {
        (ColumnType::Struct(members), ColumnType::Struct(known)) => with_nullability_of(members, known),
        (ColumnType::List(element), ColumnType::List(known)) | (ColumnType::Map(element), ColumnType::Map(known)) => {
            type_with_nullability_of(element, known);
        }
        _ => {}
    }
}

/// The field at `path`, and every object around it, must have a value.
pub fn require(columns: &mut [Column], path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    if let Some(column) = columns.iter_mut().find(|column| column.name == *name) {
        column.nullable = false;
        if let ColumnType::Struct(members) = &mut column.column_type {
            require(members, rest);
        }
    }
}

/// The lists of a table's records that are tables: the keys that lead to each, and its table.
pub fn child_tables_of(table: &RecordSchema) -> impl Iterator<Item = (&[String], &str)> {
    table.notes().values().filter_map(|note| Some((note.source.as_deref()?, note.child.as_deref()?)))
}
