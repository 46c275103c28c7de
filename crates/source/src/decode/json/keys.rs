//! Which column a key belongs to, by guessing first.
//!
//! Records of one listing nearly always have their keys in one order. So the keys of the last
//! records are kept in the order in which they came, as they are written, and the next key is
//! guessed to be the next of them, or one of the few that follow, because fields may be absent.
//! Only when the guess fails is a key read, unescaped and looked up.

use std::collections::HashMap;

/// The keys of one object type.
#[derive(Debug)]
pub(crate) struct KeyOrder {
    learned: Vec<LearnedKey>,
    columns: HashMap<Box<str>, usize>,
    learned_max: usize,
}

#[derive(Debug)]
struct LearnedKey {
    /// The key as it is written, with its quotes.
    quoted: Box<[u8]>,
    /// The first eight bytes of `quoted`, or all of them, as a number, and which of its bits they
    /// are: most keys are told apart, and short ones found, by one comparison.
    head: u64,
    head_mask: u64,
    /// The last eight bytes of `quoted`, if there are more than eight.
    tail: Option<[u8; 8]>,
    /// Its column; none for a field that the schema does not have.
    column: Option<usize>,
}

/// How many learned keys a guess looks at.
const GUESSES: usize = 6;
/// Keys without a column that are learned.
const UNKNOWN_KEYS_MAX: usize = 64;

impl KeyOrder {
    /// Returns the keys of the columns `names`.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let columns: HashMap<Box<str>, usize> = names.enumerate().map(|(column, name)| (name.into(), column)).collect();
        let learned_max = columns.len() + UNKNOWN_KEYS_MAX;
        Self { learned: Vec::new(), columns, learned_max }
    }

    /// Returns the column of the key that `text` starts with, and the length of the key with its
    /// quotes. The guess starts at `expected`, which is moved behind the key that was found.
    #[inline]
    pub(crate) fn guess(&self, text: &[u8], expected: &mut usize) -> Option<(Option<usize>, usize)> {
        let upcoming = self.learned.get(*expected..)?;
        for (skipped, key) in upcoming.iter().take(GUESSES).enumerate() {
            if key.starts(text) {
                *expected += skipped + 1;
                return Some((key.column, key.quoted.len()));
            }
        }
        None
    }

    /// Returns the column of a key by its meaning.
    pub(crate) fn look_up(&self, key: &str) -> Option<usize> {
        self.columns.get(key).copied()
    }

    /// Learns that a key without escapes came where `expected` was guessed.
    pub(crate) fn learn(&mut self, raw: &str, column: Option<usize>, expected: &mut usize) {
        if let Some(known) = self.learned.iter().position(|key| unquoted(&key.quoted) == raw.as_bytes()) {
            *expected = known + 1;
        } else if self.learned.len() < self.learned_max {
            let place = (*expected).min(self.learned.len());
            self.learned.insert(place, LearnedKey::new(raw, column));
            *expected = place + 1;
        }
    }
}

impl LearnedKey {
    fn new(raw: &str, column: Option<usize>) -> Self {
        let quoted = format!("\"{raw}\"").into_bytes().into_boxed_slice();
        let mut head = [0; 8];
        let mut mask = [0; 8];
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(&quoted) {
            *head = *byte;
            *mask = 0xFF;
        }
        let tail = if quoted.len() > 8 { quoted.last_chunk::<8>().copied() } else { None };
        Self { quoted, tail, head: u64::from_le_bytes(head), head_mask: u64::from_le_bytes(mask), column }
    }

    /// Returns whether `text` starts with the key.
    #[inline]
    fn starts(&self, text: &[u8]) -> bool {
        let Some(head) = text.first_chunk::<8>() else { return text.starts_with(&self.quoted) };
        if u64::from_le_bytes(*head) & self.head_mask != self.head {
            return false;
        }
        match (&self.tail, self.quoted.len()) {
            (None, _) => true,
            (Some(tail), length @ 9..=16) => text.get(length - 8..length) == Some(tail.as_slice()),
            (Some(_), _) => text.starts_with(&self.quoted),
        }
    }
}

/// Returns the key between its quotes.
fn unquoted(quoted: &[u8]) -> &[u8] {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learned_order_is_guessed_and_absent_keys_are_stepped_over() {
        let mut keys = KeyOrder::new(["a", "b", "c"].into_iter());
        let mut expected = 0;
        assert_eq!(keys.guess(b"\"a\":1", &mut expected), None);
        for key in ["b", "x", "a"] {
            keys.learn(key, keys.look_up(key), &mut expected);
        }
        expected = 0;
        assert_eq!(keys.guess(b"\"b\":1", &mut expected), Some((Some(1), 3)));
        assert_eq!(keys.guess(b"\"a\":1", &mut expected), Some((Some(0), 3)));
        assert_eq!(keys.guess(b"\"x\":1", &mut expected), None);
        keys.learn("x", None, &mut expected);
        assert_eq!(expected, 2);
        expected = 0;
        assert_eq!(keys.guess(b"\"x\":1", &mut expected), Some((None, 3)));
        assert_eq!(keys.guess(b"\"ab\":1", &mut expected), None);
    }

    #[test]
    fn what_is_learned_is_bounded() {
        let mut keys = KeyOrder::new(["a"].into_iter());
        for index in 0..10_000 {
            keys.learn(&format!("k{index}"), None, &mut 0);
        }
        assert_eq!(keys.learned.len(), keys.learned_max);
        assert_eq!(keys.look_up("a"), Some(0));
    }
}
