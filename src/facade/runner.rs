//! A run that is being chosen.

#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::path::Path;

use super::agreed::Agreed;
use super::world::{Begun, World, new_run_id};
use super::{Lake, Reader};
use crate::checkpoint::Backfill;
#[cfg(feature = "cli")]
use crate::checkpoint::Checkpoint;
use crate::client::Transport;
use crate::clock::Clock;
use crate::error::{Error, Result, catch_panic};
use crate::event::Observer;
use crate::pipeline::{self, Components, RunOptions};
#[cfg(feature = "cli")]
use crate::pipeline::{Sample, Start};
use crate::report::RunReport;
#[cfg(feature = "cli")]
use crate::spec::ResourceSpec;
use crate::spec::{CountOrShare, CursorValue, DestinationSpec};

/// A run of a [`Pipeline`](crate::Pipeline), to be chosen and begun.
///
/// What is not chosen is as for the command: real sockets, the clock of the machine, all resources,
/// the lake that the pipeline file names.
#[derive(Debug)]
#[must_use = "a run begins with `run`"]
pub struct Runner {
    agreed: Agreed,
    place: Place,
    resources: Vec<String>,
    options: RunOptions,
    world: World,
}

/// Where the lake is.
#[derive(Debug)]
enum Place {
    OfPipeline,
    At(String),
    In(crate::lake::Lake),
}

impl Runner {
    pub(super) fn new(agreed: Agreed) -> Self {
        Self {
            agreed,
            place: Place::OfPipeline,
            resources: Vec::new(),
            options: RunOptions::of(new_run_id()),
            world: World::default(),
        }
    }

    /// Sends requests through `transport` instead of over sockets.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.world.transport = Some(Arc::new(transport));
        self
    }

    /// Takes the time from `clock`, and waits on it.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.world.clock = Some(Arc::new(clock));
        self
    }

    /// Tells `observer` every event. Each call adds one; they hear in the order of the calls.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.world.observers.push(Arc::new(observer));
        self
    }

    /// Stops the run when `wish` ends: a `CancellationToken`'s `cancelled_owned()`, a signal, a
    /// timer. The run ends by itself then, with
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted); a commit that has begun is
    /// finished first.
    pub fn cancel<T>(mut self, wish: impl Future<Output = T> + Send + 'static) -> Self {
        self.world.cancel = Some(Box::pin(async move { drop(wish.await) }));
        self
    }

    /// Names the run by letters, digits, `-` and `_`, unique and sortable by time. A UUID of
    /// version 7 where it is not called.
    pub fn run_id(mut self, run_id: impl Into<String>) -> Self {
        self.options.run_id = run_id.into();
        self
    }

    /// Draws the jitter of retries from `seed`. From the run's id where it is not called.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.options.jitter_seed = Some(seed);
        self
    }

    /// Fills the lake below `prefix` of `store`. Writers keep apart by leases in the store, so it
    /// must create an object only where there is none.
    pub fn store(self, store: Arc<dyn ObjectStore>, prefix: impl Into<Path>) -> Self {
        self.lake(&Lake::in_store(store, prefix))
    }

    /// Fills `lake`.
    pub fn lake(mut self, lake: &Lake) -> Self {
        self.place = Place::In(lake.inner().clone());
        self
    }

    /// Fills the lake at a path or URL. An endpoint and a region of the pipeline file hold for
    /// another bucket, too.
    pub fn destination(mut self, url: impl Into<String>) -> Self {
        self.place = Place::At(url.into());
        self
    }

    /// Runs only these resources.
    pub fn only(mut self, resources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.resources = resources.into_iter().map(Into::into).collect();
        self
    }

    /// Builds the tables anew from this run alone.
    pub fn full_refresh(mut self) -> Self {
        self.options.full_refresh = true;
        self
    }

    /// Tries the rejects of earlier runs again.
    pub fn retry_rejects(mut self) -> Self {
        self.options.retry_rejects = true;
        self
    }

    /// Lets tables lose more rows than `limits.shrink_max` says, this once.
    pub fn allow_shrink(mut self) -> Self {
        Arc::make_mut(&mut self.agreed.spec).limits.shrink_max = Some(CountOrShare::WHOLE);
        self
    }

    /// Reads what lies between two values of the cursor instead of going on from the checkpoints,
    /// which stay as they are. What is a number is compared as one.
    pub fn range(mut self, from: Option<&str>, to: Option<&str>) -> Self {
        let range = Backfill { from: from.map(cursor_value), to: to.map(cursor_value) };
        self.options.backfill = (range != Backfill::default()).then_some(range);
        self
    }

    /// Waits as long as `limit` for a table that another run holds; not at all where it is not
    /// called.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.options.wait = Some(limit);
        self
    }

    #[cfg(feature = "cli")]
    pub(crate) fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Begins at that time and from these checkpoints, whatever the clock and the tables say, and
    /// asks for everything from there.
    #[cfg(feature = "cli")]
    pub(crate) fn start(mut self, start: Start) -> Self {
        self.options = RunOptions { start: Some(start), asks_for_everything: true, ..self.options };
        self
    }

    /// Runs the resources one after the other. One that fails leaves its table as it was and does
    /// not keep the others from running, unless the run was stopped.
    ///
    /// Returns when the run has ended, well or badly: [`RunReport::error`] has the worst error of
    /// the resources that failed, or says what kept the run from beginning.
    pub async fn run(self) -> RunReport {
        let Self { agreed, place, resources, options, world } = self;
        let Begun { components, report, stop } = world.begin(&agreed, &options.run_id);
        let run = run(&agreed, &place, &resources, &options, &components);
        let outcome = Box::pin(stop.watch(catch_panic(run))).await;
        report.finish(outcome.err().as_ref())
    }

    /// Reads one resource into Arrow batches, without a table, with the transport, clock and
    /// observers of this run. What concerns tables plays no part.
    pub fn reader(self, resource: &str) -> Reader {
        Reader::new(self.agreed, self.world, self.options, resource)
    }

    /// Looks at `pages` pages of a resource at most, to propose a schema of its records.
    #[cfg(feature = "cli")]
    pub(crate) async fn sample(self, resource: &ResourceSpec, pages: usize) -> Result<Sample> {
        let Self { agreed, world, options, .. } = self;
        let Begun { components, stop, .. } = world.begin(&agreed, &options.run_id);
        let options = options.without_tables(None);
        Box::pin(stop.watch(pipeline::infer_schema(&agreed.spec, resource, pages, &options, &components))).await
    }

    /// Returns from where each resource would go on.
    #[cfg(feature = "cli")]
    pub(crate) async fn checkpoints(&self) -> Result<BTreeMap<String, Checkpoint>> {
        let mut found = BTreeMap::new();
        if self.options.full_refresh {
            return Ok(found);
        }
        let lake = self.place.open(&self.agreed)?;
        for resource in self.agreed.spec.resources.iter().filter(|resource| resource.selected) {
            if let Some(checkpoint) = lake.table(&resource.table_name).snapshot().await?.checkpoint {
                found.insert(resource.name.clone(), checkpoint);
            }
        }
        Ok(found)
    }
}

async fn run(
    agreed: &Agreed,
    place: &Place,
    resources: &[String],
    options: &RunOptions,
    components: &Components,
) -> Result<()> {
    let chosen = pipeline::choose(&agreed.spec, resources)?;
    let lake = place.open(agreed)?;
    pipeline::run(&agreed.spec, &chosen, options, &lake, components).await
}

impl Place {
    fn open(&self, agreed: &Agreed) -> Result<crate::lake::Lake> {
        let spec = &agreed.spec;
        let destination = match (self, &spec.destination) {
            (Self::In(lake), _) => return Ok(lake.clone()),
            (Self::At(url), Some(destination)) => DestinationSpec { url: url.clone(), ..destination.clone() },
            (Self::At(url), None) => DestinationSpec::at(url),
            (Self::OfPipeline, Some(destination)) => destination.clone(),
            (Self::OfPipeline, None) => {
                return Err(Error::config(format!("pipeline {} has no destination", spec.name))
                    .with_hint("add `destination: {url: ./lake}` to the pipeline file, or give --destination URL"));
            }
        };
        crate::lake::Lake::open(&destination, &agreed.environment)
    }
}

fn cursor_value(text: &str) -> CursorValue {
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    if is_number { CursorValue::Number(text.to_owned()) } else { CursorValue::Text(text.to_owned()) }
}
