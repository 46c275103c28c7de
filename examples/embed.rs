//! A program that embeds lakefeed: its own transport, its own observer, a lake in an object store
//! in memory; then the records of a resource as Arrow batches with a checkpoint, without a lake.
//!
//! ```text
//! cargo run --no-default-features --features demo --example embed
//! ```

#![expect(clippy::print_stdout, reason = "what it gets, it prints")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lakefeed::demo::{DemoOptions, DemoServer};
use lakefeed::third_party::object_store::{ObjectStore, memory::InMemory};
use lakefeed::third_party::{async_trait::async_trait, bytes::Bytes, http};
use lakefeed::transport::{ReqwestTransport, SendLimits, TransportError};
use lakefeed::{Checkpoint, Environment, Format, Lake, Observer, Pipeline, RunEvent, Transport};

const PIPELINE: &str = r"
name: embedded
client:
  base_url: ${env:BASE_URL}
  auth: {type: oauth2, client_id: '${env:ID}', client_secret: '${env:SECRET}', token_url: '${env:BASE_URL}/oauth/token'}
resources:
- name: events
  primary_key: event_id
  write_disposition: merge
  endpoint: {path: /v1/events, data_selector: items, paginator: {type: offset, limit: 100}}
";

/// Sockets as usual, but every request is counted and carries a header of the program's own.
#[derive(Debug)]
struct Counting {
    sockets: ReqwestTransport,
    requests: Arc<AtomicU64>,
}

#[async_trait]
impl Transport for Counting {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        request.headers_mut().insert("x-embedded", http::HeaderValue::from_static("yes"));
        self.sockets.send(request, limits).await
    }
}

/// Prints what it hears of pages and commits.
#[derive(Debug)]
struct Narrator;

impl Observer for Narrator {
    fn observe(&self, event: &RunEvent) {
        match event {
            RunEvent::PageRead { page, records, .. } => println!("page {page}: {records} records"),
            RunEvent::Committed { commit, rows, .. } => println!("commit {commit}: {} new rows", rows.inserted),
            _ => {}
        }
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = DemoServer::start(DemoOptions { events: 250, ..DemoOptions::default() }).await?;
    let environment = Environment::empty()
        .with_variable("BASE_URL", api.base_url())
        .with_variable("ID", api.client_id())
        .with_variable("SECRET", api.client_secret());
    let pipeline = Pipeline::parse_with(PIPELINE, Format::Yaml, &environment)?;
    let requests = Arc::new(AtomicU64::new(0));
    let transport = Counting { sockets: ReqwestTransport::new(&environment), requests: Arc::clone(&requests) };
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());

    let runner = pipeline.runner().transport(transport).observer(Narrator).store(Arc::clone(&store), "lake");
    let report = runner.run().await;
    println!("{report}");
    report.into_result()?;
    let snapshot = Lake::in_store(store, "lake").table("events").snapshot().await?;
    println!("{} rows by {} requests", snapshot.rows(), requests.load(Ordering::Relaxed));

    let mut batches = pipeline.reader("events").batches().await?;
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        rows += batch?.num_rows();
    }
    let columns = batches.schema().map_or(0, |schema| schema.fields().len());
    let checkpoint: &Checkpoint = batches.checkpoint().ok_or("the reading has not ended")?;
    println!("{rows} records with {columns} columns, without a table; {checkpoint:?}");
    assert_eq!(rows as u64, snapshot.rows(), "both are all that the API has");
    Ok(())
}
