//! What went wrong and what the operator must do about it.
//!
//! Inside a module, precise private enums describe a failure near its cause. Across modules there is one [`Error`]
//! whose [`ErrorKind`] is prescriptive: it decides the exit code and the next step, nothing else.

use std::error::Error as StdError;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of everything that can fail in lakefeed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the operator must do. There is one exit code per kind (see [`ErrorKind::exit_code`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Mend the command line, the pipeline file, a schema file or the environment.
    Config,
    /// Mend the credentials: the API or its token endpoint refused them.
    Auth,
    /// The API failed after all retries, or answered something that is not a page; try later or mend the endpoint.
    Source,
    /// The listing ended before everything was read; nothing was committed.
    Incomplete,
    /// The records do not fit the agreed schema or its contract.
    Schema,
    /// The destination could not be read or written.
    Storage,
    /// Another run holds the table, or committed first; try again when it is done.
    Conflict,
    /// The operator stopped the run.
    Interrupted,
}

impl ErrorKind {
    /// The process exit code of this kind; part of the command-line contract.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Config => 2,
            Self::Auth => 3,
            Self::Source => 4,
            Self::Incomplete => 5,
            Self::Schema => 6,
            Self::Storage => 7,
            Self::Conflict => 8,
            Self::Interrupted => 130,
        }
    }

    /// The kind as it is written in reports: `config`, `auth`, ….
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Source => "source",
            Self::Incomplete => "incomplete",
            Self::Schema => "schema",
            Self::Storage => "storage",
            Self::Conflict => "conflict",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, a message that names the thing and the place, hints that name the next step, and its cause.
///
/// Messages are lower-case and end without a full stop. They never hold a secret.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hints: Vec<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hints: Vec::new(), source: None }))
    }

    /// An [`ErrorKind::Config`] error.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// An [`ErrorKind::Auth`] error.
    pub fn auth(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Auth, message)
    }

    /// An [`ErrorKind::Source`] error.
    pub fn source_failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Source, message)
    }

    /// An [`ErrorKind::Incomplete`] error.
    pub fn incomplete(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Incomplete, message)
    }

    /// An [`ErrorKind::Schema`] error.
    pub fn schema(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Schema, message)
    }

    /// An [`ErrorKind::Storage`] error.
    pub fn storage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Storage, message)
    }

    /// An [`ErrorKind::Conflict`] error.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// An [`ErrorKind::Interrupted`] error.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted; nothing of this run was committed after the interruption")
    }

    /// Attaches the cause, shown below the message.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds a next step, shown as `hint: …`.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Puts the place in front of the message: `place: message`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// What the operator must do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without its causes and hints.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The next steps, in the order in which they should be tried.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// The messages of the causes, nearest first, each one once.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("hints", &self.0.hints)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_and_shows_place_cause_and_hint() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let error = Error::storage("cannot write")
            .at("table events")
            .with_source(std::io::Error::other("disk full"))
            .with_hint("free some space");
        assert_eq!(error.to_string(), "table events: cannot write");
        assert_eq!(error.causes(), ["disk full"]);
        assert_eq!(error.hints(), ["free some space"]);
        assert_eq!(error.kind().exit_code(), 7);
    }
}
