//! The ways in which a page could become a batch, on the same pages as `benches/decode.rs`: how fast each is on one core, and what each makes of
//! pages on which decoders differ. Prints Markdown.
//!
//! What takes values one by one appends them to the same column buffers (`rows.rs`) and reads date-times by the same function (`instant.rs`), so
//! that candidates differ by their parsers. Before anything is measured, every candidate must make the same batches of the pages.

mod by_arrow_json;
mod by_jiter;
mod by_simd_json;
mod exact;
mod instant;
#[path = "../../pages.rs"]
mod pages;
mod rows;
mod typed;

use std::hint::black_box;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use arrow::array::{Array as _, ArrayData, RecordBatch, StructArray};
use arrow::datatypes::DataType;
use lakefeed::decode::{DecodeOptions, PageDecoder, UnknownFields};
use lakefeed::schema::RecordSchema;
use lakefeed::spec::JsonPath;
use serde::de::{DeserializeSeed as _, IgnoredAny};
use serde_json::value::RawValue;

use self::by_arrow_json::ArrowJson;
use self::by_simd_json::Scratch;
use self::rows::{Flat, Outcome, Rows, Wide};
use self::typed::{FlatEvent, Page, WideEvent};

const BATCH_ROWS: usize = 8_192;
const ROUNDS: usize = 21;
const ROUND: Duration = Duration::from_millis(40);

/// Turns pages of one shape into batches.
pub(crate) trait Decode {
    fn page(&mut self, bytes: &[u8]) -> Outcome<()>;
    fn rows(&self) -> usize;
    fn take(&mut self) -> Outcome<RecordBatch>;
}

pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    pub(crate) flat: Box<dyn Decode>,
    pub(crate) wide: Box<dyn Decode>,
}

/// What fills column buffers.
struct Filling<R, F> {
    rows: R,
    fill: F,
}

impl<R: Rows, F: FnMut(&[u8], &mut R) -> Outcome<()>> Decode for Filling<R, F> {
    fn page(&mut self, bytes: &[u8]) -> Outcome<()> {
        (self.fill)(bytes, &mut self.rows)
    }

    fn rows(&self) -> usize {
        self.rows.count()
    }

    fn take(&mut self) -> Outcome<RecordBatch> {
        Ok(self.rows.take())
    }
}

fn filling<R: Rows + 'static>(fill: impl FnMut(&[u8], &mut R) -> Outcome<()> + 'static) -> Box<dyn Decode> {
    Box::new(Filling { rows: R::default(), fill })
}

impl Decode for PageDecoder {
    fn page(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.decode(0, bytes)?;
        Ok(())
    }

    fn rows(&self) -> usize {
        Self::rows(self)
    }

    fn take(&mut self) -> Outcome<RecordBatch> {
        Ok(self.flush()?)
    }
}

impl Decode for ArrowJson {
    fn page(&mut self, bytes: &[u8]) -> Outcome<()> {
        Self::page(self, bytes)
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn take(&mut self) -> Outcome<RecordBatch> {
        Self::take(self)
    }
}

fn ours(schema: &RecordSchema) -> Box<dyn Decode> {
    let options = DecodeOptions { depth_max: 64, unknown_fields: UnknownFields::Ignore };
    Box::new(PageDecoder::new(schema, Some(JsonPath::keys(["items"])), vec![JsonPath::keys(["total"])], options))
}

/// Ours is the first one.
pub(crate) fn candidates() -> Vec<Candidate> {
    let serde_json_wide = |bytes: &[u8], rows: &mut Wide| {
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        Page(rows, PhantomData::<WideEvent<'_, &RawValue>>).deserialize(&mut parser)?;
        Ok(parser.end()?)
    };
    let serde_json_flat = |bytes: &[u8], rows: &mut Flat| {
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        Page(rows, PhantomData::<FlatEvent<'_>>).deserialize(&mut parser)?;
        Ok(parser.end()?)
    };
    let sonic_wide = |bytes: &[u8], rows: &mut Wide| {
        let mut parser = sonic_rs::Deserializer::from_slice(bytes);
        Page(rows, PhantomData::<WideEvent<'_, sonic_rs::LazyValue<'_>>>).deserialize(&mut parser)?;
        Ok(parser.end()?)
    };
    let sonic_flat = |bytes: &[u8], rows: &mut Flat| {
        let mut parser = sonic_rs::Deserializer::from_slice(bytes);
        Page(rows, PhantomData::<FlatEvent<'_>>).deserialize(&mut parser)?;
        Ok(parser.end()?)
    };
    let (mut for_flat, mut for_wide) = (Scratch::default(), Scratch::default());
    vec![
        Candidate { name: "lakefeed", flat: ours(&pages::flat_schema()), wide: ours(&pages::wide_schema()) },
        Candidate { name: "serde visitors, sonic-rs", flat: filling(sonic_flat), wide: filling(sonic_wide) },
        Candidate {
            name: "serde visitors, serde_json",
            flat: filling(serde_json_flat),
            wide: filling(serde_json_wide),
        },
        Candidate {
            name: "simd-json tape",
            flat: filling(move |bytes, rows| by_simd_json::page(bytes, rows, &mut for_flat, by_simd_json::flat)),
            wide: filling(move |bytes, rows| by_simd_json::page(bytes, rows, &mut for_wide, by_simd_json::wide)),
        },
        Candidate {
            name: "jiter",
            flat: filling(|bytes, rows| by_jiter::page(bytes, rows, by_jiter::flat)),
            wide: filling(|bytes, rows| by_jiter::page(bytes, rows, by_jiter::wide)),
        },
        Candidate {
            name: "arrow-json",
            flat: Box::new(ArrowJson::new(&pages::flat_schema().to_arrow())),
            wide: Box::new(ArrowJson::new(&pages::wide_schema().to_arrow())),
        },
    ]
}

fn main() {
    let (flat, wide) = (pages::flat(), pages::wide());
    let mut candidates = candidates();
    same_batches(&mut candidates, &flat, &wide);
    let mut works: Vec<(&str, [Box<dyn FnMut() + '_>; 2])> = vec![
        (
            "limit: sonic-rs skips",
            [&flat, &wide]
                .map(|page| boxed(move || drop(sonic_rs::from_slice::<IgnoredAny>(black_box(page.as_bytes()))))),
        ),
        (
            "limit: serde_json skips",
            [&flat, &wide].map(|page| boxed(move || drop(serde_json::from_str::<IgnoredAny>(black_box(page))))),
        ),
    ];
    for Candidate { name, flat: of_flat, wide: of_wide } in &mut candidates {
        works.push((
            name,
            [(of_flat, &flat), (of_wide, &wide)].map(|(decoder, page)| boxed(move || decode(decoder.as_mut(), page))),
        ));
    }
    let bytes = [flat.len(), wide.len()];
    let mut seen: Vec<[Vec<f64>; 2]> = works.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    for _ in 0..ROUNDS {
        for ((_, work), seen) in works.iter_mut().zip(&mut seen) {
            for shape in 0..2 {
                seen[shape].push(megabytes_a_second(&mut work[shape], bytes[shape]));
            }
        }
    }
    let medians: Vec<[f64; 2]> = seen.into_iter().map(|seen| seen.map(median)).collect();
    println!("| way | flat MB/s | of the skip | wide MB/s | of the skip |\n| --- | --- | --- | --- | --- |");
    for ((name, _), [flat, wide]) in works.iter().zip(&medians) {
        let [flat_limit, wide_limit] = medians[0];
        println!(
            "| {name} | {flat:.0} | {:.0} % | {wide:.0} | {:.0} % |",
            100.0 * flat / flat_limit,
            100.0 * wide / wide_limit
        );
    }
    println!();
    exact::compare();
}

fn boxed<'a>(work: impl FnMut() + 'a) -> Box<dyn FnMut() + 'a> {
    Box::new(work)
}

fn decode(decoder: &mut dyn Decode, page: &str) {
    decoder.page(black_box(page.as_bytes())).expect("the page is valid");
    if decoder.rows() >= BATCH_ROWS {
        black_box(decoder.take().expect("the columns form a batch"));
    }
}

fn megabytes_a_second(work: &mut dyn FnMut(), bytes: usize) -> f64 {
    let began = Instant::now();
    let mut pages = 0.0;
    while began.elapsed() < ROUND {
        work();
        pages += 1.0;
    }
    pages * bytes as f64 / began.elapsed().as_secs_f64() / 1e6
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Every candidate makes the batches of ours, but for what it calls their types.
fn same_batches(candidates: &mut [Candidate], flat: &str, wide: &str) {
    let mut expected = None;
    for Candidate { name, flat: of_flat, wide: of_wide } in candidates {
        let batches = [(of_flat, flat), (of_wide, wide)].map(|(decoder, page)| {
            decoder.page(page.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let batch = decoder.take().unwrap_or_else(|error| panic!("{name}: {error}"));
            let columns = batch.schema().fields().len();
            // arrow-json has another column of reminders.
            let typed = batch.schema().field(columns - 1).data_type() != &DataType::Utf8;
            if typed { batch.project(&(0..columns - 1).collect::<Vec<_>>()).expect("they are there") } else { batch }
        });
        let expected = expected.get_or_insert_with(|| batches.clone());
        for (mine, theirs) in expected.iter().zip(&batches) {
            let mine = mine.project(&(0..theirs.num_columns()).collect::<Vec<_>>()).expect("they are there");
            assert_eq!(StructArray::from(mine.clone()).len(), theirs.num_rows(), "{name}");
            for (mine, theirs) in mine.columns().iter().zip(theirs.columns()) {
                assert_eq!(mine.to_data(), retyped(&theirs.to_data(), mine.data_type()), "{name}");
            }
        }
    }
}

fn retyped(data: &ArrayData, data_type: &DataType) -> ArrayData {
    let children = match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::List(item) => vec![item.data_type()],
        _ => Vec::new(),
    };
    let children = data.child_data().iter().zip(children).map(|(child, data_type)| retyped(child, data_type));
    let data = data.clone().into_builder().data_type(data_type.clone()).child_data(children.collect());
    data.build().expect("the types have one layout")
}
