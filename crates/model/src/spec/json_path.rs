//! Paths into a JSON document: the subset of JSONPath (RFC 9535) that names places.
//!
//! `items`, `data.items`, `$`, `$.data[0].items`, `items[-1].id`, `['@odata.value']`,
//! `data['a.b']`, `pages[*].items`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The greatest index of a path that is written to.
pub const SETTABLE_INDEX_MAX: usize = 1_000;

/// A parsed path. The empty path is the document itself (`$`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPath {
    segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// The member of an object with this name.
    Key(String),
    /// The element of an array at this place, from 0.
    Index(usize),
    /// The element of an array at this place from its end, from 1: the last one is `[-1]`.
    FromEnd(usize),
    /// Every element of an array, or every member's value of an object.
    Wildcard,
}

/// Why a string is not a path, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at character {position} of {text:?}")]
pub struct JsonPathError {
    text: String,
    position: usize,
    reason: &'static str,
}

impl JsonPath {
    /// Returns the document itself.
    pub const fn root() -> Self {
        Self { segments: Vec::new() }
    }

    /// Returns a path of plain object keys.
    pub fn keys<I: IntoIterator<Item = S>, S: Into<String>>(keys: I) -> Self {
        Self { segments: keys.into_iter().map(|key| Segment::Key(key.into())).collect() }
    }

    /// Returns a path of `segments`.
    pub fn of<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self { segments: segments.into_iter().collect() }
    }

    /// Reads a path.
    ///
    /// # Errors
    /// Says what is wrong and at which character (from 0).
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        Parser { text, characters: text.chars().collect(), position: 0 }.path()
    }

    /// Returns the steps from the document's root.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns the path of its first `length` steps.
    #[must_use]
    pub fn prefix(&self, length: usize) -> Self {
        Self { segments: self.segments.iter().take(length).cloned().collect() }
    }

    /// Returns whether the path can name more than one place.
    pub fn has_wildcard(&self) -> bool {
        self.segments.contains(&Segment::Wildcard)
    }

    /// Returns whether the path names one place that can be written to, whatever is there. An index
    /// is [`SETTABLE_INDEX_MAX`] at most: the elements before it are made, too.
    pub fn is_settable(&self) -> bool {
        let is_fixed = |segment: &Segment| match segment {
            Segment::Key(_) => true,
            Segment::Index(index) => *index <= SETTABLE_INDEX_MAX,
            Segment::FromEnd(_) | Segment::Wildcard => false,
        };
        !self.segments.is_empty() && self.segments.iter().all(is_fixed)
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("$");
        }
        for (position, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Key(key) if is_plain(key) && position == 0 => f.write_str(key)?,
                Segment::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Segment::Key(key) => write!(f, "['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::FromEnd(index) => write!(f, "[-{index}]")?,
                Segment::Wildcard => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

impl From<JsonPath> for String {
    fn from(path: JsonPath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for JsonPath {
    type Error = JsonPathError;

    fn try_from(text: String) -> Result<Self, JsonPathError> {
        Self::parse(&text)
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(is_plain_character) && key != "$"
}

fn is_plain_character(character: char) -> bool {
    !character.is_whitespace() && !character.is_control() && !".[]'\"*$\\".contains(character)
}

struct Parser<'a> {
    text: &'a str,
    characters: Vec<char>,
    position: usize,
}

impl Parser<'_> {
    fn path(mut self) -> Result<JsonPath, JsonPathError> {
        let mut segments = Vec::new();
        if self.characters.is_empty() {
            return Err(self.error("a path is empty; write $ for the whole document"));
        }
        let rooted = self.take('$');
        if !rooted && self.peek() != Some('[') {
            segments.push(self.name()?);
        }
        while let Some(character) = self.peek() {
            match character {
                '.' => {
                    self.position += 1;
                    if self.peek() != Some('[') {
                        segments.push(self.name()?);
                    }
                }
                '[' => segments.push(self.bracket()?),
                _ => return Err(self.error("expected '.' or '['")),
            }
        }
        if self.characters.last() == Some(&'.') {
            return Err(self.error("expected a name"));
        }
        Ok(JsonPath { segments })
    }

    fn name(&mut self) -> Result<Segment, JsonPathError> {
        if self.take('*') {
            return Ok(Segment::Wildcard);
        }
        let start = self.position;
        while self.peek().is_some_and(is_plain_character) {
            self.position += 1;
        }
        if self.position == start {
            return Err(self.error(match self.peek() {
                Some('.') => "expected a name; recursive descent (..) is not supported",
                _ => "expected a name",
            }));
        }
        Ok(Segment::Key(self.characters.get(start..self.position).unwrap_or_default().iter().collect()))
    }

    fn bracket(&mut self) -> Result<Segment, JsonPathError> {
        self.position += 1;
        let segment = match self.peek() {
            Some('*') => {
                self.position += 1;
                Segment::Wildcard
            }
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            Some(digit) if digit.is_ascii_digit() => Segment::Index(self.index()?),
            Some('-') => {
                self.position += 1;
                match self.index()? {
                    0 => return Err(self.error("expected a number from 1: the last element is -1")),
                    index => Segment::FromEnd(index),
                }
            }
            _ => return Err(self.error("expected a quoted key, an index or *")),
        };
        if self.take(']') { Ok(segment) } else { Err(self.error("expected ']'")) }
    }

    fn quoted(&mut self, quote: char) -> Result<Segment, JsonPathError> {
        self.position += 1;
        let mut key = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error("the quoted key does not end")),
                Some('\\') => {
                    self.position += 1;
                    let Some(escaped) = self.peek() else { return Err(self.error("the quoted key does not end")) };
                    key.push(escaped);
                }
                Some(character) if character == quote => {
                    self.position += 1;
                    return Ok(Segment::Key(key));
                }
                Some(character) => key.push(character),
            }
            self.position += 1;
        }
    }

    fn index(&mut self) -> Result<usize, JsonPathError> {
        let start = self.position;
        while self.peek().is_some_and(|character| character.is_ascii_digit()) {
            self.position += 1;
        }
        let digits: String = self.characters.get(start..self.position).unwrap_or_default().iter().collect();
        match digits.as_str() {
            "" => Err(self.error("expected a number")),
            digits => digits.parse().map_err(|_| self.error("the index is too large")),
        }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.position += usize::from(found);
        found
    }

    fn error(&self, reason: &'static str) -> JsonPathError {
        JsonPathError { text: self.text.to_owned(), position: self.position, reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Segment {
        Segment::Key(text.to_owned())
    }

    #[test]
    fn paths_are_read_as_segments() {
        for (text, segments) in [
            ("$", vec![]),
            ("items", vec![key("items")]),
            ("$.items", vec![key("items")]),
            ("data.items", vec![key("data"), key("items")]),
            ("$['@odata.value']", vec![key("@odata.value")]),
            ("['it\\'s']", vec![key("it's")]),
            ("data[0].items", vec![key("data"), Segment::Index(0), key("items")]),
            ("pages[*].items", vec![key("pages"), Segment::Wildcard, key("items")]),
            ("pages.*.items", vec![key("pages"), Segment::Wildcard, key("items")]),
            ("@odata", vec![key("@odata")]),
            ("items[-1].id", vec![key("items"), Segment::FromEnd(1), key("id")]),
        ] {
            assert_eq!(JsonPath::parse(text).unwrap().segments(), segments, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_path_is_refused_with_its_place() {
        for (text, position) in [
            ("", 0),
            ("a..b", 2),
            ("a.", 2),
            ("a[", 2),
            ("a['b", 4),
            ("a[b]", 2),
            ("a b", 1),
            ("a[0", 3),
            ("$items", 1),
            ("a[-]", 3),
            ("a[-0]", 4),
        ] {
            let error = JsonPath::parse(text).unwrap_err();
            assert_eq!(error.position, position, "{error}");
        }
    }

    #[test]
    fn a_place_that_can_be_written_to_is_one_and_near() {
        for (text, expected) in [
            ("page.offset", true),
            ("a[1000].b", true),
            ("a[1001]", false),
            ("a[18446744073709551615]", false),
            ("a[-1]", false),
            ("a[*]", false),
            ("$", false),
        ] {
            assert_eq!(JsonPath::parse(text).unwrap().is_settable(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(keys in prop::collection::vec(any::<String>(), 0..5), index in 0_usize..9) {
            let mut segments: Vec<_> = keys.into_iter().map(Segment::Key).collect();
            segments.extend([Segment::Index(index), Segment::FromEnd(index + 1), Segment::Wildcard]);
            let path = JsonPath { segments };
            prop_assert_eq!(JsonPath::parse(&path.to_string()).unwrap(), path);
        }

        #[test]
        fn parse_never_panics(text in any::<String>()) {
            drop(JsonPath::parse(&text));
        }
    }
}
