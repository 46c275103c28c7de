//! A decoder by the records' own schema, whose batches are the table's.
//!
//! Where the table has the shape of the records, nothing is done and nothing costs.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::decode::{DecodeOptions, PageDecoder, UnknownFields};
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
    /// A decoder of records that are at `selector`.
    pub(crate) fn new(
        resource: &'r ResourceSpec,
        limits: &Limits,
        shapes: Shapes,
        selector: Option<JsonPath>,
    ) -> Result<Self> {
        let options = DecodeOptions { depth_max: limits.nesting_depth_max, unknown_fields: UnknownFields::Reject };
        let rules = rules(resource, &shapes.records);
        let pages = PageDecoder::with_rules(&shapes.records, &rules, selector, Vec::new(), options);
        let pages = pages.passing_over_hollow(resource.shape.has_child_tables);
        let mut pages = pages.keeping(shapes.fixed(resource));
        if takes_deletes(resource) {
            pages = pages.with_deletes(&shapes.records, &shapes.key(resource));
        }
        let reshaper = reshaper(resource, &shapes)?;
        Ok(Self { resource, pages, shapes, reshaper })
    }

    /// From the next page on, records and table are of `shapes`. Rows that are buffered are lost: [`Self::flush`] them first.
    pub(crate) fn become_of(&mut self, shapes: Shapes) -> Result<()> {
        self.reshaper = reshaper(self.resource, &shapes)?;
        self.pages.read_by(rules(self.resource, &shapes.records));
        self.pages.become_of(&shapes.records, &shapes.key(self.resource));
        self.shapes = shapes;
        Ok(())
    }

    /// Whether as many rows are buffered as go together.
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
    let from =
        if takes_deletes(resource) { records.to_arrow_with_deletes(&shapes.key(resource)) } else { records.to_arrow() };
    Reshaper::new(&from, table, batch_schema(resource, table))
        .map(Some)
        .map_err(|error| not_reshaped(&resource.name, error))
}

fn not_reshaped(name: &str, error: ArrowError) -> Error {
    Error::defect(format!("resource {name}: its records do not make rows of its table")).with_source(error)
}
