//! One writer at a time: a file lock on local disk, a lease with a fencing epoch everywhere else.
//!
//! The kernel releases a file lock however its process ends. A lease is an object that its holder
//! renews. It ends when it is released, when it expires, or when its process is known to be dead. A
//! new holder creates the next epoch; a former holder who wakes up finds that out before it commits
//! (rule 7 of the protocol).
//!
//! Leases are renewed by the machine's own timer, but what they say is the run's [`Clock`], so
//! simulations are deterministic.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::commit::lock_wait::{LockWait, LockWaitState};
use crate::storage::failure::failed;
use crate::storage::layout::{LOCK_FILE, number_of};
use crate::storage::objects::{Created, Storage};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, ErrorKind, Result};

/// How long a lease lives without being renewed.
const LEASE_TTL: Duration = Duration::from_secs(60);
/// How often it is renewed.
const LEASE_RENEWAL: Duration = Duration::from_secs(20);
/// How many times the newest lease is looked for while it is taken over.
const NEWEST_LOOKS_MAX: usize = 10;
/// How many times the name of a lock's holder is looked for.
const HOLDER_LOOKS_MAX: usize = 1_000;

/// The right to write to a table.
#[derive(Debug)]
pub(crate) enum TableLock {
    /// The lock file that is held.
    File(HeldFile),
    /// The lease that is renewed.
    Lease(Lease),
}

/// A locked file. It is unlocked when it is dropped, rather than by closing it: a process that is
/// being started elsewhere in this program holds copies of all open files for a moment, and with
/// them the lock.
#[derive(Debug)]
pub(crate) struct HeldFile(File);

impl Drop for HeldFile {
    fn drop(&mut self) {
        // A lock that cannot be given back goes with the last copy of its file.
        drop(self.0.unlock());
    }
}

/// A held lease.
#[derive(Debug)]
pub(crate) struct Lease {
    document: LeaseDocument,
    /// Until when it has certainly been renewed.
    expires_at: Arc<Mutex<DateTime<Utc>>>,
    clock: Arc<dyn Clock>,
    renewal: Renewal,
}

/// The task that renews; it ends with its lease.
#[derive(Debug)]
struct Renewal(tokio::task::JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    run_id: String,
    host: String,
    pid: u32,
    since: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaseDocument {
    version: u32,
    epoch: u64,
    run_id: String,
    host: String,
    pid: u32,
    since: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    released: bool,
}

impl TableLock {
    /// Takes the table, waiting for it as long as `wait` says.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`], naming the holder, when another run has the table at the end of the
    /// wait, `Storage` when the store fails.
    pub(crate) async fn acquire(
        storage: &Storage,
        run_id: &str,
        clock: &Arc<dyn Clock>,
        wait: Option<&LockWait>,
    ) -> Result<Self> {
        let mut state = LockWaitState::begin(clock.monotonic());
        loop {
            let error = match Self::acquire_at_once(storage, run_id, clock).await {
                Ok(lock) => return Ok(lock),
                Err(error) => error,
            };
            let pause = state.refused(error, wait, clock.monotonic())?;
            clock.sleep(pause).await;
        }
    }

    async fn acquire_at_once(storage: &Storage, run_id: &str, clock: &Arc<dyn Clock>) -> Result<Self> {
        let holder = Holder {
            run_id: run_id.to_owned(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            since: clock.now(),
        };
        match &storage.folder {
            Some(folder) => lock_file(&folder.join(LOCK_FILE), storage, &holder).map(Self::File),
            None => Lease::acquire(storage, holder, Arc::clone(clock)).await.map(Self::Lease),
        }
    }

    /// Returns whether every earlier writer is certainly gone, and cannot wake up to commit.
    pub(crate) fn excludes_zombies(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Lease(_) => false,
        }
    }

    /// Checks that nobody has taken the table over.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when another run has, `Storage` when the store fails.
    pub(crate) async fn verify(&self, storage: &Storage) -> Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Lease(lease) => lease.verify(storage).await,
        }
    }

    /// Says why something failed: files that are gone, for one, are no damage where another run has
    /// taken the table over.
    pub(crate) async fn explain(&self, storage: &Storage, error: Error) -> Error {
        match self.verify(storage).await {
            Err(fenced) if fenced.kind() == ErrorKind::Conflict => fenced.with_source(error),
            Ok(()) | Err(_) => error,
        }
    }

    /// Gives the table back. A lease that cannot be released expires.
    pub(crate) async fn release(self, storage: &Storage) {
        match self {
            Self::File(file) => drop(file),
            Self::Lease(lease) => lease.release(storage).await,
        }
    }
}

fn lock_file(path: &FilePath, storage: &Storage, holder: &Holder) -> Result<HeldFile> {
    let place = || format!("{}/{LOCK_FILE}", storage.url);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed("create the folder of", &place(), error))?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| failed("open", &place(), error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(held(storage, read_holder(&mut file), None));
        }
        Err(TryLockError::Error(error)) => return Err(failed("lock", &place(), error)),
    }
    let mut file = HeldFile(file);
    let described = serde_json::to_vec(holder).unwrap_or_default();
    let written = file.0.set_len(0).and_then(|()| file.0.rewind()).and_then(|()| file.0.write_all(&described));
    written.map_err(|error| failed("write", &place(), error))?;
    Ok(file)
}

/// Returns who holds a lock file. Its holder writes its name right after it has the lock, so it is
/// worth a few looks.
fn read_holder(file: &mut File) -> Option<Holder> {
    for _ in 0..HOLDER_LOOKS_MAX {
        let mut text = String::new();
        if file.rewind().and_then(|()| file.read_to_string(&mut text)).is_err() {
            return None;
        }
        if let Ok(holder) = serde_json::from_str(&text) {
            return Some(holder);
        }
        std::thread::yield_now();
    }
    None
}

fn held(storage: &Storage, holder: Option<Holder>, expires_at: Option<DateTime<Utc>>) -> Error {
    let by = match holder {
        Some(Holder { run_id, host, pid, since }) => {
            format!("run {run_id} (process {pid} on {host}) since {}", since.format("%Y-%m-%dT%H:%M:%SZ"))
        }
        None => "another run".to_owned(),
    };
    let error = Error::conflict(format!("table {} is held by {by}", storage.url));
    match expires_at {
        None => error.with_hint("wait until that run is done, then run again"),
        Some(at) => error.with_hint(format!(
            "wait until that run is done; if it is dead, its lease expires at {} and a run after that takes over",
            at.format("%Y-%m-%dT%H:%M:%SZ")
        )),
    }
}

/// Deletes leases that are older than that of `epoch`.
async fn delete_older(storage: &Storage, epoch: u64) -> Result<()> {
    for object in storage.list(&storage.layout.leases()).await? {
        if number_of(&object.location).is_some_and(|older| older < epoch) {
            storage.delete(&object.location).await?;
        }
    }
    Ok(())
}

impl Lease {
    async fn acquire(storage: &Storage, holder: Holder, clock: Arc<dyn Clock>) -> Result<Self> {
        let highest = newest(storage).await?;
        if let Some(current) = &highest
            && !current.is_free(&holder, clock.now())
        {
            return Err(current.conflict(storage));
        }
        let Holder { run_id, host, pid, since } = holder;
        let document = LeaseDocument {
            version: 1,
            epoch: highest.map_or(1, |lease| lease.epoch + 1),
            run_id,
            host,
            pid,
            since,
            expires_at: expiry(clock.now()),
            released: false,
        };
        let path = storage.layout.lease(document.epoch);
        if storage.create(&path, document.to_bytes()).await? == Created::Exists {
            return Err(match newest(storage).await? {
                Some(winner) => winner.conflict(storage),
                None => held(storage, None, None),
            });
        }
        // The table is held, whether this succeeds or not: the next holder tries again.
        drop(delete_older(storage, document.epoch).await);
        let expires_at = Arc::new(Mutex::new(document.expires_at));
        let renewing = renew(storage.clone(), document.clone(), Arc::clone(&clock), Arc::clone(&expires_at));
        let renewal = Renewal(tokio::spawn(renewing));
        Ok(Self { document, expires_at, clock, renewal })
    }

    /// Checks that nobody has taken the table over. A lease that has expired because it could not
    /// be renewed is renewed now.
    async fn verify(&self, storage: &Storage) -> Result<()> {
        self.check_newest(storage).await?;
        if self.clock.now() < *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(());
        }
        renew_once(storage, &self.document, self.clock.now(), &self.expires_at).await.map_err(|error| {
            error.with_hint("the lease of this run has expired and cannot be renewed: nothing more is written")
        })?;
        self.check_newest(storage).await
    }

    async fn check_newest(&self, storage: &Storage) -> Result<()> {
        match newest(storage).await? {
            Some(current) if current.epoch > self.document.epoch => Err(Error::conflict(format!(
                "table {}: the lease of this run expired and run {} took the table over",
                storage.url, current.run_id
            ))
            .with_hint("run again when that run is done")),
            // Only a store that lets two writers create the same object comes to this.
            Some(current) if current.epoch == self.document.epoch && current.run_id != self.document.run_id => {
                Err(Error::conflict(format!(
                    "table {}: run {} has taken the table at the same time",
                    storage.url, current.run_id
                ))
                .with_hint("run again when that run is done"))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn release(self, storage: &Storage) {
        let Self { mut document, clock, renewal, .. } = self;
        drop(renewal);
        document.released = true;
        document.expires_at = clock.now();
        drop(storage.put(&storage.layout.lease(document.epoch), document.to_bytes()).await);
    }
}

impl LeaseDocument {
    fn is_free(&self, asking: &Holder, now: DateTime<Utc>) -> bool {
        self.released || self.expires_at <= now || (self.host == asking.host && is_dead(self.pid))
    }

    fn conflict(&self, storage: &Storage) -> Error {
        let Self { run_id, host, pid, since, .. } = self.clone();
        held(storage, Some(Holder { run_id, host, pid, since }), Some(self.expires_at))
    }

    fn to_bytes(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).unwrap_or_default())
    }
}

async fn newest(storage: &Storage) -> Result<Option<LeaseDocument>> {
    for _ in 0..NEWEST_LOOKS_MAX {
        let objects = storage.list(&storage.layout.leases()).await?;
        let Some(epoch) = objects.iter().filter_map(|object| number_of(&object.location)).max() else {
            return Ok(None);
        };
        let path = storage.layout.lease(epoch);
        // Whoever takes the next epoch deletes this one.
        let Some(bytes) = storage.get_if_present(&path).await? else { continue };
        return serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::damaged(format!("cannot read the lease {}", storage.show(&path)))
                .with_source(error)
                .with_hint("was it written by a newer lakefeed?")
        });
    }
    Err(Error::conflict(format!("table {} changes hands all the time", storage.url)).with_hint("run again"))
}

async fn renew(
    storage: Storage,
    document: LeaseDocument,
    clock: Arc<dyn Clock>,
    expires_at: Arc<Mutex<DateTime<Utc>>>,
) {
    #[expect(clippy::disallowed_methods, reason = "a lease is renewed in real time, whatever time a simulation has")]
    let mut ticks = tokio::time::interval(LEASE_RENEWAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        // A renewal that fails is tried again at the next tick; until then the lease lives on. Its
        // holder asks before it changes anything.
        drop(renew_once(&storage, &document, clock.now(), &expires_at).await);
    }
}

async fn renew_once(
    storage: &Storage,
    document: &LeaseDocument,
    now: DateTime<Utc>,
    expires_at: &Mutex<DateTime<Utc>>,
) -> Result<()> {
    let renewed = LeaseDocument { expires_at: expiry(now), ..document.clone() };
    storage.put(&storage.layout.lease(document.epoch), renewed.to_bytes()).await?;
    *expires_at.lock().unwrap_or_else(PoisonError::into_inner) = renewed.expires_at;
    Ok(())
}

fn expiry(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::from_std(LEASE_TTL).unwrap_or_default()
}

/// Returns whether no process of this machine has the number. One that may not be asked about is
/// alive.
fn is_dead(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests;
