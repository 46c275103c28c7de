//! A lake and its tables, to be looked at and looked after.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use object_store::ObjectStore;
use object_store::path::Path;

use super::world::new_run_id;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::Result;
use crate::lake::{
    CommitSummary, CompactSpec, Compaction, KeptRejects, LockWait, LockWaitListener, LockWaitStatus, Maintenance,
    Manifest, Recovery, Snapshot, VacuumSpec, Vacuumed, VerifyReport,
};
use crate::spec::DestinationSpec;

/// A place in which tables live: a folder, or a prefix of an object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    inner: crate::lake::Lake,
}

/// A table of a [`Lake`], which need not exist. Cheap to clone.
///
/// Reading needs no lock and sees the last commit. What looks after a table holds it as a run does:
/// it fails with [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) while a run is at work, unless
/// it may [wait](Self::waiting).
#[derive(Debug, Clone)]
pub struct Table {
    inner: crate::lake::Table,
}

/// Hears that a table is waited for.
struct Hearing<F>(F);

impl<F: Fn(&LockWaitStatus) + Send + Sync> LockWaitListener for Hearing<F> {
    fn waiting(&self, wait: &LockWaitStatus) {
        (self.0)(wait);
    }
}

impl<F> fmt::Debug for Hearing<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hearing")
    }
}

impl Lake {
    /// Opens a lake that is there: a folder, as a path or `file://` URL. Sends nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when there is no such folder or the URL
    /// cannot be used.
    pub fn open(url: &str) -> Result<Self> {
        Self::open_with(url, &Environment::empty())
    }

    /// Opens a lake that is there: a folder, or `s3://bucket/prefix` with the credentials of
    /// `environment`. Sends nothing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(url: &str, environment: &Environment) -> Result<Self> {
        crate::lake::Lake::open_existing(&DestinationSpec::at(url), environment).map(Self::of)
    }

    /// Opens the lake below `prefix` of `store`.
    pub fn in_store(store: Arc<dyn ObjectStore>, prefix: impl Into<Path>) -> Self {
        let prefix = prefix.into();
        let url = format!("{store}/{prefix}");
        Self::of(crate::lake::Lake::with_store(store, prefix, url))
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.inner = self.inner.with_clock(Arc::new(clock));
        self
    }

    /// Returns the table of that name; it need not exist.
    pub fn table(&self, name: &str) -> Table {
        Table { inner: self.inner.table(name) }
    }

    /// Returns the tables of the lake with their names, in the order of these.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn tables(&self) -> Result<Vec<(String, Table)>> {
        let tables = self.inner.tables().await?;
        Ok(tables.into_iter().map(|(name, inner)| (name, Table { inner })).collect())
    }

    fn of(inner: crate::lake::Lake) -> Self {
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &crate::lake::Lake {
        &self.inner
    }
}

/// Wraps a lake of the storage crate, which has more to set.
#[cfg(feature = "testing")]
impl From<crate::lake::Lake> for Lake {
    fn from(lake: crate::lake::Lake) -> Self {
        Self::of(lake)
    }
}

impl Table {
    /// Returns the table's folder, as a path or URL.
    pub fn url(&self) -> String {
        self.inner.url()
    }

    /// Returns whether anything was ever written to the table, be it only to staging.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn exists(&self) -> Result<bool> {
        self.inner.exists().await
    }

    /// Returns the table as its last commit left it; version 0 is a table without a commit.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.inner.snapshot().await
    }

    /// Reads the first `limit` rows of a snapshot, file after file in the order of their paths.
    ///
    /// # Errors
    /// When a file is not there any more or cannot be read.
    pub async fn first_rows(&self, snapshot: &Snapshot, limit: usize) -> Result<Vec<RecordBatch>> {
        self.inner.first_rows(snapshot, limit).await
    }

    /// Names the exact files of the last commit, or of `commit`, as far as they are still there.
    ///
    /// Give the locations to a reader that takes a list of files, and it sees the rows of that
    /// commit, whatever else is in the folder. Data files keep their names when they are rewritten:
    /// a list holds until the next commit.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the table does not have the commit; or
    /// when the store cannot be read.
    pub async fn manifest(&self, commit: Option<u64>) -> Result<Manifest> {
        self.inner.manifest(commit).await
    }

    /// Tells the last `limit` commits, newest first; all of them where there is no limit.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn history(&self, limit: Option<u64>) -> Result<Vec<CommitSummary>> {
        self.inner.history(limit).await
    }

    /// Checks the log, the files and the keys against each other.
    ///
    /// # Errors
    /// When the store cannot be read; what is wrong with the table is in the report.
    pub async fn verify(&self) -> Result<VerifyReport> {
        self.inner.verify().await
    }

    /// Returns the records that runs have refused, and why.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn rejects(&self) -> Result<KeptRejects> {
        self.inner.rejects().await
    }

    /// Waits as long as `limit` for a run that holds the table, instead of failing at once. `hear`
    /// is told who holds it, when the waiting begins and from time to time.
    #[must_use]
    pub fn waiting(mut self, limit: Duration, hear: impl Fn(&LockWaitStatus) + Send + Sync + 'static) -> Self {
        self.inner = self.inner.with_lock_wait(LockWait { limit, listener: Arc::new(Hearing(hear)) });
        self
    }

    /// Finishes what dead runs began, as the next run would.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when a run has the table; or when the
    /// store fails.
    pub async fn recover(&self) -> Result<Recovery> {
        self.inner.recover(&maintenance()).await
    }

    /// Puts small files together. No row changes.
    ///
    /// # Errors
    /// As [`Self::recover`]; and when `spec` names what the table does not have.
    pub async fn compact(&self, spec: &CompactSpec) -> Result<Compaction> {
        self.inner.compact(&maintenance(), spec).await
    }

    /// Deletes what no commit needs.
    ///
    /// # Errors
    /// As [`Self::recover`].
    pub async fn vacuum(&self, spec: VacuumSpec) -> Result<Vacuumed> {
        self.inner.vacuum(&maintenance(), spec).await
    }

    #[cfg(feature = "query")]
    pub(crate) fn inner(&self) -> &crate::lake::Table {
        &self.inner
    }
}

fn maintenance() -> Maintenance {
    Maintenance::new(new_run_id())
}
