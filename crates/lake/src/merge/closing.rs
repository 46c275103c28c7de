//! Closing rows: they stay in the table, marked as deleted or, in a history, with an end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use crate::evolve::reconcile::conform;
use crate::log::snapshot::Snapshot;
use crate::parquet::reader::{Part, Source, ranges, read};
use crate::parquet::row_set::RowSet;
use crate::spec::{MarkKind, MergeSpec};
use crate::staging::area::{StagedFile, StagingArea};
use crate::staging::partition::{Partition, PartitionId, Partitioner};
use crate::staging::rolling::RollingWriter;
use lakefeed_model::error::{Error, Result};

/// What is written where into a row that is closed.
#[derive(Debug, Clone)]
pub(crate) struct RowClosing {
    column: String,
    kind: MarkKind,
    time: DateTime<Utc>,
}

impl RowClosing {
    /// Returns how rows are closed in a run at `time`; `None` where they leave instead.
    pub(crate) fn new(merge: &MergeSpec, time: DateTime<Utc>) -> Option<Self> {
        if let Some(history) = merge.history() {
            return Some(Self { column: history.valid_to.clone(), kind: MarkKind::Time, time });
        }
        let mark = merge.mark()?;
        Some(Self { column: mark.column.clone(), kind: mark.kind, time })
    }

    /// Stages the closed rows as new rows of the run, each in the partition to which it then
    /// belongs.
    pub(crate) async fn stage_closed(
        &self,
        area: &StagingArea,
        mut partitioner: Partitioner,
        snapshot: &Snapshot,
        closed: &BTreeMap<String, RowSet>,
    ) -> Result<Vec<StagedFile>> {
        let mut writer = RollingWriter::new(area.clone());
        let mut partitions: HashMap<PartitionId, Arc<Partition>> = HashMap::new();
        for (path, rows) in closed {
            let bytes = snapshot.files.get(path).map_or(0, |file| file.bytes);
            let source = Source { path: area.storage.resolve(path)?, bytes };
            let fails = |error: ArrowError| area.storage.unreadable("mark rows of", &source.path, error);
            let positions = ranges(rows.positions());
            let mut batches = read(&area.storage, &source, Part::Rows(&positions)).await?;
            while let Some(batch) = batches.try_next().await? {
                let batch = conform(&batch, &area.schema).and_then(|batch| self.mark(&batch)).map_err(fails)?;
                for group in partitioner.split(&batch)? {
                    let partition = if let Some(partition) = partitions.get(&group.partition) {
                        Arc::clone(partition)
                    } else {
                        let lost = || Error::defect("a partition was lost");
                        Arc::new(partitioner.partition(group.partition).cloned().ok_or_else(lost)?)
                    };
                    let rows = group.of(&batch).map_err(fails)?;
                    writer.write(&partition, &rows).await?;
                    partitions.insert(group.partition, partition);
                }
            }
        }
        writer.finish().await
    }

    /// Sets the mark in every row of a batch.
    fn mark(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let position = batch.schema_ref().index_of(&self.column)?;
        let mut columns = batch.columns().to_vec();
        if let Some(column) = columns.get_mut(position) {
            *column = match self.kind {
                MarkKind::Time => instants(self.time, batch.num_rows()),
                MarkKind::Truth => booleans(true, batch.num_rows()),
            };
        }
        RecordBatch::try_new(batch.schema(), columns)
    }
}

/// Returns a column of one instant.
pub(crate) fn instants(time: DateTime<Utc>, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_value(time.timestamp_micros(), rows).with_timezone("UTC"))
}

/// Returns a column of one boolean.
pub(crate) fn booleans(value: bool, rows: usize) -> ArrayRef {
    Arc::new(BooleanArray::from(vec![value; rows]))
}
