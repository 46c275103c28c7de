//! `lakefeed` keeps a partitioned, merged, typed Parquet lake in step with a paginated REST API.
//!
//! # Layout, in reading order
//!
//! A page of the API becomes rows of the lake in stages, and each stage hands on a named value:
//! `Document → PipelineSpec → PageRequest → Page → Decoded → StagedFile → Commit → RunReport`.
//! `ARCHITECTURE.md` has the map with its invariants; `tests/architecture.rs` holds the edges between the modules.

pub mod checkpoint;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod decode;
pub mod demo;
pub mod error;
pub mod event;
pub mod extract;
pub mod interrupt;
pub mod lake;
pub mod paginate;
pub mod pipeline;
pub mod reject;
pub mod report;
pub mod schema;
pub mod secret;
pub mod spec;
pub mod telemetry;
