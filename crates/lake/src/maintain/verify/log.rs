//! The log by itself: are the commits there, do they parse, do they follow from each other, and do
//! the markers and the snapshot files agree?

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::log::document::{CommitDocument, RejectsFile};
use crate::log::snapshot::Snapshot;
use crate::log::snapshot_file::{self, SnapshotFile};
use crate::maintain::verify::{Finding, FindingCode};
use crate::storage::layout::{is_data_file, number_of};
use crate::storage::objects::Storage;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::{Error, Result};

/// Commits that are read at the same time.
const READS_IN_FLIGHT: usize = 32;

/// What the log says of the table.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) snapshot: Snapshot,
    pub(super) last: Option<CommitDocument>,
    /// Whether the snapshot is what all commits together make.
    pub(super) is_whole: bool,
    pub(super) rejects: Vec<RejectsFile>,
}

impl Log {
    /// Returns the last commit, when it is still to be published.
    pub(super) fn unpublished(&self) -> Option<&CommitDocument> {
        self.last.as_ref().filter(|_| !self.snapshot.published)
    }

    fn take(&mut self, commit: CommitDocument) -> Result<(), String> {
        self.snapshot = std::mem::take(&mut self.snapshot).apply(&commit)?;
        self.rejects.extend(commit.rejects.clone());
        self.last = Some(commit);
        Ok(())
    }
}

/// Reads and checks every commit and marker.
pub(super) async fn check(storage: &Storage, findings: &mut Vec<Finding>) -> Result<Log> {
    let mut numbers = Vec::new();
    for object in storage.list(&storage.layout.commits()).await? {
        match number_of(&object.location) {
            Some(number) => numbers.push(number),
            None => findings.push(Finding::problem(
                FindingCode::CommitUnreadable,
                storage.layout.relative(&object.location),
                "its name is not that of a commit",
            )),
        }
    }
    numbers.sort_unstable();
    let mut log = Log { snapshot: Snapshot::default(), last: None, is_whole: true, rejects: Vec::new() };
    let mut commits = stream::iter(numbers.clone())
        .map(|number| async move {
            let bytes = storage.get(&storage.layout.commit(number)).await?;
            Ok::<_, Error>((number, bytes))
        })
        .buffered(READS_IN_FLIGHT);
    let mut snapshot_files = read_snapshot_files(storage, findings).await?;
    let mut expected = 1;
    while let Some((number, bytes)) = commits.try_next().await? {
        for missing in expected..number {
            findings.push(Finding::problem(FindingCode::CommitMissing, name(storage, missing), "it is not there"));
            log.is_whole = false;
        }
        expected = number + 1;
        let place = name(storage, number);
        match CommitDocument::parse(&bytes, number) {
            Err(error) => {
                findings.push(Finding::problem(FindingCode::CommitUnreadable, place, error.to_string()));
                log.is_whole = false;
            }
            Ok(commit) => {
                findings.extend(contradictions(&commit, &place));
                if log.is_whole
                    && let Err(problem) = log.take(commit)
                {
                    findings.push(Finding::problem(FindingCode::CommitContradictory, place, problem));
                    log.is_whole = false;
                }
            }
        }
        if let Some(snapshot_file) = snapshot_files.remove(&number)
            && log.is_whole
        {
            findings.extend(check_snapshot_file(storage, &snapshot_file, &log.snapshot, &bytes));
        }
    }
    drop(commits);
    for number in snapshot_files.into_keys().filter(|number| *number >= expected) {
        let detail = format!("the log ends with commit {}", expected - 1);
        findings.push(Finding::warning(FindingCode::SnapshotFileUnusable, snapshot_file_name(storage, number), detail));
    }
    check_markers(storage, &mut log, numbers.last().copied().unwrap_or(0), findings).await?;
    Ok(log)
}

fn name(storage: &Storage, number: u64) -> String {
    storage.layout.relative(&storage.layout.commit(number)).to_owned()
}

fn snapshot_file_name(storage: &Storage, number: u64) -> String {
    storage.layout.relative(&storage.layout.snapshot_file(number)).to_owned()
}

async fn read_snapshot_files(storage: &Storage, findings: &mut Vec<Finding>) -> Result<BTreeMap<u64, SnapshotFile>> {
    let mut snapshot_files = BTreeMap::new();
    for number in snapshot_file::numbers(storage).await? {
        let Some(bytes) = storage.get_if_present(&storage.layout.snapshot_file(number)).await? else { continue };
        match SnapshotFile::parse(&bytes, number) {
            Ok(snapshot_file) => drop(snapshot_files.insert(number, snapshot_file)),
            Err(error) => {
                findings.push(Finding::warning(
                    FindingCode::SnapshotFileUnusable,
                    snapshot_file_name(storage, number),
                    error.to_string(),
                ));
            }
        }
    }
    Ok(snapshot_files)
}

/// Proves a snapshot file by what the commits themselves make.
fn check_snapshot_file(
    storage: &Storage,
    snapshot_file: &SnapshotFile,
    snapshot: &Snapshot,
    commit: &[u8],
) -> Option<Finding> {
    let place = snapshot_file_name(storage, snapshot.version);
    if let Err(error) = snapshot_file.check(commit) {
        return Some(Finding::warning(FindingCode::SnapshotFileUnusable, place, error.to_string()));
    }
    (snapshot_file.snapshot != *snapshot).then(|| {
        let detail = "it says something else than the commits that it stands for";
        Finding::problem(FindingCode::SnapshotFileContradictory, place, detail)
    })
}

/// Returns what is wrong with a commit that parses.
fn contradictions(commit: &CommitDocument, place: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Checkpoint { version, resource, .. } = &commit.checkpoint;
    if *version != Checkpoint::VERSION {
        let detail = format!("the checkpoint has version {version}, not {}", Checkpoint::VERSION);
        findings.push(Finding::problem(FindingCode::CheckpointForeign, place, detail));
    }
    if *resource != commit.resource {
        let detail = format!("the checkpoint is that of {resource:?}, the commit that of {:?}", commit.resource);
        findings.push(Finding::problem(FindingCode::CheckpointForeign, place, detail));
    }
    let rows: u64 = commit.adds.iter().map(|added| added.rows).sum();
    if rows != commit.counts.written {
        let detail = format!("its files have {rows} rows, but it counts {} written", commit.counts.written);
        findings.push(Finding::problem(FindingCode::CommitContradictory, place, detail));
    }
    for added in commit.adds.iter().filter(|added| !is_data_file(&added.path)) {
        let detail = format!("{:?} is not the name of a data file", added.path);
        findings.push(Finding::problem(FindingCode::CommitContradictory, place, detail));
    }
    findings
}

async fn check_markers(storage: &Storage, log: &mut Log, last: u64, findings: &mut Vec<Finding>) -> Result<()> {
    for marker in storage.list(&storage.layout.published_markers()).await? {
        let Some(number) = number_of(&marker.location) else { continue };
        let place = storage.layout.relative(&marker.location);
        if number > last {
            let detail = format!("the log ends with commit {last}: commits are lost");
            findings.push(Finding::problem(FindingCode::MarkerAhead, place, detail));
            log.is_whole = false;
        }
        if number != log.snapshot.version {
            continue;
        }
        // A run that has published the next commit sweeps it; then there is another state to look
        // at.
        let Some(bytes) = storage.get_if_present(&marker.location).await? else { continue };
        log.snapshot.published = true;
        let marker: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if marker.get("commit") != Some(&number.into())
            || marker.get("run_id") != log.snapshot.run_id.as_deref().map(serde_json::Value::from).as_ref()
        {
            let detail = format!("it is {marker}, which does not speak of commit {number}");
            findings.push(Finding::problem(FindingCode::MarkerContradictory, place, detail));
        }
    }
    if log.is_whole && log.snapshot.version > 0 && !log.snapshot.published {
        let detail = "readers who glob may see the table before it, or half of it; the next run finishes publishing it";
        findings.push(Finding::problem(FindingCode::Unpublished, name(storage, last), detail));
    }
    Ok(())
}
