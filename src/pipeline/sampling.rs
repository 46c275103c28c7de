//! Looking at some pages of a resource to propose a schema, without any table.

use std::sync::Arc;

use object_store::memory::InMemory;

use super::gate::Gate;
use super::inference::{self, SAMPLE_BYTES_MAX, SampleBounds};
use super::pages::{Pages, Slices};
use super::resource::ResourceRun;
use super::{Components, RunOptions};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::schema::RecordSchema;
use crate::spec::{PipelineSpec, ResourceSpec};

/// What some pages of a resource show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The shape of the records.
    pub schema: RecordSchema,
    /// The paths of fields that were never anything but null; the schema lacks them.
    pub always_null: Vec<String>,
    /// Records that were looked at.
    pub records: u64,
    /// Pages that were read.
    pub pages: usize,
}

/// Reads `pages_max` pages of a resource at most and proposes a schema of its records. Commits nothing, and asks for nothing that a run would not.
///
/// # Errors
/// When the API fails, the resource depends on another one, or its records have no fields.
pub async fn infer_schema(
    spec: &PipelineSpec,
    resource: &ResourceSpec,
    pages_max: usize,
    components: &Components,
) -> Result<Sample> {
    if let Some(parent) = &resource.parent {
        return Err(Error::config(format!("resource {} depends on {}", resource.name, parent.resource))
            .with_hint("run the pipeline, which infers its schema, and print that with `lakefeed schema show LAKE TABLE --output json`"));
    }
    let client = Arc::new(super::client(spec, components));
    let lake = Lake::with_store(Arc::new(InMemory::new()), object_store::path::Path::ROOT, String::new());
    let options = RunOptions::default();
    let run = ResourceRun {
        resource,
        has_table: false,
        limits: &spec.limits,
        options: &options,
        lake: &lake,
        client: &client,
        components,
    };
    run.started();
    let cursor = run.cursor().await?;
    let mut pages = Pages::new(Slices::One { is_taken: false }, cursor.clone(), client.concurrency(), None);
    let gate = Gate::new(resource, None, cursor, None);
    let inferrer =
        inference::look(&run, &mut pages, gate, SampleBounds { pages: pages_max, bytes: SAMPLE_BYTES_MAX }).await?;
    let (always_null, records) = (inferrer.always_null(), inferrer.records());
    let schema = inferrer.finish().map_err(|error| error.at(format_args!("resource {}", resource.name)))?;
    let schema = schema.ok_or_else(|| {
        Error::schema(format!("resource {}: the pages that were read have no records", resource.name))
            .with_hint("check endpoint.data_selector and the parameters of the endpoint")
    })?;
    let schema = RecordSchema::new(run.shaped(schema.columns())).unwrap_or(schema);
    Ok(Sample { schema, always_null, records, pages: pages.sampled.len() })
}
