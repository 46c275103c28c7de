//! What the user wrote: the pipeline file, from its text to a validated [`PipelineSpec`].
//!
//! `text → value → ${…} replaced → Document → PipelineSpec`. Every step goes on after a problem, so
//! that all of them are reported at once, each with its place: `./resources[0]/endpoint/paginator`.
//! The one module that reads the files beside the pipeline is `interpolate`, behind [`Sources`];
//! the environment is passed in.

#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only the command prints what keys are"))]
mod document;
mod format;
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only the command checks without secrets"))]
mod interpolate;
mod positions;
mod schema_files;
mod validate;

#[cfg(test)]
mod tests;

use std::path::Path;

#[cfg(feature = "cli")]
pub(crate) use document::values::parse_duration;
pub use format::Format;
pub(crate) use interpolate::{Sources, SystemSources};

use document::Document;
use document::problems::Problems;
use format::read_value;
use interpolate::Missing;
use positions::Positions;
use schema_files::read_schemas;

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::spec::PipelineSpec;

/// What is known of a pipeline file where not everything is there that it needs to run.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct Checked {
    /// The pipeline; something stands in for what is not known yet. `None` where nothing can.
    pub(crate) spec: Option<PipelineSpec>,
    /// What is not known yet, such as `env:CLIENT_SECRET`.
    pub(crate) open: Vec<String>,
}

/// The JSON Schema (draft 2020-12) of a pipeline file.
#[cfg(feature = "cli")]
pub(crate) fn json_schema() -> String {
    format!("{:#}\n", document::json_schema::json_schema())
}

/// Reads and validates a pipeline file, with `environment` and the files beside it.
///
/// # Errors
/// One [`crate::error::ErrorKind::Config`] error that lists every problem.
pub(crate) fn load(path: &Path, environment: &Environment) -> Result<PipelineSpec> {
    load_from(path, &SystemSources::beside(path, environment))
}

/// Reads and validates a pipeline file whose `${…}` and schema files come from `sources`.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_from(path: &Path, sources: &dyn Sources) -> Result<PipelineSpec> {
    let (origin, format, text) = read_file(path)?;
    parse(&origin, &text, format, sources)
}

/// Reads and validates a pipeline file as far as can be without what is only there when it runs:
/// environment variables that are not set, files of `${file:…}` that do not exist.
///
/// # Errors
/// As [`load`].
#[cfg(feature = "cli")]
pub(crate) fn check_without_secrets(path: &Path, environment: &Environment) -> Result<Checked> {
    let (origin, format, text) = read_file(path)?;
    let (spec, open) = validated(&origin, &text, format, &SystemSources::beside(path, environment), Missing::Open)?;
    Ok(Checked { spec, open })
}

/// Reads and validates the text of a pipeline file. `origin` is what errors call it.
///
/// # Errors
/// One [`crate::error::ErrorKind::Config`] error that lists every problem.
pub(crate) fn parse(origin: &str, text: &str, format: Format, sources: &dyn Sources) -> Result<PipelineSpec> {
    let (spec, _) = validated(origin, text, format, sources, Missing::Refused)?;
    spec.ok_or_else(|| Error::defect(format!("{origin} has no problem, and is no pipeline")))
}

fn read_file(path: &Path) -> Result<(String, Format, String)> {
    let origin = path.display().to_string();
    let format = Format::of(path).ok_or_else(|| {
        Error::config(format!("{origin}: the format is not known"))
            .with_hint("name the file .yaml, .yml, .json or .toml")
    })?;
    let text = interpolate::read_text(path)
        .map_err(|error| Error::config(format!("cannot read the pipeline file {origin}")).with_source(error))?;
    Ok((origin, format, text))
}

/// The pipeline, and what is not known yet.
fn validated(
    origin: &str,
    text: &str,
    format: Format,
    sources: &dyn Sources,
    missing: Missing,
) -> Result<(Option<PipelineSpec>, Vec<String>)> {
    let mut value = read_value(text, format).map_err(|what| {
        let error = Error::config(format!("{origin} is not valid {}: {what}", format.name()));
        match format {
            Format::Yaml if text.contains("${") => error.with_hint("inside { } and [ ], quote \"${…}\""),
            Format::Yaml | Format::Json | Format::Toml => error,
        }
    })?;
    let problems = Problems::default();
    if let Some(members) = value.as_object_mut() {
        // YAML anchors have a place of their own.
        members.retain(|key, _| !key.starts_with("x-"));
    }
    interpolate::interpolate(&mut value, ".", sources, missing, &problems);
    let stem = Path::new(origin).file_stem().and_then(|stem| stem.to_str()).unwrap_or("pipeline");
    let spec = Document::of(value, &problems).and_then(|document| {
        let schemas = read_schemas(&document, sources, &problems);
        validate::validate(document, stem, &schemas, &problems)
    });
    if problems.is_empty() {
        return Ok((spec, problems.open_names()));
    }
    let positions = Positions::of(text, format);
    Err(problems.into_error(origin, |place, key| Some(positions.as_ref()?.find(place, key))))
}
