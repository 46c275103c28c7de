//! Begins a run's writing to a table: takes the table, finishes what a dead run began, compares
//! schemas.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::commit::lease::TableLock;
use crate::commit::response_cache::TableResponseCache;
use crate::commit::sweep::{staged_runs, sweep_all_but_responses};
use crate::evolve::reconcile::{Agreed, reconcile};
use crate::held_table::HeldTable;
use crate::merge::rules::TableRules;
use crate::table::Table;
use crate::write::session::Session;
use crate::write::writer::TableWriter;
use crate::write_spec::{WriteSpec, check};
use lakefeed_model::error::Result;

impl Table {
    /// Waits until nobody else holds the table: takes it and gives it back. A run reads its cursor
    /// after that, so that it goes on from what the other run has left. The table may be taken
    /// again right away: only [`Self::begin`] keeps it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when the table is still held at
    /// the end of [`Self::with_lock_wait`]'s time, `Storage` when the store fails.
    pub async fn wait_until_free(&self, run_id: &str) -> Result<()> {
        let lock = TableLock::acquire(&self.storage, run_id, &self.clock, self.lock_wait.as_ref()).await?;
        lock.release(&self.storage).await;
        Ok(())
    }

    /// Returns the responses that runs have cached for others to go on from; `run_id` is this
    /// run's.
    pub fn response_cache(&self, run_id: &str) -> TableResponseCache {
        TableResponseCache::new(self.storage.clone(), Arc::clone(&self.clock), run_id)
    }

    /// Begins to write: takes the table, finishes what a dead run began, and checks that the run's
    /// schema fits.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when another run has the table,
    /// `Schema` when the run does not fit it, `Storage` when the store fails or ignores conditional
    /// writes, `Config` when the spec contradicts itself.
    pub async fn begin(&self, write: WriteSpec) -> Result<TableWriter> {
        check(&write)?;
        let held = HeldTable::take(self, &write.run_id).await?;
        match Box::pin(prepare(&held, &write)).await {
            Ok(Prepared { agreed, garbage, rules }) => {
                let write = WriteSpec { schema: agreed.of_the_run(&write.schema), ..write };
                TableWriter::new(Session { held, write, agreed, rules, garbage }).await
            }
            Err(error) => {
                let error = held.explain(error).await;
                held.release().await;
                Err(error)
            }
        }
    }
}

struct Prepared {
    agreed: Agreed,
    garbage: BTreeSet<String>,
    rules: TableRules,
}

async fn prepare(held: &HeldTable, write: &WriteSpec) -> Result<Prepared> {
    let (storage, snapshot) = (held.storage(), held.snapshot());
    let mut garbage = staged_runs(storage).await?;
    garbage.remove(&write.run_id);
    if held.excludes_zombies() {
        garbage = sweep_all_but_responses(storage, &garbage, u64::MAX).await?;
    }
    let rules = TableRules::of(write, snapshot, held.now(), &storage.url)?;
    let agreed = reconcile(&storage.url, snapshot, write.wanted(&rules.table_schema))?;
    Ok(Prepared { agreed, garbage, rules })
}

#[cfg(test)]
mod tests;
