//! What is recorded of a table: commit documents, and what they say of data files and of how rows
//! were merged. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::spec::{PartitionField, StrategyName};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::{FileChange, FileChangeKind, RowCounts};
use lakefeed_model::schema::RecordSchema;
use lakefeed_model::spec::WriteDisposition;

/// One commit, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommitDocument {
    pub(crate) version: u32,
    pub(crate) commit: u64,
    pub(crate) run_id: String,
    pub(crate) time: DateTime<Utc>,
    pub(crate) resource: String,
    pub(crate) disposition: WriteDisposition,
    /// How rows were merged; a merge of a commit without it was an upsert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) merge: Option<StoredMerge>,
    /// What the commit is for; loads do not say it.
    #[serde(default, skip_serializing_if = "Operation::is_load")]
    pub(crate) operation: Operation,
    pub(crate) primary_key: Vec<String>,
    pub(crate) partition_by: Vec<PartitionField>,
    pub(crate) schema: Arc<RecordSchema>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) counts: RowCounts,
    pub(crate) adds: Vec<AddedFile>,
    pub(crate) removes: Vec<String>,
    /// Paths that no file of the table has, and that none will ever get. An object there is
    /// nobody's, and may be deleted at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) retires: Vec<String>,
    pub(crate) rejects: Option<RejectsFile>,
    /// Rejects of earlier runs that became rows with this commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) settled: Vec<SettledRejects>,
    /// Whether the table was built anew, whatever the disposition says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) full_refresh: bool,
    /// What it changes of the table's schema, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) schema_changes: Vec<String>,
}

/// What a commit says of the table, whatever it does to the files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableDescription {
    pub(crate) resource: String,
    pub(crate) disposition: WriteDisposition,
    /// How its rows were merged; `None` where nothing is merged.
    pub(crate) merge: Option<StoredMerge>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) partition_by: Vec<PartitionField>,
    pub(crate) schema: Arc<RecordSchema>,
    pub(crate) checkpoint: Checkpoint,
}

/// Rejects of one file that are settled: a later run made rows of them, or they are not wanted any
/// more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettledRejects {
    /// The file of rejects, relative to the table's folder.
    pub(crate) path: String,
    /// Their rows in it, from 0, ascending.
    pub(crate) rows: Vec<u32>,
}

/// What a commit is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It brings the rows of a run.
    #[default]
    Load,
    /// It puts files together; no row changes.
    Compaction,
    /// It changes nothing, and takes the number that a zombie writer may aim at.
    Fence,
}

impl Operation {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_load(&self) -> bool {
        *self == Self::Load
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Load => "load",
            Self::Compaction => "compaction",
            Self::Fence => "fence",
        })
    }
}

/// A data file that a commit adds or replaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddedFile {
    /// Relative to the table's folder.
    pub(crate) path: String,
    /// The staged object, relative to the table's folder.
    pub(crate) staged: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) partition: Vec<(String, Option<String>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_min: Option<KeyBound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_max: Option<KeyBound>,
}

/// The refused records of a run; published with its commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectsFile {
    pub(crate) path: String,
    pub(crate) staged: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

/// Why bytes are not a commit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    #[error("it is not a commit document: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its format has version {0}; this lakefeed knows version {known}", known = CommitDocument::VERSION)]
    Version(u32),
    #[error("it says that it is commit {0}")]
    Number(u64),
}

impl AddedFile {
    pub(crate) fn data_file(&self) -> DataFile {
        DataFile {
            rows: self.rows,
            bytes: self.bytes,
            partition: self.partition.clone(),
            key_min: self.key_min.clone(),
            key_max: self.key_max.clone(),
        }
    }
}

/// A data file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its partition, level by level: name and value.
    pub partition: Vec<(String, Option<String>)>,
    /// Its smallest key, when the key is one column of numbers or text.
    pub key_min: Option<KeyBound>,
    /// Its largest key.
    pub key_max: Option<KeyBound>,
}

/// One end of the range of keys in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyBound {
    /// An integer.
    Int(i64),
    /// A string, compared by its bytes.
    Text(String),
}

/// How a table was merged, as its commits say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredMerge {
    /// What happened to rows that were there.
    pub strategy: StrategyName,
    /// The columns that name a group of rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_key: Vec<String>,
    /// The history of the rows, where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<StoredHistory>,
    /// The column that marks deleted rows, where they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

/// How a table keeps history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredHistory {
    /// The column that says from when on a version holds.
    pub valid_from: String,
    /// The column that says until when it held.
    pub valid_to: String,
    /// When the commit's versions closed and opened.
    pub boundary: DateTime<Utc>,
}

impl CommitDocument {
    /// The version of the format that this program writes.
    pub(crate) const VERSION: u32 = 1;

    pub(crate) fn parse(bytes: &[u8], number: u64) -> Result<Self, CommitError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(bytes)?;
        if version != Self::VERSION {
            return Err(CommitError::Version(version));
        }
        let commit: Self = serde_json::from_slice(bytes)?;
        if commit.commit == number { Ok(commit) } else { Err(CommitError::Number(commit.commit)) }
    }

    /// Returns what the commit says of the table, beside its files.
    pub(crate) fn description(&self) -> TableDescription {
        TableDescription {
            resource: self.resource.clone(),
            disposition: self.disposition,
            merge: self.merge.clone(),
            primary_key: self.primary_key.clone(),
            partition_by: self.partition_by.clone(),
            schema: Arc::clone(&self.schema),
            checkpoint: self.checkpoint.clone(),
        }
    }

    /// Returns what the commit does to the data files `before` it.
    pub(crate) fn file_changes(&self, before: &BTreeMap<String, DataFile>) -> Vec<FileChange> {
        let replaces = |path: &String| before.contains_key(path);
        let added = self.adds.iter().map(|added| FileChange {
            path: added.path.clone(),
            change: if replaces(&added.path) { FileChangeKind::Replaced } else { FileChangeKind::Added },
            rows: added.rows,
            bytes: added.bytes,
        });
        let removed = self.removes.iter().map(|path| FileChange {
            path: path.clone(),
            change: FileChangeKind::Removed,
            rows: 0,
            bytes: 0,
        });
        added.chain(removed).collect()
    }

    pub(crate) fn to_bytes(&self) -> Result<Bytes> {
        serde_json::to_vec_pretty(self)
            .map(Bytes::from)
            .map_err(|error| Error::defect("cannot write a commit document").with_source(error))
    }
}

impl StoredMerge {
    /// Returns the names of the columns that it adds to those of the records.
    pub(crate) fn own_columns(&self) -> Vec<&str> {
        let history = self.history.iter().flat_map(|history| [history.valid_from.as_str(), history.valid_to.as_str()]);
        history.chain(self.mark.as_deref()).collect()
    }
}
