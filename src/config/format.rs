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
    /// The language by a file's extension.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// The name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Yaml => "YAML",
            Self::Json => "JSON",
            Self::Toml => "TOML",
        }
    }
}

/// The text as a value, or what is wrong with it and where. The text itself is not shown: it may hold a secret.
pub(crate) fn read_value(text: &str, format: Format) -> Result<Value, String> {
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
