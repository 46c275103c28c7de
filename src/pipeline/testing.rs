//! An API of answers that are written down, and pipelines that read it; for the tests of this
//! module.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::{Value, json};

use crate::client::{Client, SendLimits, Transport, TransportError};
use crate::clock::ManualClock;
use crate::config::{self, Format, Sources};
use crate::environment::Environment;
use crate::event::{Observer, RunEvent};
use crate::interrupt::Interrupt;
use crate::lake::Lake;
use crate::pipeline::context::{ResourceRun, client};
use crate::pipeline::{Components, RunOptions};
use crate::spec::PipelineSpec;

/// The body of an answer, by path and query; `None` for a page that is not there (404).
type Answer = dyn Fn(&str) -> Option<String> + Send + Sync;

/// An API, and what it was asked for.
pub(crate) struct Api {
    answer: Box<Answer>,
    asked: Mutex<Vec<String>>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Api {
    /// Returns an API that answers as `answer` does, which gets path and query: `/e?page=1`.
    pub(crate) fn new(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }

    /// Returns an API with a page for each of the addresses.
    pub(crate) fn of(pages: &[(&str, Value)]) -> Arc<Self> {
        let pages: Vec<(String, String)> =
            pages.iter().map(|(address, body)| ((*address).to_owned(), body.to_string())).collect();
        Self::new(move |asked| pages.iter().find(|(address, _)| address == asked).map(|(_, body)| body.clone()))
    }

    /// Returns what was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Api {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let asked = request.uri().path_and_query().unwrap().to_string();
        self.asked.lock().unwrap().push(asked.clone());
        let answer = http::Response::builder();
        Ok(match (self.answer)(&asked) {
            Some(body) => answer.body(body.into()).unwrap(),
            None => answer.status(404).body(Bytes::new()).unwrap(),
        })
    }
}

/// Every event.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<RunEvent>>);

impl Heard {
    /// Returns what was heard so far.
    pub(crate) fn events(&self) -> Vec<RunEvent> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Heard {
    fn observe(&self, event: &RunEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct NoFiles;

impl Sources for NoFiles {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, name: &str) -> std::io::Result<String> {
        Err(std::io::Error::other(format!("{name} is not there")))
    }
}

/// Returns a pipeline of these resources; of one without an endpoint, all of its listing is at its
/// name. `limits` bound it.
pub(crate) fn pipeline(resources: &Value, limits: &Value) -> PipelineSpec {
    let mut document = json!({"client": {"base_url": "https://api.example", "retry": {"max_retries": 0}}});
    document["limits"] = limits.clone();
    document["resources"] = resources.clone();
    config::parse("p.json", &document.to_string(), Format::Json, &NoFiles).unwrap()
}

/// Returns a resource that is one page of JSON, with what `more` says.
pub(crate) fn resource(name: &str, more: Value) -> Value {
    let mut resource = json!({
        "name": name, "write_disposition": "append",
        "endpoint": {"path": name, "data_selector": "$", "paginator": "single_page"},
    });
    merge(&mut resource, more);
    resource
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// Returns a lake in `store`.
pub(crate) fn lake(store: Arc<dyn ObjectStore>) -> Lake {
    Lake::with_store(store, Path::default(), "memory:///".to_owned())
}

/// What a run of the first resource of a pipeline needs.
#[derive(Debug)]
pub(crate) struct World {
    spec: PipelineSpec,
    options: RunOptions,
    client: Arc<Client>,
    components: Components,
    lake: Option<Lake>,
}

impl World {
    /// Makes a run of an API that has nothing.
    pub(crate) fn new(spec: PipelineSpec, options: RunOptions, lake: Option<Lake>) -> Self {
        let (components, _) = components(&Api::of(&[]));
        let client = Arc::new(client(&spec, &options, &components));
        Self { spec, options, client, components, lake }
    }

    /// Returns the run.
    pub(crate) fn run(&self) -> ResourceRun<'_> {
        ResourceRun {
            resource: &self.spec.resources[0],
            has_table: true,
            limits: &self.spec.limits,
            options: &self.options,
            lake: self.lake.as_ref(),
            client: &self.client,
            components: &self.components,
        }
    }
}

/// Returns a run as usual.
pub(crate) fn options() -> RunOptions {
    RunOptions { jitter_seed: Some(1), ..RunOptions::of("run".to_owned()) }
}

/// Returns what touches the world in a test: `api`, and a clock that stands still.
pub(crate) fn components(api: &Arc<Api>) -> (Components, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let components = Components {
        clock: Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap())),
        transport: Arc::<Api>::clone(api),
        observer: Arc::<Heard>::clone(&heard),
        temporary_folder: Environment::empty().temporary_folder(),
        interrupt: Interrupt::never(),
    };
    (components, heard)
}
