//! Doubles of the world for tests.

pub mod fault_store;
