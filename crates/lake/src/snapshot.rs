//! A table as its last commit left it: the fold of all commits. The fold is pure; loading reads the commits.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::commit::{CommitDocument, Operation};
use super::fold;
use super::layout::{number_of, slot_of};
use super::storage::Storage;
use super::strategy::StoredMerge;
use crate::spec::PartitionField;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::RecordSchema;
use lakefeed_model::spec::WriteDisposition;

/// Commits that are read at the same time.
const READS_IN_FLIGHT: usize = 32;
/// Keys longer than this are not kept as the bounds of a file.
const KEY_BOUND_BYTES_MAX: usize = 256;

/// A table as its last commit left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The last commit's number; 0 for a table without commits.
    pub version: u64,
    /// Whether readers who glob see all of it; until then the next run finishes publishing.
    #[serde(skip)]
    pub published: bool,
    /// The shape of its rows.
    pub schema: Option<Arc<RecordSchema>>,
    /// The columns that identify a row.
    pub primary_key: Vec<String>,
    /// How its rows are spread over folders.
    pub partition_by: Vec<PartitionField>,
    /// How the last commit merged its rows; `None` for an append, a replace, and an upsert that does not say so.
    pub merge: Option<StoredMerge>,
    /// Whether its commits prove that no two of its rows have the same primary key: each row came by a merge.
    #[serde(default)]
    pub keys_are_unique: bool,
    /// Its data files, by path relative to the table's folder.
    pub files: BTreeMap<String, DataFile>,
    /// By partition folder, the highest slot of a data file that a commit has removed. No new file gets it, or one below it.
    pub(super) retired_slots: BTreeMap<String, u32>,
    /// How far its resource has got.
    pub checkpoint: Option<Checkpoint>,
    /// The run that made the last commit.
    pub run_id: Option<String>,
    /// When that was.
    pub committed_at: Option<DateTime<Utc>>,
}

/// A data file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its partition, level by level: name and value.
    pub partition: Vec<(String, Option<String>)>,
    /// Its smallest key, when the key is one column of numbers or text.
    pub key_min: Option<KeyBound>,
    /// Its largest key.
    pub key_max: Option<KeyBound>,
}

/// One end of the range of keys in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyBound {
    /// A whole number.
    Int(i64),
    /// A text, compared by its bytes.
    Text(String),
}

impl Snapshot {
    /// Rows of all its files.
    pub fn rows(&self) -> u64 {
        self.files.values().map(|file| file.rows).sum()
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// The shape of the records that its rows were made of: its columns without those that the merge adds.
    pub fn record_schema(&self) -> Option<Arc<RecordSchema>> {
        let schema = self.schema.as_ref()?;
        let own = self.merge.as_ref().map(StoredMerge::own_columns).unwrap_or_default();
        if own.is_empty() {
            return Some(Arc::clone(schema));
        }
        let columns = schema.columns().iter().filter(|column| !own.contains(&column.name.as_str()));
        let sources = schema.notes().iter().filter(|(_, note)| note.source.is_some());
        let sources = sources.map(|(place, note)| (place.clone(), note.clone())).collect();
        RecordSchema::new(columns.cloned().collect()).ok().map(|records| Arc::new(records.with_notes(sources)))
    }

    /// The snapshot after `commit`, which must be the next one.
    ///
    /// # Errors
    /// What is wrong with the commit, in words.
    pub(super) fn apply(mut self, commit: &CommitDocument) -> Result<Self, String> {
        if commit.commit != self.version + 1 {
            return Err(format!("commit {} is missing before commit {}", self.version + 1, commit.commit));
        }
        let keys_are_unique = self.keys_stay_unique(commit);
        let removes = commit.removes.iter().collect::<HashSet<_>>();
        for path in &commit.removes {
            if self.files.remove(path).is_none() {
                return Err(format!("it removes {path:?}, which the table does not have"));
            }
        }
        for added in &commit.adds {
            if removes.contains(&added.path) {
                return Err(format!("it both adds and removes {:?}", added.path));
            }
            self.files.insert(added.path.clone(), added.data_file());
        }
        for (partition, slot) in commit.removes.iter().chain(&commit.retires).filter_map(|path| slot_of(path)) {
            let retired = self.retired_slots.entry(partition.to_owned()).or_default();
            *retired = slot.max(*retired);
        }
        self.version = commit.commit;
        self.published = false;
        self.keys_are_unique = keys_are_unique;
        self.schema = Some(Arc::clone(&commit.schema));
        self.primary_key.clone_from(&commit.primary_key);
        self.partition_by.clone_from(&commit.partition_by);
        self.merge.clone_from(&commit.merge);
        self.checkpoint = Some(commit.checkpoint.clone());
        self.run_id = Some(commit.run_id.clone());
        self.committed_at = Some(commit.time);
        Ok(self)
    }

    /// Whether keys are unique after `commit`. A merge keeps them so, and begins anew when none of the rows that were there stays.
    fn keys_stay_unique(&self, commit: &CommitDocument) -> bool {
        let before = self.files.is_empty() || self.keys_are_unique && self.primary_key == commit.primary_key;
        let counts = &commit.counts;
        let nothing_stays = counts.deleted == self.rows() && counts.written == counts.inserted;
        match (commit.operation, commit.disposition) {
            (Operation::Compaction | Operation::Fence, _) => self.keys_are_unique,
            (Operation::Load, WriteDisposition::Merge) => before || nothing_stays,
            (Operation::Load, WriteDisposition::Append | WriteDisposition::Replace) => before && commit.adds.is_empty(),
        }
    }

    /// As [`Self::apply`], with an error that names the file of the commit.
    pub(super) fn after(self, storage: &Storage, commit: &CommitDocument) -> Result<Self> {
        let next = self.version + 1;
        self.apply(commit).map_err(|problem| damaged(storage, next, &problem))
    }
}

/// A range of keys, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyRange {
    pub(super) min: KeyBound,
    pub(super) max: KeyBound,
}

impl KeyRange {
    /// `None` when an end is missing or too long to keep.
    pub(super) fn new(min: Option<KeyBound>, max: Option<KeyBound>) -> Option<Self> {
        let short = |bound: &KeyBound| match bound {
            KeyBound::Int(_) => true,
            KeyBound::Text(text) => text.len() <= KEY_BOUND_BYTES_MAX,
        };
        Some(Self { min: min.filter(short)?, max: max.filter(short)? })
    }

    /// The range of both; `None`, which stands for any key, when one is unknown.
    pub(super) fn union(left: Option<Self>, right: Option<Self>) -> Option<Self> {
        let (left, right) = (left?, right?);
        Some(Self { min: left.min.min(right.min), max: left.max.max(right.max) })
    }

    /// Whether a file may hold a key of this range.
    pub(super) fn may_meet(&self, file: &DataFile) -> bool {
        let (Some(min), Some(max)) = (&file.key_min, &file.key_max) else { return true };
        !(is_below(max, &self.min) || is_below(&self.max, min))
    }
}

/// Whether both are of one type and `left` is smaller.
fn is_below(left: &KeyBound, right: &KeyBound) -> bool {
    match (left, right) {
        (KeyBound::Int(left), KeyBound::Int(right)) => left.cmp(right) == Ordering::Less,
        (KeyBound::Text(left), KeyBound::Text(right)) => left.cmp(right) == Ordering::Less,
        (KeyBound::Int(_), KeyBound::Text(_)) | (KeyBound::Text(_), KeyBound::Int(_)) => false,
    }
}

/// A snapshot with the commit that made it.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) snapshot: Snapshot,
    pub(super) last: Option<CommitDocument>,
    /// The commit of the fold that it was loaded from; 0 for none.
    pub(super) folded: u64,
}

/// The numbers of all commits, ascending.
pub(super) async fn commit_numbers(storage: &Storage) -> Result<Vec<u64>> {
    numbers_in(storage, &storage.layout.commits()).await
}

async fn numbers_in(storage: &Storage, folder: &Path) -> Result<Vec<u64>> {
    let objects = storage.list(folder).await?;
    let mut numbers = objects.iter().filter_map(|object| number_of(&object.location)).collect::<Vec<_>>();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The commits of these numbers, in their order. One that is missing is an error.
pub(super) fn read_commits(
    storage: &Storage,
    numbers: impl IntoIterator<Item = u64, IntoIter: Send + 'static>,
) -> BoxStream<'_, Result<CommitDocument>> {
    stream::iter(numbers)
        .map(move |number| async move {
            match storage.get_if_present(&storage.layout.commit(number)).await? {
                Some(bytes) => read_commit(storage, &bytes, number),
                None => Err(damaged(storage, number, "it is not there, but later ones are")),
            }
        })
        .buffered(READS_IN_FLIGHT)
        .boxed()
}

/// The commit in these bytes, which are those of commit `number`.
pub(super) fn read_commit(storage: &Storage, bytes: &[u8], number: u64) -> Result<CommitDocument> {
    CommitDocument::parse(bytes, number).map_err(|error| damaged(storage, number, &error.to_string()))
}

/// Whether commit `number` is wholly published.
pub(super) async fn is_published(storage: &Storage, number: u64) -> Result<bool> {
    Ok(storage.get_if_present(&storage.layout.published_marker(number)).await?.is_some())
}

/// Opens a table: the newest fold, and what was committed since.
///
/// The folder of commits is not listed, since it may be long. No commit is made on top of one that is not published (rule 5 of `commit`), so the
/// highest marker names the last commit, or the one before it: up to there every commit must be found, and from there on they are
/// asked for until one is not there. Those that come in the meantime are taken along.
pub(super) async fn load(storage: &Storage) -> Result<Loaded> {
    let mut loaded = load_folded(storage, u64::MAX).await?;
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
        loaded.take(storage, read_commit(storage, &bytes, next)?)?;
    }
    let last = loaded.snapshot.version;
    loaded.snapshot.published = last > 0 && (markers.contains(&last) || is_published(storage, last).await?);
    Ok(loaded)
}

/// The table as commit `number` left it, which must be in the log.
pub(super) async fn load_at(storage: &Storage, number: u64) -> Result<Snapshot> {
    let mut loaded = load_folded(storage, number).await?;
    loaded.read_on(storage, number).await?;
    Ok(loaded.snapshot)
}

async fn load_folded(storage: &Storage, latest: u64) -> Result<Loaded> {
    Ok(match fold::newest(storage, latest).await? {
        Some((snapshot, last)) => Loaded { folded: snapshot.version, snapshot, last: Some(last) },
        None => Loaded { snapshot: Snapshot::default(), last: None, folded: 0 },
    })
}

impl Loaded {
    /// Goes on to commit `number`, unless it is there already.
    async fn read_on(&mut self, storage: &Storage, number: u64) -> Result<()> {
        let mut commits = read_commits(storage, self.snapshot.version + 1..=number);
        while let Some(commit) = commits.try_next().await? {
            self.take(storage, commit)?;
        }
        Ok(())
    }

    fn take(&mut self, storage: &Storage, commit: CommitDocument) -> Result<()> {
        self.snapshot = std::mem::take(&mut self.snapshot).after(storage, &commit)?;
        self.last = Some(commit);
        Ok(())
    }
}

fn damaged(storage: &Storage, number: u64, problem: &str) -> Error {
    let path = storage.show(&storage.layout.commit(number));
    Error::storage(format!("cannot read the commit {path}: {problem}"))
        .with_hint("commits are written once and never changed; restore the file, or use the lakefeed that wrote it")
}

#[cfg(test)]
mod tests;
