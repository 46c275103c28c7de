//! Whether a listing goes in a circle. Pure.
//!
//! An API that does not know the paging parameters answers every request with its first page.
//! Counting alone cannot tell: as many records come as the total promises, but they are the same
//! ones. Tokens cannot tell either: some APIs give a new one with the same records for ever. So the
//! records of pages are compared.

use twox_hash::XxHash3_128;

use crate::paginate::{Content, PageMeta};

/// The pages of a listing, as far as they came.
#[derive(Debug, Default)]
pub(crate) struct Repetition {
    /// Records have keys, so that two equal pages hold the same records.
    has_keys: bool,
    last_body: Option<u128>,
    is_same_body: bool,
    last: Option<u128>,
    /// Pages in a row whose records were those of the page before.
    repeated: u32,
    had_equal_pages: bool,
    /// Brent (1980): a page that came before, kept while `until` doubles, so that any circle is
    /// found after at most three times its length.
    landmark: Option<u128>,
    since: u64,
    until: u64,
}

/// Equal pages in a row that can no longer be an accident, where nothing tells their records apart.
const EQUAL_PAGES_MAX: u32 = 3;

impl Repetition {
    /// Begins a count; `has_keys` says that no two records of the listing are equal.
    pub(crate) fn new(has_keys: bool) -> Self {
        Self { has_keys, until: 1, ..Self::default() }
    }

    /// Takes note of a page's body.
    pub(crate) fn came(&mut self, body: &[u8]) {
        let hash = XxHash3_128::oneshot(body);
        self.is_same_body = self.last_body == Some(hash);
        self.last_body = Some(hash);
    }

    /// Returns whether the last page is, byte for byte, the one before it once more.
    pub(crate) fn is_repeated(&self) -> bool {
        self.is_same_body
    }

    /// Returns whether pages in a row held the same records.
    pub(crate) fn had_equal_pages(&self) -> bool {
        self.had_equal_pages
    }

    /// Takes note of what the last page held. Returns whether it shows that the listing goes in a
    /// circle.
    pub(crate) fn is_stuck(&mut self, page: &PageMeta) -> bool {
        // Empty pages are all alike.
        let Some(Content { hash, is_varied }) = page.content.filter(|_| page.records > 0) else { return false };
        self.repeated = if self.last == Some(hash) { self.repeated.saturating_add(1) } else { 0 };
        self.last = Some(hash);
        self.had_equal_pages |= self.repeated > 0;
        // Pages of one record, over and over, may be what the API has, where records have no keys.
        let is_telling = self.has_keys || is_varied;
        let repeated_max = if is_telling { 0 } else { EQUAL_PAGES_MAX - 1 };
        let is_circle = self.has_keys && self.landmark == Some(hash);
        self.since += 1;
        if self.since >= self.until {
            self.landmark = Some(hash);
            self.since = 0;
            self.until = self.until.saturating_mul(2);
        }
        is_circle || self.repeated > repeated_max
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(content: u128, records: u64) -> PageMeta {
        // As the decoder has it: one record is not varied.
        let content = Content { hash: content, is_varied: records > 1 };
        PageMeta { records, content: Some(content), ..PageMeta::default() }
    }

    fn stuck_at(has_keys: bool, pages: &[(u128, u64)]) -> (Option<usize>, bool) {
        let mut repetition = Repetition::new(has_keys);
        let stuck = pages.iter().position(|(content, records)| repetition.is_stuck(&page(*content, *records)));
        (stuck, repetition.had_equal_pages())
    }

    #[test]
    fn equal_pages_in_a_row_are_a_circle() {
        for (has_keys, pages, stuck, had_equal_pages) in [
            (true, &[(1, 1), (2, 1), (3, 1)][..], None, false),
            (true, &[(1, 1), (1, 1)], Some(1), true),
            (true, &[(0, 0), (0, 0), (0, 0)], None, false),
            (true, &[(1, 2), (0, 0), (1, 2)], Some(2), true),
            (true, &[(1, 1), (2, 1), (3, 1), (2, 1), (3, 1)], Some(4), false),
            (false, &[(1, 2), (1, 2)], Some(1), true),
            (false, &[(1, 1), (1, 1), (1, 1), (2, 1), (1, 1)], None, true),
            (false, &[(1, 1), (1, 1), (1, 1), (1, 1)], Some(3), true),
            (false, &[(1, 2), (2, 2), (1, 2), (2, 2)], None, false),
        ] {
            assert_eq!(stuck_at(has_keys, pages), (stuck, had_equal_pages), "{has_keys} {pages:?}");
        }
    }

    #[test]
    fn bodies_are_compared_with_the_one_before() {
        let mut repetition = Repetition::new(true);
        let seen: Vec<bool> = ["a", "b", "b", "a"]
            .iter()
            .map(|body| {
                repetition.came(body.as_bytes());
                repetition.is_repeated()
            })
            .collect();
        assert_eq!(seen, [false, false, true, false]);
    }

    proptest! {
        /// Wherever a listing of records with keys enters a circle, it is noticed before it has
        /// gone round three times.
        #[test]
        fn every_circle_is_found(tail in 0_u64..60, circle in 1_u64..60) {
            let mut repetition = Repetition::new(true);
            let pages = 3 * (tail + circle) + 3;
            let stuck = (0..pages).find(|number| {
                let content = if *number < tail { *number } else { tail + (number - tail) % circle };
                repetition.is_stuck(&page(u128::from(content), 1))
            });
            prop_assert!(stuck.is_some_and(|number| number >= tail + circle));
        }

        #[test]
        fn pages_that_differ_are_none(pages in 1_u64..300, has_keys in any::<bool>(), records in 1_u64..3) {
            let mut repetition = Repetition::new(has_keys);
            for number in 0..pages {
                prop_assert!(!repetition.is_stuck(&page(u128::from(number), records)));
            }
        }
    }
}
