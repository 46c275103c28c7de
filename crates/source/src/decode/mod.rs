//! The bytes of a page become rows: straight into column buffers, with no tree of JSON values in
//! between.
//!
//! A [`PageDecoder`] takes page after page and gives out Arrow batches. In one pass over a page it
//! finds the records (`data_selector`), picks up what the paginator wants to know, types every
//! value by the schema, and checks that the *whole* page is valid JSON by RFC 8259, also where it
//! only skips. What it never does: bend a value to make it fit, keep half a page, panic, or recurse
//! deeper than its limit.
//!
//! # Rules
//! * A page that is not valid JSON, is nested too deeply anywhere, or lacks what the selector
//!   names, is an error, and nothing of it is kept.
//! * A record that does not fit the schema is a [`Reject`](lakefeed_model::reject::Reject) with the
//!   JSON path of the value; the rest of the page stays.
//! * A missing field and `null` are both null; in a column that must have a value they refuse the
//!   record.
//! * A key that comes twice in one object: the last one counts, but every one must fit. Keys are
//!   compared by their meaning, not by their escapes.
//! * A value is taken where the column holds exactly what it says: `docs/types.md` has the table.
//!   Numbers and booleans may be written as strings; integers are numbers without a fraction (`2.0`
//!   is one); doubles are the nearest to the text; decimals are exact; dates and times are RFC 3339
//!   (see [`timestamp`](value::timestamp), and [`lenient`](value::lenient) for what else says one
//!   thing); a number is a date-time only where the schema says what it counts. JSON columns keep
//!   the value's own text, as it came.
//! * A string with half of a surrogate pair is valid JSON but no text: in a string column it
//!   refuses the record.
//!
//! # One value going through
//! `{"items":[{"start_time":"2026-11-23T08:00:00+01:00"}],"total":1}` with the selector `items` and
//! the lookup `total` becomes one row, 2026-11-23T07:00:00Z in microseconds, and
//! `PageMeta { records: 1, values: [Found(Number("1"))] }`.

mod columns;
mod error;
mod json;
mod options;
mod page;
mod value;
mod walk;

pub use error::{DecodeError, Position};
pub use options::{
    DecodeOptions, EmptyContainers, MismatchPolicy, PageInput, RowTarget, TypeMismatches, UnknownFields,
};
pub use page::decoded::Decoded;
pub use page::decoder::PageDecoder;
pub use page::guess::MixedKinds;
pub use page::infer::{InferOptions, Inferrer};
pub use page::reader::PageReader;
pub use page::sink::REJECT_RAW_BYTES_MAX;
pub use walk::record::{Admission, RawRecord, RecordGate};

#[cfg(test)]
mod tests;
