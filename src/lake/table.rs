//! A table: what anyone may read of it, and how a run begins to write.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::journal::TableJournal;
use super::lease::TableLock;
use super::probe::check_store;
use super::recover;
use super::schema::{Agreed, Wanted, reconcile};
use super::snapshot::{Snapshot, load};
use super::storage::Storage;
use super::writer::{Session, TableWriter};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::schema::{Conflicts, RecordSchema, with_load_metadata};
use crate::spec::{Limits, PartitionField, WriteDisposition};

/// A folder of the lake that holds the rows of one resource.
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) storage: Storage,
}

/// What a run is going to write.
#[derive(Debug, Clone)]
pub struct WriteSpec {
    /// The run; letters, digits, `-` and `_`.
    pub run_id: String,
    /// The resource whose rows they are.
    pub resource: String,
    /// What happens to the rows that are there.
    pub disposition: WriteDisposition,
    /// Whether the table is built anew from this run alone, whatever the disposition says of the rows that are there.
    pub full_refresh: bool,
    /// The columns that identify a row; not empty for a merge.
    pub primary_key: Vec<String>,
    /// How rows are spread over folders.
    pub partition_by: Vec<PartitionField>,
    /// The shape of every batch.
    pub schema: Arc<RecordSchema>,
    /// Whether rows say which run they came with, and when.
    pub load_metadata: bool,
    /// What becomes of a column of the table whose values and the run's no type holds without loss.
    pub conflicts: Conflicts,
    /// The bounds of the run.
    pub limits: Limits,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl WriteSpec {
    /// Whether none of the rows that are there stays.
    pub(super) fn replaces(&self) -> bool {
        self.full_refresh || self.disposition == WriteDisposition::Replace
    }

    /// The shape of rows, when records are of `schema`.
    pub(super) fn of_rows(&self, schema: &Arc<RecordSchema>) -> Result<Arc<RecordSchema>> {
        if !self.load_metadata {
            return Ok(Arc::clone(schema));
        }
        with_load_metadata(schema).map(Arc::new).map_err(|error| {
            Error::schema(format!("resource {}: its records have a field that load_metadata adds", self.resource))
                .with_source(error)
                .with_hint("leave load_metadata out, or rename the field with a map of processing_steps")
        })
    }

    /// What the run wants of the table, when its rows are of `schema`.
    pub(super) fn wanted<'a>(&'a self, schema: &'a Arc<RecordSchema>) -> Wanted<'a> {
        Wanted {
            replaces: self.replaces(),
            schema,
            primary_key: &self.primary_key,
            partition_by: &self.partition_by,
            conflicts: self.conflicts,
        }
    }
}

impl Table {
    pub(super) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// The table's folder, as a URL or path.
    pub fn url(&self) -> String {
        self.storage.url.clone()
    }

    /// The table as its last commit left it. Needs no lock.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        Ok(load(&self.storage).await?.snapshot)
    }

    /// The bytes of a data file of a snapshot.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn read_file(&self, path: &str) -> Result<Bytes> {
        self.storage.get(&self.storage.resolve(path)?).await
    }

    /// The pages that runs have kept for others to go on from; `run_id` is this one's.
    pub fn journal(&self, run_id: &str) -> TableJournal {
        TableJournal::new(self.storage.clone(), run_id)
    }

    /// Begins to write: takes the table, finishes what a dead run began, and checks that the run's schema fits.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::error::ErrorKind) when another run has the table, `Schema` when the run does not
    /// fit it, `Storage` when the store fails or ignores conditional writes, `Config` when the spec contradicts itself.
    pub async fn begin(&self, write: WriteSpec) -> Result<TableWriter> {
        check(&write)?;
        let storage = self.storage.clone();
        if storage.folder.is_none() {
            check_store(&storage).await?;
        }
        let lock = TableLock::acquire(&storage, &write.run_id, &write.clock).await?;
        match Box::pin(prepare(&storage, &lock, &write)).await {
            Ok(prepared) => {
                let Prepared { snapshot, recovered, agreed, garbage } = prepared;
                let session = Session { storage, write, lock, snapshot, agreed, garbage };
                TableWriter::new(session, recovered).await
            }
            Err(error) => {
                lock.release(&storage).await;
                Err(error)
            }
        }
    }
}

struct Prepared {
    snapshot: Snapshot,
    recovered: Option<u64>,
    agreed: Agreed,
    garbage: std::collections::BTreeSet<String>,
}

async fn prepare(storage: &Storage, lock: &TableLock, write: &WriteSpec) -> Result<Prepared> {
    let mut loaded = load(storage).await?;
    let recovered = recover::roll_forward(storage, lock, &mut loaded).await?;
    let mut garbage = recover::staged_runs(storage).await?;
    garbage.remove(&write.run_id);
    if lock.excludes_sleepers() {
        garbage = recover::sweep_all_but_journals(storage, &garbage).await?;
    }
    let agreed = reconcile(&storage.url, &loaded.snapshot, write.wanted(&write.of_rows(&write.schema)?))?;
    Ok(Prepared { snapshot: loaded.snapshot, recovered, agreed, garbage })
}

fn check(write: &WriteSpec) -> Result<()> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if write.run_id.is_empty() || !write.run_id.bytes().all(safe) {
        return Err(Error::config(format!("run id {:?} is not made of letters, digits, - and _", write.run_id)));
    }
    if write.disposition == WriteDisposition::Merge && write.primary_key.is_empty() {
        return Err(Error::config(format!("resource {}: a merge needs a primary key", write.resource))
            .with_hint("set primary_key, or write_disposition: append"));
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

#[cfg(test)]
mod tests;
