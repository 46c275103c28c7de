//! A table: what anyone may read of it, and how a run begins to write.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use super::journal::TableJournal;
use super::lease::TableLock;
use super::patience::Patience;
use super::probe::check_store;
use super::reader::{Source, decode};
use super::recover;
use super::schema::{Agreed, Wanted, conform, reconcile};
use super::snapshot::{Loaded, Snapshot, load};
use super::storage::Storage;
use super::strategy::TableRules;
use super::writer::{Session, TableWriter};
use crate::spec::{MergeSpec, PartitionField, StrategyName};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{Conflicts, RecordSchema};
use lakefeed_model::spec::{Limits, WriteDisposition};

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
    /// How it merges, where the disposition is a merge.
    pub merge: MergeSpec,
    /// The columns that identify a row; not empty for a merge, but for those that do without.
    pub primary_key: Vec<String>,
    /// How rows are spread over folders.
    pub partition_by: Vec<PartitionField>,
    /// The shape of the records: of every batch, but that a merge with deletes takes batches of
    /// [`RecordSchema::to_arrow_with_deletes`]. The table has the columns that the merge adds, too.
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

    /// Reads the first `limit` rows of a snapshot of this table, file after file in the order of their paths. All batches have the
    /// Arrow schema of the snapshot; what a file of an older commit lacks, a column or a member of an object, is null.
    ///
    /// # Errors
    /// When a file is not there, cannot be read, or has other columns than the snapshot.
    pub async fn first_rows(&self, snapshot: &Snapshot, limit: usize) -> Result<Vec<RecordBatch>> {
        let Some(shape) = snapshot.schema.as_ref().map(|schema| schema.to_arrow()) else { return Ok(Vec::new()) };
        let (mut rows, mut left) = (Vec::new(), limit);
        for (path, file) in &snapshot.files {
            if left == 0 {
                break;
            }
            let source = Source { path: self.storage.resolve(path)?, bytes: file.bytes };
            let mut batches = decode(&self.storage, &source, self.read_file(path).await?, false)?;
            while left > 0
                && let Some(batch) = batches.try_next().await?
            {
                let batch = batch.slice(0, left.min(batch.num_rows()));
                left -= batch.num_rows();
                let fails = |error| self.storage.failed("read", &source.path, error);
                rows.push(conform(&batch, &shape).map_err(fails)?);
            }
        }
        Ok(rows)
    }

    /// The bytes of a data file of a snapshot, piece by piece.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn stream_file(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.storage.stream(&self.storage.resolve(path)?).await
    }

    /// Waits for the table where another run holds it, as long as `patience` lasts, instead of failing at once.
    #[must_use]
    pub fn waiting(mut self, patience: Patience) -> Self {
        self.storage.patience = Some(patience);
        self
    }

    /// Waits until nobody else holds the table: takes it and gives it back. A run reads its cursor after that, so that it goes on from what the
    /// run that it has waited for has left. The table may be taken again right away: only [`Self::begin`] keeps it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when it is still held at the end of [`Self::waiting`]'s patience, `Storage` when the store fails.
    pub async fn wait_until_free(&self, run_id: &str, clock: &Arc<dyn Clock>) -> Result<()> {
        let lock = TableLock::acquire(&self.storage, run_id, clock).await?;
        lock.release(&self.storage).await;
        Ok(())
    }

    /// The pages that runs have kept for others to go on from; `run_id` is this one's.
    pub fn journal(&self, run_id: &str) -> TableJournal {
        TableJournal::new(self.storage.clone(), run_id)
    }

    /// Begins to write: takes the table, finishes what a dead run began, and checks that the run's schema fits.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when another run has the table, `Schema` when the run does not
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
                let Prepared { snapshot, folded, recovered, agreed, garbage, strategy } = prepared;
                let storage = storage.aiming_at(snapshot.version + 1);
                let write = WriteSpec { schema: agreed.of_the_run(&write.schema), ..write };
                let session = Session { storage, write, lock, snapshot, agreed, folded, strategy, garbage };
                TableWriter::new(session, recovered).await
            }
            Err(error) => {
                let error = lock.explain(&storage, error).await;
                lock.release(&storage).await;
                Err(error)
            }
        }
    }
}

struct Prepared {
    snapshot: Snapshot,
    folded: u64,
    recovered: Option<u64>,
    agreed: Agreed,
    garbage: std::collections::BTreeSet<String>,
    strategy: TableRules,
}

async fn prepare(storage: &Storage, lock: &TableLock, write: &WriteSpec) -> Result<Prepared> {
    let mut loaded = load(storage).await?;
    let recovered = recover::roll_forward(storage, lock, &mut loaded).await?;
    let mut garbage = recover::staged_runs(storage).await?;
    garbage.remove(&write.run_id);
    if lock.excludes_sleepers() {
        garbage = recover::sweep_all_but_journals(storage, &garbage, u64::MAX).await?;
    }
    let strategy = TableRules::of(write, &loaded.snapshot, write.clock.now(), &storage.url)?;
    let agreed = reconcile(&storage.url, &loaded.snapshot, write.wanted(&strategy.table_schema))?;
    let Loaded { snapshot, folded, .. } = loaded;
    Ok(Prepared { snapshot, folded, recovered, agreed, garbage, strategy })
}

pub(super) fn check_run_id(run_id: &str) -> Result<()> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if run_id.is_empty() || !run_id.bytes().all(safe) {
        return Err(Error::config(format!("run id {run_id:?} is not made of letters, digits, - and _")));
    }
    Ok(())
}

fn check(write: &WriteSpec) -> Result<()> {
    check_run_id(&write.run_id)?;
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

#[cfg(test)]
mod tests;
