//! What is wrong with a schema file, and where.

use std::fmt;

/// Something in a schema file that cannot become a column, and where: a JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaProblem {
    /// The JSON pointer, with `#` in front.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl SchemaProblem {
    pub(crate) fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
