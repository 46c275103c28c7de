//! Fields of the records that two versions of a table keep in different places. Pure.

use std::collections::BTreeMap;

use crate::schema::table::source::source_path;
use crate::schema::types::note::Notes;
use crate::schema::types::path::member_path;
use crate::schema::types::record::{ColumnType, RecordSchema};

impl RecordSchema {
    /// Returns the fields of the records that are other columns of this table than of `wanted`, as
    /// sentences.
    pub fn moved_fields(&self, wanted: &Self) -> Vec<String> {
        let stored = self;
        let has_sources = |schema: &Self| schema.notes().values().any(|note| note.source.is_some());
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
}

/// Lists that are a table in the one and a column in the other, as sentences.
fn moved_lists(stored: &RecordSchema, wanted: &RecordSchema) -> Vec<String> {
    let is_column = |table: &RecordSchema, source: &[String]| {
        table.columns().iter().any(|column| table.source_of(&column.name) == source)
    };
    let field = |source: &[String]| source.iter().fold("$".to_owned(), |field, key| member_path(&field, key));
    let now = stored.child_tables().filter(|(source, _)| is_column(wanted, source));
    let now = now.map(|(source, child)| {
        format!("the field {} of the records is the table {child}, and a column in the run", field(source))
    });
    let before = wanted.child_tables().filter(|(source, _)| is_column(stored, source));
    let before = before.map(|(source, child)| {
        format!("the field {} of the records is a column of the table, and the table {child} in the run", field(source))
    });
    now.chain(before).collect()
}

/// Returns the places that the fields of the records have in the table.
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
