//! Doubles of the world for tests: an API that answers as a test says, stores that die or lie, a
//! clock that is moved by hand, random numbers that repeat, an observer that keeps what it hears.
//!
//! Programs that embed `lakefeed` reach them as `lakefeed::testing`, with its feature `testing`.

mod fault;
mod luck;
mod observer;
mod store;

pub use fault::{Death, FaultStore, Fuse};
pub use lakefeed_model::clock::ManualClock;
pub use lakefeed_source::testing::{Answer, ScriptedTransport, answer};
pub use luck::Luck;
pub use observer::Heard;
pub use store::{Around, Counts, Lies, Request, WrappedStore};
