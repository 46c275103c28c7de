//! THE commit protocol. Whoever changes a table goes through this file.
//!
//! # Ordering rules
//! 1. Every staged object is complete before the commit object is created. Staged objects never change.
//! 2. The commit object is created with one create-only put. Before it nothing has happened; after it everything has:
//!    it is the linearisation point. It is never changed or deleted.
//! 3. Only then are staged files copied to their final names, each copy atomic; files that come or change first, and
//!    removals only when all of them are there, so a reader who globs never misses a committed row that stays.
//! 4. The published marker is put only when all copies and removals are done, and staged files are deleted only when
//!    the marker is there: without a marker, the staging of the last commit is complete.
//! 5. No commit is made on top of one without a marker: `begin` rolls it forward first. So at most the last commit is
//!    unpublished.
//! 6. Staged files of another run are swept only when that run can no longer commit them: its process is known to be gone
//!    (file lock), or the number of the commit that they are for is taken (leases). Their names say which one that is.
//! 7. A writer whose lease was taken over must not change anything: it asks before the commit and before removals. It may fall asleep right after it
//!    has asked, though, for any time. So whatever it may still do then is harmless by itself: the number of its commit is taken; staged files of a commit that others
//!    have published are gone, so it cannot copy them over newer ones; and a path that a commit has removed never comes back (`slots`), so it cannot remove a newer file.
//!
//! 8. On local disk, what a step relies on is durable before the step is made (`medium`): staged files before the commit
//!    object has its name, that name before anything is copied, final names before the marker, the marker before staging goes.
//!    So the promise holds for a process that dies at any instant, and for a machine that loses power.
//!
//! Steps 3 and 4 may be repeated any number of times, from the start, by anyone who holds the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::layout::number_of;
use super::lease::TableLock;
use super::recover;
use super::snapshot::{DataFile, KeyBound, Snapshot};
use super::storage::{Created, Storage};
use super::strategy::StoredMerge;
use crate::spec::PartitionField;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::{Error, ErrorKind, Result};
use lakefeed_model::event::{FileChange, FileChangeKind, RowCounts};
use lakefeed_model::schema::RecordSchema;
use lakefeed_model::spec::WriteDisposition;

/// Copies in flight at the same time.
const PUBLISH_IN_FLIGHT: usize = 8;

/// One commit, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommitDocument {
    pub(super) version: u32,
    pub(super) commit: u64,
    pub(super) run_id: String,
    pub(super) time: DateTime<Utc>,
    pub(super) resource: String,
    pub(super) disposition: WriteDisposition,
    /// How rows were merged; a merge of a commit without it was an upsert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) merge: Option<StoredMerge>,
    /// What the commit is for; loads do not say it.
    #[serde(default, skip_serializing_if = "Operation::is_load")]
    pub(super) operation: Operation,
    pub(super) primary_key: Vec<String>,
    pub(super) partition_by: Vec<PartitionField>,
    pub(super) schema: Arc<RecordSchema>,
    pub(super) checkpoint: Checkpoint,
    pub(super) counts: RowCounts,
    pub(super) adds: Vec<AddedFile>,
    pub(super) removes: Vec<String>,
    /// Paths that no file of the table has, and that none will ever get: what is there is nobody's, and may be deleted at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) retires: Vec<String>,
    pub(super) rejects: Option<RejectsFile>,
    /// Rejects of earlier runs that became rows with this commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) settled: Vec<SettledRejects>,
    /// Whether none of the rows that were there stays, whatever the disposition says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) full_refresh: bool,
    /// What it changes of the table's schema, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) schema_changes: Vec<String>,
}

/// Rejects of one file that are settled: they were tried again, and not in vain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettledRejects {
    /// The file of rejects, relative to the table's folder.
    pub(super) path: String,
    /// Their rows in it, from 0, ascending.
    pub(super) rows: Vec<u32>,
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
    /// It changes nothing, and takes the number that a run which may be asleep aims at.
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
pub(super) struct AddedFile {
    /// Relative to the table's folder.
    pub(super) path: String,
    /// The staged object, relative to the table's folder.
    pub(super) staged: String,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) partition: Vec<(String, Option<String>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_min: Option<KeyBound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_max: Option<KeyBound>,
}

/// The refused records of a run; published with its commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectsFile {
    pub(super) path: String,
    pub(super) staged: String,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// Why bytes are not a commit.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error("it is not a commit document: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its format has version {0}; this lakefeed knows version {known}", known = CommitDocument::VERSION)]
    Version(u32),
    #[error("it says that it is commit {0}")]
    Number(u64),
}

impl AddedFile {
    pub(super) fn data_file(&self) -> DataFile {
        DataFile {
            rows: self.rows,
            bytes: self.bytes,
            partition: self.partition.clone(),
            key_min: self.key_min.clone(),
            key_max: self.key_max.clone(),
        }
    }
}

impl CommitDocument {
    /// The version of the format that this program writes.
    pub(super) const VERSION: u32 = 1;

    pub(super) fn parse(bytes: &[u8], number: u64) -> Result<Self, CommitError> {
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

    /// What it does to the data files of the snapshot `before` it.
    pub(super) fn file_changes(&self, before: &Snapshot) -> Vec<FileChange> {
        let replaces = |path: &String| before.files.contains_key(path);
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

    fn to_bytes(&self) -> Result<Bytes> {
        serde_json::to_vec_pretty(self)
            .map(Bytes::from)
            .map_err(|error| Error::storage("cannot write a commit document").with_source(error))
    }
}

/// How far a commit has got. Each state names what is certainly done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// All staged objects are complete.
    Staged,
    /// The commit object is there.
    Committed,
    /// Every added or changed file has its final name.
    Copied,
    /// Every removed file is gone.
    Removed,
    /// The published marker is there.
    Marked,
    /// Staging and older markers are gone.
    Finished,
}

/// One step of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    CreateCommit,
    Copy,
    Remove,
    Mark,
    Sweep,
}

impl State {
    /// How far a commit that is found at the start of a run has certainly got.
    pub(super) fn found(published: bool) -> Self {
        if published { Self::Marked } else { Self::Committed }
    }

    /// What is to be done next.
    pub(super) fn next(self) -> Option<Step> {
        match self {
            Self::Staged => Some(Step::CreateCommit),
            Self::Committed => Some(Step::Copy),
            Self::Copied => Some(Step::Remove),
            Self::Removed => Some(Step::Mark),
            Self::Marked => Some(Step::Sweep),
            Self::Finished => None,
        }
    }
}

impl Step {
    /// What is certain once the step succeeded.
    pub(super) fn done(self) -> State {
        match self {
            Self::CreateCommit => State::Committed,
            Self::Copy => State::Copied,
            Self::Remove => State::Removed,
            Self::Mark => State::Marked,
            Self::Sweep => State::Finished,
        }
    }
}

/// Why a commit did not go through.
#[derive(Debug)]
pub(super) struct CommitFailure {
    pub(super) error: Error,
    /// Whether it is certain that nothing was committed, so that the staged files are garbage.
    pub(super) nothing_happened: bool,
}

/// Drives a commit from `from` to its end.
pub(super) async fn drive(
    storage: &Storage,
    lock: &TableLock,
    commit: &CommitDocument,
    from: State,
) -> Result<(), CommitFailure> {
    let mut state = from;
    while let Some(step) = state.next() {
        let performed = match step {
            Step::CreateCommit => create_commit(storage, lock, commit).await,
            Step::Copy => copy_files(storage, commit).await.map_err(|error| happened(error, commit)),
            Step::Remove => remove_files(storage, lock, commit).await.map_err(|error| happened(error, commit)),
            Step::Mark => mark(storage, commit).await.map_err(|error| happened(error, commit)),
            Step::Sweep => sweep(storage, commit).await.map_err(|error| happened(error, commit)),
        };
        performed?;
        state = step.done();
    }
    Ok(())
}

fn happened(error: Error, commit: &CommitDocument) -> CommitFailure {
    let error = error.with_hint(format!(
        "commit {} has happened and nothing is lost: the next run finishes publishing it before anything else",
        commit.commit
    ));
    CommitFailure { error, nothing_happened: false }
}

async fn create_commit(storage: &Storage, lock: &TableLock, commit: &CommitDocument) -> Result<(), CommitFailure> {
    let nothing = |error| CommitFailure { error, nothing_happened: true };
    lock.verify(storage).await.map_err(nothing)?;
    let bytes = commit.to_bytes().map_err(nothing)?;
    let path = storage.layout.commit(commit.commit);
    // Rules 1 and 8: what the commit relies on is complete, and durable.
    let relies_on = objects(storage, commit, |staged, _| staged.to_owned()).map_err(nothing)?;
    let staged = storage.layout.staged_commit(&commit.run_id);
    storage.prepare(&staged, &bytes, &relies_on).await.map_err(nothing)?;
    let outcome = storage.create_prepared(&path, &staged, bytes).await;
    if matches!(outcome, Ok(Created::Yes)) {
        return Ok(());
    }
    // A put whose answer was lost, and which the client tried again, meets itself: see whose commit is there.
    match storage.get_if_present(&path).await {
        Ok(Some(found)) => match CommitDocument::parse(&found, commit.commit) {
            Ok(found) if found.run_id == commit.run_id => Ok(()),
            Ok(found) => Err(nothing(lost_to(storage, commit.commit, &found.run_id))),
            Err(error) => Err(nothing(
                Error::new(ErrorKind::Storage, format!("cannot read the commit {}", storage.show(&path))).with_source(error),
            )),
        },
        Ok(None) | Err(_) => Err(CommitFailure {
            error: match outcome {
                Ok(_) => Error::conflict(format!("{} came and went", storage.show(&path))),
                Err(error) => error.with_hint(
                    "it is not known whether the commit happened; either way the table is whole, and running again is safe",
                ),
            },
            nothing_happened: false,
        }),
    }
}

/// Why a run failed before its commit `number`: where another one has that number, the files that it read were being replaced.
pub(super) async fn explain(storage: &Storage, number: u64, error: Error) -> Error {
    let found = storage.get_if_present(&storage.layout.commit(number)).await.ok().flatten();
    match found.and_then(|bytes| CommitDocument::parse(&bytes, number).ok()) {
        Some(other) => lost_to(storage, number, &other.run_id).with_source(error),
        None => error,
    }
}

fn lost_to(storage: &Storage, number: u64, run_id: &str) -> Error {
    Error::conflict(format!("table {}: commit {number} was made by run {run_id} in the meantime", storage.url))
        .with_hint("nothing of this run was written; run again")
}

/// The objects of a commit, by the one name or the other.
fn objects(storage: &Storage, commit: &CommitDocument, name: fn(&str, &str) -> String) -> Result<Vec<Path>> {
    let files = commit.adds.iter().map(|added| (&added.staged, &added.path));
    let rejects = commit.rejects.iter().map(|rejects| (&rejects.staged, &rejects.path));
    files.chain(rejects).map(|(staged, path)| storage.resolve(&name(staged, path))).collect()
}

async fn copy_files(storage: &Storage, commit: &CommitDocument) -> Result<()> {
    // Also where an earlier run has made it, and may not have got further.
    storage.sync_names(&[storage.layout.commit(commit.commit)]).await?;
    let mut copies = commit.adds.iter().map(|added| (added.staged.as_str(), added.path.as_str())).collect::<Vec<_>>();
    copies.extend(commit.rejects.iter().map(|rejects| (rejects.staged.as_str(), rejects.path.as_str())));
    let copies = copies.into_iter().map(|(staged, path)| copy_file(storage, commit.commit, staged, path));
    let copies = copies.collect::<Vec<_>>();
    stream::iter(copies).buffer_unordered(PUBLISH_IN_FLIGHT).try_collect::<()>().await?;
    storage.sync_names(&objects(storage, commit, |_, path| path.to_owned())?).await
}

async fn copy_file(storage: &Storage, number: u64, staged: &str, path: &str) -> Result<()> {
    let (from, to) = (storage.resolve(staged)?, storage.resolve(path)?);
    if storage.copy(&from, &to).await? {
        return Ok(());
    }
    // Whoever published the commit before us has deleted its staging; then there is nothing left to do.
    let (marker, next) = (storage.layout.published_marker(number), storage.layout.commit(number + 1));
    // No commit is made on top of one that is not published (rule 5); markers of older ones are deleted.
    if storage.get_if_present(&marker).await?.is_some() || storage.get_if_present(&next).await?.is_some() {
        return Ok(());
    }
    Err(Error::storage(format!(
        "cannot publish {}: its staged file {} is gone",
        storage.show(&to),
        storage.show(&from)
    ))
    .with_hint("the table is damaged, or another program deletes files below _lakefeed"))
}

async fn remove_files(storage: &Storage, lock: &TableLock, commit: &CommitDocument) -> Result<()> {
    if commit.removes.is_empty() {
        return Ok(());
    }
    lock.verify(storage).await?;
    let removed = commit.removes.iter().map(|path| storage.resolve(path)).collect::<Result<Vec<_>>>()?;
    storage.delete_each(removed.iter().cloned()).await?;
    storage.sync_names(&removed).await
}

async fn mark(storage: &Storage, commit: &CommitDocument) -> Result<()> {
    let marker =
        serde_json::json!({ "version": CommitDocument::VERSION, "commit": commit.commit, "run_id": commit.run_id });
    storage.put(&storage.layout.published_marker(commit.commit), marker.to_string().into()).await
}

async fn sweep(storage: &Storage, commit: &CommitDocument) -> Result<()> {
    // Also where an earlier run has put it, and may not have got further.
    storage.sync_names(&[storage.layout.published_marker(commit.commit)]).await?;
    let markers = async {
        let markers =
            storage.list(&storage.layout.published_markers()).await?.into_iter().map(|marker| marker.location);
        let is_old = |marker: &Path| number_of(marker).is_some_and(|number| number < commit.commit);
        storage.delete_each(markers.filter(is_old)).await
    };
    let run = BTreeSet::from([commit.run_id.clone()]);
    tokio::try_join!(markers, recover::sweep_staging(storage, &run, commit.commit)).map(drop)
}

/// The path of a staged object as commits name it.
pub(super) fn staged_name(storage: &Storage, path: &Path) -> String {
    storage.layout.relative(path).to_owned()
}

#[cfg(test)]
mod tests;
