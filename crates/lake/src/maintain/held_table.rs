//! Looking after a table: finishing what dead runs began, putting small files together, deleting what nobody needs.
//!
//! Whoever looks after a table holds it as a run does, and changes it by commits as a run does; so the ordering rules of `commit` held here, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::commit::lease::TableLock;
use crate::commit::protocol::{self, State};
use crate::commit::recover;
use crate::commit::sweep::sweep_all_but_responses;
use crate::log::changes::Changes;
use crate::log::document::{CommitDocument, Operation};
use crate::log::load::{Loaded, load};
use crate::log::snapshot_file;
use crate::storage::conditional_put::check_store;
use crate::storage::layout::is_cached_response;
use crate::storage::objects::Storage;
use crate::table::Table;
use crate::write_spec::check_run_id;
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::RowCounts;
use lakefeed_model::spec::Limits;

/// Who looks after a table, and with which means.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// An id as runs have one: letters, digits, `-` and `_`. The commits that are made bear it.
    pub run_id: String,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The bounds of what is written.
    pub limits: Limits,
}

/// What was left of dead runs, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// The commit that had happened and is published now, if there was one.
    pub rolled_forward: Option<u64>,
    /// Staging that was deleted, by run.
    pub swept: Vec<StagedRun>,
    /// Staging that was kept, by run: pages for the next run to go on from, and all staging of a table on an object store that has no commit yet.
    pub kept: Vec<StagedRun>,
    /// The commit without changes that was made, so that no run can wake up and commit what was swept. Not needed on local disk.
    pub fence: Option<u64>,
}

/// What a run has left in staging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl Maintenance {
    /// With the usual limits.
    pub fn new(run_id: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { run_id: run_id.into(), clock, limits: Limits::default() }
    }
}

impl Table {
    /// Whether anything was ever written to the table, be it only to staging.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn exists(&self) -> Result<bool> {
        let layout = &self.storage.layout;
        Ok(self.storage.has_any(&layout.commits()).await? || self.storage.has_any(&layout.staging()).await?)
    }

    /// Finishes what dead runs began, as the next run would: publishes a commit that has happened, deletes what was only staged. Pages that a stopped run
    /// has kept stay, since the next run goes on from them.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when a run has the table, `Storage` when the store fails.
    pub async fn recover(&self, maintenance: &Maintenance) -> Result<Recovery> {
        let mut held = HeldTable::take(self, maintenance).await?;
        let recovery = held.recover().await;
        held.release().await;
        recovery
    }
}

/// A table that is held, and whose last commit is published.
#[derive(Debug)]
pub(super) struct HeldTable<'a> {
    /// Aims at the next commit.
    pub(super) storage: Storage,
    pub(super) maintenance: &'a Maintenance,
    lock: TableLock,
    pub(super) loaded: Loaded,
    pub(super) rolled_forward: Option<u64>,
}

impl<'a> HeldTable<'a> {
    pub(super) async fn take(table: &'a Table, maintenance: &'a Maintenance) -> Result<Self> {
        check_run_id(&maintenance.run_id)?;
        let storage = &table.storage;
        if storage.folder.is_none() {
            check_store(storage).await?;
        }
        let lock = TableLock::acquire(storage, &maintenance.run_id, &maintenance.clock).await?;
        let mut loaded = match load(storage).await {
            Ok(loaded) => loaded,
            Err(error) => {
                lock.release(storage).await;
                return Err(error);
            }
        };
        match recover::roll_forward(storage, &lock, &mut loaded).await {
            Ok(rolled_forward) => {
                let storage = storage.aiming_at(loaded.snapshot.version + 1);
                Ok(Self { storage, maintenance, lock, loaded, rolled_forward })
            }
            Err(error) => {
                lock.release(storage).await;
                Err(error)
            }
        }
    }

    pub(super) async fn release(self) {
        self.lock.release(&self.storage).await;
    }

    async fn recover(&mut self) -> Result<Recovery> {
        let staged = staged_runs(&self.storage).await?;
        let (swept, mut kept): (Vec<_>, Vec<_>) = staged.into_iter().partition(|staged| staged.files.objects > 0);
        let mut recovery =
            Recovery { rolled_forward: self.rolled_forward, swept: Vec::new(), kept: Vec::new(), fence: None };
        if self.may_zombies_commit() && !swept.is_empty() {
            recovery.fence = self.fence(Vec::new()).await?;
            if recovery.fence.is_none() {
                recovery.kept = swept.into_iter().chain(kept).flat_map(Staged::parts).collect();
                return Ok(recovery);
            }
        }
        let runs = swept.iter().map(|staged| staged.files.run_id.clone()).collect();
        // A fence is the last commit now; without one, nobody else can be alive.
        sweep_all_but_responses(&self.storage, &runs, recovery.fence.unwrap_or(u64::MAX)).await?;
        for Staged { files, pages } in swept {
            recovery.swept.push(files);
            kept.extend(pages.map(|pages| Staged { files: StagedRun::none(&pages.run_id), pages: Some(pages) }));
        }
        recovery.kept = kept.into_iter().flat_map(Staged::parts).collect();
        Ok(recovery)
    }

    /// Whether a run that was overtaken may wake up and commit.
    pub(super) fn may_zombies_commit(&self) -> bool {
        !self.lock.excludes_zombies()
    }

    /// Takes the number that a sleeping run aims at (rule 6 of `commit`), by a commit that changes nothing; no file gets the paths that it `retires` any more. A table
    /// without commits has none.
    pub(super) async fn fence(&mut self, retires: Vec<String>) -> Result<Option<u64>> {
        if self.loaded.last.is_none() {
            return Ok(None);
        }
        self.commit(Operation::Fence, Changes::default(), retires).await.map(|commit| Some(commit.commit))
    }

    /// Commits a change of files that is none of rows. The checkpoint and everything else stay as they are.
    pub(super) async fn commit(
        &mut self,
        operation: Operation,
        changes: Changes,
        retires: Vec<String>,
    ) -> Result<CommitDocument> {
        let Some(last) = &self.loaded.last else {
            return Err(Error::defect(format!("table {} has no commit", self.storage.url)));
        };
        let Changes { mut adds, mut removes } = changes;
        adds.sort_by(|left, right| left.path.cmp(&right.path));
        removes.sort();
        let document = CommitDocument {
            commit: last.commit + 1,
            run_id: self.maintenance.run_id.clone(),
            time: self.maintenance.clock.now(),
            operation,
            counts: RowCounts { written: adds.iter().map(|added| added.rows).sum(), ..RowCounts::default() },
            adds,
            removes,
            retires,
            rejects: None,
            ..last.clone()
        };
        let driven = protocol::drive(&self.storage, &self.lock, &document, State::Staged).await;
        driven.map_err(|failure| failure.error)?;
        let snapshot = std::mem::take(&mut self.loaded.snapshot).after(&self.storage, &document)?;
        snapshot_file::write_if_due(&self.storage, &snapshot, self.loaded.snapshot_file).await;
        self.loaded.snapshot = snapshot;
        self.loaded.snapshot.published = true;
        self.loaded.last = Some(document.clone());
        self.storage = self.storage.aiming_at(document.commit + 1);
        Ok(document)
    }
}

/// What one run has left: staged files, and the pages that it has kept.
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
