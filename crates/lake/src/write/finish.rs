//! The end of a run: its one commit, or none.

use std::sync::Arc;

use crate::commit::protocol::{self, State};
use crate::commit::sweep::sweep_staging;
use crate::log::changes::Changes;
use crate::log::document::{CommitDocument, Operation, RejectsFile};
use crate::log::snapshot::Snapshot;
use crate::log::snapshot_file;
use crate::write::writer::{CommitOutcome, Session, Staged};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::RowCounts;

impl Session {
    pub(super) async fn commit(self, staged: Staged, checkpoint: Checkpoint) -> Result<CommitOutcome> {
        if !self.changes_anything(&staged.changes, &checkpoint) && staged.settled.is_empty() {
            return self.finish_unchanged(staged.rejects, staged.counts).await;
        }
        let document = self.document(staged, checkpoint);
        match protocol::drive(&self.storage, &self.lock, &document, State::Staged).await {
            Ok(()) => {
                let outcome = outcome_of(&document, &self.snapshot);
                let Self { storage, lock, garbage, snapshot, snapshot_file, .. } = self;
                if let Ok(snapshot) = snapshot.apply(&document) {
                    snapshot_file::write_if_due(&storage, &snapshot, snapshot_file).await;
                }
                // Best effort: what is left is swept by a later run.
                drop(sweep_staging(&storage, &garbage, document.commit).await);
                lock.release(&storage).await;
                Ok(outcome)
            }
            Err(failure) => {
                if failure.nothing_happened {
                    self.abandon().await;
                } else {
                    self.lock.release(&self.storage).await;
                }
                Err(failure.error)
            }
        }
    }

    fn changes_anything(&self, changes: &Changes, checkpoint: &Checkpoint) -> bool {
        let Self { snapshot, write, .. } = self;
        !changes.adds.is_empty()
            || !changes.removes.is_empty()
            || snapshot.checkpoint.as_ref() != Some(checkpoint)
            || snapshot.schema.as_ref() != Some(&self.agreed.schema)
            || snapshot.primary_key != write.primary_key
            || snapshot.partition_by != write.partition_by
    }

    fn document(&self, staged: Staged, checkpoint: Checkpoint) -> CommitDocument {
        let write = &self.write;
        let Staged { changes, rejects, settled, counts } = staged;
        CommitDocument {
            version: CommitDocument::VERSION,
            commit: self.snapshot.version + 1,
            run_id: write.run_id.clone(),
            time: write.clock.now(),
            resource: write.resource.clone(),
            disposition: write.disposition,
            merge: self.strategy.stored.clone(),
            operation: Operation::Load,
            primary_key: write.primary_key.clone(),
            partition_by: write.partition_by.clone(),
            schema: Arc::clone(&self.agreed.schema),
            checkpoint,
            counts,
            adds: changes.adds,
            removes: changes.removes,
            retires: Vec::new(),
            rejects,
            settled: settled.into_documents(),
            full_refresh: write.full_refresh,
            schema_changes: self.agreed.changes.clone(),
        }
    }

    /// There is nothing to commit; refused records are kept all the same, under a name that says so.
    async fn finish_unchanged(self, rejects: Option<RejectsFile>, counts: RowCounts) -> Result<CommitOutcome> {
        let renamed = rejects.map(|file| self.after_the_last_commit(file)).transpose();
        let kept = match renamed {
            Ok(rejects) => self.keep_rejects(rejects.as_ref()).await.map(|()| rejects.map(|file| file.path)),
            Err(error) => Err(error),
        };
        let Self { storage, write, lock, garbage, .. } = self;
        // A run that may be asleep can still make the next commit (rule 6). Best effort: what is left is swept by a later run.
        if lock.excludes_zombies() {
            drop(sweep_staging(&storage, &garbage, u64::MAX).await);
        }
        let swept = match kept {
            Ok(rejects) => storage.delete_all(&storage.layout.staging_of(&write.run_id)).await.map(|()| rejects),
            Err(error) => Err(error),
        };
        lock.release(&storage).await;
        let rejects = swept?;
        Ok(CommitOutcome { commit: None, rows: counts, files: Vec::new(), bytes_written: 0, rejects })
    }

    fn after_the_last_commit(&self, file: RejectsFile) -> Result<RejectsFile> {
        let layout = &self.storage.layout;
        let path = layout.rejects_after(&self.storage.resolve(&file.path)?, self.snapshot.version);
        Ok(RejectsFile { path: layout.relative(&path).to_owned(), ..file })
    }

    pub(super) async fn keep_rejects(&self, rejects: Option<&RejectsFile>) -> Result<()> {
        let Some(file) = rejects else { return Ok(()) };
        let (from, to) = (self.storage.resolve(&file.staged)?, self.storage.resolve(&file.path)?);
        self.storage.sync_content(std::slice::from_ref(&from)).await?;
        if self.storage.copy(&from, &to).await? {
            self.storage.sync_names(&[to]).await
        } else {
            Err(Error::storage(format!("the staged rejects {} are gone", self.storage.show(&from))))
        }
    }

    /// Lets go without a commit: deletes what was staged as far as the store lets it, gives the table back.
    pub(super) async fn abandon(self) {
        let Self { storage, write, lock, .. } = self;
        drop(storage.delete_all(&storage.layout.staging_of(&write.run_id)).await);
        lock.release(&storage).await;
    }
}

fn outcome_of(document: &CommitDocument, before: &Snapshot) -> CommitOutcome {
    CommitOutcome {
        commit: Some(document.commit),
        rows: document.counts,
        files: document.file_changes(before),
        bytes_written: document.adds.iter().map(|added| added.bytes).sum(),
        rejects: document.rejects.as_ref().map(|rejects| rejects.path.clone()),
    }
}
