//! The columns of a table whose names or nesting are not those of its records. Pure.
//!
//! Records are decoded by their own schema. What the table has of it is said here, and where each of its columns comes from is kept in the notes of the
//! table ([`Note::source`]), so that a later run knows the keys that belong to its columns.

use std::collections::BTreeMap;

use super::{Column, ColumnType, Naming, Note, Notes, RecordSchema, SchemaError, child_tables_of, member_path};

/// What stands between the names of an object and its field in the name of a column.
pub const SEPARATOR: &str = "__";

/// How the columns of a table come of the fields of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableShape {
    /// What fields are called.
    pub naming: Naming,
    /// Whether fields of objects are columns of their own: `a__b`.
    pub flattens: bool,
    /// Whether lists are tables of their own ([`Parts`](super::Parts)); then it flattens, too.
    pub has_child_tables: bool,
}

impl TableShape {
    /// Whether the table has the fields of the records as they are.
    pub fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// The column that is meant by a name of the pipeline file, which is a key of the records or a column.
    pub fn column_name(self, written: &str, records: Option<&RecordSchema>) -> String {
        let is_key = records.is_some_and(|records| records.column(written).is_some());
        if is_key || !self.flattens {
            return self.naming.name(written);
        }
        let parts: Vec<String> = written.split(SEPARATOR).map(|part| self.naming.name(part)).collect();
        parts.join(SEPARATOR)
    }

    /// The keys that lead to the field of `records` that is meant by a name of the pipeline file; the name itself where there is none.
    pub fn path_of(self, written: &str, records: &RecordSchema) -> Vec<String> {
        if self.is_plain() || records.column(written).is_some() {
            return vec![written.to_owned()];
        }
        let name = self.column_name(written, None);
        let table = self.table_of(records).ok().filter(|table| table.column(&name).is_some());
        table.map_or_else(|| vec![written.to_owned()], |table| source_of(&table, &name))
    }

    /// The table's schema. Its notes say where each column comes from.
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

    /// A type with its fields called as in the table.
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

fn source_path(notes: &Notes, place: &str, name: &str) -> Vec<String> {
    let known = notes.get(place).and_then(|note| note.source.clone());
    known.filter(|source| !source.is_empty()).unwrap_or_else(|| vec![name.to_owned()])
}

pub(super) fn put(columns: &mut Vec<Column>, path: &[String], column_type: ColumnType, nullable: bool) {
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
pub(super) fn keyed(notes: &Notes, place: &str, column_type: &ColumnType) -> ColumnType {
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

/// Fields of the records that are other columns in the one table than in the other, as sentences.
pub fn moved(stored: &RecordSchema, wanted: &RecordSchema) -> Vec<String> {
    let has_sources = |schema: &RecordSchema| schema.notes().values().any(|note| note.source.is_some());
    if !has_sources(stored) && !has_sources(wanted) {
        return Vec::new();
    }
    let before = fields_of(stored);
    let now = fields_of(wanted);
    let change = |(field, was): (&String, &String)| {
        // A run of a plain shape would have every field at its own place.
        let is = now.get(field).or_else(|| (!has_sources(wanted)).then_some(field)).filter(|is| *is != was)?;
        Some(format!("the field {field} of the records is at {was} in the table and at {is} in the run"))
    };
    before.iter().filter_map(change).chain(moved_lists(stored, wanted)).collect()
}

/// Lists that are a table in the one and a column in the other, as sentences.
fn moved_lists(stored: &RecordSchema, wanted: &RecordSchema) -> Vec<String> {
    let is_column = |table: &RecordSchema, source: &[String]| {
        table.columns().iter().any(|column| source_of(table, &column.name) == source)
    };
    let field = |source: &[String]| source.iter().fold("$".to_owned(), |field, key| member_path(&field, key));
    let now = child_tables_of(stored).filter(|(source, _)| is_column(wanted, source));
    let now = now.map(|(source, child)| {
        format!("the field {} of the records is the table {child}, and a column in the run", field(source))
    });
    let before = child_tables_of(wanted).filter(|(source, _)| is_column(stored, source));
    let before = before.map(|(source, child)| {
        format!("the field {} of the records is a column of the table, and the table {child} in the run", field(source))
    });
    now.chain(before).collect()
}

/// The places that the fields of the records have in the table.
fn fields_of(table: &RecordSchema) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for column in table.columns() {
        let place = member_path("$", &column.name);
        let source = source_path(table.notes(), &place, &column.name);
        let field = source.iter().fold("$".to_owned(), |field, key| member_path(&field, key));
        fields_within(table.notes(), &place, field, &column.column_type, &mut fields);
    }
    fields
}

fn fields_within(
    notes: &Notes,
    place: &str,
    field: String,
    column_type: &ColumnType,
    fields: &mut BTreeMap<String, String>,
) {
    match column_type {
        ColumnType::Struct(members) => {
            for member in members {
                let place = member_path(place, &member.name);
                let key = source_path(notes, &place, &member.name).pop().unwrap_or_default();
                fields_within(notes, &place, member_path(&field, &key), &member.column_type, fields);
            }
        }
        ColumnType::List(element) => fields_within(notes, &format!("{place}[]"), format!("{field}[]"), element, fields),
        ColumnType::Map(value) => fields_within(notes, &format!("{place}{{}}"), format!("{field}{{}}"), value, fields),
        _ => {
            fields.insert(field, place.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
