//! What the user wrote: the pipeline file, from its text to a validated [`PipelineSpec`].
//!
//! `text → value → ${…} replaced → Document → PipelineSpec`. Every step goes on after a problem, so that all of them are reported at once, each with its
//! place: `./resources[0]/endpoint/paginator`. The one module that reads the environment and the files beside the pipeline is `interpolate`,
//! behind [`Sources`].

mod auth_document;
mod client_document;
mod columns_document;
mod document;
mod endpoint_document;
mod fields;
mod graph;
mod incremental_document;
mod interpolate;
mod merge_document;
mod names;
mod paginator_document;
mod problems;
mod resource_document;
mod validate;
mod validate_auth;
mod validate_child_tables;
mod validate_client;
mod validate_endpoint;
mod validate_merge;
mod validate_paginator;
mod validate_resource;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

pub(crate) use incremental_document::parse_duration;
pub use interpolate::{Sources, SystemSources};

use columns_document::SchemaSource;
use document::Document;
use problems::Problems;
use validate::Schemas;

use crate::error::{Error, Result};
use crate::schema::{read_json_schema, read_openapi};
use crate::spec::PipelineSpec;

/// The language of a pipeline file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// JSON.
    Json,
    /// TOML 1.0.
    Toml,
}

impl Format {
    /// The language by a file's extension.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// Reads and validates a pipeline file, with the environment of the process and the files beside it.
///
/// # Errors
/// One [`crate::error::ErrorKind::Config`] error that lists every problem.
pub fn load(path: &Path) -> Result<PipelineSpec> {
    load_from(path, &SystemSources::beside(path))
}

/// Reads and validates a pipeline file whose `${…}` and schema files come from `sources`.
///
/// # Errors
/// As [`load`].
pub fn load_from(path: &Path, sources: &dyn Sources) -> Result<PipelineSpec> {
    let origin = path.display().to_string();
    let format = Format::of(path).ok_or_else(|| {
        Error::config(format!("{origin}: the format is not known"))
            .with_hint("name the file .yaml, .yml, .json or .toml")
    })?;
    let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let text = SystemSources::beside(path)
        .file(file_name)
        .map_err(|error| Error::config(format!("cannot read the pipeline file {origin}")).with_source(error))?;
    parse(&origin, &text, format, sources)
}

/// Reads and validates the text of a pipeline file. `origin` is what errors call it.
///
/// # Errors
/// One [`crate::error::ErrorKind::Config`] error that lists every problem.
pub fn parse(origin: &str, text: &str, format: Format, sources: &dyn Sources) -> Result<PipelineSpec> {
    let mut value = read_value(text, format).map_err(|what| {
        let error = Error::config(format!("{origin} is not valid {}: {what}", format.name()));
        match format {
            Format::Yaml if text.contains("${") => error.with_hint("inside { } and [ ], quote \"${…}\""),
            Format::Yaml | Format::Json | Format::Toml => error,
        }
    })?;
    let problems = Problems::default();
    interpolate::interpolate(&mut value, ".", sources, &problems);
    let stem = Path::new(origin).file_stem().and_then(|stem| stem.to_str()).unwrap_or("pipeline");
    let spec = Document::read(&value, &problems).and_then(|document| {
        let schemas = read_schemas(&document, sources, &problems);
        validate::validate(document, stem, &schemas, &problems)
    });
    match spec {
        Some(spec) if problems.is_empty() => Ok(spec),
        _ => Err(problems.into_error(origin)),
    }
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Yaml => "YAML",
            Self::Json => "JSON",
            Self::Toml => "TOML",
        }
    }
}

/// The text as a value, or what is wrong with it and where. The text itself is not shown: it may hold a secret.
fn read_value(text: &str, format: Format) -> Result<Value, String> {
    match format {
        Format::Yaml => serde_saphyr::from_str(text).map_err(|error| {
            let message = error.without_snippet().to_string();
            message.strip_prefix("error: ").unwrap_or(&message).to_owned()
        }),
        Format::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
        Format::Toml => toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
            format!("line {} column {column}: {}", before.matches('\n').count() + 1, error.message())
        }),
    }
}

/// Reads every schema that the document names, each once.
fn read_schemas(document: &Document, sources: &dyn Sources, problems: &Problems) -> Schemas {
    let mut schemas = Schemas::new();
    for resource in &document.resources {
        let Some(source) = &resource.schema else { continue };
        if schemas.contains_key(source) {
            continue;
        }
        let place = format!("{}/schema", resource.place);
        let path = source.path();
        let schema = read_schema_value(path, sources).and_then(|root| {
            let read = match source {
                SchemaSource::JsonSchema(_) => read_json_schema(&root),
                SchemaSource::OpenApi { component, .. } => read_openapi(&root, component),
            };
            read.map_err(|found| found.iter().map(|problem| format!("{path} at {problem}")).collect())
        });
        let schema = schema.map_err(|found| found.into_iter().for_each(|problem| problems.add(&place, problem))).ok();
        schemas.insert(source.clone(), schema.map(Arc::new));
    }
    schemas
}

/// A schema file as a value: YAML or TOML by its name, else JSON.
fn read_schema_value(path: &str, sources: &dyn Sources) -> Result<Value, Vec<String>> {
    let text = sources.file(path).map_err(|error| vec![format!("the schema file {path} cannot be read ({error})")])?;
    let format = Format::of(Path::new(path)).unwrap_or(Format::Json);
    read_value(&text, format).map_err(|what| vec![format!("{path} at #: is not {}: {what}", format.name())])
}
