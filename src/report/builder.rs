//! Folds events into a report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Bytes, ResourceReport, RunReport, Status};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::event::{ErrorFacts, FileChange, Observer, RowCounts, RunEvent};

/// Retries that a report lists; the others are counted.
const RETRIES_MAX: usize = 100;

/// Folds the events of one run into its report.
#[derive(Debug)]
pub struct ReportBuilder {
    run_id: String,
    pipeline: String,
    clock: Arc<dyn Clock>,
    started_at: DateTime<Utc>,
    started: Duration,
    resources: Mutex<Vec<ResourceReport>>,
}

impl ReportBuilder {
    /// A report that begins now.
    pub fn new(run_id: impl Into<String>, pipeline: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            run_id: run_id.into(),
            pipeline: pipeline.into(),
            started_at: clock.now(),
            started: clock.monotonic(),
            clock,
            resources: Mutex::default(),
        }
    }

    /// The report of a run that ended now, with `error` or well.
    pub fn finish(&self, error: Option<&Error>) -> RunReport {
        RunReport {
            run_id: self.run_id.clone(),
            pipeline: self.pipeline.clone(),
            status: status(error.map(Error::kind)),
            exit_code: error.map_or(0, |error| error.kind().exit_code()),
            error: error.map(ErrorFacts::from),
            started_at: self.started_at,
            seconds: seconds(self.clock.monotonic().saturating_sub(self.started)),
            resources: self.resources.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Observer for ReportBuilder {
    fn observe(&self, event: &RunEvent) {
        let mut resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        if let RunEvent::ResourceStarted { resource, table, .. } = event {
            resources.push(begin(resource, table));
            return;
        }
        if let Some(report) = resources.iter_mut().rev().find(|report| report.name == event.resource()) {
            apply(report, event);
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

fn apply(report: &mut ResourceReport, event: &RunEvent) {
    match event {
        RunEvent::ResourceStarted { .. }
        | RunEvent::TableAwaited { .. }
        | RunEvent::TokenFetched { .. }
        | RunEvent::RowsStaged { .. } => {}
        RunEvent::Recovered { commit, .. } => report.recovered_commit = Some(*commit),
        RunEvent::Resumed { pages, .. } => report.resumed_pages = *pages,
        // What was counted so far is read again.
        RunEvent::StartedAgain { .. } => {
            report.resumed_pages = 0;
            report.pages = 0;
            report.rows = RowCounts::default();
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
        RunEvent::ListingEnded { stop_reason, complete, .. } => {
            report.stop_reason = Some(stop_reason.clone());
            report.complete = Some(complete.clone());
        }
        RunEvent::SchemaChanged { changes, .. } => report.schema_changes.clone_from(changes),
        RunEvent::Committed { commit, rows, files, checkpoint, .. } => {
            report.commit = Some(*commit);
            report.rows = *rows;
            report.bytes.written = files.iter().map(|file: &FileChange| file.bytes).sum();
            report.files.clone_from(files);
            report.checkpoint = Some(checkpoint.clone());
        }
        RunEvent::NothingChanged { rows, checkpoint, .. } => {
            report.rows = *rows;
            report.checkpoint = Some(checkpoint.clone());
        }
        RunEvent::ResourceFinished { elapsed, error, .. } => {
            report.seconds = seconds(*elapsed);
            report.status = status(error.as_ref().map(|error| error.kind));
            report.error.clone_from(error);
        }
    }
}

fn status(error: Option<ErrorKind>) -> Status {
    match error {
        None => Status::Ok,
        Some(ErrorKind::Interrupted) => Status::Interrupted,
        Some(_) => Status::Failed,
    }
}

/// Seconds to the millisecond, which is what a reader of a report needs.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}
