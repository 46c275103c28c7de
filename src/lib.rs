//! Keeps a partitioned, merged, typed Parquet lake in step with a paginated REST API, as a pipeline
//! file says. The command `lakefeed` does so, and a program can:
//!
//! ```no_run
//! use lakefeed::{Environment, Lake, Pipeline};
//!
//! # async fn example() -> lakefeed::Result<()> {
//! let pipeline = Pipeline::load_with("calendar.yaml", &Environment::of_process())?;
//! pipeline.run().await.into_result()?; // into the lake that the file names
//! let snapshot = Lake::open("./lake")?.table("events").snapshot().await?;
//! println!("commit {}: {} rows", snapshot.version, snapshot.rows());
//!
//! // Or the records of a resource as Arrow batches: no table is read or written.
//! let mut batches = pipeline.reader("events").batches().await?;
//! while let Some(batch) = batches.next().await {
//!     println!("{} rows", batch?.num_rows());
//! }
//! let checkpoint = batches.checkpoint().cloned(); // there once the batches have ended
//! let mut newer = pipeline.reader("events").from(checkpoint).batches().await?;
//! # newer.next().await;
//! # Ok(())
//! # }
//! ```
//!
//! A reading without a [`Checkpoint`] begins at the beginning; one serialises with serde.
//! [`Pipeline::runner`] takes a [`Transport`], an object store, [`Observer`]s or a [`Clock`] of
//! one's own. All of it runs in a Tokio runtime with time and I/O. `examples/embed.rs` is a whole
//! program.

#[cfg(feature = "cli")]
mod cassette;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod config;
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "fuzz targets reach it"))]
mod expression;
mod facade;
mod pipeline;
mod plan;
pub mod report;
mod spec;
pub mod table;
mod telemetry;
pub mod third_party;
pub mod transport;

pub use config::Format;
pub use facade::{Batches, Lake, Pipeline, Reader, Runner, Table};
#[cfg(feature = "demo")]
pub use lakefeed_demo as demo;
pub use lakefeed_model::checkpoint::Checkpoint;
pub use lakefeed_model::clock::Clock;
pub use lakefeed_model::environment::Environment;
pub use lakefeed_model::error::{Error, ErrorKind, Result};
pub use lakefeed_model::event::{Observer, RunEvent};
pub use lakefeed_source::client::Transport;
#[cfg(feature = "testing")]
pub use lakefeed_testing as testing;
/// What fuzz targets reach into. Not for programs.
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod internals {
    pub use crate::expression::Expression;
}
pub use report::RunReport;
pub use telemetry::LogObserver;

// As the modules of this package call them.
pub(crate) use lakefeed_lake as lake;
pub(crate) use lakefeed_model::{checkpoint, clock, environment, error, event, interrupt, reject, schema, secret};
pub(crate) use lakefeed_source::{client, decode, extract, paginate};
