//! Records of one shape, and their table of another. Pure.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::schema::{Column, ColumnHint, RecordSchema, SchemaError, member_path};
use crate::spec::{ResourceSpec, WriteDisposition};

/// The schema of records, and that of the table which is made of them.
#[derive(Debug, Clone)]
pub(crate) struct Shapes {
    pub(crate) records: Arc<RecordSchema>,
    pub(crate) table: Arc<RecordSchema>,
}

impl Shapes {
    /// Returns what records of the schema `records` become.
    ///
    /// # Errors
    /// When two of their fields would be one column.
    pub(crate) fn of(resource: &ResourceSpec, records: Arc<RecordSchema>) -> Result<Self> {
        if resource.shape.is_plain() {
            return Ok(Self { table: Arc::clone(&records), records });
        }
        let table = resource.shape.table_of(&records).map(Arc::new).map_err(|error| unusable(resource, &error))?;
        Ok(Self { records, table })
    }

    /// Returns the same with the types that the table has, where the writer agreed on wider ones.
    pub(crate) fn agreed(&self, resource: &ResourceSpec, table: Arc<RecordSchema>) -> Result<Self> {
        if resource.shape.is_plain() {
            return Ok(Self { records: Arc::clone(&table), table });
        }
        let records = table.records_like(&self.records).map_err(|error| unusable(resource, &error))?;
        Ok(Self { records: Arc::new(records), table })
    }

    /// Returns the same with what the tables have into which `whole` is taken apart.
    pub(crate) fn agreed_in_parts(&self, resource: &ResourceSpec, whole: &RecordSchema) -> Result<Self> {
        let records = whole.records_like(&self.records).map_err(|error| unusable(resource, &error))?;
        Self::of(resource, Arc::new(records))
    }

    /// Returns the keys that lead to the field of a record which is meant by the column `name`.
    pub(crate) fn path_of(&self, name: &str) -> Vec<String> {
        self.table.source_of(name)
    }

    /// Returns the place of that field.
    pub(crate) fn place_of(&self, name: &str) -> String {
        self.path_of(name).iter().fold("$".to_owned(), |place, key| member_path(&place, key))
    }

    /// Returns the places whose types stay whatever comes, and whose values stay in them.
    pub(crate) fn fixed(&self, resource: &ResourceSpec) -> Vec<String> {
        let names = resource.primary_key.iter();
        let names = names.chain(resource.partition_by.iter().map(|field| &field.column));
        let names = names.chain(&resource.merge.merge_key);
        let names = names.chain(resource.merge.precedence.iter().map(|precedence| &precedence.column));
        names.map(|name| self.place_of(name)).collect()
    }

    /// Returns the fields of the records that hold the primary key.
    pub(crate) fn key(&self, resource: &ResourceSpec) -> Vec<String> {
        resource.primary_key.iter().filter_map(|name| self.path_of(name).into_iter().next()).collect()
    }
}

pub(crate) fn unusable(resource: &ResourceSpec, error: &SchemaError) -> Error {
    Error::schema(format!("resource {}: {error}", resource.name)).with_hint(
        "naming and nested say what columns are called; a map of processing_steps can give a field another key",
    )
}

/// Returns the columns of the records of which the rows of a table were made.
pub(crate) fn stored_records(stored: &RecordSchema) -> Vec<Column> {
    let mut columns = Vec::new();
    for column in stored.without_load_metadata() {
        stored.add_source(&mut columns, &column);
    }
    columns
}

/// Returns the schema of records with what the pipeline file says of single columns, whose key must
/// have a value.
///
/// # Errors
/// When there is no such schema, or the records lack their key.
pub(crate) fn hinted(resource: &ResourceSpec, records: &RecordSchema) -> Result<RecordSchema> {
    let failed = |error| {
        Error::schema(format!("resource {}: the inferred schema is unusable", resource.name)).with_source(error)
    };
    let records = records.with_hints(&hints(resource, records)).map_err(failed)?;
    if resource.shape.is_plain() {
        return Ok(records);
    }
    let Shapes { records, table } = Shapes::of(resource, Arc::new(records))?;
    let mut records = Arc::unwrap_or_clone(records);
    for key in &resource.primary_key {
        if table.column(key).is_none() {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
            return Err(Error::schema(format!(
                "resource {}: the records have no field for the column {key}, which primary_key names",
                resource.name
            ))
            .with_hint(format!("the columns are: {}", names.join(", "))));
        }
        records.require(&table.source_of(key));
    }
    if let Some(problem) = resource.merge.deep_keys(&resource.primary_key, &table).first() {
        return Err(Error::config(format!("resource {}: {problem}", resource.name)));
    }
    Ok(records)
}

/// Returns the hints of single columns, each with the field of the records that it means.
pub(crate) fn hints(resource: &ResourceSpec, records: &RecordSchema) -> Vec<ColumnHint> {
    let meant = |hint: &ColumnHint| match hint.path.as_slice() {
        [written] => ColumnHint { path: resource.shape.path_of(written, records), ..hint.clone() },
        _ => hint.clone(),
    };
    resource.column_hints.iter().map(meant).collect()
}

/// Returns the schema that records show, with objects and lists as deep as the pipeline wants them.
pub(crate) fn shaped(resource: &ResourceSpec, seen: RecordSchema) -> RecordSchema {
    match resource.nested_levels {
        Some(levels) => seen.nested_to(levels),
        None => seen,
    }
}

/// Returns whether batches say which of their rows delete.
pub(crate) fn takes_deletes(resource: &ResourceSpec) -> bool {
    resource.write_disposition == WriteDisposition::Merge && resource.merge.deletes.is_some()
}

/// Returns the Arrow schema of batches of rows of the table schema `table`.
pub(crate) fn batch_schema(resource: &ResourceSpec, table: &RecordSchema) -> SchemaRef {
    if takes_deletes(resource) { table.to_arrow_with_deletes(&resource.primary_key) } else { table.to_arrow() }
}
