//! Errors as data, for reports.

use std::error::Error as StdError;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, HttpFailure};

/// An error as reports show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorFacts {
    /// What the operator must do.
    pub kind: ErrorKind,
    /// What went wrong, and where.
    pub message: String,
    /// The causes, nearest first.
    pub causes: Vec<String>,
    /// The next steps.
    pub hints: Vec<String>,
    /// Whether trying again, with everything as it is, can help.
    #[serde(default)]
    pub retryable: bool,
    /// The request that failed, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFailure>,
}

/// The error again, with the messages of its causes in their place.
impl From<ErrorFacts> for Error {
    fn from(facts: ErrorFacts) -> Self {
        let ErrorFacts { kind, message, causes, hints, retryable, http } = facts;
        let error = Self::new(kind, message).with_retryable(retryable);
        let error = hints.into_iter().fold(error, Self::with_hint);
        let error = http.into_iter().fold(error, Self::with_http);
        let causes = causes.into_iter().rev();
        let cause = causes.fold(None, |cause, message| Some(Box::new(Cause { message, cause })));
        cause.into_iter().fold(error, |error, cause| error.with_source(cause as Box<dyn StdError + Send + Sync>))
    }
}

/// A cause of which only the message is left.
#[derive(Debug)]
struct Cause {
    message: String,
    cause: Option<Box<Self>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

impl From<&Error> for ErrorFacts {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
            causes: error.causes(),
            hints: error.hints().to_vec(),
            retryable: error.is_retryable(),
            http: error.http().cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_same_after_it_was_data() {
        let deep = Error::storage("the disk").with_source(std::io::Error::other("is full"));
        let error =
            Error::damaged("table events").with_retryable(true).with_hint("look").with_hint("again").with_source(deep);
        let facts = ErrorFacts::from(&error);
        assert_eq!(facts.causes, ["the disk", "is full"]);
        assert_eq!(ErrorFacts::from(&Error::from(facts.clone())), facts);
    }
}
