//! What all maintenance has in common: who it is made by, and the commits that change no row.

use crate::format::{CommitDraft, CommitOutcome};
use crate::held_table::HeldTable;
use crate::log::document::Operation;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::spec::Limits;

/// Who maintains a table, within which bounds.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// An id as runs have one: letters, digits, `-` and `_`. The commits that are made bear it.
    pub run_id: String,
    /// The bounds of what is written.
    pub limits: Limits,
}

impl Maintenance {
    /// Returns maintenance with the usual limits.
    pub fn new(run_id: impl Into<String>) -> Self {
        Self { run_id: run_id.into(), limits: Limits::default() }
    }
}

/// Commits a change that is none of rows. The checkpoint, and whatever else the last commit says of
/// the table, stays; `fill` says what the commit changes.
///
/// # Errors
/// When the table has no commit, or the commit does not go through.
pub(super) async fn commit(
    held: &mut HeldTable,
    operation: Operation,
    fill: impl FnOnce(&mut CommitDraft),
) -> Result<CommitOutcome> {
    let Some(last) = &held.loaded.last else {
        return Err(Error::defect(format!("table {} has no commit", held.storage().url)));
    };
    let mut draft = held.draft(operation, last.description());
    fill(&mut draft);
    held.commit(draft).await
}

/// Takes the number that a zombie writer aims at (rule 6 of the protocol), by a commit that changes
/// nothing. No file gets the paths that it `retires` any more. Returns the number; a table without
/// commits has none.
///
/// # Errors
/// When the commit does not go through.
pub(super) async fn fence(held: &mut HeldTable, retires: Vec<String>) -> Result<Option<u64>> {
    if held.loaded.last.is_none() {
        return Ok(None);
    }
    Ok(commit(held, Operation::Fence, |draft| draft.retires = retires).await?.commit)
}
