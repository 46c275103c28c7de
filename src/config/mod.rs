//! What the user wrote: the pipeline file, from its text to a validated [`PipelineSpec`].
//!
//! `text → value → ${…} replaced → Document → PipelineSpec`. Every step goes on after a problem, so that all of them are reported at once, each with its
//! place: `./resources[0]/endpoint/paginator`. The one module that reads the files beside the pipeline is `interpolate`, behind [`Sources`]; the
//! environment is passed in.

mod document;
mod format;
mod interpolate;
mod schema_files;
mod validate;

#[cfg(test)]
mod tests;

use std::path::Path;

#[cfg(feature = "cli")]
pub(crate) use document::incremental::parse_duration;
pub use format::Format;
pub(crate) use interpolate::{Sources, SystemSources};

use document::Document;
use document::problems::Problems;
use format::read_value;
use schema_files::read_schemas;

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::spec::PipelineSpec;

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
    let origin = path.display().to_string();
    let format = Format::of(path).ok_or_else(|| {
        Error::config(format!("{origin}: the format is not known"))
            .with_hint("name the file .yaml, .yml, .json or .toml")
    })?;
    let text = interpolate::read_text(path)
        .map_err(|error| Error::config(format!("cannot read the pipeline file {origin}")).with_source(error))?;
    parse(&origin, &text, format, sources)
}

/// Reads and validates the text of a pipeline file. `origin` is what errors call it.
///
/// # Errors
/// One [`crate::error::ErrorKind::Config`] error that lists every problem.
pub(crate) fn parse(origin: &str, text: &str, format: Format, sources: &dyn Sources) -> Result<PipelineSpec> {
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
