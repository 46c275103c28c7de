//! Bytes of a page → Arrow batch, on one core, beside what it costs only to parse the same bytes.
//!
//! The pages are those of `pages.rs`; batches are taken out at 8,192 rows.

#![expect(clippy::expect_used, reason = "a bench panics to fail")]

mod pages;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lakefeed_model::spec::JsonPath;
use lakefeed_source::decode::{DecodeOptions, MismatchPolicy, PageDecoder, PageInput};
use lakefeed_source::paginate::Questions;
use serde::de::IgnoredAny;

const BATCH_ROWS: usize = 8_192;

fn decode(criterion: &mut Criterion) {
    for (name, page, schema) in
        [("flat", pages::flat(), pages::flat_schema()), ("wide", pages::wide(), pages::wide_schema())]
    {
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        group.throughput(Throughput::Bytes(page.len() as u64));
        let items = JsonPath::keys(["items"]);
        let questions = Questions { lookups: vec![JsonPath::keys(["total"])], wants_hints: false };
        let mut decoder = PageDecoder::new(&schema, Some(items), DecodeOptions::with_depth(64));
        group.bench_function("page to batch", |bencher| {
            bencher.iter(|| {
                let page = PageInput { questions: &questions, ..PageInput::json(0, black_box(page.as_bytes())) };
                let decoded = decoder.decode(&page, MismatchPolicy::LENIENT, None).expect("the page is valid");
                assert!(decoded.rejects.is_empty(), "the page fits its schema");
                if decoder.rows() >= BATCH_ROWS {
                    black_box(decoder.flush().expect("the columns form a batch"));
                }
            });
        });
        group.bench_function("limit: serde_json skips", |bencher| {
            bencher.iter(|| serde_json::from_str::<IgnoredAny>(black_box(&page)).expect("the page is valid"));
        });
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
