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
use super::family::{lineage, windows};
use super::opening::{cursor, resource_finished, resource_started, schemas};
use super::pass::{Pass, walk, walk_pages};
use super::reading::{end_listing, extract, refuse_rejects};
use crate::checkpoint::{Checkpoint, CursorRun};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::pipeline::context::{Components, ResourceRun, RunOptions, client};
use crate::pipeline::read::{Drift, Pages, ParentRows, RecordTransform, Slices};
use crate::pipeline::typing::{Records, Typing};
use crate::pipeline::write::{BatchSink, ReadItem};
use crate::spec::PipelineSpec;

/// What comes of reading a resource, item by item. It ends after the last row, or with an error. Dropping it stops the reading.
#[derive(Debug)]
pub struct ReadStream {
    items: mpsc::Receiver<ReadItem>,
    reading: JoinHandle<Result<Checkpoint>>,
    checkpoint: Option<Checkpoint>,
    has_ended: bool,
}

impl ReadStream {
    /// How far the resource has got, once the stream has ended without an error; where the next reading goes on from.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
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

/// Reads a resource into a stream of schemas, batches and rejects, without a table: what [`run`](crate::pipeline::run()) does up to the
/// writing. Where the resource depends on others, their records are read first. At most two items wait to be taken.
///
/// It goes on from the checkpoint that `options` have for it, or reads everything. Of `options`, resources, destination, and what
/// concerns tables play no part.
///
/// # Errors
/// When there is no such resource, a range was given and it has no cursor, or this is called outside of a Tokio runtime.
/// The stream has those of the reading.
pub fn read_batches(
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
    let reading = runtime.spawn(async move { read_into(&spec, &name, &options, &components, sender).await });
    Ok(ReadStream { items, reading, checkpoint: None, has_ended: false })
}

async fn read_into(
    spec: &PipelineSpec,
    name: &str,
    options: &RunOptions,
    components: &Components,
    items: mpsc::Sender<ReadItem>,
) -> Result<Checkpoint> {
    let client: Arc<Client> = Arc::new(client(spec, components));
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
        let children = ParentRows::new(&ancestor.name, lineage.peek().copied().into_iter());
        let run = run_of(ancestor);
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
    let pass = Pass { slices, cursor: cursor(run).await?, children: Some(children) };
    Ok(walk(run, pass).await?.children)
}

/// The slices of a resource over the rows of its parents, if it has any.
async fn slices<'p>(run: &ResourceRun<'_>, parents: Option<&'p mut ParentRows>) -> Result<Slices<'p>> {
    Ok(match parents {
        Some(rows) => {
            rows.rewind()?;
            Slices::Parents(rows)
        }
        None => match windows(run).await? {
            Some(windows) => Slices::Windows(windows),
            None => Slices::One { is_taken: false },
        },
    })
}

async fn read_rows(
    run: &ResourceRun<'_>,
    parents: Option<&mut ParentRows>,
    items: mpsc::Sender<ReadItem>,
) -> Result<Checkpoint> {
    let slices = slices(run, parents).await?;
    let last_window = match &slices {
        Slices::Windows(windows) => windows.back().cloned(),
        Slices::One { .. } | Slices::Parents(_) => None,
    };
    let begun = match last_window {
        Some(window) => Some(window),
        None => cursor(run).await?,
    };
    let mut pages = Pages::new(slices, begun.clone(), run.client.concurrency(), None);
    let Some((rules, shapes)) = schemas(run, &mut pages, begun.as_ref(), None).await? else {
        let transform = RecordTransform::new(run.resource, None, begun, None);
        return end(run, walk_pages(run, pages, transform).await?.cursor.as_ref());
    };
    let mut transform = RecordTransform::new(run.resource, Some(&shapes), begun, None);
    let mut sink = BatchSink::begin(run.resource, &shapes, items).await;
    let records = Records::Typed(Box::new(Typing::new(run, shapes, rules)?));
    let drift = Drift::over(run.resource, run.limits.nesting_depth_max);
    let (tally, outcome) = extract(run, pages, records, &mut sink, &mut transform, drift).await?;
    refuse_rejects(run, &tally, true)?;
    end_listing(run, outcome);
    end(run, transform.into_parts().0.as_ref())
}

fn end(run: &ResourceRun<'_>, cursor: Option<&CursorRun>) -> Result<Checkpoint> {
    let before = run.options.start.as_ref().and_then(|start| start.checkpoints.get(&run.resource.name));
    checkpoint(run, cursor, before)
}
