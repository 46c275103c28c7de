//! One REST API as typed record batches: paging, requests, pages, decoding. Knows no table.

pub mod client;
pub mod decode;
pub mod extract;
pub mod paginate;
pub mod spec;
