//! What every run of a pipeline from the command line needs: components, observers, signals, a report.

use std::sync::Arc;

use crate::error::{Error, catch_panic};
use crate::event::Observer;
use crate::interrupt::Interrupt;
use crate::pipeline::Components;
use crate::report::{ReportBuilder, RunReport};
use crate::telemetry::{Fan, LogObserver};

use super::cassette::{Job, World};
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

/// Runs a pipeline; returns its report and, when it failed, why.
pub(super) async fn run_pipeline(
    job: &Job,
    printer: Printer,
    interrupt: Interrupt,
    world: World,
) -> (RunReport, Option<Error>) {
    let run_id = new_run_id();
    let report = Arc::new(ReportBuilder::new(&run_id, &job.spec.name, Arc::clone(&world.clock)));
    let components = components(run_id, world, &report, printer, interrupt);
    let error = Box::pin(catch_panic(job.run(&components))).await.err().map(with_place);
    (report.finish(error.as_ref()), error)
}

fn components(
    run_id: String,
    world: World,
    report: &Arc<ReportBuilder>,
    printer: Printer,
    interrupt: Interrupt,
) -> Components {
    let mut observers: Vec<Arc<dyn Observer>> =
        vec![Arc::clone(report) as Arc<dyn Observer>, Arc::new(LogObserver::default())];
    if printer.shows_progress() {
        observers.push(Arc::new(ProgressObserver::new()));
    }
    let jitter_seed = run_id
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    let World { clock, transport } = world;
    Components { clock, transport, observer: Arc::new(Fan::new(observers)), run_id, interrupt, jitter_seed }
}

/// A run id: unique, and sortable by time (UUID version 7).
pub(super) fn new_run_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// An interrupt that Ctrl-C or SIGTERM raises. A second Ctrl-C ends the process at once; nothing is lost by that.
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
