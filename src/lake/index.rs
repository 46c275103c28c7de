//! What a merging run knows of its own rows: where the newest row of each key is staged, and what became of it. Pure.
//!
//! It holds about 56 bytes per distinct key of the run; that is the one part of a run whose memory grows with its rows.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::hash::{Fingerprint, PassThrough};

/// Where a row is: in which staged file, and at which position of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) row: u32,
}

/// What the table has of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing so far.
    Inserted,
    /// An older version, which leaves.
    Updated,
    /// The same row, which stays; the incoming one is dropped.
    Unchanged,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) row: Fingerprint,
    pub(super) place: Place,
    pub(super) fate: Fate,
}

/// The newest row of each key of a run.
#[derive(Debug, Default)]
pub(super) struct KeyIndex {
    entries: HashMap<Fingerprint, Entry, BuildHasherDefault<PassThrough>>,
}

impl KeyIndex {
    /// Takes note of a row. The last arrival wins: the place of the row that it replaces comes back.
    pub(super) fn arrive(&mut self, key: Fingerprint, row: Fingerprint, place: Place) -> Option<Place> {
        self.entries.insert(key, Entry { row, place, fate: Fate::Inserted }).map(|loser| loser.place)
    }

    pub(super) fn contains(&self, key: Fingerprint) -> bool {
        self.entries.contains_key(&key)
    }

    pub(super) fn get_mut(&mut self, key: Fingerprint) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    pub(super) fn keys(&self) -> usize {
        self.entries.len()
    }
}

/// A set of row positions of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct RowSet {
    words: Vec<u64>,
    len: u64,
}

impl RowSet {
    /// Adds a position; whether it was new.
    pub(super) fn insert(&mut self, row: u32) -> bool {
        let (word, bit) = address(row);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(word) = self.words.get_mut(word) else { return false };
        let fresh = *word & bit == 0;
        *word |= bit;
        self.len += u64::from(fresh);
        fresh
    }

    pub(super) fn contains(&self, row: u64) -> bool {
        let Ok(row) = u32::try_from(row) else { return false };
        let (word, bit) = address(row);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

fn address(row: u32) -> (usize, u64) {
    ((row / 64) as usize, 1 << (row % 64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_arrival_wins_and_gives_back_the_place_of_the_loser() {
        let mut index = KeyIndex::default();
        let (first, second) = (Place { file: 0, row: 3 }, Place { file: 1, row: 0 });
        assert_eq!(index.arrive(1, 10, first), None);
        assert_eq!(index.arrive(1, 11, second), Some(first));
        assert_eq!((index.keys(), index.get_mut(1).unwrap().row), (1, 11));
        assert!(!index.contains(2));
    }

    #[test]
    fn an_entry_stays_within_the_stated_bound() {
        assert!(size_of::<(Fingerprint, Entry)>() <= 48);
    }

    proptest! {
        #[test]
        fn a_row_set_is_a_set(rows in proptest::collection::vec(0u32..500, 0..200)) {
            let mut set = RowSet::default();
            let model: std::collections::BTreeSet<u32> = rows.iter().copied().collect();
            for row in rows {
                set.insert(row);
            }
            prop_assert_eq!(set.len(), model.len() as u64);
            for row in 0..600u32 {
                prop_assert_eq!(set.contains(u64::from(row)), model.contains(&row));
            }
        }
    }
}
