//! Names of columns in a pipeline file. A field of the records may be called by its key or by the name of its column; from here on it is the column.

use std::collections::HashSet;

use super::schemas::Schemas;
use super::table::shape_of;
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;

/// Calls everything that a resource says of columns by the names that they have in the table.
pub(crate) fn name_columns(resource: &mut ResourceDocument, schemas: &Schemas, problems: &Problems) {
    let shape = shape_of(resource);
    if shape.is_plain() {
        return;
    }
    let file = schemas.of(resource);
    let records = file.as_ref().map(|file| &file.schema);
    let name = |written: &mut String| *written = shape.column_name(written, records);
    resource.primary_key.iter_mut().for_each(name);
    resource.merge.merge_key.iter_mut().for_each(name);
    resource.merge.newer_by.iter_mut().for_each(name);
    resource.partition_by.iter_mut().for_each(|level| name(&mut level.column));
    for (key, names) in [("primary_key", &resource.primary_key), ("merge_key", &resource.merge.merge_key)] {
        let twice = (1..names.len()).find(|place| names[..*place].contains(&names[*place]));
        if let Some(name) = twice.and_then(|place| names.get(place)) {
            problems.add(&resource.place, format!("{key} has the column '{name}' twice"));
        }
    }
    let mut seen = HashSet::new();
    for hint in &mut resource.merge.hints {
        name(&mut hint.column);
        if !seen.insert(hint.column.clone()) {
            problems.add(&hint.place, format!("the column '{}' is there twice", hint.column));
        }
        if let Some(records) = records {
            hint.typed.path = shape.path_of(&hint.written, records);
        }
    }
}
