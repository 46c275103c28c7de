//! Typing the records of pages, and following the schema contract when they bring something new.
//!
//! A page is decoded by the schema that the run has got so far. Where it holds something that the contract lets evolve, its rows are taken back, its
//! shape is inferred, the rows before it go to the writer, and the page is decoded again by the schema that has grown. The transform is asked once: its
//! answers are repeated. So records keep their order, and nothing is asked of the API again.

use std::borrow::Cow;
use std::sync::Arc;

use super::decoder::ShapedDecoder;
use super::inference::infer_options;
use super::rules::{Rules, grown_by_variants};
use crate::decode::{
    Admission, Decoded, InferOptions, Inferrer, MismatchPolicy, MixedKinds, PageDecoder, PageInput, RawRecord,
    RecordGate, TypeMismatches, UnknownFields,
};
use crate::error::Result;
use crate::event::RunEvent;
use crate::extract::Page;
use crate::paginate::{PageMeta, Questions};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{RecordTransform, input};
use crate::pipeline::shapes::{Shapes, unusable};
use crate::pipeline::sink::Sink;
use crate::reject::Reject;
use crate::schema::{Places, RecordSchema, new_doubles, with_doubles_at};
use crate::spec::{JsonPath, Limits, ResourceSpec};

/// How often a page may make the schema grow: a record tells of one misfit at a time.
const LOOKS_MAX: usize = 16;

/// The decoder of a pass, and the schema that it has got to.
#[derive(Debug)]
pub(crate) struct Typing<'r, 'a> {
    run: &'r ResourceRun<'a>,
    pub(crate) decoder: ShapedDecoder<'r>,
    rules: Rules,
    /// Where there are integers that no double is.
    undoubled: Places,
}

impl<'r, 'a> Typing<'r, 'a> {
    pub(crate) fn new(run: &'r ResourceRun<'a>, shapes: Shapes, rules: Rules) -> Result<Self> {
        let decoder =
            ShapedDecoder::new(run.resource, run.limits, shapes, run.resource.endpoint.data_selector.clone())?;
        Ok(Self { run, decoder, rules, undoubled: Places::new() })
    }

    /// Types the records of a page. `None` when the writer takes no more.
    pub(crate) async fn decode(
        &mut self,
        page: &Page,
        gate: &mut RecordTransform,
        task: &mut dyn Sink,
    ) -> Result<Option<Decoded>> {
        let rows = self.decoder.pages.rows();
        let at_first = self.rules.at_first();
        let mut recorded = Recorded { gate, answers: Vec::new() };
        let is_gated = recorded.gate.is_needed();
        let gate_of_page = is_gated.then_some(&mut recorded as &mut dyn RecordGate);
        let first = decode_page(&mut self.decoder.pages, page, at_first, gate_of_page)?;
        let mut rows = rows;
        let mut rejects = first.rejects.clone();
        let mut looks = 0;
        while self.rules.let_grow(&rejects) && looks < LOOKS_MAX {
            looks += 1;
            self.decoder.pages.truncate(rows);
            let Some(grown) = self.grown(page, is_gated.then_some(&recorded), &rejects) else { break };
            let doubles = new_doubles(self.decoder.shapes.records.columns(), grown.columns());
            if !doubles.is_empty() {
                rows = 0;
                match self.may_be_doubles(&doubles, task).await? {
                    None => return Ok(None),
                    // It grows otherwise, or not.
                    Some(false) => continue,
                    Some(true) => {}
                }
            }
            if !self.become_of(grown, task).await? {
                return Ok(None);
            }
            rows = 0;
            rejects = self.decode_again(page, at_first, is_gated.then_some(&recorded))?.rejects;
        }
        if looks == 0 {
            return Ok(Some(first));
        }
        self.decoder.pages.truncate(rows);
        let at_last = self.rules.at_last();
        if at_last.type_mismatches == TypeMismatches::Variant {
            // What no type holds beside the others gets columns of its own.
            let lacking = MismatchPolicy { unknown_fields: UnknownFields::Reject, ..at_last };
            let lacked = self.decode_again(page, lacking, is_gated.then_some(&recorded))?.variants;
            self.decoder.pages.truncate(rows);
            if let Some(grown) = grown_by_variants(self.rules, &self.decoder.shapes.records, lacked)
                && !self.become_of(grown, task).await?
            {
                return Ok(None);
            }
        }
        let last = self.decode_again(page, at_last, is_gated.then_some(&recorded))?;
        // What the paginator wants to know is in the page, whatever becomes of its records.
        let meta = PageMeta { records: last.meta.records, ..first.meta };
        Ok(Some(Decoded { meta, ..last }))
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

    /// Whether the integers at `places` are doubles in all rows so far, which go to the sink, and in the table's. Notes where they are not. `None`
    /// when the sink takes no more.
    async fn may_be_doubles(&mut self, places: &Places, sink: &mut dyn Sink) -> Result<Option<bool>> {
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

    /// Goes on with a schema that has grown; the rows before go to the sink. `false` when that takes no more.
    async fn become_of(&mut self, grown: Arc<RecordSchema>, sink: &mut dyn Sink) -> Result<bool> {
        let grown = Shapes::of(self.run.resource, grown)?;
        if !self.hand_on(sink).await? || !sink.evolve(Arc::clone(&grown.table)).await {
            return Ok(false);
        }
        self.decoder.set_shapes(grown)?;
        Ok(true)
    }

    fn decode_again(&mut self, page: &Page, policy: MismatchPolicy, gate: Option<&Recorded<'_>>) -> Result<Decoded> {
        let mut repeated = gate.map(Recorded::repeated);
        let gate = repeated.as_mut().map(|gate| gate as &mut dyn RecordGate);
        decode_page(&mut self.decoder.pages, page, policy, gate)
    }

    /// The schema that holds what the page shows, as far as the contract lets it, where it differs.
    fn grown(&self, page: &Page, gate: Option<&Recorded<'_>>, rejects: &[Reject]) -> Option<Arc<RecordSchema>> {
        let selector = self.decoder.pages.selector().cloned();
        let mut inferrer = Inferrer::new(selector, infer_options(self.run.resource, self.run.limits));
        let mut repeated = gate.map(Recorded::repeated);
        let gate = repeated.as_mut().map(|gate| gate as &mut dyn RecordGate);
        inferrer.observe(&PageInput { questions: Questions::NONE, ..input(page) }, gate).ok()?;
        let mut undoubled = inferrer.beyond_doubles();
        undoubled.extend(self.undoubled.iter().cloned());
        let seen = inferrer.finish(&[]).ok()??;
        let misfits = rejects.iter().filter(|reject| reject.code.is_about_a_value());
        let paths = misfits.clone().map(|reject| without_indexes(&reject.path)).collect();
        let mut shapes = self.decoder.shapes.clone();
        let mut grown = self.rules.grown(self.run.resource, &shapes, seen, &paths, &undoubled);
        // One value that fits nothing must not keep others from widening their column.
        for reject in misfits {
            shapes.records = grown.clone().unwrap_or(shapes.records);
            grown = grown_for(
                self.run.resource,
                self.run.limits,
                self.rules,
                &shapes,
                (&reject.raw, &reject.path),
                &undoubled,
            )
            .or(grown);
        }
        grown
    }
}

/// The shapes with doubles where integers are at `place`.
pub(crate) fn doubled(resource: &ResourceSpec, shapes: &Shapes, place: &str) -> Result<Shapes> {
    let columns = with_doubles_at(place, shapes.records.columns());
    let records = shapes.records.with_columns(columns).map_err(|error| unusable(resource, &error))?;
    Shapes::of(resource, Arc::new(records))
}

/// The schema of records that also holds one that was refused for what is at `path`, as far as the contract lets it, where it differs.
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
    let mut gate = RecordTransform::of_steps(resource, Some(shapes));
    let gate = gate.is_needed().then_some(&mut gate as &mut dyn RecordGate);
    // A record that was cut when it was kept is no JSON any more, and stays what it is.
    let body = format!("[{raw}]");
    inferrer.observe(&PageInput::json(0, body.as_bytes()), gate).ok()?;
    let seen = inferrer.finish(&[]).ok()??;
    rules.grown(resource, shapes, seen, &Places::from([without_indexes(path)]), undoubled)
}

fn decode_page(
    decoder: &mut PageDecoder,
    page: &Page,
    policy: MismatchPolicy,
    gate: Option<&mut dyn RecordGate>,
) -> Result<Decoded> {
    decoder
        .decode(&input(page), policy, gate)
        .map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))
}

/// `$.a[3].b` as `$.a.b`.
fn without_indexes(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once(']') {
            Some((index, after)) if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => {
                rest = after;
            }
            Some(_) | None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// A transform whose answers are kept, so that a page can be gone through again.
#[derive(Debug)]
struct Recorded<'g> {
    gate: &'g mut RecordTransform,
    answers: Vec<Admission>,
}

impl RecordGate for Recorded<'_> {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission> {
        let answer = self.gate.admit(record)?;
        self.answers.push(answer.clone());
        Ok(answer)
    }

    fn kept<'t>(&self, raw: &'t str) -> Cow<'t, str> {
        self.gate.kept(raw)
    }
}

impl Recorded<'_> {
    fn repeated(&self) -> Repeated<'_> {
        Repeated { gate: self.gate, answers: self.answers.iter() }
    }
}

/// The answers of a transform, once more.
#[derive(Debug)]
struct Repeated<'g> {
    gate: &'g RecordTransform,
    answers: std::slice::Iter<'g, Admission>,
}

impl RecordGate for Repeated<'_> {
    fn admit(&mut self, _: RawRecord<'_>) -> Result<Admission> {
        Ok(self.answers.next().cloned().unwrap_or(Admission::Keep))
    }

    fn kept<'t>(&self, raw: &'t str) -> Cow<'t, str> {
        self.gate.kept(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_indexes_and_nothing_else() {
        for (path, expected) in [
            ("$.a", "$.a"),
            ("$.a[3].b[0]", "$.a.b"),
            ("$['x y'][12]['1']", "$['x y']['1']"),
            ("$['a[1]']", "$['a']"),
            ("$[0", "$[0"),
        ] {
            assert_eq!(without_indexes(path), expected);
        }
    }
}
