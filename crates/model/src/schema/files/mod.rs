//! Schema files, and the rules and hints of single fields that they or the pipeline give.

pub(crate) mod hints;
pub(crate) mod json_schema;
pub(crate) mod keywords;
pub(crate) mod problem;
pub(crate) mod read_notes;
pub(crate) mod rules;
pub(crate) mod write;
