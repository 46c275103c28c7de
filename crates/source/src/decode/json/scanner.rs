//! A cursor over the bytes of a page: the grammar of RFC 8259, and nothing else.
//!
//! It checks everything that it passes, also what is skipped, so a page that was walked to its end
//! is valid JSON. It never allocates on the way and never recurses deeper than its limit.

use crate::decode::error::{DecodeError, END_OF_BODY, PageResult, Position};
use crate::decode::json::text::{Text, escape_length, find_special};

/// No page may be nested deeper than this, whatever the limit says: the scanner recurses, and
/// stacks end.
pub(crate) const DEPTH_CEILING: u32 = 1_024;

/// A cursor over a page.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    position: usize,
    depth: u32,
    depth_max: u32,
}

/// A place to come back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bookmark {
    position: usize,
    depth: u32,
}

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberText<'a> {
    pub(crate) text: &'a str,
    /// Whether it has neither a fraction nor an exponent.
    pub(crate) is_integer: bool,
}

/// What a value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    Object,
    Array,
}

impl<'a> Scanner<'a> {
    /// Returns a cursor at the first value of `page`. A byte order mark is passed over.
    ///
    /// # Errors
    /// When the page is empty, is HTML, or is not UTF-8.
    pub(crate) fn new(page: &'a [u8], depth_max: u32) -> PageResult<Self> {
        let start = if page.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let first = page.get(start..).unwrap_or_default().iter().find(|byte| !is_whitespace(**byte));
        match first {
            None => return Err(Box::new(DecodeError::Empty)),
            Some(b'<') => {
                let start: String = String::from_utf8_lossy(page).trim_start().chars().take(40).collect();
                return Err(Box::new(DecodeError::NotJson { start }));
            }
            Some(_) => {}
        }
        let Ok(text) = simdutf8::basic::from_utf8(page) else { return not_utf8(page) };
        let depth_max = depth_max.min(DEPTH_CEILING);
        let mut scanner = Self { text, bytes: page, position: start, depth: 0, depth_max };
        scanner.skip_whitespace();
        Ok(scanner)
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn bookmark(&self) -> Bookmark {
        Bookmark { position: self.position, depth: self.depth }
    }

    pub(crate) fn return_to(&mut self, bookmark: Bookmark) {
        self.position = bookmark.position;
        self.depth = bookmark.depth;
    }

    /// Returns the text from `start` to the cursor, without the whitespace around it.
    pub(crate) fn text_from(&self, start: Bookmark) -> &'a str {
        self.text_since(start.position).trim_ascii()
    }

    /// Returns the text from `start` to the cursor. Both are at the edge of a token.
    pub(crate) fn text_since(&self, start: usize) -> &'a str {
        self.text.get(start..self.position).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// Returns the bytes from the cursor on.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// Moves over `length` bytes that the caller has looked at.
    #[inline]
    pub(crate) fn advance(&mut self, length: usize) {
        self.position += length;
    }

    #[inline]
    pub(crate) fn skip_whitespace(&mut self) {
        // Every other valid byte between tokens is greater than a space.
        if self.peek().is_some_and(|byte| byte <= b' ') {
            let rest = self.rest();
            self.position += rest.iter().position(|byte| !is_whitespace(*byte)).unwrap_or(rest.len());
        }
    }

    /// Checks that nothing follows the document.
    pub(crate) fn end(&mut self) -> PageResult<()> {
        self.skip_whitespace();
        if self.position == self.bytes.len() { Ok(()) } else { self.fail("the end of the body") }
    }

    /// Returns what the value at the cursor is.
    pub(crate) fn kind(&self) -> PageResult<Kind> {
        match self.peek() {
            Some(b'n') => Ok(Kind::Null),
            Some(b't' | b'f') => Ok(Kind::Boolean),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b'"') => Ok(Kind::Text),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            _ => self.fail("a value"),
        }
    }

    /// Enters the object at the cursor. Whether it has a member; the cursor is then at its key.
    #[inline]
    pub(crate) fn enter_object(&mut self) -> PageResult<bool> {
        self.enter(b'}')
    }

    /// Goes on after a member's value. Whether there is another member; the cursor is then at its
    /// key.
    #[inline]
    pub(crate) fn next_member(&mut self) -> PageResult<bool> {
        // As machines write it, without space.
        if let Some([b',', b'"']) = self.rest().first_chunk() {
            self.position += 1;
            return Ok(true);
        }
        self.next(b'}', "',' or '}'")
    }

    /// Enters the array at the cursor. Whether it has an element; the cursor is then there.
    #[inline]
    pub(crate) fn enter_array(&mut self) -> PageResult<bool> {
        self.enter(b']')
    }

    /// Goes on after an element. Whether there is another; the cursor is then there.
    #[inline]
    pub(crate) fn next_element(&mut self) -> PageResult<bool> {
        self.next(b']', "',' or ']'")
    }

    #[inline]
    fn enter(&mut self, close: u8) -> PageResult<bool> {
        if self.depth >= self.depth_max {
            return self.too_deep();
        }
        self.position += 1;
        self.skip_whitespace();
        if self.peek() == Some(close) {
            self.position += 1;
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    #[inline]
    fn next(&mut self, close: u8, expected: &'static str) -> PageResult<bool> {
        self.skip_whitespace();
        match self.peek() {
            Some(b',') => {
                self.position += 1;
                self.skip_whitespace();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.position += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => self.fail(expected),
        }
    }

    /// Returns the key at the cursor; the cursor is then at its value.
    #[inline]
    pub(crate) fn key(&mut self) -> PageResult<Text<'a>> {
        if self.peek() != Some(b'"') {
            return self.fail("a key in double quotes");
        }
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    /// Passes the key at the cursor; the cursor is then at its value.
    fn pass_key(&mut self) -> PageResult<()> {
        if self.peek() != Some(b'"') {
            return self.fail("a key in double quotes");
        }
        self.pass_string()?;
        self.colon()
    }

    /// Passes the colon after a key; the cursor is then at the value.
    #[inline]
    pub(crate) fn colon(&mut self) -> PageResult<()> {
        if let Some([b':', b'!'..=u8::MAX]) = self.rest().first_chunk() {
            self.position += 1;
            return Ok(());
        }
        self.spaced_colon()
    }

    fn spaced_colon(&mut self) -> PageResult<()> {
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return self.fail("':'");
        }
        self.position += 1;
        self.skip_whitespace();
        Ok(())
    }

    /// Returns the string whose opening quote is at the cursor.
    #[inline]
    pub(crate) fn string(&mut self) -> PageResult<Text<'a>> {
        let start = self.position + 1;
        let escaped = self.pass_string()?;
        let raw = self.text.get(start..self.position - 1).unwrap_or_default();
        Ok(Text { raw, escaped })
    }

    /// Passes the string whose opening quote is at the cursor. Whether it has an escape.
    fn pass_string(&mut self) -> PageResult<bool> {
        let mut escaped = false;
        self.position += 1;
        loop {
            self.position += find_special(self.rest());
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    match escape_length(self.rest()) {
                        Ok(length) => self.position += length,
                        Err(wrong_at) => {
                            self.position += wrong_at;
                            return self.fail("an escape sequence");
                        }
                    }
                }
                Some(_) => return self.fail("a character of a string (control characters must be escaped)"),
                None => return self.fail("'\"'"),
            }
        }
    }

    /// Returns the number at the cursor.
    #[inline]
    pub(crate) fn number(&mut self) -> PageResult<NumberText<'a>> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        match self.peek() {
            Some(b'0') => self.position += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fail("a digit"),
        }
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.position += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            self.position += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.position += 1;
            }
            self.some_digits()?;
        }
        Ok(NumberText { text: self.text_since(start), is_integer })
    }

    #[inline]
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.position += 1;
        }
    }

    fn some_digits(&mut self) -> PageResult<()> {
        match self.peek() {
            Some(b'0'..=b'9') => {
                self.digits();
                Ok(())
            }
            _ => self.fail("a digit"),
        }
    }

    /// Passes `null`, `true` or `false`.
    #[inline]
    pub(crate) fn literal(&mut self, literal: &'static str) -> PageResult<()> {
        if self.rest().starts_with(literal.as_bytes()) {
            self.position += literal.len();
            return Ok(());
        }
        let same = self.rest().iter().zip(literal.as_bytes()).take_while(|(found, expected)| found == expected).count();
        self.position += same;
        self.fail(literal)
    }

    /// Passes the value at the cursor and checks it.
    pub(crate) fn skip_value(&mut self) -> PageResult<()> {
        match self.peek() {
            Some(b'"') => self.pass_string().map(drop),
            Some(b'{') => {
                let mut more = self.enter_object()?;
                while more {
                    self.pass_key()?;
                    self.skip_value()?;
                    more = self.next_member()?;
                }
                Ok(())
            }
            Some(b'[') => self.skip_elements().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.fail("a value"),
        }
    }

    /// Returns whether the value at the cursor is null, or a list or an object in which nothing
    /// else is. Stays where it is; what is no JSON will be found when it is passed.
    pub(crate) fn holds_nothing(&mut self) -> bool {
        let here = self.bookmark();
        let holds_nothing = self.pass_nothing().unwrap_or(false);
        self.return_to(here);
        holds_nothing
    }

    fn pass_nothing(&mut self) -> PageResult<bool> {
        match self.peek() {
            Some(b'n') => self.literal("null").map(|()| true),
            Some(b'[') => {
                let mut more = self.enter_array()?;
                while more {
                    if !self.pass_nothing()? {
                        return Ok(false);
                    }
                    more = self.next_element()?;
                }
                Ok(true)
            }
            Some(b'{') => {
                let mut more = self.enter_object()?;
                while more {
                    self.pass_key()?;
                    if !self.pass_nothing()? {
                        return Ok(false);
                    }
                    more = self.next_member()?;
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Passes the array at the cursor, checks it and counts its elements.
    pub(crate) fn skip_elements(&mut self) -> PageResult<usize> {
        let mut elements = 0;
        let mut more = self.enter_array()?;
        while more {
            self.skip_value()?;
            elements += 1;
            more = self.next_element()?;
        }
        Ok(elements)
    }

    /// Passes the value at the cursor and gives its text.
    pub(crate) fn value_text(&mut self) -> PageResult<&'a str> {
        let start = self.position;
        self.skip_value()?;
        Ok(self.text_since(start))
    }

    /// Fails with a syntax error at the cursor.
    #[cold]
    pub(crate) fn fail<T>(&self, expected: &'static str) -> PageResult<T> {
        let found = match self.text.get(self.position..).and_then(|rest| rest.chars().next()) {
            Some(character) if character.is_control() => {
                format!("the control character U+{:04X}", u32::from(character))
            }
            Some(character) => format!("{character:?}"),
            None => END_OF_BODY.to_owned(),
        };
        let position = Position::of(self.bytes, self.position);
        Err(Box::new(DecodeError::Syntax { position, expected, found }))
    }

    #[cold]
    fn too_deep<T>(&self) -> PageResult<T> {
        let position = Position::of(self.bytes, self.position);
        Err(Box::new(DecodeError::TooDeep { position, depth_max: self.depth_max }))
    }
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cold]
fn not_utf8<T>(page: &[u8]) -> PageResult<T> {
    let offset = std::str::from_utf8(page).err().map_or(0, |error| error.valid_up_to());
    Err(Box::new(DecodeError::NotUtf8 { position: Position::of(page, offset) }))
}

#[cfg(test)]
mod tests;
