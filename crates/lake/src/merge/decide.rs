//! Decides what becomes of a row of the table that a run has something to say about: the semantics
//! of merging, row by row. Pure.
//!
//! The rows of the table are met one after another. What is known of a key of the run is its
//! [`KeyState`] so far. [`decide`] takes it together with a [`RowMatch`], what is known of the row,
//! and says what becomes of both. How rows are found is decided elsewhere, and so is how they are
//! written.
//!
//! One key, `a`, of an upsert whose incoming row has changed:
//!
//! | row of the table | state before | action | state after |
//! | --- | --- | --- | --- |
//! | `a`, older, same partition | `Fresh` | `Remove` | `Updated` |
//! | `a` again, as appends may leave it | `Updated` | `Remove` | `Updated` |
//! | `a`, newer by its version | `Fresh` | `Keep` | `Kept` |
//! | `a`, the same in everything | `Fresh` | `Keep` | `Unchanged` |

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

/// The state of a key of the run: what the rows of the table that were met so far have made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// No row of the table has matched.
    Fresh,
    /// The incoming row replaces an older one.
    Updated,
    /// The incoming row replaces an older one of another partition.
    Moved,
    /// The table has the row as it is. The incoming row is dropped.
    Unchanged,
    /// The table's row stays though it is another one. The incoming row is dropped.
    Kept,
    /// A row was deleted.
    Deleted,
}

/// What is known of a row of the table whose key the run has.
#[expect(clippy::struct_excessive_bools, reason = "four facts that are independent of each other")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowMatch {
    /// It has the content of the incoming row.
    pub(crate) is_same: bool,
    /// It is in the partition of the incoming row.
    pub(crate) is_same_partition: bool,
    /// It is not marked as deleted.
    pub(crate) is_live: bool,
    /// It is a newer version than the incoming row, which must not overwrite it.
    pub(crate) is_newer: bool,
}

/// What becomes of a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeAction {
    /// It stays as it is.
    Keep,
    /// It leaves.
    Remove,
    /// It stays, marked as deleted or closed.
    Close,
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
    pub(crate) action: MergeAction,
    /// The key's state from now on.
    pub(crate) state: KeyState,
}

impl Rules {
    /// Returns what becomes of a row that the run replaces or deletes.
    fn replaced_action(self) -> MergeAction {
        if self.strategy == StrategyName::Scd2 { MergeAction::Close } else { MergeAction::Remove }
    }
}

/// Decides about a row of the table whose key the run has, with `state` so far.
pub(crate) fn decide(rules: Rules, op: Op, state: KeyState, matched: RowMatch) -> Decision {
    if rules.strategy == StrategyName::InsertOnly {
        return Decision { action: MergeAction::Keep, state: KeyState::Kept };
    }
    if matched.is_newer {
        let state = match state {
            KeyState::Fresh | KeyState::Updated | KeyState::Moved | KeyState::Kept => KeyState::Kept,
            KeyState::Unchanged | KeyState::Deleted => state,
        };
        return Decision { action: MergeAction::Keep, state };
    }
    match op {
        Op::Put => put(rules, state, matched),
        Op::Delete => delete(rules, state, matched),
    }
}

fn put(rules: Rules, state: KeyState, matched: RowMatch) -> Decision {
    match state {
        KeyState::Fresh if matched.is_same && matched.is_same_partition && matched.is_live => {
            Decision { action: MergeAction::Keep, state: KeyState::Unchanged }
        }
        KeyState::Fresh if matched.is_same_partition => {
            Decision { action: rules.replaced_action(), state: KeyState::Updated }
        }
        KeyState::Fresh => Decision { action: rules.replaced_action(), state: KeyState::Moved },
        // The table had the key more than once, as appends may leave it; one row is enough.
        KeyState::Updated | KeyState::Moved | KeyState::Unchanged | KeyState::Kept | KeyState::Deleted => {
            Decision { action: rules.replaced_action(), state }
        }
    }
}

fn delete(rules: Rules, state: KeyState, matched: RowMatch) -> Decision {
    if !rules.marks_deleted {
        return Decision { action: rules.replaced_action(), state: KeyState::Deleted };
    }
    match (matched.is_live, state) {
        (true, _) => Decision { action: MergeAction::Close, state: KeyState::Deleted },
        // It was deleted before.
        (false, KeyState::Fresh) => Decision { action: MergeAction::Keep, state: KeyState::Unchanged },
        (false, _) => Decision { action: MergeAction::Keep, state },
    }
}

/// Decides about a row whose key the run does not have: its group came without it, or it is absent
/// from a complete listing.
pub(crate) fn decide_absent(rules: Rules) -> MergeAction {
    match rules.strategy {
        StrategyName::DeleteInsert | StrategyName::Scd2 => rules.replaced_action(),
        StrategyName::Upsert | StrategyName::InsertOnly => MergeAction::Keep,
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
    matched_puts: u64,
    matched_deletes: u64,
    /// Rows that left or were closed, those that made room for a newer version included.
    gone: u64,
    retired: u64,
}

impl Tally {
    /// Counts a change of the state of a key.
    pub(crate) fn state_changed(&mut self, op: Op, from: KeyState, to: KeyState) {
        if from == to {
            return;
        }
        if from == KeyState::Fresh {
            let met = match op {
                Op::Put => &mut self.matched_puts,
                Op::Delete => &mut self.matched_deletes,
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

    /// Returns how many keys of the run the table had so far.
    pub(crate) fn matched(&self) -> u64 {
        self.matched_puts + self.matched_deletes
    }

    /// Counts what becomes of a row of the table.
    pub(crate) fn action(&mut self, action: MergeAction) {
        self.gone += u64::from(action != MergeAction::Keep);
    }

    /// Counts what becomes of a row whose key is absent from a complete listing.
    pub(crate) fn retirement(&mut self, action: MergeAction) {
        self.action(action);
        self.retired += u64::from(action != MergeAction::Keep);
    }

    /// Adds what was counted elsewhere, of other keys.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { updated, moved, unchanged, kept, matched_puts, matched_deletes, gone, retired } = other;
        self.updated += updated;
        self.moved += moved;
        self.unchanged += unchanged;
        self.kept += kept;
        self.matched_puts += matched_puts;
        self.matched_deletes += matched_deletes;
        self.gone += gone;
        self.retired += retired;
    }

    fn of(&mut self, state: KeyState) -> Option<&mut u64> {
        match state {
            KeyState::Fresh | KeyState::Deleted => None,
            KeyState::Updated => Some(&mut self.updated),
            KeyState::Moved => Some(&mut self.moved),
            KeyState::Unchanged => Some(&mut self.unchanged),
            KeyState::Kept => Some(&mut self.kept),
        }
    }

    /// Fills the counts of a run that has so many keys to put and to delete.
    pub(crate) fn count(&self, puts: u64, deletes: u64, counts: &mut RowCounts) {
        let updated = self.updated + self.moved;
        counts.inserted = puts.saturating_sub(self.matched_puts);
        counts.updated = updated;
        counts.moved = self.moved;
        counts.unchanged = self.unchanged;
        counts.kept = self.kept;
        counts.deleted = self.gone.saturating_sub(updated);
        counts.retired = self.retired;
        counts.missed = deletes.saturating_sub(self.matched_deletes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use KeyState::{Deleted, Fresh, Kept, Moved, Unchanged, Updated};
    use MergeAction::{Close, Keep, Remove};
    use StrategyName::{DeleteInsert, InsertOnly, Scd2, Upsert};

    /// Returns a row that the table has: the words say how it differs from a live, older one of
    /// other content in its location.
    fn matched(words: &str) -> RowMatch {
        let has = |word: &str| words.split(' ').any(|other| other == word);
        RowMatch {
            is_same: has("same"),
            is_same_partition: !has("elsewhere"),
            is_live: !has("dead"),
            is_newer: has("newer"),
        }
    }

    #[test]
    fn what_becomes_of_a_row_and_of_the_key_that_met_it() {
        let rules = |strategy| Rules { strategy, marks_deleted: false };
        let soft = Rules { strategy: Upsert, marks_deleted: true };
        for (rules, op, state, words, expected) in [
            (rules(Upsert), Op::Put, Fresh, "", (Remove, Updated)),
            (rules(Upsert), Op::Put, Fresh, "same", (Keep, Unchanged)),
            (rules(Upsert), Op::Put, Fresh, "same elsewhere", (Remove, Moved)),
            (rules(Upsert), Op::Put, Unchanged, "same", (Remove, Unchanged)),
            (rules(Upsert), Op::Put, Updated, "", (Remove, Updated)),
            (rules(Upsert), Op::Put, Fresh, "newer", (Keep, Kept)),
            (rules(Upsert), Op::Put, Updated, "newer", (Keep, Kept)),
            (rules(Upsert), Op::Put, Unchanged, "newer", (Keep, Unchanged)),
            (rules(Upsert), Op::Put, Kept, "", (Remove, Kept)),
            (rules(Upsert), Op::Delete, Fresh, "", (Remove, Deleted)),
            (rules(Upsert), Op::Delete, Deleted, "", (Remove, Deleted)),
            (rules(Upsert), Op::Delete, Fresh, "newer", (Keep, Kept)),
            (soft, Op::Delete, Fresh, "", (Close, Deleted)),
            (soft, Op::Delete, Fresh, "dead", (Keep, Unchanged)),
            (soft, Op::Delete, Deleted, "dead", (Keep, Deleted)),
            (soft, Op::Put, Fresh, "same dead", (Remove, Updated)),
            (rules(DeleteInsert), Op::Put, Fresh, "same", (Keep, Unchanged)),
            (rules(DeleteInsert), Op::Delete, Fresh, "", (Remove, Deleted)),
            (rules(InsertOnly), Op::Put, Fresh, "", (Keep, Kept)),
            (rules(InsertOnly), Op::Put, Kept, "elsewhere", (Keep, Kept)),
            (rules(Scd2), Op::Put, Fresh, "", (Close, Updated)),
            (rules(Scd2), Op::Put, Fresh, "same", (Keep, Unchanged)),
            (rules(Scd2), Op::Delete, Fresh, "", (Close, Deleted)),
            (rules(Scd2), Op::Put, Fresh, "newer", (Keep, Kept)),
        ] {
            let decision = decide(rules, op, state, matched(words));
            assert_eq!((decision.action, decision.state), expected, "{rules:?} {op:?} {state:?} {words:?}");
        }
        for (strategy, expected) in [(Upsert, Keep), (InsertOnly, Keep), (DeleteInsert, Remove), (Scd2, Close)] {
            assert_eq!(decide_absent(rules(strategy)), expected, "{strategy}");
        }
    }

    #[test]
    fn a_row_that_makes_room_is_no_deletion_and_what_was_not_met_is_new() {
        let mut tally = Tally::default();
        tally.state_changed(Op::Put, Fresh, Moved);
        tally.action(Remove);
        tally.state_changed(Op::Put, Fresh, Updated);
        tally.action(Remove);
        // The second one met a newer row after all.
        tally.state_changed(Op::Put, Updated, Kept);
        tally.action(Keep);
        tally.state_changed(Op::Delete, Fresh, Deleted);
        tally.action(Close);
        tally.retirement(Close);
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
