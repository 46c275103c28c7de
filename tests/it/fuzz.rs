//! The body of the fuzz target `decode_page` over pages that are changed at random, from a seed.
//! `LAKEFEED_FUZZ_SECONDS=3600` goes on for an hour, `LAKEFEED_FUZZ_SEED=17` begins elsewhere. A
//! run with coverage is `cargo +nightly fuzz run decode_page`.

#[path = "../../fuzz/body/decode_page.rs"]
mod body;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Pages that are tried when nothing is said about the time.
const PAGES: u64 = 3_000;
const SPECIAL: &[u8] = b"{}[]\",:\\0123e.-+tfnu \n\xEF";
const BYTES_MAX: usize = 16 * 1_024;
/// Hundredths of a second of the processor's time: no page of this size may take more, even in a
/// build that is not optimised, and whatever else the machine does.
const SLOWEST: u64 = 500;

/// Random numbers (`SplitMix64`).
struct Luck(u64);

impl Luck {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

#[test]
fn what_must_hold_of_any_page_holds() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let time = number("LAKEFEED_FUZZ_SECONDS").map(Duration::from_secs);
    let mut luck = Luck(number("LAKEFEED_FUZZ_SEED").unwrap_or(1));
    let (schema, values) = (body::everything(), values());
    assert!(values.len() > 900, "only {} values", values.len());
    let (started, mut pages) = (Instant::now(), 0_u64);
    while time.map_or(pages < PAGES, |time| started.elapsed() < time) {
        let page = changed(page(&values, &mut luck), &values, &mut luck);
        let began = processor_time();
        let outcome = std::panic::catch_unwind(|| body::check(&page, &schema));
        assert!(outcome.is_ok(), "page {pages}: {:?}", String::from_utf8_lossy(&page));
        let took = processor_time() - began;
        assert!(took < SLOWEST, "page {pages} took {took}/100 s: {:?}", String::from_utf8_lossy(&page));
        pages += 1;
    }
    println!("{pages} pages in {:?}", started.elapsed());
}

/// What this thread has had of the processor, in hundredths of a second. Always 0 where the system
/// has no `/proc`.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// The values of the table of types, as they are written.
fn values() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/types");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let files =
        files.iter().map(|path| serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap());
    let columns: Vec<Value> = files.flat_map(|file| file["columns"].as_array().unwrap().clone()).collect();
    let cases = columns.iter().flat_map(|column| column["cases"].as_array().unwrap());
    cases.map(|case| case["json"].as_str().unwrap().to_owned()).filter(|text| text.len() < 200).collect()
}

fn page(values: &[String], luck: &mut Luck) -> Vec<u8> {
    let record = |luck: &mut Luck| {
        let member = |luck: &mut Luck| {
            let key = char::from(b'a' + u8::try_from(luck.below(26)).unwrap());
            let value = &values[luck.below(values.len())];
            match luck.below(12) {
                0 => format!("\"y\":{{\"{key}\":{value}}}"),
                1 => format!("\"z\":[{{\"a\":{value}}},{value}]"),
                2 => format!("\"{key}\":{{\"k\":{value},\"k\":{value}}}"),
                3 => format!("\"{key}\" : [{value} , null]"),
                _ => format!("\"{key}\":{value}"),
            }
        };
        let members: Vec<String> = (0..luck.below(8)).map(|_| member(luck)).collect();
        format!("{{{}}}", members.join(","))
    };
    let records: Vec<String> = (0..luck.below(5)).map(|_| record(luck)).collect();
    let total = &values[luck.below(values.len())];
    match luck.below(3) {
        0 => format!("[{}]", records.join(",")),
        1 => format!("{{\"total\":{total},\"items\":[{}]}}", records.join(",")),
        _ => format!("{{\"items\": [{}] , \"total\": {total}}}", records.join(" ,")),
    }
    .into_bytes()
}

/// The page, usually with some bytes changed, left out, put in or repeated.
fn changed(mut page: Vec<u8>, values: &[String], luck: &mut Luck) -> Vec<u8> {
    for _ in 0..luck.below(5) {
        let place = luck.below(page.len());
        match luck.below(7) {
            0 => page.truncate(place),
            1 if !page.is_empty() => page[place] = u8::try_from(luck.below(256)).unwrap(),
            2 if !page.is_empty() => drop(page.remove(place)),
            3 => page.insert(place, SPECIAL[luck.below(SPECIAL.len())]),
            4 => drop(page.splice(place..place, values[luck.below(values.len())].bytes())),
            5 => {
                let end = place + luck.below(page.len() - place);
                let part = page[place..end].to_vec();
                let times = luck.below(40);
                for _ in 0..times {
                    page.splice(place..place, part.iter().copied()).for_each(drop);
                }
            }
            _ => {}
        }
        page.truncate(BYTES_MAX);
    }
    page
}
