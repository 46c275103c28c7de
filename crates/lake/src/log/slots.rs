//! Which slots of a partition new data files may take. Pure.
//!
//! A path that a commit has removed never comes back: a writer that was overtaken while it was asleep may still remove it when it wakes up (rule 7 of `commit`).
//! A path that stays, and only gets other content, may be used as often as one likes.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::snapshot::Snapshot;
use crate::storage::layout::slot_of;

/// Free slots, by partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    partitions: BTreeMap<String, Free>,
}

/// The free slots of a partition: some in between, then all from `next` on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Free {
    pub(crate) between: BTreeSet<u32>,
    pub(crate) next: u32,
}

impl Slots {
    /// The free slots of a table. When it `replaces`, none of its files stays, and their names are taken first.
    pub(crate) fn of(snapshot: &Snapshot, replaces: bool) -> Self {
        let mut slots = Self::default();
        for (partition, slot) in snapshot.files.keys().filter_map(|path| slot_of(path)) {
            let free = slots.partitions.entry(partition.to_owned()).or_default();
            free.next = free.next.max(slot + 1);
            if replaces {
                free.between.insert(slot);
            }
        }
        for (partition, retired) in &snapshot.retired_slots {
            let free = slots.partitions.entry(partition.clone()).or_default();
            free.next = free.next.max(retired + 1);
        }
        slots
    }

    /// The free slots of a partition.
    pub(crate) fn in_partition(&self, partition: &str) -> Free {
        self.partitions.get(partition).cloned().unwrap_or_default()
    }

    /// Takes the first one.
    pub(crate) fn take(&mut self, partition: &str) -> u32 {
        self.partitions.entry(partition.to_owned()).or_default().take()
    }
}

impl Free {
    /// Takes the first one.
    pub(crate) fn take(&mut self) -> u32 {
        self.between.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::document::DataFile;

    #[test]
    fn what_was_removed_is_not_taken_again_and_what_is_replaced_is() {
        let file = DataFile { rows: 1, bytes: 1, partition: Vec::new(), key_min: None, key_max: None };
        let paths = ["a/part-00000.parquet", "a/part-00002.parquet", "b/part-00001.parquet"];
        let snapshot = Snapshot {
            files: paths.map(|path| (path.to_owned(), file.clone())).into(),
            retired_slots: BTreeMap::from([("a".to_owned(), 5), ("c".to_owned(), 0)]),
            ..Snapshot::default()
        };
        let cases: [(bool, &str, [u32; 3]); 8] = [
            (false, "a", [6, 7, 8]),
            (false, "b", [2, 3, 4]),
            (false, "c", [1, 2, 3]),
            (false, "d", [0, 1, 2]),
            (true, "a", [0, 2, 6]),
            (true, "b", [1, 2, 3]),
            (true, "c", [1, 2, 3]),
            (true, "d", [0, 1, 2]),
        ];
        for (replaces, partition, expected) in cases {
            let mut slots = Slots::of(&snapshot, replaces);
            assert_eq!([0; 3].map(|_| slots.take(partition)), expected, "{replaces} {partition}");
        }
    }
}
