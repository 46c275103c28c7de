//! Rejects of earlier runs, for a run that tries them again.

use crate::rejects::kept::{KeptRejects, RejectPlace};
use crate::rejects::newer_keys::NewerKeys;
use crate::write::session::Session;
use crate::write::writer::TableWriter;
use lakefeed_model::error::Result;
use lakefeed_model::spec::WriteDisposition;

impl TableWriter {
    /// Returns the rejects of earlier runs that may be tried again, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn open_rejects(&self) -> Result<KeptRejects> {
        KeptRejects::open_ones(self.session.held.storage()).await
    }

    /// Returns what tells whether rows of this run, made of rejects that are kept since `commit`,
    /// came too late. Returns `None` where rows are not merged.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn newer_keys_since(&self, commit: u64) -> Result<Option<NewerKeys>> {
        let Session { held, write, .. } = self.session.as_ref();
        match write.disposition {
            WriteDisposition::Merge if !write.primary_key.is_empty() => {
                NewerKeys::since(held.storage(), held.snapshot(), &write.primary_key, &self.staging.area.schema, commit)
                    .await
                    .map(Some)
            }
            WriteDisposition::Merge | WriteDisposition::Append | WriteDisposition::Replace => Ok(None),
        }
    }

    /// Settles a reject with the commit: it became a row of this run, or is not wanted any more.
    pub fn settle(&mut self, place: &RejectPlace) {
        self.staging.settled.add(place);
    }
}
