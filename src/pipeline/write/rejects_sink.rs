//! A sink for a pass that has refused records and no rows.

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::lake::{RejectsOnly, Table};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::sink::Sink;
use crate::reject::Reject;

/// Keeps refused records beside a table, which is taken with the first of them.
#[derive(Debug)]
pub(crate) struct RejectsSink<'s, 'r> {
    run: &'s ResourceRun<'r>,
    table: &'s Table,
    kept: Option<RejectsOnly>,
    failed: Option<Error>,
}

impl<'s, 'r> RejectsSink<'s, 'r> {
    /// Makes a sink of the refused records of `run`, whose table is `table`.
    pub(crate) fn new(run: &'s ResourceRun<'r>, table: &'s Table) -> Self {
        Self { run, table, kept: None, failed: None }
    }

    /// Ends: the records are kept, or not.
    ///
    /// # Errors
    /// When they could not be kept.
    pub(crate) async fn finish(self, is_kept: bool) -> Result<()> {
        let Self { kept, failed, .. } = self;
        let ended = match kept {
            Some(kept) => kept.end(is_kept && failed.is_none()).await,
            None => Ok(()),
        };
        failed.map_or(ended, Err)
    }

    async fn keep(&mut self, rejects: &[Reject]) -> Result<()> {
        let ResourceRun { options, resource, limits, .. } = self.run;
        let kept = match self.kept.take() {
            Some(kept) => kept,
            None => self.table.begin_rejects(&options.run_id, &resource.name, limits).await?,
        };
        self.kept.insert(kept).write(rejects).await
    }
}

#[async_trait]
impl Sink for RejectsSink<'_, '_> {
    async fn reject(&mut self, rejects: Vec<Reject>) -> bool {
        if let Err(error) = self.keep(&rejects).await {
            self.failed = Some(error);
        }
        self.failed.is_none()
    }
}
