//! Committing a pass that was read to its end.

use super::pass::Staged;
use crate::checkpoint::{Checkpoint, PositionDelta};
use crate::error::{Error, Result};
use crate::event::{RowCounts, RunEvent};
use crate::lake::CommitOutcome;
use crate::pipeline::context::ResourceRun;
use crate::pipeline::write::{commit_children, give_up};
use crate::plan::SliceCounts;

/// Makes a staged pass the table's.
pub(super) async fn commit(run: &ResourceRun<'_>, staged: Staged) -> Result<()> {
    let Staged { writers, outcome: read, schema_changes, .. } = staged;
    let before = writers.as_ref().and_then(|writers| writers.own.last_checkpoint());
    let checkpoint = match checkpoint(run, read.delta.as_ref(), before) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return Err(give_up(writers, error).await),
    };
    let Some(writers) = writers else {
        let rows = rows(&read.counts, RowCounts::default());
        run.emit(&RunEvent::NothingChanged { resource: run.name(), rows, checkpoint });
        return Ok(());
    };
    if run.components.interrupt.is_raised() {
        return Err(writers.abort(Error::interrupted()).await);
    }
    let writer = Box::pin(commit_children(run, writers)).await?;
    let outcome = Box::pin(writer.commit(checkpoint.clone())).await?;
    if !schema_changes.is_empty() && outcome.commit.is_some() {
        run.emit(&RunEvent::SchemaChanged { resource: run.name(), changes: schema_changes });
    }
    emit_outcome(run, outcome, &read.counts, checkpoint);
    Ok(())
}

fn emit_outcome(run: &ResourceRun<'_>, outcome: CommitOutcome, counts: &SliceCounts, checkpoint: Checkpoint) {
    let rows = rows(counts, outcome.rows);
    let resource = run.name();
    run.emit(&match outcome.commit {
        Some(commit) => RunEvent::Committed { resource, commit, rows, files: outcome.files, checkpoint },
        None => RunEvent::NothingChanged { resource, rows, checkpoint },
    });
}

/// Returns what became of the records of a pass; `written` is what the table counted.
fn rows(counts: &SliceCounts, written: RowCounts) -> RowCounts {
    let SliceCounts { records, nulled, filtered, .. } = *counts;
    RowCounts { read: records, rejected: counts.rejected(), nulled, filtered, ..written }
}

/// Returns how far the resource has got with this pass. A run over a range of its own leaves what
/// was there `before`.
pub(super) fn checkpoint(
    run: &ResourceRun<'_>,
    delta: Option<&PositionDelta>,
    before: Option<&Checkpoint>,
) -> Result<Checkpoint> {
    let name = &run.resource.name;
    let Some(delta) = delta else {
        let before = before.filter(|_| run.resource.endpoint.incremental.is_some());
        return Ok(before.cloned().unwrap_or_else(|| Checkpoint::full_listing(name)));
    };
    if run.is_free() {
        return Ok(Checkpoint::at(name, delta.end()));
    }
    let position = delta.try_apply(before.map(|before| &before.position));
    position.map(|position| Checkpoint::at(name, position)).map_err(|error| {
        Error::conflict(format!("resource {name}: {error}")).with_hint("run again: it goes on from there")
    })
}
