//! A record before it is typed, and who may decide about it.

use crate::error::Error;
use crate::reject::RejectCode;
use crate::spec::JsonPath;
use crate::spec::json_path::Segment;

use super::scanner::{Kind, Scanner};

/// Keys that a message names.
const KEYS_SHOWN_MAX: usize = 20;

/// One record as it came (valid JSON, usually an object), before it is typed.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    text: &'a str,
}

/// What becomes of a record.
#[derive(Debug)]
pub enum Admission {
    /// It is typed as it came.
    Keep,
    /// It is no row.
    Drop,
    /// This JSON text is typed instead.
    Rewrite(String),
    /// It deletes the row of its key; this JSON text has the key, and what else is to be known of it. Columns that it lacks may be
    /// null, whatever the schema says.
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
    /// A record of `text`, which is valid JSON.
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The record as it is written.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The raw JSON text of the value at `path`, of keys and indexes; of a key that comes twice the last one.
    pub fn find(&self, path: &JsonPath) -> Option<&'a str> {
        find(self.text, path.segments())
    }

    /// Every member of the record: its key and its raw JSON text.
    pub fn members(&self) -> Vec<(String, &'a str)> {
        let mut members = Vec::new();
        each_member(self.text, &mut |key, value| {
            members.push((key.to_owned(), value));
            true
        });
        members
    }

    /// The keys of the record, for messages; the first few.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        each_member(self.text, &mut |key, _| {
            keys.push(key.to_owned());
            keys.len() < KEYS_SHOWN_MAX
        });
        keys
    }
}

fn find<'a>(text: &'a str, path: &[Segment]) -> Option<&'a str> {
    let Some((segment, rest)) = path.split_first() else { return Some(text) };
    let mut found = None;
    match segment {
        Segment::Key(name) => each_member(text, &mut |key, value| {
            if key == name {
                found = Some(value);
            }
            true
        }),
        Segment::Index(index) => found = element(text, *index),
        Segment::Wildcard => {}
    }
    find(found?, rest)
}

/// Hands every member of an object to `take`, until it has enough.
fn each_member<'a>(text: &'a str, take: &mut dyn FnMut(&str, &'a str) -> bool) {
    let Ok(mut scanner) = Scanner::new(text.as_bytes(), DEPTH_MAX) else { return };
    if !matches!(scanner.kind(), Ok(Kind::Object)) {
        return;
    }
    let Ok(mut more) = scanner.enter_object() else { return };
    while more {
        let Ok(key) = scanner.key() else { return };
        let Ok(value) = scanner.value_text() else { return };
        if let Ok(key) = key.decoded()
            && !take(&key, value)
        {
            return;
        }
        let Ok(next) = scanner.next_member() else { return };
        more = next;
    }
}

fn element(text: &str, index: usize) -> Option<&str> {
    let mut scanner = Scanner::new(text.as_bytes(), DEPTH_MAX).ok()?;
    if scanner.kind().ok()? != Kind::Array {
        return None;
    }
    let mut more = scanner.enter_array().ok()?;
    let mut position = 0;
    while more {
        let value = scanner.value_text().ok()?;
        if position == index {
            return Some(value);
        }
        position += 1;
        more = scanner.next_element().ok()?;
    }
    None
}

/// The page that held the record was within its own limit.
const DEPTH_MAX: u32 = 1_024;
