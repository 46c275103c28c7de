//! Carries a merge out: finds the rows that the run touches, has [`plan`] decide, rewrites what has to be.
//!
//! Existing files are read twice at most: their keys, to see whether the run has any of them; then the touched rows
//! alone, to see whether they differ. Nothing is read whole but what is rewritten. Files are worked on in parallel;
//! what becomes of a key is decided in the order of the files, so that the outcome does not depend on timing.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use super::commit::{AddedFile, staged_name};
use super::hash::{Fingerprint, Fingerprinter};
use super::index::{Fate, KeyIndex, RowSet};
use super::layout::{data_file, slot_of};
use super::merge::{Existing, Incoming, PartitionPlan, plan};
use super::partition::Partition;
use super::reader::{Part, Source, ranges, read};
use super::rolling::{RollingWriter, StagedFile, StagingArea, compute};
use super::schema::{conform, misfit};
use super::snapshot::{KeyRange, Snapshot};
use crate::error::{Error, Result};
use crate::event::RowCounts;

/// Files that are worked on at the same time, at most.
const FILES_IN_FLIGHT_MAX: usize = 4;

/// Everything that a merge needs to know of its run.
#[derive(Debug)]
pub(super) struct Merge {
    pub(super) area: StagingArea,
    pub(super) primary_key: Vec<String>,
    pub(super) keys: Fingerprinter,
    pub(super) rows: Fingerprinter,
    pub(super) index: KeyIndex,
    /// Rows of staged files that a later arrival replaced.
    pub(super) dropped: HashMap<u32, RowSet>,
    pub(super) staged: Vec<StagedFile>,
}

/// What a commit does to the data files.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) adds: Vec<AddedFile>,
    pub(super) removes: Vec<String>,
}

/// A row of a data file whose key the run has.
#[derive(Debug, Clone, Copy)]
struct Hit {
    position: u32,
    key: Fingerprint,
    row: Fingerprint,
}

/// What the parallel parts of a merge share.
#[derive(Debug)]
struct Shared {
    area: StagingArea,
    primary_key: Vec<String>,
    keys: Fingerprinter,
    rows: Fingerprinter,
    index: RwLock<KeyIndex>,
}

/// Merges the staged rows into the table; counts what became of them.
pub(super) async fn merge(merge: Merge, snapshot: &Snapshot, counts: &mut RowCounts) -> Result<Changes> {
    let Merge { area, primary_key, keys, rows, index, mut dropped, staged } = merge;
    let key_count = index.keys() as u64;
    let shared = Arc::new(Shared { area, primary_key, keys, rows, index: RwLock::new(index) });
    let deleted = resolve(&shared, snapshot, &staged, &mut dropped, counts).await?;
    counts.inserted = key_count - counts.updated - counts.unchanged;
    let existing = snapshot
        .files
        .iter()
        .map(|(path, file)| Existing {
            path: path.clone(),
            rows: file.rows,
            bytes: file.bytes,
            deleted: deleted.get(path).map_or(0, RowSet::len),
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
    let plans = plan(&existing, &incoming, shared.area.limits.file_bytes_target);
    execute(&shared.area, plans, snapshot, staged, deleted, dropped).await
}

/// Decides what becomes of every key that the table has: which old rows leave, which new ones are not needed.
async fn resolve(
    shared: &Arc<Shared>,
    snapshot: &Snapshot,
    staged: &[StagedFile],
    dropped: &mut HashMap<u32, RowSet>,
    counts: &mut RowCounts,
) -> Result<BTreeMap<String, RowSet>> {
    let mut deleted: BTreeMap<String, RowSet> = BTreeMap::new();
    if staged.is_empty() {
        return Ok(deleted);
    }
    let range = staged.iter().map(|file| file.keys.clone()).reduce(KeyRange::union).flatten();
    let folders = staged.iter().map(|file| (file.number, file.partition.path.as_str())).collect::<HashMap<_, _>>();
    let candidates = snapshot.files.iter().filter(|(_, file)| range.as_ref().is_none_or(|range| range.may_meet(file)));
    let searches = candidates.map(|(path, file)| {
        let shared = Arc::clone(shared);
        let (path, bytes) = (path.clone(), file.bytes);
        spawn(async move {
            let source = Source { path: shared.area.storage.resolve(&path)?, bytes };
            let hits = find_hits(&shared, &source).await?;
            Ok((path, hits))
        })
    });
    let searches = searches.collect::<Vec<_>>();
    let mut found = stream::iter(searches).buffered(files_in_flight());
    while let Some((path, hits)) = found.try_next().await? {
        let folder = slot_of(&path).map_or("", |(folder, _)| folder);
        let mut index = shared.index.write().unwrap_or_else(PoisonError::into_inner);
        for hit in hits {
            let Some(entry) = index.get_mut(hit.key) else { continue };
            let stays_put = folders.get(&entry.place.file) == Some(&folder);
            let leaves = match entry.fate {
                Fate::Inserted if entry.row == hit.row && stays_put => {
                    entry.fate = Fate::Unchanged;
                    counts.unchanged += 1;
                    dropped.entry(entry.place.file).or_default().insert(entry.place.row);
                    false
                }
                Fate::Inserted => {
                    entry.fate = Fate::Updated;
                    counts.updated += 1;
                    counts.moved += u64::from(!stays_put);
                    true
                }
                // The table had the key more than once, as appends may leave it; one row is enough.
                Fate::Updated | Fate::Unchanged => {
                    counts.deleted += 1;
                    true
                }
            };
            if leaves {
                deleted.entry(path.clone()).or_default().insert(hit.position);
            }
        }
    }
    Ok(deleted)
}

/// The rows of a data file whose keys the run has, with the fingerprints of their present content.
async fn find_hits(shared: &Shared, source: &Source) -> Result<Vec<Hit>> {
    let storage = &shared.area.storage;
    let fails = |error: ArrowError| misfit(storage, "compare the rows of", &source.path, error);
    let mut hits: Vec<Hit> = Vec::new();
    let mut first = 0_u32;
    let mut batches = read(storage, source, Part::Columns(&shared.primary_key)).await?;
    while let Some(batch) = batches.try_next().await? {
        let keys = compute(|| shared.key_fingerprints(&batch)).map_err(fails)?;
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let touched = (first..).zip(keys).filter(|(_, key)| index.contains(*key));
        hits.extend(touched.map(|(position, key)| Hit { position, key, row: 0 }));
        first += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    }
    if hits.is_empty() {
        return Ok(hits);
    }
    let positions = ranges(hits.iter().map(|hit| hit.position as usize));
    let mut unread = hits.iter_mut();
    let mut batches = read(storage, source, Part::Rows(&positions)).await?;
    while let Some(batch) = batches.try_next().await? {
        let rows = compute(|| conform(&batch, &shared.area.schema).and_then(|batch| shared.rows.of_batch(&batch)));
        for row in rows.map_err(fails)? {
            if let Some(hit) = unread.next() {
                hit.row = row;
            }
        }
    }
    if unread.next().is_some() {
        return Err(Error::storage(format!("{} ended before all of its rows were read", storage.show(&source.path))));
    }
    Ok(hits)
}

impl Shared {
    fn key_fingerprints(&self, batch: &RecordBatch) -> Result<Vec<Fingerprint>, ArrowError> {
        let columns = self
            .primary_key
            .iter()
            .map(|name| {
                let missing = || ArrowError::SchemaError(format!("the key column {name} is missing"));
                batch.column_by_name(name).map(Arc::clone).ok_or_else(missing)
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.keys.of(&columns)
    }
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
            let fails = |error: ArrowError| misfit(&area.storage, "rewrite", &source.path, error);
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
