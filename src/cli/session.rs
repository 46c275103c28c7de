//! What every run from the command line has: log lines, a progress bar, an end on signals.

use crate::event::ErrorFacts;
use crate::facade::Runner;
use crate::interrupt::Interrupt;
use crate::report::RunReport;
use crate::telemetry::LogObserver;

use super::logging::log_to_stderr;
use super::panics::with_place;
use super::printer::{Printer, environment};
use super::progress::ProgressObserver;

/// Sends log lines where they belong, unless a progress bar takes their place.
pub(super) fn start_logging(printer: Printer) {
    let filter = environment("LAKEFEED_LOG");
    if filter.is_some() || !printer.shows_progress() {
        log_to_stderr(printer.verbosity(), filter.as_deref(), printer.shows_colour());
    }
}

/// Runs what was chosen, and shows how it goes on.
pub(super) async fn run_to_its_end(runner: Runner, printer: Printer, interrupt: Interrupt) -> RunReport {
    let runner = runner.observer(LogObserver::default()).cancel(async move { interrupt.raised().await });
    let runner = if printer.shows_progress() { runner.observer(ProgressObserver::new()) } else { runner };
    let mut report = Box::pin(runner.run()).await;
    report.error = report.error.map(|error| ErrorFacts::from(&with_place(error.into())));
    report
}

/// Returns an interrupt that Ctrl-C or SIGTERM raises. A second Ctrl-C ends the process at once;
/// nothing is lost by that.
pub(super) fn interrupt_on_signals() -> Interrupt {
    let (switch, interrupt) = Interrupt::pair();
    tokio::spawn(async move {
        wait_for_signal().await;
        switch.raise();
        wait_for_signal().await;
        std::process::abort();
    });
    interrupt
}

async fn wait_for_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _pressed = tokio::signal::ctrl_c() => {}
                _asked = terminate.recv() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}
