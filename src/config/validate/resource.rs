//! A resource of the document becomes a resource of the pipeline.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::child_tables::check_child_tables;
use super::endpoint::{Client, validate_endpoint};
use super::hints::validate_hints;
use super::merge::validate_merge;
use super::schemas::Schemas;
use super::table::{check_folder_name, check_plain, shape_of, table_name, unknown_column};
use super::values::expression;
use crate::config::document::Mapping as _;
use crate::config::document::merge::Disposition;
use crate::config::document::problems::Problems;
use crate::config::document::resource::{
    ContractDocument, PartitionDocument, ResourceDocument, StepDocument, TransformName,
};
use crate::schema::{ColumnHint, FieldRules, LOADED_AT, OnError, RUN_ID, RecordSchema, RuleStep};
use crate::spec::{PartitionField, ProcessingStep, ResourceSpec, SchemaContract, Transform, WriteDisposition};

pub(crate) fn validate_resource(
    resource: &ResourceDocument,
    client: Client<'_>,
    schemas: &Schemas,
) -> Option<ResourceSpec> {
    let problems = client.problems;
    let table_name = table_name(resource);
    let named = if resource.table_name.is_some() { "table_name" } else { "name" };
    check_folder_name(&format!("{}/{named}", resource.place()), "the table's name", &table_name, problems);
    let endpoint = validate_endpoint(resource, client);
    let write_disposition = match resource.write_disposition.disposition {
        Some(Disposition::Table(disposition)) => disposition,
        Some(Disposition::Skip) | None => WriteDisposition::Append,
    };
    let file = schemas.of(resource);
    let said = validate_hints(resource, file.as_ref().map(|file| &file.schema), problems);
    let hints: Vec<ColumnHint> = said.iter().map(|hint| hint.typed.clone()).collect();
    let shapes = file.as_ref().and_then(|file| {
        let hinted = file.schema.with_hints(&hints);
        let hinted =
            hinted.map_err(|error| problems.add(&format!("{}/columns", resource.place()), error.to_string())).ok();
        with_key(resource, &hinted?, problems)
    });
    // What the pipeline file says of columns is about those of the table.
    let schema = shapes.as_ref().map(|shapes| Arc::clone(&shapes.table));
    let field_rules = file.map(|file| file.rules.clone()).unwrap_or_default().with_hints(&hints);
    refuse_null_for_key(resource, schema.as_deref(), &field_rules, problems);
    for reserved in [RUN_ID, LOADED_AT] {
        if resource.load_metadata && schema.as_ref().is_some_and(|schema| schema.column(reserved).is_some()) {
            problems.add(
                &format!("{}/load_metadata", resource.place()),
                format!("the schema has a column '{reserved}', which load_metadata adds"),
            );
        }
    }
    let (merge, deletes) = validate_merge(resource, &said, schema.as_deref(), problems);
    check_child_tables(resource, shape_of(resource), &merge, schema.as_deref(), problems);
    if let Some(schema) = &schema {
        for problem in merge.deep_keys(&resource.primary_key, schema) {
            problems.add(resource.place(), problem);
        }
    }
    // A table may be partitioned by columns that the merge adds, too.
    let table = schema.as_deref().and_then(|schema| merge.table_schema(schema).ok());
    let partition_by = validate_partitions(resource, table.as_ref().or(schema.as_deref()), problems);
    let processing_steps = resource.processing_steps.iter().filter_map(|step| step_of(step, problems)).collect();
    let (endpoint, parent) = endpoint?;
    Some(ResourceSpec {
        name: resource.name.clone()?,
        table_name,
        endpoint,
        schema: shapes.map(|shapes| shapes.records),
        column_hints: hints,
        field_rules,
        primary_key: resource.primary_key.clone(),
        write_disposition,
        merge,
        deletes,
        partition_by,
        parent,
        selected: resource.has_table(),
        schema_contract: contract(resource),
        nested_levels: resource.nested.levels,
        shape: shape_of(resource),
        load_metadata: resource.load_metadata,
        processing_steps,
    })
}

fn contract(resource: &ResourceDocument) -> SchemaContract {
    let ContractDocument { tables, columns, data_type, conflicts } = resource.schema_contract;
    let usual = SchemaContract::default_of(resource.schema.is_some());
    SchemaContract {
        tables: tables.unwrap_or(usual.tables),
        columns: columns.unwrap_or(usual.columns),
        data_type: data_type.unwrap_or(usual.data_type),
        conflicts: conflicts.unwrap_or(usual.conflicts),
    }
}

/// The schema of the records, and that of the table that is made of them.
struct Shapes {
    records: Arc<RecordSchema>,
    table: Arc<RecordSchema>,
}

/// Returns the schemas with their key columns not nullable: a record without a key cannot be
/// merged.
fn with_key(resource: &ResourceDocument, schema: &RecordSchema, problems: &Problems) -> Option<Shapes> {
    let mut records = schema.clone();
    if let Some(levels) = resource.nested.levels {
        records = records.nested_to(levels);
    }
    let table_of = |records: &RecordSchema| {
        shape_of(resource).table_of(records).map_err(|error| problems.add(resource.place(), error.to_string())).ok()
    };
    let table = table_of(&records)?;
    for key in &resource.primary_key {
        check_plain(&format!("{}/primary_key", resource.place()), "primary_key", key, &table, problems);
        records.require(&table.source_of(key));
    }
    let table = table_of(&records)?;
    Some(Shapes { records: Arc::new(records), table: Arc::new(table) })
}

/// Refuses that a key which does not fit becomes null: there is no row without it.
fn refuse_null_for_key(
    resource: &ResourceDocument,
    table: Option<&RecordSchema>,
    rules: &FieldRules,
    problems: &Problems,
) {
    for key in &resource.primary_key {
        let path = table.map_or_else(|| vec![key.clone()], |table| table.source_of(key));
        if rules.of(&path.into_iter().map(RuleStep::Field).collect::<Vec<_>>()).on_error == OnError::Null {
            problems.add(
                &format!("{}/primary_key", resource.place()),
                format!("primary_key '{key}' has x-on-error null; use reject or fail"),
            );
        }
    }
}

fn validate_partitions(
    resource: &ResourceDocument,
    schema: Option<&RecordSchema>,
    problems: &Problems,
) -> Vec<PartitionField> {
    let Some(schema) = schema else {
        if !resource.partition_by.is_empty() && resource.schema.is_none() {
            problems.add(
                &format!("{}/partition_by", resource.place()),
                "partition_by needs a 'schema' file, so that the columns' types are known",
            );
        }
        return Vec::new();
    };
    let mut fields: Vec<PartitionField> = Vec::new();
    for level in &resource.partition_by {
        if let Some(field) = validate_partition(level, schema, problems) {
            if fields.iter().any(|known| known.name == field.name) {
                problems.add(level.place(), format!("the level '{}' is there twice", field.name));
            }
            fields.push(field);
        }
    }
    fields
}

fn validate_partition(level: &PartitionDocument, schema: &RecordSchema, problems: &Problems) -> Option<PartitionField> {
    let place = level.place();
    let transform = transform(level, problems);
    let written = level.column.as_ref()?;
    let Some(column) = schema.column(written) else {
        problems.add(place, unknown_column("column", written, schema));
        return None;
    };
    let transform = transform?;
    if !transform.takes(&column.column_type) {
        let what = format!("column '{}' has no {}; see the schema for its type", column.name, transform.as_str());
        problems.add(place, what);
    }
    let name = level.name.clone().unwrap_or_else(|| format!("{written}_{}", transform.as_str()));
    check_folder_name(place, "the level's name", &name, problems);
    if schema.column(&name).is_some() {
        let what = format!("'{name}' is a column; data files hold every column, so give the level another name");
        problems.add(place, what);
    }
    Some(PartitionField { column: written.clone(), transform, name })
}

/// Returns the transform with the number that some of them need.
fn transform(level: &PartitionDocument, problems: &Problems) -> Option<Transform> {
    let place = level.place();
    for (key, number, owner) in
        [("buckets", level.buckets, TransformName::Bucket), ("width", level.width, TransformName::Truncate)]
    {
        match number {
            None if level.transform == owner => problems.add(place, format!("'{key}' is missing")),
            Some(_) if level.transform != owner => {
                problems.add(&format!("{place}/{key}"), "belongs to another transform");
            }
            _ => {}
        }
    }
    let number = |number: Option<u64>| NonZeroU32::new(u32::try_from(number?).ok()?);
    Some(match level.transform {
        TransformName::Identity => Transform::Identity,
        TransformName::Year => Transform::Year,
        TransformName::Month => Transform::Month,
        TransformName::Day => Transform::Day,
        TransformName::Hour => Transform::Hour,
        TransformName::Bucket => Transform::Bucket(number(level.buckets)?),
        TransformName::Truncate => Transform::Truncate(number(level.width)?),
    })
}

fn step_of(step: &StepDocument, problems: &Problems) -> Option<ProcessingStep> {
    let place = step.place();
    if step.filter.is_some() == step.map.is_some() {
        problems.add(place, "give either 'filter' or 'map'");
    }
    match (&step.filter, &step.map) {
        (Some(filter), _) => expression(filter, &format!("{place}/filter"), problems).map(ProcessingStep::Filter),
        (None, Some(map)) => {
            let of = |(name, text): &(String, String)| {
                Some((name.clone(), expression(text, &format!("{place}/map/{name}"), problems)?))
            };
            Some(ProcessingStep::Map(map.iter().filter_map(of).collect()))
        }
        (None, None) => None,
    }
}
