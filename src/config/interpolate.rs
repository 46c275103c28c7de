//! `${env:NAME}`, `${env:NAME:-default}` and `${file:path}` in the texts of a pipeline file. The only reader of the environment.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document::problems::Problems;

/// Where the values behind `${…}` and the files that a pipeline names come from.
pub trait Sources {
    /// The environment variable of that name.
    fn env(&self, name: &str) -> Option<String>;

    /// The environment variable of that name, or what the pipeline file says instead: as in a shell, also for an empty one.
    fn env_or(&self, name: &str, default: &str) -> String {
        self.env(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
    }

    /// The content of a text file; a relative path is relative to the pipeline file.
    ///
    /// # Errors
    /// Those of reading the file.
    fn file(&self, path: &str) -> std::io::Result<String>;

    /// The content of a file that stands for a value, as `${file:path}`; it may be a secret.
    ///
    /// # Errors
    /// Those of reading the file.
    fn value_file(&self, path: &str) -> std::io::Result<String> {
        self.file(path)
    }
}

/// The environment of the process and the files beside the pipeline file.
#[derive(Debug, Clone)]
pub struct SystemSources {
    base_dir: PathBuf,
}

impl SystemSources {
    /// Relative paths are relative to `base_dir`.
    pub fn new(base_dir: PathBuf) -> Self {
        Self { base_dir }
    }

    /// Relative paths are relative to the folder of the pipeline file `path`.
    pub fn beside(path: &Path) -> Self {
        Self::new(path.parent().unwrap_or_else(|| Path::new("")).to_owned())
    }
}

impl Sources for SystemSources {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        std::fs::read_to_string(self.base_dir.join(Path::new(path)))
    }
}

/// Replaces every `${…}` in the texts of `value`, keys excepted. What cannot be replaced is a problem and stays as it is.
pub(super) fn interpolate(value: &mut Value, place: &str, sources: &dyn Sources, problems: &Problems) {
    match value {
        Value::String(text) => {
            if text.contains("${") {
                *text = replaced(text, place, sources, problems);
            }
        }
        Value::Array(elements) => {
            for (position, element) in elements.iter_mut().enumerate() {
                interpolate(element, &format!("{place}[{position}]"), sources, problems);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                interpolate(field, &format!("{place}/{key}"), sources, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replaced(text: &str, place: &str, sources: &dyn Sources, problems: &Problems) -> String {
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
            problems.add(place, "'${' has no '}'; write '$${' for a literal '${'");
            return text.to_owned();
        };
        match lookup(name, sources) {
            Ok(found) => result.push_str(&found),
            Err(what) => problems.add(place, what),
        }
        rest = remaining;
    }
    result.push_str(rest);
    result
}

fn lookup(name: &str, sources: &dyn Sources) -> Result<String, String> {
    match name.split_once(':') {
        Some(("env", variable)) => match variable.split_once(":-") {
            Some((variable, default)) => Ok(sources.env_or(variable, default)),
            None => sources.env(variable).ok_or_else(|| {
                format!("the environment variable {variable} is not set; export {variable}=… and run again")
            }),
        },
        Some(("file", path)) => {
            let content =
                sources.value_file(path).map_err(|error| format!("the file {path} cannot be read ({error})"))?;
            let trimmed = content.strip_suffix('\n').unwrap_or(&content);
            Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())
        }
        _ => {
            Err(format!("'${{{name}}}' is not known (accepted: ${{env:NAME}}, ${{env:NAME:-default}}, ${{file:path}})"))
        }
    }
}
