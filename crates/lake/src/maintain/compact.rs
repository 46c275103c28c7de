//! Compaction: puts small files together, and sorts rows within files, by a commit that changes no
//! row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, concat_batches, take_record_batch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::evolve::reconcile::conform;
use crate::held_table::HeldTable;
use crate::log::document::{DataFile, Operation};
use crate::log::snapshot::Snapshot;
use crate::maintain::maintenance::{self, Maintenance};
use crate::parquet::properties::SORTED_KEY;
use crate::parquet::reader::{Part, Source, metadata_entry, read};
use crate::staging::area::{FileShape, StagedFile, StagingArea};
use crate::staging::changes::Changes;
use crate::staging::partition::{NULL_PARTITION, Partition};
use crate::staging::rolling::RollingWriter;
use crate::storage::layout::folder_of;
use crate::storage::objects::Storage;
use crate::table::Table;
use crate::tasks::{compute, files_in_flight, spawn};
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::RecordSchema;
use lakefeed_model::spec::Limits;

/// Bytes of decoded rows that are sorted at once; what a partition holds beyond goes to another
/// file.
const SORT_BUFFER_BYTES: usize = 128 * 1024 * 1024;

/// What is to be compacted, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactSpec {
    /// Bytes of a file. Files below half of it are put together.
    pub target_bytes: u64,
    /// The order of the rows in each file that is written; empty for the order in which they are.
    /// With it, files that are large enough are rewritten, too, unless they are sorted so already.
    pub sort_by: Vec<SortColumn>,
    /// Only partitions with these values, level by level: name and value. Empty for all.
    pub partitions: Vec<(String, String)>,
    /// Whether only to say what would be done. Then nothing is written, and the table is not held.
    pub dry_run: bool,
}

/// Files as large as runs write them, in the order in which the rows are.
impl Default for CompactSpec {
    fn default() -> Self {
        let target_bytes = Limits::default().file_bytes_target;
        Self { target_bytes, sort_by: Vec::new(), partitions: Vec::new(), dry_run: false }
    }
}

/// A column that rows are sorted by. Nulls come last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortColumn {
    /// Its name.
    pub column: String,
    /// Whether large values come first.
    pub descending: bool,
}

/// What a compaction did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Compaction {
    /// Its commit; `None` when there was nothing to do.
    pub commit: Option<u64>,
    /// The commit that had happened and was published first, if there was one.
    pub rolled_forward: Option<u64>,
    /// The partitions that changed.
    pub partitions: Vec<CompactedPartition>,
}

/// What became of a partition. Files that stayed as they are do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CompactedPartition {
    /// Its folder; empty for a table without partitions.
    pub partition: String,
    /// Files that were rewritten.
    pub files_before: usize,
    /// Files that they became; `None` in a dry run.
    pub files_after: Option<usize>,
    /// Rows in them, before and after.
    pub rows: u64,
    /// Bytes of the files that were rewritten.
    pub bytes_before: u64,
    /// Bytes of the files that they became; `None` in a dry run.
    pub bytes_after: Option<u64>,
}

/// Files of one partition that become one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bin {
    files: Vec<(String, DataFile)>,
    bytes: u64,
}

impl Table {
    /// Puts small files together, and sorts rows within files if asked to, in a commit of its own
    /// that changes no row and leaves the checkpoint as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](lakefeed_model::error::ErrorKind) when a column or a partition is not
    /// the table's, `Conflict` when a run has the table, `Storage` when the store fails; the table
    /// is as it was then, unless the error says otherwise.
    pub async fn compact(&self, maintenance: &Maintenance, spec: &CompactSpec) -> Result<Compaction> {
        if spec.dry_run {
            let loaded = self.format.load().await?;
            check(&self.storage, &loaded.snapshot, spec)?;
            let bins = plan(&self.storage, &loaded.snapshot, spec).await?;
            let partitions = bins.iter().map(|(partition, bins)| planned(partition, bins)).collect();
            return Ok(Compaction { commit: None, rolled_forward: None, partitions });
        }
        let mut held = HeldTable::take(self, &maintenance.run_id).await?;
        match compact(&held, maintenance.limits, spec).await {
            Ok((compaction, changes)) => {
                let committed = compaction.commit(&mut held, changes).await;
                held.release().await;
                committed
            }
            Err(error) => {
                held.abandon().await;
                Err(error)
            }
        }
    }
}

impl Compaction {
    /// Commits the changes, if there are any.
    async fn commit(self, held: &mut HeldTable, changes: Changes) -> Result<Self> {
        if changes.is_empty() {
            return Ok(self);
        }
        let outcome = maintenance::commit(held, Operation::Compaction, |draft| draft.changes = changes).await?;
        Ok(Self { commit: outcome.commit, ..self })
    }
}

/// Writes files that hold the rows of several. Returns what was done, but for the commit, and what
/// the commit is to change.
async fn compact(held: &HeldTable, limits: Limits, spec: &CompactSpec) -> Result<(Compaction, Changes)> {
    let (storage, snapshot) = (held.storage(), held.snapshot());
    check(storage, snapshot, spec)?;
    let bins = plan(storage, snapshot, spec).await?;
    let mut compaction = Compaction { commit: None, rolled_forward: held.recovered, partitions: Vec::new() };
    let mut changes = Changes::default();
    let Some(schema) = snapshot.schema.as_ref().filter(|_| !bins.is_empty()) else { return Ok((compaction, changes)) };
    let area = staging_area(held, schema, limits, spec)?;
    for (partition, bins) in bins {
        let mut told = planned(&partition, &bins);
        let written = write(&area, &bins, &spec.sort_by).await?;
        let rows: u64 = written.iter().map(|file| file.rows).sum();
        if rows != told.rows {
            return Err(Error::damaged(format!(
                "{}: the files of partition {partition:?} have {rows} rows, the log says {}; nothing was changed",
                storage.url, told.rows
            ))
            .with_hint("`lakefeed table verify` tells what is damaged"));
        }
        told.files_after = Some(written.len());
        told.bytes_after = Some(written.iter().map(|file| file.bytes).sum());
        compaction.partitions.push(told);
        changes.adds.extend(written);
        changes.removes.extend(bins.into_iter().flat_map(|bin| bin.files).map(|(path, _)| path));
    }
    Ok((compaction, changes))
}

fn check(storage: &Storage, snapshot: &Snapshot, spec: &CompactSpec) -> Result<()> {
    let Some(schema) = &snapshot.schema else { return Ok(()) };
    let columns = || schema.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    for SortColumn { column, .. } in &spec.sort_by {
        if schema.column(column).is_none() {
            return Err(Error::config(format!("table {} has no column {column:?} to sort by", storage.url))
                .with_hint(format!("its columns are: {}", columns())));
        }
    }
    let levels: Vec<&str> = snapshot.partition_by.iter().map(|field| field.name.as_str()).collect();
    for (name, _) in &spec.partitions {
        if !levels.contains(&name.as_str()) {
            let known = if levels.is_empty() { "it has none".to_owned() } else { levels.join(", ") };
            return Err(Error::config(format!("table {} is not partitioned by {name:?}", storage.url))
                .with_hint(format!("the levels of its folders: {known}")));
        }
    }
    Ok(())
}

fn is_chosen(file: &DataFile, spec: &CompactSpec) -> bool {
    spec.partitions.iter().all(|(name, wanted)| {
        let value = file.partition.iter().find(|(level, _)| level == name).map(|(_, value)| value.as_deref());
        value.is_some_and(|value| value.unwrap_or(NULL_PARTITION) == wanted)
    })
}

/// Returns what is to be rewritten, by partition.
async fn plan(storage: &Storage, snapshot: &Snapshot, spec: &CompactSpec) -> Result<BTreeMap<String, Vec<Bin>>> {
    let mut partitions: BTreeMap<String, Vec<(String, DataFile)>> = BTreeMap::new();
    for (path, file) in snapshot.files.iter().filter(|(_, file)| is_chosen(file, spec)) {
        partitions.entry(folder_of(path).to_owned()).or_default().push((path.clone(), file.clone()));
    }
    let mut unsorted = BTreeSet::new();
    if !spec.sort_by.is_empty() {
        let files: Vec<_> = partitions.values().flatten().map(|(path, file)| (path.clone(), file.bytes)).collect();
        let looks = files.into_iter().map(|(path, bytes)| async move {
            let source = Source { path: storage.resolve(&path)?, bytes };
            let order = metadata_entry(storage, &source, SORTED_KEY).await?;
            Ok::<_, Error>((path, order))
        });
        let looks = looks.collect::<Vec<_>>();
        let mut orders = stream::iter(looks).buffered(files_in_flight());
        let wanted = order_text(&spec.sort_by);
        while let Some((path, order)) = orders.try_next().await? {
            if order.as_ref() != Some(&wanted) {
                unsorted.insert(path);
            }
        }
    }
    let planned = partitions.into_iter().map(|(partition, files)| {
        let bins = bins(files, spec.target_bytes, |path| unsorted.contains(path));
        (partition, bins)
    });
    Ok(planned.filter(|(_, bins)| !bins.is_empty()).collect())
}

/// Puts files together first-fit: no two bins would fit into one, so a second compaction finds
/// nothing to do. Files that `must_change` are rewritten even if they stay alone. Pure.
fn bins(files: Vec<(String, DataFile)>, target_bytes: u64, must_change: impl Fn(&str) -> bool) -> Vec<Bin> {
    let mut bins: Vec<Bin> = Vec::new();
    for (path, file) in files {
        let bytes = file.bytes;
        if bytes >= target_bytes / 2 {
            if must_change(&path) {
                // No room for others: it is large enough.
                bins.push(Bin { files: vec![(path, file)], bytes: u64::MAX });
            }
            continue;
        }
        match bins.iter_mut().find(|bin| bin.bytes.saturating_add(bytes) <= target_bytes) {
            Some(bin) => {
                bin.files.push((path, file));
                bin.bytes += bytes;
            }
            None => bins.push(Bin { files: vec![(path, file)], bytes }),
        }
    }
    bins.retain(|bin| bin.files.len() > 1 || bin.files.iter().any(|(path, _)| must_change(path)));
    bins
}

fn planned(partition: &str, bins: &[Bin]) -> CompactedPartition {
    let files = || bins.iter().flat_map(|bin| &bin.files);
    CompactedPartition {
        partition: partition.to_owned(),
        files_before: files().count(),
        files_after: None,
        rows: files().map(|(_, file)| file.rows).sum(),
        bytes_before: files().map(|(_, file)| file.bytes).sum(),
        bytes_after: None,
    }
}

fn staging_area(held: &HeldTable, schema: &RecordSchema, limits: Limits, spec: &CompactSpec) -> Result<StagingArea> {
    let shape = FileShape {
        schema,
        arrow_schema: schema.to_arrow(),
        primary_key: &held.snapshot().primary_key,
        order: (!spec.sort_by.is_empty()).then(|| order_text(&spec.sort_by)),
    };
    let limits = Limits { file_bytes_target: spec.target_bytes, ..limits };
    StagingArea::new(held.storage(), held.naming(), shape, limits)
}

async fn write(area: &StagingArea, bins: &[Bin], sort_by: &[SortColumn]) -> Result<Vec<StagedFile>> {
    let work = bins.iter().map(|bin| {
        let (area, bin, sort_by) = (area.clone(), bin.clone(), sort_by.to_vec());
        spawn(async move { write_bin(area, bin, &sort_by).await })
    });
    let work = work.collect::<Vec<_>>();
    let written = stream::iter(work).buffered(files_in_flight()).try_collect::<Vec<_>>().await?;
    Ok(written.into_iter().flatten().collect())
}

async fn write_bin(mut area: StagingArea, bin: Bin, sort_by: &[SortColumn]) -> Result<Vec<StagedFile>> {
    area.limits.writer_buffer_bytes /= files_in_flight();
    let Some((first, file)) = bin.files.first() else { return Ok(Vec::new()) };
    let path = folder_of(first).to_owned();
    let partition = Arc::new(Partition { path, values: file.partition.clone() });
    let mut written = Vec::new();
    let mut writer = RollingWriter::new(area.clone());
    let mut unsorted: Vec<RecordBatch> = Vec::new();
    let mut unsorted_bytes = 0;
    for (path, file) in &bin.files {
        let source = Source { path: area.storage.resolve(path)?, bytes: file.bytes };
        let fails = |error: ArrowError| area.storage.unreadable("rewrite", &source.path, error);
        let mut batches = read(&area.storage, &source, Part::Whole).await?;
        while let Some(batch) = batches.try_next().await? {
            let batch = conform(&batch, &area.schema).map_err(fails)?;
            if sort_by.is_empty() {
                writer.write(&partition, &batch).await?;
                continue;
            }
            unsorted_bytes += batch.get_array_memory_size();
            unsorted.push(batch);
            if unsorted_bytes >= SORT_BUFFER_BYTES {
                let rows = compute(|| sorted(&std::mem::take(&mut unsorted), sort_by)).map_err(fails)?;
                unsorted_bytes = 0;
                written.extend(write_alone(&area, &partition, rows).await?);
            }
        }
    }
    if !unsorted.is_empty() {
        let fails = |error: ArrowError| Error::defect(format!("cannot sort the rows of {first}")).with_source(error);
        let rows = compute(|| sorted(&unsorted, sort_by)).map_err(fails)?;
        written.extend(write_alone(&area, &partition, rows).await?);
    }
    written.extend(writer.finish().await?);
    Ok(written)
}

/// Writes sorted rows to a file of their own, so that every file is sorted as a whole.
async fn write_alone(area: &StagingArea, partition: &Arc<Partition>, rows: RecordBatch) -> Result<Vec<StagedFile>> {
    const ROWS: usize = 8_192;
    let mut writer = RollingWriter::new(area.clone());
    for first in (0..rows.num_rows()).step_by(ROWS) {
        writer.write(partition, &rows.slice(first, ROWS.min(rows.num_rows() - first))).await?;
    }
    writer.finish().await
}

/// Returns the rows of all batches in order; rows that are equal stay as they came.
fn sorted(batches: &[RecordBatch], sort_by: &[SortColumn]) -> Result<RecordBatch, ArrowError> {
    let Some(first) = batches.first() else {
        return Err(ArrowError::ComputeError("there is nothing to sort".to_owned()));
    };
    let rows = concat_batches(&first.schema(), batches)?;
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for SortColumn { column, descending } in sort_by {
        let values = rows.column(rows.schema().index_of(column)?);
        let options = SortOptions { descending: *descending, nulls_first: false };
        fields.push(SortField::new_with_options(values.data_type().clone(), options));
        columns.push(Arc::clone(values));
    }
    let keys = RowConverter::new(fields)?.convert_columns(&columns)?;
    let mut positions: Vec<u32> = (0..u32::try_from(rows.num_rows()).unwrap_or(u32::MAX)).collect();
    positions.sort_by(|left, right| keys.row(*left as usize).cmp(&keys.row(*right as usize)));
    take_record_batch(&rows, &UInt32Array::from(positions))
}

/// Returns an order as data files note it.
fn order_text(sort_by: &[SortColumn]) -> String {
    serde_json::to_string(sort_by).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64) -> DataFile {
        DataFile { rows: 1, bytes, partition: Vec::new(), key_min: None, key_max: None }
    }

    #[test]
    fn small_files_are_put_together_first_fit_and_large_ones_left_alone() {
        /// Sizes, what must change, and the bins.
        type Case = (&'static [u64], &'static [u64], &'static [&'static [usize]]);
        let cases: [Case; 7] = [
            (&[], &[], &[]),
            (&[10], &[], &[]),
            (&[10, 20], &[], &[&[0, 1]]),
            (&[10, 50, 20], &[], &[&[0, 2]]),
            (&[40, 40, 40, 40, 10], &[], &[&[0, 1, 4], &[2, 3]]),
            (&[40, 45, 40], &[], &[&[0, 1]]),
            (&[10, 500, 60], &[0, 2], &[&[0], &[2]]),
        ];
        for (sizes, must_change, expected) in cases {
            let path = |file: usize| format!("part-{file:05}.parquet");
            let files = sizes.iter().enumerate().map(|(at, bytes)| (path(at), file(*bytes))).collect();
            let must_change: Vec<String> = must_change.iter().map(|at| path(usize::try_from(*at).unwrap())).collect();
            let bins = bins(files, 100, |path| must_change.iter().any(|must| must == path));
            let found: Vec<Vec<&String>> =
                bins.iter().map(|bin| bin.files.iter().map(|(path, _)| path).collect()).collect();
            let expected: Vec<Vec<String>> =
                expected.iter().map(|bin| bin.iter().map(|at| path(*at)).collect()).collect();
            assert_eq!(found, expected.iter().map(|bin| bin.iter().collect()).collect::<Vec<Vec<_>>>(), "{sizes:?}");
        }
    }
}
