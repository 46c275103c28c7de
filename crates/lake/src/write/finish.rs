//! Ends a run: by its one commit, or by none.

use std::sync::Arc;

use crate::commit::sweep::sweep_staging;
use crate::format::{CommitDraft, CommitOutcome};
use crate::log::document::{Operation, RejectsFile, TableDescription};
use crate::rejects::writer::keep;
use crate::staging::changes::Changes;
use crate::write::session::Session;
use crate::write::staged_rows::CompletedRows;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::Result;
use lakefeed_model::event::RowCounts;

impl Session {
    pub(super) async fn commit(mut self, staged: CompletedRows, checkpoint: Checkpoint) -> Result<CommitOutcome> {
        if !self.changes_anything(&staged.changes, &checkpoint) && staged.settled.is_empty() {
            return self.finish_unchanged(staged.rejects, staged.counts).await;
        }
        let draft = self.draft(staged, checkpoint);
        let committed = self.held.commit(draft).await;
        if committed.is_ok() {
            // Best effort: what is left is swept by a later run.
            drop(sweep_staging(self.held.storage(), &self.garbage, self.held.snapshot().version).await);
        }
        self.held.release().await;
        committed
    }

    fn changes_anything(&self, changes: &Changes, checkpoint: &Checkpoint) -> bool {
        let (snapshot, write) = (self.held.snapshot(), &self.write);
        !changes.is_empty()
            || snapshot.checkpoint.as_ref() != Some(checkpoint)
            || snapshot.schema.as_ref() != Some(&self.agreed.schema)
            || snapshot.primary_key != write.primary_key
            || snapshot.partition_by != write.partition_by
    }

    fn draft(&self, staged: CompletedRows, checkpoint: Checkpoint) -> CommitDraft {
        let write = &self.write;
        let CompletedRows { changes, rejects, settled, counts } = staged;
        let table = TableDescription {
            resource: write.resource.clone(),
            disposition: write.disposition,
            merge: self.rules.stored.clone(),
            primary_key: write.primary_key.clone(),
            partition_by: write.partition_by.clone(),
            schema: Arc::clone(&self.agreed.schema),
            checkpoint,
        };
        CommitDraft {
            changes,
            counts,
            rejects,
            settled: settled.into_documents(),
            full_refresh: write.full_refresh,
            schema_changes: self.agreed.changes.clone(),
            ..self.held.draft(Operation::Load, table)
        }
    }

    /// Ends a run that has nothing to commit. Refused records are kept all the same, under a name
    /// that says so.
    async fn finish_unchanged(self, rejects: Option<RejectsFile>, counts: RowCounts) -> Result<CommitOutcome> {
        let renamed = rejects.map(|file| self.after_the_last_commit(file)).transpose();
        let kept = match renamed {
            Ok(rejects) => self.keep_rejects(rejects.as_ref()).await.map(|()| rejects.map(|file| file.path)),
            Err(error) => Err(error),
        };
        let Self { held, garbage, .. } = self;
        // A zombie writer can still make the next commit (rule 6). Best effort: what is left is
        // swept by a later run.
        if held.excludes_zombies() {
            drop(sweep_staging(held.storage(), &garbage, u64::MAX).await);
        }
        let swept = match kept {
            Ok(rejects) => held.delete_staged().await.map(|()| rejects),
            Err(error) => Err(error),
        };
        held.release().await;
        let rejects = swept?;
        Ok(CommitOutcome { commit: None, rows: counts, files: Vec::new(), bytes_written: 0, rejects })
    }

    fn after_the_last_commit(&self, file: RejectsFile) -> Result<RejectsFile> {
        let storage = self.held.storage();
        let path = storage.layout.rejects_after(&storage.resolve(&file.path)?, self.held.snapshot().version);
        Ok(RejectsFile { path: storage.layout.relative(&path).to_owned(), ..file })
    }

    pub(super) async fn keep_rejects(&self, rejects: Option<&RejectsFile>) -> Result<()> {
        let Some(file) = rejects else { return Ok(()) };
        keep(self.held.storage(), file).await
    }
}
