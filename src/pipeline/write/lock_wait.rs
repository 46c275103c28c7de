//! Waiting for a table that another run holds, before anything of it is read.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::event::{Observer, RunEvent};
use crate::lake::{LockWait, LockWaitListener, LockWaitStatus, Table};
use crate::pipeline::context::ResourceRun;

/// Tells waits as events of a resource.
#[derive(Debug)]
struct Told {
    resource: String,
    observer: Arc<dyn Observer>,
}

impl LockWaitListener for Told {
    fn waiting(&self, wait: &LockWaitStatus) {
        let LockWaitStatus { reason, waited, limit, .. } = wait.clone();
        self.observer.observe(&RunEvent::TableAwaited { resource: self.resource.clone(), reason, waited, limit });
    }
}

/// Returns the resource's table, which is waited for as the operator wants; `None` where its rows
/// go to no table.
pub(crate) fn table(run: &ResourceRun<'_>) -> Option<Table> {
    let table = run.lake_of_table()?.table(&run.resource.table_name);
    Some(match lock_wait(run) {
        Some(patience) => table.with_lock_wait(patience),
        None => table,
    })
}

/// Returns how long tables are waited for, as the operator wants.
pub(crate) fn lock_wait(run: &ResourceRun<'_>) -> Option<LockWait> {
    let limit = run.options.wait?;
    let listener =
        Arc::new(Told { resource: run.resource.name.clone(), observer: Arc::clone(&run.components.observer) });
    Some(LockWait { limit, listener })
}

/// Waits until no other run holds the table, where the operator wants that. The cursor is read
/// after this, since it moves with the other run's commit.
pub(crate) async fn wait_for_table(run: &ResourceRun<'_>) -> Result<()> {
    let waits = run.options.wait.is_some_and(|limit| limit > Duration::ZERO);
    let Some(table) = table(run).filter(|_| waits) else { return Ok(()) };
    tokio::select! {
        () = run.components.interrupt.raised() => Err(Error::interrupted()),
        free = table.wait_until_free(&run.options.run_id) => free,
    }
}
