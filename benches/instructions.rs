//! The program behind `make instructions`: small fixed work, to be counted by callgrind.
//!
//! ```text
//! instructions cases          the names of the cases, one a line
//! instructions machine        what besides the compiler decides how many instructions a case takes
//! instructions CASE ROUNDS    does the work of a case so many times
//! ```
//!
//! One thread does everything, storage is memory, and every round does the same. What a process
//! does once, to start and to prepare the case, drops out of the difference between two numbers of
//! rounds.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench panics to fail")]
#![expect(clippy::print_stdout, reason = "what it says is for the script that runs it")]

mod pages;
mod tables;

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray, UInt32Array};
use lakefeed_lake::spec::PartitionField;
use lakefeed_lake::{CommitOutcome, Lake, WriteSpec};
use lakefeed_model::schema::RecordSchema;
use lakefeed_model::spec::{JsonPath, WriteDisposition};
use lakefeed_source::decode::{DecodeOptions, MismatchPolicy, PageDecoder, PageInput};
use lakefeed_source::paginate::Questions;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde::de::IgnoredAny;

const BATCH_ROWS: usize = 8_192;
/// Every so many rows one changes, in the case of a merge.
const CHANGED_EVERY: usize = 10;

/// A case does its work so many times.
type Case = fn(u32);

/// The first one is what the others are measured by where the compiler is not the baseline's: it is
/// none of our code.
const CASES: [(&str, Case); 6] = [
    ("serde_json skips both pages", skip),
    ("decode a flat page", |rounds| decode(&pages::flat(), &pages::flat_schema(), rounds)),
    ("decode a wide page", |rounds| decode(&pages::wide(), &pages::wide_schema(), rounds)),
    ("write 1,000 wide rows", |rounds| write(&pages::wide(), pages::wide_schema(), &[], rounds)),
    ("write 1,000 rows to 28 partitions", |rounds| {
        write(&pages::flat(), pages::flat_schema(), &tables::by_day(), rounds);
    }),
    ("merge 100 changed rows into 1,000", merge),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["cases"] => CASES.iter().for_each(|(name, _)| println!("{name}")),
        ["machine"] => println!("{}", machine()),
        [case, rounds] => {
            let Some((_, work)) = CASES.iter().find(|(name, _)| name == case) else {
                panic!("there is no case {case:?}")
            };
            work(rounds.parse().unwrap());
        }
        _ => panic!("usage: instructions cases | machine | CASE ROUNDS"),
    }
}

/// Libraries choose their code by what the processor can do.
fn machine() -> String {
    #[cfg(target_arch = "x86_64")]
    let extras = if std::arch::is_x86_feature_detected!("avx2") { ", AVX2" } else { "" };
    #[cfg(not(target_arch = "x86_64"))]
    let extras = "";
    format!("{} {}{extras}", std::env::consts::ARCH, std::env::consts::OS)
}

fn skip(rounds: u32) {
    let pages = [pages::flat(), pages::wide()];
    for page in (0..rounds).flat_map(|_| &pages) {
        serde_json::from_str::<IgnoredAny>(black_box(page)).unwrap();
    }
}

fn decode(page: &str, schema: &RecordSchema, rounds: u32) {
    let mut decoder = decoder(schema);
    let questions = Questions { lookups: vec![JsonPath::keys(["total"])], wants_hints: false };
    for _ in 0..rounds {
        let page = PageInput { questions: &questions, ..PageInput::json(0, black_box(page.as_bytes())) };
        let decoded = decoder.decode(&page, MismatchPolicy::LENIENT, None).unwrap();
        assert!(decoded.rejects.is_empty(), "the page fits its schema");
        if decoder.rows() >= BATCH_ROWS {
            black_box(decoder.flush().unwrap());
        }
    }
}

fn decoder(schema: &RecordSchema) -> PageDecoder {
    PageDecoder::new(schema, Some(JsonPath::keys(["items"])), DecodeOptions::with_depth(64))
}

fn batch_of(page: &str, schema: &RecordSchema) -> RecordBatch {
    let mut decoder = decoder(schema);
    decoder.decode(&PageInput::json(0, page.as_bytes()), MismatchPolicy::LENIENT, None).unwrap();
    decoder.flush().unwrap()
}

/// Appends the page's rows to a table that is not there yet.
fn write(page: &str, schema: RecordSchema, partition_by: &[PartitionField], rounds: u32) {
    let batch = batch_of(page, &schema);
    let schema = Arc::new(schema);
    for _ in 0..rounds {
        let spec = tables::spec(Arc::clone(&schema), partition_by.to_vec(), WriteDisposition::Append);
        let outcome = run(&new_lake(), spec, &batch);
        assert_eq!(outcome.rows.inserted, batch.num_rows() as u64);
    }
}

/// Merges changed rows, a few of each partition, into a table that has all of them.
fn merge(rounds: u32) {
    let schema = Arc::new(pages::flat_schema());
    let all = batch_of(&pages::flat(), &schema);
    let merging = || tables::spec(Arc::clone(&schema), tables::by_day(), WriteDisposition::Merge);
    for _ in 0..rounds {
        let lake = new_lake();
        run(&lake, merging(), &all);
        let outcome = run(&lake, merging(), &changed(&all));
        assert_eq!(outcome.rows.updated, (all.num_rows() / CHANGED_EVERY) as u64);
    }
}

/// Some of the rows, with another summary.
fn changed(all: &RecordBatch) -> RecordBatch {
    let positions = (0..all.num_rows() / CHANGED_EVERY).map(|index| u32::try_from(index * CHANGED_EVERY).unwrap());
    let some = arrow::compute::take_record_batch(all, &positions.collect::<UInt32Array>()).unwrap();
    let summary = some.schema().index_of("summary").unwrap();
    let texts = some.column(summary).as_string::<i32>();
    let mut columns = some.columns().to_vec();
    columns[summary] =
        Arc::new(texts.iter().map(|text| Some(format!("{} (moved)", text.unwrap()))).collect::<StringArray>())
            as ArrayRef;
    RecordBatch::try_new(some.schema(), columns).unwrap()
}

fn new_lake() -> Lake {
    Lake::with_store(Arc::new(InMemory::new()), Path::ROOT, "memory:".to_owned())
}

fn run(lake: &Lake, spec: WriteSpec, batch: &RecordBatch) -> CommitOutcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tables::write(lake, spec, [batch.clone()]))
}
