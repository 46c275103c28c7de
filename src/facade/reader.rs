//! Records of a resource as Arrow batches, without a table.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, StreamExt as _};

use super::agreed::Agreed;
use super::world::{Begun, Stop, World};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::pipeline::{ReadItem, ReadStream, RunOptions, Start, read_batches};
use crate::reject::Reject;

/// A reading of one resource, to be chosen and begun. Made by
/// [`Pipeline::reader`](crate::Pipeline::reader), or by [`Runner::reader`](crate::Runner::reader)
/// with a transport, a clock or an observer of one's own.
#[derive(Debug)]
#[must_use = "a reading begins with `batches`"]
pub struct Reader {
    agreed: Agreed,
    world: World,
    options: RunOptions,
    resource: String,
    checkpoint: Option<Checkpoint>,
    rejects: Rejects,
}

/// The records of a resource, batch after batch: a `Stream` of `Result<RecordBatch>`
/// whose `next` needs no import.
///
/// A batch has the columns that the resource's table would have. When records bring new fields,
/// later batches have more columns, or wider types, than earlier ones: each batch has its schema.
/// The stream ends after the last record, or with an error. Dropping it stops the reading.
#[must_use = "nothing is read unless batches are taken"]
pub struct Batches {
    stream: ReadStream,
    /// What came while the schema was looked for.
    first: Option<RecordBatch>,
    schema: Option<SchemaRef>,
    rejects: Rejects,
    stop: Stop,
}

/// Who hears of records that were refused.
#[derive(Default)]
struct Rejects(Option<RejectHandler>);

type RejectHandler = Box<dyn FnMut(&Reject) + Send>;

impl Reader {
    pub(super) fn new(agreed: Agreed, world: World, options: RunOptions, resource: &str) -> Self {
        let (resource, rejects) = (resource.to_owned(), Rejects::default());
        Self { agreed, world, options, resource, checkpoint: None, rejects }
    }

    /// Goes on from the [`Batches::checkpoint`] of an earlier reading; from the beginning where
    /// there is none, or this is not called.
    pub fn from(mut self, checkpoint: impl Into<Option<Checkpoint>>) -> Self {
        self.checkpoint = checkpoint.into();
        self
    }

    /// Tells `hear` of each record that is refused, and of each value that does not fit its column
    /// and is null instead. They are in no batch. Where it is not called, observers hear how many
    /// there were.
    pub fn on_reject(mut self, hear: impl FnMut(&Reject) + Send + 'static) -> Self {
        self.rejects = Rejects(Some(Box::new(hear)));
        self
    }

    /// Begins to read, and waits for the schema. Where the resource depends on others, those are
    /// read first. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when there is no such resource; or when the
    /// API fails on the first pages.
    pub async fn batches(self) -> Result<Batches> {
        let Self { agreed, world, options, resource, checkpoint, rejects } = self;
        let Begun { components, stop, .. } = world.begin(&agreed, &options.run_id);
        let start = checkpoint.map(|checkpoint| Start {
            now: components.clock.now(),
            checkpoints: BTreeMap::from([(resource.clone(), checkpoint)]),
        });
        let options = options.without_tables(start);
        let stream = read_batches(Arc::clone(&agreed.spec), &resource, options, components)?;
        let mut batches = Batches { stream, first: None, schema: None, rejects, stop };
        while batches.schema.is_none() {
            let Some(item) = batches.next_item().await else { break };
            batches.first = batches.note(item?);
        }
        Ok(batches)
    }
}

impl Batches {
    /// Returns the schema of the latest batch; before the first one, what it will be as far as is
    /// known. `None` where there are no records.
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// Returns how far the resource has got: to go on from, once the stream has ended without an
    /// error. `None` before.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.stream.checkpoint()
    }

    /// Returns the next batch; `None` after the last one. The same as of the `Stream`.
    ///
    /// # Errors
    /// Those of the reading, which has ended then.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        poll_fn(|context| self.poll_next_unpin(context)).await
    }

    async fn next_item(&mut self) -> Option<Result<ReadItem>> {
        poll_fn(|context| self.poll_item(context)).await
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ReadItem>>> {
        self.stop.poll_wish(context);
        self.stream.poll_next_unpin(context)
    }

    /// Takes note of an item; returns the rows, if it holds some.
    fn note(&mut self, item: ReadItem) -> Option<RecordBatch> {
        match item {
            ReadItem::Schema(schema) => self.schema = Some(schema),
            ReadItem::Rows(rows) => return Some(rows),
            ReadItem::Rejects(rejects) | ReadItem::Nulled(rejects) => self.rejects.hear(&rejects),
        }
        None
    }
}

impl Stream for Batches {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            match ready!(self.poll_item(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(item)) => {
                    if let Some(rows) = self.note(item) {
                        return Poll::Ready(Some(Ok(rows)));
                    }
                }
            }
        }
    }
}

impl Rejects {
    fn hear(&mut self, rejects: &[Reject]) {
        if let Self(Some(hear)) = self {
            rejects.iter().for_each(hear);
        }
    }
}

impl fmt::Debug for Rejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "heard" } else { "not heard" })
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").field("stream", &self.stream).field("schema", &self.schema).finish_non_exhaustive()
    }
}
