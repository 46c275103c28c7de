//! What went wrong and what the operator must do about it.
//!
//! Inside a module, precise private enums describe a failure near its cause. Across modules there
//! is one [`Error`] whose [`ErrorKind`] is prescriptive: it decides the exit code and the next
//! step, nothing else.

use std::error::Error as StdError;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod http;
mod panic;

pub use http::HttpFailure;
#[doc(hidden)]
pub use panic::catch_panic;

/// The result of everything that can fail in lakefeed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the operator must do. There is one exit code per kind (see [`ErrorKind::exit_code`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Mend the command line, the pipeline file, a schema file or the environment.
    Config,
    /// Mend the credentials: the API or its token endpoint refused them.
    Auth,
    /// The API failed after all retries (5xx, time-outs, TLS, the network, what `retry.statuses`
    /// names): try later. Or it answered what cannot be read: mend the endpoint.
    Source,
    /// The listing ended before everything was read; nothing was committed.
    Incomplete,
    /// The records do not fit the agreed schema or its contract.
    Schema,
    /// The store is away or refuses to read or write: try again.
    Storage,
    /// Another run holds the table, or committed first; try again when it is done.
    Conflict,
    /// The API refuses for good (4xx), or leads where requests must not go: mend the pipeline, or
    /// get the grant.
    Refused,
    /// The table is damaged: restore it. `lakefeed table verify` names what does not fit.
    Damaged,
    /// A defect of lakefeed: report it.
    Defect,
    /// The operator stopped the run.
    Interrupted,
}

impl ErrorKind {
    /// All kinds, the worst first: the order in which one of several failed resources decides the
    /// exit code of a run.
    ///
    /// First what wants a report or a backup, then what the operator must mend, then what may pass
    /// by itself, last his own wish to stop.
    pub const WORST_FIRST: &'static [Self] = &[
        Self::Defect,
        Self::Damaged,
        Self::Config,
        Self::Schema,
        Self::Auth,
        Self::Refused,
        Self::Incomplete,
        Self::Storage,
        Self::Source,
        Self::Conflict,
        Self::Interrupted,
    ];

    /// Returns the process exit code of this kind; part of the command-line contract.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Config => 2,
            Self::Auth => 3,
            Self::Source => 4,
            Self::Incomplete => 5,
            Self::Schema => 6,
            Self::Storage => 7,
            Self::Conflict => 8,
            Self::Refused => 9,
            Self::Damaged => 10,
            Self::Defect => 70,
            Self::Interrupted => 130,
        }
    }

    /// Returns the kind as it is written in reports: `config`, `auth`, ….
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Source => "source",
            Self::Incomplete => "incomplete",
            Self::Schema => "schema",
            Self::Storage => "storage",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Damaged => "damaged",
            Self::Defect => "defect",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns how bad it is: the higher, the worse. See [`Self::WORST_FIRST`].
    pub fn severity(self) -> usize {
        Self::WORST_FIRST.iter().rev().position(|kind| *kind == self).unwrap_or_default()
    }

    /// Returns whether trying again can help, where nothing more is known than the kind.
    const fn is_retryable(self) -> bool {
        match self {
            Self::Source | Self::Incomplete | Self::Storage | Self::Conflict | Self::Interrupted => true,
            Self::Config | Self::Auth | Self::Schema | Self::Refused | Self::Damaged | Self::Defect => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, a message that names the thing and the place, hints that name the next
/// step, and its cause.
///
/// Messages are lower-case and end without a full stop. They never hold a secret.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hints: Vec<String>,
    retryable: bool,
    http: Option<HttpFailure>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// How errors are made, for lakefeed's own crates.
#[doc(hidden)]
impl Error {
    /// Returns an error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (message, retryable) = (message.into(), kind.is_retryable());
        Self(Box::new(Inner { kind, message, hints: Vec::new(), retryable, http: None, source: None }))
    }

    /// Returns an [`ErrorKind::Config`] error.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// Returns an [`ErrorKind::Auth`] error.
    pub fn auth(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Auth, message)
    }

    /// Returns an [`ErrorKind::Source`] error of an API that failed, and may not the next time.
    pub fn source_failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Source, message)
    }

    /// Returns an [`ErrorKind::Source`] error of an API that answered what cannot be read, or not
    /// as the pipeline says; it will do so again.
    pub fn source_unreadable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Source, message).with_retryable(false)
    }

    /// Returns an [`ErrorKind::Incomplete`] error.
    pub fn incomplete(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Incomplete, message)
    }

    /// Returns an [`ErrorKind::Schema`] error.
    pub fn schema(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Schema, message)
    }

    /// Returns an [`ErrorKind::Storage`] error.
    pub fn storage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Storage, message)
    }

    /// Returns an [`ErrorKind::Conflict`] error.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// Returns an [`ErrorKind::Refused`] error.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// Returns an [`ErrorKind::Damaged`] error.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    /// Returns an [`ErrorKind::Defect`] error, with the hint to report it.
    pub fn defect(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Defect, message).with_hint(
            "this is a defect of lakefeed, please report it; a cassette (`run --record FOLDER`) shows it best",
        )
    }

    /// Returns an [`ErrorKind::Interrupted`] error.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted; nothing of this run was committed after the interruption")
    }

    /// Says whether trying again can help, where that is better known than by the kind.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Gives the error the kind of another one that it is a consequence of, and its chance when
    /// tried again.
    #[must_use]
    pub fn because_of(mut self, cause: &Self) -> Self {
        (self.0.kind, self.0.retryable) = (cause.0.kind, cause.0.retryable);
        self
    }

    /// Attaches the request that failed.
    #[must_use]
    pub fn with_http(mut self, http: HttpFailure) -> Self {
        self.0.http = Some(http);
        self
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
}

impl Error {
    /// Returns what the operator must do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the message without its causes and hints.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the next steps, in the order in which they should be tried.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Returns whether trying again, with everything as it is, can help.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Returns the request that failed, where one did.
    pub fn http(&self) -> Option<&HttpFailure> {
        self.0.http.as_ref()
    }

    /// Returns whether this one decides the exit code of a run that failed with `other`, too: it is
    /// of a worse kind, or of the same and no retry heals it.
    pub fn is_worse_than(&self, other: &Self) -> bool {
        let rank = |error: &Self| (error.kind().severity(), !error.is_retryable());
        rank(self) > rank(other)
    }

    /// Returns the messages of the causes, nearest first, each one once. None where the message has
    /// the words of the last one already: the steps that lead to it say no more then.
    pub fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        if causes.last().is_some_and(|root| self.0.message.contains(root.as_str())) {
            causes.clear();
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
            .field("retryable", &self.0.retryable)
            .field("http", &self.0.http)
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
    use std::collections::BTreeSet;

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

    #[test]
    fn causes_are_left_out_when_the_message_says_it_all() {
        let cause = || Error::storage("no answer").with_source(std::io::Error::other("refused"));
        assert_eq!(Error::storage("cannot write").with_source(cause()).causes(), ["no answer", "refused"]);
        assert_eq!(Error::storage("cannot write (refused)").with_source(cause()).causes(), [""; 0]);
    }

    #[test]
    fn each_kind_has_a_place_in_the_order_and_its_own_code_and_name() {
        let kinds = ErrorKind::WORST_FIRST;
        let names: BTreeSet<_> = kinds.iter().map(|kind| kind.as_str()).collect();
        let codes: BTreeSet<_> = kinds.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!((names.len(), codes.len()), (kinds.len(), kinds.len()));
        // The generated schema has every variant, so no kind can be left out of the order.
        let schema = schemars::schema_for!(ErrorKind).to_value();
        let variants = schema["oneOf"].as_array().unwrap().iter().map(|variant| variant["const"].as_str().unwrap());
        assert_eq!(variants.collect::<BTreeSet<_>>(), names);
        for (worse, better) in kinds.iter().zip(&kinds[1..]) {
            assert!(worse.severity() > better.severity(), "{worse} {better}");
            assert!(Error::new(*worse, "").is_worse_than(&Error::new(*better, "")));
        }
    }

    #[test]
    fn of_two_errors_of_a_kind_the_one_that_stays_is_worse() {
        let (stays, passes) = (Error::source_unreadable("no list"), Error::source_failed("503"));
        assert!(stays.is_worse_than(&passes) && !passes.is_worse_than(&stays) && !stays.is_worse_than(&stays));
    }
}
