//! The commits of a table, for those who ask what happened to it.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde::Serialize;

use crate::log::document::{CommitDocument, Operation, StoredMerge};
use crate::log::load::{load, load_at};
use crate::log::read::read_commits;
use crate::log::snapshot::Snapshot;
use crate::table::Table;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::Result;
use lakefeed_model::event::{FileChange, FileChangeKind, RowCounts};
use lakefeed_model::spec::WriteDisposition;

/// One commit of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CommitSummary {
    /// Its number, from 1.
    pub commit: u64,
    /// When it was made.
    pub time: DateTime<Utc>,
    /// The run that made it.
    pub run_id: String,
    /// The resource whose rows it brought.
    pub resource: String,
    /// What it did with the rows that were there; of a compaction or a fence, what the commit
    /// before it did.
    pub disposition: WriteDisposition,
    /// How it merged them; a merge that does not say so was an upsert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<StoredMerge>,
    /// What it was for.
    pub operation: Operation,
    /// Whether it built the table anew, whatever the disposition says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub full_refresh: bool,
    /// What became of the rows.
    pub rows: RowCounts,
    /// What it changed of the table's schema, in words.
    pub schema_changes: Vec<String>,
    /// The data files that came, changed or went.
    pub files: Vec<FileChange>,
    /// How far the resource had got.
    pub checkpoint: Checkpoint,
}

impl CommitSummary {
    /// Returns how many of its files changed in that way.
    pub fn count(&self, change: FileChangeKind) -> usize {
        self.files.iter().filter(|file| file.change == change).count()
    }
}

impl Table {
    /// Returns the commits of the table, newest first, at most `limit` of them. Needs no lock.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn history(&self, limit: Option<u64>) -> Result<Vec<CommitSummary>> {
        let last = load(&self.storage).await?.snapshot.version;
        let before = limit.map_or(0, |limit| last.saturating_sub(limit));
        let mut commits = read_commits(&self.storage, before + 1..=last);
        let mut snapshot = load_at(&self.storage, before).await?;
        let mut history = Vec::new();
        while let Some(commit) = commits.try_next().await? {
            history.push(summary(&commit, &snapshot));
            snapshot = snapshot.after(&self.storage, &commit)?;
        }
        history.reverse();
        Ok(history)
    }
}

fn summary(commit: &CommitDocument, before: &Snapshot) -> CommitSummary {
    CommitSummary {
        commit: commit.commit,
        time: commit.time,
        run_id: commit.run_id.clone(),
        resource: commit.resource.clone(),
        disposition: commit.disposition,
        merge: commit.merge.clone(),
        operation: commit.operation,
        full_refresh: commit.full_refresh,
        rows: commit.counts,
        schema_changes: commit.schema_changes.clone(),
        files: commit.file_changes(&before.files),
        checkpoint: commit.checkpoint.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world::{World, row};
    use lakefeed_model::spec::WriteDisposition::Merge;

    #[tokio::test]
    async fn the_history_is_told_newest_first_with_what_each_commit_did_to_the_files() {
        let world = World::on_disk();
        assert!(world.table().history(None).await.unwrap().is_empty());
        world.run("one", Merge, &[vec![row("a", 1, 1), row("b", 2, 1)]]).await;
        world.run("two", Merge, &[vec![row("a", 1, 2), row("b", 3, 1)]]).await;
        let history = world.table().history(None).await.unwrap();
        let told = history
            .iter()
            .map(|commit| {
                let [added, replaced, removed] =
                    [FileChangeKind::Added, FileChangeKind::Replaced, FileChangeKind::Removed]
                        .map(|change| commit.count(change));
                (commit.commit, commit.run_id.as_str(), commit.rows.updated, added, replaced, removed)
            })
            .collect::<Vec<_>>();
        assert_eq!(told, [(2, "two", 2, 1, 1, 1), (1, "one", 0, 2, 0, 0)]);
        assert_eq!(world.table().history(Some(1)).await.unwrap(), history[..1]);
        assert_eq!(world.table().history(Some(9)).await.unwrap(), history);
        assert_eq!((history[0].disposition, &history[0].checkpoint), (Merge, &Checkpoint::full_listing("events")));
    }
}
