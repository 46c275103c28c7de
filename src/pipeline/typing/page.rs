//! Typing the records of pages, and following the schema contract when they bring something new.
//!
//! A page is decoded by the schema that the run has got so far. Where it holds something that the
//! contract lets evolve, nothing of it is taken: the decoder says all that does not fit, the shape
//! of its records is inferred, the schema grows once by both, the rows before it go to the sink,
//! and the page is decoded again. The transform is asked once: its answers are repeated. So records
//! keep their order, and nothing is asked of the API again.

use std::sync::Arc;

use super::answers::Recorded;
use super::decoder::ShapedDecoder;
use super::inference::infer_options;
use super::rules::{PageShape, Rules, grown_by_variants};
use crate::decode::{
    Decoded, InferOptions, Inferrer, MismatchPolicy, MixedKinds, PageInput, RecordGate, TypeMismatches, UnknownFields,
};
use crate::error::Result;
use crate::event::RunEvent;
use crate::extract::Page;
use crate::paginate::{PageMeta, Questions};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::RecordTransform;
use crate::pipeline::shapes::{Shapes, unusable};
use crate::pipeline::sink::Sink;
use crate::schema::{Mismatch, Places, RecordSchema, new_doubles, with_doubles_at};
use crate::spec::{JsonPath, Limits, ResourceSpec};

/// The decoder of a pass, and the schema that it has got to.
#[derive(Debug)]
pub(crate) struct Typing<'r, 'a> {
    pub(super) run: &'r ResourceRun<'a>,
    pub(crate) decoder: ShapedDecoder<'r>,
    pub(super) rules: Rules,
    /// Where there are integers that no double is.
    pub(super) undoubled: Places,
}

impl<'r, 'a> Typing<'r, 'a> {
    pub(crate) fn new(run: &'r ResourceRun<'a>, shapes: Shapes, rules: Rules) -> Result<Self> {
        let decoder =
            ShapedDecoder::new(run.resource, run.limits, shapes, run.resource.endpoint.data_selector.clone())?;
        Ok(Self { run, decoder, rules, undoubled: Places::new() })
    }

    /// Types the records of a page. `None` when the sink takes no more.
    pub(crate) async fn decode(
        &mut self,
        page: &Page,
        transform: &mut RecordTransform,
        sink: &mut dyn Sink,
    ) -> Result<Option<Decoded>> {
        let members = transform.members();
        self.decode_recorded(&mut Recorded::new(page, &members, transform), sink).await
    }

    pub(super) async fn decode_recorded(
        &mut self,
        page: &mut Recorded<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Option<Decoded>> {
        let Recorded { page: came, input, .. } = *page;
        let first = self.decoder.pages.decode(&input, self.rules.at_first(), page.first());
        let first = first.map_err(|error| error.into_error(&came.place, came.content_type.as_deref()))?;
        if first.mismatches.is_empty() {
            return Ok(Some(first));
        }
        if !self.grow(page, first.mismatches, sink).await? {
            return Ok(None);
        }
        let Some(last) = self.decode_at_last(page, sink).await? else { return Ok(None) };
        // What the paginator wants to know is in the page, whatever becomes of its records.
        let meta = PageMeta { records: last.meta.records, ..first.meta };
        Ok(Some(Decoded { meta, ..last }))
    }

    /// Types the records of a page by which the schema has grown. `None` when the sink takes no
    /// more.
    async fn decode_at_last(&mut self, page: &mut Recorded<'_>, sink: &mut dyn Sink) -> Result<Option<Decoded>> {
        let at_last = self.rules.at_last();
        if at_last.type_mismatches != TypeMismatches::Variant {
            return self.decode_again(page, at_last).map(Some);
        }
        // What no type holds beside the others gets columns of its own.
        let rows = self.decoder.pages.rows();
        let lacking = MismatchPolicy { unknown_fields: UnknownFields::Reject, ..at_last };
        let decoded = self.decode_again(page, lacking)?;
        let grown = grown_by_variants(self.rules, &self.decoder.shapes.records, &decoded.variants);
        if grown.is_none() && lacking == at_last {
            return Ok(Some(decoded));
        }
        self.decoder.pages.truncate(rows);
        if let Some(grown) = grown
            && !self.set_schema(grown, sink).await?
        {
            return Ok(None);
        }
        self.decode_again(page, at_last).map(Some)
    }

    fn decode_again(&mut self, page: &mut Recorded<'_>, policy: MismatchPolicy) -> Result<Decoded> {
        let came = page.page;
        let input = PageInput { questions: Questions::NONE, ..page.input };
        let mut repeated = page.again();
        let gate = repeated.as_mut().map(|gate| gate as &mut dyn RecordGate);
        let decoded = self.decoder.pages.decode(&input, policy, gate);
        decoded.map_err(|error| error.into_error(&came.place, came.content_type.as_deref()))
    }

    /// Lets the schema grow by what a page shows, as far as the contract lets it. `false` when the
    /// sink takes no more.
    async fn grow(&mut self, page: &mut Recorded<'_>, mismatches: Vec<Mismatch>, sink: &mut dyn Sink) -> Result<bool> {
        let Some((seen, inexact)) = self.shape_of(page) else { return Ok(true) };
        let shape = PageShape::new(self.run.resource, seen, mismatches);
        loop {
            let undoubled = inexact.union(&self.undoubled).cloned().collect();
            let grown = self.rules.grown_by_page(self.run.resource, &self.decoder.shapes, &shape, &undoubled);
            let Some(grown) = grown else { return Ok(true) };
            let doubles = new_doubles(self.decoder.shapes.records.columns(), grown.columns());
            match self.may_be_doubles(&doubles, sink).await? {
                None => return Ok(false),
                Some(true) => return self.set_schema(grown, sink).await,
                // It grows otherwise, or not.
                Some(false) => {}
            }
        }
    }

    /// Returns the shape that holds all records of a page, and the places of integers that no
    /// double is; `None` where they show no field.
    fn shape_of(&self, page: &mut Recorded<'_>) -> Option<(RecordSchema, Places)> {
        let selector = self.decoder.pages.selector().cloned();
        let mut inferrer = Inferrer::new(selector, infer_options(self.run.resource, self.run.limits));
        let input = PageInput { questions: Questions::NONE, ..page.input };
        let mut repeated = page.again();
        let gate = repeated.as_mut().map(|gate| gate as &mut dyn RecordGate);
        inferrer.observe(&input, gate).ok()?;
        let inexact = inferrer.beyond_doubles();
        Some((inferrer.finish(&[]).ok()??, inexact))
    }

    /// Gives the buffered rows to the sink; false when it takes no more, because it failed.
    pub(crate) async fn hand_on(&mut self, sink: &mut dyn Sink) -> Result<bool> {
        let batch = self.decoder.flush()?;
        let rows = batch.num_rows() as u64;
        let taken = rows == 0 || sink.write(batch).await;
        if taken {
            self.run.emit(&RunEvent::RowsStaged { resource: self.run.name(), rows });
        }
        Ok(taken)
    }

    /// Returns whether the integers at `places` are doubles in all rows so far, which go to the
    /// sink, and in the table's. Notes where they are not. `None` when the sink takes no more.
    pub(super) async fn may_be_doubles(&mut self, places: &Places, sink: &mut dyn Sink) -> Result<Option<bool>> {
        if !self.hand_on(sink).await? {
            return Ok(None);
        }
        let before = self.undoubled.len();
        for place in places {
            let shapes = doubled(self.run.resource, &self.decoder.shapes, place)?;
            match sink.fits(shapes.table).await {
                None => return Ok(None),
                Some(true) => {}
                Some(false) => drop(self.undoubled.insert(place.clone())),
            }
        }
        Ok(Some(self.undoubled.len() == before))
    }

    /// Goes on with a schema that has grown; the rows before go to the sink. `false` when that
    /// takes no more.
    async fn set_schema(&mut self, grown: Arc<RecordSchema>, sink: &mut dyn Sink) -> Result<bool> {
        let grown = Shapes::of(self.run.resource, grown)?;
        if !self.hand_on(sink).await? || !sink.evolve(Arc::clone(&grown.table)).await {
            return Ok(false);
        }
        self.decoder.set_shapes(grown)?;
        Ok(true)
    }
}

/// Returns the shapes with doubles where integers are at `place`.
pub(crate) fn doubled(resource: &ResourceSpec, shapes: &Shapes, place: &str) -> Result<Shapes> {
    let columns = with_doubles_at(place, shapes.records.columns());
    let records = shapes.records.with_columns(columns).map_err(|error| unusable(resource, &error))?;
    Shapes::of(resource, Arc::new(records))
}

/// Returns the schema of records that also holds one that was refused for what is at `path`, as far
/// as the contract lets it, where it differs.
pub(crate) fn grown_for(
    resource: &ResourceSpec,
    limits: &Limits,
    rules: Rules,
    shapes: &Shapes,
    (raw, path): (&str, &str),
    undoubled: &Places,
) -> Option<Arc<RecordSchema>> {
    let options = InferOptions { mixed_kinds: MixedKinds::BecomeJson, ..infer_options(resource, limits) };
    let mut inferrer = Inferrer::new(Some(JsonPath::root()), options);
    let mut transform = RecordTransform::of_steps(resource, Some(shapes));
    let gate = transform.is_needed().then_some(&mut transform as &mut dyn RecordGate);
    // A record that was cut when it was kept is no JSON any more, and stays what it is.
    let body = format!("[{raw}]");
    inferrer.observe(&PageInput::json(0, body.as_bytes()), gate).ok()?;
    rules.grown_by_record(resource, shapes, inferrer.finish(&[]).ok()??, path, undoubled)
}
