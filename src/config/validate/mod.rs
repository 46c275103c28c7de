//! From what the user wrote to what was agreed. Does no I/O: texts are interpolated and schema files are read by then.

mod auth;
mod child_tables;
mod client;
mod endpoint;
mod graph;
mod merge;
mod names;
mod paginator;
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
use values::duration;

use super::document::problems::Problems;
use super::document::resource::ResourceDocument;
use super::document::{Document, LimitsDocument};
use crate::spec::{DestinationSpec, Limits, PipelineSpec};

/// Validates a document; `None` when it has problems.
pub(crate) fn validate(
    mut document: Document,
    stem: &str,
    schemas: &Schemas,
    problems: &Problems,
) -> Option<PipelineSpec> {
    let client = validate_client(&document.client, &document.resources, problems);
    refuse_duplicates(&document.resources, problems);
    refuse_names_of_child_tables(&document.resources, problems);
    let around = Client {
        base_url: client.as_ref().map(|client| &client.base_url),
        has_base: !document.client.has_empty_base(),
        paginator: document.client.paginator.as_ref(),
        allow_http: document.client.allow_http.unwrap_or(false),
        problems,
    };
    document.resources.iter_mut().for_each(|resource| name_columns(resource, schemas, problems));
    let validated = document.resources.iter().map(|resource| validate_resource(resource, around, schemas));
    let mut resources: Vec<_> = validated.flatten().collect();
    check_graph(&resources, &document.resources, problems);
    spare_incremental(&mut resources);
    // A resource without a table is only read for its children.
    let parents: Vec<String> = resources
        .iter()
        .filter_map(|resource| resource.parent.as_ref())
        .map(|parent| parent.resource.clone())
        .collect();
    resources.retain(|resource| resource.selected || parents.contains(&resource.name));
    let limits = validate_limits(&document.limits, problems);
    let destination = document.destination.map(|destination| DestinationSpec {
        url: destination.url,
        endpoint: destination.endpoint,
        region: destination.region,
        path_style: destination.path_style.unwrap_or(true),
        allow_http: destination.allow_http.unwrap_or(false),
    });
    let name = document.name.unwrap_or_else(|| stem.to_owned());
    if !problems.is_empty() {
        return None;
    }
    Some(PipelineSpec { name, client: client?, resources, destination, limits })
}

fn refuse_duplicates(resources: &[ResourceDocument], problems: &Problems) {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut tables: HashMap<String, &str> = HashMap::new();
    for resource in resources {
        if let Some(first) = names.insert(&resource.name, &resource.place) {
            problems.add(&resource.place, format!("resource '{}' is already defined at {first}", resource.name));
            continue;
        }
        let table = table_name(resource);
        if let Some(first) = tables.insert(table.clone(), &resource.place) {
            problems
                .add(&resource.place, format!("table '{table}' is already fed by {first}; give another table_name"));
        }
    }
}

fn validate_limits(limits: &LimitsDocument, problems: &Problems) -> Limits {
    let default = Limits::default();
    let at_least_one = |value: Option<u64>, default: u64, name: &str| match value {
        Some(0) => {
            problems.add(&format!("./limits/{name}"), "must be at least 1");
            default
        }
        Some(value) => value,
        None => default,
    };
    let size = |value: Option<u64>, default: usize, name: &str| {
        usize::try_from(at_least_one(value, default as u64, name)).unwrap_or(usize::MAX)
    };
    if limits.run_time_max_seconds == Some(0.0) {
        problems.add("./limits/run_time_max_seconds", "must be more than 0");
    }
    Limits {
        page_bytes_max: at_least_one(limits.page_bytes_max, default.page_bytes_max, "page_bytes_max"),
        pages_max: at_least_one(limits.pages_max, default.pages_max, "pages_max"),
        run_time_max: limits.run_time_max_seconds.map_or(default.run_time_max, duration),
        resume_age_max: limits.resume_age_max_seconds.map_or(default.resume_age_max, duration),
        nesting_depth_max: u32::try_from(at_least_one(
            limits.nesting_depth_max,
            u64::from(default.nesting_depth_max),
            "nesting_depth_max",
        ))
        .unwrap_or(u32::MAX)
        // The decoder's recursion stays far from the end of the stack.
        .min(512),
        batch_rows: size(limits.batch_rows, default.batch_rows, "batch_rows"),
        batch_bytes: size(limits.batch_bytes, default.batch_bytes, "batch_bytes"),
        writer_buffer_bytes: size(limits.writer_buffer_bytes, default.writer_buffer_bytes, "writer_buffer_bytes"),
        merge_index_bytes: size(limits.merge_index_bytes, default.merge_index_bytes, "merge_index_bytes"),
        file_bytes_target: at_least_one(limits.file_bytes_target, default.file_bytes_target, "file_bytes_target"),
        row_group_rows: size(limits.row_group_rows, default.row_group_rows, "row_group_rows"),
        rejects_max: limits.rejects_max,
    }
}
