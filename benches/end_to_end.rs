//! A whole run against the demo API on loopback: token, pages, decoding, Parquet, commit. Rows per second.
//!
//! Server and run share the machine, so the numbers are for comparing one build with another, not for boasting.

#![expect(clippy::unwrap_used, reason = "a bench panics to fail")]

use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lakefeed::client::ReqwestTransport;
use lakefeed::clock::SystemClock;
use lakefeed::config::{self, Format};
use lakefeed::demo::{DemoOptions, DemoServer};
use lakefeed::environment::Environment;
use lakefeed::event::Silent;
use lakefeed::interrupt::Interrupt;
use lakefeed::lake::Lake;
use lakefeed::pipeline::{self, Components, RunOptions};
use lakefeed::spec::{DestinationSpec, PipelineSpec};

const EVENTS: usize = 50_000;

fn pipeline(api: &DemoServer, page: usize, disposition: &str, partitioned: bool) -> PipelineSpec {
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
    let files = Environment::empty().with_file("events.json", include_str!("../schemas/calendar_events.json"));
    config::parse("bench.yaml", &text, Format::Yaml, &files).unwrap()
}

async fn run(spec: &PipelineSpec, folder: &Path) {
    let components = Components {
        clock: SystemClock::shared(),
        transport: Arc::new(ReqwestTransport::new(&Environment::empty())),
        observer: Arc::new(Silent),
        run_id: "bench".to_owned(),
        interrupt: Interrupt::never(),
        jitter_seed: 1,
    };
    let lake = Lake::open(&DestinationSpec::at(folder.to_str().unwrap()), &Environment::empty()).unwrap();
    let resources = pipeline::choose(spec, &[]).unwrap();
    pipeline::run(spec, &resources, &RunOptions::default(), &lake, &components).await.unwrap();
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
        let spec = pipeline(&api, page, disposition, partitioned);
        group.bench_function(BenchmarkId::new(name, page), |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || tempfile::tempdir().unwrap(),
                |folder| {
                    let spec = &spec;
                    async move {
                        run(spec, folder.path()).await;
                        folder
                    }
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    let full = tempfile::tempdir().unwrap();
    let spec = pipeline(&api, 1_000, "merge", true);
    runtime.block_on(run(&spec, full.path()));
    group.bench_function(BenchmarkId::new("merge, nothing changed", 1_000), |bencher| {
        bencher.to_async(&runtime).iter(|| run(&spec, full.path()));
    });
    group.finish();
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
