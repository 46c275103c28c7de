//! Vacuum: deletes what no commit and no reader needs.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use serde::Serialize;

use crate::held_table::HeldTable;
use crate::log::load::Loaded;
use crate::maintain::maintenance::{Maintenance, fence as commit_fence};
use crate::storage::layout::{is_cached_response, is_data_file};
use crate::storage::objects::Storage;
use crate::table::Table;
use lakefeed_model::error::Result;

/// What is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VacuumSpec {
    /// The least age of staged files, cached responses and orphans.
    pub older_than: Duration,
    /// The least age of refused records; they stay when `None`.
    pub rejects_older_than: Option<Duration>,
    /// Whether only to say what would be deleted. Then nothing is written, and the table is not
    /// held.
    pub dry_run: bool,
}

impl VacuumSpec {
    /// Deletes what is so old and no commit needs; refused records stay.
    pub const fn older_than(age: Duration) -> Self {
        Self { older_than: age, rejects_older_than: None, dry_run: false }
    }
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Vacuumed {
    /// The commit that had happened and was published first, if there was one.
    pub rolled_forward: Option<u64>,
    /// What was deleted.
    pub deleted: Vec<Garbage>,
    /// What is no part of the table either, and was not deleted.
    pub kept: Vec<Garbage>,
    /// The fence that was committed, so that no zombie writer can commit what was deleted. Not
    /// needed on local disk.
    pub fence: Option<u64>,
}

/// An object that no commit needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Garbage {
    /// What it is.
    pub kind: GarbageKind,
    /// Where, relative to the table's folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

/// The kinds of objects that no commit needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GarbageKind {
    /// A staged file of a run that is gone.
    #[default]
    Staged,
    /// Cached responses that a stopped run has left for the next one.
    Pages,
    /// A data file that no commit names.
    Orphan,
    /// A Parquet file that no commit names, and whose name lakefeed does not give. It is somebody
    /// else's, and never deleted.
    Foreign,
    /// Refused records.
    Rejects,
}

impl Table {
    /// Deletes staged files and cached responses of runs that are gone, data files that no commit
    /// names, and old refused records. Commits are kept: they are the log.
    ///
    /// The table is held meanwhile, so nothing of a live run is touched. What a stopped run has
    /// staged on an object store is deleted only behind a fence, so that a zombie writer cannot
    /// commit what is gone.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when a run has the table,
    /// `Storage` when the store fails.
    pub async fn vacuum(&self, maintenance: &Maintenance, spec: VacuumSpec) -> Result<Vacuumed> {
        if spec.dry_run {
            let loaded = self.format.load().await?;
            let (deleted, kept) = plan(&self.storage, &loaded, self.clock.now(), spec).await?;
            let rolled_forward = loaded.last.filter(|_| !loaded.snapshot.published).map(|commit| commit.commit);
            return Ok(Vacuumed { rolled_forward, deleted, kept, fence: None });
        }
        let mut held = HeldTable::take(self, &maintenance.run_id).await?;
        let vacuumed = vacuum(&mut held, spec).await;
        held.release().await;
        vacuumed
    }
}

async fn vacuum(held: &mut HeldTable, spec: VacuumSpec) -> Result<Vacuumed> {
    let (mut deleted, mut kept) = plan(held.storage(), &held.loaded, held.now(), spec).await?;
    // What a zombie writer may still commit, and what a later run could put a file of its own over
    // while this process is asleep.
    let needs_fence = |garbage: &Garbage| matches!(garbage.kind, GarbageKind::Staged | GarbageKind::Orphan);
    let mut fence = None;
    if !held.excludes_zombies() && deleted.iter().any(needs_fence) {
        let orphans = deleted.iter().filter(|garbage| garbage.kind == GarbageKind::Orphan);
        fence = commit_fence(held, orphans.map(|orphan| orphan.path.clone()).collect()).await?;
        if fence.is_none() {
            let (unsafe_to_delete, others): (Vec<_>, Vec<_>) = deleted.into_iter().partition(needs_fence);
            kept.extend(unsafe_to_delete);
            deleted = others;
        }
    }
    let paths = deleted.iter().map(|garbage| held.storage().resolve(&garbage.path)).collect::<Result<Vec<_>>>()?;
    held.storage().delete_each(paths).await?;
    Ok(Vacuumed { rolled_forward: held.recovered, deleted, kept, fence })
}

/// Returns what is to go, and what else no commit needs.
async fn plan(
    storage: &Storage,
    loaded: &Loaded,
    now: DateTime<Utc>,
    spec: VacuumSpec,
) -> Result<(Vec<Garbage>, Vec<Garbage>)> {
    let objects = storage.list(&storage.layout.table()).await?;
    let needed = needed(storage, loaded);
    let mut garbage = Vec::new();
    for object in objects {
        let path = storage.layout.relative(&object.location).to_owned();
        if !needed.is_needed(&path)
            && let Some(kind) = kind_of(storage, &path, &object)
        {
            garbage.push(Garbage { kind, path, bytes: object.size, modified: object.last_modified });
        }
    }
    garbage.sort();
    let is_old = |garbage: &Garbage, limit: Duration| {
        now.signed_duration_since(garbage.modified).to_std().unwrap_or_default() >= limit
    };
    Ok(garbage.into_iter().partition(|garbage| match garbage.kind {
        GarbageKind::Staged | GarbageKind::Pages | GarbageKind::Orphan => is_old(garbage, spec.older_than),
        GarbageKind::Rejects => spec.rejects_older_than.is_some_and(|limit| is_old(garbage, limit)),
        GarbageKind::Foreign => false,
    }))
}

/// What the last commit needs: its data files and, while it is not published, what it is published
/// from.
struct Needed<'a> {
    paths: BTreeSet<&'a str>,
    staging: Option<String>,
}

impl Needed<'_> {
    fn is_needed(&self, path: &str) -> bool {
        self.paths.contains(path) || self.staging.as_ref().is_some_and(|folder| path.starts_with(folder))
    }
}

fn needed<'a>(storage: &Storage, loaded: &'a Loaded) -> Needed<'a> {
    let mut paths: BTreeSet<&str> = loaded.snapshot.files.keys().map(String::as_str).collect();
    let unpublished = loaded.last.as_ref().filter(|_| !loaded.snapshot.published);
    paths.extend(unpublished.iter().flat_map(|commit| &commit.removes).map(String::as_str));
    let staging =
        unpublished.map(|commit| format!("{}/", storage.layout.relative(&storage.layout.staging_of(&commit.run_id))));
    Needed { paths, staging }
}

fn kind_of(storage: &Storage, path: &str, object: &ObjectMeta) -> Option<GarbageKind> {
    let layout = &storage.layout;
    if object.location.prefix_matches(&layout.staging()) {
        return Some(if is_cached_response(&object.location) { GarbageKind::Pages } else { GarbageKind::Staged });
    }
    if object.location.prefix_matches(&layout.all_rejects()) {
        return Some(GarbageKind::Rejects);
    }
    if !path.ends_with(".parquet") {
        return None;
    }
    let is_ours = is_data_file(path) && !object.location.prefix_matches(&layout.meta_folder());
    Some(if is_ours { GarbageKind::Orphan } else { GarbageKind::Foreign })
}
