//! What a merging run knows of its own rows: where the newest row of each key is staged, and what became of it. Pure.
//!
//! It takes 48 bytes per distinct key of the run, and room to grow. When it is full, it goes to temporary files (`spill`), unless versions
//! compete by a column, whose values take about as much again (`rank`), or rows are told apart by counting equal ones; groups take 20 bytes each
//! (`arrivals`).

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::fate::{Fate, Op};
use super::hash::{Fingerprint, PassThrough};

/// A map by fingerprints, which are hashes already.
pub(super) type PrintMap<T> = HashMap<Fingerprint, T, BuildHasherDefault<PassThrough>>;

/// Where a row is: in which staged file, and at which position of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) row: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) row: Fingerprint,
    /// Where the row is staged; of no meaning for a delete, which has none.
    pub(super) place: Place,
    pub(super) op: Op,
    pub(super) fate: Fate,
}

/// The newest row of each key of a run.
#[derive(Debug, Default)]
pub(super) struct KeyIndex {
    entries: PrintMap<Entry>,
    deletes: u64,
}

impl Entry {
    /// A row that is staged at `place`.
    pub(super) fn put(row: Fingerprint, place: Place) -> Self {
        Self { row, place, op: Op::Put, fate: Fate::Fresh }
    }

    /// A delete.
    pub(super) fn delete() -> Self {
        Self { row: 0, place: Place { file: 0, row: 0 }, op: Op::Delete, fate: Fate::Fresh }
    }

    /// Where the row is staged, when there is one.
    pub(super) fn staged(&self) -> Option<Place> {
        (self.op == Op::Put).then_some(self.place)
    }
}

impl KeyIndex {
    /// Takes note of an arrival, which wins over the one before; that one comes back.
    pub(super) fn arrive(&mut self, key: Fingerprint, entry: Entry) -> Option<Entry> {
        let loser = self.entries.insert(key, entry);
        self.deletes += u64::from(entry.op == Op::Delete);
        self.deletes -= u64::from(loser.is_some_and(|loser| loser.op == Op::Delete));
        loser
    }

    pub(super) fn get(&self, key: Fingerprint) -> Option<&Entry> {
        self.entries.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: Fingerprint) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    /// The entries, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Keys that the run has rows of.
    pub(super) fn puts(&self) -> u64 {
        self.entries.len() as u64 - self.deletes
    }

    /// Keys that the run deletes.
    pub(super) fn deletes(&self) -> u64 {
        self.deletes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries fit into so many bytes: the map is as large as a power of two, and full at seven eighths of it.
    pub(super) fn entries_in(bytes: usize) -> usize {
        let places = bytes / (size_of::<(Fingerprint, Entry)>() + 1);
        let places = if places.is_power_of_two() { places } else { places.next_power_of_two() / 2 };
        (places / 8 * 7).max(1)
    }

    /// The staged row at `was` is at `place` now, and has other content; if it is still what the run has of the key.
    pub(super) fn come_again(&mut self, key: Fingerprint, was: Place, row: Fingerprint, place: Place) {
        if let Some(entry) = self.entries.get_mut(&key)
            && entry.staged() == Some(was)
        {
            entry.place = place;
            entry.row = row;
        }
    }

    /// All entries, which leave it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Fingerprint, Entry)> + '_ {
        self.deletes = 0;
        self.entries.drain()
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

    /// The positions, ascending.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + Send + '_ {
        let words = self.words.iter().enumerate();
        words.flat_map(|(word, bits)| (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * 64 + bit))
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
    fn the_last_arrival_wins_and_gives_back_the_loser() {
        let mut index = KeyIndex::default();
        let first = Entry::put(10, Place { file: 0, row: 3 });
        let second = Entry::put(11, Place { file: 1, row: 0 });
        assert_eq!(index.arrive(1, first), None);
        assert_eq!(index.arrive(1, second), Some(first));
        assert_eq!((index.puts(), index.deletes(), index.get(1).unwrap().row), (1, 0, 11));
        assert_eq!(index.arrive(1, Entry::delete()).unwrap().staged(), Some(second.place));
        assert_eq!((index.puts(), index.deletes()), (0, 1));
        assert_eq!(index.arrive(1, first).unwrap().staged(), None);
        assert_eq!((index.puts(), index.deletes(), index.get(2)), (1, 0, None));
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
            prop_assert!(set.positions().eq(model.iter().map(|row| *row as usize)));
            for row in 0..600u32 {
                prop_assert_eq!(set.contains(u64::from(row)), model.contains(&row));
            }
        }
    }
}
