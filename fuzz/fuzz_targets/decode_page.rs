//! Any bytes as a page; see `../body/decode_page.rs` for what must hold.
//!
//! `cargo +nightly fuzz run decode_page`

#![no_main]

#[path = "../body/decode_page.rs"]
mod body;

use std::sync::LazyLock;

use lakefeed_model::schema::SchemaFile;
use libfuzzer_sys::fuzz_target;

static SCHEMA: LazyLock<SchemaFile> = LazyLock::new(body::everything);

fuzz_target!(|bytes: &[u8]| body::check(bytes, &SCHEMA));
