//! `lakefeed` keeps a partitioned, merged, typed Parquet lake in step with a paginated REST API.
//!
//! # Layout, in reading order
//!
//! A page of the API becomes rows of the lake in stages, and each stage hands on a named value:
//! `Document → PipelineSpec → PageRequest → Page → Decoded → StagedFile → Commit → RunReport`.
//! `ARCHITECTURE.md` has the map with its invariants; `tests/architecture/rooms.toml` holds the edges between the modules.
//! Read [`pipeline`] first: it is the story of a run, and the only module that knows every stage.
//!
//! # Example
//!
//! A pipeline on the demo's API, into a lake in a temporary folder:
//!
//! ```
//! use std::sync::Arc;
//!
//! use lakefeed::client::ReqwestTransport;
//! use lakefeed::clock::SystemClock;
//! use lakefeed::config::{self, Format, SystemSources};
//! use lakefeed::demo::{DemoOptions, DemoServer};
//! use lakefeed::environment::Environment;
//! use lakefeed::event::Silent;
//! use lakefeed::interrupt::Interrupt;
//! use lakefeed::lake::Lake;
//! use lakefeed::pipeline::{self, Components, RunOptions};
//! use lakefeed::spec::DestinationSpec;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let api = DemoServer::start(DemoOptions { events: 300, ..DemoOptions::default() }).await?;
//! let folder = tempfile::tempdir()?;
//! let pipeline = serde_json::json!({
//!     "client": {
//!         "base_url": api.base_url(),
//!         "auth": {
//!             "type": "oauth2",
//!             "client_id": api.client_id(),
//!             "client_secret": api.client_secret(),
//!             "token_url": format!("{}/oauth/token", api.base_url()),
//!         },
//!     },
//!     "resources": [{
//!         "name": "events",
//!         "endpoint": {"path": "/v1/events", "data_selector": "items", "paginator": {"type": "offset", "limit": 100}},
//!         "primary_key": "event_id",
//!         "write_disposition": "merge",
//!     }],
//!     "destination": folder.path(),
//! });
//! let sources = SystemSources::new(folder.path().to_owned(), &Environment::empty());
//! let spec = config::parse("events.json", &pipeline.to_string(), Format::Json, &sources)?;
//! let components = Components {
//!     clock: SystemClock::shared(),
//!     transport: Arc::new(ReqwestTransport::new(&Environment::empty())),
//!     observer: Arc::new(Silent),
//!     run_id: "first".to_owned(),
//!     interrupt: Interrupt::never(),
//!     jitter_seed: 1,
//! };
//! let lake = Lake::open(&DestinationSpec::at(folder.path().display().to_string()), &Environment::empty())?;
//! pipeline::run(&spec, &pipeline::choose(&spec, &[])?, &RunOptions::default(), &lake, &components).await?;
//!
//! let snapshot = lake.table("events").snapshot().await?;
//! assert_eq!((snapshot.version, snapshot.rows()), (1, 300));
//! # Ok(())
//! # })
//! # }
//! ```

pub mod cassette;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod expression;
pub mod pipeline;
pub mod plan;
pub mod report;
pub mod spec;
pub mod telemetry;

#[cfg(feature = "demo")]
pub use lakefeed_demo as demo;
pub use lakefeed_lake as lake;
pub use lakefeed_model::{checkpoint, clock, environment, error, event, interrupt, reject, schema, secret};
pub use lakefeed_source::{client, decode, extract, paginate};
