//! Where the columns of a table come from: the keys of the records, by the notes of the table.
//! Pure.

use crate::schema::types::note::{Note, Notes};
use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError};

/// What stands between the names of an object and its field in the name of a column.
pub const SEPARATOR: &str = "__";

impl RecordSchema {
    /// Returns the keys that lead to the value of this table's column `name` in a record.
    pub fn source_of(&self, name: &str) -> Vec<String> {
        source_path(self.notes(), &member_path("$", name), name)
    }

    /// Returns the lists of this table's records that are tables: the keys that lead to each, and
    /// its table.
    pub fn child_tables(&self) -> impl Iterator<Item = (&[String], &str)> {
        self.notes().values().filter_map(|note| Some((note.source.as_deref()?, note.child.as_deref()?)))
    }

    /// Adds to the `columns` of records what the `column` of this table was made of, unless they
    /// have something else in its place.
    pub fn add_source(&self, columns: &mut Vec<Column>, column: &Column) {
        let place = member_path("$", &column.name);
        let path = source_path(self.notes(), &place, &column.name);
        let column_type = keyed(self.notes(), &place, &column.column_type);
        put(columns, &path, column_type, column.nullable);
    }

    /// Returns the schema of the records of which this table was made, with what is known of their
    /// fields: what a schema file of the table says.
    ///
    /// # Errors
    /// When the notes of the table contradict each other.
    pub fn records(&self) -> Result<Self, SchemaError> {
        let mut notes = Notes::new();
        for column in self.columns() {
            let (note, source) = (self.notes().get(&member_path("$", &column.name)), self.source_of(&column.name));
            if let (Some(note), [key]) = (note, source.as_slice()) {
                notes.insert(member_path("$", key), Note { description: note.description.clone(), ..Note::default() });
            }
        }
        Ok(Self::new(self.record_columns())?.with_notes(notes))
    }

    /// Returns the schema of the records of which this table was made, whose fields may be missing
    /// as those of `known` may, with the notes of `known`.
    ///
    /// # Errors
    /// When the notes of the table contradict each other.
    pub fn records_like(&self, known: &Self) -> Result<Self, SchemaError> {
        let mut columns = self.record_columns();
        with_nullability_of(&mut columns, known.columns());
        known.with_columns(columns)
    }

    /// Returns the columns of the records, with the keys of the records, and objects where there
    /// are any.
    pub(crate) fn record_columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        for column in self.columns() {
            self.add_source(&mut columns, column);
        }
        columns
    }
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

/// Returns a type with the keys that its fields have in the records.
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
fn with_nullability_of(columns: &mut [Column], known: &[Column]) {
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
