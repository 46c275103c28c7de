//! Carries a merge out: finds the rows that the run touches (`search`), has [`decide`] say what becomes of them and [`plan`]
//! what becomes of their files, rewrites what has to be.
//!
//! In general, existing files are read twice before any is rewritten: their keys, to see whether the run has any of them; then the touched rows
//! alone, to see whether they differ. Files are worked on in parallel; what becomes of a key is decided in the order of the files, so that the
//! outcome does not depend on timing. Where partitions have nothing to say to each other, which is the usual case, each is merged on its own instead
//! (`merge_alone`).
//!
//! A row that is marked as deleted or closed leaves its file and comes again, changed, like any other row of the run; so it
//! goes to the partition that it then belongs to, and there is one way only in which rows are written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use tokio::task::JoinSet;

use super::arrivals::{Arrivals, DeletedKeys, Occurrences};
use super::commit::AddedFile;
use super::ending::Ending;
use super::fate::{Fate, Met, Op, RowFate, Rules, Tally, decide, decide_absent};
use super::hash::Fingerprint;
use super::index::{Entry, KeyIndex, Place, RowSet};
use super::layout::slot_of;
use super::lens::Identity;
use super::merge::{Existing, Incoming, PartitionPlan, plan};
use super::merge_alone::merge_alone;
use super::needles::Needles;
use super::partition::Partitioner;
use super::rank::{Rank, Ranking};
use super::reader::Source;
use super::rewrite::{Rewrite, changes_of};
use super::rolling::{StagedFile, StagingArea};
use super::search::{Found, Hit, Search, find_hits};
use super::slots::Slots;
use super::snapshot::{DataFile, KeyRange, Snapshot};
use super::spill::SpilledKeys;
use super::spilled::judge_spilled;
use super::storage::Storage;
use crate::spec::StrategyName;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::RowCounts;

/// Files that are worked on at the same time, at most.
const FILES_IN_FLIGHT_MAX: usize = 4;

/// Everything that a merge needs to know of its run.
#[derive(Debug)]
pub(super) struct Merge {
    pub(super) area: StagingArea,
    pub(super) rules: Rules,
    pub(super) arrivals: Arrivals,
    /// Whether rows whose key did not come are closed.
    pub(super) retires_absent: bool,
    /// How rows are marked as deleted or closed, where they are.
    pub(super) ending: Option<Ending>,
    pub(super) partitioner: Partitioner,
    pub(super) staged: Vec<StagedFile>,
}

/// What a commit does to the data files.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) adds: Vec<AddedFile>,
    pub(super) removes: Vec<String>,
}

impl Changes {
    /// Where the files that come are staged.
    pub(super) fn staged_paths(&self, storage: &Storage) -> Result<Vec<Path>> {
        self.adds.iter().map(|added| storage.resolve(&added.staged)).collect()
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.adds.extend(other.adds);
        self.removes.extend(other.removes);
    }
}

/// What becomes of the rows of the table: those that leave their files, and those of them that come again, marked.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) gone: BTreeMap<String, RowSet>,
    ended: BTreeMap<String, RowSet>,
    /// Which rows of the file at hand make room for which incoming rows of the same partition; `None` where nobody wants to know.
    pub(super) replaced: Option<Vec<(u32, Place)>>,
}

/// The same of one file.
#[derive(Debug, Default)]
struct ResolvedRows {
    gone: RowSet,
    ended: RowSet,
}

/// Merges the staged rows into the table; counts what became of them.
pub(super) async fn merge(merge: Merge, snapshot: &Snapshot, slots: &Slots, counts: &mut RowCounts) -> Result<Changes> {
    let Merge { area, rules, arrivals, retires_absent, ending, partitioner, mut staged } = merge;
    let Arrivals { lens, index, spilled, ranks, groups, mut dropped, deleted_keys, .. } = arrivals;
    let (puts, deletes) = spilled.as_ref().map_or((index.puts(), index.deletes()), SpilledKeys::counts);
    let has_work = puts + deletes > 0 || !groups.is_empty() || retires_absent;
    let index = RwLock::new(index);
    let search = Arc::new(Search { area, rules, lens, index, ranks, groups, retires_absent });
    let range = search.is_keyed_only().then(|| range_of(&staged, deleted_keys)).flatten();
    let mut tally = Tally::default();
    if ending.is_none() && spilled.is_none() && search.judges_alone(snapshot) {
        let changes = merge_alone(&search, range.as_ref(), snapshot, slots, staged, &mut dropped, &mut tally).await?;
        tally.count(puts, deletes, counts);
        return Ok(changes);
    }
    let Resolved { gone, ended, .. } = if has_work {
        resolve(&search, range.as_ref(), snapshot, &staged, spilled, &mut dropped, &mut tally).await?
    } else {
        Resolved::default()
    };
    tally.count(puts, deletes, counts);
    if let Some(ending) = ending {
        staged.extend(ending.restage(&search.area, partitioner, snapshot, &ended).await?);
    }
    let existing = snapshot.files.iter().map(|(path, file)| existing(path, file, &gone)).collect::<Vec<_>>();
    let incoming = staged.iter().map(|file| incoming(file, &dropped)).collect::<Vec<_>>();
    let plans = plan(&existing, &incoming, slots, search.area.limits.file_bytes_target);
    execute(&search.area, plans, snapshot, staged, gone, dropped).await
}

/// A file of the table, as its plan sees it.
pub(super) fn existing(path: &str, file: &DataFile, gone: &BTreeMap<String, RowSet>) -> Existing {
    let deleted = gone.get(path).map_or(0, RowSet::len);
    Existing { path: path.to_owned(), rows: file.rows, bytes: file.bytes, deleted }
}

/// A staged file, as its plan sees it.
pub(super) fn incoming(file: &StagedFile, dropped: &HashMap<u32, RowSet>) -> Incoming {
    Incoming {
        number: file.number,
        partition: file.partition.path.clone(),
        rows: file.rows,
        bytes: file.bytes,
        dropped: dropped.get(&file.number).map_or(0, RowSet::len),
        is_held: file.held.is_some(),
    }
}

/// The range of all keys of the run; `None` when it is not known.
fn range_of(staged: &[StagedFile], deleted: DeletedKeys) -> Option<KeyRange> {
    let deleted = match deleted {
        DeletedKeys::None => None,
        DeletedKeys::In(range) => Some(Some(range)),
        DeletedKeys::Any => Some(None),
    };
    staged.iter().map(|file| file.keys.clone()).chain(deleted).reduce(KeyRange::union).flatten()
}

/// Decides what becomes of every row of the table that the run touches, and which incoming rows are not needed.
///
/// Files are looked at in the partitions first where the run has rows. Where no two rows of the table share a key, what was found
/// there need not be looked for elsewhere; and what was not found is looked for only in files whose bloom filters may have it.
async fn resolve(
    search: &Arc<Search>,
    range: Option<&KeyRange>,
    snapshot: &Snapshot,
    staged: &[StagedFile],
    spilled: Option<SpilledKeys>,
    dropped: &mut HashMap<u32, RowSet>,
    tally: &mut Tally,
) -> Result<Resolved> {
    let candidates = snapshot.files.iter().filter(|(_, file)| range.is_none_or(|range| range.may_meet(file)));
    let candidates = candidates.map(|(path, file)| (path.as_str(), file.bytes));
    let homes = staged.iter().map(|file| file.partition.path.as_str()).collect::<HashSet<_>>();
    let is_home = |path: &str| slot_of(path).is_some_and(|(folder, _)| homes.contains(folder));
    let (home, away): (Vec<_>, Vec<_>) = candidates.partition(|(path, _)| is_home(path));
    let folders = staged.iter().map(|file| (file.number, file.partition.path.as_str())).collect::<HashMap<_, _>>();
    let mut judge = Judge { search, folders, occurrences: Occurrences::default(), dropped, tally };
    let mut resolved = Resolved::default();
    if let Some(keys) = spilled {
        judge_spilled(&mut judge, keys, home.into_iter().chain(away), &mut resolved).await?;
        return Ok(resolved);
    }
    judge.files(home, None, &mut resolved).await?;
    let finds_once = snapshot.keys_are_unique && search.is_keyed_only();
    let unmet = search.keys().saturating_sub(judge.tally.met());
    if away.is_empty() || finds_once && unmet == 0 {
        return Ok(resolved);
    }
    let needles = if finds_once { Needles::of(search, staged, unmet).await? } else { None };
    judge.files(away, needles.map(Arc::new), &mut resolved).await?;
    Ok(resolved)
}

/// Has every hit decided about, file by file.
pub(super) struct Judge<'a> {
    pub(super) search: &'a Arc<Search>,
    /// The folders of the staged files.
    pub(super) folders: HashMap<u32, &'a str>,
    pub(super) occurrences: Occurrences,
    pub(super) dropped: &'a mut HashMap<u32, RowSet>,
    pub(super) tally: &'a mut Tally,
}

impl Judge<'_> {
    /// Searches files, in parallel, and decides about what is found, in their order. Files that certainly have none of `needles` are
    /// passed over.
    async fn files(
        &mut self,
        files: Vec<(&str, u64)>,
        needles: Option<Arc<Needles>>,
        resolved: &mut Resolved,
    ) -> Result<()> {
        let searches = files.into_iter().map(|(path, bytes)| {
            let (search, needles, path) = (Arc::clone(self.search), needles.clone(), path.to_owned());
            spawn(async move {
                let source = Source { path: search.area.storage.resolve(&path)?, bytes };
                let may_have = match &needles {
                    Some(needles) => needles.may_be_in(&search.area.storage, &source).await?,
                    None => true,
                };
                let found = if may_have { find_hits(&search, &source).await? } else { Found::default() };
                Ok((path, found))
            })
        });
        let searches = searches.collect::<Vec<_>>();
        let mut found = stream::iter(searches).buffered(files_in_flight());
        while let Some((path, found)) = found.try_next().await? {
            self.judge(&path, &found, resolved);
        }
        Ok(())
    }

    pub(super) fn judge(&mut self, path: &str, found: &Found, resolved: &mut Resolved) {
        let search = self.search;
        let folder = slot_of(path).map_or("", |(folder, _)| folder);
        let mut rows = resolved.rows_of(path);
        // Rows that are met one after another are often staged in one file.
        let mut home = None;
        let mut index = search.index.write().unwrap_or_else(PoisonError::into_inner);
        for (position, hit) in found.hits.iter().enumerate() {
            let key = match search.lens.identity {
                Identity::Key | Identity::Record => hit.key,
                // The first row of the table meets the first one that came, the second the second, and so on.
                Identity::Occurrence => self.occurrences.next(hit.row, |key| is_met(&index, key)),
            };
            let Some(entry) = index.get_mut_at(hit.place, key) else {
                rows.note(hit.position, self.absent());
                continue;
            };
            let is_home = match home {
                Some((file, is_home)) if file == entry.place.file => is_home,
                _ => self.folders.get(&entry.place.file) == Some(&folder),
            };
            home = Some((entry.place.file, is_home));
            let before = entry.fate;
            rows.note(hit.position, self.meet(is_home, key, entry, *hit, found.ranks.get(position)));
            if let (Some(replaced), Fate::Fresh, Fate::Updated) = (&mut resolved.replaced, before, entry.fate) {
                replaced.push((hit.position, entry.place));
            }
        }
        for position in found.absent.positions() {
            rows.note(u32::try_from(position).unwrap_or(u32::MAX), self.absent());
        }
        resolved.put_back(path, rows);
    }

    /// A row of the table meets what the run has of its key.
    fn meet(&mut self, is_home: bool, key: Fingerprint, entry: &mut Entry, hit: Hit, rank: Option<&Rank>) -> RowFate {
        let Search { rules, lens, ranks, .. } = self.search.as_ref();
        let guards = |(ranking, rank): (&Ranking, &Rank)| ranking.guards(rank, (entry.op, ranks.get(key)));
        let met = Met {
            is_same: entry.op == Op::Put && entry.row == hit.row,
            // A version stays where it is when the next one opens.
            is_in_place: rules.strategy == StrategyName::Scd2 || is_home,
            is_live: hit.is_live,
            is_newer: lens.ranking.as_ref().zip(rank).is_some_and(guards),
        };
        let decision = decide(*rules, entry.op, entry.fate, met);
        let is_dropped = matches!(decision.fate, Fate::Unchanged | Fate::Kept);
        if let (true, Some(place)) = (is_dropped, entry.staged()) {
            self.dropped.entry(place.file).or_default().insert(place.row);
        }
        self.tally.turn(entry.op, entry.fate, decision.fate);
        self.tally.row(decision.row, false);
        entry.fate = decision.fate;
        decision.row
    }

    /// A row of the table whose key the run does not have.
    fn absent(&mut self) -> RowFate {
        let Search { rules, .. } = self.search.as_ref();
        let fate = decide_absent(*rules);
        self.tally.row(fate, rules.strategy == StrategyName::Scd2);
        fate
    }
}

impl Resolved {
    /// What is known of the rows of a file, which is to be put back.
    fn rows_of(&mut self, path: &str) -> ResolvedRows {
        let [gone, ended] = [&mut self.gone, &mut self.ended].map(|files| files.remove(path).unwrap_or_default());
        ResolvedRows { gone, ended }
    }

    fn put_back(&mut self, path: &str, rows: ResolvedRows) {
        let ResolvedRows { gone, ended } = rows;
        for (files, rows) in [(&mut self.gone, gone), (&mut self.ended, ended)] {
            if rows.len() > 0 {
                files.insert(path.to_owned(), rows);
            }
        }
    }
}

impl ResolvedRows {
    fn note(&mut self, position: u32, fate: RowFate) {
        if fate != RowFate::Stays {
            self.gone.insert(position);
        }
        if fate == RowFate::Ends {
            self.ended.insert(position);
        }
    }
}

/// Whether a row of the table has met this one already, so that the next equal one is to meet another.
fn is_met(index: &KeyIndex, key: Fingerprint) -> bool {
    index.get(key).is_some_and(|entry| entry.fate != Fate::Fresh)
}

/// Rewrites what the plans say, in parallel.
async fn execute(
    area: &StagingArea,
    plans: Vec<PartitionPlan>,
    snapshot: &Snapshot,
    staged: Vec<StagedFile>,
    mut deleted: BTreeMap<String, RowSet>,
    mut dropped: HashMap<u32, RowSet>,
) -> Result<Changes> {
    let mut staged_in: HashMap<String, Vec<StagedFile>> = HashMap::new();
    for file in staged {
        staged_in.entry(file.partition.path.clone()).or_default().push(file);
    }
    let rewrites = plans.into_iter().map(|plan| {
        let incoming = staged_in.remove(&plan.partition).unwrap_or_default();
        let rewrite =
            Rewrite::of(area, &plan, &snapshot.files, &incoming, (&mut deleted, &mut dropped), &mut HashMap::new());
        let area = area.clone();
        spawn(async move {
            let written = rewrite?.run().await?;
            Ok(changes_of(&area, plan, &incoming, written))
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

pub(super) fn files_in_flight() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(FILES_IN_FLIGHT_MAX)
}

/// Work as a task of its own, which starts when it is first polled and ends when nobody waits for it any more.
pub(super) async fn spawn<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(Error::storage("a part of the work ended unexpectedly").with_source(error)),
        None => Err(Error::storage("a part of the work was lost")),
    }
}
