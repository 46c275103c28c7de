//! Which resources a run is about, and what is refused before anything is asked for.

use crate::error::{Error, Result};
use crate::pipeline::context::RunOptions;
use crate::spec::{PipelineSpec, ResourceSpec, WriteDisposition};

/// Refuses a range that a resource could not follow, or that would be all of its table.
pub(crate) fn refuse_idle_backfill(resources: &[&ResourceSpec], options: &RunOptions) -> Result<()> {
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

/// Refuses a choice of resources: a cursor that moves while resources that depend on its records
/// are left out would pass over those for good.
pub(crate) fn refuse_parents_without_children(
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

/// Refuses resources whose first run could not be planned.
#[cfg(feature = "cli")]
pub(crate) fn refuse_unplannable(spec: &PipelineSpec, now: chrono::DateTime<chrono::Utc>) -> Result<()> {
    let mut alone = spec.resources.iter().filter(|resource| resource.parent.is_none());
    alone.try_for_each(|resource| crate::plan::Plan::of(resource, None, None)?.in_windows(now).map(drop))
}

/// Returns the resources of `names` in the order of the file; all of them when there are no names.
///
/// # Errors
/// When a name is unknown: the error lists the ones there are.
pub(crate) fn choose<'a>(spec: &'a PipelineSpec, names: &[String]) -> Result<Vec<&'a ResourceSpec>> {
    let known = || spec.resources.iter().map(|resource| resource.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = names.iter().find(|name| spec.resources.iter().all(|resource| resource.name != **name)) {
        return Err(Error::config(format!("pipeline {} has no resource {unknown:?}", spec.name))
            .with_hint(format!("its resources are: {}", known())));
    }
    Ok(spec.resources.iter().filter(|resource| names.is_empty() || names.contains(&resource.name)).collect())
}
