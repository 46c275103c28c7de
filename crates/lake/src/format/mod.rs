//! The format of a table: what its log is, how its data files are named, and what it takes to
//! commit.
//!
//! The final names of data files, and the steps in which a commit becomes visible, are known in
//! this room alone: whoever changes a table ends with [`Changes`], in which no new file has a name.

pub(crate) mod glob;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::commit::lease::TableLock;
use crate::log::document::{Operation, RejectsFile, SettledRejects, TableDescription};
use crate::log::load::Loaded;
use crate::log::snapshot::Snapshot;
use crate::staging::area::FileNaming;
use crate::staging::changes::Changes;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::{FileChange, RowCounts};

/// How a table stands on storage.
#[async_trait]
pub(crate) trait TableFormat: fmt::Debug + Send + Sync {
    /// Reads the table as its last commit left it. Needs no lock.
    async fn load(&self) -> Result<Loaded>;

    /// Returns how a run names the data files that it stages for the commit after `base`, and how
    /// their pages are aligned.
    fn name(&self, base: &Snapshot, run_id: &str) -> FileNaming;

    /// Makes `draft` the commit after `base` and publishes it; `base` is the table after it then.
    async fn commit(
        &self,
        lock: &TableLock,
        base: &mut Loaded,
        draft: CommitDraft,
    ) -> Result<CommitOutcome, CommitFailure>;

    /// Finishes publishing the last commit, where the run that made it did not get to it. Returns
    /// the number of a commit that was published here.
    async fn recover(&self, lock: &TableLock, loaded: &mut Loaded) -> Result<Option<u64>>;

    /// Says why files of `base` could not be read, where another commit has replaced them
    /// meanwhile.
    async fn explain(&self, base: &Snapshot, error: Error) -> Error;
}

/// What a commit is to say. Its number and the names of its files are for the format to give.
#[derive(Debug)]
pub(crate) struct CommitDraft {
    pub(crate) run_id: String,
    pub(crate) time: DateTime<Utc>,
    pub(crate) operation: Operation,
    pub(crate) table: TableDescription,
    pub(crate) changes: Changes,
    /// What became of the rows; the rows of the files that are written are counted by the format.
    pub(crate) counts: RowCounts,
    pub(crate) rejects: Option<RejectsFile>,
    pub(crate) settled: Vec<SettledRejects>,
    /// Paths that no file of the table has, and that none will ever get.
    pub(crate) retires: Vec<String>,
    pub(crate) full_refresh: bool,
    /// What it changes of the table's schema, in words.
    pub(crate) schema_changes: Vec<String>,
}

impl CommitDraft {
    /// Drafts a commit that changes nothing yet of a table that `table` describes.
    pub(crate) fn new(run_id: &str, time: DateTime<Utc>, operation: Operation, table: TableDescription) -> Self {
        Self {
            run_id: run_id.to_owned(),
            time,
            operation,
            table,
            changes: Changes::default(),
            counts: RowCounts::default(),
            rejects: None,
            settled: Vec::new(),
            retires: Vec::new(),
            full_refresh: false,
            schema_changes: Vec::new(),
        }
    }
}

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

/// Why a commit did not go through.
#[derive(Debug)]
pub(crate) enum CommitFailure {
    /// Another run has the table, or the commit's number. Nothing was committed.
    Conflicted(Error),
    /// The store failed before the commit. Nothing was committed.
    Retryable(Error),
    /// The commit has happened, or may have: what it has staged must stay. The next run finds out,
    /// and finishes it.
    Unfinished(Error),
}

impl CommitFailure {
    /// Wraps an error of which it is certain that nothing was committed.
    fn before_commit(error: Error) -> Self {
        match error.kind() {
            lakefeed_model::error::ErrorKind::Conflict => Self::Conflicted(error),
            _ => Self::Retryable(error),
        }
    }

    /// Returns whether it is certain that nothing was committed, so that staged files are garbage.
    pub(crate) fn leaves_nothing(&self) -> bool {
        match self {
            Self::Conflicted(_) | Self::Retryable(_) => true,
            Self::Unfinished(_) => false,
        }
    }
}

impl From<CommitFailure> for Error {
    fn from(failure: CommitFailure) -> Self {
        match failure {
            CommitFailure::Conflicted(error) | CommitFailure::Retryable(error) | CommitFailure::Unfinished(error) => {
                error
            }
        }
    }
}
