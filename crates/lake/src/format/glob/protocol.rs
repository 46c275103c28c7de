//! THE commit protocol of plain files. Whoever changes a table goes through this file.
//!
//! # Ordering rules
//! 1. Every staged object is complete before the commit object is created. Staged objects never
//!    change.
//! 2. The commit object is created with one create-only put. Before it nothing has happened; after
//!    it everything has: it is the linearisation point. It is never changed or deleted.
//! 3. Only then are staged files copied to their final names, each copy atomic; files that come or
//!    change first, and removals only when all of them are there, so a reader who globs never
//!    misses a committed row that stays.
//! 4. The published marker is put only when all copies and removals are done, and staged files are
//!    deleted only when the marker is there: without a marker, the staging of the last commit is
//!    complete.
//! 5. No commit is made on top of one without a marker: taking the table rolls it forward first. So
//!    at most the last commit is unpublished.
//! 6. Staged files of another run are swept only when that run can no longer commit them: its
//!    process is known to be gone (file lock), or the number of the commit that they are for is
//!    taken (leases). Their names say which one that is.
//! 7. A writer whose lease was taken over must not change anything: it asks before the commit and
//!    before removals. It may fall asleep right after it has asked, though, for any time: a zombie
//!    writer. So whatever it may still do then is harmless by itself. The number of its commit is
//!    taken. Staged files of a commit that others have published are gone, so it cannot copy them
//!    over newer ones. A path that a commit has removed never comes back (`file_names`), so it
//!    cannot remove a newer file.
//! 8. On local disk, what a step relies on is durable before the step is made (`durability`):
//!    staged files before the commit object has its name, that name before anything is copied,
//!    final names before the marker, the marker before staging goes. So the promise holds for a
//!    process that dies at any instant, and for a machine that loses power.
//!
//! Steps 3 and 4 may be repeated any number of times, from the start, by anyone who holds the
//! table.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;

use crate::commit::lease::TableLock;
use crate::commit::sweep::sweep_staging;
use crate::format::CommitFailure;
use crate::log::document::CommitDocument;
use crate::storage::layout::number_of;
use crate::storage::objects::{Created, Storage};
use lakefeed_model::error::{Error, Result};

/// Copies in flight at the same time.
const PUBLISH_IN_FLIGHT: usize = 8;

/// How far a commit has got. Each state names what is certainly done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
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
pub(crate) enum Step {
    CreateCommit,
    Copy,
    Remove,
    Mark,
    Sweep,
}

impl State {
    /// Returns how far a commit that is found at the start of a run has certainly got.
    pub(crate) fn found(published: bool) -> Self {
        if published { Self::Marked } else { Self::Committed }
    }

    /// Returns what is to be done next.
    pub(crate) fn next(self) -> Option<Step> {
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
    /// Returns what is certain once the step succeeded.
    pub(crate) fn done(self) -> State {
        match self {
            Self::CreateCommit => State::Committed,
            Self::Copy => State::Copied,
            Self::Remove => State::Removed,
            Self::Mark => State::Marked,
            Self::Sweep => State::Finished,
        }
    }
}

/// Drives a commit from `from` to its end.
///
/// # Errors
/// See [`CommitFailure`].
pub(crate) async fn drive(
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
    CommitFailure::Unfinished(error)
}

async fn create_commit(storage: &Storage, lock: &TableLock, commit: &CommitDocument) -> Result<(), CommitFailure> {
    let nothing = CommitFailure::before_commit;
    lock.verify(storage).await.map_err(nothing)?;
    let bytes = commit.to_bytes().map_err(nothing)?;
    let path = storage.layout.commit(commit.commit);
    // Rules 1 and 8: what the commit relies on is complete, and durable.
    let relies_on = objects(storage, commit, |staged, _| staged.to_owned()).map_err(nothing)?;
    let staged = storage.layout.staged(&commit.run_id, commit.commit).commit_document();
    storage.prepare(&staged, &bytes, &relies_on).await.map_err(nothing)?;
    let outcome = storage.create_prepared(&path, &staged, bytes).await;
    if matches!(outcome, Ok(Created::Yes)) {
        return Ok(());
    }
    // A put whose answer was lost, and which the client tried again, meets itself: see whose commit
    // is there.
    match storage.get_if_present(&path).await {
        Ok(Some(found)) => match CommitDocument::parse(&found, commit.commit) {
            Ok(found) if found.run_id == commit.run_id => Ok(()),
            Ok(found) => Err(nothing(lost_to(storage, commit.commit, &found.run_id))),
            Err(error) => Err(nothing(
                Error::damaged(format!("cannot read the commit {}", storage.show(&path))).with_source(error),
            )),
        },
        Ok(None) | Err(_) => Err(CommitFailure::Unfinished(match outcome {
            Ok(_) => Error::conflict(format!("{} came and went", storage.show(&path))),
            Err(error) => error.with_hint(
                "it is not known whether the commit happened; either way the table is whole, and running again is safe",
            ),
        })),
    }
}

/// Says why a run failed before its commit `number`: where another run has made that commit, the
/// files that this one read were being replaced.
pub(crate) async fn explain(storage: &Storage, number: u64, error: Error) -> Error {
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

/// Returns the paths of a commit's objects: `name` chooses between the staged and the final one.
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
    // Whoever published the commit before this process has deleted its staging; then nothing is
    // left to do.
    let (marker, next) = (storage.layout.published_marker(number), storage.layout.commit(number + 1));
    // No commit is made on top of one that is not published (rule 5); markers of older ones are
    // deleted.
    if storage.get_if_present(&marker).await?.is_some() || storage.get_if_present(&next).await?.is_some() {
        return Ok(());
    }
    Err(Error::damaged(format!(
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
    tokio::try_join!(markers, sweep_staging(storage, &run, commit.commit)).map(drop)
}

#[cfg(test)]
mod tests;
