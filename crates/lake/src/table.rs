//! A table: what anyone may read of it, its snapshot and its files.

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::commit::lock_wait::LockWait;
use crate::log::load::load;
use crate::log::snapshot::Snapshot;
use crate::storage::objects::Storage;
use lakefeed_model::error::Result;

/// A folder of the lake that holds the rows of one resource.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) storage: Storage,
}

impl Table {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// The table's folder, as a URL or path.
    pub fn url(&self) -> String {
        self.storage.url.clone()
    }

    /// The table as its last commit left it. Needs no lock.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        Ok(load(&self.storage).await?.snapshot)
    }

    /// The bytes of a data file of a snapshot.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn read_file(&self, path: &str) -> Result<Bytes> {
        self.storage.get(&self.storage.resolve(path)?).await
    }

    /// The bytes of a data file of a snapshot, piece by piece.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn stream_file(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.storage.stream(&self.storage.resolve(path)?).await
    }

    /// Waits for the table where another run holds it, as long as `lock_wait` lasts, instead of failing at once.
    #[must_use]
    pub fn with_lock_wait(mut self, lock_wait: LockWait) -> Self {
        self.storage.lock_wait = Some(lock_wait);
        self
    }
}
