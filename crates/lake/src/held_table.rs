//! A table that this process holds: nobody else writes to it, and its last commit is published.

use chrono::{DateTime, Utc};

use crate::commit::lease::TableLock;
use crate::format::{CommitDraft, CommitOutcome};
use crate::log::document::{Operation, TableDescription};
use crate::log::load::Loaded;
use crate::log::snapshot::Snapshot;
use crate::staging::area::FileNaming;
use crate::storage::conditional_put::check_store;
use crate::storage::objects::Storage;
use crate::table::Table;
use lakefeed_model::error::{Error, ErrorKind, Result};

/// A table that is held. It must be given back by [`Self::release`] or [`Self::abandon`].
#[derive(Debug)]
pub(crate) struct HeldTable {
    table: Table,
    run_id: String,
    lock: TableLock,
    /// The table as its last commit left it.
    pub(crate) loaded: Loaded,
    /// The commit of an earlier run that was published when the table was taken.
    pub(crate) recovered: Option<u64>,
}

impl HeldTable {
    /// Takes the table for a run, waiting as long as the table's lock wait says, and finishes
    /// publishing its last commit.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the id of the run cannot be part of a path, `Conflict` when
    /// another run has the table, `Storage` when the store fails or ignores conditional writes.
    pub(crate) async fn take(table: &Table, run_id: &str) -> Result<Self> {
        check_run_id(run_id)?;
        let storage = &table.storage;
        if storage.folder.is_none() {
            check_store(storage).await?;
        }
        let lock = TableLock::acquire(storage, run_id, &table.clock, table.lock_wait.as_ref()).await?;
        match load_published(table, &lock).await {
            Ok((loaded, recovered)) => {
                Ok(Self { table: table.clone(), run_id: run_id.to_owned(), lock, loaded, recovered })
            }
            Err(error) => {
                let error = lock.explain(storage, error).await;
                lock.release(storage).await;
                Err(error)
            }
        }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.table.storage
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.loaded.snapshot
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.table.clock.now()
    }

    /// Returns how the files of the next commit are named and written.
    pub(crate) fn naming(&self) -> FileNaming {
        self.table.format.name(&self.loaded.snapshot, &self.run_id)
    }

    /// Returns whether every earlier writer is certainly gone, and cannot wake up to commit.
    pub(crate) fn excludes_zombies(&self) -> bool {
        self.lock.excludes_zombies()
    }

    /// Drafts the next commit; it changes no file yet.
    pub(crate) fn draft(&self, operation: Operation, table: TableDescription) -> CommitDraft {
        CommitDraft::new(&self.run_id, self.now(), operation, table)
    }

    /// Commits and publishes; the table is as after the commit then.
    ///
    /// # Errors
    /// When the commit has not happened, or is not published. In the first case what was staged is
    /// deleted, as far as the store lets it.
    pub(crate) async fn commit(&mut self, draft: CommitDraft) -> Result<CommitOutcome> {
        match self.table.format.commit(&self.lock, &mut self.loaded, draft).await {
            Ok(outcome) => Ok(outcome),
            Err(failure) => {
                if failure.leaves_nothing() {
                    drop(self.delete_staged().await);
                }
                Err(failure.into())
            }
        }
    }

    /// Deletes whatever the run has staged.
    pub(crate) async fn delete_staged(&self) -> Result<()> {
        let storage = self.storage();
        storage.delete_all(&storage.layout.staging_of(&self.run_id)).await
    }

    /// Says why something failed: files that are gone, for one, are no damage where another run has
    /// taken the table over, or has committed.
    pub(crate) async fn explain(&self, error: Error) -> Error {
        let error = self.lock.explain(self.storage(), error).await;
        match error.kind() {
            ErrorKind::Storage | ErrorKind::Damaged => self.table.format.explain(&self.loaded.snapshot, error).await,
            _ => error,
        }
    }

    /// Gives the table back.
    pub(crate) async fn release(self) {
        self.lock.release(&self.table.storage).await;
    }

    /// Gives the table back as it was: deletes what was staged, as far as the store lets it.
    pub(crate) async fn abandon(self) {
        drop(self.delete_staged().await);
        self.release().await;
    }

    #[cfg(test)]
    pub(crate) fn lock(&self) -> &TableLock {
        &self.lock
    }
}

async fn load_published(table: &Table, lock: &TableLock) -> Result<(Loaded, Option<u64>)> {
    let mut loaded = table.format.load().await?;
    let recovered = table.format.recover(lock, &mut loaded).await?;
    Ok((loaded, recovered))
}

/// Refuses an id that cannot be part of a path.
///
/// # Errors
/// [`ErrorKind::Config`] when it has other characters than letters, digits, `-` and `_`.
pub(crate) fn check_run_id(run_id: &str) -> Result<()> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if run_id.is_empty() || !run_id.bytes().all(safe) {
        return Err(Error::config(format!("run id {run_id:?} is not made of letters, digits, - and _")));
    }
    Ok(())
}
