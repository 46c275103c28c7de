//! Responses of the API that a run has used, kept beside its staged files until a commit of the
//! table.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectMeta;

use crate::storage::layout::is_cached_response;
use crate::storage::objects::Storage;
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, Result};

/// The segments of cached responses that the runs of a table keep.
#[derive(Debug, Clone)]
pub struct TableResponseCache {
    storage: Storage,
    clock: Arc<dyn Clock>,
    run_id: String,
}

impl TableResponseCache {
    pub(crate) fn new(storage: Storage, clock: Arc<dyn Clock>, run_id: &str) -> Self {
        Self { storage, clock, run_id: run_id.to_owned() }
    }

    /// Returns the segments of other runs that are no older than `age_max`, in the order in which
    /// they were written.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn left(&self, age_max: Duration) -> Result<Vec<String>> {
        let objects = self.others().await?;
        let oldest = objects.iter().map(|object| object.last_modified).min();
        let is_recent = |oldest: &chrono::DateTime<chrono::Utc>| {
            self.clock.now().signed_duration_since(oldest).to_std().unwrap_or_default() <= age_max
        };
        if !oldest.as_ref().is_some_and(is_recent) {
            return Ok(Vec::new());
        }
        // Run ids sort by time, and numbers within them.
        let mut paths: Vec<String> = objects.into_iter().map(|object| object.location.to_string()).collect();
        paths.sort();
        Ok(paths)
    }

    /// Returns the bytes of a segment that [`Self::left`] named.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get(&self, segment: &str) -> Result<Bytes> {
        let path = object_store::path::Path::parse(segment)
            .map_err(|error| Error::defect("a segment has no path").with_source(error))?;
        // It is no part of the table: another run's commit may have swept it.
        self.storage
            .get_if_present(&path)
            .await?
            .ok_or_else(|| Error::storage("the kept pages of a stopped run are gone"))
    }

    /// Keeps a segment of this run. The table must be taken.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put(&self, number: u32, bytes: Bytes) -> Result<()> {
        self.storage.put(&self.storage.layout.cached_response(&self.run_id, number), bytes).await
    }

    /// Deletes the segments of other runs.
    ///
    /// # Errors
    /// When they cannot be deleted.
    pub async fn forget(&self) -> Result<()> {
        let others = self.others().await?;
        self.storage.delete_each(others.into_iter().map(|object| object.location)).await
    }

    async fn others(&self) -> Result<Vec<ObjectMeta>> {
        let own = self.storage.layout.staging_of(&self.run_id);
        let objects = self.storage.list(&self.storage.layout.staging()).await?;
        Ok(objects
            .into_iter()
            .filter(|object| is_cached_response(&object.location) && !object.location.prefix_matches(&own))
            .collect())
    }
}
