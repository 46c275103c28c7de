//! Worlds for the tests of several rooms, and the tests that need more than one room.

mod power_loss;
pub(crate) mod world;
mod zombie_writers;
