//! Looking at some pages of a resource to propose a schema, without any table.

use std::sync::Arc;

use super::family::{lineage, slices};
use super::opening::resource_started;
use crate::decode::Inferrer;
use crate::error::{Error, Result};
use crate::pipeline::context::{Components, ResourceRun, RunOptions, client};
use crate::pipeline::read::{Pages, ParentRows, RecordTransform};
use crate::pipeline::shapes::shaped;
use crate::pipeline::typing::{self, SAMPLE_BYTES_MAX, SampleBounds};
use crate::schema::RecordSchema;
use crate::spec::{PipelineSpec, ResourceSpec};

/// What some pages of a resource show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The shape of the records.
    pub schema: RecordSchema,
    /// The paths of fields that were never anything but null; the schema lacks them.
    pub always_null: Vec<String>,
    /// Records that were looked at.
    pub records: u64,
    /// Pages that were read.
    pub pages: usize,
}

/// Reads `pages_max` pages of a resource at most and proposes a schema of its records. Where it
/// depends on another one, as many pages of that one are read first, and so on. Commits nothing,
/// and asks for nothing that a run would not.
///
/// # Errors
/// When the API fails, or there are no records, or none with fields.
pub(crate) async fn infer_schema(
    spec: &PipelineSpec,
    resource: &ResourceSpec,
    pages_max: usize,
    options: &RunOptions,
    components: &Components,
) -> Result<Sample> {
    let client = Arc::new(client(spec, options, components));
    let bounds = SampleBounds { pages: pages_max, bytes: SAMPLE_BYTES_MAX };
    let run_of = |resource| ResourceRun {
        resource,
        has_table: false,
        limits: &spec.limits,
        options,
        lake: None,
        client: &client,
        components,
    };
    let mut parents: Option<ParentRows> = None;
    let mut lineage = lineage(spec, resource).into_iter().peekable();
    while let Some(ancestor) = lineage.next_if(|ancestor| ancestor.name != resource.name) {
        let run = run_of(ancestor);
        let children = ParentRows::new(&run, lineage.peek().copied().into_iter());
        let (_, _, rows) = look(&run, parents.as_mut(), Some(children), bounds).await?;
        let rows = rows.filter(|rows| rows.len() > 0);
        parents = Some(rows.ok_or_else(|| without_records(ancestor))?);
    }
    let run = run_of(resource);
    let (inferrer, pages, _) = look(&run, parents.as_mut(), None, bounds).await?;
    let (always_null, records) = (inferrer.always_null(), inferrer.records());
    let schema = typing::finish(resource, inferrer)?.ok_or_else(|| without_records(resource))?;
    let schema = shaped(run.resource, schema);
    Ok(Sample { schema, always_null, records, pages })
}

/// Looks at pages of a resource, one listing for each of `parents` where it depends on them, and
/// collects for `children`. Returns how many pages they were, too.
async fn look(
    run: &ResourceRun<'_>,
    parents: Option<&mut ParentRows>,
    children: Option<ParentRows>,
    bounds: SampleBounds,
) -> Result<(Inferrer, usize, Option<ParentRows>)> {
    resource_started(run);
    let slices = slices(run, parents).await?;
    let cursor = slices.cursor();
    let mut pages = Pages::new(slices, run.client.concurrency(), None);
    let mut transform = RecordTransform::new(run.resource, None, cursor, children);
    let inferrer = typing::look(run, &mut pages, &mut transform, bounds).await?;
    Ok((inferrer, pages.sampled.len(), transform.into_parts().1))
}

fn without_records(resource: &ResourceSpec) -> Error {
    Error::schema(format!("resource {}: the pages that were read have no records", resource.name))
        .with_hint("check endpoint.data_selector and the parameters of the endpoint")
}
