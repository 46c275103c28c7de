//! A store that kills its own process with SIGKILL just before or just after its n-th change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;
use lakefeed::testing::{Around, Request, WrappedStore};
use object_store::{ObjectStore, Result};

/// Whether the n-th change still happens before the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// Counts changes; the process does not outlive the fatal one.
#[derive(Debug)]
pub struct Kill {
    done: AtomicU64,
    fatal: u64,
    moment: Moment,
}

impl Kill {
    /// Dies at the change number `fatal`, counted from 1; never when it is 0.
    pub fn at(fatal: u64, moment: Moment) -> Arc<Self> {
        Arc::new(Self { done: AtomicU64::new(0), fatal, moment })
    }

    /// A store that tells of every change of `inner`.
    pub fn over(self: &Arc<Self>, inner: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(WrappedStore::new(inner, Arc::clone(self)))
    }

    pub fn changes(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Around for Kill {
    async fn around(&self, request: Request<'_>, go: BoxFuture<'_, Result<()>>) -> Result<()> {
        if !request.is_change() || self.done.fetch_add(1, Ordering::SeqCst) + 1 != self.fatal {
            return go.await;
        }
        if self.moment == Moment::After {
            drop(go.await);
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        std::process::abort();
    }
}
