//! What a run has left in a child table that was killed before it committed the records.
//!
//! The next run reads these records again, and their items with them. A merge brings the same rows
//! to the same places, and so does a replace. What an append has left must go in the commit that
//! brings it again; and what a run has left that built the tables anew, another one must build
//! anew: items of records that it did not come to are gone.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::event::FileChangeKind;
use crate::lake::{CommitSummary, Operation, Table};

/// Commits that are looked at first; only after a kill there is more to look at.
const LOOK_FIRST: u64 = 4;

/// Returns the data files that came to `child` with runs of which `own`, the table of the records,
/// has no commit. A run commits to each of them once.
///
/// # Errors
/// When such a run built the tables anew, or its files were put together with others since; when
/// the commits cannot be read.
pub(crate) async fn orphaned_files(child: &Table, own: &Table) -> Result<Vec<String>> {
    let mut look = LOOK_FIRST;
    loop {
        let runs = own.history(Some(look)).await?;
        let commits = child.history(Some(look)).await?;
        let is_all = (runs.len() as u64) < look && (commits.len() as u64) < look;
        let anew = runs.iter().filter(|commit| commit.full_refresh).map(|commit| commit.time).max();
        let runs: BTreeSet<String> = runs.into_iter().map(|commit| commit.run_id).collect();
        let is_whole = |commit: &CommitSummary| commit.operation == Operation::Load && runs.contains(&commit.run_id);
        match commits.iter().position(is_whole) {
            Some(whole) => return left_by(commits.get(..whole).unwrap_or_default(), anew, child),
            None if is_all => return left_by(&commits, anew, child),
            None => look = look.saturating_mul(16),
        }
    }
}

/// Returns the files that came with these commits, the newest first, none of which belongs to a run
/// that came to its end. The records were built anew at `anew`.
fn left_by(commits: &[CommitSummary], anew: Option<DateTime<Utc>>, child: &Table) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut is_compacted = false;
    for commit in commits {
        let refuse = |what: &str| {
            let (run, url) = (&commit.run_id, child.url());
            let text =
                format!("{url}: the run {run} was killed before it committed the records of these items, {what}");
            Err(Error::damaged(text).with_hint("build the tables anew with --full-refresh"))
        };
        match commit.operation {
            Operation::Load => {
                let added = commit.files.iter().filter(|file| file.change == FileChangeKind::Added);
                let added: Vec<String> = added.map(|file| file.path.clone()).collect();
                if commit.full_refresh && anew.is_some_and(|anew| anew >= commit.time) {
                    // Another run did so after it, and found nothing to change.
                    return Ok(files);
                }
                if commit.full_refresh {
                    return refuse("and it was building the tables anew: items of other records are gone");
                }
                if is_compacted && !added.is_empty() {
                    return refuse("and the table was compacted since: they would be there twice");
                }
                files.extend(added);
            }
            Operation::Compaction => is_compacted = true,
            Operation::Fence => {}
        }
    }
    Ok(files)
}
