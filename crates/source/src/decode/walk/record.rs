//! A record before it is typed, and who may decide about it.

use std::borrow::Cow;

use lakefeed_model::error::Error;
use lakefeed_model::reject::RejectCode;
use lakefeed_model::spec::JsonPath;
use lakefeed_model::spec::json_path::Segment;

use crate::decode::json::members::{each_member, element};

/// Keys that a message names.
const KEYS_SHOWN_MAX: usize = 20;

/// One record as it came (valid JSON, usually an object), before it is typed.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// Its own text.
    own: &'a str,
    /// An object whose members it has behind its own; empty for none.
    more: &'a str,
}

/// What becomes of a record.
#[derive(Debug, Clone)]
pub enum Admission {
    /// It is typed as it came.
    Keep,
    /// It is no row.
    Drop,
    /// This JSON text is typed instead.
    Rewrite(String),
    /// It deletes the row of its key; this JSON text has the key, and what else is to be known of
    /// it. Columns that it lacks may be null, whatever the schema says.
    Delete(String),
    /// It goes to the rejects.
    Refuse {
        /// The kind of reason.
        code: RejectCode,
        /// Where, as a JSON path from the record's root.
        path: String,
        /// The reason in words.
        reason: String,
    },
}

/// Sees each record before it is typed.
pub trait RecordGate: std::fmt::Debug + Send {
    /// Decides about one record. An error fails the page.
    ///
    /// # Errors
    /// When the listing cannot go on.
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission, Error>;
}

impl<'a> RawRecord<'a> {
    /// Returns a record of `text`, which is valid JSON.
    pub fn new(text: &'a str) -> Self {
        Self { own: text, more: "" }
    }

    /// Returns a record that has the members of `more` behind its own, which is an object or empty.
    pub fn with_members(text: &'a str, more: &'a str) -> Self {
        Self { own: text, more: if text.starts_with('{') { more } else { "" } }
    }

    /// Returns the record as it is written, and what it has behind that.
    pub fn text(&self) -> Cow<'a, str> {
        let more = self.more.strip_prefix('{').filter(|more| *more != "}");
        let (Some(more), Some(own)) = (more, self.own.trim_end().strip_suffix('}')) else { return self.own.into() };
        let own = own.trim_end();
        let comma = if own.ends_with('{') { "" } else { "," };
        [own, comma, more].concat().into()
    }

    /// Returns the raw JSON text of the value at `path`, of keys and indexes; of a key that comes
    /// twice the last one.
    pub fn find(&self, path: &JsonPath) -> Option<&'a str> {
        find(self.own, self.more, path.segments())
    }

    /// Returns every member of the record: its key and its raw JSON text.
    pub fn members(&self) -> Vec<(String, &'a str)> {
        let mut members = Vec::new();
        for text in [self.own, self.more] {
            each_member(text, &mut |key, value| {
                members.push((key.to_owned(), value));
                true
            });
        }
        members
    }

    /// Returns the keys of the record, for messages; the first few.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for text in [self.own, self.more] {
            each_member(text, &mut |key, _| {
                keys.push(key.to_owned());
                keys.len() < KEYS_SHOWN_MAX
            });
        }
        keys.truncate(KEYS_SHOWN_MAX);
        keys
    }
}

/// Returns the value at `path` in `text`, where an object has the members of `more` behind its own.
fn find<'a>(text: &'a str, more: &'a str, path: &[Segment]) -> Option<&'a str> {
    let Some((segment, rest)) = path.split_first() else { return Some(text) };
    let mut found = None;
    match segment {
        Segment::Key(name) => {
            for text in [text, more] {
                each_member(text, &mut |key, value| {
                    if key == name {
                        found = Some(value);
                    }
                    true
                });
            }
        }
        Segment::Index(index) => found = element(text, |_| Some(*index)),
        Segment::FromEnd(index) => found = element(text, |length| length.checked_sub(*index)),
        Segment::Wildcard => {}
    }
    find(found?, "", rest)
}
