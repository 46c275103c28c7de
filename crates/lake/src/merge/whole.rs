//! Carries a merge out. Finds the rows that the run touches (`search`), has
//! [`decide`](crate::merge::decide::decide) say what becomes of them and [`plan`] what becomes of
//! their files, and rewrites what has to be.
//!
//! In general, existing files are read twice before any is rewritten: their keys, to see whether
//! the run has any of them; then the touched rows alone, to see whether they differ. Files are
//! worked on in parallel. What becomes of a key is decided in the order of the files, so that the
//! outcome does not depend on timing. Where partitions do not depend on each other, which is the
//! usual case, each is merged on its own instead ([`per_partition`](crate::merge::per_partition)).
//!
//! A row that is marked as deleted or closed leaves its file and comes again, changed, like any
//! other row of the run. So it goes to the partition that it then belongs to, and rows are written
//! in one way only.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::log::key_range::KeyRange;
use crate::log::snapshot::Snapshot;
use crate::merge::bloom_probe::BloomProbe;
use crate::merge::closing::RowClosing;
use crate::merge::decide::{Rules, Tally};
use crate::merge::incoming::{DeletedKeys, IncomingKeys};
use crate::merge::judge::{Judge, Resolved};
use crate::merge::per_partition::merge_by_partition;
use crate::merge::plan::{PartitionPlan, existing_file, incoming_file, plan};
use crate::merge::rewrite::{LeavingRows, Rewrite, changes_of};
use crate::merge::search::Search;
use crate::merge::search_spilled::judge_spilled;
use crate::merge::spill::SpilledKeys;
use crate::staging::area::{StagedFile, StagingArea};
use crate::staging::changes::Changes;
use crate::staging::partition::Partitioner;
use crate::storage::layout::folder_of;
use crate::tasks::{files_in_flight, spawn};
use lakefeed_model::error::Result;
use lakefeed_model::event::RowCounts;

/// Everything that a merge needs to know of its run.
#[derive(Debug)]
pub(crate) struct Merge {
    pub(crate) area: StagingArea,
    pub(crate) rules: Rules,
    pub(crate) incoming_keys: IncomingKeys,
    /// Whether rows whose key did not come are closed.
    pub(crate) retires_absent: bool,
    /// How rows are marked as deleted or closed, where they are.
    pub(crate) closing: Option<RowClosing>,
    pub(crate) partitioner: Partitioner,
    pub(crate) staged: Vec<StagedFile>,
}

/// Merges the staged rows into the table, and counts what became of them.
pub(crate) async fn merge(merge: Merge, snapshot: &Snapshot, counts: &mut RowCounts) -> Result<Changes> {
    let Merge { area, rules, incoming_keys, retires_absent, closing, partitioner, mut staged } = merge;
    let IncomingKeys { identity, index, spilled, versions, groups, mut dropped, deleted_keys, .. } = incoming_keys;
    let (puts, deletes) = spilled.as_ref().map_or((index.puts(), index.deletes()), SpilledKeys::counts);
    let has_work = puts + deletes > 0 || !groups.is_empty() || retires_absent;
    let index = RwLock::new(index);
    let search = Arc::new(Search { area, rules, identity, index, versions, groups, retires_absent });
    let range = search.is_keyed_only().then(|| range_of(&staged, deleted_keys)).flatten();
    let mut tally = Tally::default();
    if closing.is_none() && spilled.is_none() && search.is_partition_local(snapshot) {
        let changes = merge_by_partition(&search, range.as_ref(), snapshot, staged, &mut dropped, &mut tally).await?;
        tally.count(puts, deletes, counts);
        return Ok(changes);
    }
    let Resolved { gone, closed, .. } = if has_work {
        {
            let judge = Judge::new(&search, &staged, &mut dropped, &mut tally);
            resolve(judge, range.as_ref(), snapshot, &staged, spilled).await?
        }
    } else {
        Resolved::default()
    };
    tally.count(puts, deletes, counts);
    if let Some(closing) = closing {
        staged.extend(closing.stage_closed(&search.area, partitioner, snapshot, &closed).await?);
    }
    let existing = snapshot.files.iter().map(|(path, file)| existing_file(path, file, &gone)).collect::<Vec<_>>();
    let incoming = staged.iter().map(|file| incoming_file(file, &dropped)).collect::<Vec<_>>();
    let plans = plan(&existing, &incoming, search.area.limits.file_bytes_target);
    execute(&search.area, plans, snapshot, staged, LeavingRows { deleted: gone, dropped }).await
}

/// Returns the range of all keys of the run; `None` when it is not known.
fn range_of(staged: &[StagedFile], deleted: DeletedKeys) -> Option<KeyRange> {
    let deleted = match deleted {
        DeletedKeys::None => None,
        DeletedKeys::In(range) => Some(Some(range)),
        DeletedKeys::Any => Some(None),
    };
    staged.iter().map(|file| file.keys.clone()).chain(deleted).reduce(KeyRange::union).flatten()
}

/// Decides what becomes of every row of the table that the run touches, and which incoming rows are
/// not needed.
///
/// Files of the partitions in which the run has rows come first. Where no two rows of the table
/// share a key, what was found there is not looked for elsewhere, and what was not found is looked
/// for only in files whose Bloom filters may have it.
async fn resolve(
    mut judge: Judge<'_>,
    range: Option<&KeyRange>,
    snapshot: &Snapshot,
    staged: &[StagedFile],
    spilled: Option<SpilledKeys>,
) -> Result<Resolved> {
    let search = judge.search;
    let candidates = snapshot.files.iter().filter(|(_, file)| range.is_none_or(|range| range.may_meet(file)));
    let candidates = candidates.map(|(path, file)| (path.as_str(), file.bytes));
    let homes = staged.iter().map(|file| file.partition.path.as_str()).collect::<HashSet<_>>();
    let is_home = |path: &str| homes.contains(folder_of(path));
    let (home, away): (Vec<_>, Vec<_>) = candidates.partition(|(path, _)| is_home(path));
    let mut resolved = Resolved::default();
    if let Some(keys) = spilled {
        judge_spilled(&mut judge, keys, home.into_iter().chain(away), &mut resolved).await?;
        return Ok(resolved);
    }
    judge.files(home, None, &mut resolved).await?;
    let finds_once = snapshot.keys_are_unique && search.is_keyed_only();
    let unmatched = search.keys().saturating_sub(judge.tally.matched());
    if away.is_empty() || finds_once && unmatched == 0 {
        return Ok(resolved);
    }
    let probe = if finds_once { BloomProbe::of(search, staged, unmatched).await? } else { None };
    judge.files(away, probe.map(Arc::new), &mut resolved).await?;
    Ok(resolved)
}

/// Rewrites what the plans say, in parallel.
async fn execute(
    area: &StagingArea,
    plans: Vec<PartitionPlan>,
    snapshot: &Snapshot,
    staged: Vec<StagedFile>,
    mut leaving: LeavingRows,
) -> Result<Changes> {
    let mut staged_in: HashMap<String, Vec<StagedFile>> = HashMap::new();
    for file in staged {
        staged_in.entry(file.partition.path.clone()).or_default().push(file);
    }
    let rewrites = plans.into_iter().map(|plan| {
        let incoming = staged_in.remove(&plan.partition).unwrap_or_default();
        let rewrite = Rewrite::of(area, &plan, &snapshot.files, &incoming, &mut leaving, &mut HashMap::new());
        spawn(async move {
            let written = rewrite?.run().await?;
            Ok(changes_of(plan, &incoming, written))
        })
    });
    let mut changes = Changes::default();
    let rewrites = rewrites.collect::<Vec<_>>();
    let mut done = stream::iter(rewrites).buffered(files_in_flight());
    while let Some(changed) = done.try_next().await? {
        changes.extend(changed);
    }
    Ok(changes)
}
