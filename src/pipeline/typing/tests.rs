//! A page that brings something new, gone through a few times, becomes what it became when it was
//! gone through once for each field that it brings.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use futures::FutureExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::answers::Recorded;
use super::inference::infer_options;
use super::page::Typing;
use super::rules::{Rules, grown_by_variants, without_indexes};
use crate::decode::{
    Decoded, EmptyContainers, InferOptions, Inferrer, MismatchPolicy, MixedKinds, PageInput, TypeMismatches,
    UnknownFields,
};
use crate::extract::{Origin, Page};
use crate::paginate::Questions;
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{RecordTransform, input};
use crate::pipeline::shapes::{Shapes, shaped};
use crate::pipeline::sink::Sink;
use crate::pipeline::testing::{World, options, pipeline, resource};
use crate::reject::Reject;
use crate::schema::{Column, RecordSchema, grow, new_doubles};
use crate::spec::{JsonPath, RecordFormat};

/// A sink whose rows so far fit any wider schema, or none.
#[derive(Debug)]
struct Fits(bool);

#[async_trait]
impl Sink for Fits {
    async fn write(&mut self, _: RecordBatch) -> bool {
        true
    }

    async fn reject(&mut self, _: Vec<Reject>) -> bool {
        true
    }

    async fn note_nulled(&mut self, _: Vec<Reject>) -> bool {
        true
    }

    async fn evolve(&mut self, _: Arc<RecordSchema>) -> bool {
        true
    }

    async fn fits(&mut self, _: Arc<RecordSchema>) -> Option<bool> {
        Some(self.0)
    }
}

/// A run of one resource without a table.
fn world(more: Value) -> World {
    World::new(pipeline(&json!([resource("e", more)]), &json!({})), options(), None)
}

fn page(body: &str) -> Page {
    Page {
        number: 1,
        body: body.to_owned().into(),
        place: "GET /e".to_owned(),
        content_type: None,
        format: RecordFormat::Json,
        questions: Questions::default(),
        origin: Origin::Fetched,
    }
}

/// A typing whose schema is that of the records of `before`.
fn typing<'r, 'a>(run: &'r ResourceRun<'a>, before: &str) -> Typing<'r, 'a> {
    let (seen, _) = seen(run, &page(before));
    let shapes = Shapes::of(run.resource, Arc::new(shaped(run.resource, seen.unwrap()))).unwrap();
    Typing::new(run, shapes, Rules::new(run.resource, false)).unwrap()
}

fn seen(run: &ResourceRun<'_>, page: &Page) -> (Option<RecordSchema>, Vec<String>) {
    let mut inferrer = Inferrer::new(Some(JsonPath::root()), infer_options(run.resource, run.limits));
    inferrer.observe(&input(page, ""), None).unwrap();
    let beyond = inferrer.beyond_doubles().into_iter().collect();
    (inferrer.finish(&[]).ok().flatten(), beyond)
}

/// The columns of one record by itself, of which lists and objects that hold nothing say nothing.
fn alone(run: &ResourceRun<'_>, record: &str) -> Vec<Column> {
    let options = infer_options(run.resource, run.limits);
    let (mixed_kinds, empty_containers) = (MixedKinds::BecomeJson, EmptyContainers::AreNull);
    let mut inferrer = Inferrer::new(Some(JsonPath::root()), InferOptions { mixed_kinds, empty_containers, ..options });
    inferrer.observe(&PageInput::json(0, format!("[{record}]").as_bytes()), None).unwrap();
    let seen = inferrer.finish(&[]).ok().flatten();
    seen.map(|seen| shaped(run.resource, seen).columns().to_vec()).unwrap_or_default()
}

/// The way before: of each record one field that does not fit is known, the schema grows by these,
/// and the page is decoded again.
fn one_by_one(typing: &mut Typing<'_, '_>, page: &Page, sink: &mut Fits) -> Result<Decoded, String> {
    let (run, rules) = (typing.run, typing.rules);
    let refusing = |policy: MismatchPolicy| MismatchPolicy {
        unknown_fields: match policy.unknown_fields {
            UnknownFields::Collect => UnknownFields::Reject,
            other => other,
        },
        type_mismatches: match policy.type_mismatches {
            TypeMismatches::Collect => TypeMismatches::Reject,
            other => other,
        },
    };
    let decode = |typing: &mut Typing<'_, '_>, policy| {
        let page = PageInput { questions: Questions::NONE, ..input(page, "") };
        typing.decoder.pages.truncate(0);
        typing.decoder.pages.decode(&page, policy, None).map_err(|error| error.to_string())
    };
    let at_first = refusing(rules.at_first());
    let first = decode(typing, at_first)?;
    let mut rejects = first.rejects.clone();
    let mut has_grown = false;
    while rules.let_grow(&rejects) {
        has_grown = true;
        let (Some(seen), inexact) = seen(run, page) else { break };
        let undoubled = typing.undoubled.iter().cloned().chain(inexact).collect();
        let misfits = rejects.iter().filter(|reject| reject.code.is_about_a_value());
        let paths = misfits.map(|reject| without_indexes(&reject.path)).collect();
        let mut shapes = typing.decoder.shapes.clone();
        let (known, fixed) = (Arc::clone(&shapes.records), shapes.fixed(run.resource));
        let growth = rules.growth(&fixed, &undoubled);
        let columns = grow(known.columns(), shaped(run.resource, seen).columns(), growth, &paths);
        shapes.records = Arc::new(known.with_columns(columns).unwrap());
        for reject in rejects.iter().filter(|reject| rules.let_grow(std::slice::from_ref(*reject))) {
            // What is new widens nothing.
            let is_value = reject.code.is_about_a_value();
            let places = is_value.then(|| without_indexes(&reject.path)).into_iter().collect();
            let columns = grow(shapes.records.columns(), &alone(run, &reject.raw), growth, &places);
            shapes.records = Arc::new(known.with_columns(columns).unwrap());
        }
        if shapes.records.columns() == known.columns() {
            break;
        }
        let doubles = new_doubles(known.columns(), shapes.records.columns());
        typing.decoder.pages.truncate(0);
        if typing.may_be_doubles(&doubles, sink).now_or_never().unwrap().unwrap() == Some(true) {
            typing.decoder.set_shapes(Shapes::of(run.resource, shapes.records).unwrap()).unwrap();
            rejects = decode(typing, at_first)?.rejects;
        }
    }
    if !has_grown {
        return Ok(first);
    }
    let at_last = rules.at_last();
    if at_last.type_mismatches == TypeMismatches::Variant {
        let lacking = MismatchPolicy { unknown_fields: UnknownFields::Reject, ..at_last };
        let lacked = decode(typing, lacking)?.variants;
        if let Some(grown) = grown_by_variants(rules, &typing.decoder.shapes.records, &lacked) {
            typing.decoder.pages.truncate(0);
            typing.decoder.set_shapes(Shapes::of(run.resource, grown).unwrap()).unwrap();
        }
    }
    decode(typing, at_last)
}

/// A schema, the rows of a page, and what else became of its records.
type Outcome = (Arc<RecordSchema>, RecordBatch, Vec<Reject>, Vec<Reject>, u64, u64);

fn outcome(typing: &mut Typing<'_, '_>, decoded: Decoded) -> Outcome {
    let rows = typing.decoder.flush().unwrap();
    let Decoded { rejects, nulled, discarded, meta, .. } = decoded;
    (Arc::clone(&typing.decoder.shapes.records), rows, rejects, nulled, discarded, meta.records)
}

/// JSON values, of which a decimal holds some and no double does.
fn value() -> impl Strategy<Value = String> {
    let scalars = [
        "null",
        "true",
        "1",
        "-7",
        "9007199254740993",
        "9223372036854775808",
        "0.5",
        "1e400",
        "\"x\"",
        "\"7\"",
        "\"2026-11-23\"",
        "\"2026-11-23T12:00:00Z\"",
        "[]",
        "{}",
    ];
    let scalar = proptest::sample::select(scalars.map(str::to_owned).to_vec());
    scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(|elements| format!("[{}]", elements.join(","))),
            object(inner),
        ]
    })
}

fn object(values: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let keys = proptest::sample::subsequence(vec!["a", "b", "c", "d e"], 0..=4).prop_shuffle();
    (keys, proptest::collection::vec(values, 4))
        .prop_map(|(keys, values)| {
            let members = keys.iter().zip(values).map(|(key, value)| format!("\"{key}\":{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        })
        .boxed()
}

fn records(least: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(prop_oneof![20 => object(value()), 1 => value()], least..6)
}

fn body(records: &[String]) -> String {
    format!("[{}]", records.join(","))
}

/// What a resource says of its schema.
fn contract() -> impl Strategy<Value = Value> {
    let mode =
        || proptest::sample::select(vec!["evolve", "evolve", "evolve", "freeze", "discard_row", "discard_value"]);
    let conflicts = proptest::sample::select(vec!["json", "reject", "text", "variant"]);
    let nested = proptest::sample::select(vec!["native", "flatten", "child_tables", "json"]);
    (mode(), mode(), conflicts, nested).prop_map(|(columns, data_type, conflicts, nested)| {
        let data_type = if conflicts == "variant" { "evolve" } else { data_type };
        // A record that is refused for a field in an object is not looked at again when another
        // makes the object JSON.
        let columns = if (columns, conflicts) == ("discard_row", "json") { "discard_value" } else { columns };
        let contract = json!({"columns": columns, "data_type": data_type, "conflicts": conflicts});
        json!({"schema_contract": contract, "nested": nested, "primary_key": "a"})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_page_becomes_what_it_became_field_by_field(
        resource in contract(), before in records(0), records in records(1), fits in any::<bool>(),
    ) {
        // Whether a column of doubles that is new holds an integer is known when it is decoded.
        let exact = resource["schema_contract"]["conflicts"] != "variant";
        let records = body(&records);
        let beyond = ["9007199254740993", "9223372036854775808"];
        let records = if exact { records } else { beyond.iter().fold(records, |all, one| all.replace(one, "9")) };
        let (world, before, came) = (world(resource), body(&before), page(&records));
        let before = format!("[{{\"a\":1}},{}", before.strip_prefix('[').unwrap()).replace(",]", "]");
        let run = world.run();
        let mut old = typing(&run, &before);
        let expected = one_by_one(&mut old, &came, &mut Fits(fits));
        let mut new = typing(&run, &before);
        let mut transform = RecordTransform::of_steps(run.resource, None);
        let found = new.decode(&came, &mut transform, &mut Fits(fits)).now_or_never().unwrap();
        match (expected, found) {
            (Ok(expected), Ok(found)) => {
                prop_assert_eq!(outcome(&mut new, found.unwrap()), outcome(&mut old, expected));
            }
            (Err(expected), Err(found)) => prop_assert!(found.to_string().contains(&expected), "{found}: {expected}"),
            (expected, found) => prop_assert!(false, "{expected:?} became {found:?}"),
        }
    }
}

#[test]
fn a_page_is_gone_through_a_few_times_whatever_it_brings() {
    let fields = |value: &str| (0..40).map(|n| format!("\"f{n}\":{value}")).collect::<Vec<_>>().join(",");
    let before = format!("[{{{}}}]", fields("1"));
    let steps = json!({"processing_steps": [{"map": {"f0": "record.f0"}}]});
    for (conflicts, records, walks, rejects) in [
        ("reject", vec![fields("1")], 1, 0),
        // As it came, for its shape, for its rows; every field of a record widens its column.
        ("reject", vec![fields("0.5")], 3, 0),
        ("reject", vec![fields("1"), format!("{},\"new\":[{{\"x\":1}}]", fields("0.5"))], 3, 0),
        ("reject", vec![fields("true")], 3, 1),
        ("json", vec![fields("true"), fields("0.5"), fields("\"x\"")], 3, 0),
        ("variant", vec![fields("0.5")], 3, 0),
        // The columns of the variants come in between.
        ("variant", vec![fields("true"), fields("\"x\"")], 4, 0),
    ] {
        for more in [json!({}), steps.clone()] {
            let mut resource = more.clone();
            resource["schema_contract"] = json!({"conflicts": conflicts});
            let world = world(resource);
            let run = world.run();
            let mut typing = typing(&run, &before);
            let body = body(&records.iter().map(|members| format!("{{{members}}}")).collect::<Vec<_>>());
            let (came, mut transform) = (page(&body), RecordTransform::of_steps(run.resource, None));
            let mut page = Recorded::new(&came, "", &mut transform);
            let decoded = typing.decode_recorded(&mut page, &mut Fits(true)).now_or_never().unwrap().unwrap().unwrap();
            assert_eq!((page.walks(), decoded.rejects.len()), (walks, rejects), "{conflicts} {more}");
        }
    }
}
