//! Batches of records as batches of their tables: the only room of the schema that holds Arrow
//! data.

pub(crate) mod explode;
pub(crate) mod reshape;
