//! Carries a merge out: finds the rows that the run touches (`search`), has [`decide`] say what becomes of them and [`plan`]
//! what becomes of their files, rewrites what has to be.
//!
//! Existing files are read twice at most: their keys, to see whether the run has any of them; then the touched rows
//! alone, to see whether they differ. Nothing is read whole but what is rewritten. Files are worked on in parallel;
//! what becomes of a key is decided in the order of the files, so that the outcome does not depend on timing.
//!
//! A row that is marked as deleted or closed leaves its file and comes again, changed, like any other row of the run; so it
//! goes to the partition that it then belongs to, and there is one way only in which rows are written.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use super::arrivals::{Arrivals, DeletedKeys, Occurrences};
use super::commit::{AddedFile, staged_name};
use super::ending::Ending;
use super::fate::{Fate, Met, Op, RowFate, Rules, Tally, decide, decide_absent};
use super::index::{KeyIndex, RowSet};
use super::layout::{data_file, slot_of};
use super::lens::Identity;
use super::merge::{Existing, Incoming, PartitionPlan, plan};
use super::partition::{Partition, Partitioner};
use super::reader::{Part, Source, read};
use super::rolling::{RollingWriter, StagedFile, StagingArea, compute};
use super::schema::conform;
use super::search::{Found, Search, find_hits};
use super::slots::Slots;
use super::snapshot::{KeyRange, Snapshot};
use crate::error::{Error, Result};
use crate::event::RowCounts;
use crate::spec::StrategyName;

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

/// What becomes of the rows of the table: those that leave their files, and those of them that come again, marked.
#[derive(Debug, Default)]
struct Resolved {
    gone: BTreeMap<String, RowSet>,
    ended: BTreeMap<String, RowSet>,
}

/// Merges the staged rows into the table; counts what became of them.
pub(super) async fn merge(merge: Merge, snapshot: &Snapshot, slots: &Slots, counts: &mut RowCounts) -> Result<Changes> {
    let Merge { area, rules, arrivals, retires_absent, ending, partitioner, mut staged } = merge;
    let Arrivals { lens, index, ranks, groups, mut dropped, deleted_keys, .. } = arrivals;
    let (puts, deletes) = (index.puts(), index.deletes());
    let is_keyed_only = !lens.has_groups() && !retires_absent;
    let range = is_keyed_only.then(|| range_of(&staged, deleted_keys)).flatten();
    let has_work = !index.is_empty() || !groups.is_empty() || retires_absent;
    let index = RwLock::new(index);
    let search = Arc::new(Search { area, rules, lens, index, ranks, groups, retires_absent });
    let mut tally = Tally::default();
    let Resolved { gone, ended } = if has_work {
        resolve(&search, range.as_ref(), snapshot, &staged, &mut dropped, &mut tally).await?
    } else {
        Resolved::default()
    };
    tally.count(puts, deletes, counts);
    if let Some(ending) = ending {
        staged.extend(ending.restage(&search.area, partitioner, snapshot, &ended).await?);
    }
    let existing = snapshot
        .files
        .iter()
        .map(|(path, file)| Existing {
            path: path.clone(),
            rows: file.rows,
            bytes: file.bytes,
            deleted: gone.get(path).map_or(0, RowSet::len),
        })
        .collect::<Vec<_>>();
    let incoming = staged
        .iter()
        .map(|file| Incoming {
            number: file.number,
            partition: file.partition.path.clone(),
            rows: file.rows,
            bytes: file.bytes,
            dropped: dropped.get(&file.number).map_or(0, RowSet::len),
        })
        .collect::<Vec<_>>();
    let plans = plan(&existing, &incoming, slots, search.area.limits.file_bytes_target);
    execute(&search.area, plans, snapshot, staged, gone, dropped).await
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
async fn resolve(
    search: &Arc<Search>,
    range: Option<&KeyRange>,
    snapshot: &Snapshot,
    staged: &[StagedFile],
    dropped: &mut HashMap<u32, RowSet>,
    tally: &mut Tally,
) -> Result<Resolved> {
    let candidates = snapshot.files.iter().filter(|(_, file)| range.is_none_or(|range| range.may_meet(file)));
    let searches = candidates.map(|(path, file)| {
        let search = Arc::clone(search);
        let (path, bytes) = (path.clone(), file.bytes);
        spawn(async move {
            let source = Source { path: search.area.storage.resolve(&path)?, bytes };
            let found = find_hits(&search, &source).await?;
            Ok((path, found))
        })
    });
    let searches = searches.collect::<Vec<_>>();
    let folders = staged.iter().map(|file| (file.number, file.partition.path.as_str())).collect::<HashMap<_, _>>();
    let mut judge = Judge { search, folders, occurrences: Occurrences::default(), dropped, tally };
    let mut resolved = Resolved::default();
    let mut found = stream::iter(searches).buffered(files_in_flight());
    while let Some((path, found)) = found.try_next().await? {
        judge.judge(&path, &found, &mut resolved);
    }
    Ok(resolved)
}

/// Has every hit decided about, file by file.
struct Judge<'a> {
    search: &'a Search,
    /// The folders of the staged files.
    folders: HashMap<u32, &'a str>,
    occurrences: Occurrences,
    dropped: &'a mut HashMap<u32, RowSet>,
    tally: &'a mut Tally,
}

impl Judge<'_> {
    fn judge(&mut self, path: &str, found: &Found, resolved: &mut Resolved) {
        let Search { rules, lens, ranks, index, .. } = self.search;
        let folder = slot_of(path).map_or("", |(folder, _)| folder);
        let mut index = index.write().unwrap_or_else(PoisonError::into_inner);
        for (position, hit) in found.hits.iter().enumerate() {
            let key = match lens.identity {
                Identity::Key | Identity::Record => hit.key,
                // The first row of the table meets the first one that came, the second the second, and so on.
                Identity::Occurrence => self.occurrences.next(hit.row, |key| is_met(&index, key)),
            };
            let fate = match index.get_mut(key) {
                None => {
                    let fate = decide_absent(*rules);
                    self.tally.row(fate, rules.strategy == StrategyName::Scd2);
                    fate
                }
                Some(entry) => {
                    let came = self.folders.get(&entry.place.file);
                    let met = Met {
                        is_same: entry.op == Op::Put && entry.row == hit.row,
                        // A version stays where it is when the next one opens.
                        is_in_place: rules.strategy == StrategyName::Scd2 || came == Some(&folder),
                        is_live: hit.is_live,
                        is_newer: lens
                            .ranking
                            .as_ref()
                            .zip(found.ranks.get(position))
                            .is_some_and(|(ranking, rank)| ranking.guards(rank, (entry.op, ranks.get(key)))),
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
            };
            if fate == RowFate::Ends {
                resolved.ended.entry(path.to_owned()).or_default().insert(hit.position);
            }
            if fate != RowFate::Stays {
                resolved.gone.entry(path.to_owned()).or_default().insert(hit.position);
            }
        }
    }
}

/// Whether a row of the table has met this one already, so that the next equal one is to meet another.
fn is_met(index: &KeyIndex, key: u128) -> bool {
    index.get(key).is_some_and(|entry| entry.fate != Fate::Fresh)
}

/// What a rewrite reads: files, and the rows of them that it leaves out.
#[derive(Debug)]
struct Rewrite {
    area: StagingArea,
    partition: Arc<Partition>,
    sources: Vec<(Source, RowSet)>,
}

async fn execute(
    area: &StagingArea,
    plans: Vec<PartitionPlan>,
    snapshot: &Snapshot,
    staged: Vec<StagedFile>,
    mut deleted: BTreeMap<String, RowSet>,
    mut dropped: HashMap<u32, RowSet>,
) -> Result<Changes> {
    let staged = staged.into_iter().map(|file| (file.number, file)).collect::<HashMap<_, _>>();
    let mut work = Vec::new();
    for plan in plans {
        let mut sources = Vec::new();
        for path in &plan.rewritten {
            let bytes = snapshot.files.get(path).map_or(0, |file| file.bytes);
            let rows = deleted.remove(path).unwrap_or_default();
            sources.push((Source { path: area.storage.resolve(path)?, bytes }, rows));
        }
        for file in plan.merged.iter().filter_map(|number| staged.get(number)) {
            let path = area.storage.layout.staged_file(&area.run_id, file.number);
            sources.push((Source { path, bytes: file.bytes }, dropped.remove(&file.number).unwrap_or_default()));
        }
        let values = plan.leaving.first().and_then(|path| snapshot.files.get(path)).map(|file| file.partition.clone());
        let incoming = staged.values().find(|file| file.partition.path == plan.partition);
        let partition = match incoming {
            Some(file) => Arc::clone(&file.partition),
            None => Arc::new(Partition { path: plan.partition.clone(), values: values.unwrap_or_default() }),
        };
        work.push((plan, Rewrite { area: area.clone(), partition, sources }));
    }
    let mut changes = Changes::default();
    let rewrites = work.into_iter().map(|(plan, rewrite)| {
        spawn(async move {
            let written = if plan.rewrites() { rewrite.run().await? } else { Vec::new() };
            Ok((plan, written))
        })
    });
    let rewrites = rewrites.collect::<Vec<_>>();
    let mut done = stream::iter(rewrites).buffered(files_in_flight());
    while let Some((mut plan, written)) = done.try_next().await? {
        let adopted = plan.adopted.iter().filter_map(|(number, slot)| Some((staged.get(number)?.clone(), *slot)));
        let mut placed = adopted.collect::<Vec<_>>();
        for file in written {
            placed.push((file, plan.take_slot()));
        }
        let adds = placed.iter().map(|(file, slot)| added_file(area, file, *slot)).collect::<Vec<_>>();
        let taken = |path: &String| adds.iter().any(|added| added.path == *path);
        changes.removes.extend(plan.leaving.iter().filter(|path| !taken(path)).cloned());
        changes.adds.extend(adds);
    }
    Ok(changes)
}

impl Rewrite {
    /// Writes the surviving rows of all sources to new staged files.
    async fn run(self) -> Result<Vec<StagedFile>> {
        let Self { mut area, partition, sources } = self;
        area.limits.writer_buffer_bytes /= files_in_flight();
        let mut writer = RollingWriter::new(area.clone());
        for (source, leaving) in &sources {
            let fails = |error: ArrowError| area.storage.failed("rewrite", &source.path, error);
            let mut position = 0_u64;
            let mut batches = read(&area.storage, source, Part::Whole).await?;
            while let Some(batch) = batches.try_next().await? {
                let rows = batch.num_rows() as u64;
                let kept = compute(|| keep_rows(&batch, position, leaving)).map_err(fails)?;
                position += rows;
                if kept.num_rows() > 0 {
                    let kept = conform(&kept, &area.schema).map_err(fails)?;
                    writer.write(&partition, &kept).await?;
                }
            }
        }
        writer.finish().await
    }
}

/// The rows of a batch that stay; the batch begins at `position` of its file.
fn keep_rows(batch: &RecordBatch, position: u64, leaving: &RowSet) -> Result<RecordBatch, ArrowError> {
    if leaving.len() == 0 {
        return Ok(batch.clone());
    }
    let end = position + batch.num_rows() as u64;
    let mask = (position..end).map(|row| !leaving.contains(row)).collect::<Vec<_>>();
    filter_record_batch(batch, &BooleanArray::from(mask))
}

/// A staged file under its final name.
pub(super) fn added_file(area: &StagingArea, file: &StagedFile, slot: u32) -> AddedFile {
    let keys = file.keys.clone();
    let (key_min, key_max) = keys.map_or((None, None), |keys| (Some(keys.min), Some(keys.max)));
    let staged = area.storage.layout.staged_file(&area.run_id, file.number);
    AddedFile {
        path: data_file(&file.partition.path, slot),
        staged: staged_name(&area.storage, &staged),
        bytes: file.bytes,
        rows: file.rows,
        partition: file.partition.values.clone(),
        key_min,
        key_max,
    }
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
