//! Writes the rows of a partition that stay, and those that come, to new files.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::evolve::reconcile::conform;
use crate::log::document::DataFile;
use crate::merge::keep_rows::keep_rows;
use crate::merge::plan::PartitionPlan;
use crate::merge::splice::LoadedFile;
use crate::parquet::reader::{Part, Source, conform_error, read};
use crate::parquet::row_set::RowSet;
use crate::staging::area::{StagedFile, StagingArea};
use crate::staging::changes::Changes;
use crate::staging::partition::Partition;
use crate::staging::rolling::RollingWriter;
use crate::tasks::files_in_flight;
use lakefeed_model::error::{Error, Result};

/// Where the rows of a source are.
#[derive(Debug)]
enum Rows {
    File(Source),
    Held(Vec<RecordBatch>),
}

/// What a rewrite reads: rows, and which of them it leaves out.
#[derive(Debug)]
pub(crate) struct Rewrite {
    area: StagingArea,
    partition: Arc<Partition>,
    sources: Vec<(Rows, RowSet)>,
}

/// Rows that do not make it into the rewritten files.
#[derive(Debug)]
pub(super) struct LeavingRows {
    /// Rows of the table, by file.
    pub(super) deleted: BTreeMap<String, RowSet>,
    /// Staged rows, by the number of their file.
    pub(super) dropped: HashMap<u32, RowSet>,
}

impl Rewrite {
    /// Returns the rewrite of a plan. It takes the rows that leave out of `leaving`. The rows of
    /// files in `held` are in memory.
    pub(crate) fn of(
        area: &StagingArea,
        plan: &PartitionPlan,
        files: &BTreeMap<String, DataFile>,
        staged: &[StagedFile],
        leaving: &mut LeavingRows,
        held: &mut HashMap<String, LoadedFile>,
    ) -> Result<Self> {
        let mut sources = Vec::new();
        for path in &plan.rewritten {
            let bytes = files.get(path).map_or(0, |file| file.bytes);
            let left_out = leaving.deleted.remove(path).unwrap_or_default();
            let rows = match held.remove(path) {
                Some(loaded) => Rows::Held(loaded.rows),
                None => Rows::File(Source { path: area.storage.resolve(path)?, bytes }),
            };
            sources.push((rows, left_out));
        }
        for file in staged.iter().filter(|file| plan.merged.contains(&file.number)) {
            let rows = match &file.held {
                Some(rows) => Rows::Held(rows.to_vec()),
                None => Rows::File(area.source(file)),
            };
            sources.push((rows, leaving.dropped.remove(&file.number).unwrap_or_default()));
        }
        let partition = if let Some(file) = staged.first() {
            Arc::clone(&file.partition)
        } else {
            let values = plan.leaving.first().and_then(|path| files.get(path)).map(|file| file.partition.clone());
            Arc::new(Partition { path: plan.partition.clone(), values: values.unwrap_or_default() })
        };
        Ok(Self { area: area.clone(), partition, sources })
    }

    /// Writes the surviving rows of all sources to new staged files, if there are any.
    pub(crate) async fn run(self) -> Result<Vec<StagedFile>> {
        let Self { mut area, partition, sources } = self;
        area.limits.writer_buffer_bytes /= files_in_flight();
        let mut writer = RollingWriter::new(area.clone());
        for (rows, leaving) in sources {
            let (mut batches, name) = match rows {
                Rows::Held(batches) => (stream::iter(batches).map(Ok).boxed(), None),
                Rows::File(source) => (read(&area.storage, &source, Part::Whole).await?, Some(source.path)),
            };
            let fails = |error: ArrowError| match &name {
                Some(path) => conform_error(&area.storage, "rewrite", path, error),
                None => Error::defect("cannot filter rows").with_source(error),
            };
            let mut position = 0_u64;
            while let Some(batch) = batches.try_next().await? {
                let kept = keep_rows(&batch, position, &leaving).map_err(fails)?;
                position += batch.num_rows() as u64;
                writer.write(&partition, &conform(&kept, &area.schema).map_err(fails)?).await?;
            }
        }
        writer.finish().await
    }
}

/// Returns what a plan that was carried out does to the data files; `written` is what its rewrite
/// has made.
pub(crate) fn changes_of(plan: PartitionPlan, staged: &[StagedFile], written: Vec<StagedFile>) -> Changes {
    let file = |number: &u32| staged.iter().find(|file| file.number == *number).cloned();
    let adds = plan.adopted.iter().filter_map(file).chain(written).collect();
    Changes { adds, removes: plan.leaving, ..Changes::default() }
}
