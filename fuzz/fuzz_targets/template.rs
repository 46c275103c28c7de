//! Any text as a template and as an expression: it is read or refused, and an expression ends.
//!
//! `cargo +nightly fuzz run template`

#![no_main]

use lakefeed::internals::Expression;
use lakefeed_source::spec::Template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    drop(Template::parse(text));
    if let Ok(expression) = Expression::parse(text) {
        let record = serde_json::json!({"id": 1, "name": "x", "list": [1, 2.5, null], "deep": {"t": true}});
        drop(expression.evaluate(&record));
    }
});
