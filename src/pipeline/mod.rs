//! From a validated pipeline to commits: the only module that knows every stage.
//!
//! The stages do not know each other; they hand on values. What happened is told as [`RunEvent`](crate::event::RunEvent)s, so nothing here
//! prints, logs or counts.

mod child_tables;
mod drift;
mod family;
mod flow;
mod gate;
mod inference;
mod opening;
mod overhang;
mod pages;
mod parents;
mod resource;
mod resume;
mod retry;
mod sampling;
mod shaping;
mod typing;
mod versions;
mod waiting;
mod writers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::client::{Client, Components as ClientComponents, Transport};
use crate::clock::Clock;
use family::{Family, Stage, ends_the_run};

pub use sampling::{Sample, infer_schema};

use crate::checkpoint::{Backfill, Checkpoint};
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::interrupt::Interrupt;
use crate::lake::Lake;
use crate::spec::{DestinationSpec, PipelineSpec, ResourceSpec, WriteDisposition};

/// What the command line may say about a run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The resources to run; empty for all.
    pub resources: Vec<String>,
    /// Where the lake is; the pipeline's own destination when `None`.
    pub destination: Option<DestinationSpec>,
    /// Whether the tables are built anew from this run alone.
    pub full_refresh: bool,
    /// Whether rejects of earlier runs are tried again.
    pub retry_rejects: bool,
    /// A range to read instead of what the checkpoints say; they stay.
    pub backfill: Option<Backfill>,
    /// How long to wait for a table that another run holds; not at all when `None`.
    pub wait: Option<Duration>,
    /// From when and where the run is to begin; from now, and from what the tables say, when `None`.
    pub start: Option<Start>,
}

/// From when and where a run begins, so that it can be repeated.
#[derive(Debug, Clone)]
pub struct Start {
    /// The time at which the last time window ends.
    pub now: DateTime<Utc>,
    /// From where each resource goes on, by its name; the others begin anew.
    pub checkpoints: BTreeMap<String, Checkpoint>,
}

/// What touches the world, injected.
#[derive(Debug, Clone)]
pub struct Components {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The only way to the API.
    pub transport: Arc<dyn Transport>,
    /// Hears every event.
    pub observer: Arc<dyn Observer>,
    /// This run's id: unique, and sortable by time.
    pub run_id: String,
    /// The operator's wish to stop.
    pub interrupt: Interrupt,
    /// Where the jitter of retries starts.
    pub jitter_seed: u64,
}

/// Runs the chosen resources one after the other, in the order of the file.
///
/// A resource that fails leaves its table as it was and does not keep the others from running, unless the operator
/// stopped the run.
///
/// # Errors
/// The error of the first resource that failed; the observer has heard of all.
pub async fn run(spec: &PipelineSpec, options: &RunOptions, components: &Components) -> Result<()> {
    let resources = choose(spec, &options.resources)?;
    let destination = options.destination.as_ref().or(spec.destination.as_ref()).ok_or_else(|| {
        Error::config(format!("pipeline {} has no destination", spec.name))
            .with_hint("add `destination: {url: ./lake}` to the pipeline file, or give --destination URL")
    })?;
    let lake = Lake::open(destination)?;
    run_in(spec, &resources, options, &lake, components).await
}

/// Runs `resources` into a lake that is already open: what [`run`] does once it knows where to go. Simulations and tests
/// call it with a store of their own. Of `options`, resources and destination play no part any more.
///
/// # Errors
/// As [`run`].
pub async fn run_in(
    spec: &PipelineSpec,
    resources: &[&ResourceSpec],
    options: &RunOptions,
    lake: &Lake,
    components: &Components,
) -> Result<()> {
    refuse_idle_backfill(resources, options)?;
    refuse_parents_without_children(spec, resources, options)?;
    let client = Arc::new(client(spec, components));
    let stage = Stage { spec, chosen: resources, options, lake, client: &client, components };
    let roots = spec.resources.iter().filter(|resource| resource.parent.is_none());
    let mut first_error = None;
    for family in roots.filter_map(|root| Family::of(root, &stage)) {
        let Err(error) = family.run().await else { continue };
        let ends = ends_the_run(&error);
        first_error.get_or_insert(error);
        if ends {
            break;
        }
    }
    first_error.map_or(Ok(()), Err)
}

fn client(spec: &PipelineSpec, components: &Components) -> Client {
    Client::new(
        &spec.client,
        &spec.limits,
        ClientComponents {
            transport: Arc::clone(&components.transport),
            clock: Arc::clone(&components.clock),
            observer: Arc::clone(&components.observer),
            jitter_seed: components.jitter_seed,
        },
    )
}

fn refuse_idle_backfill(resources: &[&ResourceSpec], options: &RunOptions) -> Result<()> {
    if options.backfill.is_none() {
        return Ok(());
    }
    let without: Vec<&str> = resources
        .iter()
        .filter(|resource| resource.endpoint.incremental.is_none())
        .map(|resource| resource.name.as_str())
        .collect();
    if !without.is_empty() {
        return Err(Error::config(format!(
            "a range was given, but these resources have no cursor: {}",
            without.join(", ")
        ))
        .with_hint("name those that have one with --resource, or give them endpoint.incremental"));
    }
    match resources.iter().find(|resource| resource.write_disposition == WriteDisposition::Replace) {
        None => Ok(()),
        Some(replaced) => Err(Error::config(format!(
            "a range was given, but resource {} is replaced: its table would hold nothing else",
            replaced.name
        ))
        .with_hint("use write_disposition: merge or append, or leave the resource out with --resource")),
    }
}

/// A cursor that moves while resources that depend on its records are left out would pass over those for good.
fn refuse_parents_without_children(
    spec: &PipelineSpec,
    resources: &[&ResourceSpec],
    options: &RunOptions,
) -> Result<()> {
    let is_chosen = |name: &str| resources.iter().any(|resource| resource.name == name);
    let keeps_cursor = |resource: &ResourceSpec| {
        let starts_anew = options.full_refresh || resource.write_disposition == WriteDisposition::Replace;
        resource.selected && is_chosen(&resource.name) && resource.endpoint.incremental.is_some() && !starts_anew
    };
    for resource in spec.resources.iter().filter(|resource| keeps_cursor(resource)) {
        let is_child =
            |other: &&ResourceSpec| other.parent.as_ref().is_some_and(|parent| parent.resource == resource.name);
        if let Some(child) = spec.resources.iter().filter(is_child).find(|child| !is_chosen(&child.name)) {
            let (parent, child) = (&resource.name, &child.name);
            return Err(Error::config(format!(
                "resource {parent} has a cursor, and {child} depends on its records: without {child}, what it needs of them would be passed over for good"
            ))
            .with_hint(format!("add --resource {child}, or name {child} alone")));
        }
    }
    Ok(())
}

/// The resources of `names` in the order of the file; all of them when there are no names.
///
/// # Errors
/// When a name is unknown: the error lists the ones there are.
pub fn choose<'a>(spec: &'a PipelineSpec, names: &[String]) -> Result<Vec<&'a ResourceSpec>> {
    let known = || spec.resources.iter().map(|resource| resource.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = names.iter().find(|name| spec.resources.iter().all(|resource| resource.name != **name)) {
        return Err(Error::config(format!("pipeline {} has no resource {unknown:?}", spec.name))
            .with_hint(format!("its resources are: {}", known())));
    }
    Ok(spec.resources.iter().filter(|resource| names.is_empty() || names.contains(&resource.name)).collect())
}
