//! A store that dies: from its k-th change on, every request fails, as if the process had been
//! killed there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;
use object_store::{Error, Result};

use crate::store::{Around, Request, WrappedStore};

/// A store that fails from its k-th change on.
pub type FaultStore = WrappedStore<Fuse>;

/// Whether the fatal change still takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It fails without having changed anything.
    BeforeEffect,
    /// It has changed the store, but its caller never learns.
    AfterEffect,
    /// It has changed the store, its caller sees an error, and everything works again afterwards.
    LostAnswer,
}

/// When a store dies.
#[derive(Debug)]
pub struct Fuse {
    changes: AtomicU64,
    fatal: u64,
    death: Death,
    dead: AtomicBool,
}

impl Fuse {
    /// Dies at change number `fatal`, counted from 0.
    pub fn new(fatal: u64, death: Death) -> Arc<Self> {
        Arc::new(Self { changes: AtomicU64::new(0), fatal, death, dead: AtomicBool::new(false) })
    }

    /// Returns how many changes were asked for so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Returns whether it has died.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn died() -> Error {
        Error::Generic { store: "FaultStore", source: "the process was killed".into() }
    }
}

#[async_trait]
impl Around for Fuse {
    async fn around(&self, request: Request<'_>, go: BoxFuture<'_, Result<()>>) -> Result<()> {
        if self.is_dead() {
            return Err(Self::died());
        }
        let is_fatal = request.is_change() && self.changes.fetch_add(1, Ordering::SeqCst) == self.fatal;
        if !is_fatal {
            return go.await;
        }
        self.dead.store(self.death != Death::LostAnswer, Ordering::SeqCst);
        if self.death != Death::BeforeEffect {
            drop(go.await);
        }
        Err(Self::died())
    }
}
