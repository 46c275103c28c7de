//! JSON strings: where they end, and what they mean.

use std::borrow::Cow;

use wide::u8x16;

/// A checked string as it is written between its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a str,
    /// Whether `raw` holds an escape.
    pub(crate) escaped: bool,
}

/// An escaped half of a surrogate pair that stands alone: no Unicode text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoneSurrogate;

impl<'a> Text<'a> {
    /// Appends what the string means to `target`. On an error, `target` holds a part of it.
    #[inline]
    pub(crate) fn append_to(self, target: &mut String) -> Result<(), LoneSurrogate> {
        if self.escaped {
            unescape(self.raw, target)
        } else {
            target.push_str(self.raw);
            Ok(())
        }
    }

    /// Returns what the string means.
    pub(crate) fn decoded(self) -> Result<Cow<'a, str>, LoneSurrogate> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut text = String::with_capacity(self.raw.len());
        unescape(self.raw, &mut text)?;
        Ok(Cow::Owned(text))
    }
}

/// Returns the number of bytes before the first quote, backslash or control character; all of them
/// when there is none.
#[inline]
pub(crate) fn find_special(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<16>() {
        let hits = special_bytes(*chunk);
        if hits != 0 {
            return bytes.len() - rest.len() + hits.trailing_zeros() as usize;
        }
        rest = after;
    }
    bytes.len() - rest.len() + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

/// Returns a bit for each byte that is special, the lowest for the first one.
#[inline]
fn special_bytes(chunk: [u8; 16]) -> u32 {
    let bytes = u8x16::new(chunk);
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    let controls = bytes.min(u8x16::splat(0x1F)).simd_eq(bytes);
    (quotes | backslashes | controls).to_bitmask()
}

fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// Returns the length of the escape at the start of `bytes`, or where it goes wrong.
pub(crate) fn escape_length(bytes: &[u8]) -> Result<usize, usize> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            let digits = bytes.iter().skip(2).take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
            if digits == 4 { Ok(6) } else { Err(2 + digits) }
        }
        _ => Err(1),
    }
}

/// Appends the meaning of `raw`, whose escapes were checked by [`escape_length`].
fn unescape(raw: &str, target: &mut String) -> Result<(), LoneSurrogate> {
    let mut rest = raw;
    while let Some((plain, after)) = rest.split_once('\\') {
        target.push_str(plain);
        let mut characters = after.chars();
        let character = match characters.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, remaining) = unescape_unicode(characters.as_str())?;
                target.push(character);
                rest = remaining;
                continue;
            }
            Some(itself) => itself,
            None => return Ok(()),
        };
        target.push(character);
        rest = characters.as_str();
    }
    target.push_str(rest);
    Ok(())
}

/// Returns the character whose four digits `text` starts with, or eight of them as a surrogate
/// pair, and what follows.
fn unescape_unicode(text: &str) -> Result<(char, &str), LoneSurrogate> {
    let (first, rest) = hex_unit(text).ok_or(LoneSurrogate)?;
    if !(0xD800..0xE000).contains(&first) {
        return char::from_u32(first).map(|character| (character, rest)).ok_or(LoneSurrogate);
    }
    let second = rest.strip_prefix("\\u").and_then(hex_unit);
    match second {
        Some((low, rest)) if first < 0xDC00 && (0xDC00..0xE000).contains(&low) => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            char::from_u32(code).map(|character| (character, rest)).ok_or(LoneSurrogate)
        }
        _ => Err(LoneSurrogate),
    }
}

fn hex_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_mean_what_rfc_8259_says() {
        for (raw, expected) in [
            ("plain", Some("plain")),
            (r#"\"\\\/\b\f\n\r\t"#, Some("\"\\/\u{8}\u{c}\n\r\t")),
            (r"a\u0041\u00e9\u20ACz", Some("aAé€z")),
            (r"\ud83d\ude00!", Some("😀!")),
            (r"\uD83D\uDE00\ud83d\ude00", Some("😀😀")),
            (r"\u0000", Some("\0")),
            (r"\ud83d", None),
            (r"\ude00", None),
            (r"\ud83d\ud83d", None),
            (r"\ud83dx", None),
            (r"\ud83d\n", None),
        ] {
            let text = Text { raw, escaped: true };
            assert_eq!(text.decoded().ok().as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn an_escape_that_is_wrong_is_pointed_at() {
        for (bytes, expected) in [
            (r"\n", Ok(2)),
            (r"\u12aF", Ok(6)),
            (r"\x", Err(1)),
            (r"\", Err(1)),
            (r"\u12g4", Err(4)),
            (r"\u12", Err(4)),
            (r"\U1234", Err(1)),
        ] {
            assert_eq!(escape_length(bytes.as_bytes()), expected, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn the_first_special_byte_is_found(bytes in prop::collection::vec(prop_oneof![8 => any::<u8>(), 1 => Just(b'"')], 0..40)) {
            let expected = bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len());
            prop_assert_eq!(find_special(&bytes), expected);
        }
    }
}
