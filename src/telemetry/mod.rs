//! Log lines: a rendering of events for pipes, files and schedulers. One line per fact,
//! `key=value`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::{Completeness, Observer, RetriedRejects, RowCounts, RunEvent, Verdict};

/// Pages between two lines about progress.
const PAGES_BETWEEN_LINES: u64 = 500;

/// Writes events as log lines.
#[derive(Debug, Default)]
pub struct LogObserver {
    records: AtomicU64,
}

impl Observer for LogObserver {
    fn observe(&self, event: &RunEvent) {
        match event {
            RunEvent::ResourceStarted { resource, table, disposition } => {
                self.records.store(0, Ordering::Relaxed);
                tracing::info!(resource, table, %disposition, "resource started");
            }
            RunEvent::TableAwaited { resource, reason, waited, limit } => {
                let (waited, limit) = (waited.as_secs(), limit.as_secs());
                tracing::warn!(resource, reason, waited, limit, "waiting for the table");
            }
            RunEvent::Recovered { resource, commit } => {
                tracing::warn!(resource, commit, "finished the commit of a run that was killed");
            }
            RunEvent::Resumed { resource, pages } => {
                tracing::info!(resource, pages, "going on from the pages of a run that was stopped");
            }
            RunEvent::StartedAgain { resource, reason } => {
                tracing::warn!(resource, reason, "starting again: the pages of a run that was stopped do not hold");
            }
            RunEvent::RequestSent { resource } => tracing::debug!(resource, "request sent"),
            RunEvent::TokenFetched { resource, lifetime } => {
                tracing::info!(resource, lifetime_seconds = lifetime.as_secs(), "token fetched");
            }
            RunEvent::RetryScheduled { resource, retry } => {
                tracing::warn!(resource, wait_seconds = retry.wait_seconds, reason = retry.reason, "trying again");
            }
            RunEvent::PageRead { resource, page, records, rejected, bytes, total } => {
                let read = self.records.fetch_add(*records, Ordering::Relaxed) + records;
                tracing::debug!(resource, page, records, rejected, bytes, "page read");
                if *page > 0 && page.is_multiple_of(PAGES_BETWEEN_LINES) {
                    tracing::info!(resource, pages = page, records = read, total, "reading");
                }
            }
            RunEvent::RecordsRefused { resource, by_reason } => {
                for (code, records) in by_reason {
                    tracing::debug!(resource, records, reason = code.as_str(), "records refused");
                }
            }
            RunEvent::RecordsSetAside { resource, records, rejected, look } => {
                tracing::warn!(resource, rejected, of = records, look, "records were refused");
            }
            RunEvent::ValuesDiscarded { resource, values } => tracing::debug!(resource, values, "values discarded"),
            RunEvent::RejectsRetried { resource, retried } => {
                let RetriedRejects { tried, accepted, refused, .. } = retried;
                tracing::info!(resource, tried, accepted, refused, "rejects of earlier runs tried again");
            }
            RunEvent::ListingEnded { resource, stop_reason, complete } => {
                listing_ended(resource, self.records.load(Ordering::Relaxed), stop_reason, complete);
            }
            RunEvent::SchemaChanged { resource, changes } => {
                tracing::info!(resource, changes = changes.join("; "), "schema changed");
            }
            RunEvent::RowsStaged { resource, rows } => tracing::debug!(resource, rows, "rows staged"),
            RunEvent::Committed { resource, commit, rows, files, .. } => {
                committed(resource, *commit, rows, files.len());
            }
            RunEvent::NothingChanged { resource, rows, .. } => {
                tracing::info!(resource, unchanged = rows.unchanged, rejected = rows.rejected, "nothing changed");
            }
            RunEvent::ResourceFinished { resource, elapsed, error } => {
                let seconds = elapsed.as_secs_f64();
                match error {
                    None => tracing::info!(resource, seconds, "resource finished"),
                    Some(error) => tracing::warn!(resource, seconds, kind = %error.kind, "resource failed"),
                }
            }
            _ => tracing::debug!(?event),
        }
    }
}

fn listing_ended(resource: &str, records: u64, stop_reason: &str, complete: &Completeness) {
    // What was configured to end early needs no warning.
    let is_chosen = ["single_page", "maximum_reached", "ignored"].contains(&stop_reason);
    let Completeness { verdict, reason } = complete;
    if *verdict == Verdict::Unknown && !is_chosen {
        tracing::warn!(resource, records, stop_reason, complete = reason, "listing ended, and may not be whole");
    } else {
        tracing::info!(resource, records, stop_reason, complete = reason, "listing ended");
    }
}

fn committed(resource: &str, commit: u64, rows: &RowCounts, files: usize) {
    let RowCounts { inserted, updated, moved, unchanged, deleted, rejected, duplicate, .. } = *rows;
    tracing::info!(
        resource,
        commit,
        inserted,
        updated,
        moved,
        unchanged,
        deleted,
        rejected,
        duplicate,
        files,
        "committed"
    );
}

/// Hands every event on to several observers.
#[derive(Debug)]
pub(crate) struct Fan {
    observers: Vec<Arc<dyn Observer>>,
}

impl Fan {
    /// Returns a fan to `observers`, in that order.
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self { observers }
    }
}

impl Observer for Fan {
    fn observe(&self, event: &RunEvent) {
        for observer in &self.observers {
            observer.observe(event);
        }
    }
}
