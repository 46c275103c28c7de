//! One run's writing to a table, from its first batch to its commit.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};

use crate::commit::sweep::sweep_all_but_responses;
use crate::format::CommitOutcome;
use crate::rejects::writer::RejectsWriter;
use crate::write::session::Session;
use crate::write::staged_rows::StagedRows;
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::Result;
use lakefeed_model::reject::Reject;

/// Writes the rows of one run to a table. Nothing is visible before [`Self::commit`]; dropping it
/// without a commit leaves the table as it was.
#[derive(Debug)]
pub struct TableWriter {
    pub(super) session: Box<Session>,
    pub(super) staging: Box<StagedRows>,
}

/// What stays of a run that is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Nothing,
    Pages,
    Rejects,
}

impl TableWriter {
    pub(super) async fn new(session: Session) -> Result<Self> {
        match StagedRows::new(&session) {
            Ok(staging) => Ok(Self { session: Box::new(session), staging: Box::new(staging) }),
            Err(error) => {
                session.held.release().await;
                Err(error)
            }
        }
    }

    /// Returns the commit of an earlier run that was published before this one began, if any.
    pub fn recovered(&self) -> Option<u64> {
        self.session.held.recovered
    }

    /// Returns what this run changes of the table's schema, in words.
    pub fn schema_changes(&self) -> &[String] {
        &self.session.agreed.changes
    }

    /// Returns the checkpoint of the table's last commit, if it has one.
    pub fn last_checkpoint(&self) -> Option<&Checkpoint> {
        self.session.held.snapshot().checkpoint.as_ref()
    }

    /// Returns when the table's last commit was made, if it has one.
    pub fn last_commit_at(&self) -> Option<DateTime<Utc>> {
        self.session.held.snapshot().committed_at
    }

    #[cfg(test)]
    pub(crate) fn lock(&self) -> &crate::commit::lease::TableLock {
        self.session.held.lock()
    }

    /// Returns how many rows so far had a key that came again; the last row counts. Always 0 where
    /// rows are not merged.
    ///
    /// # Errors
    /// When keys that did not fit into memory cannot be read again.
    pub fn duplicates(&mut self) -> Result<u64> {
        self.staging.settle()?;
        Ok(self.staging.counts.duplicate)
    }

    /// Checks that the run does not replace the table by so much less that its limits forbid it.
    ///
    /// # Errors
    /// [`ErrorKind::Incomplete`](lakefeed_model::error::ErrorKind) when it does.
    pub fn check_shrink(&mut self) -> Result<()> {
        let before = self.session.held.snapshot().rows();
        if !self.session.write.replaces() || before == 0 {
            return Ok(());
        }
        let rows = self.staging.rows - self.duplicates()?;
        self.session.check_shrink(before.saturating_sub(rows), before, rows > 0)
    }

    /// Stages the rows of a batch. Of rows with the same key the last one wins in a merge, or the
    /// one that its [`MergeSpec`](crate::spec::MergeSpec) says.
    ///
    /// # Errors
    /// When the batch has another schema than the run or the rows cannot be staged; then only
    /// [`Self::abort`] is left.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.staging.begin_change()?;
        self.staging.write(&batch, &self.session).await?;
        self.staging.end_change();
        Ok(())
    }

    /// Stages refused records; they are kept beside the table, with the commit or without one.
    ///
    /// # Errors
    /// When they cannot be staged.
    pub async fn reject(&mut self, rejects: Vec<Reject>) -> Result<()> {
        self.staging.counts.rejected += rejects.len() as u64;
        self.keep(rejects).await
    }

    /// Stages values that null stands for in rows; they are kept like refused records.
    ///
    /// # Errors
    /// When they cannot be staged.
    pub async fn note_nulled(&mut self, nulled: Vec<Reject>) -> Result<()> {
        self.staging.counts.nulled += nulled.len() as u64;
        self.keep(nulled).await
    }

    async fn keep(&mut self, rejects: Vec<Reject>) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        let Session { held, write, .. } = self.session.as_ref();
        let storage = held.storage();
        if self.staging.rejects.is_none() {
            let staged = held.naming().staged.rejects();
            let writer = RejectsWriter::new(storage, staged, &write.run_id, &write.resource, &write.limits)?;
            self.staging.rejects = Some(writer);
        }
        if let Some(writer) = &mut self.staging.rejects {
            writer.write(storage, &rejects).await?;
        }
        Ok(())
    }

    /// Takes these data files out of the table with the commit, as far as they are there. Only
    /// where rows are appended.
    pub fn take_back(&mut self, mut files: Vec<String>) {
        files.retain(|path| self.session.held.snapshot().files.contains_key(path));
        self.staging.taken_back = files;
    }

    /// Keeps rows whose group has come and whose key has not: a record that was refused may be
    /// theirs.
    pub fn keep_rest_of_groups(&mut self) {
        if let Some(incoming_keys) = &mut self.staging.incoming_keys {
            incoming_keys.groups.clear();
        }
    }

    /// Notes that the listing was proven complete: keys that did not come are gone, where history
    /// is kept and absent keys are to be closed.
    pub fn listing_was_whole(&mut self) {
        self.staging.is_complete = true;
    }

    /// Makes the staged rows the table's, all at once, and publishes them; `checkpoint` moves with
    /// them. When nothing changes, nothing is committed.
    ///
    /// # Errors
    /// When an error comes before the commit, the table is as it was. When it comes after, its hint
    /// says so, and the next run finishes publishing.
    pub async fn commit(self, checkpoint: Checkpoint) -> Result<CommitOutcome> {
        let Self { session, staging, .. } = self;
        match Box::pin(staging.complete(&session)).await {
            Ok(staged) => Box::pin(session.commit(staged, checkpoint)).await,
            Err(error) => {
                let error = session.held.explain(error).await;
                session.held.abandon().await;
                Err(error)
            }
        }
    }

    /// Gives the run up: deletes what it staged and lets go of the table, which is as it was.
    ///
    /// # Errors
    /// When the staged files cannot be deleted; a later run sweeps them.
    pub async fn abort(self) -> Result<()> {
        self.give_up(Keeps::Nothing).await
    }

    /// Gives the run up, but keeps its cached responses, for the next one to go on from.
    ///
    /// # Errors
    /// As [`Self::abort`].
    pub async fn abort_keeping_pages(self) -> Result<()> {
        self.give_up(Keeps::Pages).await
    }

    /// Gives the run up, but keeps the refused records.
    ///
    /// # Errors
    /// As [`Self::abort`], and when they cannot be kept.
    pub async fn abort_keeping_rejects(self) -> Result<()> {
        self.give_up(Keeps::Rejects).await
    }

    async fn give_up(self, keeps: Keeps) -> Result<()> {
        let Self { session, staging, .. } = self;
        let StagedRows { rolling, rejects, .. } = *staging;
        rolling.abort().await;
        let kept = match rejects {
            Some(rejects) => rejects.end(session.held.storage(), keeps == Keeps::Rejects).await,
            None => Ok(()),
        };
        let Session { held, write, .. } = *session;
        let swept = if keeps == Keeps::Pages {
            sweep_all_but_responses(held.storage(), &BTreeSet::from([write.run_id]), u64::MAX).await.map(drop)
        } else {
            held.delete_staged().await
        };
        held.release().await;
        kept.and(swept)
    }
}
