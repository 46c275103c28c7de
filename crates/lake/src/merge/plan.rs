//! Plans which files a merge keeps, adopts, rewrites and removes. Pure: files and counts in, a plan
//! out.
//!
//! By partition: files that lose rows are rewritten without them, together with the incoming rows
//! and with small files, so that small runs do not leave ever more small files. Staged files become
//! data files as they are when they are large enough, or when there is nothing to put them together
//! with. What the new files are called is for the format of the table to say.

use std::collections::{BTreeMap, HashMap};

use crate::log::document::DataFile;
use crate::parquet::row_set::RowSet;
use crate::staging::area::StagedFile;
use crate::storage::layout::folder_of;

/// A file smaller than this, or than half of a file's target size, is put together with rows that
/// are added to its partition.
const SMALL_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A data file as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExistingFile {
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Rows that leave.
    pub(crate) deleted: u64,
}

/// A staged file as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IncomingFile {
    pub(crate) number: u32,
    /// The folder of its partition.
    pub(crate) partition: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Rows that do not make it into the table.
    pub(crate) dropped: u64,
    /// Its rows wait in memory: there is no file yet that could be taken over.
    pub(crate) is_held: bool,
}

/// What happens to one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PartitionPlan {
    /// The partition's folder.
    pub(crate) partition: String,
    /// Staged files that become data files as they are.
    pub(crate) adopted: Vec<u32>,
    /// Data files that are rewritten without the rows that leave.
    pub(crate) rewritten: Vec<String>,
    /// Staged files whose surviving rows are rewritten.
    pub(crate) merged: Vec<u32>,
    /// Data files that leave the table.
    pub(crate) leaving: Vec<String>,
}

/// Plans every partition that changes.
pub(crate) fn plan(existing: &[ExistingFile], incoming: &[IncomingFile], file_bytes_target: u64) -> Vec<PartitionPlan> {
    let mut partitions: BTreeMap<&str, (Vec<&ExistingFile>, Vec<&IncomingFile>)> = BTreeMap::new();
    for file in existing {
        partitions.entry(folder_of(&file.path)).or_default().0.push(file);
    }
    for file in incoming {
        partitions.entry(&file.partition).or_default().1.push(file);
    }
    let small_bytes = small_bytes(file_bytes_target);
    partitions
        .into_iter()
        .filter_map(|(partition, (existing, incoming))| plan_partition(partition, &existing, &incoming, small_bytes))
        .collect()
}

/// Returns what counts as small where files have this target size.
pub(crate) fn small_bytes(file_bytes_target: u64) -> u64 {
    SMALL_FILE_BYTES.min(file_bytes_target / 2)
}

/// Plans one partition, of which all files are given. Returns `None` when nothing changes there.
pub(crate) fn plan_partition(
    partition: &str,
    existing: &[&ExistingFile],
    incoming: &[&IncomingFile],
    small_bytes: u64,
) -> Option<PartitionPlan> {
    let surviving = incoming.iter().copied().filter(|file| file.dropped < file.rows).collect::<Vec<_>>();
    let adds_rows = !surviving.is_empty();
    let touched =
        existing.iter().filter(|file| file.deleted > 0 || (adds_rows && file.bytes < small_bytes)).collect::<Vec<_>>();
    if touched.is_empty() && !adds_rows {
        return None;
    }
    let mut plan = PartitionPlan {
        partition: partition.to_owned(),
        leaving: touched.iter().map(|file| file.path.clone()).collect(),
        ..PartitionPlan::default()
    };
    plan.rewritten = touched.iter().filter(|file| file.deleted < file.rows).map(|file| file.path.clone()).collect();
    let rewriting = !plan.rewritten.is_empty();
    let (whole, pieces): (Vec<&IncomingFile>, Vec<&IncomingFile>) =
        surviving.into_iter().partition(|file| file.dropped == 0 && file.bytes >= small_bytes && !file.is_held);
    let (whole, pieces) = match pieces.as_slice() {
        // A single small file would be rewritten into itself.
        [only] if only.dropped == 0 && !rewriting && !only.is_held => ([whole, pieces].concat(), Vec::new()),
        _ => (whole, pieces),
    };
    plan.adopted = whole.iter().map(|file| file.number).collect();
    plan.merged = pieces.iter().map(|file| file.number).collect();
    Some(plan)
}

/// Returns a file of the table, as its plan sees it.
pub(crate) fn existing_file(path: &str, file: &DataFile, gone: &BTreeMap<String, RowSet>) -> ExistingFile {
    let deleted = gone.get(path).map_or(0, RowSet::len);
    ExistingFile { path: path.to_owned(), rows: file.rows, bytes: file.bytes, deleted }
}

/// Returns a staged file, as its plan sees it.
pub(crate) fn incoming_file(file: &StagedFile, dropped: &HashMap<u32, RowSet>) -> IncomingFile {
    IncomingFile {
        number: file.number,
        partition: file.partition.path.clone(),
        rows: file.rows,
        bytes: file.bytes,
        dropped: dropped.get(&file.number).map_or(0, RowSet::len),
        is_held: file.held.is_some(),
    }
}

#[cfg(test)]
mod tests;
