//! What a run is going to write, and whether that is consistent.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::evolve::reconcile::Wanted;
use crate::spec::{MergeSpec, PartitionField, StrategyName};
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{Conflicts, RecordSchema};
use lakefeed_model::spec::{Limits, WriteDisposition};

/// What a run is going to write.
#[derive(Debug, Clone)]
pub struct WriteSpec {
    /// The run; letters, digits, `-` and `_`.
    pub run_id: String,
    /// The resource whose rows they are.
    pub resource: String,
    /// What happens to the rows that are there.
    pub disposition: WriteDisposition,
    /// Whether the table is built anew from this run alone, whatever the disposition says.
    pub full_refresh: bool,
    /// How the run merges, where the disposition is a merge.
    pub merge: MergeSpec,
    /// The columns that identify a row; a merge without them identifies rows by what they hold.
    pub primary_key: Vec<String>,
    /// How rows are spread over folders.
    pub partition_by: Vec<PartitionField>,
    /// The shape of the records, and of every batch. A merge with deletes takes batches of
    /// [`RecordSchema::to_arrow_with_deletes`]. The table has the columns that the merge adds, too.
    pub schema: Arc<RecordSchema>,
    /// Whether rows say which run they came with, and when.
    pub load_metadata: bool,
    /// What becomes of a column where no type holds both the table's values and the run's without
    /// loss.
    pub conflicts: Conflicts,
    /// The bounds of the run.
    pub limits: Limits,
    /// The folder in which keys wait that do not fit into memory.
    pub temporary_folder: PathBuf,
}

impl WriteSpec {
    /// Returns whether none of the rows that are there stays.
    pub(crate) fn replaces(&self) -> bool {
        self.full_refresh || self.disposition == WriteDisposition::Replace
    }

    /// Returns what the run wants of the table, when its rows are of `schema`.
    pub(crate) fn wanted<'a>(&'a self, schema: &'a Arc<RecordSchema>) -> Wanted<'a> {
        Wanted {
            replaces: self.replaces(),
            schema,
            primary_key: &self.primary_key,
            partition_by: &self.partition_by,
            conflicts: self.conflicts,
        }
    }
}

pub(crate) fn check(write: &WriteSpec) -> Result<()> {
    if write.disposition == WriteDisposition::Merge && write.primary_key.is_empty() {
        let does_without = match write.merge.strategy.name() {
            StrategyName::DeleteInsert => !write.merge.merge_key.is_empty(),
            StrategyName::Scd2 => write.merge.deletes.is_none(),
            StrategyName::Upsert | StrategyName::InsertOnly => false,
        };
        if !does_without || write.merge.precedence.is_some() {
            return Err(Error::config(format!("resource {}: a merge needs a primary key", write.resource))
                .with_hint("set primary_key, or write_disposition: append"));
        }
    }
    if let Some(name) = write.merge.merge_key.iter().find(|name| write.schema.column(name).is_none()) {
        return Err(Error::config(format!(
            "resource {}: the merge key column {name:?} is not a column of the schema",
            write.resource
        )));
    }
    let mut seen = HashSet::new();
    for name in &write.primary_key {
        if write.schema.column(name).is_none() || !seen.insert(name) {
            return Err(Error::config(format!(
                "resource {}: the primary key column {name:?} is not a column of the schema, or named twice",
                write.resource
            )));
        }
    }
    Ok(())
}
