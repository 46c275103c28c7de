//! A page of an API as it came.

use std::fmt;

use bytes::Bytes;

use crate::paginate::Questions;
use crate::spec::RecordFormat;

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
    /// How its body holds the records: as the pipeline file says, or as the API does.
    pub format: RecordFormat,
    /// What [`Listing::accept`](super::Listing::accept) wants to know of it.
    pub questions: Questions,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a page comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The API answered it to this run, and to none before.
    Fetched,
    /// A run that was stopped had it already.
    Cached,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("number", &self.number)
            .field("place", &self.place)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .field("format", &self.format)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
