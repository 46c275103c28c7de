//! Any text as a `Link` header: no panic, and a target is a part of the header.
//!
//! `cargo +nightly fuzz run link_header`

#![no_main]

use lakefeed_source::paginate::link_target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    for relation in ["next", "NEXT", "", "prev"] {
        if let Some(target) = link_target(header, relation) {
            assert!(header.contains(target.as_str()), "{target:?}");
        }
    }
});
