//! Whether a listing goes in a circle. Pure.
//!
//! An API that does not know the paging parameters answers every request with its first page. Counting alone cannot tell: as many
//! records come as the total promises, but they are the same ones.

use twox_hash::XxHash3_128;

/// The pages in a row that are the same, as far as they came.
#[derive(Debug, Default)]
pub(super) struct Repetition {
    /// Records have keys, so that two equal pages hold the same records.
    has_keys: bool,
    last: Option<u128>,
    repeated: u32,
}

/// Equal pages in a row that can no longer be an accident, where records have no keys.
const EQUAL_PAGES_MAX: u32 = 3;

impl Repetition {
    /// `has_keys` says that no two records of the listing are equal.
    pub(super) fn new(has_keys: bool) -> Self {
        Self { has_keys, ..Self::default() }
    }

    /// Takes note of a page's body.
    pub(super) fn came(&mut self, body: &[u8]) {
        let hash = XxHash3_128::oneshot(body);
        self.repeated = if self.last == Some(hash) { self.repeated.saturating_add(1) } else { 0 };
        self.last = Some(hash);
    }

    /// Whether the last page is the one before it once more.
    pub(super) fn is_repeated(&self) -> bool {
        self.repeated > 0
    }

    /// Whether the last page, which held `records`, shows that the listing goes in a circle.
    pub(super) fn is_stuck(&self, records: u64) -> bool {
        let repeated_max = if self.has_keys { 0 } else { EQUAL_PAGES_MAX - 1 };
        // Empty pages are all alike.
        records > 0 && self.repeated > repeated_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck_at(has_keys: bool, pages: &[(&str, u64)]) -> Option<usize> {
        let mut repetition = Repetition::new(has_keys);
        pages.iter().position(|(body, records)| {
            repetition.came(body.as_bytes());
            repetition.is_stuck(*records)
        })
    }

    #[test]
    fn equal_pages_in_a_row_are_a_circle() {
        for (has_keys, pages, expected) in [
            (true, &[("a", 1), ("b", 1), ("a", 1)][..], None),
            (true, &[("a", 1), ("a", 1)], Some(1)),
            (true, &[("e", 0), ("e", 0), ("e", 0)], None),
            (false, &[("a", 1), ("a", 1), ("a", 1), ("b", 1), ("a", 1)], None),
            (false, &[("a", 1), ("a", 1), ("a", 1), ("a", 1)], Some(3)),
        ] {
            assert_eq!(stuck_at(has_keys, pages), expected, "{has_keys} {pages:?}");
        }
    }
}
