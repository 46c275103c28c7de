//! Plain files under fixed names, which any reader can glob.
//!
//! A commit is a document in `_lakefeed/commits`. Its staged files are copied to their final names
//! after it, so that a reader who globs sees the table before the commit or after it, file by file.
//! [`protocol`] has the ordering rules, [`recover`] finishes what a dead run began, [`file_names`]
//! says which names files get.

mod file_names;
mod protocol;
mod recover;

use async_trait::async_trait;

use crate::commit::lease::TableLock;
use crate::format::glob::protocol::State;
use crate::format::{CommitDraft, CommitFailure, CommitOutcome, TableFormat};
use crate::log::document::CommitDocument;
use crate::log::load::{Loaded, load};
use crate::log::snapshot::Snapshot;
use crate::log::snapshot_file;
use crate::parquet::alignment::PageAlignment;
use crate::staging::area::FileNaming;
use crate::storage::objects::Storage;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::RowCounts;

/// A table of plain files.
#[derive(Debug)]
pub(crate) struct GlobTable {
    storage: Storage,
    /// Commits after which a snapshot file is due.
    commits_per_snapshot_file: u64,
}

impl GlobTable {
    pub(crate) fn new(storage: Storage, commits_per_snapshot_file: u64) -> Self {
        Self { storage, commits_per_snapshot_file }
    }

    fn document(&self, base: &Snapshot, draft: CommitDraft) -> CommitDocument {
        let commit = base.version + 1;
        let staged = self.storage.layout.staged(&draft.run_id, commit);
        let named =
            file_names::name(base, draft.changes, |file| self.storage.layout.relative(&staged.file(file)).to_owned());
        let written = named.adds.iter().map(|added| added.rows).sum();
        CommitDocument {
            version: CommitDocument::VERSION,
            commit,
            run_id: draft.run_id,
            time: draft.time,
            resource: draft.table.resource,
            disposition: draft.table.disposition,
            merge: draft.table.merge,
            operation: draft.operation,
            primary_key: draft.table.primary_key,
            partition_by: draft.table.partition_by,
            schema: draft.table.schema,
            checkpoint: draft.table.checkpoint,
            counts: RowCounts { written, ..draft.counts },
            adds: named.adds,
            removes: named.removes,
            retires: draft.retires,
            rejects: draft.rejects,
            settled: draft.settled,
            full_refresh: draft.full_refresh,
            schema_changes: draft.schema_changes,
        }
    }
}

#[async_trait]
impl TableFormat for GlobTable {
    async fn load(&self) -> Result<Loaded> {
        load(&self.storage).await
    }

    fn name(&self, base: &Snapshot, run_id: &str) -> FileNaming {
        let commit = base.version + 1;
        FileNaming { staged: self.storage.layout.staged(run_id, commit), alignment: PageAlignment::of(commit) }
    }

    async fn commit(
        &self,
        lock: &TableLock,
        base: &mut Loaded,
        draft: CommitDraft,
    ) -> Result<CommitOutcome, CommitFailure> {
        let document = self.document(&base.snapshot, draft);
        protocol::drive(&self.storage, lock, &document, State::Staged).await?;
        let outcome = CommitOutcome {
            commit: Some(document.commit),
            rows: document.counts,
            files: document.file_changes(&base.snapshot.files),
            bytes_written: document.adds.iter().map(|added| added.bytes).sum(),
            rejects: document.rejects.as_ref().map(|rejects| rejects.path.clone()),
        };
        base.advance(&self.storage, document).map_err(CommitFailure::Unfinished)?;
        base.snapshot.published = true;
        snapshot_file::write_if_due(&self.storage, &base.snapshot, base.snapshot_file, self.commits_per_snapshot_file)
            .await;
        Ok(outcome)
    }

    async fn recover(&self, lock: &TableLock, loaded: &mut Loaded) -> Result<Option<u64>> {
        recover::roll_forward(&self.storage, lock, loaded).await
    }

    async fn explain(&self, base: &Snapshot, error: Error) -> Error {
        protocol::explain(&self.storage, base.version + 1, error).await
    }
}
