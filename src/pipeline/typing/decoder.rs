//! A decoder by the records' own schema, whose batches are the table's.
//!
//! Where the table has the shape of the records, nothing is done and nothing costs.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::decode::{DecodeOptions, EmptyContainers, PageDecoder, RowTarget};
use crate::error::{Error, Result};
use crate::pipeline::shapes::{Shapes, batch_schema, hints, takes_deletes};
use crate::schema::{FieldRules, RecordSchema, Reshaper};
use crate::spec::{JsonPath, Limits, ResourceSpec};

/// A decoder of records, whose batches are the table's.
#[derive(Debug)]
pub(crate) struct ShapedDecoder<'r> {
    resource: &'r ResourceSpec,
    pub(crate) pages: PageDecoder,
    pub(crate) shapes: Shapes,
    reshaper: Option<Reshaper>,
}

impl<'r> ShapedDecoder<'r> {
    /// Returns a decoder of records that are at `selector`.
    pub(crate) fn new(
        resource: &'r ResourceSpec,
        limits: &Limits,
        shapes: Shapes,
        selector: Option<JsonPath>,
    ) -> Result<Self> {
        let options =
            DecodeOptions { depth_max: limits.nesting_depth_max, empty_containers: empty_containers(resource) };
        let pages = with_target(resource, &shapes, |target| PageDecoder::new(target, selector, options));
        let reshaper = reshaper(resource, &shapes)?;
        Ok(Self { resource, pages, shapes, reshaper })
    }

    /// Goes on with records and a table of `shapes`. Rows that are buffered are lost:
    /// [`Self::flush`] them first.
    pub(crate) fn set_shapes(&mut self, shapes: Shapes) -> Result<()> {
        self.reshaper = reshaper(self.resource, &shapes)?;
        with_target(self.resource, &shapes, |target| self.pages.set_target(&target));
        self.shapes = shapes;
        Ok(())
    }

    /// Returns whether as many rows are buffered as go together.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.pages.rows() >= limits.batch_rows || self.pages.bytes() >= limits.batch_bytes
    }

    /// Takes the buffered rows out, as rows of the table.
    pub(crate) fn flush(&mut self) -> Result<RecordBatch> {
        let name = &self.resource.name;
        let batch = self.pages.flush().map_err(|error| error.into_error(name, None))?;
        match &self.reshaper {
            Some(reshaper) => reshaper.reshape(&batch).map_err(|error| not_reshaped(name, error)),
            None => Ok(batch),
        }
    }
}

/// Hands what the records of `shapes` become to `take`.
fn with_target<T>(resource: &ResourceSpec, shapes: &Shapes, take: impl FnOnce(RowTarget<'_>) -> T) -> T {
    let (rules, fixed, key) = (rules(resource, &shapes.records), shapes.fixed(resource), shapes.key(resource));
    take(RowTarget {
        schema: &shapes.records,
        rules: Some(&rules),
        fixed_fields: &fixed,
        delete_key: takes_deletes(resource).then_some(&key),
    })
}

/// Returns what a list or an object that holds nothing says of its field: where lists are tables,
/// it adds none.
pub(crate) fn empty_containers(resource: &ResourceSpec) -> EmptyContainers {
    if resource.shape.has_child_tables { EmptyContainers::AreNull } else { EmptyContainers::AreValues }
}

/// Returns how the fields of `records` are read.
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
    let from =
        if takes_deletes(resource) { records.to_arrow_with_deletes(&shapes.key(resource)) } else { records.to_arrow() };
    Reshaper::new(&from, table, batch_schema(resource, table))
        .map(Some)
        .map_err(|error| not_reshaped(&resource.name, error))
}

fn not_reshaped(name: &str, error: ArrowError) -> Error {
    Error::defect(format!("resource {name}: its records do not make rows of its table")).with_source(error)
}
