//! Any text as a JSON path: it is refused, or means the same when it is written and read again.
//!
//! `cargo +nightly fuzz run selector`

#![no_main]

use lakefeed_model::spec::JsonPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(path) = JsonPath::parse(text) {
        let written = path.to_string();
        assert_eq!(JsonPath::parse(&written).as_ref(), Ok(&path), "{written:?}");
    }
});
