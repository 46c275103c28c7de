//! One pass over a resource, from its first request to its commit, as a straight story.
//!
//! A pass is staged first and committed later: the resources of a family are committed together,
//! children before their parents, so that a parent's checkpoint never runs ahead of its children's
//! rows.

use std::sync::Arc;

use super::opening::{Opened, open};
use super::reading::{end_listing, extract, judge_rejects, refuse_drift, retire_absent, spare_groups, tell_refused};
use super::reprocess_rejects::reprocess_rejects;
use crate::checkpoint::{Checkpoint, CursorRun, PositionDelta};
use crate::error::{Error, ErrorKind, Result};
use crate::event::RunEvent;
use crate::extract::{Ending, Journal};
use crate::lake::{Table, TableWriter};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{self, Drift, Pages, ParentRows, RecordTransform, SliceSource};
use crate::pipeline::sink::{Discard, Sink};
use crate::pipeline::typing::{Records, Typing};
use crate::pipeline::write::{self, LakeSink, RejectsSink, TableSet, give_up, keeps_pages};
use crate::plan::SliceOutcome;
use crate::spec::WriteDisposition;

/// What a pass is over.
pub(super) struct Pass<'p> {
    pub(super) slices: SliceSource<'p>,
    /// Where the keys for the children go, when there are any.
    pub(super) children: Option<ParentRows>,
}

/// A pass that was read to its end and not committed yet.
pub(super) struct Staged {
    pub(super) writers: Option<TableSet>,
    pub(super) outcome: SliceOutcome,
    pub(super) schema_changes: Vec<String>,
    pub(super) children: Option<ParentRows>,
}

/// A pass that was not read to its end.
struct Stopped {
    /// They still hold the tables.
    writers: Option<TableSet>,
    error: Error,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { writers: None, error }
    }
}

/// Reads a pass to its end. On any failure the table stays as it was.
pub(super) async fn stage(run: &ResourceRun<'_>, pass: Pass<'_>) -> Result<Staged> {
    let Some(table) = write::table(run) else { return Box::pin(walk(run, pass)).await };
    let Pass { mut slices, children } = pass;
    let cursor = slices.cursor();
    let journal = read::journal(run, &table, cursor.as_ref(), true).await?;
    let emptied = children.as_ref().map(ParentRows::emptied);
    let first = Pass { slices: slices.restarted()?, children };
    match Box::pin(stage_with(run, first, &table, journal.clone())).await {
        Err(error) if journal.is_some_and(|journal| journal.is_stale()) => {
            let reason = error.message().to_owned();
            run.emit(&RunEvent::StartedAgain { resource: run.name(), reason });
            let journal = read::journal(run, &table, cursor.as_ref(), false).await?;
            let again = Pass { slices: slices.restarted()?, children: emptied };
            Box::pin(stage_with(run, again, &table, journal)).await
        }
        result => result,
    }
}

/// Reads a pass to its end whose records are no rows: for its children, or because there is not a
/// single column.
pub(super) async fn walk(run: &ResourceRun<'_>, pass: Pass<'_>) -> Result<Staged> {
    let Pass { slices, children } = pass;
    let cursor = slices.cursor();
    let pages = Pages::new(slices, run.client.concurrency(), None);
    let transform = RecordTransform::new(run.resource, None, cursor, children);
    walk_pages(run, pages, transform, &mut Discard).await
}

/// Does as [`walk`], with pages of which some were read already. What is refused goes to `sink`.
pub(super) async fn walk_pages(
    run: &ResourceRun<'_>,
    pages: Pages<'_>,
    mut transform: RecordTransform,
    sink: &mut dyn Sink,
) -> Result<Staged> {
    let records = Records::walked(run);
    let outcome = extract(run, pages, records, sink, &mut transform, None).await?.unwrap_or_default();
    judge_rejects(run, &outcome.counts, true)?;
    tell_refused(run, &outcome.counts);
    end_listing(run, &outcome);
    let (outcome, children) = with_delta(run, outcome, transform)?;
    Ok(Staged { writers: None, outcome, schema_changes: Vec::new(), children })
}

/// Adds how far the cursor moves; returns what the children want, too.
pub(super) fn with_delta(
    run: &ResourceRun<'_>,
    outcome: SliceOutcome,
    transform: RecordTransform,
) -> Result<(SliceOutcome, Option<ParentRows>)> {
    let (cursor, children) = transform.into_parts();
    // Without a key, a record that is read again would delete its group.
    let is_merge = run.resource.write_disposition == WriteDisposition::Merge
        && (!run.resource.primary_key.is_empty() || run.resource.merge.history().is_some());
    let delta = cursor.map_or(Ok(None), |cursor| cursor.delta(!is_merge)).map_err(|error| {
        Error::config(format!("resource {}: {error}", run.resource.name))
            .with_hint("use write_disposition: merge, which needs no memory of single records")
    })?;
    Ok((SliceOutcome { delta: delta.map(PositionDelta::Cursor), ..outcome }, children))
}

/// Reads a pass to its end, with the help of `journal`, which is closed then.
async fn stage_with(
    run: &ResourceRun<'_>,
    pass: Pass<'_>,
    table: &Table,
    journal: Option<Arc<Journal>>,
) -> Result<Staged> {
    let result = Box::pin(read_pass(run, pass, table, journal.clone())).await;
    let ending = match &result {
        Ok(_) => Ending::Read,
        Err(stopped) if keeps_pages(stopped.error.kind()) => Ending::Stopped,
        Err(_) => Ending::Void,
    };
    // While the table is still this run's.
    if let Some(journal) = journal {
        journal.close(ending).await;
    }
    match result {
        Ok(staged) => Ok(staged),
        Err(Stopped { writers, error }) => Err(give_up(writers, error).await),
    }
}

async fn read_pass(
    run: &ResourceRun<'_>,
    pass: Pass<'_>,
    table: &Table,
    journal: Option<Arc<Journal>>,
) -> Result<Staged, Stopped> {
    let Pass { slices, children } = pass;
    let cursor = slices.cursor();
    let mut pages = Pages::new(slices, run.client.concurrency(), journal);
    let opened = open(run, table, &mut pages, cursor.as_ref()).await?;
    // From here on the table is this run's, so there is something to keep pages beside.
    if let (Some(journal), Some(_)) = (&pages.journal, &opened) {
        journal.arm();
    }
    let shapes = opened.as_ref().map(|opened| &opened.shapes);
    let mut transform = RecordTransform::new(run.resource, shapes, cursor, children);
    let Some(Opened { rules, mut shapes, mut writers }) = opened else {
        return Ok(Box::pin(set_aside(run, table, pages, transform)).await?);
    };
    if let Some(commit) = writers.own.recovered() {
        run.emit(&RunEvent::Recovered { resource: run.name(), commit });
    }
    if let Some(error) = overtaken(run, transform.cursor(), &writers.own) {
        return Err(Stopped { writers: Some(writers), error });
    }
    if run.options.retry_rejects {
        match reprocess_rejects(run, rules, shapes, &mut writers).await {
            Ok(grown) => shapes = grown,
            Err(error) => return Err(Stopped { writers: Some(writers), error }),
        }
    }
    let records = match Typing::new(run, shapes, rules) {
        Ok(typing) => Records::Typed(Box::new(typing)),
        Err(error) => return Err(Stopped { writers: Some(writers), error }),
    };
    let mut sink = LakeSink::spawn(writers);
    let drift = Drift::of(run.resource, run.limits.nesting_depth_max);
    let extracted = extract(run, pages, records, &mut sink, &mut transform, drift).await;
    let (mut writers, written) = sink.finish().await?;
    let checked = written.and(extracted).and_then(|outcome| {
        let mut outcome = outcome.unwrap_or_default();
        refuse_drift(run, &mut writers.own, &mut outcome)?;
        judge_rejects(run, &outcome.counts, writers.own.last_commit_at().is_none())?;
        spare_groups(run, &outcome.counts, &mut writers.own)?;
        tell_refused(run, &outcome.counts);
        retire_absent(run, &mut outcome, &mut writers.own);
        end_listing(run, &outcome);
        writers.own.check_shrink()?;
        with_delta(run, outcome, transform)
    });
    match checked {
        Ok((outcome, children)) => {
            let schema_changes = writers.own.schema_changes().to_vec();
            Ok(Staged { writers: Some(writers), outcome, schema_changes, children })
        }
        Err(error) => Err(Stopped { writers: Some(writers), error }),
    }
}

/// Reads a pass to its end whose records have not a single column, or may not come into a table:
/// what is refused of them is kept beside the table that could be.
async fn set_aside(
    run: &ResourceRun<'_>,
    table: &Table,
    pages: Pages<'_>,
    transform: RecordTransform,
) -> Result<Staged> {
    let mut sink = RejectsSink::new(run, table);
    let walked = walk_pages(run, pages, transform, &mut sink).await;
    let is_kept = walked.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Schema);
    let kept = sink.finish(is_kept).await;
    // Why nothing more could be kept is why the reading ended, too.
    kept.and(walked)
}

/// Returns whether another run has committed between the look at the checkpoint and the moment when
/// the table became this run's.
fn overtaken(run: &ResourceRun<'_>, cursor: Option<&CursorRun>, writer: &TableWriter) -> Option<Error> {
    let now = writer.last_checkpoint().and_then(Checkpoint::cursor_state);
    let follows = cursor.is_none_or(|cursor| cursor.follows(now));
    (!run.is_free() && !follows).then(|| {
        Error::conflict(format!("resource {}: another run has committed since this one began", run.resource.name))
            .with_hint("run again: it goes on from there")
    })
}

impl Staged {
    /// Gives the table back as it was, because of `error`.
    pub(super) async fn abort(self, error: Error) -> Error {
        give_up(self.writers, error).await
    }
}
