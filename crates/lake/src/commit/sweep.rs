//! Deletes what runs have staged, once they cannot commit it any more.

use std::collections::BTreeSet;

use crate::storage::layout::{aim_of, is_cached_response};
use crate::storage::objects::Storage;
use lakefeed_model::error::Result;

/// What becomes of cached responses in a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CachedResponses {
    Stay,
    Go,
}

/// Returns the runs that left something in staging.
pub(crate) async fn staged_runs(storage: &Storage) -> Result<BTreeSet<String>> {
    let staging = storage.layout.staging();
    let objects = storage.list(&staging).await?;
    let listed = objects
        .iter()
        .filter_map(|object| object.location.prefix_match(&staging)?.next().map(|run| run.as_ref().to_owned()));
    Ok(listed.chain(storage.local_subfolders(&staging)).collect())
}

/// Deletes what `runs` have staged for commits up to `taken`, which they cannot make any more, but
/// for their cached responses. Returns the runs that have some.
pub(crate) async fn sweep_all_but_responses(
    storage: &Storage,
    runs: &BTreeSet<String>,
    taken: u64,
) -> Result<BTreeSet<String>> {
    let mut keeping = BTreeSet::new();
    for run in runs {
        if sweep(storage, run, taken, CachedResponses::Stay).await? {
            keeping.insert(run.clone());
        }
    }
    Ok(keeping)
}

/// Deletes the same, and the cached responses.
pub(crate) async fn sweep_staging(storage: &Storage, runs: &BTreeSet<String>, taken: u64) -> Result<()> {
    for run in runs {
        sweep(storage, run, taken, CachedResponses::Go).await?;
    }
    Ok(())
}

/// Sweeps the staging of one run. Returns whether it has cached responses. The names of staged
/// files say which commit they are for, so a sweep that comes late, from a process that was asleep,
/// cannot take away what the run has staged for a later one.
async fn sweep(storage: &Storage, run: &str, taken: u64, responses: CachedResponses) -> Result<bool> {
    let folder = storage.layout.staging_of(run);
    let (mut has_responses, mut is_empty, mut gone) = (false, true, Vec::new());
    for object in storage.list(&folder).await? {
        let stays = if is_cached_response(&object.location) {
            has_responses = true;
            responses == CachedResponses::Stay
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
    Ok(has_responses)
}
