//! From a validated pipeline to commits: the only module that knows every stage.
//!
//! The stages do not know each other; they hand on values. What happened is told as [`RunEvent`](crate::event::RunEvent)s, so nothing here
//! prints, logs or counts.

mod context;
mod read;
mod run;
mod shapes;
mod typing;
mod write;

use std::sync::Arc;

use crate::client::{Client, Components as ClientComponents};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::spec::{PipelineSpec, ResourceSpec, WriteDisposition};
use run::{Family, Stage, ends_the_run};

pub use context::{Components, RunOptions, Start};
pub use run::{Sample, infer_schema};

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
