//! One listing of an API, and the table that it feeds.

use std::sync::Arc;

use super::{Asked, DeletesSpec, EndpointSpec, JsonPath, MergeSpec, PartitionField, SchemaContract, WriteDisposition};
use crate::expression::Expression;
use crate::schema::{ColumnHint, FieldRules, RecordSchema, TableShape};

/// One listing of an API, and the table that it feeds.
#[derive(Debug, Clone)]
pub(crate) struct ResourceSpec {
    /// The resource's name; unique in its pipeline.
    pub name: String,
    /// The folder of its table below the destination; one safe path segment.
    pub table_name: String,
    /// What to ask for.
    pub endpoint: EndpointSpec,
    /// The shape of a record, from the schema file; `None` when it is to be inferred from the first
    /// pages.
    pub schema: Option<Arc<RecordSchema>>,
    /// What the pipeline file says about single columns; in `schema` already, and to be said of an
    /// inferred one.
    pub column_hints: Vec<ColumnHint>,
    /// How single fields are read.
    pub field_rules: FieldRules,
    /// The columns that identify a record; not empty for `merge`, but for what [`Self::merge`] does
    /// without.
    pub primary_key: Vec<String>,
    /// What a run does with the rows that are already there.
    pub write_disposition: WriteDisposition,
    /// How it merges, where the disposition is `merge`.
    pub merge: MergeSpec,
    /// Which records delete; there when [`MergeSpec::deletes`] is.
    pub deletes: Option<DeletesSpec>,
    /// How rows are spread over folders; empty for a table of one folder.
    pub partition_by: Vec<PartitionField>,
    /// Whose records this one is asked for with; `None` for a listing of its own.
    pub parent: Option<ParentSpec>,
    /// Whether the resource has a table. One that has none is read for its children only.
    pub selected: bool,
    /// What may become of the table's schema.
    pub schema_contract: SchemaContract,
    /// Levels of objects and lists that stay native; deeper ones are JSON text. All of them when
    /// `None`.
    pub nested_levels: Option<u32>,
    /// How the columns of the table come of the fields of the records. Names of columns here are
    /// those of the table.
    pub shape: TableShape,
    /// Whether rows say which run they came with, and when.
    pub load_metadata: bool,
    /// What is done with each record before it is typed, in order.
    pub processing_steps: Vec<ProcessingStep>,
}

/// Something that is done with each record before it is typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ProcessingStep {
    /// Records for which the expression is not true are left out.
    Filter(Expression),
    /// Each field is set to the value of its expression; the other fields stay as they are written.
    Map(Vec<(String, Expression)>),
}

/// The parent of a dependent resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParentSpec {
    /// The parent resource.
    pub resource: String,
    /// The fields of its records that requests are asked with.
    pub fields: Vec<JsonPath>,
    /// The fields of its records that rows of this resource carry, and under which name.
    pub include: Vec<(JsonPath, String)>,
}

impl ResourceSpec {
    /// Returns what its listings ask for.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { resource: &self.name, endpoint: &self.endpoint, has_key: !self.primary_key.is_empty() }
    }
}
