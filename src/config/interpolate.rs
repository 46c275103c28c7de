//! `${env:NAME}`, `${env:NAME:-default}` and `${file:path}` in the texts of a pipeline file.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document::problems::{Problems, stand_in};
use crate::environment::Environment;

/// Where the values behind `${…}` and the files that a pipeline names come from.
pub(crate) trait Sources {
    /// Returns the environment variable of that name.
    fn env(&self, name: &str) -> Option<String>;

    /// Returns the environment variable of that name, or what the pipeline file says instead: as in
    /// a shell, also for an empty one.
    fn env_or(&self, name: &str, default: &str) -> String {
        self.env(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
    }

    /// Returns the content of a text file; a relative path is relative to the pipeline file.
    ///
    /// # Errors
    /// Those of reading the file.
    fn file(&self, path: &str) -> std::io::Result<String>;

    /// Returns the content of a file that stands for a value, as `${file:path}`; it may be a
    /// secret.
    ///
    /// # Errors
    /// Those of reading the file.
    fn value_file(&self, path: &str) -> std::io::Result<String> {
        self.file(path)
    }
}

/// An environment alone: a pipeline may name the files that it was given.
impl Sources for Environment {
    fn env(&self, name: &str) -> Option<String> {
        self.variable(name).map(str::to_owned)
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        Self::file(self, path).map(str::to_owned).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// An environment that was passed in, and the files beside the pipeline file.
#[derive(Debug, Clone)]
pub(crate) struct SystemSources {
    environment: Environment,
    base_dir: PathBuf,
}

impl SystemSources {
    /// Takes files from `base_dir`, unless `environment` has them.
    pub(crate) fn new(base_dir: PathBuf, environment: &Environment) -> Self {
        Self { environment: environment.clone(), base_dir }
    }

    /// Takes files from the folder of the pipeline file `path`, unless `environment` has them.
    pub(crate) fn beside(path: &Path, environment: &Environment) -> Self {
        Self::new(path.parent().unwrap_or_else(|| Path::new("")).to_owned(), environment)
    }
}

impl Sources for SystemSources {
    fn env(&self, name: &str) -> Option<String> {
        self.environment.env(name)
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        match self.environment.file(path) {
            Some(text) => Ok(text.to_owned()),
            None => read_text(&self.base_dir.join(Path::new(path))),
        }
    }
}

/// Reads a text file.
pub(super) fn read_text(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// What becomes of a `${…}` that nothing is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is a problem.
    Refused,
    /// It is known when the pipeline runs.
    Open,
}

/// Replaces every `${…}` in the strings of `value`, keys excepted. Where nothing is there for one,
/// something stands in, and the place is left open, so that no other problem comes of it.
pub(super) fn interpolate(
    value: &mut Value,
    place: &str,
    sources: &dyn Sources,
    missing: Missing,
    problems: &Problems,
) {
    match value {
        Value::String(text) => {
            if text.contains("${") {
                *text = replaced(text, place, sources, missing, problems);
            }
        }
        Value::Array(elements) => {
            for (position, element) in elements.iter_mut().enumerate() {
                interpolate(element, &format!("{place}[{position}]"), sources, missing, problems);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                interpolate(field, &format!("{place}/{key}"), sources, missing, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replaced(text: &str, place: &str, sources: &dyn Sources, missing: Missing, problems: &Problems) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            // `$${` is a literal `${`.
            result.push_str(escaped);
            result.push_str("${");
            rest = after;
            continue;
        }
        result.push_str(before);
        let Some((name, remaining)) = after.split_once('}') else {
            problems.add_form(place, None, "'${' has no '}'; write '$${' for a literal '${'");
            return text.to_owned();
        };
        match lookup(name, sources) {
            Ok(found) => {
                let is_default = name.split_once(":-").is_some_and(|(_, default)| default == found);
                if !is_default {
                    problems.note_inserted(name, &found);
                }
                result.push_str(&found);
            }
            Err(NotFound { is_unknown: false, what }) => problems.add_form(place, None, what),
            Err(NotFound { what, .. }) => {
                if missing == Missing::Refused {
                    problems.add_form(place, None, what);
                }
                problems.leave_open(place, name);
                result.push_str(&stand_in(name));
            }
        }
        rest = remaining;
    }
    result.push_str(rest);
    result
}

/// Why nothing stands for a `${…}`.
struct NotFound {
    /// Whether it may be there when the pipeline runs.
    is_unknown: bool,
    what: String,
}

fn lookup(name: &str, sources: &dyn Sources) -> Result<String, NotFound> {
    let unknown = |what: String| NotFound { is_unknown: true, what };
    match name.split_once(':') {
        Some(("env", variable)) => match variable.split_once(":-") {
            Some((variable, default)) => Ok(sources.env_or(variable, default)),
            None => sources.env(variable).ok_or_else(|| {
                unknown(format!("the environment variable {variable} is not set; export {variable}=… and run again"))
            }),
        },
        Some(("file", path)) => {
            let content = sources
                .value_file(path)
                .map_err(|error| unknown(format!("the file {path} cannot be read ({error})")))?;
            let trimmed = content.strip_suffix('\n').unwrap_or(&content);
            Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())
        }
        _ => {
            let accepted = "accepted: ${env:NAME}, ${env:NAME:-default}, ${file:path}";
            Err(NotFound { is_unknown: false, what: format!("'${{{name}}}' is not known ({accepted})") })
        }
    }
}
