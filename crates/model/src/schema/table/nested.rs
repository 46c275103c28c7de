//! The schema with its lists, put together again from the tables that they became. Pure.

use std::sync::Arc;

use crate::schema::table::child_tables::{INDEX, PARENT_START};
use crate::schema::table::load_metadata::is_load_metadata;
use crate::schema::table::source::{keyed, put};
use crate::schema::types::note::Note;
use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError};

impl RecordSchema {
    /// Returns this table with the lists of its records, as far as `find` knows their tables; they
    /// are called as in the records.
    ///
    /// # Errors
    /// When the tables contradict each other.
    pub fn nested_with(&self, find: &dyn Fn(&str) -> Option<Arc<Self>>) -> Result<Self, SchemaError> {
        let (mut columns, mut notes) = (self.columns().to_vec(), self.notes().clone());
        for (source, child) in self.child_tables() {
            let Some(items) = find(child).and_then(|child| items_of(&child, find)) else { continue };
            // Where it comes from is said beside it, so any name will do that no column has.
            let name = format!("{child}[]");
            notes.insert(member_path("$", &name), Note { source: Some(source.to_vec()), ..Note::default() });
            columns.push(Column { name, column_type: ColumnType::List(Box::new(items)), nullable: true });
        }
        Ok(Self::new(columns)?.with_notes(notes))
    }

    /// Returns whether the items of this child table and of `other` are of one kind: objects,
    /// lists, or plain values.
    pub fn has_items_like(&self, other: &Self) -> bool {
        kind_of(self) == kind_of(other)
    }
}

/// Returns what the items were of which a child table was made, with the keys of the records.
/// `None` where nobody knows.
fn items_of(child: &RecordSchema, find: &dyn Fn(&str) -> Option<Arc<RecordSchema>>) -> Option<ColumnType> {
    let mut members = Vec::new();
    for column in item_columns(child) {
        let place = member_path("$", &column.name);
        if is_item_itself(child, &place) {
            return Some(keyed(child.notes(), &place, &column.column_type));
        }
        child.add_source(&mut members, column);
    }
    for (source, inner) in child.child_tables() {
        let Some(items) = find(inner).and_then(|inner| items_of(&inner, find)) else { continue };
        let list = ColumnType::List(Box::new(items));
        if source.is_empty() {
            return Some(list);
        }
        put(&mut members, source, list, true);
    }
    (!members.is_empty()).then_some(ColumnType::Struct(members))
}

/// Returns the columns of what the items of a child table hold.
fn item_columns(child: &RecordSchema) -> impl Iterator<Item = &Column> {
    let is_own = |name: &str| name.starts_with(PARENT_START) || name.starts_with(INDEX) || is_load_metadata(name);
    child.columns().iter().filter(move |column| !is_own(&column.name))
}

fn is_item_itself(child: &RecordSchema, place: &str) -> bool {
    child.notes().get(place).and_then(|note| note.source.as_ref()).is_some_and(Vec::is_empty)
}

/// What the items of a child table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ItemKind {
    Objects,
    Lists,
    Values,
}

fn kind_of(child: &RecordSchema) -> ItemKind {
    if child.child_tables().any(|(source, _)| source.is_empty()) {
        ItemKind::Lists
    } else if item_columns(child).any(|column| is_item_itself(child, &member_path("$", &column.name))) {
        ItemKind::Values
    } else {
        ItemKind::Objects
    }
}
