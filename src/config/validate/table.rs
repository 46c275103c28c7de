//! What a resource's table is called, and what a name in the pipeline file means there.

use crate::config::document::problems::{Problems, nearest};
use crate::config::document::resource::{NestedDocument, ResourceDocument};
use crate::schema::{ColumnType, RecordSchema, TableShape, is_folder_name, is_for_folders};

/// Returns the name of a resource's table: its own, or the resource's with `_` for what no folder
/// may have (`users/list`).
pub(crate) fn table_name(resource: &ResourceDocument) -> String {
    let own =
        |name: &str| name.chars().map(|character| if is_for_folders(character) { character } else { '_' }).collect();
    resource.table_name.clone().unwrap_or_else(|| own(resource.name().trim_start_matches('/')))
}

/// Refuses a name that is no folder on every store, as tables and partition levels are folders.
pub(crate) fn check_folder_name(place: &str, what: &str, name: &str, problems: &Problems) {
    if !is_folder_name(name) {
        let shown: String = name.chars().take(60).collect();
        problems.add(
            place,
            format!(
                "{what} {shown:?} cannot be a folder: use letters, digits, '_' and '-', starting with a letter or digit"
            ),
        );
    }
}

/// Returns how the table of a resource comes of its records.
pub(crate) fn shape_of(resource: &ResourceDocument) -> TableShape {
    let NestedDocument { flattens, has_child_tables, .. } = resource.nested;
    TableShape { naming: resource.naming, flattens, has_child_tables }
}

/// Notes when `name` is no column of the schema, or one of values that cannot be compared.
pub(crate) fn check_plain(place: &str, what: &str, name: &str, schema: &RecordSchema, problems: &Problems) {
    match schema.column(name) {
        None => problems.add(place, unknown_column(what, name, schema)),
        Some(column) if is_nested(&column.column_type) => {
            problems.add(place, format!("{what} '{name}' is nested; keys and versions are plain values"));
        }
        Some(_) => {}
    }
}

pub(crate) fn unknown_column(what: &str, name: &str, schema: &RecordSchema) -> String {
    let names: Vec<&str> = schema.columns().iter().map(|column| column.name.as_str()).collect();
    let meant =
        nearest(name, names.iter().copied()).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
    format!("{what} '{name}' is not a column of the schema (columns: {}{meant})", names.join(", "))
}

fn is_nested(column_type: &ColumnType) -> bool {
    column_type.is_nested() || *column_type == ColumnType::Json
}
