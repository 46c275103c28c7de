//! Runs on a disk that loses power: what was not made durable may be there afterwards, or not, or
//! be torn. Whatever a run has promised must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use lakefeed_testing::{Around, Death, Fuse, Luck, Request, WrappedStore};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, Result};

use crate::storage::durability::Durability;
use crate::testing::world::{Row, World, row, run_on};
use lakefeed_model::spec::WriteDisposition::{self, Append, Merge, Replace};

/// A disk: what programs see of it, and what of that is durable. A file's content is known by a
/// number, as by an inode.
#[derive(Debug, Default)]
struct Disk {
    seen: Arc<InMemory>,
    state: Mutex<DiskState>,
}

#[derive(Debug, Default)]
struct DiskState {
    names: BTreeMap<Path, u64>,
    durable_names: BTreeMap<Path, u64>,
    contents: BTreeMap<u64, Bytes>,
    durable_contents: BTreeSet<u64>,
}

impl Disk {
    /// Returns the disk as programs see it.
    fn store(self: &Arc<Self>) -> Arc<dyn ObjectStore> {
        let seen = Arc::<InMemory>::clone(&self.seen);
        Arc::new(WrappedStore::new(seen, Arc::clone(self)))
    }

    /// Returns whether it is a lock. On a real disk there is a file lock instead of these, which no
    /// loss
    fn is_lock(path: &Path) -> bool {
        path.as_ref().contains("/leases/") || path.as_ref().contains("/probe")
    }

    /// Returns the disk as it is found after a loss of power.
    async fn after_power_loss(&self, luck: &mut Luck) -> Arc<Self> {
        let after = Arc::new(Self::default());
        let (names, contents, durable) = {
            let state = self.state.lock().unwrap();
            let all: BTreeSet<&Path> = state.names.keys().chain(state.durable_names.keys()).collect();
            let mut names = BTreeMap::new();
            for path in all {
                // Of a name that was changed, the file system has kept the one or the other.
                let kept = if luck.draw(2) == 0 { state.names.get(path) } else { state.durable_names.get(path) };
                if let Some(content) = kept {
                    names.insert(path.clone(), *content);
                }
            }
            (names, state.contents.clone(), state.durable_contents.clone())
        };
        for (path, number) in names {
            let content = contents.get(&number).unwrap();
            let torn = content.len() / 2;
            let found = match luck.draw(3) {
                _ if durable.contains(&number) => content.clone(),
                0 => Bytes::new(),
                1 => content.slice(..torn),
                _ => Bytes::from(vec![0; content.len()]),
            };
            after.store().put(&path, found.into()).await.unwrap();
        }
        after.settle();
        after
    }

    /// Returns everything is durable: what is found after a start has been read from the disk.
    fn settle(&self) {
        let mut state = self.state.lock().unwrap();
        state.durable_names = state.names.clone();
        state.durable_contents = state.contents.keys().copied().collect();
    }
}

#[async_trait]
impl Durability for Disk {
    async fn sync_content(&self, paths: &[Path]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        for path in paths {
            let content = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
            state.durable_contents.insert(content);
        }
        Ok(())
    }

    async fn sync_names(&self, paths: &[Path]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        for path in paths {
            match state.names.get(path).copied() {
                Some(content) => state.durable_names.insert(path.clone(), content),
                None => state.durable_names.remove(path),
            };
        }
        Ok(())
    }
}

#[async_trait]
impl Around for Disk {
    async fn around(&self, request: Request<'_>, go: BoxFuture<'_, Result<()>>) -> Result<()> {
        if matches!(request, Request::BeginUpload { .. }) {
            return Err(object_store::Error::NotImplemented {
                operation: "uploads".into(),
                implementer: "Disk".into(),
            });
        }
        go.await?;
        let mut state = self.state.lock().unwrap();
        match request {
            Request::Put { path, payload } => {
                let number = state.contents.len() as u64;
                state.contents.insert(number, Bytes::from(payload.clone()));
                state.names.insert(path.clone(), number);
                if Self::is_lock(path) {
                    state.durable_contents.insert(number);
                    state.durable_names.insert(path.clone(), number);
                }
            }
            Request::Delete { path } => drop(state.names.remove(path)),
            Request::Copy { from, to } => {
                let content = state.names[from];
                state.names.insert(to.clone(), content);
            }
            _ => {}
        }
        Ok(())
    }
}

fn world(disk: &Arc<Disk>) -> World {
    World { durability: Some(Arc::<Disk>::clone(disk)), ..World::new(disk.store(), None) }
}

fn before() -> Vec<Vec<Row>> {
    vec![(0..6).map(|id| row(id, i64::from(id) % 3, 0)).collect(), vec![row("lonely", 7, 0), row("stays", 8, 0)]]
}

/// Returns a run that inserts, updates, moves (which empties a partition) and repeats a key.
fn change() -> Vec<Vec<Row>> {
    vec![vec![row(0, 0, 1), row(2, 0, 0), row("lonely", 1, 0), row("new", 9, 0)], vec![row("new", 10, 1)]]
}

async fn prepared() -> Arc<Disk> {
    let disk = Arc::new(Disk::default());
    world(&disk).run("before", Merge, &before()).await;
    disk.settle();
    disk
}

/// Stops a run at each of its steps, cuts the power, runs again. What was there or was promised is
/// there.
async fn walk(disposition: WriteDisposition, death: Death, seed: u64) {
    let undisturbed = world(&prepared().await);
    let old = undisturbed.rows().await;
    undisturbed.run("run", disposition, &change()).await;
    let new = undisturbed.rows().await;
    for fatal in 0.. {
        let disk = prepared().await;
        let fuse = Fuse::new(fatal, death);
        let stopped = world(&disk);
        let outcome = run_on(&stopped.mortal_table(&fuse), stopped.spec("stopped", disposition), &change()).await;
        let mut luck = Luck::new(seed.wrapping_mul(1_000_003).wrapping_add(fatal));
        let found = world(&disk.after_power_loss(&mut luck).await);
        found.expire_leases();
        let place = format!("{disposition} {death:?} step {fatal} seed {seed}");
        let writer = found.table().begin(found.spec("again", disposition)).await;
        let writer = writer.unwrap_or_else(|error| panic!("{place}: {error} {:?}", error.causes()));
        let version = found.table().snapshot().await.unwrap().version;
        writer.abort().await.unwrap();
        assert!(outcome.is_err() || version == 2, "{place}: a commit that was promised is gone");
        assert_eq!(found.rows().await, if version == 2 { new.clone() } else { old.clone() }, "{place}");
        if !fuse.is_dead() {
            assert!(fatal > 10, "the walk saw only {fatal} steps");
            return;
        }
    }
}

#[tokio::test]
async fn whatever_a_run_has_promised_survives_a_loss_of_power_at_any_step() {
    for seed in 0..12 {
        for disposition in [Merge, Append, Replace] {
            walk(disposition, Death::BeforeEffect, seed).await;
            walk(disposition, Death::AfterEffect, seed).await;
        }
    }
}

/// A recovery may lose power, too: each of its steps relies on those of a run that got no further.
#[tokio::test]
async fn a_recovery_that_loses_power_is_finished_by_the_next_one() {
    let undisturbed = world(&prepared().await);
    undisturbed.run("run", Merge, &change()).await;
    let new = undisturbed.rows().await;
    let mut recovered = 0;
    for seed in 0..30 {
        let mut luck = Luck::new(seed);
        for fatal in 8..24 {
            let disk = prepared().await;
            let stopped = world(&disk);
            let fuse = Fuse::new(fatal, Death::AfterEffect);
            drop(run_on(&stopped.mortal_table(&fuse), stopped.spec("stopped", Merge), &change()).await);
            stopped.expire_leases();
            // The process died, the machine did not: the next run sees what is not durable yet, and
            // dies with the machine.
            let fuse = Fuse::new(luck.draw(12), Death::AfterEffect);
            drop(stopped.mortal_table(&fuse).begin(stopped.spec("second", Merge)).await);
            let found = world(&disk.after_power_loss(&mut luck).await);
            found.clock.advance(std::time::Duration::from_secs(200));
            let writer = found.table().begin(found.spec("third", Merge)).await;
            writer.unwrap_or_else(|error| panic!("seed {seed} step {fatal}: {error}")).abort().await.unwrap();
            if found.table().snapshot().await.unwrap().version == 2 {
                assert_eq!(found.rows().await, new, "seed {seed} step {fatal}");
                recovered += 1;
            }
        }
    }
    assert!(recovered > 30, "{recovered}");
}

/// The test can fail: without the syncs, a loss of power damages tables.
#[tokio::test]
async fn a_disk_that_ignores_syncs_loses_what_was_promised() {
    let mut lost = 0;
    for seed in 0..20 {
        let disk = prepared().await;
        let deaf = World { durability: None, ..world(&disk) };
        deaf.run("run", Merge, &change()).await;
        let found = world(&disk.after_power_loss(&mut Luck::new(seed)).await);
        found.expire_leases();
        let promised = match found.table().begin(found.spec("again", Merge)).await {
            Ok(writer) => {
                writer.abort().await.unwrap();
                found.table().snapshot().await.is_ok_and(|snapshot| snapshot.version == 2)
            }
            Err(_) => false,
        };
        lost += u32::from(!promised);
    }
    assert!(lost > 10, "{lost}");
}

/// A disk that can write, and cannot say that anything is durable.
#[derive(Debug)]
struct Full;

#[async_trait]
impl Durability for Full {
    async fn sync_content(&self, _: &[Path]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    async fn sync_names(&self, _: &[Path]) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_never_committed() {
    let disk = prepared().await;
    let old = world(&disk).rows().await;
    let full = World { durability: Some(Arc::new(Full)), ..world(&disk) };
    let error = run_on(&full.table(), full.spec("full", Merge), &change()).await.unwrap_err();
    let said = format!("{error} {:?} {:?}", error.hints(), error.causes());
    assert!(said.contains("durable") && !said.contains("not known whether"), "{said}");
    assert_eq!(world(&disk).table().snapshot().await.unwrap().version, 1);
    assert_eq!(world(&disk).rows().await, old);
    let left: Vec<ObjectMeta> = disk.store().list(None).try_collect().await.unwrap();
    let staged = left.iter().filter(|object| object.location.as_ref().contains("/staging/"));
    assert_eq!(staged.count(), 0, "what was staged is gone with the run");
}

/// Listing works as on any store; the disk above relies on it.
#[tokio::test]
async fn the_disk_shows_what_programs_see() {
    let disk = Arc::new(Disk::default());
    let store = disk.store();
    let (one, two) = (Path::from("a/one"), Path::from("a/two"));
    store.put(&one, "1".into()).await.unwrap();
    store.copy(&one, &two).await.unwrap();
    store.delete(&one).await.unwrap();
    let seen: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
    let names: Vec<Path> = seen.into_iter().map(|object| object.location).collect();
    assert_eq!(names, std::slice::from_ref(&two));
    let after = disk.after_power_loss(&mut Luck::new(0)).await;
    assert!(after.store().get(&one).await.is_err(), "its name was never durable");
    disk.sync_content(std::slice::from_ref(&two)).await.unwrap();
    disk.sync_names(std::slice::from_ref(&two)).await.unwrap();
    for seed in 0..8 {
        let after = disk.after_power_loss(&mut Luck::new(seed)).await;
        assert_eq!(after.store().get(&two).await.unwrap().bytes().await.unwrap(), "1");
    }
}
