//! The languages of pipeline and schema files.

use std::path::Path;

use serde_json::Value;

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
    /// Returns the language by a file's extension.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// Returns the name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Yaml => "YAML",
            Self::Json => "JSON",
            Self::Toml => "TOML",
        }
    }
}

/// Returns the text as a value, or what is wrong with it and where. The text itself is not shown:
/// it may hold a secret.
pub(crate) fn read_value(text: &str, format: Format) -> Result<Value, String> {
    match format {
        Format::Yaml => serde_saphyr::from_str(text).map_err(|error| {
            let message = error.without_snippet().to_string();
            let message = message.strip_prefix("error: ").unwrap_or(&message);
            // What the library says to those who call it means nothing to who writes a file.
            let advice = [", set DuplicateKeyPolicy", "; use from_str_multiple"];
            let end = advice.iter().find_map(|advice| message.find(advice)).unwrap_or(message.len());
            message.get(..end).unwrap_or(message).to_owned()
        }),
        Format::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
        Format::Toml => toml::from_str(text).map_err(|error| {
            let (line, column) = point_of(text, error.span().map_or(0, |span| span.start));
            format!("line {line} column {column}: {}", error.message())
        }),
    }
}

/// A line and a column, from 1.
pub(crate) type Point = (u64, u64);

/// Returns the line and column of a byte of a text, from 1.
pub(crate) fn point_of(text: &str, byte: usize) -> Point {
    let before = text.get(..byte).unwrap_or_default();
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (before.matches('\n').count() as u64 + 1, column as u64)
}
