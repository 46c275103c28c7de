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
use crate::error::Result;
use crate::lake::Lake;
use crate::pipeline::{RunOptions, Start};
use crate::spec::PipelineSpec;

/// The time and the network of a run.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) transport: Arc<dyn Transport>,
}

impl World {
    /// The real one.
    pub(super) fn real() -> Self {
        Self { clock: SystemClock::shared(), transport: Arc::new(ReqwestTransport::new()) }
    }
}

/// Reads the pipeline file; a replay needs none of its secrets.
pub(super) fn load(arguments: &RunArguments) -> Result<Loaded> {
    let path = &arguments.pipeline;
    if let Some(folder) = &arguments.replay {
        let replay = Replay::open(folder)?;
        let variables = replay.head().variables.clone();
        let sources = TrackingSources::new(ReplaySources::new(SystemSources::beside(path), variables));
        let spec = config::load_from(path, &sources)?;
        let scrubber = Scrubber::of(&spec);
        drop(sources.into_public(&scrubber));
        return Ok(Loaded { spec: spec_for_replay(spec), tape: Tape::Plays(Box::new(replay.hiding(scrubber))) });
    }
    let sources = TrackingSources::new(SystemSources::beside(path));
    let spec = config::load_from(path, &sources)?;
    let Some(_) = &arguments.record else { return Ok(Loaded { spec, tape: Tape::None }) };
    let scrubber = Scrubber::of(&spec);
    let variables = sources.into_public(&scrubber);
    Ok(Loaded { spec, tape: Tape::Records { scrubber, variables } })
}

/// A pipeline, and what is to be done about a cassette.
pub(super) struct Loaded {
    pub(super) spec: PipelineSpec,
    tape: Tape,
}

enum Tape {
    None,
    Records { scrubber: Scrubber, variables: BTreeMap<String, String> },
    Plays(Box<Replay>),
}

impl Loaded {
    /// The world of the run, and from where it begins.
    pub(super) async fn world(
        self,
        arguments: &RunArguments,
        options: &mut RunOptions,
    ) -> Result<(PipelineSpec, World)> {
        let Self { spec, tape } = self;
        let world = match tape {
            Tape::None => World::real(),
            Tape::Records { scrubber, variables } => {
                let World { clock, transport } = World::real();
                let checkpoints = checkpoints(&spec, options).await?;
                let start = Start { now: clock.now(), checkpoints };
                let head = Head {
                    version: Head::VERSION,
                    pipeline: spec.name.clone(),
                    recorded_by: concat!("lakefeed ", env!("CARGO_PKG_VERSION")).to_owned(),
                    started_at: start.now,
                    variables,
                    checkpoints: start.checkpoints.clone(),
                };
                options.start = Some(start);
                let folder = arguments.record.as_deref().unwrap_or_else(|| Path::new(""));
                World { clock, transport: Arc::new(Recorder::create(folder, &head, scrubber, transport)?) }
            }
            Tape::Plays(replay) => {
                let Head { started_at, checkpoints, .. } = replay.head().clone();
                options.start = Some(Start { now: started_at, checkpoints });
                // Waits are over at once.
                World { clock: Arc::new(ManualClock::new(started_at)), transport: Arc::new(*replay) }
            }
        };
        Ok((spec, world))
    }
}

/// What the tables say before the run.
async fn checkpoints(spec: &PipelineSpec, options: &RunOptions) -> Result<BTreeMap<String, Checkpoint>> {
    let mut found = BTreeMap::new();
    let Some(destination) = options.destination.as_ref().or(spec.destination.as_ref()) else { return Ok(found) };
    if options.full_refresh {
        return Ok(found);
    }
    let lake = Lake::open(destination)?;
    for resource in spec.resources.iter().filter(|resource| resource.selected) {
        if let Some(checkpoint) = lake.table(&resource.table_name).snapshot().await?.checkpoint {
            found.insert(resource.name.clone(), checkpoint);
        }
    }
    Ok(found)
}
