//! From a validated pipeline to commits: the only module that knows every stage.
//!
//! The stages do not know each other; they hand on values. What happened is told as [`RunEvent`](crate::event::RunEvent)s, so nothing here
//! prints, logs or counts.

mod context;
mod read;
mod run;
mod shapes;
mod sink;
mod typing;
mod write;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::spec::{PipelineSpec, ResourceSpec};
use context::client;
use run::{Family, Stage, ends_the_run, refuse_idle_backfill, refuse_parents_without_children};

pub use context::{Components, RunOptions, Start};
pub use run::{ReadStream, Sample, choose, infer_schema, read};
pub use write::ReadItem;

/// Runs the chosen resources one after the other, in the order of the file.
///
/// A resource that fails leaves its table as it was and does not keep the others from running, unless the operator
/// stopped the run.
///
/// # Errors
/// The error of the first resource that failed; the observer has heard of all.
pub async fn run(spec: &PipelineSpec, options: &RunOptions, components: &Components) -> Result<()> {
    let resources = choose(spec, &options.resources)?;
    let destination = options.destination.as_ref().or(spec.destination.as_ref()).ok_or_else(|| {
        Error::config(format!("pipeline {} has no destination", spec.name))
            .with_hint("add `destination: {url: ./lake}` to the pipeline file, or give --destination URL")
    })?;
    let lake = Lake::open(destination)?;
    run_in(spec, &resources, options, &lake, components).await
}

/// Runs `resources` into a lake that is already open: what [`run`] does once it knows where to go. Simulations and tests
/// call it with a store of their own. Of `options`, resources and destination play no part any more.
///
/// # Errors
/// As [`run`].
pub async fn run_in(
    spec: &PipelineSpec,
    resources: &[&ResourceSpec],
    options: &RunOptions,
    lake: &Lake,
    components: &Components,
) -> Result<()> {
    refuse_idle_backfill(resources, options)?;
    refuse_parents_without_children(spec, resources, options)?;
    let client = Arc::new(client(spec, components));
    let stage = Stage { spec, chosen: resources, options, lake, client: &client, components };
    let roots = spec.resources.iter().filter(|resource| resource.parent.is_none());
    let mut first_error = None;
    for family in roots.filter_map(|root| Family::of(root, &stage)) {
        let Err(error) = family.run().await else { continue };
        let ends = ends_the_run(&error);
        first_error.get_or_insert(error);
        if ends {
            break;
        }
    }
    first_error.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;

/// An API of answers that are written down, and pipelines that read it; for the tests of this module.
#[cfg(test)]
mod testing {
    use std::fmt;
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use bytes::Bytes;
    use serde_json::{Value, json};

    use crate::client::{SendLimits, Transport, TransportError};
    use crate::clock::ManualClock;
    use crate::config::{self, Format, Sources};
    use crate::event::{Observer, RunEvent};
    use crate::interrupt::Interrupt;
    use crate::pipeline::Components;
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
        /// An API that answers as `answer` does, which gets path and query: `/e?page=1`.
        pub(crate) fn new(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Arc<Self> {
            Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
        }

        /// An API with a page for each of the addresses.
        pub(crate) fn of(pages: &[(&str, Value)]) -> Arc<Self> {
            let pages: Vec<(String, String)> =
                pages.iter().map(|(address, body)| ((*address).to_owned(), body.to_string())).collect();
            Self::new(move |asked| pages.iter().find(|(address, _)| address == asked).map(|(_, body)| body.clone()))
        }

        /// What was asked for so far.
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
        /// What was heard so far.
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

    /// A pipeline of these resources; of one without an endpoint, all of its listing is at its name. `limits` bound it.
    pub(crate) fn pipeline(resources: Value, limits: Value) -> PipelineSpec {
        let document = json!({
            "client": {"base_url": "https://api.example", "retry": {"max_retries": 0}},
            "limits": limits, "resources": resources,
        });
        config::parse("p.json", &document.to_string(), Format::Json, &NoFiles).unwrap()
    }

    /// A resource that is one page of JSON, with what `more` says.
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

    /// What touches the world in a test: `api`, and a clock that stands still.
    pub(crate) fn components(api: &Arc<Api>) -> (Components, Arc<Heard>) {
        let heard = Arc::new(Heard::default());
        let components = Components {
            clock: Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap())),
            transport: Arc::<Api>::clone(api),
            observer: Arc::<Heard>::clone(&heard),
            run_id: "run".to_owned(),
            interrupt: Interrupt::never(),
            jitter_seed: 1,
        };
        (components, heard)
    }
}
