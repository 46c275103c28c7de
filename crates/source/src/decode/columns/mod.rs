//! Column buffers in the shape of the record, into which a record's bytes are pushed.

pub(crate) mod object;
pub(crate) mod reading;

mod buffers;
mod column;
mod other;
