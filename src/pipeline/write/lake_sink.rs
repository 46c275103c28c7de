//! The bounded channel between decoding and writing, so that the network does not wait for the
//! disk.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::tables::TableSet;
use crate::error::{Error, Result};
use crate::pipeline::sink::Sink;
use crate::reject::Reject;
use crate::schema::RecordSchema;

/// Batches that may wait between decoder and writer; with `limits.batch_bytes` this bounds the
/// memory between them.
const BATCHES_IN_FLIGHT_MAX: usize = 2;

/// The tables of a resource, in a task of their own that is fed through a bounded channel.
#[derive(Debug)]
pub(crate) struct LakeSink {
    sender: mpsc::Sender<Message>,
    task: JoinHandle<(TableSet, Result<()>)>,
}

enum Message {
    Rows(RecordBatch),
    Rejects(Vec<Reject>),
    Schema(Arc<RecordSchema>),
    Nulled(Vec<Reject>),
    /// Whether what is there fits the schema.
    Question(Arc<RecordSchema>, oneshot::Sender<bool>),
}

impl LakeSink {
    pub(crate) fn spawn(mut writer: TableSet) -> Self {
        let (sender, mut receiver) = mpsc::channel(BATCHES_IN_FLIGHT_MAX);
        let task = tokio::spawn(async move {
            while let Some(message) = receiver.recv().await {
                let result = match message {
                    Message::Rows(batch) => writer.write(batch).await,
                    Message::Rejects(rejects) => writer.own.reject(rejects).await,
                    Message::Schema(schema) => writer.evolve(schema).await,
                    Message::Nulled(nulled) => writer.own.note_nulled(nulled).await,
                    // Who asked may be gone: then the run is being stopped.
                    Message::Question(schema, asker) => {
                        writer.fits(&schema).await.map(|holds| asker.send(holds).unwrap_or_default())
                    }
                };
                if result.is_err() {
                    return (writer, result);
                }
            }
            (writer, Ok(()))
        });
        Self { sender, task }
    }

    /// Waits until everything is written. The writer comes back with the result, so that it can be
    /// committed or aborted.
    pub(crate) async fn finish(self) -> Result<(TableSet, Result<()>)> {
        drop(self.sender);
        self.task
            .await
            .map_err(|error| Error::defect("the writer stopped unexpectedly; nothing was committed").with_source(error))
    }
}

#[async_trait]
impl Sink for LakeSink {
    async fn write(&mut self, rows: RecordBatch) -> bool {
        self.sender.send(Message::Rows(rows)).await.is_ok()
    }

    async fn reject(&mut self, rejects: Vec<Reject>) -> bool {
        self.sender.send(Message::Rejects(rejects)).await.is_ok()
    }

    async fn note_nulled(&mut self, nulled: Vec<Reject>) -> bool {
        self.sender.send(Message::Nulled(nulled)).await.is_ok()
    }

    async fn evolve(&mut self, schema: Arc<RecordSchema>) -> bool {
        self.sender.send(Message::Schema(schema)).await.is_ok()
    }

    /// Asks whether rows fit; the values of the tables count, too.
    async fn fits(&mut self, schema: Arc<RecordSchema>) -> Option<bool> {
        let (asker, answer) = oneshot::channel();
        self.sender.send(Message::Question(schema, asker)).await.ok()?;
        answer.await.ok()
    }
}
