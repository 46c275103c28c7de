//! Batches → data files, and a merge, with storage in memory: partitioning, Parquet, search and
//! rewriting without network, decoding or disk.
//!
//! `write` into one folder is the encoding of Parquet; what 50 partitions take more is the
//! partitioning and their smaller files.

#![expect(clippy::expect_used, reason = "a bench panics to fail")]

mod events;
#[expect(dead_code, reason = "the flat pages are for other benches")]
mod pages;
mod tables;

use std::sync::Arc;

use arrow::array::RecordBatch;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lakefeed_lake::{Lake, WriteSpec};
use lakefeed_model::spec::{JsonPath, WriteDisposition};
use lakefeed_source::decode::{DecodeOptions, MismatchPolicy, PageDecoder, PageInput};
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::runtime::Runtime;

use self::events::World;

const ROWS: u64 = 131_072;
const PARTITIONS: u64 = 50;
const BATCH_ROWS: usize = 8_192;
const WIDE_BATCHES: u64 = 16;
const CHANGES: u64 = 2_000;
/// Prime to the number of partitions, so that changes this far apart are in all of them.
const STRIDE: u64 = 63;

fn new_lake() -> Lake {
    Lake::with_store(Arc::new(InMemory::new()), Path::ROOT, "memory:".to_owned())
}

fn batches(numbers: impl Iterator<Item = u64>, word: &str) -> Vec<RecordBatch> {
    let world = World { partitions: PARTITIONS };
    let numbers: Vec<u64> = numbers.collect();
    numbers.chunks(BATCH_ROWS).map(|numbers| world.batch(numbers, word)).collect()
}

fn wide_batch() -> RecordBatch {
    let items = Some(JsonPath::keys(["items"]));
    let mut decoder = PageDecoder::new(&pages::wide_schema(), items, DecodeOptions::with_depth(64));
    for _ in 0..BATCH_ROWS / 1_000 {
        let body = pages::wide();
        let page = PageInput::json(0, body.as_bytes());
        decoder.decode(&page, MismatchPolicy::LENIENT, None).expect("the page is valid");
    }
    decoder.flush().expect("the columns form a batch")
}

fn write(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("there are threads");
    let flat = |partition_by| tables::spec(events::schema(), partition_by, WriteDisposition::Append);
    let wide = tables::spec(Arc::new(pages::wide_schema()), Vec::new(), WriteDisposition::Append);
    let rows = batches(0..ROWS, "Weekly planning");
    let wide_rows = vec![wide_batch(); usize::try_from(WIDE_BATCHES).expect("it is small")];
    let mut group = criterion.benchmark_group("write");
    group.sample_size(20);
    for (name, spec, rows) in [
        ("flat, one folder", flat(Vec::new()), &rows),
        ("flat, 50 partitions", flat(tables::by_day()), &rows),
        ("wide, one folder", wide, &wide_rows),
    ] {
        group.throughput(Throughput::Elements(rows.iter().map(|batch| batch.num_rows() as u64).sum()));
        group.bench_function(name, |bencher| {
            let rows = || (new_lake(), spec.clone(), rows.clone());
            bencher.to_async(&runtime).iter_batched(rows, written, BatchSize::PerIteration);
        });
    }
    group.finish();
}

async fn written((lake, spec, rows): (Lake, WriteSpec, Vec<RecordBatch>)) -> Lake {
    tables::write(&lake, spec, rows).await;
    lake
}

/// Rows of the table change; it is made anew for each merge, which is not measured.
fn merge(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("there are threads");
    let spec = || tables::spec(events::schema(), tables::by_day(), WriteDisposition::Merge);
    let rows = batches(0..ROWS, "Weekly planning");
    let mut group = criterion.benchmark_group("merge");
    group.sample_size(20).throughput(Throughput::Elements(CHANGES));
    for (name, stride, word) in [
        ("changes in one partition", PARTITIONS, "Moved meeting"),
        ("changes in all partitions", STRIDE, "Moved meeting"),
        ("nothing new", STRIDE, "Weekly planning"),
    ] {
        let changes = batches((0..CHANGES).map(|index| index * stride), word);
        group.bench_function(name, |bencher| {
            let full = || {
                let lake = new_lake();
                runtime.block_on(tables::write(&lake, spec(), rows.clone()));
                (lake, spec(), changes.clone())
            };
            bencher.iter_batched(full, |merge| runtime.block_on(written(merge)), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, write, merge);
criterion_main!(benches);
