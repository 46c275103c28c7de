//! `lakefeed check`.

use serde_json::{Value, json};

use super::args::{CheckArguments, Output};
use super::printer::Printer;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Checked};
use crate::environment::Environment;
use crate::error::Result;
use crate::lake::Lake;
use crate::pipeline;
use crate::schema::Parts;
use crate::spec::{FollowFrom, PaginationSpec, PipelineSpec, ResourceSpec, StrategyName, WriteDisposition};

/// Loads and validates a pipeline, and says what it is: all that a first run would refuse without
/// a network is refused. Sends nothing, and makes no folder.
pub(super) fn check(arguments: &CheckArguments, printer: Printer) -> Result<()> {
    let environment = Environment::of_process();
    let Checked { spec, open } = if arguments.no_secrets {
        config::check_without_secrets(&arguments.pipeline, &environment)?
    } else {
        Checked { spec: Some(config::load(&arguments.pipeline, &environment)?), open: Vec::new() }
    };
    if let Some(spec) = &spec {
        pipeline::refuse_unplannable(spec, SystemClock::new().now())?;
        if let (Some(destination), false) = (&spec.destination, arguments.no_secrets) {
            Lake::check(destination, &environment)?;
        }
    }
    match (&spec, arguments.output) {
        (Some(spec), Output::Json) => printer.data(&format!("{:#}\n", describe(spec))),
        (Some(spec), Output::Text) => printer.data(&render(spec)),
        (None, _) => {}
    }
    if !open.is_empty() {
        printer.say(&format!("not known before it runs: {}", open.join(", ")));
    }
    printer.say(&format!("{} is fine", arguments.pipeline.display()));
    Ok(())
}

fn describe(spec: &PipelineSpec) -> Value {
    let resources: Vec<Value> = spec
        .resources
        .iter()
        .map(|resource| {
            json!({
                "name": resource.name,
                "table": resource.table_name,
                "paginator": paginator(resource),
                "write_disposition": resource.write_disposition,
                "strategy": strategy(resource),
                "primary_key": resource.primary_key,
                "merge_key": resource.merge.merge_key,
                "partition_by": resource.partition_by,
                "columns": resource.schema.as_ref().map(|schema| schema.columns()),
                "child_tables": child_tables(resource),
            })
        })
        .collect();
    json!({
        "name": spec.name,
        "base_url": spec.client.base_url.as_str(),
        "destination": spec.destination.as_ref().map(|destination| &destination.url),
        "resources": resources,
    })
}

fn render(spec: &PipelineSpec) -> String {
    let destination = spec.destination.as_ref().map_or("none: give --destination", |destination| &destination.url);
    let mut lines = vec![format!("pipeline {}: {} → {destination}", spec.name, spec.client.base_url)];
    for resource in &spec.resources {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let partitions: Vec<String> = resource.partition_by.iter().map(|field| field.name.clone()).collect();
        let columns = resource.schema.as_ref().map_or_else(
            || "inferred from the first pages".to_owned(),
            |schema| schema.columns().iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(", "),
        );
        lines.push(format!("  resource {}", resource.name));
        lines.push(format!("    pages        {}", paginator(resource)));
        let strategy = strategy(resource).map(|strategy| format!(" {strategy}")).unwrap_or_default();
        lines.push(format!("    table        {}, {}{strategy}", resource.table_name, resource.write_disposition));
        lines.push(format!("    primary key  {}", list(&resource.primary_key)));
        lines.push(format!("    partitions   {}", list(&partitions)));
        lines.push(format!("    columns      {columns}"));
        if resource.shape.has_child_tables {
            let tables = child_tables(resource).map_or_else(|| "as lists come".to_owned(), |names| list(&names));
            lines.push(format!("    child tables {tables}"));
        }
    }
    lines.join("\n") + "\n"
}

/// Returns the tables of the lists of a resource, where its schema file says which there are.
fn child_tables(resource: &ResourceSpec) -> Option<Vec<String>> {
    let records = resource.schema.as_ref().filter(|_| resource.shape.has_child_tables)?;
    let whole = resource.shape.table_of(records).ok()?;
    let parts = Parts::of(&resource.table_name, &whole, &resource.primary_key).ok()?;
    Some(parts.children.into_iter().map(|child| child.name).collect())
}

/// Returns how a resource merges, where it does.
fn strategy(resource: &ResourceSpec) -> Option<StrategyName> {
    (resource.write_disposition == WriteDisposition::Merge).then(|| resource.merge.strategy.name())
}

fn paginator(resource: &ResourceSpec) -> String {
    match &resource.endpoint.paginator {
        PaginationSpec::SinglePage => "single page".to_owned(),
        PaginationSpec::Auto => "as the first page tells".to_owned(),
        PaginationSpec::PageNumber(pages) => format!("numbered, from {}", pages.page),
        PaginationSpec::Follow(follow) => match &follow.from {
            FollowFrom::Body(path) => format!("by {path} of the page before"),
            FollowFrom::Header(name) => format!("by the header {name} of the page before"),
            FollowFrom::LinkHeader(relation) => format!("by the Link header, rel={relation}"),
            FollowFrom::LastRecord(path) => format!("after the last record, by {path}"),
        },
        PaginationSpec::Offset(offset) => format!("offset, {} a page", offset.limit),
    }
}
