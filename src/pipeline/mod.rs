//! From a validated pipeline to commits: the only module that knows every stage.
//!
//! The stages do not know each other; they hand on values. What happened is told as
//! [`RunEvent`](crate::event::RunEvent)s, so nothing here prints or logs.

mod context;
mod read;
mod run;
mod shapes;
mod sink;
mod typing;
mod write;

use std::sync::Arc;

use crate::error::{Error, Result, catch_panic};
use crate::lake::Lake;
use crate::spec::{PipelineSpec, ResourceSpec};
use context::client;
use run::{Family, Stage, ends_the_run, refuse_idle_backfill, refuse_parents_without_children};

pub(crate) use context::{Components, RunOptions, Start};
pub(crate) use run::{ReadStream, choose, read_batches};
#[cfg(feature = "cli")]
pub(crate) use run::{Sample, infer_schema, refuse_unplannable};
pub(crate) use write::ReadItem;

/// Runs `resources` into `lake`, one after the other, in the order of the file.
///
/// A resource that fails leaves its table as it was and does not keep the others from running,
/// unless the operator stopped the run.
///
/// # Errors
/// The worst error of the resources that failed, see
/// [`ErrorKind::WORST_FIRST`](crate::error::ErrorKind::WORST_FIRST), and of equally bad ones the
/// first; the observer has heard of all. [`ErrorKind::Defect`](crate::error::ErrorKind::Defect)
/// when lakefeed panicked.
pub(crate) async fn run(
    spec: &PipelineSpec,
    resources: &[&ResourceSpec],
    options: &RunOptions,
    lake: &Lake,
    components: &Components,
) -> Result<()> {
    refuse_idle_backfill(resources, options)?;
    refuse_parents_without_children(spec, resources, options)?;
    let client = Arc::new(client(spec, options, components));
    // One clock for all: what the run and its tables say of times can be compared.
    let lake = &lake.clone().with_clock(Arc::clone(&components.clock));
    let stage = Stage { spec, chosen: resources, options, lake, client: &client, components };
    let roots = spec.resources.iter().filter(|resource| resource.parent.is_none());
    let mut worst = None;
    for family in roots.filter_map(|root| Family::of(root, &stage)) {
        let Err(error) = catch_panic(family.run()).await else { continue };
        let ends = ends_the_run(&error);
        if worst.as_ref().is_none_or(|worst: &Error| error.is_worse_than(worst)) {
            worst = Some(error);
        }
        if ends {
            break;
        }
    }
    worst.map_or(Ok(()), Err)
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
