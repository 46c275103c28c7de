//! A run's hold on its table, and what the run and the table agree on.

use std::collections::BTreeSet;

use crate::evolve::reconcile::Agreed;
use crate::held_table::HeldTable;
use crate::merge::rules::TableRules;
use crate::staging::area::FileShape;
use crate::write_spec::WriteSpec;

/// The run's hold on its table.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) held: HeldTable,
    pub(super) write: WriteSpec,
    /// The schema that the run and the table agree on.
    pub(super) agreed: Agreed,
    pub(super) rules: TableRules,
    /// Runs whose staging may be swept once this run has committed.
    pub(super) garbage: BTreeSet<String>,
}

impl Session {
    /// Returns the shape of the data files of the table.
    pub(super) fn file_shape(&self) -> FileShape<'_> {
        let Self { agreed, write, .. } = self;
        let (schema, arrow_schema) = (agreed.schema.as_ref(), agreed.arrow_schema());
        FileShape { schema, arrow_schema, primary_key: &write.primary_key, order: None }
    }
}
