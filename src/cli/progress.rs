//! The progress bar: a rendering of events for a terminal.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::event::{Observer, RunEvent};

const WITHOUT_TOTAL: &str = "{prefix} {spinner} {human_pos} rows, {rate}, {msg}";

/// Draws how far the current resource is: records, pages, bytes and rate.
#[derive(Debug)]
pub(super) struct ProgressObserver {
    bar: ProgressBar,
    totals: std::sync::Mutex<Totals>,
}

#[derive(Debug, Default)]
struct Totals {
    pages: u64,
    bytes: u64,
}

impl ProgressObserver {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        set_style(&bar, WITHOUT_TOTAL);
        Self { bar, totals: std::sync::Mutex::default() }
    }

    fn update(&self, records: u64, bytes: u64, total: Option<u64>) {
        let mut totals = self.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        totals.pages += 1;
        totals.bytes += bytes;
        if let Some(total) = total
            && self.bar.length() != Some(total)
        {
            self.bar.set_length(total);
            set_style(&self.bar, "{prefix} [{bar:24}] {human_pos}/{human_len} rows, {rate}, {msg}, {eta} left");
        }
        self.bar.inc(records);
        self.bar.set_message(format!("{} pages, {}", HumanCount(totals.pages), HumanBytes(totals.bytes)));
    }
}

impl Observer for ProgressObserver {
    fn observe(&self, event: &RunEvent) {
        match event {
            RunEvent::ResourceStarted { resource, .. } => {
                *self.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Totals::default();
                set_style(&self.bar, WITHOUT_TOTAL);
                self.bar.reset();
                self.bar.unset_length();
                self.bar.set_prefix(resource.clone());
                self.bar.set_message("waiting for the first page");
                self.bar.enable_steady_tick(Duration::from_millis(200));
            }
            RunEvent::PageRead { records, bytes, total, .. } => self.update(*records, *bytes, *total),
            RunEvent::RetryScheduled { retry, .. } => {
                self.bar.set_message(format!("{}: trying again in {:.0} s", retry.reason, retry.wait_seconds));
            }
            RunEvent::ListingEnded { .. } => self.bar.set_message("committing"),
            RunEvent::ResourceFinished { .. } => self.bar.finish_and_clear(),
            RunEvent::TableAwaited { reason, .. } => self.bar.set_message(format!("waiting: {reason}")),
            _ => {}
        }
    }
}

fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> ").with_key("rate", write_rate));
    }
}

/// Writes whole rows per second: fractions of a row only make the line flicker.
fn write_rate(state: &ProgressState, writer: &mut dyn std::fmt::Write) {
    // The bar's line is a String, to which writing cannot fail.
    let _infallible = write!(writer, "{:.0} rows/s", state.per_sec());
}
