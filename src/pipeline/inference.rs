//! A schema for a resource that has no schema file: inferred from its first pages, on top of what the table has.

use std::sync::Arc;

use super::resource::{Pages, ResourceRun};
use crate::decode::Inferrer;
use crate::error::{Error, Result};
use crate::schema::RecordSchema;

/// Bytes of pages that are sampled at most; they are kept in memory until they are decoded.
pub(super) const SAMPLE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Pages that are sampled at most.
pub(super) const SAMPLE_PAGES_MAX: usize = 100;

/// Reads pages ahead, infers the shape of their records and adds it to the table's own schema, which wins where both know a
/// column. The pages stay in `pages.ahead`.
///
/// Returns `None` when neither the pages nor the table know any column.
pub(super) async fn sample(
    run: &ResourceRun<'_>,
    pages: &mut Pages,
    stored: Option<&RecordSchema>,
) -> Result<Option<Arc<RecordSchema>>> {
    let mut inferrer = Inferrer::new(
        run.resource.endpoint.data_selector.clone(),
        pages.listing.lookups(),
        &run.resource.primary_key,
        run.limits.nesting_depth_max,
    );
    let mut sampled = Vec::new();
    let mut bytes = 0;
    while sampled.len() < SAMPLE_PAGES_MAX && bytes < SAMPLE_BYTES_MAX {
        let Some(page) = run.next_page(pages).await? else { break };
        let meta = inferrer
            .observe(&page.body)
            .map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))?;
        pages.accept(&page, &meta)?;
        bytes += page.body.len();
        sampled.push(page);
    }
    pages.ahead.extend(sampled);
    let inferred = inferrer.finish().map_err(|error| error.at(format_args!("resource {}", run.resource.name)))?;
    union(&run.resource.name, stored, inferred.as_ref())
}

fn union(
    resource: &str,
    stored: Option<&RecordSchema>,
    inferred: Option<&RecordSchema>,
) -> Result<Option<Arc<RecordSchema>>> {
    let mut columns = stored.map(|schema| schema.columns().to_vec()).unwrap_or_default();
    for column in inferred.iter().flat_map(|schema| schema.columns()) {
        if columns.iter().all(|known| known.name != column.name) {
            columns.push(column.clone());
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let schema = RecordSchema::new(columns).map_err(|error| {
        Error::schema(format!("resource {resource}: the inferred schema is unusable")).with_source(error)
    })?;
    Ok(Some(Arc::new(schema)))
}
