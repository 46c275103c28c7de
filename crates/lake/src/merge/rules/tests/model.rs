//! What merging means, on plain values: lists of rows in memory. It shares no code with what it is
//! held against.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::SortOrder;
use lakefeed_model::event::RowCounts;

/// A record: its key, the day by which the table is partitioned, its group, its version, and
/// something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Record {
    pub(super) id: u32,
    pub(super) day: Option<i64>,
    pub(super) group: Option<u32>,
    pub(super) rev: Option<i64>,
    pub(super) value: i64,
}

/// A record that came, or the delete of its key.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) record: Record,
    pub(super) deletes: bool,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) valid_from: Option<i64>,
    pub(super) valid_to: Option<i64>,
    /// When it was marked as deleted; any time at all where only the fact is kept.
    pub(super) deleted_at: Option<i64>,
}

/// How versions compete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Competition {
    pub(super) order: Option<SortOrder>,
    pub(super) guards: bool,
}

impl Competition {
    fn newer(self, left: Option<i64>, right: Option<i64>) -> bool {
        match (self.order, left, right) {
            (None, _, _) | (_, None, _) => false,
            (_, Some(_), None) => true,
            (Some(SortOrder::Greatest), Some(left), Some(right)) => left > right,
            (Some(SortOrder::Least), Some(left), Some(right)) => left < right,
        }
    }

    /// Whether the table's row is to be kept from what came.
    fn keeps(self, row: &Record, came: &Arrival) -> bool {
        let is_bare = came.deletes && came.record.rev.is_none();
        self.guards && !is_bare && self.newer(row.rev, came.record.rev)
    }

    /// The winner of each key, and how many lost.
    fn winners(self, run: &[Arrival]) -> (BTreeMap<u32, Arrival>, u64) {
        let mut winners: BTreeMap<u32, Arrival> = BTreeMap::new();
        for came in run {
            let holds = winners.get(&came.record.id).is_some_and(|best| {
                let bare = [best, came].iter().any(|arrival| arrival.deletes && arrival.record.rev.is_none());
                !bare && self.newer(best.record.rev, came.record.rev)
            });
            if !holds {
                winners.insert(came.record.id, came.clone());
            }
        }
        let losers = (run.len() - winners.len()) as u64;
        (winners, losers)
    }
}

fn plain(record: &Record) -> Stored {
    Stored { record: record.clone(), valid_from: None, valid_to: None, deleted_at: None }
}

/// The groups that a run speaks for. A delete that has no group beside its key speaks for none.
fn groups_of(run: &[Arrival], has_key: bool) -> BTreeSet<Option<u32>> {
    let speaks = |came: &&Arrival| !(came.deletes && has_key && came.record.group.is_none());
    run.iter().filter(speaks).map(|came| came.record.group).collect()
}

/// One row per key; deleted ones leave, or are marked with `now`. With `by_group`, groups that came
/// leave with whatever did not come of them.
pub(super) fn upsert(
    table: &mut Vec<Stored>,
    run: &[Arrival],
    competition: Competition,
    marks: Option<i64>,
    by_group: bool,
) -> RowCounts {
    let (winners, duplicate) = competition.winners(run);
    let mut counts = RowCounts { duplicate, ..RowCounts::default() };
    let groups = if by_group { groups_of(run, true) } else { BTreeSet::new() };
    let before = table.len();
    table.retain(|row| winners.contains_key(&row.record.id) || !groups.contains(&row.record.group));
    counts.deleted += (before - table.len()) as u64;
    for (id, came) in winners {
        let location = table.iter().position(|row| row.record.id == id);
        match (location, came.deletes) {
            (None, true) => counts.missed += 1,
            (None, false) => {
                counts.inserted += 1;
                table.push(plain(&came.record));
            }
            (Some(location), _) if competition.keeps(&table[location].record, &came) => counts.kept += 1,
            (Some(location), true) => match marks {
                None => {
                    counts.deleted += 1;
                    table.remove(location);
                }
                Some(_) if table[location].deleted_at.is_some() => counts.unchanged += 1,
                Some(now) => {
                    counts.deleted += 1;
                    table[location].deleted_at = Some(now);
                }
            },
            (Some(location), false) if table[location] == plain(&came.record) => counts.unchanged += 1,
            (Some(location), false) => {
                counts.updated += 1;
                counts.moved += u64::from(table[location].record.day != came.record.day);
                table[location] = plain(&came.record);
            }
        }
    }
    counts
}

/// Groups that came are what the run has of them, equal rows included.
pub(super) fn replace_groups(table: &mut Vec<Stored>, run: &[Arrival]) -> RowCounts {
    let groups = groups_of(run, false);
    let (mut gone, stays): (Vec<_>, Vec<_>) =
        std::mem::take(table).into_iter().partition(|row| groups.contains(&row.record.group));
    *table = stays;
    let mut counts = RowCounts::default();
    for came in run.iter().filter(|came| !came.deletes) {
        let row = plain(&came.record);
        match gone.iter().position(|old| *old == row) {
            Some(same) => {
                gone.remove(same);
                counts.unchanged += 1;
            }
            None => counts.inserted += 1,
        }
        table.push(row);
    }
    counts.deleted = gone.len() as u64;
    counts
}

/// Only new keys come.
pub(super) fn insert_only(table: &mut Vec<Stored>, run: &[Arrival], competition: Competition) -> RowCounts {
    let (winners, duplicate) = competition.winners(run);
    let mut counts = RowCounts { duplicate, ..RowCounts::default() };
    for (id, came) in winners {
        if table.iter().any(|row| row.record.id == id) {
            counts.kept += 1;
        } else {
            counts.inserted += 1;
            table.push(plain(&came.record));
        }
    }
    counts
}

/// What a run does to a history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: i64,
    /// Keys that did not come are gone: all of them, or those of the groups that came.
    pub(super) retires: bool,
    pub(super) by_group: bool,
}

/// Changed rows are closed, and new versions open.
pub(super) fn history(table: &mut Vec<Stored>, run: &[Arrival], competition: Competition, moment: Moment) -> RowCounts {
    let (winners, duplicate) = competition.winners(run);
    let mut counts = RowCounts { duplicate, ..RowCounts::default() };
    let groups = groups_of(run, true);
    let Moment { now, retires, by_group } = moment;
    for row in table.iter_mut().filter(|row| row.valid_to.is_none()) {
        let in_range = !by_group || groups.contains(&row.record.group);
        if retires && in_range && !winners.contains_key(&row.record.id) {
            row.valid_to = Some(now);
            counts.deleted += 1;
            counts.retired += 1;
        }
    }
    for (id, came) in winners {
        let open = Stored { valid_from: Some(now), ..plain(&came.record) };
        let location = table.iter().position(|row| row.record.id == id && row.valid_to.is_none());
        match (location, came.deletes) {
            (None, true) => counts.missed += 1,
            (None, false) => {
                counts.inserted += 1;
                table.push(open);
            }
            (Some(location), _) if competition.keeps(&table[location].record, &came) => counts.kept += 1,
            (Some(location), true) => {
                counts.deleted += 1;
                table[location].valid_to = Some(now);
            }
            (Some(location), false) if table[location].record == came.record => counts.unchanged += 1,
            (Some(location), false) => {
                counts.updated += 1;
                table[location].valid_to = Some(now);
                table.push(open);
            }
        }
    }
    counts
}

/// The history of records that have no key: a changed one is another one.
pub(super) fn history_of_records(table: &mut Vec<Stored>, run: &[Arrival], moment: Moment) -> RowCounts {
    let came: BTreeSet<&Record> = run.iter().map(|came| &came.record).collect();
    let mut counts = RowCounts { duplicate: (run.len() - came.len()) as u64, ..RowCounts::default() };
    let groups = groups_of(run, false);
    let Moment { now, retires, by_group } = moment;
    for row in table.iter_mut().filter(|row| row.valid_to.is_none()) {
        let in_range = !by_group || groups.contains(&row.record.group);
        if came.contains(&row.record) {
            counts.unchanged += 1;
        } else if retires && in_range {
            row.valid_to = Some(now);
            counts.deleted += 1;
            counts.retired += 1;
        }
    }
    for record in came {
        if !table.iter().any(|row| row.valid_to.is_none() && row.record == *record) {
            counts.inserted += 1;
            table.push(Stored { valid_from: Some(now), ..plain(record) });
        }
    }
    counts
}
