//! The packages whose types the library's signatures have, in the versions that fit.

pub use {arrow, async_trait, bytes, chrono, futures, http, object_store, serde_json};
