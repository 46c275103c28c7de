//! The rows that a run has staged so far, and what they come to.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::evolve::reconcile::conform;
use crate::log::document::RejectsFile;
use crate::log::snapshot::Snapshot;
use crate::merge::closing::RowClosing;
use crate::merge::decide::Rules;
use crate::merge::identity::RowIdentity;
use crate::merge::incoming::IncomingKeys;
use crate::merge::rules::{batch_schema, takes_deletes};
use crate::merge::whole::{self, Merge};
use crate::parquet::row_set::RowLocation;
use crate::rejects::kept::Settled;
use crate::rejects::writer::RejectsWriter;
use crate::staging::area::StagingArea;
use crate::staging::changes::Changes;
use crate::staging::partition::{Group, Partition, PartitionId, Partitioner};
use crate::staging::rolling::RollingWriter;
use crate::write::session::Session;
use crate::write::stamp::Stamp;
use crate::write::widen::{widen_staged, widen_table};
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::RowCounts;
use lakefeed_model::spec::WriteDisposition;

/// Everything that the run has staged so far.
#[derive(Debug)]
pub(super) struct StagedRows {
    pub(super) area: StagingArea,
    pub(super) partitioner: Partitioner,
    pub(super) partitions: HashMap<PartitionId, Arc<Partition>>,
    pub(super) rolling: RollingWriter,
    pub(super) incoming_keys: Option<IncomingKeys>,
    /// The shape of the table, in which any column may be null.
    pub(super) nullable: SchemaRef,
    pub(super) stamp: Stamp,
    /// Staged files of narrower shapes that the run had before.
    pub(super) narrower: BTreeSet<u32>,
    pub(super) rejects: Option<RejectsWriter>,
    pub(super) settled: Settled,
    pub(super) counts: RowCounts,
    pub(super) rows: u64,
    /// The shape of the batches that come.
    pub(super) batches: SchemaRef,
    /// Whether the listing was proven complete.
    pub(super) is_complete: bool,
    /// Data files whose rows leave, where rows are appended.
    pub(super) taken_back: Vec<String>,
    /// A write failed, so rows are missing and there must be no commit.
    broken: bool,
}

/// What the run is going to commit.
pub(super) struct CompletedRows {
    pub(super) changes: Changes,
    pub(super) rejects: Option<RejectsFile>,
    pub(super) settled: Settled,
    pub(super) counts: RowCounts,
}

pub(super) fn unfit(error: ArrowError) -> Error {
    Error::schema("a batch does not fit its table").with_source(error)
}

/// Settles the keys that were spilled, if any were. Returns how many rows others have replaced.
fn settle(incoming_keys: &mut Option<IncomingKeys>) -> Result<u64> {
    incoming_keys.as_mut().map_or(Ok(0), IncomingKeys::settle)
}

fn broken() -> Error {
    Error::defect("an earlier write of this run failed, so it cannot go on")
}

impl StagedRows {
    pub(super) fn new(session: &Session) -> Result<Self> {
        let Session { held, write, agreed, .. } = session;
        let partitioner = Partitioner::new(&write.partition_by, &agreed.schema)?;
        let area = StagingArea::new(held.storage(), held.naming(), session.file_shape(), write.limits)?;
        let compares = !write.replaces() && !held.snapshot().files.is_empty();
        let incoming_keys = match write.disposition {
            WriteDisposition::Merge => {
                let identity = RowIdentity::new(write, &agreed.schema)?;
                Some(IncomingKeys::new(identity, area.key_column, compares, write))
            }
            WriteDisposition::Append | WriteDisposition::Replace => None,
        };
        Ok(Self {
            rolling: if incoming_keys.is_some() && compares {
                RollingWriter::waiting(area.clone())
            } else {
                RollingWriter::new(area.clone())
            },
            nullable: relaxed(&area.schema),
            area,
            partitioner,
            partitions: HashMap::new(),
            narrower: BTreeSet::new(),
            stamp: Stamp::of(write, held.now()),
            incoming_keys,
            rejects: None,
            settled: Settled::default(),
            counts: RowCounts::default(),
            rows: 0,
            batches: batch_schema(write),
            is_complete: false,
            taken_back: Vec::new(),
            broken: false,
        })
    }

    pub(super) async fn write(&mut self, batch: &RecordBatch, session: &Session) -> Result<()> {
        if batch.schema().fields() != self.batches.fields() {
            return Err(Error::schema("a batch does not have the schema of its run"));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let deletes = takes_deletes(&session.write).then(|| batch.columns().last()).flatten().map(AsArray::as_boolean);
        let shaped = if self.area.schema.fields() == self.batches.fields() {
            batch.clone()
        } else {
            conform(batch, &self.nullable).map_err(unfit)?
        };
        let prints = match &mut self.incoming_keys {
            Some(incoming_keys) => Some(incoming_keys.fingerprints(&shaped, deletes)?),
            None => None,
        };
        let rows = self
            .rows(shaped, deletes, session)
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

    /// Begins a change of what is staged. One that fails is never ended, so rows may be missing.
    ///
    /// # Errors
    /// When an earlier change failed.
    pub(super) fn begin_change(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.broken, true) { Err(broken()) } else { Ok(()) }
    }

    /// Ends a change that succeeded.
    pub(super) fn end_change(&mut self) {
        self.broken = false;
    }

    /// Has all duplicates counted, also those of keys that were spilled.
    pub(super) fn settle(&mut self) -> Result<()> {
        self.counts.duplicate += settle(&mut self.incoming_keys)?;
        Ok(())
    }

    /// Returns the rows of a batch in the shape of the table that go there, with the columns filled
    /// that the merge and the load add.
    fn rows(
        &self,
        shaped: RecordBatch,
        deletes: Option<&BooleanArray>,
        session: &Session,
    ) -> Result<RecordBatch, ArrowError> {
        let rows = match deletes {
            Some(deletes) => filter_record_batch(&shaped, &not(deletes)?)?,
            None => shaped,
        };
        if self.batches.fields() == self.area.schema.fields() {
            return Ok(rows);
        }
        let count = rows.num_rows();
        let mut columns = rows.columns().to_vec();
        for (field, column) in self.area.schema.fields().iter().zip(&mut columns) {
            let filled = session.rules.fill(&session.write, field.name(), count);
            if let Some(filled) = filled.or_else(|| self.stamp.fill(field, count)) {
                *column = filled;
            }
        }
        RecordBatch::try_new(Arc::clone(&self.area.schema), columns)
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
    pub(super) async fn complete(self, session: &Session) -> Result<CompletedRows> {
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
            is_complete,
            taken_back,
            ..
        } = self;
        let mut staged =
            if incoming_keys.is_some() { rolling.finish_holding().await? } else { rolling.finish().await? };
        // Rows that others replaced are noted where they are staged now, so before they move.
        counts.duplicate += settle(&mut incoming_keys)?;
        widen_staged(&area, &mut staged, &narrower, &mut incoming_keys).await?;
        counts.duplicate += settle(&mut incoming_keys)?;
        let rejects = match rejects {
            Some(writer) => Some(writer.finish(session.held.storage()).await?),
            None => None,
        };
        let Session { held, write, rules, .. } = session;
        let snapshot = held.snapshot();
        let replaces = write.replaces();
        let mut changes = if let Some(incoming_keys) = incoming_keys {
            let merge = Merge {
                area: area.clone(),
                rules: Rules { strategy: write.merge.strategy.name(), marks_deleted: write.merge.mark().is_some() },
                incoming_keys,
                retires_absent: is_complete && write.merge.history().is_some_and(|history| history.retires_absent),
                closing: RowClosing::new(&write.merge, rules.time),
                partitioner,
                staged,
            };
            // A table that is built anew is merged into nothing.
            let nothing = Snapshot::default();
            let into = if replaces { &nothing } else { snapshot };
            let changes = Box::pin(whole::merge(merge, into, &mut counts)).await?;
            let matched = counts.updated + counts.unchanged;
            session.check_shrink(counts.retired, counts.retired + matched, rows > 0)?;
            changes
        } else {
            counts.inserted = rows;
            let left = taken_back.iter().filter_map(|path| snapshot.files.get(path));
            counts.deleted = left.map(|file| file.rows).sum();
            Changes { adds: staged, removes: taken_back, ..Changes::default() }
        };
        if session.agreed.rewrites {
            widen_table(&area, snapshot, &mut changes).await?;
        }
        if replaces {
            counts.deleted = snapshot.rows();
            changes.removes = snapshot.files.keys().cloned().collect();
        }
        Ok(CompletedRows { changes, rejects, settled, counts })
    }
}

/// Returns the shape in which any column may be null.
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
