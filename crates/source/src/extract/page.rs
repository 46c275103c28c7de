//! A page of an API as it came.

use std::fmt;

use bytes::Bytes;

/// A page as it came.
#[derive(Clone)]
pub struct Page {
    /// Its number within the listing, from 0.
    pub number: u64,
    /// Its body, decompressed.
    pub body: Bytes,
    /// Its request's method and redacted URL.
    pub place: String,
    /// What the API says that the body is.
    pub content_type: Option<String>,
    /// Whether a run that was stopped had it already.
    pub is_kept: bool,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("number", &self.number)
            .field("place", &self.place)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .field("is_kept", &self.is_kept)
            .finish()
    }
}
