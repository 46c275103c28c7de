//! From the records of pages to rows: the decoder of a pass, and the schema that it has got to.

mod answers;
mod decoder;
mod inference;
mod page;
mod records;
mod rules;

pub(crate) use decoder::ShapedDecoder;
pub(crate) use inference::sample;
#[cfg(feature = "cli")]
pub(crate) use inference::{SAMPLE_BYTES_MAX, SampleBounds, finish, look};
pub(crate) use page::{Typing, doubled, grown_for};
pub(crate) use records::Records;
pub(crate) use rules::{Rules, grown_by_variants};

#[cfg(test)]
mod tests;
