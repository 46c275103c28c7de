//! A table: what anyone may read of it, and how a run begins to write.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use crate::journal::TableJournal;
use crate::lease::TableLock;
use crate::load::{Loaded, load};
use crate::patience::Patience;
use crate::probe::check_store;
use crate::reader::{Source, decode};
use crate::recover;
use crate::schema::{Agreed, conform, reconcile};
use crate::snapshot::Snapshot;
use crate::storage::Storage;
use crate::strategy::TableRules;
use crate::sweep::{staged_runs, sweep_all_but_journals};
use crate::write_spec::{WriteSpec, check};
use crate::writer::{Session, TableWriter};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::Result;

/// A folder of the lake that holds the rows of one resource.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) storage: Storage,
}

impl Table {
    pub(crate) fn new(storage: Storage) -> Self {
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
    let mut garbage = staged_runs(storage).await?;
    garbage.remove(&write.run_id);
    if lock.excludes_sleepers() {
        garbage = sweep_all_but_journals(storage, &garbage, u64::MAX).await?;
    }
    let strategy = TableRules::of(write, &loaded.snapshot, write.clock.now(), &storage.url)?;
    let agreed = reconcile(&storage.url, &loaded.snapshot, write.wanted(&strategy.table_schema))?;
    let Loaded { snapshot, folded, .. } = loaded;
    Ok(Prepared { snapshot, folded, recovered, agreed, garbage, strategy })
}

#[cfg(test)]
mod tests;
