//! Whole runs over random histories of an API, with faults of network and store, kills at any
//! change, and one or two writers. Each history comes from a seed:
//! `LAKEFEED_SIMULATION_SEEDS=17..18` plays the seventeenth again, `make soak` plays ten thousand
//! (`LAKEFEED_S3_SIMULATION_SEEDS` for those on a server that speaks S3).
//!
//! What must hold: a reader who globs never sees a row of a run that was not committed, no row is
//! there twice once a run has succeeded, and after a run without faults the table is what the API
//! has, and has had.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::BoxFuture;
use lakefeed::testing::{
    Answer, Around, Death, FaultStore, Fuse, Luck, ManualClock, Request, ScriptedTransport, WrappedStore, answer,
};
use lakefeed::transport::TransportErrorKind;
use lakefeed::{Environment, Error, ErrorKind, Format, Lake, Pipeline, Runner};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use serde_json::{Value, json};

use crate::support::json_rows::json_rows_in;
use crate::support::s3::S3Server;

const TABLE: &str = "events";
const PAGE: u64 = 3;

const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["id"],
  "properties": {
    "id": {"type": "string"},
    "day": {"type": ["string", "null"], "format": "date"},
    "rev": {"type": "integer"}
  }
}"#;

/// An event as the API has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    day: Option<u64>,
    /// Grows with every change of the whole API, so that it tells when a row was written.
    rev: u64,
}

/// The API: what it has, and the faults that come.
#[derive(Debug, Default)]
struct Api {
    events: Mutex<BTreeMap<u64, Event>>,
    faults: Mutex<Vec<u64>>,
}

/// All that a history has done to its world, in order.
#[derive(Debug, Default)]
struct Trace(Mutex<Vec<String>>);

impl Trace {
    fn note(&self, effect: String) {
        self.0.lock().unwrap().push(effect);
    }
}

#[async_trait]
impl Around for Trace {
    async fn around(
        &self,
        request: Request<'_>,
        go: BoxFuture<'_, object_store::Result<()>>,
    ) -> object_store::Result<()> {
        match request {
            Request::Put { path, payload } => {
                let bytes = bytes::Bytes::from(payload.clone());
                self.note(format!("put {path}: {} bytes, {:08x}", bytes.len(), crc32fast::hash(&bytes)));
            }
            // What is read changes nothing, and threads read side by side.
            other if other.is_change() => self.note(format!("{other:?}")),
            _ => {}
        }
        go.await
    }
}

impl Api {
    /// Some events come, change, move to another day or go.
    fn change(&self, luck: &mut Luck, rev: &mut u64) {
        let mut events = self.events.lock().unwrap();
        for _ in 0..luck.draw(8) {
            *rev += 1;
            let id = luck.draw(20);
            if luck.draw(6) == 0 {
                events.remove(&id);
            } else {
                let day = luck.draw(5).checked_sub(1);
                events.insert(id, Event { day, rev: *rev });
            }
        }
    }

    fn page(&self, offset: u64) -> Value {
        let events = self.events.lock().unwrap();
        let (start, size) = (usize::try_from(offset).unwrap(), usize::try_from(PAGE).unwrap());
        let items: Vec<Value> = events.iter().skip(start).take(size).map(|(id, event)| row_of(*id, *event)).collect();
        json!({"items": items, "total": events.len()})
    }
}

fn row_of(id: u64, event: Event) -> Value {
    let mut row = json!({"id": format!("e{id}"), "rev": event.rev});
    if let Some(day) = event.day {
        row["day"] = json!(format!("2026-11-{:02}", day + 1));
    }
    row
}

impl Api {
    fn answer(&self, request: &http::Request<bytes::Bytes>) -> Answer {
        match self.faults.lock().unwrap().pop() {
            Some(0) => answer::status(503),
            Some(1) => answer::status(429),
            Some(2) => answer::failure(TransportErrorKind::Truncated),
            Some(3) => answer::failure(TransportErrorKind::Closed),
            Some(4) => answer::status(404),
            _ => {
                let offset = answer::parameter(request, "offset").map_or(0, |offset| offset.parse().unwrap());
                answer::json(&self.page(offset))
            }
        }
    }
}

/// A pipeline whose runs go on from kept pages or not; and whose keys fit into memory or not.
fn pipeline(resumes: bool, merge_index_bytes: u32) -> Pipeline {
    let pipeline = json!({
        "name": "simulation",
        "limits": {"resume_age_max_seconds": if resumes { 86_400 } else { 0 }, "merge_index_bytes": merge_index_bytes},
        "client": {"base_url": "https://api.example", "retry": {"max_retries": 2, "backoff_factor": 0.5}},
        "resources": [{
            "name": TABLE,
            "primary_key": "id",
            "write_disposition": "merge",
            "schema": "schema.json",
            "partition_by": [{"column": "day"}],
            "endpoint": {"data_selector": "items", "paginator": {"type": "offset", "limit": PAGE}},
        }],
    });
    let environment = Environment::empty().with_file("schema.json", SCHEMA);
    Pipeline::parse_with(&pipeline.to_string(), Format::Json, &environment).unwrap()
}

/// One history.
struct History {
    luck: Luck,
    seed: u64,
    /// Runs go on from the pages of stopped ones: then a row may be as old as the run that was
    /// stopped, until the next run.
    resumes: bool,
    pipeline: Pipeline,
    api: Arc<Api>,
    store: Arc<dyn ObjectStore>,
    /// The lake is on a disk, where a file lock keeps writers apart; elsewhere leases do.
    disk: Option<tempfile::TempDir>,
    clock: Arc<ManualClock>,
    runs: u64,
    /// What a table must have that follows the API: every event as it was last seen.
    oracle: BTreeMap<u64, Event>,
    trace: Arc<Trace>,
}

impl History {
    /// On a disk or in memory.
    fn of(seed: u64) -> Self {
        let disk = seed.is_multiple_of(4).then(|| tempfile::tempdir().unwrap());
        let store: Arc<dyn ObjectStore> = match &disk {
            Some(folder) => {
                Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_automatic_cleanup(true))
            }
            None => Arc::new(InMemory::new()),
        };
        Self::on(seed, store, disk)
    }

    /// In the bucket of a server, below a prefix of its own.
    fn on_s3(seed: u64, server: &S3Server) -> Self {
        let prefix = format!("simulation-{seed}");
        Self::on(seed, Arc::new(PrefixStore::new(server.store(), prefix)), None)
    }

    fn on(seed: u64, store: Arc<dyn ObjectStore>, disk: Option<tempfile::TempDir>) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap()));
        let (api, oracle, trace) = (Arc::new(Api::default()), BTreeMap::new(), Arc::new(Trace::default()));
        let store = Arc::new(WrappedStore::new(store, Arc::clone(&trace)));
        let resumes = seed.is_multiple_of(3);
        Self {
            luck: Luck::new(seed ^ 0x5EED),
            seed,
            resumes,
            pipeline: pipeline(resumes, if seed.is_multiple_of(3) { 300 } else { 1 << 20 }),
            api,
            store,
            disk,
            clock,
            runs: 0,
            oracle,
            trace,
        }
    }

    fn lake(&self, store: Arc<dyn ObjectStore>) -> Lake {
        let root = object_store::path::Path::ROOT;
        let lake = lakefeed_lake::Lake::with_store(store, root, "lake".to_owned()).with_snapshot_file_every(3);
        match &self.disk {
            Some(folder) => lake.on_local_disk(folder.path().to_owned()).into(),
            None => lake.into(),
        }
    }

    /// The next run, into `store`.
    fn runner(&mut self, store: Arc<dyn ObjectStore>) -> Runner {
        self.runs += 1;
        let (api, trace) = (Arc::clone(&self.api), Arc::clone(&self.trace));
        let transport = ScriptedTransport::new(move |request| {
            trace.note(format!("{} {}", request.method(), request.uri()));
            std::future::ready(api.answer(&request))
        });
        self.pipeline
            .runner()
            .transport(transport)
            .lake(&self.lake(store))
            .clock(Arc::clone(&self.clock))
            .run_id(format!("run-{:05}", self.runs))
            .jitter_seed(self.seed)
    }

    /// A run that the store may end at any of its changes.
    async fn run(&mut self, fuse: Option<Arc<Fuse>>) -> Result<(), Error> {
        let store = match fuse {
            Some(fuse) => Arc::new(FaultStore::new(Arc::clone(&self.store), fuse)) as Arc<dyn ObjectStore>,
            None => Arc::clone(&self.store),
        };
        self.runner(store).run().await.into_result().map(drop)
    }

    async fn commits(&self) -> u64 {
        self.lake(Arc::clone(&self.store)).table(TABLE).snapshot().await.unwrap().version
    }

    async fn rows(&self) -> Vec<Value> {
        let mut rows = json_rows_in(&*self.store, TABLE).await;
        rows.sort_by_key(ToString::to_string);
        rows
    }

    /// The API as it is now becomes part of what a table must have.
    fn follow(&mut self) {
        self.oracle.extend(self.api.events.lock().unwrap().iter().map(|(id, event)| (*id, *event)));
    }

    fn expected(&self) -> Vec<Value> {
        let mut rows: Vec<Value> = self.oracle.iter().map(|(id, event)| row_of(*id, *event)).collect();
        rows.sort_by_key(ToString::to_string);
        rows
    }

    /// A reader sees nothing that is younger than the last commit.
    async fn assert_nothing_uncommitted(&self, committed_rev: u64, step: &str) {
        for row in self.rows().await {
            assert!(row["rev"].as_u64().unwrap() <= committed_rev, "seed {} {step}: a reader sees {row}", self.seed);
        }
    }

    /// Plays to the end; returns the trace.
    async fn play(mut self) -> Vec<String> {
        let mut rev = 0;
        let mut committed_rev = 0;
        for step in 0..4 {
            self.api.change(&mut self.luck, &mut rev);
            let faults = (0..self.luck.draw(12)).map(|_| self.luck.draw(12)).collect();
            *self.api.faults.lock().unwrap() = faults;
            let before = self.commits().await;
            let death = *self.luck.pick(&[Death::BeforeEffect, Death::AfterEffect, Death::LostAnswer]);
            let fuse = Fuse::new(self.luck.draw(40), death);
            let result = self.run(Some(Arc::clone(&fuse))).await;
            self.clock.advance(std::time::Duration::from_secs(61));
            let place = format!("step {step} {death:?}");
            let happened = self.commits().await > before;
            if happened {
                committed_rev = rev;
                self.follow();
            }
            self.assert_nothing_uncommitted(committed_rev, &place).await;
            if result.is_ok() {
                // Nothing new is a success without a commit.
                self.follow();
                committed_rev = rev;
                if !self.resumes {
                    assert_eq!(self.rows().await, self.expected(), "seed {} {place}", self.seed);
                }
            }
        }
        if self.disk.is_none() {
            Box::pin(self.two_writers(&mut rev)).await;
        }
        self.api.faults.lock().unwrap().clear();
        for _ in 0..2 {
            self.run(None).await.unwrap_or_else(|error| panic!("seed {}: {error} {:?}", self.seed, error.causes()));
        }
        self.follow();
        assert_eq!(self.rows().await, self.expected(), "seed {}", self.seed);
        std::mem::take(&mut *self.trace.0.lock().unwrap())
    }

    /// Two runs at once: one may be refused, and both may succeed; together they do no harm.
    async fn two_writers(&mut self, rev: &mut u64) {
        self.api.change(&mut self.luck, rev);
        self.api.faults.lock().unwrap().clear();
        let (one, other) = (self.runner(Arc::clone(&self.store)), self.runner(Arc::clone(&self.store)));
        let (first, second) = tokio::join!(one.run(), other.run());
        let (first, second) = (first.into_result(), second.into_result());
        let refused = [&first, &second].into_iter().filter_map(|result| result.as_ref().err());
        for error in refused {
            assert_eq!(error.kind(), ErrorKind::Conflict, "seed {}: {error}", self.seed);
        }
        assert!(first.is_ok() || second.is_ok(), "seed {}: nobody could write", self.seed);
        self.follow();
        if !self.resumes {
            assert_eq!(self.rows().await, self.expected(), "seed {}: two writers", self.seed);
        }
    }
}

fn seeds(variable: &str, usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var(variable) else { return usual };
    let (from, to) = text.split_once("..").unwrap_or_else(|| panic!("seeds are written as 0..300, not {text}"));
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn random_histories_with_faults_and_kills_end_with_the_tables_of_the_oracle() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for seed in seeds("LAKEFEED_SIMULATION_SEEDS", 0..300) {
        runtime.block_on(History::of(seed).play());
    }
}

/// A seed says all, otherwise a failure could not be played again. But for those on a disk, or with
/// pages that are kept: threads of the runtime write files and compress pages, in an order that the
/// system chooses.
#[test]
fn a_history_does_the_same_each_time_it_is_played() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut effects = 0;
    for seed in (0..48).filter(|seed: &u64| !seed.is_multiple_of(3) && !seed.is_multiple_of(4)) {
        let [one, other] = [(); 2].map(|()| runtime.block_on(History::of(seed).play()));
        for (number, (one, other)) in one.iter().zip(&other).enumerate() {
            assert_eq!(one, other, "seed {seed}, effect {number}");
        }
        assert_eq!(one.len(), other.len(), "seed {seed}");
        effects += one.len();
    }
    assert!(effects > 1_000, "only {effects} effects");
}

/// The same histories against a server that speaks S3, over sockets: moto, or the one that
/// `make test-ceph` starts.
#[test]
fn on_s3_random_histories_end_with_the_tables_of_the_oracle() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = S3Server::start();
    for seed in seeds("LAKEFEED_S3_SIMULATION_SEEDS", 0..12) {
        runtime.block_on(History::on_s3(seed, &server).play());
    }
}
