//! Keeps a partitioned, merged, typed Parquet lake in step with a paginated REST API.
//!
//! A pipeline file says what to read and how it becomes tables. The command `lakefeed` runs it, and
//! so does a program:
//!
//! ```no_run
//! use lakefeed::{Environment, Lake, Pipeline};
//!
//! # async fn example() -> lakefeed::Result<()> {
//! let pipeline = Pipeline::load_with("calendar.yaml", &Environment::of_process())?;
//!
//! // Into the lake that the file names. A report comes of every run, and has the error in it.
//! let report = pipeline.run().await;
//! println!("{report}");
//! report.into_result()?;
//!
//! // Or the records of a resource as Arrow batches, without a table.
//! let mut batches = pipeline.reader("events").batches().await?;
//! while let Some(batch) = batches.next().await {
//!     println!("{} rows", batch?.num_rows());
//! }
//! let next = batches.checkpoint().cloned(); // the next reading goes on `.from(next)`
//!
//! // What runs have left.
//! let snapshot = Lake::open("./lake")?.table("events").snapshot().await?;
//! println!("commit {}: {} rows", snapshot.version, snapshot.rows());
//! # Ok(())
//! # }
//! ```
//!
//! [`Pipeline::runner`] takes what is not to be as usual: a [`Transport`], an object store,
//! [`Observer`]s, a [`Clock`], a wish to stop. What comes from the variables of the process is
//! passed in as an [`Environment`]. All of it needs a Tokio runtime. `examples/embed.rs` is a whole
//! program; `ARCHITECTURE.md` shows the inside.

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
