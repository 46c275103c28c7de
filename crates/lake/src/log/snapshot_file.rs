//! Snapshot files: snapshots kept beside the log, so that opening a table need not read every
//! commit.
//!
//! A snapshot file is derived: the commits say the same, only slower. It is created after its
//! commit is wholly published, and never changed. One that is missing, damaged, of another version
//! or of another history is passed over, in favour of an older one and finally of the log. So a
//! snapshot file needs no care on the way to the disk, and anyone may delete it at any time. A
//! zombie writer cannot do harm by one, either: what commits 1 to N make together never changes.
//!
//! The object has two lines of JSON: a header, with checksums of the second line and of the commit
//! that the snapshot file ends with, and the snapshot.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::log::document::CommitDocument;
use crate::log::read::read_commit;
use crate::log::snapshot::Snapshot;
use crate::storage::layout::number_of;
use crate::storage::objects::{Created, Storage};
use lakefeed_model::error::Result;

/// Commits after which a snapshot file is due: the most that a reader finds after the newest one.
pub(crate) const COMMITS_PER_SNAPSHOT_FILE: u64 = 16;
/// Snapshot files that are kept: the newest, and one to fall back on.
const SNAPSHOT_FILES_KEPT: usize = 2;

/// The first line of a snapshot file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// The last commit that is in it.
    commit: u64,
    /// The checksum of that commit's bytes.
    commit_hash: String,
    /// The checksum of the second line.
    snapshot_hash: String,
}

/// A snapshot file whose checksums hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SnapshotFile {
    pub(crate) snapshot: Snapshot,
    commit_hash: String,
}

/// Why bytes are not a snapshot file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotFileError {
    #[error("it does not have two lines")]
    Lines,
    #[error("it is not a snapshot file: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its format has version {0}; this lakefeed knows version {known}", known = SnapshotFile::VERSION)]
    Version(u32),
    #[error("it says that it is that of commit {0}")]
    Number(u64),
    #[error("its content does not have the checksum of its header")]
    Checksum,
    #[error("it was made of another commit {0} than the one in the log")]
    OtherCommit(u64),
}

impl SnapshotFile {
    /// The version of the format that this program writes.
    const VERSION: u32 = 1;

    fn to_bytes(snapshot: &Snapshot, commit: &[u8]) -> Result<Bytes, serde_json::Error> {
        let body = serde_json::to_vec(snapshot)?;
        let header = Header {
            version: Self::VERSION,
            commit: snapshot.version,
            commit_hash: hash(commit),
            snapshot_hash: hash(&body),
        };
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&body);
        bytes.push(b'\n');
        Ok(bytes.into())
    }

    pub(crate) fn parse(bytes: &[u8], number: u64) -> Result<Self, SnapshotFileError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let (Some(first), Some(rest)) = (lines.next(), lines.next()) else { return Err(SnapshotFileError::Lines) };
        let Versioned { version } = serde_json::from_slice(first)?;
        if version != Self::VERSION {
            return Err(SnapshotFileError::Version(version));
        }
        let header: Header = serde_json::from_slice(first)?;
        if header.commit != number {
            return Err(SnapshotFileError::Number(header.commit));
        }
        let body = rest.strip_suffix(b"\n").ok_or(SnapshotFileError::Lines)?;
        if hash(body) != header.snapshot_hash {
            return Err(SnapshotFileError::Checksum);
        }
        let snapshot: Snapshot = serde_json::from_slice(body)?;
        if snapshot.version != number {
            return Err(SnapshotFileError::Number(snapshot.version));
        }
        Ok(Self { snapshot, commit_hash: header.commit_hash })
    }

    /// Checks that the snapshot file ends with the commit that has these bytes.
    pub(crate) fn check(&self, commit: &[u8]) -> Result<(), SnapshotFileError> {
        if hash(commit) == self.commit_hash {
            Ok(())
        } else {
            Err(SnapshotFileError::OtherCommit(self.snapshot.version))
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", twox_hash::XxHash3_128::oneshot(bytes))
}

/// Returns the numbers of the snapshot files that are there, newest first.
pub(crate) async fn numbers(storage: &Storage) -> Result<Vec<u64>> {
    let objects = storage.list(&storage.layout.snapshot_files()).await?;
    let mut numbers = objects.iter().filter_map(|object| number_of(&object.location)).collect::<Vec<_>>();
    numbers.sort_unstable_by(|left, right| right.cmp(left));
    Ok(numbers)
}

/// Returns the newest usable snapshot file of no later commit than `latest`, and the commit that it
/// ends with.
///
/// # Errors
/// When the store fails. What is missing or damaged is no error.
pub(crate) async fn newest(storage: &Storage, latest: u64) -> Result<Option<(Snapshot, CommitDocument)>> {
    for number in numbers(storage).await?.into_iter().filter(|number| (1..=latest).contains(number)) {
        // A writer may have deleted it since it was listed.
        let Some(bytes) = storage.get_if_present(&storage.layout.snapshot_file(number)).await? else { continue };
        let Ok(snapshot_file) = SnapshotFile::parse(&bytes, number) else { continue };
        let Some(commit) = storage.get_if_present(&storage.layout.commit(number)).await? else { continue };
        if snapshot_file.check(&commit).is_err() {
            continue;
        }
        return Ok(Some((snapshot_file.snapshot, read_commit(storage, &commit, number)?)));
    }
    Ok(None)
}

/// Writes a snapshot file of `snapshot`, whose commit is published, when the newest one (of commit
/// `newest`, 0 for none) is `commits` behind. Best effort: what fails now is done after a later
/// commit.
pub(crate) async fn write_if_due(storage: &Storage, snapshot: &Snapshot, newest: u64, commits: u64) {
    if snapshot.version >= newest.saturating_add(commits) {
        drop(write(storage, snapshot).await);
    }
}

pub(crate) async fn write(storage: &Storage, snapshot: &Snapshot) -> Result<()> {
    let number = snapshot.version;
    let commit = storage.get(&storage.layout.commit(number)).await?;
    let Ok(bytes) = SnapshotFile::to_bytes(snapshot, &commit) else { return Ok(()) };
    if storage.create(&storage.layout.snapshot_file(number), bytes).await? == Created::Exists {
        return Ok(());
    }
    // Only what this writer has seen is old: a later one may have made newer ones.
    for old in numbers(storage).await?.into_iter().filter(|old| *old <= number).skip(SNAPSHOT_FILES_KEPT) {
        storage.delete(&storage.layout.snapshot_file(old)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
