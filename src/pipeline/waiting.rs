//! Waiting for a table that another run holds, before anything of it is read.

use std::sync::Arc;
use std::time::Duration;

use super::resource::ResourceRun;
use crate::error::{Error, Result};
use crate::event::{Observer, RunEvent};
use crate::lake::{Patience, Table, Wait, WaitListener};

/// Tells waits as events of a resource.
#[derive(Debug)]
struct Told {
    resource: String,
    observer: Arc<dyn Observer>,
}

impl WaitListener for Told {
    fn waits(&self, wait: &Wait) {
        let Wait { reason, waited, limit } = wait.clone();
        self.observer.observe(&RunEvent::TableAwaited { resource: self.resource.clone(), reason, waited, limit });
    }
}

impl ResourceRun<'_> {
    /// The resource's table, which is waited for as the operator wants.
    pub(super) fn table(&self) -> Table {
        let table = self.lake.table(&self.resource.table_name);
        match self.patience() {
            Some(patience) => table.waiting(patience),
            None => table,
        }
    }

    /// How long tables are waited for, as the operator wants.
    pub(super) fn patience(&self) -> Option<Patience> {
        let limit = self.options.wait?;
        let listener =
            Arc::new(Told { resource: self.resource.name.clone(), observer: Arc::clone(&self.components.observer) });
        Some(Patience { limit, listener })
    }

    /// Waits until no other run holds the table, where the operator wants that. The cursor is read after this, since it moves with the other run's commit.
    pub(super) async fn wait_for_table(&self) -> Result<()> {
        if self.options.wait.is_none_or(|limit| limit == Duration::ZERO) || !self.has_table {
            return Ok(());
        }
        let components = self.components;
        let table = self.table();
        tokio::select! {
            () = components.interrupt.raised() => Err(Error::interrupted()),
            free = table.wait_until_free(&components.run_id, &components.clock) => free,
        }
    }
}
