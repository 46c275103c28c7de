//! Committing a pass that was read to its end.

use super::pass::Staged;
use super::reading::Tally;
use crate::checkpoint::{Checkpoint, CursorRun};
use crate::error::{Error, Result};
use crate::event::{RowCounts, RunEvent};
use crate::lake::CommitOutcome;
use crate::pipeline::context::ResourceRun;
use crate::pipeline::write::{commit_children, give_up};
use crate::spec::WriteDisposition;

/// Makes a staged pass the table's.
pub(super) async fn commit(run: &ResourceRun<'_>, staged: Staged) -> Result<()> {
    let Staged { writers, tally, schema_changes, cursor, .. } = staged;
    let before = writers.as_ref().and_then(|writers| writers.own.last_checkpoint());
    let checkpoint = match checkpoint(run, cursor.as_ref(), before) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return Err(give_up(writers, error).await),
    };
    let Some(writers) = writers else {
        let rows = RowCounts { read: tally.records, ..RowCounts::default() };
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
    emit_outcome(run, outcome, &tally, checkpoint);
    Ok(())
}

fn emit_outcome(run: &ResourceRun<'_>, outcome: CommitOutcome, tally: &Tally, checkpoint: Checkpoint) {
    let rows = RowCounts { read: tally.records, rejected: tally.rejected, nulled: tally.nulled, ..outcome.rows };
    let resource = run.name();
    run.emit(&match outcome.commit {
        Some(commit) => RunEvent::Committed { resource, commit, rows, files: outcome.files, checkpoint },
        None => RunEvent::NothingChanged { resource, rows, checkpoint },
    });
}

/// How far the resource has got with this pass. A run over a range of its own leaves what was there `before`.
pub(super) fn checkpoint(
    run: &ResourceRun<'_>,
    cursor: Option<&CursorRun>,
    before: Option<&Checkpoint>,
) -> Result<Checkpoint> {
    let name = &run.resource.name;
    let Some(cursor) = cursor else { return Ok(Checkpoint::full_listing(name)) };
    // Without a key, a record that is read again would delete its group.
    let is_merge = run.resource.write_disposition == WriteDisposition::Merge
        && (!run.resource.primary_key.is_empty() || run.resource.merge.history().is_some());
    let state = cursor.state(!is_merge).map_err(|error| {
        Error::config(format!("resource {name}: {error}"))
            .with_hint("use write_disposition: merge, which needs no memory of single records")
    })?;
    Ok(match (state, before) {
        (Some(state), _) => Checkpoint::cursor(name, state),
        (None, Some(before)) => before.clone(),
        (None, None) => Checkpoint::full_listing(name),
    })
}
