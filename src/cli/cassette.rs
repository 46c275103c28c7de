//! `run --record` and `run --replay`: the world that a run takes place in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::args::RunArguments;
use crate::cassette::{Head, Recorder, Replay, ReplaySources, Scrubber, TrackingSources, spec_for_replay};
use crate::checkpoint::Checkpoint;
use crate::client::{ReqwestTransport, Transport};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::{self, SystemSources};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::pipeline::{self, Components, RunOptions, Start};
use crate::spec::{DestinationSpec, PipelineSpec};

/// What is run, and into which lake.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) spec: PipelineSpec,
    /// The resources to run; empty for all.
    pub(super) resources: Vec<String>,
    /// Where the lake is; the pipeline's own destination when `None`.
    pub(super) destination: Option<DestinationSpec>,
    pub(super) options: RunOptions,
}

impl Job {
    /// Runs all of a pipeline.
    #[cfg(feature = "demo")]
    pub(super) fn of(spec: PipelineSpec) -> Self {
        Self { spec, resources: Vec::new(), destination: None, options: RunOptions::default() }
    }

    pub(super) async fn run(&self, components: &Components) -> Result<()> {
        let resources = pipeline::choose(&self.spec, &self.resources)?;
        let destination = self.destination.as_ref().or(self.spec.destination.as_ref()).ok_or_else(|| {
            Error::config(format!("pipeline {} has no destination", self.spec.name))
                .with_hint("add `destination: {url: ./lake}` to the pipeline file, or give --destination URL")
        })?;
        let lake = Lake::open(destination, &Environment::of_process())?;
        pipeline::run(&self.spec, &resources, &self.options, &lake, components).await
    }
}

/// The time and the network of a run.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) transport: Arc<dyn Transport>,
}

impl World {
    /// The real one.
    pub(super) fn real() -> Self {
        Self { clock: SystemClock::shared(), transport: Arc::new(ReqwestTransport::new(&Environment::of_process())) }
    }
}

/// Reads the pipeline file; a replay needs none of its secrets.
pub(super) fn load(arguments: &RunArguments) -> Result<Loaded> {
    let path = &arguments.pipeline;
    let beside = SystemSources::beside(path, &Environment::of_process());
    if let Some(folder) = &arguments.replay {
        let replay = Replay::open(folder)?;
        let variables = replay.head().variables.clone();
        let sources = TrackingSources::new(ReplaySources::new(beside, variables));
        let spec = config::load_from(path, &sources)?;
        let scrubber = Scrubber::of(&spec);
        drop(sources.into_public(&scrubber));
        return Ok(Loaded { spec: spec_for_replay(spec), tape: Tape::Plays(Box::new(replay.hiding(scrubber))) });
    }
    let sources = TrackingSources::new(beside);
    let spec = config::load_from(path, &sources)?;
    let Some(_) = &arguments.record else { return Ok(Loaded { spec, tape: Tape::None }) };
    let scrubber = Scrubber::of(&spec);
    let variables = sources.into_public(&scrubber);
    Ok(Loaded { spec, tape: Tape::Records { scrubber, variables } })
}

/// A pipeline, and what is to be done about a cassette.
pub(super) struct Loaded {
    pub(super) spec: PipelineSpec,
    pub(super) tape: Tape,
}

pub(super) enum Tape {
    None,
    Records { scrubber: Scrubber, variables: BTreeMap<String, String> },
    Plays(Box<Replay>),
}

impl Tape {
    /// The world of the run; from where it begins is put into `job`.
    pub(super) async fn world(self, arguments: &RunArguments, job: &mut Job) -> Result<World> {
        Ok(match self {
            Self::None => World::real(),
            Self::Records { scrubber, variables } => {
                let World { clock, transport } = World::real();
                let checkpoints = checkpoints(job).await?;
                let start = Start { now: clock.now(), checkpoints };
                let head = Head {
                    version: Head::VERSION,
                    pipeline: job.spec.name.clone(),
                    recorded_by: concat!("lakefeed ", env!("CARGO_PKG_VERSION")).to_owned(),
                    started_at: start.now,
                    variables,
                    checkpoints: start.checkpoints.clone(),
                };
                job.options.start = Some(start);
                let folder = arguments.record.as_deref().unwrap_or_else(|| Path::new(""));
                World { clock, transport: Arc::new(Recorder::create(folder, &head, scrubber, transport)?) }
            }
            Self::Plays(replay) => {
                let Head { started_at, checkpoints, .. } = replay.head().clone();
                job.options.start = Some(Start { now: started_at, checkpoints });
                // Waits are over at once.
                World { clock: Arc::new(ManualClock::new(started_at)), transport: Arc::new(*replay) }
            }
        })
    }
}

/// What the tables say before the run.
async fn checkpoints(job: &Job) -> Result<BTreeMap<String, Checkpoint>> {
    let mut found = BTreeMap::new();
    let Some(destination) = job.destination.as_ref().or(job.spec.destination.as_ref()) else { return Ok(found) };
    if job.options.full_refresh {
        return Ok(found);
    }
    let lake = Lake::open(destination, &Environment::of_process())?;
    for resource in job.spec.resources.iter().filter(|resource| resource.selected) {
        if let Some(checkpoint) = lake.table(&resource.table_name).snapshot().await?.checkpoint {
            found.insert(resource.name.clone(), checkpoint);
        }
    }
    Ok(found)
}
