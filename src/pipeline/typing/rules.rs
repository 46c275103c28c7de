//! What the schema contract means for a pass: what may grow, and what becomes of what does not fit.
//! Pure.

use std::sync::Arc;

use crate::decode::{MismatchPolicy, TypeMismatches, UnknownFields};
use crate::error::{Error, Result};
use crate::pipeline::shapes::{Shapes, shaped};
use crate::reject::{Reject, RejectCode};
use crate::schema::{
    Column, Conflicts, Growth, Mismatch, Places, RecordSchema, TableShape, Variant, grow, grow_by_page, member_path,
};
use crate::spec::{ContractMode, ResourceSpec, SchemaContract};

/// What the contract means for this pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    contract: SchemaContract,
    shape: TableShape,
    columns_grow: bool,
    types_grow: bool,
}

impl Rules {
    /// Decides that a table that has no columns yet, and no schema file, takes the shape of its
    /// first run whatever the contract says.
    pub(crate) fn new(resource: &ResourceSpec, is_new: bool) -> Self {
        let contract = resource.schema_contract;
        let is_free = is_new && resource.schema.is_none();
        let grows = |mode| is_free || mode == ContractMode::Evolve;
        let shape = resource.shape;
        Self { contract, shape, columns_grow: grows(contract.columns), types_grow: grows(contract.data_type) }
    }

    /// Returns what a schema file and the table are together. Columns that the table got by
    /// evolving belong to the run, too.
    pub(crate) fn file_and_table(
        self,
        file: &Arc<RecordSchema>,
        stored: Option<&RecordSchema>,
    ) -> Result<Arc<RecordSchema>> {
        let Some(stored) = stored.filter(|_| self.columns_grow) else { return Ok(Arc::clone(file)) };
        let failed =
            |error| Error::schema("the schema file and the table's columns do not go together").with_source(error);
        let known = self.shape.table_of(file).map_err(failed)?;
        let mut columns = file.columns().to_vec();
        let is_evolved = |column: &Column| known.column(&column.name).is_none() && !is_renamed(column, &known, stored);
        for column in stored.without_load_metadata().into_iter().filter(is_evolved) {
            stored.add_source(&mut columns, &Column { nullable: true, ..column });
        }
        file.with_columns(columns).map(Arc::new).map_err(failed)
    }

    /// Returns how a page is looked at first: so that whatever may grow is noticed.
    pub(crate) fn at_first(self) -> MismatchPolicy {
        let last = self.at_last();
        MismatchPolicy {
            unknown_fields: if self.columns_grow { UnknownFields::Collect } else { last.unknown_fields },
            type_mismatches: if self.types_grow { TypeMismatches::Collect } else { last.type_mismatches },
        }
    }

    /// Returns what becomes of what the schema does not take in the end.
    pub(crate) fn at_last(self) -> MismatchPolicy {
        let unknown_fields = match self.contract.columns {
            // What is left now has no place in any schema; it must not get lost unseen.
            ContractMode::Evolve | ContractMode::DiscardRow => UnknownFields::Reject,
            ContractMode::Freeze => UnknownFields::Fail,
            ContractMode::DiscardValue => UnknownFields::Ignore,
        };
        let type_mismatches = match self.contract.data_type {
            ContractMode::Evolve if self.contract.conflicts == Conflicts::Variant => TypeMismatches::Variant,
            ContractMode::Evolve | ContractMode::DiscardRow => TypeMismatches::Reject,
            ContractMode::Freeze => TypeMismatches::Fail,
            ContractMode::DiscardValue => TypeMismatches::Null,
        };
        MismatchPolicy { unknown_fields, type_mismatches }
    }

    /// Returns whether rejects may make the schema grow.
    pub(crate) fn let_grow(self, rejects: &[Reject]) -> bool {
        let grows = |reject: &Reject| {
            (self.types_grow && reject.code.is_about_a_value())
                || (self.columns_grow && reject.code == RejectCode::UnknownField)
        };
        rejects.iter().any(grows)
    }

    /// Returns the schema of records that holds what a page shows, where it differs.
    pub(crate) fn grown_by_page(
        self,
        resource: &ResourceSpec,
        shapes: &Shapes,
        page: &PageShape,
        undoubled: &Places,
    ) -> Option<Arc<RecordSchema>> {
        let (schema, fixed) = (&shapes.records, shapes.fixed(resource));
        let columns =
            grow_by_page(schema.columns(), page.seen.columns(), &page.mismatches, self.growth(&fixed, undoubled));
        changed(schema, columns)
    }

    /// Returns the schema of records that holds one of the shape `seen`, where it differs. Its
    /// value at `path` does not fit.
    pub(crate) fn grown_by_record(
        self,
        resource: &ResourceSpec,
        shapes: &Shapes,
        seen: RecordSchema,
        path: &str,
        undoubled: &Places,
    ) -> Option<Arc<RecordSchema>> {
        let (schema, fixed) = (&shapes.records, shapes.fixed(resource));
        let seen = shaped(resource, seen);
        let growth = self.growth(&fixed, undoubled);
        let columns = grow(schema.columns(), seen.columns(), growth, &Places::from([without_indexes(path)]));
        changed(schema, columns)
    }

    pub(super) fn growth<'g>(self, fixed: &'g [String], undoubled: &'g Places) -> Growth<'g> {
        let types = self.types_grow.then_some(self.contract.conflicts);
        Growth { columns: self.columns_grow, types, fixed, undoubled }
    }
}

/// What a page shows of its records.
#[derive(Debug)]
pub(crate) struct PageShape {
    /// The shape that holds them all.
    seen: RecordSchema,
    /// Those that do not fit.
    mismatches: Vec<Mismatch>,
}

impl PageShape {
    /// Returns what a page of `resource` shows, with objects and lists as deep as the pipeline
    /// wants them.
    pub(crate) fn new(resource: &ResourceSpec, seen: RecordSchema, mut mismatches: Vec<Mismatch>) -> Self {
        for record in &mut mismatches {
            if let Ok(alone) = RecordSchema::new(std::mem::take(&mut record.columns)) {
                record.columns = shaped(resource, alone).columns().to_vec();
            }
        }
        Self { seen: shaped(resource, seen), mismatches }
    }
}

/// Returns the schema with other columns, where they are others.
fn changed(schema: &RecordSchema, columns: Vec<Column>) -> Option<Arc<RecordSchema>> {
    let grown = schema.with_columns(columns).ok()?;
    (grown.columns() != schema.columns()).then(|| Arc::new(grown))
}

/// Writes `$.a[3].b` as `$.a.b`.
pub(super) fn without_indexes(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once(']') {
            Some((index, after)) if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => {
                rest = after;
            }
            Some(_) | None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// Returns whether the table's column gets the name of one of `known` that the table does not have.
fn is_renamed(column: &Column, known: &RecordSchema, stored: &RecordSchema) -> bool {
    known.columns().iter().filter(|new| stored.column(&new.name).is_none()).any(|new| {
        let note = known.notes().get(&member_path("$", &new.name));
        let mut aliases = note.iter().flat_map(|note| &note.aliases);
        let former = aliases.find(|alias| known.column(alias).is_none() && stored.column(alias).is_some());
        former == Some(&column.name)
    })
}

/// Returns the schema with columns for `variants`, where the contract lets them come and it lacks
/// one.
pub(crate) fn grown_by_variants(
    rules: Rules,
    schema: &RecordSchema,
    variants: &[Variant],
) -> Option<Arc<RecordSchema>> {
    let grown = schema.with_variants(&variants.iter().cloned().collect()).ok()?;
    (rules.columns_grow && grown.columns() != schema.columns()).then(|| Arc::new(grown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_indexes_and_nothing_else() {
        for (path, expected) in [
            ("$.a", "$.a"),
            ("$.a[3].b[0]", "$.a.b"),
            ("$['x y'][12]['1']", "$['x y']['1']"),
            ("$['a[1]']", "$['a']"),
            ("$[0", "$[0"),
        ] {
            assert_eq!(without_indexes(path), expected);
        }
    }
}
