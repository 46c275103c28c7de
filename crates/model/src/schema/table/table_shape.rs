//! The columns of a table whose names or nesting are not those of its records. Pure.
//!
//! Records are decoded by their own schema. What the table has of it is said here, and where each
//! of its columns comes from is kept in the notes of the table ([`Note::source`]), so that a later
//! run knows the keys that belong to its columns.

use std::collections::BTreeMap;

use crate::schema::table::naming::Naming;
use crate::schema::table::source::SEPARATOR;
use crate::schema::types::note::{Note, Notes};
use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError};

/// How the columns of a table come of the fields of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableShape {
    /// What fields are called.
    pub naming: Naming,
    /// Whether fields of objects are columns of their own: `a__b`.
    pub flattens: bool,
    /// Whether lists are tables of their own ([`Parts`](crate::schema::Parts)); then it flattens,
    /// too.
    pub has_child_tables: bool,
}

impl TableShape {
    /// Returns whether the table has the fields of the records as they are.
    pub fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// Returns the column that is meant by a name of the pipeline file, which is a key of the
    /// records or a column.
    pub fn column_name(self, written: &str, records: Option<&RecordSchema>) -> String {
        let is_key = records.is_some_and(|records| records.column(written).is_some());
        if is_key || !self.flattens {
            return self.naming.name(written);
        }
        let parts: Vec<String> = written.split(SEPARATOR).map(|part| self.naming.name(part)).collect();
        parts.join(SEPARATOR)
    }

    /// Returns the keys that lead to the field of `records` that is meant by a name of the pipeline
    /// file; the name itself where there is none.
    pub fn path_of(self, written: &str, records: &RecordSchema) -> Vec<String> {
        if self.is_plain() || records.column(written).is_some() {
            return vec![written.to_owned()];
        }
        let name = self.column_name(written, None);
        let table = self.table_of(records).ok().filter(|table| table.column(&name).is_some());
        table.map_or_else(|| vec![written.to_owned()], |table| table.source_of(&name))
    }

    /// Returns the table's schema. Its notes say where each column comes from.
    ///
    /// # Errors
    /// When two fields would be one column.
    pub fn table_of(self, records: &RecordSchema) -> Result<RecordSchema, SchemaError> {
        if self.is_plain() {
            return Ok(records.clone());
        }
        let mut shaping = Shaping { shape: self, known: records.notes(), notes: Notes::new() };
        let mut level = Level::default();
        let top = Object { place: "$", name: None, source: &[], nullable: false, aliases: &[] };
        shaping.columns(top, records.columns(), &mut level)?;
        let notes = shaping.notes;
        Ok(RecordSchema::new(level.columns)?.with_notes(notes).with_version(records.version()))
    }
}

/// An object whose fields become columns.
#[derive(Clone, Copy)]
struct Object<'a> {
    /// Its place in the record.
    place: &'a str,
    /// What the names of its columns begin with.
    name: Option<&'a str>,
    /// The keys that lead to it.
    source: &'a [String],
    /// Whether a record may lack it.
    nullable: bool,
    /// What the names of its columns began with before.
    aliases: &'a [String],
}

/// The columns of a table, or of an object within.
#[derive(Default)]
struct Level {
    columns: Vec<Column>,
    /// Which field each of them is.
    places: BTreeMap<String, String>,
}

impl Level {
    fn push(&mut self, column: Column, place: &str) -> Result<(), SchemaError> {
        if let Some(other) = self.places.insert(column.name.clone(), place.to_owned()) {
            return Err(SchemaError::Collision { column: column.name, fields: [other, place.to_owned()] });
        }
        self.columns.push(column);
        Ok(())
    }
}

struct Shaping<'a> {
    shape: TableShape,
    /// What is known of the fields of the records.
    known: &'a Notes,
    /// What is known of the columns.
    notes: Notes,
}

impl Shaping<'_> {
    fn columns(&mut self, object: Object<'_>, columns: &[Column], level: &mut Level) -> Result<(), SchemaError> {
        let joined = |start: Option<&str>, name: String| match start {
            Some(start) => format!("{start}{SEPARATOR}{name}"),
            None => name,
        };
        for column in columns {
            let place = member_path(object.place, &column.name);
            let known = self.known.get(&place).cloned().unwrap_or_default();
            let name = joined(object.name, self.shape.naming.name(&column.name));
            let source: Vec<String> = object.source.iter().chain([&column.name]).cloned().collect();
            let own = known.aliases.iter().map(|alias| joined(object.name, self.shape.naming.name(alias)));
            let above = object.aliases.iter().map(|start| joined(Some(start), self.shape.naming.name(&column.name)));
            let aliases: Vec<String> = own.chain(above).collect();
            let nullable = object.nullable || column.nullable;
            match &column.column_type {
                ColumnType::Struct(members) if self.shape.flattens => {
                    let within =
                        Object { place: &place, name: Some(&name), source: &source, nullable, aliases: &aliases };
                    self.columns(within, members, level)?;
                }
                other => {
                    let table_place = member_path("$", &name);
                    let column_type = self.inner(&place, &table_place, other)?;
                    self.notes.insert(table_place, Note { source: Some(source), aliases, ..known });
                    level.push(Column { name, column_type, nullable }, &place)?;
                }
            }
        }
        Ok(())
    }

    /// Returns a type with its fields called as in the table.
    fn inner(&mut self, place: &str, table_place: &str, column_type: &ColumnType) -> Result<ColumnType, SchemaError> {
        let mut element = |mark: &str, element: &ColumnType| {
            let (place, table_place) = (format!("{place}{mark}"), format!("{table_place}{mark}"));
            if let Some(known) = self.known.get(&place) {
                self.notes.insert(table_place.clone(), known.clone());
            }
            self.inner(&place, &table_place, element).map(Box::new)
        };
        Ok(match column_type {
            ColumnType::List(inner) => ColumnType::List(element("[]", inner)?),
            ColumnType::Map(inner) => ColumnType::Map(element("{}", inner)?),
            ColumnType::Struct(members) => {
                let mut level = Level::default();
                for member in members {
                    let place = member_path(place, &member.name);
                    let name = self.shape.naming.name(&member.name);
                    let table_place = member_path(table_place, &name);
                    let column_type = self.inner(&place, &table_place, &member.column_type)?;
                    let known = self.known.get(&place).cloned().unwrap_or_default();
                    self.notes.insert(table_place, Note { source: Some(vec![member.name.clone()]), ..known });
                    level.push(Column { name, column_type, nullable: member.nullable }, &place)?;
                }
                ColumnType::Struct(level.columns)
            }
            scalar => scalar.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
