//! Refused records of a run that has no rows, and so no schema to begin a table by.

use crate::held_table::HeldTable;
use crate::rejects::writer::RejectsWriter;
use crate::table::Table;
use lakefeed_model::error::Result;
use lakefeed_model::reject::Reject;
use lakefeed_model::spec::Limits;

/// A table that is held to keep refused records beside it. It gets no row and no commit.
#[derive(Debug)]
pub struct RejectsOnly {
    held: HeldTable,
    writer: RejectsWriter,
}

impl Table {
    /// Takes the table to keep refused records of the run beside it, whether or not it is there.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](lakefeed_model::error::ErrorKind) when another run has the table,
    /// `Storage` when the store fails or ignores conditional writes.
    pub async fn begin_rejects(&self, run_id: &str, resource: &str, limits: &Limits) -> Result<RejectsOnly> {
        let held = HeldTable::take(self, run_id).await?;
        match RejectsWriter::new(held.storage(), held.naming().staged.rejects(), run_id, resource, limits) {
            Ok(writer) => Ok(RejectsOnly { held, writer }),
            Err(error) => {
                held.release().await;
                Err(error)
            }
        }
    }
}

impl RejectsOnly {
    /// Stages refused records.
    ///
    /// # Errors
    /// When they cannot be staged.
    pub async fn write(&mut self, rejects: &[Reject]) -> Result<()> {
        self.writer.write(self.held.storage(), rejects).await
    }

    /// Gives the table back; the records are kept beside it, or not.
    ///
    /// # Errors
    /// When they cannot be kept, or what is staged cannot be deleted; a later run sweeps it.
    pub async fn end(self, is_kept: bool) -> Result<()> {
        let Self { held, writer } = self;
        let kept = writer.end(held.storage(), is_kept).await;
        let swept = held.delete_staged().await;
        held.release().await;
        kept.and(swept)
    }
}
