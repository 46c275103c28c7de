//! What a run has left in an appended child table that was killed before it committed the records.
//!
//! The next run reads these records again, and their items with them; so what is there of them must go in the same commit. A merge and a replace need none of this:
//! they bring the same rows to the same place.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::event::FileChangeKind;
use crate::lake::{CommitSummary, Operation, Table};

/// Commits that are looked at first; only after a kill there is more to look at.
const LOOK_FIRST: u64 = 4;

/// The data files of `child` that came with runs of which `own`, the table of the records, has no commit.
///
/// # Errors
/// When such files were put together with others since, or the commits cannot be read.
pub(super) async fn overhang(child: &Table, own: &Table) -> Result<Vec<String>> {
    let mut look = LOOK_FIRST;
    loop {
        let runs = own.history(Some(look)).await?;
        let commits = child.history(Some(look)).await?;
        let is_all = (runs.len() as u64) < look && (commits.len() as u64) < look;
        let runs: BTreeSet<String> = runs.into_iter().map(|commit| commit.run_id).collect();
        let whole =
            commits.iter().position(|commit| commit.operation == Operation::Load && runs.contains(&commit.run_id));
        match whole {
            Some(whole) => return left_by(commits.get(..whole).unwrap_or_default(), child),
            None if is_all => return left_by(&commits, child),
            None => look = look.saturating_mul(16),
        }
    }
}

/// The files that came with these commits, the newest first, none of which belongs to a run that came to its end.
fn left_by(commits: &[CommitSummary], child: &Table) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut is_compacted = false;
    for commit in commits {
        match commit.operation {
            Operation::Load => {
                let added = commit.files.iter().filter(|file| file.change == FileChangeKind::Added);
                let added: Vec<String> = added.map(|file| file.path.clone()).collect();
                if is_compacted && !added.is_empty() {
                    let (run, url) = (&commit.run_id, child.url());
                    return Err(Error::storage(format!(
                        "{url} has items that the run {run} left when it was killed before it committed their records, and was compacted since"
                    ))
                    .with_hint("they would be there twice: build the tables anew with --full-refresh"));
                }
                files.extend(added);
            }
            Operation::Compaction => is_compacted = true,
            Operation::Fence => {}
        }
    }
    Ok(files)
}
