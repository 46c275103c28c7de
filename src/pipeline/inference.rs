//! A schema for a resource that has no schema file: inferred from its first pages, on top of what the table has.

use std::sync::Arc;

use super::gate::Gate;
use super::pages::Pages;
use super::resource::ResourceRun;
use crate::decode::{Inferrer, RecordGate};
use crate::error::{Error, Result};
use crate::schema::RecordSchema;
use crate::spec::NewColumns;

/// Bytes of pages that are sampled at most; they are kept in memory until they are decoded.
pub(super) const SAMPLE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Pages that are sampled at most.
pub(super) const SAMPLE_PAGES_MAX: usize = 100;

/// Reads pages ahead, infers the shape of their records and adds it to the table's own schema, which wins where both know a
/// column. The pages stay in `pages.sampled`; `gate` is one of its own, since the records come again.
///
/// Returns `None` when neither the pages nor the table know any column.
pub(super) async fn sample(
    run: &ResourceRun<'_>,
    pages: &mut Pages<'_>,
    mut gate: Gate,
    stored: Option<&RecordSchema>,
) -> Result<Option<Arc<RecordSchema>>> {
    let mut inferrer = Inferrer::new(
        run.resource.endpoint.data_selector.clone(),
        Vec::new(),
        &run.resource.primary_key,
        run.limits.nesting_depth_max,
    );
    let mut sampled = Vec::new();
    let mut bytes = 0;
    while sampled.len() < SAMPLE_PAGES_MAX && bytes < SAMPLE_BYTES_MAX {
        let Some(mut sliced) = run.next_page(pages).await? else { break };
        gate.enter(&sliced.slice);
        let (lookups, wants_hints) = pages.wanted();
        inferrer.look_for(lookups, wants_hints);
        let page = &sliced.page;
        inferrer.expect(run.format_of(page));
        let gate_of_page = gate.is_needed().then_some(&mut gate as &mut dyn RecordGate);
        let meta = inferrer
            .observe_with(&page.body, gate_of_page)
            .map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))?;
        sliced.total = pages.stated_total(&meta);
        pages.accept(&meta, gate.is_past_range())?;
        bytes += page.body.len();
        sliced.is_accepted = true;
        sampled.push(sliced);
    }
    pages.sampled.extend(sampled);
    let inferred = inferrer.finish().map_err(|error| error.at(format_args!("resource {}", run.resource.name)))?;
    union(run, stored, inferred.as_ref())
}

fn union(
    run: &ResourceRun<'_>,
    stored: Option<&RecordSchema>,
    inferred: Option<&RecordSchema>,
) -> Result<Option<Arc<RecordSchema>>> {
    let resource = &run.resource.name;
    let mut columns = stored.map(|schema| schema.columns().to_vec()).unwrap_or_default();
    let mut new = Vec::new();
    for column in inferred.iter().flat_map(|schema| schema.columns()) {
        if columns.iter().all(|known| known.name != column.name) {
            new.push(column.clone());
        }
    }
    // A contract speaks of what comes after the table has its first columns.
    match run.resource.new_columns {
        NewColumns::Freeze if stored.is_some() && !new.is_empty() => {
            let names: Vec<&str> = new.iter().map(|column| column.name.as_str()).collect();
            return Err(Error::schema(format!(
                "resource {resource}: the records have new fields: {}",
                names.join(", ")
            ))
            .with_hint("schema_contract.columns is freeze; evolve adds them, discard_value leaves them out"));
        }
        NewColumns::DiscardRow | NewColumns::DiscardValue if stored.is_some() => {}
        NewColumns::Evolve | NewColumns::Freeze | NewColumns::DiscardRow | NewColumns::DiscardValue => {
            columns.extend(new);
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let hints = &run.resource.column_hints;
    let schema = RecordSchema::new(columns).and_then(|schema| schema.with_hints(hints)).map_err(|error| {
        Error::schema(format!("resource {resource}: the inferred schema is unusable")).with_source(error)
    })?;
    Ok(Some(Arc::new(schema)))
}
