//! Names of columns in a pipeline file. A field of the records may be called by its key or by the
//! name of its column; from here on it is the column.

use super::schemas::Schemas;
use super::table::shape_of;
use crate::config::document::Mapping as _;
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;

/// Calls everything that a resource says of columns by the names that they have in the table.
pub(crate) fn name_columns(resource: &mut ResourceDocument, schemas: &Schemas, problems: &Problems) {
    let shape = shape_of(resource);
    if !shape.is_plain() {
        let file = schemas.of(resource);
        let records = file.as_ref().map(|file| &file.schema);
        let name = |written: &mut String| *written = shape.column_name(written, records);
        resource.primary_key.iter_mut().for_each(name);
        resource.merge_key.iter_mut().for_each(name);
        resource.write_disposition.newer_by.iter_mut().for_each(name);
        resource.partition_by.iter_mut().for_each(|level| level.column.iter_mut().for_each(name));
    }
    for (key, names) in [("primary_key", &resource.primary_key), ("merge_key", &resource.merge_key)] {
        let twice = (1..names.len()).find(|place| names[..*place].contains(&names[*place]));
        if let Some(name) = twice.and_then(|place| names.get(place)) {
            problems.add(&format!("{}/{key}", resource.place()), format!("has the column '{name}' twice"));
        }
    }
}
