//! What a pass writes to, as far as typing needs to know it: a lake's tables, a stream of batches,
//! or nothing at all.
//!
//! A sink is told everything in the order in which it came. How it ends (a commit of several
//! tables, a last item) is no part of this: who made the sink ends it.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;

use crate::reject::Reject;
use crate::schema::RecordSchema;

/// What a pass writes to. Each method waits while the sink is behind, and says whether it still
/// takes anything; when it does not, whoever ends it has its error. What a sink does not say is
/// what one does that nobody wants rows of.
#[async_trait]
pub(crate) trait Sink: Debug + Send {
    /// Takes refused records.
    async fn reject(&mut self, rejects: Vec<Reject>) -> bool;

    /// Takes rows of the schema that was announced last.
    async fn write(&mut self, _rows: RecordBatch) -> bool {
        true
    }

    /// Takes values that null stands for in rows.
    async fn note_nulled(&mut self, nulled: Vec<Reject>) -> bool {
        self.reject(nulled).await
    }

    /// Announces that the rows that follow are of the table schema `schema`.
    async fn evolve(&mut self, _schema: Arc<RecordSchema>) -> bool {
        true
    }

    /// Returns whether the values of all rows so far fit the table schema `schema`, a wider one;
    /// `None` when the sink takes nothing any more.
    async fn fits(&mut self, _schema: Arc<RecordSchema>) -> Option<bool> {
        Some(true)
    }
}

/// A sink of a resource that has no table.
#[derive(Debug)]
pub(crate) struct Discard;

#[async_trait]
impl Sink for Discard {
    async fn reject(&mut self, _: Vec<Reject>) -> bool {
        true
    }
}
