//! Finishes the commit of a dead run: rolls it forward.
//!
//! It is called with the table's lock held, before anything else is written. A run that died before
//! its commit leaves only staged files; one that died after it left a commit that everybody must
//! see. The commit object alone tells the two apart.

use std::collections::BTreeSet;

use crate::commit::lease::TableLock;
use crate::format::glob::protocol::{self, State};
use crate::log::document::CommitDocument;
use crate::log::load::Loaded;
use crate::storage::objects::Storage;
use lakefeed_model::error::Result;

/// Publishes the last commit if that is not done yet. Returns its number in that case.
pub(crate) async fn roll_forward(storage: &Storage, lock: &TableLock, loaded: &mut Loaded) -> Result<Option<u64>> {
    let Some(last) = &loaded.last else { return Ok(None) };
    let published = loaded.snapshot.published;
    protocol::drive(storage, lock, last, State::found(published)).await?;
    if published {
        return Ok(None);
    }
    sweep_temporaries(storage, last);
    loaded.snapshot.published = true;
    Ok(Some(last.commit))
}

/// Removes, on local disk, the temporary files that a kill in the middle of a put or a copy leaves
/// beside its target.
fn sweep_temporaries(storage: &Storage, last: &CommitDocument) {
    let layout = &storage.layout;
    let mut folders = BTreeSet::from([layout.commits(), layout.published_markers()]);
    folders.extend(last.adds.iter().filter_map(|added| storage.resolve(&added.path).ok()?.parent()));
    folders.extend(last.rejects.iter().filter_map(|rejects| storage.resolve(&rejects.path).ok()?.parent()));
    for folder in folders {
        storage.sweep_temporaries(&folder);
    }
}
