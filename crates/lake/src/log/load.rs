//! Opens a table: reads the newest snapshot file, and the commits since.

use futures::TryStreamExt as _;

use crate::log::document::CommitDocument;
use crate::log::read::{commit_numbers, is_published, numbers_in, read_commit, read_commits};
use crate::log::snapshot::Snapshot;
use crate::log::snapshot_file;
use crate::storage::objects::Storage;
use lakefeed_model::error::Result;

/// A snapshot with the commit that made it.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) snapshot: Snapshot,
    pub(crate) last: Option<CommitDocument>,
    /// The commit of the snapshot file that it was loaded from; 0 for none.
    pub(crate) snapshot_file: u64,
}

/// Opens a table: reads the newest snapshot file, and what was committed since.
///
/// The folder of commits is not listed, since it may be long. No commit is made on top of one that
/// is not published (rule 5 of the protocol), so the highest marker names the last commit, or the
/// one before it. Up to there every commit must be found. From there on commits are asked for until
/// one is not there. Those that come in the meantime are taken along.
pub(crate) async fn load(storage: &Storage) -> Result<Loaded> {
    let mut loaded = load_snapshot_file(storage, u64::MAX).await?;
    let markers = numbers_in(storage, &storage.layout.published_markers()).await?;
    let known = match markers.last() {
        Some(marked) => *marked,
        // Nothing was ever published, or the markers are lost.
        None => commit_numbers(storage).await?.last().copied().unwrap_or(0),
    };
    loaded.read_on(storage, known).await?;
    loop {
        let next = loaded.snapshot.version + 1;
        let Some(bytes) = storage.get_if_present(&storage.layout.commit(next)).await? else { break };
        loaded.advance(storage, read_commit(storage, &bytes, next)?)?;
    }
    let last = loaded.snapshot.version;
    loaded.snapshot.published = last > 0 && (markers.contains(&last) || is_published(storage, last).await?);
    Ok(loaded)
}

/// Returns the table as commit `number` left it, which must be in the log.
pub(crate) async fn load_at(storage: &Storage, number: u64) -> Result<Snapshot> {
    let mut loaded = load_snapshot_file(storage, number).await?;
    loaded.read_on(storage, number).await?;
    Ok(loaded.snapshot)
}

async fn load_snapshot_file(storage: &Storage, latest: u64) -> Result<Loaded> {
    Ok(match snapshot_file::newest(storage, latest).await? {
        Some((snapshot, last)) => Loaded { snapshot_file: snapshot.version, snapshot, last: Some(last) },
        None => Loaded { snapshot: Snapshot::default(), last: None, snapshot_file: 0 },
    })
}

impl Loaded {
    /// Reads on to commit `number`, unless it is there already.
    async fn read_on(&mut self, storage: &Storage, number: u64) -> Result<()> {
        let mut commits = read_commits(storage, self.snapshot.version + 1..=number);
        while let Some(commit) = commits.try_next().await? {
            self.advance(storage, commit)?;
        }
        Ok(())
    }

    /// Applies the next commit.
    pub(crate) fn advance(&mut self, storage: &Storage, commit: CommitDocument) -> Result<()> {
        self.snapshot = std::mem::take(&mut self.snapshot).after(storage, &commit)?;
        self.last = Some(commit);
        Ok(())
    }
}
