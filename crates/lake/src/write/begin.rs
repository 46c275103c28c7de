//! Begins a run's writing to a table: takes the table, finishes what a dead run began, compares schemas.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::commit::lease::TableLock;
use crate::commit::recover;
use crate::commit::response_cache::TableResponseCache;
use crate::commit::sweep::{staged_runs, sweep_all_but_responses};
use crate::evolve::reconcile::{Agreed, reconcile};
use crate::log::load::{Loaded, load};
use crate::log::snapshot::Snapshot;
use crate::merge::rules::TableRules;
use crate::storage::conditional_put::check_store;
use crate::storage::objects::Storage;
use crate::table::Table;
use crate::write::writer::{Session, TableWriter};
use crate::write_spec::{WriteSpec, check};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::Result;

impl Table {
    /// Waits until nobody else holds the table: takes it and gives it back. A run reads its cursor after that, so that it goes on from what the
    /// run that it has waited for has left. The table may be taken again right away: only [`Self::begin`] keeps it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when it is still held at the end of [`Self::with_lock_wait`]'s lock wait, `Storage` when the store fails.
    pub async fn wait_until_free(&self, run_id: &str, clock: &Arc<dyn Clock>) -> Result<()> {
        let lock = TableLock::acquire(&self.storage, run_id, clock).await?;
        lock.release(&self.storage).await;
        Ok(())
    }

    /// The pages that runs have kept for others to go on from; `run_id` is this one's.
    pub fn response_cache(&self, run_id: &str) -> TableResponseCache {
        TableResponseCache::new(self.storage.clone(), run_id)
    }

    /// Begins to write: takes the table, finishes what a dead run began, and checks that the run's schema fits.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when another run has the table, `Schema` when the run does not
    /// fit it, `Storage` when the store fails or ignores conditional writes, `Config` when the spec contradicts itself.
    pub async fn begin(&self, write: WriteSpec) -> Result<TableWriter> {
        check(&write)?;
        let storage = self.storage.clone();
        if storage.folder.is_none() {
            check_store(&storage).await?;
        }
        let lock = TableLock::acquire(&storage, &write.run_id, &write.clock).await?;
        match Box::pin(prepare(&storage, &lock, &write)).await {
            Ok(prepared) => {
                let Prepared { snapshot, snapshot_file, recovered, agreed, garbage, strategy } = prepared;
                let storage = storage.aiming_at(snapshot.version + 1);
                let write = WriteSpec { schema: agreed.of_the_run(&write.schema), ..write };
                let session = Session { storage, write, lock, snapshot, agreed, snapshot_file, strategy, garbage };
                TableWriter::new(session, recovered).await
            }
            Err(error) => {
                let error = lock.explain(&storage, error).await;
                lock.release(&storage).await;
                Err(error)
            }
        }
    }
}

struct Prepared {
    snapshot: Snapshot,
    snapshot_file: u64,
    recovered: Option<u64>,
    agreed: Agreed,
    garbage: BTreeSet<String>,
    strategy: TableRules,
}

async fn prepare(storage: &Storage, lock: &TableLock, write: &WriteSpec) -> Result<Prepared> {
    let mut loaded = load(storage).await?;
    let recovered = recover::roll_forward(storage, lock, &mut loaded).await?;
    let mut garbage = staged_runs(storage).await?;
    garbage.remove(&write.run_id);
    if lock.excludes_zombies() {
        garbage = sweep_all_but_responses(storage, &garbage, u64::MAX).await?;
    }
    let strategy = TableRules::of(write, &loaded.snapshot, write.clock.now(), &storage.url)?;
    let agreed = reconcile(&storage.url, &loaded.snapshot, write.wanted(&strategy.table_schema))?;
    let Loaded { snapshot, snapshot_file, .. } = loaded;
    Ok(Prepared { snapshot, snapshot_file, recovered, agreed, garbage, strategy })
}

#[cfg(test)]
mod tests;
