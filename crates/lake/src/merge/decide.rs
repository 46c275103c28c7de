//! What becomes of a row of the table that a run has something to say about: the semantics of merging, row by row. Pure.
//!
//! The rows of the table are met one after another. What is known of a key of the run is its [`Fate`] so far; [`decide`] takes
//! it with what is known of the row, and says what becomes of both. How rows are found is not its business, and neither is
//! what it costs to write them.

use crate::spec::StrategyName;
use lakefeed_model::event::RowCounts;

/// What a run wants with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// The table should have this row.
    Put,
    /// The table should not have a row of this key.
    Delete,
}

/// What has become of a key of the run so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The table has nothing of it.
    Fresh,
    /// It took the place of an older version.
    Updated,
    /// It did, and went to another partition.
    Moved,
    /// The table has it as it is; the incoming row is dropped.
    Unchanged,
    /// The table's row stays though it is another one; the incoming row is dropped.
    Kept,
    /// It deleted a row.
    Deleted,
}

/// A row of the table, as far as decisions need it.
#[expect(clippy::struct_excessive_bools, reason = "four facts that are independent of each other")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Met {
    /// It has the content of the incoming row.
    pub(crate) is_same: bool,
    /// It is in the partition of the incoming row.
    pub(crate) is_in_place: bool,
    /// It is not marked as deleted.
    pub(crate) is_live: bool,
    /// It is a newer version than the incoming row, which must not overwrite it.
    pub(crate) is_newer: bool,
}

/// What becomes of a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFate {
    /// It stays as it is.
    Stays,
    /// It leaves.
    Leaves,
    /// It stays, marked as deleted or closed.
    Ends,
}

/// The rules of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) strategy: StrategyName,
    /// Deleted rows are marked, and stay.
    pub(crate) marks_deleted: bool,
}

/// What is decided about a row of the table, and of the key of the run that it was met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) row: RowFate,
    /// The key's fate from now on.
    pub(crate) fate: Fate,
}

impl Rules {
    /// What becomes of a row that the run displaces.
    fn displaced(self) -> RowFate {
        if self.strategy == StrategyName::Scd2 { RowFate::Ends } else { RowFate::Leaves }
    }
}

/// Decides about a row of the table whose key the run has, with `fate` so far.
pub(crate) fn decide(rules: Rules, op: Op, fate: Fate, met: Met) -> Decision {
    if rules.strategy == StrategyName::InsertOnly {
        return Decision { row: RowFate::Stays, fate: Fate::Kept };
    }
    if met.is_newer {
        let fate = match fate {
            Fate::Fresh | Fate::Updated | Fate::Moved | Fate::Kept => Fate::Kept,
            Fate::Unchanged | Fate::Deleted => fate,
        };
        return Decision { row: RowFate::Stays, fate };
    }
    match op {
        Op::Put => put(rules, fate, met),
        Op::Delete => delete(rules, fate, met),
    }
}

fn put(rules: Rules, fate: Fate, met: Met) -> Decision {
    match fate {
        Fate::Fresh if met.is_same && met.is_in_place && met.is_live => {
            Decision { row: RowFate::Stays, fate: Fate::Unchanged }
        }
        Fate::Fresh if met.is_in_place => Decision { row: rules.displaced(), fate: Fate::Updated },
        Fate::Fresh => Decision { row: rules.displaced(), fate: Fate::Moved },
        // The table had the key more than once, as appends may leave it; one row is enough.
        Fate::Updated | Fate::Moved | Fate::Unchanged | Fate::Kept | Fate::Deleted => {
            Decision { row: rules.displaced(), fate }
        }
    }
}

fn delete(rules: Rules, fate: Fate, met: Met) -> Decision {
    if !rules.marks_deleted {
        return Decision { row: rules.displaced(), fate: Fate::Deleted };
    }
    match (met.is_live, fate) {
        (true, _) => Decision { row: RowFate::Ends, fate: Fate::Deleted },
        // It was deleted before.
        (false, Fate::Fresh) => Decision { row: RowFate::Stays, fate: Fate::Unchanged },
        (false, _) => Decision { row: RowFate::Stays, fate },
    }
}

/// Decides about a row whose key the run does not have: its group came without it, or it is absent from a whole listing.
pub(crate) fn decide_absent(rules: Rules) -> RowFate {
    match rules.strategy {
        StrategyName::DeleteInsert | StrategyName::Scd2 => rules.displaced(),
        StrategyName::Upsert | StrategyName::InsertOnly => RowFate::Stays,
    }
}

/// Counts what became of keys and rows.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    updated: u64,
    moved: u64,
    unchanged: u64,
    kept: u64,
    /// Keys that the table had, those to put and those to delete.
    met_puts: u64,
    met_deletes: u64,
    /// Rows that left or ended, those that made room for a newer version included.
    gone: u64,
    retired: u64,
}

impl Tally {
    /// The fate of a key changed.
    pub(crate) fn turn(&mut self, op: Op, from: Fate, to: Fate) {
        if from == to {
            return;
        }
        if from == Fate::Fresh {
            let met = match op {
                Op::Put => &mut self.met_puts,
                Op::Delete => &mut self.met_deletes,
            };
            *met += 1;
        }
        if let Some(count) = self.of(from) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.of(to) {
            *count += 1;
        }
    }

    /// Keys of the run that the table had so far.
    pub(crate) fn met(&self) -> u64 {
        self.met_puts + self.met_deletes
    }

    /// A row of the table met its fate; `retires` when its key is absent from a whole listing.
    pub(crate) fn row(&mut self, fate: RowFate, retires: bool) {
        let is_gone = fate != RowFate::Stays;
        self.gone += u64::from(is_gone);
        self.retired += u64::from(is_gone && retires);
    }

    /// Adds what was counted elsewhere, of other keys.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { updated, moved, unchanged, kept, met_puts, met_deletes, gone, retired } = other;
        self.updated += updated;
        self.moved += moved;
        self.unchanged += unchanged;
        self.kept += kept;
        self.met_puts += met_puts;
        self.met_deletes += met_deletes;
        self.gone += gone;
        self.retired += retired;
    }

    fn of(&mut self, fate: Fate) -> Option<&mut u64> {
        match fate {
            Fate::Fresh | Fate::Deleted => None,
            Fate::Updated => Some(&mut self.updated),
            Fate::Moved => Some(&mut self.moved),
            Fate::Unchanged => Some(&mut self.unchanged),
            Fate::Kept => Some(&mut self.kept),
        }
    }

    /// Puts what was counted into the counts of a run of so many keys to put and to delete.
    pub(crate) fn count(&self, puts: u64, deletes: u64, counts: &mut RowCounts) {
        let updated = self.updated + self.moved;
        counts.inserted = puts.saturating_sub(self.met_puts);
        counts.updated = updated;
        counts.moved = self.moved;
        counts.unchanged = self.unchanged;
        counts.kept = self.kept;
        counts.deleted = self.gone.saturating_sub(updated);
        counts.retired = self.retired;
        counts.missed = deletes.saturating_sub(self.met_deletes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Fate::{Deleted, Fresh, Kept, Moved, Unchanged, Updated};
    use RowFate::{Ends, Leaves, Stays};
    use StrategyName::{DeleteInsert, InsertOnly, Scd2, Upsert};

    /// A row that the table has: the words say how it differs from a live, older one of other content in its place.
    fn met(words: &str) -> Met {
        let has = |word: &str| words.split(' ').any(|other| other == word);
        Met { is_same: has("same"), is_in_place: !has("elsewhere"), is_live: !has("dead"), is_newer: has("newer") }
    }

    #[test]
    fn what_becomes_of_a_row_and_of_the_key_that_met_it() {
        let rules = |strategy| Rules { strategy, marks_deleted: false };
        let soft = Rules { strategy: Upsert, marks_deleted: true };
        for (rules, op, fate, words, expected) in [
            (rules(Upsert), Op::Put, Fresh, "", (Leaves, Updated)),
            (rules(Upsert), Op::Put, Fresh, "same", (Stays, Unchanged)),
            (rules(Upsert), Op::Put, Fresh, "same elsewhere", (Leaves, Moved)),
            (rules(Upsert), Op::Put, Unchanged, "same", (Leaves, Unchanged)),
            (rules(Upsert), Op::Put, Updated, "", (Leaves, Updated)),
            (rules(Upsert), Op::Put, Fresh, "newer", (Stays, Kept)),
            (rules(Upsert), Op::Put, Updated, "newer", (Stays, Kept)),
            (rules(Upsert), Op::Put, Unchanged, "newer", (Stays, Unchanged)),
            (rules(Upsert), Op::Put, Kept, "", (Leaves, Kept)),
            (rules(Upsert), Op::Delete, Fresh, "", (Leaves, Deleted)),
            (rules(Upsert), Op::Delete, Deleted, "", (Leaves, Deleted)),
            (rules(Upsert), Op::Delete, Fresh, "newer", (Stays, Kept)),
            (soft, Op::Delete, Fresh, "", (Ends, Deleted)),
            (soft, Op::Delete, Fresh, "dead", (Stays, Unchanged)),
            (soft, Op::Delete, Deleted, "dead", (Stays, Deleted)),
            (soft, Op::Put, Fresh, "same dead", (Leaves, Updated)),
            (rules(DeleteInsert), Op::Put, Fresh, "same", (Stays, Unchanged)),
            (rules(DeleteInsert), Op::Delete, Fresh, "", (Leaves, Deleted)),
            (rules(InsertOnly), Op::Put, Fresh, "", (Stays, Kept)),
            (rules(InsertOnly), Op::Put, Kept, "elsewhere", (Stays, Kept)),
            (rules(Scd2), Op::Put, Fresh, "", (Ends, Updated)),
            (rules(Scd2), Op::Put, Fresh, "same", (Stays, Unchanged)),
            (rules(Scd2), Op::Delete, Fresh, "", (Ends, Deleted)),
            (rules(Scd2), Op::Put, Fresh, "newer", (Stays, Kept)),
        ] {
            let decision = decide(rules, op, fate, met(words));
            assert_eq!((decision.row, decision.fate), expected, "{rules:?} {op:?} {fate:?} {words:?}");
        }
        for (strategy, expected) in [(Upsert, Stays), (InsertOnly, Stays), (DeleteInsert, Leaves), (Scd2, Ends)] {
            assert_eq!(decide_absent(rules(strategy)), expected, "{strategy}");
        }
    }

    #[test]
    fn a_row_that_makes_room_is_no_deletion_and_what_was_not_met_is_new() {
        let mut tally = Tally::default();
        tally.turn(Op::Put, Fresh, Moved);
        tally.row(Leaves, false);
        tally.turn(Op::Put, Fresh, Updated);
        tally.row(Leaves, false);
        // The second one met a newer row after all.
        tally.turn(Op::Put, Updated, Kept);
        tally.row(Stays, false);
        tally.turn(Op::Delete, Fresh, Deleted);
        tally.row(Ends, false);
        tally.row(Ends, true);
        let mut counts = RowCounts::default();
        tally.count(5, 3, &mut counts);
        let expected = RowCounts {
            inserted: 3,
            updated: 1,
            moved: 1,
            kept: 1,
            deleted: 3,
            retired: 1,
            missed: 2,
            ..RowCounts::default()
        };
        assert_eq!(counts, expected);
    }
}
