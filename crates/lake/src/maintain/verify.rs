//! Verification: compares a table's files, keys, checkpoint and log with each other, and names
//! whatever does not fit.
//!
//! Every page of every data file is decoded. A changed byte that still decodes is noticed only
//! where it contradicts something: a row count, a key, a key range, a partition, a type.
//!
//! Nothing is written and no lock is taken. Memory is bounded: files are read a row group at a
//! time, and keys are compared by 128-bit fingerprints, a share of them at a time when the table
//! has many.

mod files;
mod finding;
mod keys;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use files::{Checked, Shape};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use log::Log;

use crate::log::document::CommitDocument;
use crate::log::read::{commit_numbers, is_published};
use crate::log::snapshot::Snapshot;
use crate::parquet::reader::Source;
use crate::storage::layout::is_cached_response;
use crate::storage::objects::Storage;
use crate::table::Table;
use crate::tasks::{files_in_flight, spawn};
use lakefeed_model::error::{Error, Result};

pub use finding::{Finding, FindingCode, Level};

/// Keys that are compared at the same time: 16 bytes each.
const KEYS_IN_MEMORY: u64 = 8 * 1024 * 1024;
/// How often a table that changes in the meantime is looked at.
const LOOKS_MAX: usize = 3;

/// What a table was found to be.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The table as its last commit left it, as far as the log could be read.
    pub snapshot: Snapshot,
    /// Whatever does not fit, problems first.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    /// Returns whether nothing but warnings was found.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.level == Level::Warning)
    }
}

impl Table {
    /// Reads the whole table and compares it with its log. Damage is no error: it is in the report.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](lakefeed_model::error::ErrorKind) when the store fails, `Conflict`
    /// when runs kept changing the table while it was read.
    pub async fn verify(&self) -> Result<VerifyReport> {
        self.verify_with(KEYS_IN_MEMORY).await
    }

    async fn verify_with(&self, keys_in_memory: u64) -> Result<VerifyReport> {
        for _ in 0..LOOKS_MAX {
            let before = state(&self.storage).await?;
            let report = verify(&self.storage, keys_in_memory).await?;
            if report.is_sound() || state(&self.storage).await? == before {
                return Ok(report);
            }
        }
        Err(Error::conflict(format!("table {} changed each time that it was read", self.storage.url))
            .with_hint("verify it when no run writes to it"))
    }
}

/// Returns what changes when a run commits or publishes.
async fn state(storage: &Storage) -> Result<(Vec<u64>, bool)> {
    let numbers = commit_numbers(storage).await?;
    let published = match numbers.last() {
        Some(last) => is_published(storage, *last).await?,
        None => true,
    };
    Ok((numbers, published))
}

/// The objects of a table: relative paths and sizes.
type Objects = BTreeMap<String, u64>;

async fn verify(storage: &Storage, keys_in_memory: u64) -> Result<VerifyReport> {
    let listed = storage.list(&storage.layout.table()).await?;
    let objects: Objects =
        listed.iter().map(|object| (storage.layout.relative(&object.location).to_owned(), object.size)).collect();
    let mut findings = Vec::new();
    let log = log::check(storage, &mut findings).await?;
    // What the files should be is known only from a whole log.
    if log.is_whole {
        check_files(storage, &log, &objects, keys_in_memory, &mut findings).await?;
        stray_files(&log, &objects, &mut findings);
        rejects(&log, &objects, &mut findings);
    }
    staging(storage, &log, &objects, &mut findings);
    findings.sort();
    Ok(VerifyReport { snapshot: log.snapshot, findings })
}

async fn check_files(
    storage: &Storage,
    log: &Log,
    objects: &Objects,
    keys_in_memory: u64,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let Some(schema) = &log.snapshot.schema else { return Ok(()) };
    let shares = log.snapshot.rows().div_ceil(keys_in_memory.max(1)).max(1);
    let shape = Arc::new(Shape::new(schema, &log.snapshot, shares)?);
    let mut readable = Vec::new();
    let mut keys = Vec::new();
    let mut tasks = Vec::new();
    for (path, file) in &log.snapshot.files {
        let Some((object, bytes)) = present(path, file.bytes, log, objects) else {
            findings.push(Finding::problem(FindingCode::FileMissing, path, "it is not there"));
            continue;
        };
        if bytes != file.bytes {
            let detail = format!("it has {bytes} bytes, the commit says {}", file.bytes);
            findings.push(Finding::problem(FindingCode::FileSize, path, detail));
        }
        let source = Source { path: storage.resolve(object)?, bytes };
        let (storage, shape) = (storage.clone(), Arc::clone(&shape));
        let (path, file) = (path.clone(), file.clone());
        tasks.push(spawn(async move { files::check(&storage, &shape, source, &path, &file).await }));
    }
    let mut checked = stream::iter(tasks).buffered(files_in_flight());
    while let Some(Checked { source, path, findings: found, keys: some }) = checked.try_next().await? {
        if !found.iter().any(|finding| matches!(finding.code, FindingCode::FileUnreadable | FindingCode::FileSchema)) {
            readable.push((path, source));
        }
        findings.extend(found);
        keys.extend(some);
    }
    drop(checked);
    match &shape.sieve {
        Some(sieve) => keys::check(storage, sieve, &readable, keys, log.snapshot.keys_are_unique, findings).await,
        None => Ok(()),
    }
}

/// Returns the object that holds a data file, and its size: the staged one as long as its commit is
/// not published.
fn present<'a>(path: &'a str, bytes: u64, log: &'a Log, objects: &Objects) -> Option<(&'a str, u64)> {
    let staged = log.unpublished().and_then(|commit| commit.adds.iter().find(|added| added.path == path));
    let candidates = staged.map(|added| added.staged.as_str()).into_iter().chain([path]);
    let mut found = candidates.filter_map(|object| Some((object, *objects.get(object)?)));
    let first = found.next()?;
    if first.1 == bytes { Some(first) } else { found.next().or(Some(first)) }
}

fn stray_files(log: &Log, objects: &Objects, findings: &mut Vec<Finding>) {
    // A removal that is not published yet.
    let leaving: BTreeSet<&String> =
        log.unpublished().map(|commit| commit.removes.iter().collect()).unwrap_or_default();
    for path in objects.keys().filter(|path| path.ends_with(".parquet")) {
        if !log.snapshot.files.contains_key(path) && !leaving.contains(path) {
            let detail = "no commit names it, but readers who glob find it";
            findings.push(Finding::problem(FindingCode::StrayFile, path, detail));
        }
    }
}

/// Rejects may be gone, since they may be deleted at any time.
fn rejects(log: &Log, objects: &Objects, findings: &mut Vec<Finding>) {
    for file in &log.rejects {
        if let Some(bytes) = objects.get(&file.path)
            && *bytes != file.bytes
        {
            let detail = format!("it has {bytes} bytes, the commit says {}", file.bytes);
            findings.push(Finding::problem(FindingCode::RejectsSize, &file.path, detail));
        }
    }
}

fn staging(storage: &Storage, log: &Log, objects: &Objects, findings: &mut Vec<Finding>) {
    let folder = format!("{}/", storage.layout.relative(&storage.layout.staging()));
    let publishing = log.unpublished().map(|commit: &CommitDocument| commit.run_id.as_str());
    let mut runs: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for (path, bytes) in objects {
        let Some((run, name)) = path.strip_prefix(&folder).and_then(|rest| rest.split_once('/')) else { continue };
        if Some(run) != publishing {
            let (staged, pages, sum) = runs.entry(run).or_default();
            *(if is_cached_response(&name.into()) { pages } else { staged }) += 1;
            *sum += bytes;
        }
    }
    for (run, (staged, pages, bytes)) in runs {
        let detail = format!("{staged} staged files and {pages} files of kept pages, {bytes} bytes");
        findings.push(Finding::warning(FindingCode::StagingLeft, format!("{folder}{run}"), detail));
    }
}

#[cfg(test)]
mod tests;
