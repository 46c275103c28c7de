//! Trying rejects of earlier runs again, as if they came with this one, before its own records.
//!
//! A reject that becomes a row is settled by the commit of that row. One that is refused again
//! stays as it is kept, with its first reason.

use std::sync::Arc;

use futures::TryStreamExt as _;

use crate::decode::{PageInput, RecordGate};
use crate::error::{Error, Result};
use crate::event::{RetriedRejects, RunEvent};
use crate::lake::{KeptReject, NewerKeys, RejectPlace, RejectState};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::RecordTransform;
use crate::pipeline::shapes::Shapes;
use crate::pipeline::typing::{Rules, ShapedDecoder, doubled, grown_by_variants, grown_for};
use crate::pipeline::write::TableSet;
use crate::schema::{Places, new_doubles};
use crate::spec::JsonPath;

/// Rejects on their way to the writer.
struct Retry<'r, 'a> {
    run: &'r ResourceRun<'a>,
    rules: Rules,
    writers: &'r mut TableSet,
    decoder: ShapedDecoder<'r>,
    transform: RecordTransform,
    /// Whose rows the decoder holds, in their order.
    pending: Vec<RejectPlace>,
    counts: RetriedRejects,
    /// Where there are integers that no double is.
    undoubled: Places,
}

/// Tries the open rejects of the table again, by the writer's schema, which grows for them where
/// the contract lets it. A table that is built anew has none.
///
/// Returns what the schemas have grown to.
pub(super) async fn reprocess_rejects(
    run: &ResourceRun<'_>,
    rules: Rules,
    shapes: Shapes,
    writers: &mut TableSet,
) -> Result<Shapes> {
    let rejects = writers.own.open_rejects().await?;
    let transform = RecordTransform::of_steps(run.resource, Some(&shapes));
    let decoder = ShapedDecoder::new(run.resource, run.limits, shapes, Some(JsonPath::root()))?;
    let counts = RetriedRejects::default();
    let undoubled = Places::new();
    let mut retry = Retry { run, rules, writers, decoder, transform, pending: Vec::new(), counts, undoubled };
    for file in rejects.files() {
        let overtaken = match file.commit {
            Some(commit) => retry.writers.own.newer_keys_since(commit).await?,
            None => None,
        };
        let mut batches = rejects.read(file).await?;
        while let Some(batch) = batches.try_next().await? {
            for reject in batch.iter().filter(|reject| reject.state == RejectState::Open) {
                retry.take(reject, overtaken.as_ref()).await?;
                if retry.decoder.is_full(run.limits) {
                    retry.hand_on(overtaken.as_ref()).await?;
                }
            }
        }
        retry.hand_on(overtaken.as_ref()).await?;
    }
    let retried = retry.counts;
    run.components.observer.observe(&RunEvent::RejectsRetried { resource: run.name(), retried });
    Ok(retry.decoder.shapes)
}

impl Retry<'_, '_> {
    /// Types a reject again, and lets the schema grow for it.
    async fn take(&mut self, reject: &KeptReject, overtaken: Option<&NewerKeys>) -> Result<()> {
        self.counts.tried += 1;
        loop {
            let rows = self.decoder.pages.rows();
            let transform = self.transform.is_needed().then_some(&mut self.transform as &mut dyn RecordGate);
            // In brackets, so that it is one record whatever it is. One that was cut when it was
            // kept is no JSON any more.
            let body = format!("[{}]", reject.raw);
            let page = PageInput::json(0, body.as_bytes());
            let decoded = self.decoder.pages.decode(&page, self.rules.at_last(), transform);
            let again = match decoded {
                Ok(decoded) if decoded.rejects.is_empty() && self.decoder.pages.rows() > rows => {
                    self.pending.push(reject.place.clone());
                    return Ok(());
                }
                Ok(decoded) if decoded.rejects.is_empty() => {
                    self.counts.dropped += 1;
                    self.writers.own.settle(&reject.place);
                    return Ok(());
                }
                Ok(decoded) if self.rules.let_grow(&decoded.rejects) => {
                    decoded.rejects.into_iter().next().map(|again| (again.path, decoded.variants))
                }
                Ok(_) | Err(_) => None,
            };
            let shapes = &self.decoder.shapes;
            let grown = again.and_then(|(path, lacked)| {
                grown_for(self.run.resource, self.run.limits, self.rules, shapes, (&reject.raw, &path), &self.undoubled)
                    .or_else(|| grown_by_variants(self.rules, &shapes.records, &lacked))
            });
            // Two fields for one column are no reason to fail the others.
            let Some(grown) = grown.and_then(|grown| Shapes::of(self.run.resource, grown).ok()) else {
                self.counts.refused += 1;
                return Ok(());
            };
            self.hand_on(overtaken).await?;
            if !self.may_be_doubles(&grown).await? {
                continue;
            }
            self.writers.evolve(Arc::clone(&grown.table)).await?;
            self.decoder.set_shapes(self.writers.agreed(self.run, &grown)?)?;
        }
    }

    /// Returns whether integers that are doubles in `grown` are so in all rows so far, and in the
    /// table's. Notes where they are not.
    async fn may_be_doubles(&mut self, grown: &Shapes) -> Result<bool> {
        let before = self.undoubled.len();
        for place in new_doubles(self.decoder.shapes.records.columns(), grown.records.columns()) {
            let shapes = doubled(self.run.resource, &self.decoder.shapes, &place)?;
            if !self.writers.fits(&shapes.table).await? {
                self.undoubled.insert(place);
            }
        }
        Ok(self.undoubled.len() == before)
    }

    /// Gives the rows to the writer, but for those of which the table may have a newer version.
    async fn hand_on(&mut self, overtaken: Option<&NewerKeys>) -> Result<()> {
        let failed = |error: arrow::error::ArrowError| {
            Error::defect("rejects that are tried again do not form a batch").with_source(error)
        };
        let batch = self.decoder.flush()?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let late = match overtaken {
            Some(overtaken) => overtaken.find(&batch).await?,
            None => vec![false; batch.num_rows()],
        };
        let in_time = late.iter().map(|late| Some(!late)).collect();
        let batch = arrow::compute::filter_record_batch(&batch, &in_time).map_err(failed)?;
        self.writers.write(batch).await?;
        for (place, late) in self.pending.drain(..).zip(late) {
            if late {
                self.counts.overtaken += 1;
            } else {
                self.counts.accepted += 1;
                self.writers.own.settle(&place);
            }
        }
        Ok(())
    }
}
