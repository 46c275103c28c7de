//! A page at a time: its records into the columns, aside with the reason, or into a guess at their
//! schema.

pub(crate) mod decoded;
pub(crate) mod decoder;
pub(crate) mod guess;
pub(crate) mod infer;
pub(crate) mod reader;
pub(crate) mod sink;

mod collect;
mod selector;
mod variant;
