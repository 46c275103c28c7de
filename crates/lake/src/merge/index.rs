//! The key index of a merging run: where the newest row of each key is staged, and what became of
//! it. Pure.
//!
//! It takes 48 bytes per distinct key of the run, and 9 to 20 for finding it. When it is full, it
//! goes to temporary files (`spill`), unless versions compete by a column, whose values take about
//! as much again (`precedence`), or rows are told apart by counting equal ones. Groups take 20
//! bytes each.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use hashbrown::{HashTable, hash_table};

use crate::fingerprint::{Fingerprint, PassThrough};
use crate::merge::decide::{KeyState, Op};
use crate::parquet::row_set::RowLocation;

/// A map by fingerprints, which are hashes already.
pub(crate) type PrintMap<T> = HashMap<Fingerprint, T, BuildHasherDefault<PassThrough>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) row: Fingerprint,
    /// Where the row is staged; of no meaning for a delete, which has none.
    pub(crate) location: RowLocation,
    pub(crate) op: Op,
    pub(crate) state: KeyState,
}

/// Entries that are kept in one piece.
const PIECE: usize = 4_096;
/// The most bytes that finding an entry takes: a table doubles when seven of eight slots are taken.
const SLOT_BYTES_MAX: usize = 21;

/// The newest row of each key of a run.
///
/// Entries lie one after another in the order in which their keys came. A small table, which
/// processors can keep close, says where. So a new key costs no access to memory that is far away,
/// and growing moves no entry.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    table: HashTable<Slot>,
    pieces: Vec<Vec<(Fingerprint, Entry)>>,
    deletes: u64,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// What the table needs to move the slot, without a look at the entry.
    hash: u32,
    /// 2^32 entries would take 300 GiB, so this is never the limit.
    position: u32,
}

impl Slot {
    fn hash(self) -> u64 {
        spread(self.hash)
    }
}

/// Spreads the bits of a hash: the table wants random ones at both ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn hash_of(key: Fingerprint) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "a quarter of a random number is as random")]
    let low = key as u32;
    low
}

fn at(pieces: &[Vec<(Fingerprint, Entry)>], position: u32) -> Option<&(Fingerprint, Entry)> {
    let position = position as usize;
    pieces.get(position / PIECE)?.get(position % PIECE)
}

/// Returns whether a slot is that of `key`.
fn is_of(pieces: &[Vec<(Fingerprint, Entry)>], key: Fingerprint) -> impl Fn(&Slot) -> bool + '_ {
    let hash = hash_of(key);
    move |slot| slot.hash == hash && at(pieces, slot.position).is_some_and(|(known, _)| *known == key)
}

impl Entry {
    /// Makes the entry of a row that is staged at `location`.
    pub(crate) fn put(row: Fingerprint, location: RowLocation) -> Self {
        Self { row, location, op: Op::Put, state: KeyState::Fresh }
    }

    /// Makes the entry of a delete.
    pub(crate) fn delete() -> Self {
        Self { row: 0, location: RowLocation { file: 0, row: 0 }, op: Op::Delete, state: KeyState::Fresh }
    }

    /// Returns where the row is staged, when there is one.
    pub(crate) fn staged(&self) -> Option<RowLocation> {
        (self.op == Op::Put).then_some(self.location)
    }
}

impl KeyIndex {
    /// Inserts an entry, which wins over the one before. Returns that one.
    pub(crate) fn insert(&mut self, key: Fingerprint, entry: Entry) -> Option<Entry> {
        self.deletes += u64::from(entry.op == Op::Delete);
        let Self { table, pieces, .. } = self;
        let hash = hash_of(key);
        let position = match table.entry(spread(hash), is_of(pieces, key), |slot| slot.hash()) {
            hash_table::Entry::Occupied(slot) => slot.get().position,
            hash_table::Entry::Vacant(location) => {
                let full = pieces.last().is_none_or(|piece| piece.len() == PIECE);
                if full {
                    pieces.push(Vec::with_capacity(PIECE));
                }
                let position = (pieces.len() - 1) * PIECE + pieces.last().map_or(0, Vec::len);
                location.insert(Slot { hash, position: u32::try_from(position).unwrap_or(u32::MAX) });
                pieces.last_mut()?.push((key, entry));
                return None;
            }
        };
        let known = self.at_mut(position)?;
        let loser = std::mem::replace(known, entry);
        self.deletes -= u64::from(loser.op == Op::Delete);
        Some(loser)
    }

    fn find(&self, key: Fingerprint) -> Option<u32> {
        self.table.find(spread(hash_of(key)), is_of(&self.pieces, key)).map(|slot| slot.position)
    }

    fn at_mut(&mut self, position: u32) -> Option<&mut Entry> {
        let position = position as usize;
        self.pieces.get_mut(position / PIECE)?.get_mut(position % PIECE).map(|(_, entry)| entry)
    }

    pub(crate) fn get(&self, key: Fingerprint) -> Option<&Entry> {
        at(&self.pieces, self.find(key)?).map(|(_, entry)| entry)
    }

    /// Finds an entry as [`Self::get`] does. Returns what finds it again at once, too.
    pub(crate) fn get_at(&self, key: Fingerprint) -> Option<(u32, &Entry)> {
        let position = self.find(key)?;
        at(&self.pieces, position).map(|(_, entry)| (position, entry))
    }

    /// Finds an entry as [`Self::get_mut`] does, of a key that was at `position` when it was last
    /// found.
    pub(crate) fn get_mut_at(&mut self, position: u32, key: Fingerprint) -> Option<&mut Entry> {
        match at(&self.pieces, position) {
            Some((known, _)) if *known == key => self.at_mut(position),
            _ => self.get_mut(key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: Fingerprint) -> Option<&mut Entry> {
        let position = self.find(key)?;
        self.at_mut(position)
    }

    /// Returns the entries, in the order in which their keys came.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.pieces.iter().flatten().map(|(_, entry)| entry)
    }

    /// Returns how many keys the run has rows of.
    pub(crate) fn puts(&self) -> u64 {
        self.len() as u64 - self.deletes
    }

    /// Returns how many keys the run deletes.
    pub(crate) fn deletes(&self) -> u64 {
        self.deletes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns how many entries fit into so many bytes.
    pub(crate) fn entries_in(bytes: usize) -> usize {
        (bytes / (size_of::<(Fingerprint, Entry)>() + SLOT_BYTES_MAX)).max(1)
    }

    /// Moves the staged row at `was` to `location`, with other content, if it is still what the run
    /// has of the key.
    pub(crate) fn restaged(&mut self, key: Fingerprint, was: RowLocation, row: Fingerprint, location: RowLocation) {
        if let Some(entry) = self.get_mut(key)
            && entry.staged() == Some(was)
        {
            entry.location = location;
            entry.row = row;
        }
    }

    /// Takes all entries out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Fingerprint, Entry)> + use<> {
        self.deletes = 0;
        self.table.clear();
        std::mem::take(&mut self.pieces).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parquet::row_set::RowLocation;

    #[test]
    fn the_last_entry_wins_and_gives_back_the_loser() {
        let mut index = KeyIndex::default();
        let first = Entry::put(10, RowLocation { file: 0, row: 3 });
        let second = Entry::put(11, RowLocation { file: 1, row: 0 });
        assert_eq!(index.insert(1, first), None);
        assert_eq!(index.insert(1, second), Some(first));
        assert_eq!((index.puts(), index.deletes(), index.get(1).unwrap().row), (1, 0, 11));
        assert_eq!(index.insert(1, Entry::delete()).unwrap().staged(), Some(second.location));
        assert_eq!((index.puts(), index.deletes()), (0, 1));
        assert_eq!(index.insert(1, first).unwrap().staged(), None);
        assert_eq!((index.puts(), index.deletes(), index.get(2)), (1, 0, None));
    }

    #[test]
    fn an_entry_stays_within_the_stated_bound() {
        assert!(size_of::<(Fingerprint, Entry)>() <= 48);
        let mut index = KeyIndex::default();
        for key in 0..100_000_u32 {
            index.insert(key.wrapping_mul(2_654_435_761).into(), Entry::delete());
            let bytes = index.table.allocation_size();
            assert!(key < 100 || bytes <= SLOT_BYTES_MAX * index.len(), "{bytes} for {}", index.len());
        }
        assert_eq!(index.pieces.iter().map(Vec::capacity).sum::<usize>(), 25 * PIECE);
    }

    proptest! {
        #[test]
        fn an_index_is_a_map_in_the_order_of_first_keys(
            steps in proptest::collection::vec((0..300_u32, any::<bool>(), any::<u32>()), 0..2_000), collide in any::<bool>()
        ) {
            // Keys that differ in their upper bits only have the same hash.
            let key = |number: u32| Fingerprint::from(number) << if collide { 64 } else { 0 };
            let (mut index, mut model, mut order) = (KeyIndex::default(), HashMap::new(), Vec::new());
            for (number, deletes, row) in steps {
                let entry = if deletes { Entry::delete() } else { Entry::put(row.into(), RowLocation { file: 0, row }) };
                let loser = model.insert(key(number), entry);
                if loser.is_none() {
                    order.push(key(number));
                }
                prop_assert_eq!(index.insert(key(number), entry), loser);
            }
            for number in 0..300 {
                prop_assert_eq!(index.get(key(number)), model.get(&key(number)));
                prop_assert_eq!(index.get_mut(key(number)).copied(), model.get(&key(number)).copied());
                let at = index.get_at(key(number)).map(|(position, _)| position);
                prop_assert_eq!(index.get_mut_at(at.unwrap_or(number), key(number)).copied(), model.get(&key(number)).copied());
            }
            let deletes = model.values().filter(|entry| entry.op == Op::Delete).count() as u64;
            prop_assert_eq!((index.deletes(), index.puts()), (deletes, model.len() as u64 - deletes));
            let entries = order.iter().map(|key| (*key, model[key])).collect::<Vec<_>>();
            prop_assert!(index.entries().eq(entries.iter().map(|(_, entry)| entry)));
            prop_assert!(index.drain().eq(entries));
            prop_assert!(index.is_empty() && index.get(key(0)).is_none());
        }
    }
}
