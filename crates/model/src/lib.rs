//! The words that every stage of lakefeed speaks: errors, time, secrets, schemas, checkpoints,
//! events.
//!
//! Unstable, for lakefeed's own crates: programs use `lakefeed`.
//!
//! Nothing here touches the world but [`clock::SystemClock`], and [`environment::Environment`]
//! where it is told to.

pub mod checkpoint;
pub mod clock;
pub mod environment;
pub mod error;
pub mod event;
pub mod interrupt;
pub mod reject;
pub mod schema;
pub mod secret;
pub mod spec;
