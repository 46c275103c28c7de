//! The way in for programs: a pipeline, what runs it, and the lake that it fills. The command
//! `lakefeed` comes in here, too.
//!
//! Everything that touches the world is put together here, once, from what the caller chose and
//! usual components for the rest.

mod agreed;
mod lake;
mod pipeline;
mod reader;
mod runner;
mod world;

pub use lake::{Lake, Table};
pub use pipeline::Pipeline;
pub use reader::{Batches, Reader};
pub use runner::Runner;

#[cfg(feature = "cli")]
pub(crate) use world::not_begun;
