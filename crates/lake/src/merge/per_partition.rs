//! Merges partition by partition, each in one go: its files are read once, compared, decided about
//! and rewritten while their rows are in memory.
//!
//! That is right where what becomes of a partition does not depend on another one
//! (`Search::is_partition_local`). No two rows of the table share a key, so each key of the run
//! matches one row at most. Whatever that row is, the incoming one is needed unless they are the
//! same row in the same partition.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use crate::log::document::DataFile;
use crate::log::key_range::KeyRange;
use crate::log::snapshot::Snapshot;
use crate::merge::bloom_probe::BloomProbe;
use crate::merge::decide::Tally;
use crate::merge::judge::{Judge, Resolved};
use crate::merge::plan::{PartitionPlan, existing_file, incoming_file, plan_partition, small_bytes};
use crate::merge::rewrite::{LeavingRows, Rewrite, changes_of};
use crate::merge::search::{Search, find_hits, scan_loaded};
use crate::merge::splice::{IncomingRows, LoadedFile, Splice};
use crate::parquet::reader::{Decoding, Source};
use crate::parquet::row_set::RowSet;
use crate::staging::area::{StagedFile, StagingArea};
use crate::staging::changes::Changes;
use crate::storage::layout::folder_of;
use crate::tasks::{files_in_flight, spawn};
use lakefeed_model::error::{Error, Result};

/// Bytes of rows of the table that are kept in memory while a partition is merged. What does not
/// fit is read again when it is rewritten.
const LOADED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Compressed bytes of a file beyond which its keys are read on their own first.
const LOADED_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One partition.
struct PartitionMerge {
    search: Arc<Search>,
    files: BTreeMap<String, DataFile>,
    staged: Vec<StagedFile>,
    /// The rows of the staged files that others have replaced.
    dropped: HashMap<u32, RowSet>,
    range: Option<KeyRange>,
    probe: Option<Arc<BloomProbe>>,
    /// Ahead where there are processors to spare while a batch is judged.
    decoding: Decoding,
}

/// Merges the staged rows into the table, the partitions first where the run has rows: what is
/// found there is not looked for elsewhere.
pub(crate) async fn merge_by_partition(
    search: &Arc<Search>,
    range: Option<&KeyRange>,
    snapshot: &Snapshot,
    staged: Vec<StagedFile>,
    dropped: &mut HashMap<u32, RowSet>,
    tally: &mut Tally,
) -> Result<Changes> {
    let mut partitions: BTreeMap<String, PartitionMerge> = BTreeMap::new();
    let alone = || -> PartitionMerge {
        let (files, staged, dropped) = (BTreeMap::new(), Vec::new(), HashMap::new());
        PartitionMerge {
            search: Arc::clone(search),
            files,
            staged,
            dropped,
            range: range.cloned(),
            probe: None,
            decoding: Decoding::OnDemand,
        }
    };
    for file in &staged {
        let partition = partitions.entry(file.partition.path.clone()).or_insert_with(alone);
        partition.dropped.extend(dropped.remove(&file.number).map(|rows| (file.number, rows)));
        partition.staged.push(file.clone());
    }
    let mut away: BTreeMap<&str, PartitionMerge> = BTreeMap::new();
    for (path, file) in &snapshot.files {
        let folder = folder_of(path);
        let partition = match partitions.get_mut(folder) {
            Some(partition) => partition,
            None => away.entry(folder).or_insert_with(alone),
        };
        partition.files.insert(path.clone(), file.clone());
    }
    let (area, mut changes) = (&search.area, Changes::default());
    run(area, partitions.into_values(), &mut changes, tally).await?;
    let unmatched = search.keys().saturating_sub(tally.matched());
    away.retain(|_, partition| partition.has_candidates());
    if away.is_empty() || unmatched == 0 {
        return Ok(changes);
    }
    let probe = BloomProbe::of(search, &staged, unmatched).await?.map(Arc::new);
    let away = away.into_values().map(|partition| PartitionMerge { probe: probe.clone(), ..partition });
    run(area, away, &mut changes, tally).await?;
    Ok(changes)
}

async fn run(
    area: &StagingArea,
    partitions: impl Iterator<Item = PartitionMerge>,
    changes: &mut Changes,
    tally: &mut Tally,
) -> Result<()> {
    let partitions = partitions.collect::<Vec<_>>();
    let mut left = partitions.len();
    let decoding = if partitions.len() < files_in_flight() { Decoding::Ahead } else { Decoding::OnDemand };
    let work = partitions
        .into_iter()
        .map(|partition| spawn(PartitionMerge { decoding, ..partition }.merge()))
        .collect::<Vec<_>>();
    let mut done = stream::iter(work).buffered(files_in_flight());
    // The commit wants staged files durable. Disks work on that while processors work on the next
    // ones.
    let mut syncs = JoinSet::new();
    while let Some((changed, counted)) = done.try_next().await? {
        left -= 1;
        // After the last one there is nothing else to do: the commit makes it durable together with
        // itself.
        if left > 0 {
            let (storage, staged) = (area.storage.clone(), changed.staged_paths(area));
            syncs.spawn(async move { storage.sync_content(&staged).await });
        }
        changes.extend(changed);
        tally.add(&counted);
    }
    while let Some(synced) = syncs.join_next().await {
        synced.map_err(|error| Error::defect("a part of the work ended unexpectedly").with_source(error))??;
    }
    Ok(())
}

/// The rows of a file, as far as there is room for them in memory.
struct Keeping {
    /// `None` once they did not fit.
    rows: Option<Vec<RecordBatch>>,
    /// Bytes that are free.
    room: usize,
}

impl Keeping {
    fn keep(&mut self, batch: RecordBatch) {
        let Some(rows) = &mut self.rows else { return };
        match self.room.checked_sub(batch.get_array_memory_size()) {
            Some(room) => {
                self.room = room;
                rows.push(batch);
            }
            None => self.rows = None,
        }
    }
}

impl PartitionMerge {
    fn candidates(&self) -> impl Iterator<Item = (&String, &DataFile)> {
        self.files.iter().filter(|(_, file)| self.range.as_ref().is_none_or(|range| range.may_meet(file)))
    }

    fn has_candidates(&self) -> bool {
        self.candidates().next().is_some()
    }

    async fn merge(mut self) -> Result<(Changes, Tally)> {
        let mut tally = Tally::default();
        let (mut resolved, mut held) = (Resolved::default(), HashMap::new());
        let mut dropped = std::mem::take(&mut self.dropped);
        let mut judge = Judge::new(&self.search, &self.staged, &mut dropped, &mut tally);
        self.judge_files(&mut judge, &mut resolved, &mut held).await?;
        let Self { search, files, staged, .. } = self;
        let area = &search.area;
        let existing = files.iter().map(|(path, file)| existing_file(path, file, &resolved.gone)).collect::<Vec<_>>();
        let incoming = staged.iter().map(|file| incoming_file(file, &dropped)).collect::<Vec<_>>();
        let folder = match (staged.first(), files.keys().next()) {
            (Some(file), _) => file.partition.path.clone(),
            (None, path) => path.map_or("", |path| folder_of(path)).to_owned(),
        };
        let (existing, incoming): (Vec<_>, Vec<_>) = (existing.iter().collect(), incoming.iter().collect());
        let small = small_bytes(area.limits.file_bytes_target);
        let Some(plan) = plan_partition(&folder, &existing, &incoming, small) else {
            return Ok((Changes::default(), tally));
        };
        let judged =
            Judged { area, files: &files, staged: &staged, gone: &resolved.gone, dropped: &dropped, held: &held };
        if let Some(splice) = judged.splice(&plan)
            && let Some(written) = splice.run().await?
        {
            return Ok((changes_of(plan, &staged, vec![written]), tally));
        }
        let mut leaving = LeavingRows { deleted: resolved.gone, dropped };
        let rewrite = Rewrite::of(area, &plan, &files, &staged, &mut leaving, &mut held)?;
        // What is not rewritten is not needed any more.
        drop(held);
        let written = rewrite.run().await?;
        Ok((changes_of(plan, &staged, written), tally))
    }

    /// Finds the rows that the run touches, and decides about them. Keeps the rows of files that
    /// are likely to be rewritten.
    async fn judge_files(
        &self,
        judge: &mut Judge<'_>,
        resolved: &mut Resolved,
        held: &mut HashMap<String, LoadedFile>,
    ) -> Result<()> {
        let mut room = LOADED_BYTES_MAX;
        for (path, file) in self.candidates() {
            let source = Source { path: self.search.area.storage.resolve(path)?, bytes: file.bytes };
            if let Some(probe) = &self.probe
                && !probe.may_be_in(&self.search.area.storage, &source).await?
            {
                continue;
            }
            if self.staged.is_empty() || source.bytes > LOADED_FILE_BYTES_MAX {
                let found = find_hits(&self.search, &source).await?;
                judge.judge(path, &found, resolved);
                continue;
            }
            let mut keeping = Keeping { rows: Some(Vec::new()), room: room.saturating_sub(source.bytes_in_memory()) };
            resolved.replaced = Some(Vec::new());
            let judged = scan_loaded(&self.search, &source, self.decoding, |batch, found| {
                judge.judge(path, found, resolved);
                keeping.keep(batch);
            });
            let content = judged.await?;
            let replaced = resolved.replaced.take().unwrap_or_default();
            if let Some(rows) = keeping.rows {
                room = keeping.room;
                held.insert(path.clone(), LoadedFile { content, rows, replaced });
            }
        }
        Ok(())
    }
}

/// A partition about which everything is decided.
struct Judged<'a> {
    area: &'a StagingArea,
    files: &'a BTreeMap<String, DataFile>,
    staged: &'a [StagedFile],
    gone: &'a BTreeMap<String, RowSet>,
    dropped: &'a HashMap<u32, RowSet>,
    held: &'a HashMap<String, LoadedFile>,
}

impl<'a> Judged<'a> {
    /// Returns the one file that a plan writes anew, where all that it takes is in memory, and it
    /// becomes one file.
    fn splice(&self, plan: &PartitionPlan) -> Option<Splice<'a>> {
        let Self { area, files, staged, gone, dropped, held } = *self;
        // A file of which every row is replaced counts as one that goes away.
        let ([path], []) = (plan.leaving.as_slice(), plan.adopted.as_slice()) else { return None };
        let (file, loaded, gone) = (files.get(path)?, held.get(path)?, gone.get(path)?);
        let merged = || staged.iter().filter(|file| plan.merged.contains(&file.number));
        let bytes = file.bytes + merged().map(|file| file.bytes).sum::<u64>();
        if loaded.replaced.is_empty() || bytes > area.limits.file_bytes_target {
            return None;
        }
        let incoming_rows = merged().map(|file| {
            let rows = file.held.as_deref()?;
            Some(IncomingRows { number: file.number, rows, dropped: dropped.get(&file.number) })
        });
        let incoming_rows = incoming_rows.collect::<Option<Vec<_>>>()?;
        let partition = Arc::clone(&staged.first()?.partition);
        Some(Splice { area, partition, file, loaded, gone, incoming_rows })
    }
}
