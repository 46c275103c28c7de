//! Folds events into a report.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Bytes, ResourceReport, RunReport, Status};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::event::{Completeness, ErrorFacts, FileChange, FileChangeKind, Observer, RowCounts, RunEvent, Verdict};

/// Retries that a report lists; the others are counted.
const RETRIES_MAX: usize = 100;

/// Folds the events of one run into its report.
#[derive(Debug)]
pub(crate) struct ReportBuilder {
    run_id: String,
    pipeline: String,
    clock: Arc<dyn Clock>,
    started_at: DateTime<Utc>,
    started: Duration,
    resources: Mutex<Vec<Resource>>,
}

/// One resource so far.
#[derive(Debug)]
struct Resource {
    report: ResourceReport,
    /// What became of the rows of its commits; those of the listing under way, such as that of a
    /// next window, come on top.
    settled: RowCounts,
    is_finished: bool,
}

impl Resource {
    /// Returns its report. A resource in whose turn the run ended, as by a panic, has failed with
    /// the run.
    fn so_far(&self, error: Option<&Error>) -> ResourceReport {
        let mut report = self.report.clone();
        if let Some(error) = error.filter(|_| !self.is_finished) {
            fail(&mut report, &ErrorFacts::from(error));
        }
        report
    }
}

impl ReportBuilder {
    /// Returns a report that begins now.
    pub(crate) fn new(run_id: impl Into<String>, pipeline: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            run_id: run_id.into(),
            pipeline: pipeline.into(),
            started_at: clock.now(),
            started: clock.monotonic(),
            clock,
            resources: Mutex::default(),
        }
    }

    fn resources(&self) -> MutexGuard<'_, Vec<Resource>> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the report of a run that ended now, with `error` or well.
    pub(crate) fn finish(&self, error: Option<&Error>) -> RunReport {
        RunReport {
            run_id: self.run_id.clone(),
            pipeline: self.pipeline.clone(),
            status: status(error.map(Error::kind)),
            exit_code: error.map_or(0, |error| error.kind().exit_code()),
            error: error.map(ErrorFacts::from),
            started_at: self.started_at,
            seconds: seconds(self.clock.monotonic().saturating_sub(self.started)),
            resources: self.resources().iter().map(|resource| resource.so_far(error)).collect(),
        }
    }
}

impl Observer for ReportBuilder {
    fn observe(&self, event: &RunEvent) {
        let mut resources = self.resources();
        if let RunEvent::ResourceStarted { resource, table, .. } = event {
            resources.push(Resource {
                report: begin(resource, table),
                settled: RowCounts::default(),
                is_finished: false,
            });
            return;
        }
        if let Some(resource) = resources.iter_mut().rev().find(|known| known.report.name == event.resource()) {
            apply(resource, event);
        }
    }
}

fn begin(resource: &str, table: &str) -> ResourceReport {
    ResourceReport {
        name: resource.to_owned(),
        table: table.to_owned(),
        status: Status::Ok,
        stop_reason: None,
        complete: None,
        pages: 0,
        requests: 0,
        retries: Vec::new(),
        retry_count: 0,
        rows: RowCounts::default(),
        rejected_by_reason: BTreeMap::new(),
        values_discarded: 0,
        retried: None,
        bytes: Bytes::default(),
        schema_changes: Vec::new(),
        checkpoint: None,
        commit: None,
        recovered_commit: None,
        resumed_pages: 0,
        files: Vec::new(),
        seconds: 0.0,
        error: None,
    }
}

fn apply(resource: &mut Resource, event: &RunEvent) {
    let Resource { report, settled, is_finished } = resource;
    match event {
        RunEvent::Recovered { commit, .. } => report.recovered_commit = Some(*commit),
        RunEvent::Resumed { pages, .. } => report.resumed_pages = *pages,
        // What was counted so far is read again.
        RunEvent::StartedAgain { .. } => {
            report.resumed_pages = 0;
            report.pages = 0;
            report.rows = *settled;
            report.rejected_by_reason.clear();
            report.values_discarded = 0;
            report.bytes.read = 0;
        }
        RunEvent::RequestSent { .. } => report.requests += 1,
        RunEvent::RetryScheduled { retry, .. } => {
            report.retry_count += 1;
            if report.retries.len() < RETRIES_MAX {
                report.retries.push(retry.clone());
            }
        }
        RunEvent::PageRead { records, rejected, bytes, .. } => {
            report.pages += 1;
            report.rows.read += records;
            report.rows.rejected += rejected;
            report.bytes.read += bytes;
        }
        RunEvent::RecordsRefused { by_reason, .. } => {
            for (code, count) in by_reason {
                *report.rejected_by_reason.entry(*code).or_default() += count;
            }
        }
        RunEvent::ValuesDiscarded { values, .. } => report.values_discarded += values,
        RunEvent::RejectsRetried { retried, .. } => report.retried = Some(*retried),
        RunEvent::ListingEnded { stop_reason, complete, .. } => {
            report.stop_reason = Some(stop_reason.clone());
            report.complete = Some(complete.clone());
        }
        RunEvent::SchemaChanged { changes, .. } => report.schema_changes.clone_from(changes),
        RunEvent::Committed { commit, rows, files, checkpoint, .. } => {
            report.commit = Some(*commit);
            *settled = settled.and(*rows);
            report.rows = *settled;
            report.bytes.written += files.iter().map(|file| file.bytes).sum::<u64>();
            for file in files {
                change(&mut report.files, file);
            }
            report.checkpoint = Some(checkpoint.clone());
        }
        RunEvent::NothingChanged { rows, checkpoint, .. } => {
            *settled = settled.and(*rows);
            report.rows = *settled;
            report.checkpoint = Some(checkpoint.clone());
        }
        RunEvent::ResourceFinished { elapsed, error, .. } => {
            *is_finished = true;
            report.seconds = seconds(*elapsed);
            if let Some(error) = error {
                fail(report, error);
            }
        }
        _ => {}
    }
}

fn fail(report: &mut ResourceReport, error: &ErrorFacts) {
    report.status = status(Some(error.kind));
    report.complete.get_or_insert_with(|| not_complete(error));
    report.error = Some(error.clone());
}

/// Takes note of what happened to a file that an earlier commit of the run may have touched, too.
fn change(files: &mut Vec<FileChange>, file: &FileChange) {
    let Some(position) = files.iter().position(|known| known.path == file.path) else {
        files.push(file.clone());
        return;
    };
    let Some(known) = files.get_mut(position) else { return };
    let change = match (known.change, file.change) {
        (FileChangeKind::Added, FileChangeKind::Removed) => {
            files.remove(position);
            return;
        }
        (FileChangeKind::Added, _) => FileChangeKind::Added,
        (FileChangeKind::Removed, FileChangeKind::Added) => FileChangeKind::Replaced,
        (_, change) => change,
    };
    *known = FileChange { change, ..file.clone() };
}

/// Returns what is known of a listing that did not end well.
fn not_complete(error: &ErrorFacts) -> Completeness {
    let reason = if error.kind == ErrorKind::Incomplete {
        error.message.clone()
    } else {
        "the listing was not read to its end".to_owned()
    };
    Completeness { verdict: Verdict::False, reason }
}

fn status(error: Option<ErrorKind>) -> Status {
    match error {
        None => Status::Ok,
        Some(ErrorKind::Interrupted) => Status::Interrupted,
        Some(_) => Status::Failed,
    }
}

/// Returns seconds to the millisecond, which is what a reader of a report needs.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}
