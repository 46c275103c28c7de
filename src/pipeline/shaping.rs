//! Records of one shape, and their table of another: a decoder by the records' own schema, whose batches are the table's.
//!
//! Where the table has the shape of the records, nothing is done and nothing costs.

use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::resource::ResourceRun;
use crate::decode::{DecodeOptions, PageDecoder, UnknownFields};
use crate::error::{Error, Result};
use crate::schema::{
    Column, ColumnHint, FieldRules, RecordSchema, Reshaper, SchemaError, add_source, member_path, records_of, require,
    source_of, with_nullability_of, without_load_metadata,
};
use crate::spec::{JsonPath, ResourceSpec, WriteDisposition};

/// The schema of records, and that of the table which is made of them.
#[derive(Debug, Clone)]
pub(super) struct Shapes {
    pub(super) records: Arc<RecordSchema>,
    pub(super) table: Arc<RecordSchema>,
}

impl Shapes {
    /// What records of the schema `records` become.
    ///
    /// # Errors
    /// When two of their fields would be one column.
    pub(super) fn of(resource: &ResourceSpec, records: Arc<RecordSchema>) -> Result<Self> {
        if resource.shape.is_plain() {
            return Ok(Self { table: Arc::clone(&records), records });
        }
        let table = resource.shape.table_of(&records).map(Arc::new).map_err(|error| unusable(resource, &error))?;
        Ok(Self { records, table })
    }

    /// The same with the types that the table has, where the writer agreed on wider ones.
    pub(super) fn agreed(&self, resource: &ResourceSpec, table: Arc<RecordSchema>) -> Result<Self> {
        if resource.shape.is_plain() {
            return Ok(Self { records: Arc::clone(&table), table });
        }
        let mut columns = records_of(&table);
        with_nullability_of(&mut columns, self.records.columns());
        let records = RecordSchema::new(columns).map_err(|error| unusable(resource, &error))?;
        Ok(Self { records: Arc::new(records.with_notes(self.records.notes().clone())), table })
    }

    /// The same with what the tables have into which `whole` is taken apart.
    pub(super) fn agreed_in_parts(&self, resource: &ResourceSpec, whole: &RecordSchema) -> Result<Self> {
        let mut columns = records_of(whole);
        with_nullability_of(&mut columns, self.records.columns());
        let records = RecordSchema::new(columns).map_err(|error| unusable(resource, &error))?;
        Self::of(resource, Arc::new(records.with_notes(self.records.notes().clone())))
    }

    /// The keys that lead to the field of a record which is meant by the column `name`.
    pub(super) fn path_of(&self, name: &str) -> Vec<String> {
        source_of(&self.table, name)
    }

    /// The place of that field.
    pub(super) fn place_of(&self, name: &str) -> String {
        self.path_of(name).iter().fold("$".to_owned(), |place, key| member_path(&place, key))
    }

    /// The places whose types stay whatever comes, and whose values stay in them.
    pub(super) fn fixed(&self, resource: &ResourceSpec) -> Vec<String> {
        let names = resource.primary_key.iter();
        let names = names.chain(resource.partition_by.iter().map(|field| &field.column));
        let names = names.chain(&resource.merge.merge_key);
        let names = names.chain(resource.merge.precedence.iter().map(|precedence| &precedence.column));
        names.map(|name| self.place_of(name)).collect()
    }

    /// The fields of the records that hold the primary key.
    fn key(&self, resource: &ResourceSpec) -> Vec<String> {
        resource.primary_key.iter().filter_map(|name| self.path_of(name).into_iter().next()).collect()
    }
}

pub(super) fn unusable(resource: &ResourceSpec, error: &SchemaError) -> Error {
    Error::schema(format!("resource {}: {error}", resource.name)).with_hint(
        "naming and nested say what columns are called; a map of processing_steps can give a field another key",
    )
}

/// The columns of the records of which the rows of a table were made.
pub(super) fn stored_records(stored: &RecordSchema) -> Vec<Column> {
    let mut columns = Vec::new();
    for column in without_load_metadata(stored) {
        add_source(&mut columns, stored, &column);
    }
    columns
}

/// The schema of records with what the pipeline file says of single columns, whose key must have a value.
///
/// # Errors
/// When there is no such schema, or the records lack their key.
pub(super) fn hinted(resource: &ResourceSpec, records: &RecordSchema) -> Result<RecordSchema> {
    let failed = |error| {
        Error::schema(format!("resource {}: the inferred schema is unusable", resource.name)).with_source(error)
    };
    let records = records.with_hints(&hints(resource, records)).map_err(failed)?;
    if resource.shape.is_plain() {
        return Ok(records);
    }
    let Shapes { records, table } = Shapes::of(resource, Arc::new(records))?;
    let mut columns = records.columns().to_vec();
    for key in &resource.primary_key {
        if table.column(key).is_none() {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
            return Err(Error::schema(format!(
                "resource {}: the records have no field for the column {key}, which primary_key names",
                resource.name
            ))
            .with_hint(format!("the columns are: {}", names.join(", "))));
        }
        require(&mut columns, &source_of(&table, key));
    }
    if let Some(problem) = resource.merge.deep_keys(&resource.primary_key, &table).first() {
        return Err(Error::config(format!("resource {}: {problem}", resource.name)));
    }
    RecordSchema::new(columns).map_err(failed)
}

/// The hints of single columns, each with the field of the records that it means.
fn hints(resource: &ResourceSpec, records: &RecordSchema) -> Vec<ColumnHint> {
    let meant = |hint: &ColumnHint| match hint.path.as_slice() {
        [written] => ColumnHint { path: resource.shape.path_of(written, records), ..hint.clone() },
        _ => hint.clone(),
    };
    resource.column_hints.iter().map(meant).collect()
}

/// A decoder of records, whose batches are the table's.
#[derive(Debug)]
pub(super) struct ShapedDecoder<'r, 'a> {
    run: &'r ResourceRun<'a>,
    pub(super) pages: PageDecoder,
    pub(super) shapes: Shapes,
    reshaper: Option<Reshaper>,
}

impl<'r, 'a> ShapedDecoder<'r, 'a> {
    /// A decoder of records that are at `selector`.
    pub(super) fn new(run: &'r ResourceRun<'a>, shapes: Shapes, selector: Option<JsonPath>) -> Result<Self> {
        let options = DecodeOptions { depth_max: run.limits.nesting_depth_max, unknown_fields: UnknownFields::Reject };
        let rules = rules(run.resource, &shapes.records);
        let pages = PageDecoder::with_rules(&shapes.records, &rules, selector, Vec::new(), options);
        let pages = pages.passing_over_hollow(run.resource.shape.has_child_tables);
        let mut pages = pages.keeping(shapes.fixed(run.resource));
        if takes_deletes(run.resource) {
            pages = pages.with_deletes(&shapes.records, &shapes.key(run.resource));
        }
        let reshaper = reshaper(run.resource, &shapes)?;
        Ok(Self { run, pages, shapes, reshaper })
    }

    /// From the next page on, records and table are of `shapes`. Rows that are buffered are lost: [`Self::flush`] them first.
    pub(super) fn become_of(&mut self, shapes: Shapes) -> Result<()> {
        self.reshaper = reshaper(self.run.resource, &shapes)?;
        self.pages.read_by(rules(self.run.resource, &shapes.records));
        self.pages.become_of(&shapes.records, &shapes.key(self.run.resource));
        self.shapes = shapes;
        Ok(())
    }

    /// Takes the buffered rows out, as rows of the table.
    pub(super) fn flush(&mut self) -> Result<RecordBatch> {
        let name = &self.run.resource.name;
        let batch = self.pages.flush().map_err(|error| error.into_error(name, None))?;
        match &self.reshaper {
            Some(reshaper) => reshaper.reshape(&batch).map_err(|error| not_reshaped(name, error)),
            None => Ok(batch),
        }
    }
}

fn takes_deletes(resource: &ResourceSpec) -> bool {
    resource.write_disposition == WriteDisposition::Merge && resource.merge.deletes.is_some()
}

/// How the fields of `records` are read.
fn rules(resource: &ResourceSpec, records: &RecordSchema) -> FieldRules {
    if resource.shape.is_plain() || resource.schema.is_some() {
        return resource.field_rules.clone();
    }
    FieldRules::default().with_hints(&hints(resource, records))
}

fn reshaper(resource: &ResourceSpec, shapes: &Shapes) -> Result<Option<Reshaper>> {
    if resource.shape.is_plain() {
        return Ok(None);
    }
    let (records, table) = (&shapes.records, &shapes.table);
    let (from, to) = if takes_deletes(resource) {
        (records.to_arrow_with_deletes(&shapes.key(resource)), table.to_arrow_with_deletes(&resource.primary_key))
    } else {
        (records.to_arrow(), table.to_arrow())
    };
    Reshaper::new(&from, table, to).map(Some).map_err(|error| not_reshaped(&resource.name, error))
}

fn not_reshaped(name: &str, error: ArrowError) -> Error {
    Error::storage(format!("resource {name}: its records do not make rows of its table")).with_source(error)
}
