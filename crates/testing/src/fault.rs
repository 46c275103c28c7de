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

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore as _, ObjectStoreExt as _};

    use super::*;

    /// What is there after three puts, the second of which is fatal, and a delete.
    async fn after(death: Death) -> Vec<&'static str> {
        let (inner, fuse) = (Arc::new(InMemory::new()), Fuse::new(1, death));
        let store = FaultStore::new(Arc::<InMemory>::clone(&inner), Arc::clone(&fuse));
        store.put(&Path::from("a"), "1".into()).await.unwrap();
        store.put(&Path::from("b"), "2".into()).await.unwrap_err();
        let lives = death == Death::LostAnswer;
        assert_eq!(fuse.is_dead(), !lives);
        assert_eq!(store.put(&Path::from("c"), "3".into()).await.is_ok(), lives);
        assert_eq!(store.delete(&Path::from("a")).await.is_ok(), lives);
        assert_eq!(store.get(&Path::from("b")).await.is_ok(), lives, "the dead read nothing");
        assert_eq!(store.list_with_delimiter(None).await.is_ok(), lives);
        let mut there = Vec::new();
        for name in ["a", "b", "c"] {
            if inner.head(&Path::from(name)).await.is_ok() {
                there.push(name);
            }
        }
        there
    }

    #[tokio::test]
    async fn the_dead_change_nothing() {
        assert_eq!(after(Death::BeforeEffect).await, ["a"]);
        assert_eq!(after(Death::AfterEffect).await, ["a", "b"]);
        assert_eq!(after(Death::LostAnswer).await, ["b", "c"]);
    }
}
