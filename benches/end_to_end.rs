//! A whole run against the demo API on loopback: token, pages, decoding, Parquet, commit. Rows per
//! second.
//!
//! Server and run share the machine, so the numbers are for comparing one build with another, not
//! for boasting.

#![expect(clippy::unwrap_used, reason = "a bench panics to fail")]

use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lakefeed::demo::{DemoOptions, DemoServer};
use lakefeed::{Environment, Format, Pipeline};

const EVENTS: usize = 50_000;

fn pipeline(api: &DemoServer, page: usize, disposition: &str, partitioned: bool) -> Pipeline {
    let partition_by = if partitioned { "[{column: start_time, transform: day}]" } else { "[]" };
    let text = format!(
        "name: bench\n\
         client:\n  base_url: {base}\n  auth: {{type: oauth2, client_id: {id}, client_secret: {secret}, token_url: {base}/oauth/token}}\n\
         resource_defaults: {{primary_key: event_id, write_disposition: {disposition}}}\n\
         resources:\n- name: events\n  schema: events.json\n  partition_by: {partition_by}\n  \
         endpoint: {{path: /v1/events, data_selector: items, paginator: {{type: offset, limit: {page}}}}}\n",
        base = api.base_url(),
        id = api.client_id(),
        secret = api.client_secret(),
    );
    let schema = include_str!("../schemas/calendar_events.json");
    Pipeline::parse_with(&text, Format::Yaml, &Environment::empty().with_file("events.json", schema)).unwrap()
}

async fn run(pipeline: &Pipeline, folder: &Path) {
    let runner = pipeline.runner().destination(folder.to_str().unwrap()).run_id("bench").jitter_seed(1);
    runner.run().await.into_result().unwrap();
}

fn end_to_end(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let api = runtime.block_on(DemoServer::start(DemoOptions { events: EVENTS, ..DemoOptions::default() })).unwrap();
    let mut group = criterion.benchmark_group("end_to_end");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS as u64));
    for (page, disposition, partitioned) in
        [(100, "append", false), (1_000, "append", false), (1_000, "append", true), (1_000, "merge", true)]
    {
        let name = format!("{disposition}{}", if partitioned { ", day partitions" } else { "" });
        let pipeline = pipeline(&api, page, disposition, partitioned);
        group.bench_function(BenchmarkId::new(name, page), |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || tempfile::tempdir().unwrap(),
                |folder| {
                    let pipeline = &pipeline;
                    async move {
                        run(pipeline, folder.path()).await;
                        folder
                    }
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    let full = tempfile::tempdir().unwrap();
    let pipeline = pipeline(&api, 1_000, "merge", true);
    runtime.block_on(run(&pipeline, full.path()));
    group.bench_function(BenchmarkId::new("merge, nothing changed", 1_000), |bencher| {
        bencher.to_async(&runtime).iter(|| run(&pipeline, full.path()));
    });
    group.finish();
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
