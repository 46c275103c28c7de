//! The objects of one table: their paths, how they are written, and when they are durable.
//!
//! It knows the paths of all that a table has, and nothing of what is in an object.

pub(crate) mod conditional_put;
pub(crate) mod durability;
pub(crate) mod failure;
pub(crate) mod layout;
pub(crate) mod objects;
pub(crate) mod s3_answers;
pub(crate) mod upload;
