//! `run --record` and `run --replay`: the world that a run takes place in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::args::RunArguments;
use crate::cassette::{Head, Recorder, Replay, ReplaySources, Scrubber, TrackingSources, spec_for_replay};
use crate::client::ReqwestTransport;
use crate::clock::{Clock as _, ManualClock, SystemClock};
use crate::config::{self, SystemSources};
use crate::environment::Environment;
use crate::error::Result;
use crate::facade::{Pipeline, Runner};
use crate::pipeline::Start;

/// Reads the pipeline file; a replay needs none of its secrets.
pub(super) fn load(arguments: &RunArguments) -> Result<Loaded> {
    let path = &arguments.pipeline;
    let environment = Environment::of_process();
    let beside = SystemSources::beside(path, &environment);
    if let Some(folder) = &arguments.replay {
        let replay = Replay::open(folder)?;
        let variables = replay.head().variables.clone();
        let sources = TrackingSources::new(ReplaySources::new(beside, variables));
        let spec = config::load_from(path, &sources)?;
        let scrubber = Scrubber::of(&spec);
        drop(sources.into_public(&scrubber));
        let pipeline = Pipeline::new(spec_for_replay(spec), &environment);
        return Ok(Loaded { pipeline, tape: Tape::Plays(Box::new(replay.hiding(scrubber))) });
    }
    let sources = TrackingSources::new(beside);
    let spec = config::load_from(path, &sources)?;
    let tape = if arguments.record.is_some() {
        let scrubber = Scrubber::of(&spec);
        let variables = sources.into_public(&scrubber);
        Tape::Records { scrubber, variables }
    } else {
        Tape::None
    };
    Ok(Loaded { pipeline: Pipeline::new(spec, &environment), tape })
}

/// A pipeline, and what is to be done about a cassette.
pub(super) struct Loaded {
    pub(super) pipeline: Pipeline,
    pub(super) tape: Tape,
}

pub(super) enum Tape {
    None,
    Records { scrubber: Scrubber, variables: BTreeMap<String, String> },
    Plays(Box<Replay>),
}

impl Tape {
    /// Gives the run its time, its network, and from where it begins.
    pub(super) async fn put_into(self, runner: Runner, arguments: &RunArguments) -> Result<Runner> {
        Ok(match self {
            Self::None => runner,
            Self::Records { scrubber, variables } => {
                let start = Start { now: SystemClock::new().now(), checkpoints: runner.checkpoints().await? };
                let head = Head {
                    version: Head::VERSION,
                    pipeline: runner.agreed().spec.name.clone(),
                    recorded_by: concat!("lakefeed ", env!("CARGO_PKG_VERSION")).to_owned(),
                    started_at: start.now,
                    variables,
                    checkpoints: start.checkpoints.clone(),
                };
                let folder = arguments.record.as_deref().unwrap_or_else(|| Path::new(""));
                let transport = Arc::new(ReqwestTransport::new(&runner.agreed().environment));
                runner.start(start).transport(Recorder::create(folder, &head, scrubber, transport)?)
            }
            Self::Plays(replay) => {
                let Head { started_at, checkpoints, .. } = replay.head().clone();
                // Waits are over at once.
                let clock = ManualClock::new(started_at);
                runner.start(Start { now: started_at, checkpoints }).clock(clock).transport(*replay)
            }
        })
    }
}
