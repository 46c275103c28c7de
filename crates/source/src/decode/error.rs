//! Why a page could not be decoded. Nothing of such a page is kept.

use std::fmt;

use arrow::error::ArrowError;

use lakefeed_model::error::Error;
use lakefeed_model::spec::JsonPath;

/// The result of everything that can fail a whole page. Boxed, so that the happy path moves one
/// word.
pub(super) type PageResult<T> = Result<T, Box<DecodeError>>;

/// A place in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it.
    pub offset: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
}

/// Why a page could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body has no content.
    #[error("the body is empty")]
    Empty,
    /// The body is HTML or XML.
    #[error("the body is not JSON; it starts with {start:?}")]
    NotJson {
        /// The body's first characters.
        start: String,
    },
    /// The body is not UTF-8.
    #[error("the body is not valid UTF-8 at {position}")]
    NotUtf8 {
        /// The first byte that is wrong.
        position: Position,
    },
    /// The body breaks RFC 8259.
    #[error("the body is not valid JSON: expected {expected}, found {found} at {position}")]
    Syntax {
        /// Where.
        position: Position,
        /// What would have been valid there.
        expected: &'static str,
        /// What was there.
        found: String,
    },
    /// The body is nested deeper than the limit.
    #[error("the body is nested deeper than {depth_max} levels at {position}")]
    TooDeep {
        /// Where the limit was passed.
        position: Position,
        /// The limit.
        depth_max: u32,
    },
    /// The page lacks what the selector names.
    #[error("the selector {path} was not found in the page: {place} has {found}")]
    SelectorMissing {
        /// The selector.
        path: JsonPath,
        /// How far it was found.
        place: JsonPath,
        /// What is there instead, in words.
        found: String,
        /// The keys that are there.
        keys: Vec<String>,
        /// The one of them that is most like the missing one.
        nearest: Option<String>,
        /// Whether the selector was detected on the first page, not configured.
        detected: bool,
    },
    /// The selector names something that holds no records.
    #[error("the selector {path} names {found}, not an array or an object")]
    SelectorNotRecords {
        /// The selector.
        path: JsonPath,
        /// What is there.
        found: String,
        /// Whether the selector was detected on the first page, not configured.
        detected: bool,
    },
    /// The body is no table of separated values.
    #[error("line {line} of the body cannot be read: {message}")]
    Delimited {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
    /// A record does not fit a schema that must not change.
    #[error("record {position} has {path}: {reason}")]
    Frozen {
        /// The record's place within its page, from 0.
        position: u64,
        /// Where in it, as a JSON path.
        path: String,
        /// What was found and what was expected.
        reason: String,
        /// Whether it is a field that the schema does not have.
        is_unknown: bool,
    },
    /// A value does not fit, and its field is to fail the run then.
    #[error("a record does not fit at {path}: {reason}")]
    Refused {
        /// Where, as a JSON path from the record's root.
        path: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// The gate failed the page.
    #[error("{0}")]
    Gate(Error),
    /// One batch cannot hold so much.
    #[error("more than 2 GiB of values are buffered in one column")]
    BatchFull,
    /// The buffers did not form a batch.
    #[error("the decoded columns do not form a batch")]
    Batch(#[from] ArrowError),
}

impl DecodeError {
    /// Returns the error as the operator should see it, for the page at `place`.
    pub fn into_error(self, place: &str, content_type: Option<&str>) -> Error {
        if let Self::Gate(error) = self {
            return error.at(place);
        }
        let hints = self.hints(content_type);
        let error = match &self {
            Self::Frozen { .. } | Self::Refused { .. } => Error::schema(self.to_string()),
            Self::Batch(_) => Error::defect(self.to_string()),
            // An error page with status 200, and an answer that was cut, may pass.
            Self::Empty | Self::NotJson { .. } => Error::source_failed(self.to_string()),
            Self::Syntax { found, .. } if found == END_OF_BODY => Error::source_failed(self.to_string()),
            _ => Error::source_unreadable(self.to_string()),
        };
        let error = error.at(place);
        let error = match self {
            Self::Batch(cause) => error.with_source(cause),
            Self::Empty
            | Self::NotJson { .. }
            | Self::NotUtf8 { .. }
            | Self::Syntax { .. }
            | Self::TooDeep { .. }
            | Self::SelectorMissing { .. }
            | Self::SelectorNotRecords { .. }
            | Self::Delimited { .. }
            | Self::Frozen { .. }
            | Self::Refused { .. }
            | Self::Gate(_)
            | Self::BatchFull => error,
        };
        hints.into_iter().fold(error, Error::with_hint)
    }

    fn hints(&self, content_type: Option<&str>) -> Vec<String> {
        let content_type = content_type.unwrap_or("not stated");
        match self {
            Self::Empty => vec![format!(
                "check endpoint.path and endpoint.method: the API answered without a page (content type: {content_type})"
            )],
            Self::NotJson { .. } => vec![format!(
                "the API answered HTML or XML (content type: {content_type}); check client.base_url, endpoint.path and the \
                 credentials: such an answer often is a sign-in or an error page"
            )],
            Self::NotUtf8 { .. } => {
                vec![format!("JSON must be UTF-8 (content type: {content_type}); ask the API for another encoding")]
            }
            Self::Syntax { found, .. } if found == END_OF_BODY => {
                vec!["the body ends too early: it was cut, or the API broke off; try again".to_owned()]
            }
            Self::Syntax { .. } => {
                vec![format!("the API must answer JSON (content type: {content_type}); check endpoint.path")]
            }
            Self::TooDeep { .. } => {
                vec!["raise limits.nesting_depth_max if the API really nests its answers so deeply".to_owned()]
            }
            Self::SelectorMissing { keys, nearest, detected, .. } => {
                selector_hints(keys, nearest.as_deref(), *detected)
            }
            Self::SelectorNotRecords { .. } => {
                vec!["set endpoint.data_selector to the path of the array that holds the records".to_owned()]
            }
            Self::Delimited { .. } => vec![format!(
                "a page of separated values begins with the names of its columns (content type: {content_type}); check endpoint.record_format"
            )],
            Self::Frozen { is_unknown: true, .. } => vec![
                "schema_contract.columns is freeze; evolve adds the field, discard_value leaves it out, discard_row puts its record aside".to_owned(),
            ],
            Self::Frozen { .. } => vec![
                "schema_contract.data_type is freeze; evolve widens the column where nothing is lost, discard_value makes the value null, discard_row puts its record aside".to_owned(),
            ],
            Self::Refused { .. } => vec![
                "the field's on_error is fail: give it another type, or on_error reject or null, and load again"
                    .to_owned(),
            ],
            Self::BatchFull => vec!["lower limits.batch_rows or endpoint.paginator.limit".to_owned()],
            Self::Gate(error) => error.hints().to_vec(),
            Self::Batch(_) => Vec::new(),
        }
    }
}

fn selector_hints(keys: &[String], nearest: Option<&str>, detected: bool) -> Vec<String> {
    let mut hints = Vec::new();
    if detected {
        hints.push("the selector was detected on the first page; set endpoint.data_selector to fix it".to_owned());
    }
    if let Some(nearest) = nearest {
        hints.push(format!("did you mean {nearest}?"));
    }
    if !keys.is_empty() {
        hints.push(format!("set endpoint.data_selector to the path of the records; there is: {}", keys.join(", ")));
    } else if !detected {
        hints.push("set endpoint.data_selector to the path of the array that holds the records".to_owned());
    }
    hints
}

/// What is found where the body ends too early.
pub(super) const END_OF_BODY: &str = "the end of the body";

impl Position {
    /// Returns the place after `offset` bytes of `page`.
    pub(super) fn of(page: &[u8], offset: usize) -> Self {
        let before = page.get(..offset).unwrap_or(page);
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.split(|byte| *byte == b'\n').count();
        let last_line = before.get(line_start..).unwrap_or_default();
        // Continuation bytes of UTF-8 do not start a character.
        let column = 1 + last_line.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        Self { offset, line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {} (byte {})", self.line, self.column, self.offset)
    }
}
