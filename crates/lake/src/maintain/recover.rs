//! Recovery: finishes what dead runs began.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::commit::sweep::sweep_all_but_responses;
use crate::held_table::HeldTable;
use crate::maintain::maintenance::{Maintenance, fence};
use crate::storage::layout::is_cached_response;
use crate::storage::objects::Storage;
use crate::table::Table;
use lakefeed_model::error::Result;

/// What was left of dead runs, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recovery {
    /// The commit that had happened and is published now, if there was one.
    pub rolled_forward: Option<u64>,
    /// Staging that was deleted, by run.
    pub swept: Vec<StagedRun>,
    /// Staging that was kept, by run: cached responses for the next run to go on from, and all
    /// staging of a table on an object store that has no commit yet.
    pub kept: Vec<StagedRun>,
    /// The fence that was committed, so that no zombie writer can commit what was swept. Not needed
    /// on local disk.
    pub fence: Option<u64>,
}

/// What a run has left in staging.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StagedRun {
    /// The run.
    pub run_id: String,
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the last of them was written.
    pub newest: DateTime<Utc>,
}

impl Table {
    /// Returns whether anything was ever written to the table, be it only to staging.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn exists(&self) -> Result<bool> {
        let layout = &self.storage.layout;
        Ok(self.storage.has_any(&layout.commits()).await? || self.storage.has_any(&layout.staging()).await?)
    }

    /// Finishes what dead runs began, as the next run would: publishes a commit that has happened,
    /// and deletes what was only staged. Cached responses stay, since the next run goes on from
    /// them.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when a run has the table,
    /// `Storage` when the store fails.
    pub async fn recover(&self, maintenance: &Maintenance) -> Result<Recovery> {
        let mut held = HeldTable::take(self, &maintenance.run_id).await?;
        let recovery = recover(&mut held).await;
        held.release().await;
        recovery
    }
}

async fn recover(held: &mut HeldTable) -> Result<Recovery> {
    let staged = staged_runs(held.storage()).await?;
    let (swept, mut kept): (Vec<_>, Vec<_>) = staged.into_iter().partition(|staged| staged.files.objects > 0);
    let mut recovery = Recovery { rolled_forward: held.recovered, swept: Vec::new(), kept: Vec::new(), fence: None };
    if !held.excludes_zombies() && !swept.is_empty() {
        recovery.fence = fence(held, Vec::new()).await?;
        if recovery.fence.is_none() {
            recovery.kept = swept.into_iter().chain(kept).flat_map(Staged::parts).collect();
            return Ok(recovery);
        }
    }
    let runs = swept.iter().map(|staged| staged.files.run_id.clone()).collect();
    // A fence is the last commit now; without one, nobody else can be alive.
    sweep_all_but_responses(held.storage(), &runs, recovery.fence.unwrap_or(u64::MAX)).await?;
    for Staged { files, pages } in swept {
        recovery.swept.push(files);
        kept.extend(pages.map(|pages| Staged { files: StagedRun::none(&pages.run_id), pages: Some(pages) }));
    }
    recovery.kept = kept.into_iter().flat_map(Staged::parts).collect();
    Ok(recovery)
}

/// What one run has left: staged files, and cached responses.
#[derive(Debug)]
struct Staged {
    files: StagedRun,
    pages: Option<StagedRun>,
}

impl Staged {
    fn parts(self) -> impl Iterator<Item = StagedRun> {
        let files = (self.files.objects > 0).then_some(self.files);
        files.into_iter().chain(self.pages)
    }
}

impl StagedRun {
    fn none(run_id: &str) -> Self {
        Self { run_id: run_id.to_owned(), objects: 0, bytes: 0, newest: DateTime::UNIX_EPOCH }
    }

    fn add(&mut self, object: &object_store::ObjectMeta) {
        self.objects += 1;
        self.bytes += object.size;
        self.newest = self.newest.max(object.last_modified);
    }
}

async fn staged_runs(storage: &Storage) -> Result<Vec<Staged>> {
    let staging = storage.layout.staging();
    let mut runs: BTreeMap<String, Staged> = BTreeMap::new();
    for object in storage.list(&staging).await? {
        let Some(run) = object.location.prefix_match(&staging).and_then(|mut parts| parts.next()) else { continue };
        let run = run.as_ref().to_owned();
        let staged = runs.entry(run.clone()).or_insert_with(|| Staged { files: StagedRun::none(&run), pages: None });
        if is_cached_response(&object.location) {
            staged.pages.get_or_insert_with(|| StagedRun::none(&run)).add(&object);
        } else {
            staged.files.add(&object);
        }
    }
    Ok(runs.into_values().collect())
}

#[cfg(test)]
mod tests;
