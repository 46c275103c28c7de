//! One run's writing to a table, from its first batch to its commit.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use crate::commit::lease::TableLock;
use crate::commit::protocol;
use crate::commit::sweep::sweep_all_but_responses;
use crate::evolve::reconcile::{Agreed, conform};
use crate::log::changes::Changes;
use crate::log::document::{AddedFile, RejectsFile};
use crate::log::slots::Slots;
use crate::log::snapshot::Snapshot;
use crate::merge::closing::RowClosing;
use crate::merge::decide::Rules;
use crate::merge::identity::RowIdentity;
use crate::merge::incoming::IncomingKeys;
use crate::merge::rules::{TableRules, batch_schema, takes_deletes};
use crate::merge::whole::{self, Merge};
use crate::parquet::row_set::RowLocation;
use crate::rejects::kept::Settled;
use crate::rejects::writer::RejectsWriter;
use crate::staging::area::{StagedFile, StagingArea, added_file};
use crate::staging::partition::{Group, Partition, PartitionId, Partitioner};
use crate::staging::rolling::RollingWriter;
use crate::storage::objects::Storage;
use crate::write::stamp::Stamp;
use crate::write::widen::{widen_staged, widen_table};
use crate::write_spec::WriteSpec;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::{Error, ErrorKind, Result};
use lakefeed_model::event::{FileChange, RowCounts};
use lakefeed_model::reject::Reject;
use lakefeed_model::spec::WriteDisposition;

/// What a commit did.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitOutcome {
    /// The commit's number; `None` when there was nothing to change.
    pub commit: Option<u64>,
    /// What became of the rows; `read` is for the caller to fill.
    pub rows: RowCounts,
    /// The data files that came, changed or went.
    pub files: Vec<FileChange>,
    /// Bytes of the data files that came or changed.
    pub bytes_written: u64,
    /// The file of refused records, relative to the table's folder, if there were any.
    pub rejects: Option<String>,
}

/// Writes the rows of one run to a table. Nothing is visible before [`Self::commit`]; dropping it without a commit
/// leaves the table as it was.
#[derive(Debug)]
pub struct TableWriter {
    pub(super) session: Box<Session>,
    pub(super) recovered: Option<u64>,
    pub(super) staging: Box<Staging>,
}

/// What stays of a run that is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Nothing,
    Pages,
    Rejects,
}

/// The run's hold on its table.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) storage: Storage,
    pub(crate) write: WriteSpec,
    pub(crate) lock: TableLock,
    pub(crate) snapshot: Snapshot,
    /// The schema that the run and the table agree on.
    pub(crate) agreed: Agreed,
    /// The commit of the newest fold of the log; 0 for none.
    pub(crate) snapshot_file: u64,
    pub(crate) strategy: TableRules,
    /// Runs whose staging may be swept once this run has committed.
    pub(crate) garbage: BTreeSet<String>,
}

/// Everything that the run has staged so far.
#[derive(Debug)]
pub(super) struct Staging {
    pub(super) area: StagingArea,
    pub(super) partitioner: Partitioner,
    pub(super) partitions: HashMap<PartitionId, Arc<Partition>>,
    pub(super) rolling: RollingWriter,
    pub(super) incoming_keys: Option<IncomingKeys>,
    /// The shape of the table, in which any column may be null: what a merge compares.
    pub(super) seen: SchemaRef,
    pub(super) stamp: Stamp,
    /// Staged files of narrower shapes that the run had before.
    pub(super) narrower: BTreeSet<u32>,
    pub(super) rejects: Option<RejectsWriter>,
    pub(super) settled: Settled,
    pub(super) counts: RowCounts,
    pub(super) rows: u64,
    /// The shape of the batches that come.
    pub(super) batches: SchemaRef,
    /// Every record that there is has come.
    pub(super) is_whole: bool,
    /// Data files whose rows leave, where rows are appended.
    pub(super) taken_back: Vec<String>,
    /// A write failed, so rows are missing and there must be no commit.
    pub(super) broken: bool,
}

/// What the run is going to commit.
pub(super) struct Staged {
    pub(super) changes: Changes,
    pub(super) rejects: Option<RejectsFile>,
    pub(super) settled: Settled,
    pub(super) counts: RowCounts,
}

impl TableWriter {
    pub(crate) async fn new(session: Session, recovered: Option<u64>) -> Result<Self> {
        match Staging::new(&session) {
            Ok(staging) => Ok(Self { session: Box::new(session), recovered, staging: Box::new(staging) }),
            Err(error) => {
                session.lock.release(&session.storage).await;
                Err(error)
            }
        }
    }

    /// The commit of an earlier run that was published before this one began, if any.
    pub fn recovered(&self) -> Option<u64> {
        self.recovered
    }

    /// What this run changes of the table's schema, in words.
    pub fn schema_changes(&self) -> &[String] {
        &self.session.agreed.changes
    }

    /// The checkpoint of the table's last commit, if it has one.
    pub fn last_checkpoint(&self) -> Option<&Checkpoint> {
        self.session.snapshot.checkpoint.as_ref()
    }

    /// When the table's last commit was made, if it has one.
    pub fn last_commit_at(&self) -> Option<DateTime<Utc>> {
        self.session.snapshot.committed_at
    }

    #[cfg(test)]
    pub(crate) fn lock(&self) -> &TableLock {
        &self.session.lock
    }

    /// Rows so far whose key came again; the last arrival counts. Always 0 where rows are not merged.
    ///
    /// # Errors
    /// When keys that did not fit into memory cannot be read again.
    pub fn duplicates(&mut self) -> Result<u64> {
        self.staging.settle()?;
        Ok(self.staging.counts.duplicate)
    }

    /// Stages the rows of a batch. Of rows with the same key the last one wins in a merge, or the one that its
    /// [`MergeSpec`](crate::spec::MergeSpec) says.
    ///
    /// # Errors
    /// When the batch has another schema than the run or the rows cannot be staged; then only [`Self::abort`] is left.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if self.staging.broken {
            return Err(broken());
        }
        self.staging.broken = true;
        self.staging.write(&batch, &self.session).await?;
        self.staging.broken = false;
        Ok(())
    }

    /// Stages refused records; they are kept beside the table, with the commit or without one.
    ///
    /// # Errors
    /// When they cannot be staged.
    pub async fn reject(&mut self, rejects: Vec<Reject>) -> Result<()> {
        self.staging.counts.rejected += rejects.len() as u64;
        self.keep(rejects).await
    }

    /// Stages values that null stands for in rows; they are kept like refused records.
    ///
    /// # Errors
    /// When they cannot be staged.
    pub async fn note_nulled(&mut self, nulled: Vec<Reject>) -> Result<()> {
        self.staging.counts.nulled += nulled.len() as u64;
        self.keep(nulled).await
    }

    async fn keep(&mut self, rejects: Vec<Reject>) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        let Session { storage, write, .. } = self.session.as_ref();
        if self.staging.rejects.is_none() {
            let writer = RejectsWriter::new(storage, &write.run_id, &write.resource, &write.limits)?;
            self.staging.rejects = Some(writer);
        }
        if let Some(writer) = &mut self.staging.rejects {
            writer.write(storage, &rejects).await?;
        }
        Ok(())
    }

    /// Takes the data files of these paths out with the commit, as far as they are there. Only where rows are appended.
    pub fn take_back(&mut self, mut files: Vec<String>) {
        files.retain(|path| self.session.snapshot.files.contains_key(path));
        self.staging.taken_back = files;
    }

    /// Says that every record that there is has come, as was proven: what did not come is gone, where history is kept and
    /// absent keys are to be closed.
    pub fn listing_was_whole(&mut self) {
        self.staging.is_whole = true;
    }

    /// Makes the staged rows the table's, all at once, and publishes them; `checkpoint` moves with them. When nothing
    /// changes, nothing is committed.
    ///
    /// # Errors
    /// When an error comes before the commit, the table is as it was. When it comes after, its hint says so, and the
    /// next run finishes publishing.
    pub async fn commit(self, checkpoint: Checkpoint) -> Result<CommitOutcome> {
        let Self { session, staging, .. } = self;
        match Box::pin(staging.complete(&session)).await {
            Ok(staged) => Box::pin(session.commit(staged, checkpoint)).await,
            Err(error) => {
                let error = session.lock.explain(&session.storage, error).await;
                let error = match error.kind() {
                    ErrorKind::Storage | ErrorKind::Damaged => {
                        protocol::explain(&session.storage, session.snapshot.version + 1, error).await
                    }
                    _ => error,
                };
                session.abandon().await;
                Err(error)
            }
        }
    }

    /// Gives the run up: deletes what it staged and lets go of the table, which is as it was.
    ///
    /// # Errors
    /// When the staged files cannot be deleted; a later run sweeps them.
    pub async fn abort(self) -> Result<()> {
        self.give_up(Keeps::Nothing).await
    }

    /// As [`Self::abort`], but the pages that the run has kept stay, for the next one to go on from.
    ///
    /// # Errors
    /// As [`Self::abort`].
    pub async fn abort_keeping_pages(self) -> Result<()> {
        self.give_up(Keeps::Pages).await
    }

    /// As [`Self::abort`], but the refused records stay to be looked at.
    ///
    /// # Errors
    /// As [`Self::abort`], and when they cannot be kept.
    pub async fn abort_keeping_rejects(self) -> Result<()> {
        self.give_up(Keeps::Rejects).await
    }

    async fn give_up(self, keeps: Keeps) -> Result<()> {
        let Self { session, staging, .. } = self;
        let Staging { rolling, rejects, .. } = *staging;
        rolling.abort().await;
        let kept = match rejects {
            Some(rejects) if keeps == Keeps::Rejects => match rejects.finish(&session.storage).await {
                Ok(file) => session.keep_rejects(Some(&file)).await,
                Err(error) => Err(error),
            },
            Some(rejects) => {
                rejects.abort().await;
                Ok(())
            }
            None => Ok(()),
        };
        let Session { storage, write, lock, .. } = *session;
        let swept = if keeps == Keeps::Pages {
            sweep_all_but_responses(&storage, &BTreeSet::from([write.run_id]), u64::MAX).await.map(drop)
        } else {
            storage.delete_all(&storage.layout.staging_of(&write.run_id)).await
        };
        lock.release(&storage).await;
        kept.and(swept)
    }
}

pub(super) fn unfit(error: ArrowError) -> Error {
    Error::schema("a batch does not fit its table").with_source(error)
}

pub(super) fn broken() -> Error {
    Error::defect("an earlier write of this run failed, so it cannot go on")
}

impl Staging {
    fn new(session: &Session) -> Result<Self> {
        let Session { write, snapshot, agreed, .. } = session;
        let partitioner = Partitioner::new(&write.partition_by, &agreed.schema)?;
        let area = session.area(Arc::new(AtomicU32::new(0)))?;
        let compares = !write.replaces() && !snapshot.files.is_empty();
        let incoming_keys = match write.disposition {
            WriteDisposition::Merge => {
                let identity = RowIdentity::new(write, &agreed.schema)?;
                Some(IncomingKeys::new(identity, area.key_column, compares, write.limits.merge_index_bytes))
            }
            WriteDisposition::Append | WriteDisposition::Replace => None,
        };
        Ok(Self {
            rolling: if incoming_keys.is_some() && compares {
                RollingWriter::waiting(area.clone())
            } else {
                RollingWriter::new(area.clone())
            },
            seen: relaxed(&area.schema),
            area,
            partitioner,
            partitions: HashMap::new(),
            narrower: BTreeSet::new(),
            stamp: Stamp::of(write),
            incoming_keys,
            rejects: None,
            settled: Settled::default(),
            counts: RowCounts::default(),
            rows: 0,
            batches: batch_schema(write),
            is_whole: false,
            taken_back: Vec::new(),
            broken: false,
        })
    }

    async fn write(&mut self, batch: &RecordBatch, session: &Session) -> Result<()> {
        if batch.schema().fields() != self.batches.fields() {
            return Err(Error::schema("a batch does not have the schema of its run"));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let deletes = takes_deletes(&session.write).then(|| batch.columns().last()).flatten().map(AsArray::as_boolean);
        let prints = match &mut self.incoming_keys {
            Some(incoming_keys) => {
                let seen = conform(batch, &self.seen).map_err(unfit)?;
                Some(incoming_keys.fingerprints(&seen, deletes)?)
            }
            None => None,
        };
        let rows = self
            .rows(batch, deletes, session)
            .map_err(|error| Error::defect("cannot make rows of a batch").with_source(error))?;
        let groups = self.partitioner.split(&rows)?;
        let mut locations = vec![RowLocation { file: 0, row: 0 }; if prints.is_some() { rows.num_rows() } else { 0 }];
        for group in groups.into_iter().filter(|_| rows.num_rows() > 0) {
            let partition = self.partition(group.partition)?;
            let rows = group
                .of(&rows)
                .map_err(|error| Error::defect("cannot split a batch by partition").with_source(error))?;
            let first = self.rolling.write(&partition, &rows).await?;
            set_locations(&mut locations, &group, first);
        }
        self.rows += rows.num_rows() as u64;
        if let (Some(incoming_keys), Some(prints)) = (&mut self.incoming_keys, prints) {
            self.counts.duplicate += incoming_keys.add(prints, deletes, locations)?;
        }
        Ok(())
    }

    /// Has all duplicates counted, also those of keys that were spilled.
    fn settle(&mut self) -> Result<()> {
        if let Some(incoming_keys) = &mut self.incoming_keys {
            self.counts.duplicate += incoming_keys.settle()?;
        }
        Ok(())
    }

    /// The rows of a batch that go to the table, with the columns that the merge adds.
    fn rows(
        &self,
        batch: &RecordBatch,
        deletes: Option<&BooleanArray>,
        session: &Session,
    ) -> Result<RecordBatch, ArrowError> {
        let mut records = batch.clone();
        if let Some(deletes) = deletes {
            let last = records.num_columns() - 1;
            records = filter_record_batch(batch, &not(deletes)?)?;
            records.remove_column(last);
        }
        if deletes.is_none() && self.area.schema.fields() == self.batches.fields() {
            return Ok(records);
        }
        let rows = match session.write.disposition {
            WriteDisposition::Merge => session.strategy.rows(&session.write, &records)?,
            WriteDisposition::Append | WriteDisposition::Replace => records,
        };
        conform(&rows, &self.area.schema).and_then(|rows| self.stamp.on(rows))
    }

    fn partition(&mut self, id: PartitionId) -> Result<Arc<Partition>> {
        if let Some(partition) = self.partitions.get(&id) {
            return Ok(Arc::clone(partition));
        }
        let partition = self.partitioner.partition(id).cloned().ok_or_else(|| Error::defect("a partition was lost"))?;
        let partition = Arc::new(partition);
        self.partitions.insert(id, Arc::clone(&partition));
        Ok(partition)
    }

    /// Finishes every staged file and decides what the commit does.
    async fn complete(self, session: &Session) -> Result<Staged> {
        if self.broken {
            return Err(broken());
        }
        let Self {
            area,
            rolling,
            partitioner,
            mut incoming_keys,
            narrower,
            rejects,
            settled,
            mut counts,
            rows,
            is_whole,
            taken_back,
            ..
        } = self;
        let mut staged =
            if incoming_keys.is_some() { rolling.finish_holding().await? } else { rolling.finish().await? };
        widen_staged(&area, &mut staged, &narrower, &mut incoming_keys).await?;
        if let Some(incoming_keys) = &mut incoming_keys {
            counts.duplicate += incoming_keys.settle()?;
        }
        let rejects = match rejects {
            Some(writer) => Some(writer.finish(&session.storage).await?),
            None => None,
        };
        let Session { snapshot, write, strategy, .. } = session;
        let replaces = write.replaces();
        let mut changes = if let Some(incoming_keys) = incoming_keys {
            let merge = Merge {
                area: area.clone(),
                rules: Rules { strategy: write.merge.strategy.name(), marks_deleted: write.merge.mark().is_some() },
                incoming_keys,
                retires_absent: is_whole && write.merge.history().is_some_and(|history| history.retires_absent),
                closing: RowClosing::new(&write.merge, strategy.time),
                partitioner,
                staged,
            };
            // A table that is built anew is merged into nothing.
            let nothing = Snapshot::default();
            let into = if replaces { &nothing } else { snapshot };
            Box::pin(whole::merge(merge, into, &Slots::of(snapshot, replaces), &mut counts)).await?
        } else {
            counts.inserted = rows;
            let left = taken_back.iter().filter_map(|path| snapshot.files.get(path));
            counts.deleted = left.map(|file| file.rows).sum();
            Changes { adds: location(&area, &staged, Slots::of(snapshot, replaces)), removes: taken_back }
        };
        if session.agreed.rewrites {
            widen_table(&area, snapshot, &mut changes).await?;
        }
        if replaces {
            counts.deleted = snapshot.rows();
            let kept = changes.adds.iter().map(|added| added.path.as_str()).collect::<BTreeSet<_>>();
            let removes = snapshot.files.keys().filter(|path| !kept.contains(path.as_str())).cloned().collect();
            changes.removes = removes;
        }
        changes.adds.sort_by(|left, right| left.path.cmp(&right.path));
        changes.removes.sort();
        counts.written = changes.adds.iter().map(|added| added.rows).sum();
        Ok(Staged { changes, rejects, settled, counts })
    }
}

/// The shape in which any column may be null.
pub(super) fn relaxed(schema: &SchemaRef) -> SchemaRef {
    let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(schema.fields().iter().map(nullable).collect::<Vec<_>>()))
}

/// Notes where the rows of a group are: one after another from `first`.
fn set_locations(locations: &mut [RowLocation], group: &Group, first: RowLocation) {
    match &group.rows {
        None => {
            for (location, row) in locations.iter_mut().zip(first.row..) {
                *location = RowLocation { file: first.file, row };
            }
        }
        Some(rows) => {
            for (position, row) in rows.values().iter().zip(first.row..) {
                if let Some(location) = locations.get_mut(*position as usize) {
                    *location = RowLocation { file: first.file, row };
                }
            }
        }
    }
}

fn location(area: &StagingArea, staged: &[StagedFile], mut slots: Slots) -> Vec<AddedFile> {
    staged.iter().map(|file| added_file(area, file, slots.take(&file.partition.path))).collect()
}
