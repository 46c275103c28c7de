//! One REST API as typed record batches: paging, requests, pages, decoding. Knows no table.
//!
//! Unstable, for lakefeed's own crates: programs use `lakefeed`.

pub mod client;
pub mod decode;
pub mod extract;
pub mod paginate;
pub mod spec;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
