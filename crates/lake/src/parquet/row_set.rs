//! Where rows are: locations in staged files, and sets of positions of one file. Pure.

/// Where a row is: in which staged file, and at which position of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowLocation {
    pub(crate) file: u32,
    pub(crate) row: u32,
}

/// A set of row positions of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet {
    words: Vec<u64>,
    len: u64,
}

impl RowSet {
    /// Adds a position. Returns whether it was new.
    pub(crate) fn insert(&mut self, row: u32) -> bool {
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

    pub(crate) fn contains(&self, row: u64) -> bool {
        let Ok(row) = u32::try_from(row) else { return false };
        let (word, bit) = address(row);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Returns the positions, ascending.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> + Send + '_ {
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
