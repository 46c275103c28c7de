//! What the rooms of a run share: its options, what touches the world, and which resource it is
//! about.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::checkpoint::{Backfill, Checkpoint};
use crate::client::{Client, Components as ClientComponents, Transport};
use crate::clock::Clock;
use crate::event::{Observer, RunEvent};
use crate::interrupt::Interrupt;
use crate::lake::Lake;
use crate::spec::{Limits, PipelineSpec, ResourceSpec, WriteDisposition};

/// What is said about a run beside its pipeline.
#[derive(Debug, Clone)]
pub(crate) struct RunOptions {
    /// The run's id: unique, and sortable by time.
    pub run_id: String,
    /// Where the jitter of retries starts; where the run's id says, when `None`.
    pub jitter_seed: Option<u64>,
    /// Whether the tables are built anew from this run alone.
    pub full_refresh: bool,
    /// Whether rejects of earlier runs are tried again.
    pub retry_rejects: bool,
    /// A range to read instead of what the checkpoints say; they stay.
    pub backfill: Option<Backfill>,
    /// How long to wait for a table that another run holds; not at all when `None`.
    pub wait: Option<Duration>,
    /// From when and where the run is to begin; from now, and from what the tables say, when
    /// `None`.
    pub start: Option<Start>,
    /// Whether every request is sent, though a stopped run has kept pages, and none are kept: a
    /// recording is to be whole.
    pub asks_for_everything: bool,
}

/// From when and where a run begins, so that it can be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The time at which the last time window ends.
    pub now: DateTime<Utc>,
    /// From where each resource goes on, by its name; the others begin anew.
    pub checkpoints: BTreeMap<String, Checkpoint>,
}

/// What touches the world, injected.
#[derive(Debug, Clone)]
pub(crate) struct Components {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The only way to the API.
    pub transport: Arc<dyn Transport>,
    /// Hears every event.
    pub observer: Arc<dyn Observer>,
    /// Where what does not fit into memory waits.
    pub temporary_folder: PathBuf,
    /// The operator's wish to stop.
    pub interrupt: Interrupt,
}

impl RunOptions {
    /// Returns options by which everything is as usual.
    pub(crate) const fn of(run_id: String) -> Self {
        Self {
            run_id,
            jitter_seed: None,
            full_refresh: false,
            retry_rejects: false,
            backfill: None,
            wait: None,
            start: None,
            asks_for_everything: false,
        }
    }

    /// Returns the same run where nothing goes to a table, and what concerns tables plays no part.
    pub(crate) fn without_tables(&self, start: Option<Start>) -> Self {
        Self { jitter_seed: self.jitter_seed, start, ..Self::of(self.run_id.clone()) }
    }

    /// Runs that begin at the same time do not wait the same times (FNV-1a).
    fn jitter_seed(&self) -> u64 {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        self.jitter_seed.unwrap_or_else(|| self.run_id.bytes().fold(0xCBF2_9CE4_8422_2325, mix))
    }
}

/// One resource and everything that its run needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResourceRun<'a> {
    pub(crate) resource: &'a ResourceSpec,
    /// Whether its rows go to a table; otherwise it is read for its children only.
    pub(crate) has_table: bool,
    pub(crate) limits: &'a Limits,
    pub(crate) options: &'a RunOptions,
    /// The lake of the run; `None` where rows are handed out.
    pub(crate) lake: Option<&'a Lake>,
    pub(crate) client: &'a Arc<Client>,
    pub(crate) components: &'a Components,
}

impl<'a> ResourceRun<'a> {
    /// Returns the resource's name, for an event.
    pub(crate) fn name(&self) -> String {
        self.resource.name.clone()
    }

    /// Returns the lake in which the resource's table is; `None` where its rows go to no table.
    pub(crate) fn lake_of_table(&self) -> Option<&'a Lake> {
        self.lake.filter(|_| self.has_table)
    }

    /// Returns where its table is, or would be.
    pub(crate) fn table_url(&self) -> String {
        let name = &self.resource.table_name;
        self.lake.map_or_else(|| name.clone(), |lake| lake.table(name).url())
    }

    /// Tells the observer what happened.
    pub(crate) fn emit(&self, event: &RunEvent) {
        self.components.observer.observe(event);
    }

    /// Returns the time at which the run takes place.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.options.start.as_ref().map_or_else(|| self.components.clock.now(), |start| start.now)
    }

    /// Returns whether it goes on from elsewhere than what its table says, which may say anything.
    pub(crate) fn is_free(&self) -> bool {
        self.starts_anew() || self.options.start.is_some()
    }

    /// Returns whether the table becomes what this run reads, so that it must read everything.
    pub(crate) fn starts_anew(&self) -> bool {
        self.options.full_refresh || self.resource.write_disposition == WriteDisposition::Replace
    }
}

/// Returns the client of a pipeline's API.
pub(crate) fn client(spec: &PipelineSpec, options: &RunOptions, components: &Components) -> Client {
    Client::new(
        &spec.client,
        &spec.limits,
        ClientComponents {
            transport: Arc::clone(&components.transport),
            clock: Arc::clone(&components.clock),
            observer: Arc::clone(&components.observer),
            jitter_seed: options.jitter_seed(),
        },
    )
}
