//! What a run touches: what the caller chose, and usual components for the rest.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::agreed::Agreed;
use crate::client::{ReqwestTransport, Transport};
use crate::clock::{Clock, SystemClock};
#[cfg(feature = "cli")]
use crate::error::Error;
use crate::event::Observer;
use crate::interrupt::{Interrupt, InterruptSwitch};
use crate::pipeline::Components;
use crate::report::ReportBuilder;
#[cfg(feature = "cli")]
use crate::report::RunReport;
use crate::telemetry::Fan;

/// What the caller chose.
#[derive(Default)]
pub(super) struct World {
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    /// The wish to stop comes when it ends.
    pub(super) cancel: Option<BoxFuture<'static, ()>>,
}

/// A world that is complete, with a report that has begun.
pub(super) struct Begun {
    pub(super) components: Components,
    pub(super) report: Arc<ReportBuilder>,
    pub(super) stop: Stop,
}

/// The wish to stop, which comes from outside, and the switch that it raises.
pub(super) struct Stop {
    /// `None` once it has come.
    wish: Option<BoxFuture<'static, ()>>,
    switch: InterruptSwitch,
}

impl World {
    pub(super) fn begin(self, agreed: &Agreed, run_id: &str) -> Begun {
        let Self { transport, clock, mut observers, cancel } = self;
        let clock = clock.unwrap_or_else(SystemClock::shared);
        let report = Arc::new(ReportBuilder::new(run_id, &agreed.spec.name, Arc::clone(&clock)));
        observers.insert(0, Arc::<ReportBuilder>::clone(&report));
        let (switch, interrupt) = Interrupt::pair();
        let components = Components {
            transport: transport.unwrap_or_else(|| Arc::new(ReqwestTransport::new(&agreed.environment))),
            clock,
            observer: Arc::new(Fan::new(observers)),
            temporary_folder: agreed.environment.temporary_folder(),
            interrupt,
        };
        Begun { components, report, stop: Stop { wish: cancel, switch } }
    }
}

impl Stop {
    /// Waits for `work`, which is told when the wish comes and ends by itself.
    pub(super) async fn watch<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.poll_wish(context);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Raises the switch if the wish has come.
    pub(super) fn poll_wish(&mut self, context: &mut Context<'_>) {
        if self.wish.as_mut().is_some_and(|wish| wish.poll_unpin(context).is_ready()) {
            self.wish = None;
            self.switch.raise();
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("transport", &self.transport)
            .field("clock", &self.clock)
            .field("observers", &self.observers)
            .finish_non_exhaustive()
    }
}

/// Returns an id for a run: unique, and sortable by time (UUID version 7).
pub(super) fn new_run_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Returns the report of a run that could not begin.
#[cfg(feature = "cli")]
pub(crate) fn not_begun(pipeline: &str, error: &Error) -> RunReport {
    ReportBuilder::new(new_run_id(), pipeline, SystemClock::shared()).finish(Some(error))
}
