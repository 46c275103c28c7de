//! Reading a resource into a stream, without a table.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{FutureExt as _, Stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::choosing::{choose, refuse_idle_backfill};
use super::committing::checkpoint;
use super::family::{lineage, slices};
use super::opening::{plan_in_windows, resource_finished, resource_started, schemas};
use super::pass::{Pass, walk, walk_pages, with_delta};
use super::reading::{end_listing, extract, judge_rejects};
use crate::checkpoint::Checkpoint;
use crate::client::Client;
use crate::error::{Error, Result, catch_panic};
use crate::pipeline::context::{Components, ResourceRun, RunOptions, client};
use crate::pipeline::read::{Drift, Pages, ParentRows, RecordTransform, SliceSource};
use crate::pipeline::typing::{Records, Typing};
use crate::pipeline::write::{BatchSink, ReadItem, RejectItems};
use crate::spec::PipelineSpec;

/// What comes of reading a resource, item by item. It ends after the last row, or with an error.
/// Dropping it stops the reading.
#[derive(Debug)]
pub(crate) struct ReadStream {
    items: mpsc::Receiver<ReadItem>,
    reading: JoinHandle<Result<Checkpoint>>,
    checkpoint: Option<Checkpoint>,
    has_ended: bool,
}

impl ReadStream {
    /// Returns how far the resource has got, once the stream has ended without an error; where the
    /// next reading goes on from.
    pub(crate) fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }
}

impl Stream for ReadStream {
    type Item = Result<ReadItem>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Some(item) = ready!(self.items.poll_recv(context)) {
            return Poll::Ready(Some(Ok(item)));
        }
        let ended = ready!(self.reading.poll_unpin(context));
        self.has_ended = true;
        Poll::Ready(match ended {
            Ok(Ok(checkpoint)) => {
                self.checkpoint = Some(checkpoint);
                None
            }
            Ok(Err(error)) => Some(Err(error)),
            Err(error) => Some(Err(Error::defect("the reading stopped unexpectedly").with_source(error))),
        })
    }
}

impl Drop for ReadStream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Reads a resource into a stream of schemas, batches and rejects, without a table: what
/// [`run`](crate::pipeline::run()) does up to the writing. Where the resource depends on others,
/// their records are read first. At most two items wait to be taken.
///
/// It goes on from the checkpoint that `options` have for it, or reads everything. Of `options`,
/// resources, destination, and what concerns tables play no part.
///
/// # Errors
/// When there is no such resource, a range was given and it has no cursor, or this is called
/// outside of a Tokio runtime. The stream has those of the reading.
pub(crate) fn read_batches(
    spec: Arc<PipelineSpec>,
    resource: &str,
    options: RunOptions,
    components: Components,
) -> Result<ReadStream> {
    let name = resource.to_owned();
    let chosen = choose(&spec, std::slice::from_ref(&name))?;
    refuse_idle_backfill(&chosen, &options)?;
    let runtime = Handle::try_current()
        .map_err(|error| Error::config("a resource is read within a Tokio runtime").with_source(error))?;
    let (sender, items) = BatchSink::channel();
    let reading =
        runtime.spawn(async move { catch_panic(read_into(&spec, &name, &options, &components, sender)).await });
    Ok(ReadStream { items, reading, checkpoint: None, has_ended: false })
}

async fn read_into(
    spec: &PipelineSpec,
    name: &str,
    options: &RunOptions,
    components: &Components,
    items: mpsc::Sender<ReadItem>,
) -> Result<Checkpoint> {
    let client: Arc<Client> = Arc::new(client(spec, options, components));
    let run_of = |resource| {
        let limits = &spec.limits;
        ResourceRun { resource, has_table: false, limits, options, lake: None, client: &client, components }
    };
    let Some(wanted) = spec.resources.iter().find(|resource| resource.name == name) else {
        return Err(Error::config(format!("pipeline {} has no resource {name:?}", spec.name)));
    };
    let mut parents: Option<ParentRows> = None;
    let mut lineage = lineage(spec, wanted).into_iter().peekable();
    while let Some(ancestor) = lineage.next_if(|ancestor| ancestor.name != name) {
        let run = run_of(ancestor);
        let children = ParentRows::new(&run, lineage.peek().copied().into_iter());
        parents = timed(&run, Box::pin(walk_for_children(&run, parents.as_mut(), children))).await?;
    }
    let run = run_of(wanted);
    timed(&run, Box::pin(read_rows(&run, parents.as_mut(), items))).await
}

/// Tells when a resource is begun and done with.
async fn timed<T>(run: &ResourceRun<'_>, reading: impl Future<Output = Result<T>>) -> Result<T> {
    let began: Duration = run.components.clock.monotonic();
    resource_started(run);
    let result = reading.await;
    let elapsed = run.components.clock.monotonic().saturating_sub(began);
    resource_finished(run, elapsed, result.as_ref().err());
    result
}

async fn walk_for_children(
    run: &ResourceRun<'_>,
    parents: Option<&mut ParentRows>,
    children: ParentRows,
) -> Result<Option<ParentRows>> {
    let slices = slices(run, parents).await?;
    Ok(walk(run, Pass { slices, children: Some(children) }).await?.children)
}

async fn read_rows(
    run: &ResourceRun<'_>,
    parents: Option<&mut ParentRows>,
    items: mpsc::Sender<ReadItem>,
) -> Result<Checkpoint> {
    let windows = if parents.is_none() { plan_in_windows(run).await? } else { None };
    let slices = match windows {
        Some(plan) => SliceSource::all(plan),
        None => slices(run, parents).await?,
    };
    let cursor = slices.cursor();
    let mut pages = Pages::new(slices, run.client.concurrency(), None);
    let opened = schemas(run, &mut pages, cursor.as_ref(), None).await?;
    let shapes = opened.as_ref().map(|(_, shapes)| shapes);
    let mut transform = RecordTransform::new(run.resource, shapes, cursor, None);
    let outcome = match opened {
        None => walk_pages(run, pages, transform, &mut RejectItems(items)).await?.outcome,
        Some((rules, shapes)) => {
            let mut sink = BatchSink::begin(run.resource, &shapes, items).await;
            let records = Records::Typed(Box::new(Typing::new(run, shapes, rules)?));
            let drift = Drift::over(run.resource, run.limits.nesting_depth_max);
            let outcome = extract(run, pages, records, &mut sink, &mut transform, drift).await?.unwrap_or_default();
            judge_rejects(run, &outcome.counts, true)?;
            end_listing(run, &outcome);
            with_delta(run, outcome, transform)?.0
        }
    };
    let before = run.options.start.as_ref().and_then(|start| start.checkpoints.get(&run.resource.name));
    checkpoint(run, outcome.delta.as_ref(), before)
}
