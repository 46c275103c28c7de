//! A run's hold on its table, and what the run and the table agree on.

use std::collections::BTreeSet;

use crate::evolve::reconcile::Agreed;
use crate::held_table::HeldTable;
use crate::merge::rules::TableRules;
use crate::staging::area::FileShape;
use crate::write_spec::WriteSpec;
use lakefeed_model::error::{Error, Result};

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
    /// Checks that a table of `before` rows may lose `lost` of them because they did not come.
    pub(super) fn check_shrink(&self, lost: u64, before: u64, came: bool) -> Result<()> {
        let Self { held, write, .. } = self;
        let Some(bound) = write.limits.shrinks_too_much(lost, before, came) else { return Ok(()) };
        let (resource, url) = (&write.resource, &held.storage().url);
        Err(Error::incomplete(format!(
            "resource {resource}: {lost} of {before} rows of table {url} did not come and would be gone, and limits.shrink_max is {bound}; nothing was changed"
        ))
        .with_hint("look at what the API gave; if it is right, run once with --allow-shrink, or raise limits.shrink_max"))
    }

    /// Returns the shape of the data files of the table.
    pub(super) fn file_shape(&self) -> FileShape<'_> {
        let Self { agreed, write, .. } = self;
        let (schema, arrow_schema) = (agreed.schema.as_ref(), agreed.arrow_schema());
        FileShape { schema, arrow_schema, primary_key: &write.primary_key, order: None }
    }
}
