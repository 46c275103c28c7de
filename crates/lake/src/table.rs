//! A table: what anyone may read of it, its snapshot and its files.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::commit::lock_wait::LockWait;
use crate::format::TableFormat;
use crate::log::snapshot::Snapshot;
use crate::storage::objects::Storage;
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, ErrorKind, Result};

/// A folder of the lake that holds the rows of one resource.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) storage: Storage,
    pub(crate) format: Arc<dyn TableFormat>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long to wait where another run holds the table; without it, nobody waits.
    pub(crate) lock_wait: Option<LockWait>,
}

impl Table {
    pub(crate) fn new(storage: Storage, format: Arc<dyn TableFormat>, clock: Arc<dyn Clock>) -> Self {
        Self { storage, format, clock, lock_wait: None }
    }

    /// Returns the table's folder, as a URL or path.
    pub fn url(&self) -> String {
        self.storage.url.clone()
    }

    /// Returns the table as its last commit left it. Needs no lock.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.format.load().await?.snapshot)
    }

    /// Returns the bytes of a data file of a snapshot.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn read_file(&self, path: &str) -> Result<Bytes> {
        match self.storage.get(&self.storage.resolve(path)?).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.explain(path, error).await),
        }
    }

    /// Returns the bytes of a data file of a snapshot, piece by piece.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn stream_file(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        match self.storage.stream(&self.storage.resolve(path)?).await {
            Ok(chunks) => Ok(chunks),
            Err(error) => Err(self.explain(path, error).await),
        }
    }

    /// Tells damage from a commit that is on its way, for a reader who does not hold the table.
    async fn explain(&self, path: &str, error: Error) -> Error {
        if error.kind() != ErrorKind::Damaged {
            return error;
        }
        match self.snapshot().await {
            Ok(now) if !now.published || !now.files.contains_key(path) => {
                Error::conflict(format!("table {}: {path} is being replaced or removed by a commit", self.storage.url))
                    .with_source(error)
                    .with_hint("try again; `lakefeed table recover` finishes the commit of a run that is dead")
            }
            Ok(_) | Err(_) => error,
        }
    }

    /// Waits for the table where another run holds it, as `lock_wait` says, instead of failing at
    /// once.
    #[must_use]
    pub fn with_lock_wait(mut self, lock_wait: LockWait) -> Self {
        self.lock_wait = Some(lock_wait);
        self
    }
}
