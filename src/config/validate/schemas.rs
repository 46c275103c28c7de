//! The schemas that a document names, as they were read from their files.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::document::columns::SchemaSource;
use crate::config::document::resource::ResourceDocument;
use crate::schema::SchemaFile;

/// The schemas that the document names; `None` for one that is not usable, which is a problem
/// already.
#[derive(Debug, Default)]
pub(crate) struct Schemas(HashMap<SchemaSource, Option<Arc<SchemaFile>>>);

impl Schemas {
    /// Returns whether the schema was read, usable or not.
    pub(crate) fn has(&self, source: &SchemaSource) -> bool {
        self.0.contains_key(source)
    }

    /// Adds the schema of `source`.
    pub(crate) fn add(&mut self, source: SchemaSource, schema: Option<SchemaFile>) {
        self.0.insert(source, schema.map(Arc::new));
    }

    /// Returns the schema of a resource, where it names one that is usable.
    pub(crate) fn of(&self, resource: &ResourceDocument) -> Option<Arc<SchemaFile>> {
        self.0.get(resource.schema.as_ref()?)?.clone()
    }
}
