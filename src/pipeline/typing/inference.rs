//! A schema for a resource that has no schema file: inferred from its first pages, on top of what
//! the table has.

use std::sync::Arc;

use super::decoder::empty_containers;
use crate::decode::{InferOptions, Inferrer, MixedKinds, RecordGate};
use crate::error::{Error, Result};
use crate::event::RunEvent;
use crate::paginate::Questions;
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{Acceptance, Pages, RecordTransform, SlicedPage, input, next_page};
use crate::pipeline::shapes::{hinted, shaped, stored_records};
use crate::schema::{Conflicts, RecordSchema};
use crate::spec::{ContractMode, Limits, ResourceSpec};

/// Bytes of pages that are sampled at most; they are kept in memory until they are decoded.
pub(crate) const SAMPLE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Pages that are sampled at most.
pub(crate) const SAMPLE_PAGES_MAX: usize = 100;

/// How much is sampled; whichever bound comes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampleBounds {
    pub(crate) pages: usize,
    pub(crate) bytes: usize,
}

/// Reads pages ahead, infers the shape of their records and adds it to the table's own schema,
/// which wins where both know a column. The schema is that of records, whatever shape the table
/// has. The pages stay in `pages.sampled`; `gate` is one of its own, since the records come again.
///
/// Returns `None` when neither the pages nor the table know any column.
pub(crate) async fn sample(
    run: &ResourceRun<'_>,
    pages: &mut Pages<'_>,
    mut transform: RecordTransform,
    stored: Option<&RecordSchema>,
) -> Result<Option<Arc<RecordSchema>>> {
    let inferrer =
        look(run, pages, &mut transform, SampleBounds { pages: SAMPLE_PAGES_MAX, bytes: SAMPLE_BYTES_MAX }).await?;
    union(run, stored, finish(run.resource, inferrer)?)
}

/// Reads as many pages ahead as `bounds` has, or as many as make its bytes. They stay in
/// `pages.sampled`.
pub(crate) async fn look(
    run: &ResourceRun<'_>,
    pages: &mut Pages<'_>,
    transform: &mut RecordTransform,
    bounds: SampleBounds,
) -> Result<Inferrer> {
    let selector = run.resource.endpoint.data_selector.clone();
    let mut inferrer = Inferrer::new(selector, infer_options(run.resource, run.limits));
    let mut sampled = Vec::new();
    if let Err(error) = read_sample(run, pages, bounds, transform, &mut inferrer, &mut sampled).await {
        // They will not be decoded any more, so this is the time to say that they were read.
        for (sliced, records, total) in &sampled {
            run.emit(&RunEvent::PageRead {
                resource: run.name(),
                page: sliced.page.number,
                records: *records,
                rejected: 0,
                bytes: sliced.page.body.len() as u64,
                total: *total,
            });
        }
        return Err(error);
    }
    pages.sampled.extend(sampled.into_iter().map(|(sliced, _, _)| sliced));
    Ok(inferrer)
}

/// Reads pages until there are enough to infer from, each with the number of its records.
async fn read_sample(
    run: &ResourceRun<'_>,
    pages: &mut Pages<'_>,
    bounds: SampleBounds,
    transform: &mut RecordTransform,
    inferrer: &mut Inferrer,
    sampled: &mut Vec<(SlicedPage, u64, Option<u64>)>,
) -> Result<()> {
    let mut bytes = 0;
    while sampled.len() < bounds.pages && bytes < bounds.bytes {
        let Some(mut sliced) = next_page(run, pages).await? else { break };
        transform.enter(&sliced.slice);
        let page = &sliced.page;
        let members = transform.members();
        let gate_of_page = transform.is_needed().then_some(&mut *transform as &mut dyn RecordGate);
        let meta = inferrer
            .observe(&input(page, &members), gate_of_page)
            .map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))?;
        let total = pages.stated_total(&meta);
        bytes += sliced.page.body.len();
        let accepted = pages.accept(&meta, transform.is_past_range());
        sliced.acceptance = Acceptance::Sampled { total };
        sliced.page.questions = Questions::default();
        sampled.push((sliced, meta.records, total));
        accepted?;
    }
    Ok(())
}

/// Returns how the shape of the records of `resource` is inferred.
pub(super) fn infer_options(resource: &ResourceSpec, limits: &Limits) -> InferOptions {
    let mixed_kinds = match resource.schema_contract.conflicts {
        Conflicts::Variant => MixedKinds::KeepFirst,
        Conflicts::Json | Conflicts::Reject | Conflicts::Text => MixedKinds::BecomeJson,
    };
    InferOptions { depth_max: limits.nesting_depth_max, empty_containers: empty_containers(resource), mixed_kinds }
}

/// Returns the schema that was inferred, whose key must have a value; `None` when there were no
/// records.
pub(crate) fn finish(resource: &ResourceSpec, inferrer: Inferrer) -> Result<Option<RecordSchema>> {
    // Where columns have names of their own, which field is the key is known when there is a
    // schema.
    let key = if resource.shape.is_plain() { resource.primary_key.as_slice() } else { &[] };
    inferrer.finish(key).map_err(|error| error.at(format_args!("resource {}", resource.name)))
}

fn union(
    run: &ResourceRun<'_>,
    stored: Option<&RecordSchema>,
    inferred: Option<RecordSchema>,
) -> Result<Option<Arc<RecordSchema>>> {
    let resource = &run.resource.name;
    let mut columns = stored.map(stored_records).unwrap_or_default();
    let mut new = Vec::new();
    let seen = inferred.map(|schema| shaped(run.resource, schema));
    for column in seen.iter().flat_map(RecordSchema::columns) {
        if columns.iter().all(|known| known.name != column.name) {
            new.push(column.clone());
        }
    }
    // A contract speaks of what comes after the table has its first columns.
    match run.resource.schema_contract.columns {
        ContractMode::Freeze if stored.is_some() && !new.is_empty() => {
            let names: Vec<&str> = new.iter().map(|column| column.name.as_str()).collect();
            return Err(Error::schema(format!(
                "resource {resource}: the records have new fields: {}",
                names.join(", ")
            ))
            .with_hint("schema_contract.columns is freeze; evolve adds them, discard_value leaves them out"));
        }
        ContractMode::DiscardRow | ContractMode::DiscardValue if stored.is_some() => {}
        ContractMode::Evolve | ContractMode::Freeze | ContractMode::DiscardRow | ContractMode::DiscardValue => {
            columns.extend(new);
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let schema = RecordSchema::new(columns).map_err(|error| {
        Error::schema(format!("resource {resource}: the inferred schema is unusable")).with_source(error)
    })?;
    hinted(run.resource, &schema).map(|schema| Some(Arc::new(schema)))
}
