//! Lists of records as tables of their own: which tables there are, and of which columns. Pure.
//!
//! A table of the shape `child_tables` is made in two steps.
//! [`TableShape::table_of`](crate::schema::TableShape::table_of) names and flattens; what it makes
//! still has the lists, and is called the *whole*. [`Parts::of`] takes the lists out of it. What
//! became of them stands in the notes of the table ([`Note::child`]), so that a later run can put
//! the whole together again ([`RecordSchema::nested_with`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::schema::table::folder_name::is_folder_name;
use crate::schema::table::source::SEPARATOR;
use crate::schema::types::note::{Note, Notes};
use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError};

/// The column of items that are no objects.
const ITEM: &str = "value";
/// What a list that is an item itself is called in the name of its table.
const LIST: &str = "list";
/// What the names of columns begin with that hold the key of the record.
pub(crate) const PARENT_START: &str = "_lakefeed_parent_";
/// The place of an item in its list, from 0; with `_1`, `_2` … the places in the lists around it,
/// the outermost first.
pub(crate) const INDEX: &str = "_lakefeed_list_index";

/// The table of records, and those of their lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The table of the records, without their lists.
    pub own: Arc<RecordSchema>,
    /// The tables of the lists; one of lists within items comes after that of the items.
    pub children: Vec<ChildTable>,
    /// Where the columns of `own` are in the whole.
    pub(crate) kept: Vec<usize>,
}

/// A table of the items of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildTable {
    /// Its name.
    pub name: String,
    /// Its shape: the key of the record, the places in the lists, what the items hold.
    pub schema: Arc<RecordSchema>,
    /// The columns of the record's key, as they are called here.
    pub record_key: Vec<String>,
    /// As they are called in the records' own table.
    pub(crate) keys: Vec<String>,
    /// The columns of the places in the lists, the outermost first.
    pub indexes: Vec<String>,
    /// The table of the items that have the list; `None` where the records have it.
    pub(crate) within: Option<usize>,
    /// Where the list is: in the whole, or in such an item.
    pub(crate) list: Vec<usize>,
    /// Where in an item each of its columns is; nowhere within for an item that is no object.
    pub(crate) items: Vec<Vec<usize>>,
}

impl ChildTable {
    /// Returns the columns that identify a row.
    pub fn primary_key(&self) -> Vec<String> {
        self.record_key.iter().chain(&self.indexes).cloned().collect()
    }
}

impl Parts {
    /// Returns the parts of the table `table`, whose records have the shape `whole` and the key
    /// `primary_key`.
    ///
    /// # Errors
    /// When two lists would be one table, two fields of items one column, or a list has a name that
    /// no table can have.
    pub fn of(table: &str, whole: &RecordSchema, primary_key: &[String]) -> Result<Self, SchemaError> {
        let key: Vec<Column> = primary_key.iter().filter_map(|name| whole.column(name).cloned()).collect();
        let mut splitter = Splitter { whole, key, children: Vec::new(), places: BTreeMap::new() };
        let (mut columns, mut notes, mut kept) = (Vec::new(), Notes::new(), Vec::new());
        for (position, column) in whole.columns().iter().enumerate() {
            let place = member_path("$", &column.name);
            if let ColumnType::List(items) = &column.column_type {
                let name = format!("{table}{SEPARATOR}{}", column.name);
                let source = Some(whole.source_of(&column.name));
                notes.insert(place.clone(), Note { source, child: Some(name.clone()), ..Note::default() });
                splitter.take(List { table: name, place, within: None, path: vec![position], depth: 0, items })?;
            } else {
                columns.push(column.clone());
                kept.push(position);
                copy_notes(whole, &place, &place, &mut notes);
            }
        }
        let own = RecordSchema::new(columns)?.with_notes(notes).with_version(whole.version());
        Ok(Self { own: Arc::new(own), children: splitter.children, kept })
    }
}

/// A list on its way to a table.
struct List<'a> {
    /// The name of the table.
    table: String,
    /// Its place in the whole.
    place: String,
    within: Option<usize>,
    path: Vec<usize>,
    /// How many lists are around it.
    depth: usize,
    items: &'a ColumnType,
}

struct Splitter<'a> {
    whole: &'a RecordSchema,
    key: Vec<Column>,
    children: Vec<ChildTable>,
    /// Which list each table is of.
    places: BTreeMap<String, String>,
}

/// The columns of a child table so far.
#[derive(Default)]
struct Level<'a> {
    columns: Vec<Column>,
    notes: Notes,
    items: Vec<Vec<usize>>,
    places: BTreeMap<String, String>,
    /// The lists within its items.
    lists: Vec<Inner<'a>>,
}

/// A list within items.
struct Inner<'a> {
    called: String,
    place: String,
    source: Vec<String>,
    path: Vec<usize>,
    items: &'a ColumnType,
}

/// An object of which columns are made.
#[derive(Clone, Copy)]
struct Object<'a> {
    place: &'a str,
    name: Option<&'a str>,
    source: &'a [String],
    path: &'a [usize],
}

impl<'a> Splitter<'a> {
    fn take(&mut self, list: List<'a>) -> Result<(), SchemaError> {
        let List { table, place, within, path, depth, items } = list;
        if !is_folder_name(&table) {
            return Err(SchemaError::TableName { table, field: place });
        }
        if let Some(other) = self.places.insert(table.clone(), place.clone()) {
            return Err(SchemaError::TableCollision { table, fields: [other, place] });
        }
        let mut level = Level::default();
        let record_key: Vec<String> = self.key.iter().map(|key| format!("{PARENT_START}{}", key.name)).collect();
        for (name, key) in record_key.iter().zip(&self.key) {
            level.push(name.clone(), key.column_type.clone(), false, "the key of the record")?;
        }
        let mut indexes: Vec<String> = (1..=depth).map(|number| format!("{INDEX}_{number}")).collect();
        indexes.push(INDEX.to_owned());
        for name in &indexes {
            level.push(name.clone(), ColumnType::Int64, false, "the place in the list")?;
        }
        self.items(&format!("{place}[]"), items, &mut level)?;
        for Inner { called, source, .. } in &level.lists {
            let child = Some(format!("{table}{SEPARATOR}{called}"));
            let note = Note { source: Some(source.clone()), child, ..Note::default() };
            level.notes.insert(member_path("$", called), note);
        }
        let Level { columns, notes, items, lists, .. } = level;
        let schema = Arc::new(RecordSchema::new(columns)?.with_notes(notes));
        let number = self.children.len();
        let keys = self.key.iter().map(|key| key.name.clone()).collect();
        let name = table.clone();
        self.children.push(ChildTable { name, schema, record_key, keys, indexes, within, list: path, items });
        for Inner { called, place, path, items, .. } in lists {
            let table = format!("{table}{SEPARATOR}{called}");
            self.take(List { table, place, within: Some(number), path, depth: depth + 1, items })?;
        }
        Ok(())
    }

    /// Returns the columns of items that are at `place` of the whole.
    fn items(&self, place: &str, items: &'a ColumnType, level: &mut Level<'a>) -> Result<(), SchemaError> {
        match items {
            ColumnType::Struct(members) => {
                self.members(Object { place, name: None, source: &[], path: &[] }, members, level)
            }
            ColumnType::List(items) => {
                let (called, place) = (LIST.to_owned(), place.to_owned());
                level.lists.push(Inner { called, place, source: Vec::new(), path: Vec::new(), items });
                Ok(())
            }
            plain => self.column(ITEM, plain, Object { place, name: None, source: &[], path: &[] }, level),
        }
    }

    fn members(&self, object: Object<'_>, members: &'a [Column], level: &mut Level<'a>) -> Result<(), SchemaError> {
        for (position, member) in members.iter().enumerate() {
            let place = member_path(object.place, &member.name);
            let key = self.whole.notes().get(&place).and_then(|note| note.source.as_ref()?.last().cloned());
            let key = key.unwrap_or_else(|| member.name.clone());
            let source: Vec<String> = object.source.iter().cloned().chain([key]).collect();
            let path: Vec<usize> = object.path.iter().copied().chain([position]).collect();
            let start = object.name.map(|start| format!("{start}{SEPARATOR}")).unwrap_or_default();
            let name = start + &member.name;
            match &member.column_type {
                ColumnType::Struct(members) => {
                    let within = Object { place: &place, name: Some(&name), source: &source, path: &path };
                    self.members(within, members, level)?;
                }
                ColumnType::List(items) => level.lists.push(Inner { called: name, place, source, path, items }),
                plain => {
                    let within = Object { place: &place, name: None, source: &source, path: &path };
                    self.column(&name, plain, within, level)?;
                }
            }
        }
        Ok(())
    }

    /// Returns a column of what is at the place of `from`. Any item may be null.
    fn column(
        &self,
        name: &str,
        column_type: &ColumnType,
        from: Object<'_>,
        level: &mut Level<'a>,
    ) -> Result<(), SchemaError> {
        let place = member_path("$", name);
        copy_notes(self.whole, from.place, &place, &mut level.notes);
        level.notes.entry(place).or_default().source = Some(from.source.to_vec());
        level.items.push(from.path.to_vec());
        level.push(name.to_owned(), column_type.clone(), true, from.place)
    }
}

impl Level<'_> {
    fn push(&mut self, name: String, column_type: ColumnType, nullable: bool, place: &str) -> Result<(), SchemaError> {
        if let Some(other) = self.places.insert(name.clone(), place.to_owned()) {
            return Err(SchemaError::Collision { column: name, fields: [other, place.to_owned()] });
        }
        self.columns.push(Column { name, column_type, nullable });
        Ok(())
    }
}

/// Copies what is known of the field at `from` of the whole, and of what is within.
fn copy_notes(whole: &RecordSchema, from: &str, to: &str, notes: &mut Notes) {
    for (place, note) in whole.notes() {
        let Some(rest) = place.strip_prefix(from) else { continue };
        if rest.is_empty() || rest.starts_with(['.', '[', '{']) {
            notes.insert(format!("{to}{rest}"), note.clone());
        }
    }
}

#[cfg(test)]
mod tests;
