//! Reads the schema files that a pipeline file names.

use std::path::Path;

use serde_json::Value;

use super::document::columns::SchemaSource;
use super::document::problems::Problems;
use super::document::{Document, Mapping as _};
use super::format::{Format, read_value};
use super::interpolate::Sources;
use super::validate::Schemas;
use crate::schema::SchemaFile;

/// Reads every schema that the document names, each once.
pub(crate) fn read_schemas(document: &Document, sources: &dyn Sources, problems: &Problems) -> Schemas {
    let mut schemas = Schemas::default();
    for resource in document.resources.iter().flatten() {
        let Some(source) = &resource.schema else { continue };
        if schemas.has(source) {
            continue;
        }
        let place = format!("{}/schema", resource.place());
        let path = source.path();
        let schema = read_schema_value(path, sources).and_then(|root| {
            let read = match source {
                SchemaSource::JsonSchema(_) => SchemaFile::from_json_schema(&root),
                SchemaSource::OpenApi { component, .. } => SchemaFile::from_openapi(&root, component),
            };
            read.map_err(|found| found.iter().map(|problem| format!("{path} at {problem}")).collect())
        });
        let schema = schema.map_err(|found| found.into_iter().for_each(|problem| problems.add(&place, problem))).ok();
        schemas.add(source.clone(), schema);
    }
    schemas
}

/// Returns a schema file as a value: YAML or TOML by its name, else JSON.
fn read_schema_value(path: &str, sources: &dyn Sources) -> Result<Value, Vec<String>> {
    let text = sources.file(path).map_err(|error| vec![format!("the schema file {path} cannot be read ({error})")])?;
    let format = Format::of(Path::new(path)).unwrap_or(Format::Json);
    read_value(&text, format).map_err(|what| vec![format!("{path} at #: is not {}: {what}", format.name())])
}
