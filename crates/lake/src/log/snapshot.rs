//! A table as its last commit left it: the fold of all commits. Pure.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::log::document::{CommitDocument, DataFile, Operation, StoredMerge};
use crate::log::read::damaged;
use crate::spec::PartitionField;
use crate::storage::layout::file_number;
use crate::storage::objects::Storage;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::Result;
use lakefeed_model::schema::RecordSchema;
use lakefeed_model::spec::WriteDisposition;

/// A table as its last commit left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Snapshot {
    /// The last commit's number; 0 for a table without commits.
    pub version: u64,
    /// Whether readers who glob see all of it; until then the next run finishes publishing.
    #[serde(skip)]
    pub published: bool,
    /// The shape of its rows.
    pub schema: Option<Arc<RecordSchema>>,
    /// The columns that identify a row.
    pub primary_key: Vec<String>,
    /// How its rows are spread over folders.
    pub partition_by: Vec<PartitionField>,
    /// How the last commit merged its rows; `None` for an append, a replace, and an upsert that
    /// does not say so.
    pub merge: Option<StoredMerge>,
    /// Whether its commits prove that no two of its rows have the same primary key: each row came
    /// by a merge.
    #[serde(default)]
    pub keys_are_unique: bool,
    /// Its data files, by path relative to the table's folder.
    pub files: BTreeMap<String, DataFile>,
    /// By partition folder, the highest number of a data file that a commit has removed. No new
    /// file gets it, or one below it.
    #[serde(rename = "retired_slots")]
    pub(crate) retired_numbers: BTreeMap<String, u32>,
    /// How far its resource has got.
    pub checkpoint: Option<Checkpoint>,
    /// The run that made the last commit.
    pub run_id: Option<String>,
    /// When that was.
    pub committed_at: Option<DateTime<Utc>>,
}

impl Snapshot {
    /// Returns the number of rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.values().map(|file| file.rows).sum()
    }

    /// Returns the size of all files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// Returns the shape of the records that its rows were made of: its columns without those that
    /// the merge adds.
    pub fn record_schema(&self) -> Option<Arc<RecordSchema>> {
        let schema = self.schema.as_ref()?;
        let own = self.merge.as_ref().map(StoredMerge::own_columns).unwrap_or_default();
        if own.is_empty() {
            return Some(Arc::clone(schema));
        }
        let columns = schema.columns().iter().filter(|column| !own.contains(&column.name.as_str()));
        let sources = schema.notes().iter().filter(|(_, note)| note.source.is_some());
        let sources = sources.map(|(place, note)| (place.clone(), note.clone())).collect();
        RecordSchema::new(columns.cloned().collect()).ok().map(|records| Arc::new(records.with_notes(sources)))
    }

    /// Returns the snapshot after `commit`, which must be the next one.
    ///
    /// # Errors
    /// What is wrong with the commit, in words.
    pub(crate) fn apply(mut self, commit: &CommitDocument) -> Result<Self, String> {
        if commit.commit != self.version + 1 {
            return Err(format!("commit {} is missing before commit {}", self.version + 1, commit.commit));
        }
        let keys_are_unique = self.keys_stay_unique(commit);
        let removes = commit.removes.iter().collect::<HashSet<_>>();
        for path in &commit.removes {
            if self.files.remove(path).is_none() {
                return Err(format!("it removes {path:?}, which the table does not have"));
            }
        }
        for added in &commit.adds {
            if removes.contains(&added.path) {
                return Err(format!("it both adds and removes {:?}", added.path));
            }
            self.files.insert(added.path.clone(), added.data_file());
        }
        for (partition, number) in commit.removes.iter().chain(&commit.retires).filter_map(|path| file_number(path)) {
            let retired = self.retired_numbers.entry(partition.to_owned()).or_default();
            *retired = number.max(*retired);
        }
        self.version = commit.commit;
        self.published = false;
        self.keys_are_unique = keys_are_unique;
        self.schema = Some(Arc::clone(&commit.schema));
        self.primary_key.clone_from(&commit.primary_key);
        self.partition_by.clone_from(&commit.partition_by);
        self.merge.clone_from(&commit.merge);
        self.checkpoint = Some(commit.checkpoint.clone());
        self.run_id = Some(commit.run_id.clone());
        self.committed_at = Some(commit.time);
        Ok(self)
    }

    /// Returns whether keys are unique after `commit`. A merge keeps them so, and begins anew when
    /// none of the rows that were there stays.
    fn keys_stay_unique(&self, commit: &CommitDocument) -> bool {
        let before = self.files.is_empty() || self.keys_are_unique && self.primary_key == commit.primary_key;
        let counts = &commit.counts;
        let nothing_stays = counts.deleted == self.rows() && counts.written == counts.inserted;
        match (commit.operation, commit.disposition) {
            (Operation::Compaction | Operation::Fence, _) => self.keys_are_unique,
            (Operation::Load, WriteDisposition::Merge) => before || nothing_stays,
            (Operation::Load, WriteDisposition::Append | WriteDisposition::Replace) => before && commit.adds.is_empty(),
        }
    }

    /// Returns the snapshot after `commit`; an error names the file of the commit.
    pub(crate) fn after(self, storage: &Storage, commit: &CommitDocument) -> Result<Self> {
        let next = self.version + 1;
        self.apply(commit).map_err(|problem| damaged(storage, next, &problem))
    }
}

#[cfg(test)]
mod tests;
