//! Finishing what a dead run began: rolls its commit forward, sweeps what it only staged.
//!
//! Called with the table's lock held, before anything else is written. A run that died before its commit leaves only
//! staged files; one that died after it left a commit that everybody must see. Both are told apart by the commit object
//! alone.

use std::collections::BTreeSet;

use object_store::path::Path;

use super::commit::{self, CommitDocument, State};
use super::layout::{JOURNAL_PREFIX, aim_of};
use super::lease::TableLock;
use super::snapshot::Loaded;
use super::storage::Storage;
use lakefeed_model::error::Result;

/// Publishes the last commit if that is not done yet, and says which one it was.
pub(super) async fn roll_forward(storage: &Storage, lock: &TableLock, loaded: &mut Loaded) -> Result<Option<u64>> {
    let Some(last) = &loaded.last else { return Ok(None) };
    let published = loaded.snapshot.published;
    commit::drive(storage, lock, last, State::found(published)).await.map_err(|failure| failure.error)?;
    if published {
        return Ok(None);
    }
    sweep_temporaries(storage, last);
    loaded.snapshot.published = true;
    Ok(Some(last.commit))
}

/// The runs that left something in staging.
pub(super) async fn staged_runs(storage: &Storage) -> Result<BTreeSet<String>> {
    let staging = storage.layout.staging();
    let objects = storage.list(&staging).await?;
    let listed = objects
        .iter()
        .filter_map(|object| object.location.prefix_match(&staging)?.next().map(|run| run.as_ref().to_owned()));
    Ok(listed.chain(storage.local_subfolders(&staging)).collect())
}

/// Whether a staged file holds pages for another run to go on from.
pub(super) fn is_journal(path: &Path) -> bool {
    path.filename().is_some_and(|name| name.starts_with(JOURNAL_PREFIX))
}

/// Deletes what `runs` have staged for commits up to `taken`, which they cannot make any more, but for the pages that they have kept. Returns the runs that
/// have some.
pub(super) async fn sweep_all_but_journals(
    storage: &Storage,
    runs: &BTreeSet<String>,
    taken: u64,
) -> Result<BTreeSet<String>> {
    let mut keeping = BTreeSet::new();
    for run in runs {
        if sweep(storage, run, taken, true).await? {
            keeping.insert(run.clone());
        }
    }
    Ok(keeping)
}

/// As [`sweep_all_but_journals`], with the pages.
pub(super) async fn sweep_staging(storage: &Storage, runs: &BTreeSet<String>, taken: u64) -> Result<()> {
    for run in runs {
        sweep(storage, run, taken, false).await?;
    }
    Ok(())
}

/// Whether the run has kept pages. The names of staged files say which commit they are for, so a sweep that comes late (its process was asleep) cannot take
/// away what the run has staged for a later one.
async fn sweep(storage: &Storage, run: &str, taken: u64, keeps_journals: bool) -> Result<bool> {
    let folder = storage.layout.staging_of(run);
    let (mut has_journals, mut is_empty, mut gone) = (false, true, Vec::new());
    for object in storage.list(&folder).await? {
        let stays = if is_journal(&object.location) {
            has_journals = true;
            keeps_journals
        } else {
            aim_of(&object.location).is_some_and(|aim| aim > taken)
        };
        if stays {
            is_empty = false;
        } else {
            gone.push(object.location);
        }
    }
    storage.delete_each(gone).await?;
    if is_empty {
        storage.remove_local_folder(&folder);
    }
    Ok(has_journals)
}

/// On local disk a kill in the middle of a put or a copy leaves a temporary file beside its target.
fn sweep_temporaries(storage: &Storage, last: &CommitDocument) {
    let layout = &storage.layout;
    let mut folders = BTreeSet::from([layout.commits(), layout.published_markers()]);
    folders.extend(last.adds.iter().filter_map(|added| storage.resolve(&added.path).ok()?.parent()));
    folders.extend(last.rejects.iter().filter_map(|rejects| storage.resolve(&rejects.path).ok()?.parent()));
    for folder in folders {
        storage.sweep_temporaries(&folder);
    }
}
