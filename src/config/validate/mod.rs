//! From what the user wrote to what was agreed. Does no I/O: texts are interpolated and schema
//! files are read by then.

mod auth;
mod child_tables;
mod client;
mod endpoint;
mod graph;
mod hints;
mod incremental;
mod merge;
mod names;
mod paginator;
mod params;
mod parent;
mod resource;
mod schemas;
mod table;
mod values;

use std::collections::HashMap;

use child_tables::refuse_names_of_child_tables;
use client::validate_client;
use endpoint::Client;
use graph::check_graph;
use merge::spare_incremental;
use names::name_columns;
use resource::validate_resource;
pub(crate) use schemas::Schemas;
use table::table_name;

use super::document::client::ClientDocument;
use super::document::problems::Problems;
use super::document::resource::ResourceDocument;
use super::document::{DestinationDocument, Document, LimitsDocument, Mapping as _};
use crate::error::Error;
use crate::spec::{DestinationSpec, Limits, Location, PipelineSpec};

/// Validates a document; `None` when it has problems.
pub(crate) fn validate(document: Document, stem: &str, schemas: &Schemas, problems: &Problems) -> Option<PipelineSpec> {
    let written = document.client.unwrap_or_else(|| ClientDocument::absent("./client"));
    let mut documents = document.resources.unwrap_or_default();
    let client = validate_client(&written, &documents, problems);
    refuse_duplicates(&documents, problems);
    refuse_names_of_child_tables(&documents, problems);
    let around = Client {
        base_url: client.as_ref().map(|client| &client.base_url),
        has_base: !written.has_empty_base(),
        paginator: written.paginator.as_ref(),
        allow_http: written.allow_http,
        problems,
    };
    for resource in &mut documents {
        name_columns(resource, schemas, problems);
    }
    let validated = documents.iter().map(|resource| validate_resource(resource, around, schemas));
    let mut resources: Vec<_> = validated.flatten().collect();
    check_graph(&resources, &documents, problems);
    spare_incremental(&mut resources);
    // A resource without a table is only read for its children.
    let parents: Vec<String> = resources
        .iter()
        .filter_map(|resource| resource.parent.as_ref())
        .map(|parent| parent.resource.clone())
        .collect();
    resources.retain(|resource| resource.selected || parents.contains(&resource.name));
    let name = document.name.unwrap_or_else(|| stem.to_owned());
    let destination = document.destination.and_then(|written| destination(written, problems));
    let limits = limits(&document.limits);
    if !problems.is_empty() {
        return None;
    }
    Some(PipelineSpec { name, client: client?, resources, destination, limits })
}

fn refuse_duplicates(resources: &[ResourceDocument], problems: &Problems) {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut tables: HashMap<String, &str> = HashMap::new();
    for resource in resources {
        let (name, place) = (resource.name(), resource.place());
        if let Some(first) = names.insert(name, place) {
            problems.add(&format!("{place}/name"), format!("resource '{name}' is already defined at {first}"));
            continue;
        }
        let table = table_name(resource);
        if let Some(first) = tables.insert(table.clone(), place) {
            problems.add(place, format!("table '{table}' is already fed by {first}; give another table_name"));
        }
    }
}

fn destination(destination: DestinationDocument, problems: &Problems) -> Option<DestinationSpec> {
    let at = destination.place().to_owned();
    let spec = DestinationSpec {
        url: destination.url?,
        endpoint: destination.endpoint,
        region: destination.region,
        path_style: destination.path_style,
        allow_http: destination.allow_http,
    };
    let refuse = |key: &str, error: &Error| problems.add_error(&format!("{at}/{key}"), error);
    match (spec.location(), &spec.endpoint) {
        (Err(error), _) => refuse("url", &error),
        (Ok(Location::Bucket { name, .. }), Some(endpoint)) => {
            if let Err(error) = spec.endpoint_url(endpoint, &name) {
                refuse("endpoint", &error);
            }
        }
        (Ok(_), _) => {}
    }
    Some(spec)
}

fn limits(limits: &LimitsDocument) -> Limits {
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Limits {
        page_bytes_max: limits.page_bytes_max,
        pages_max: limits.pages_max,
        run_time_max: limits.run_time_max_seconds,
        resume_age_max: limits.resume_age_max_seconds,
        // The decoder's recursion stays far from the end of the stack.
        nesting_depth_max: u32::try_from(limits.nesting_depth_max).unwrap_or(u32::MAX).min(512),
        batch_rows: size(limits.batch_rows),
        batch_bytes: size(limits.batch_bytes),
        writer_buffer_bytes: size(limits.writer_buffer_bytes),
        merge_index_bytes: size(limits.merge_index_bytes),
        file_bytes_target: limits.file_bytes_target,
        row_group_rows: size(limits.row_group_rows),
        rejects_max: limits.rejects_max,
        all_refused_min: limits.all_refused_min,
        shrink_max: limits.shrink_max,
    }
}
