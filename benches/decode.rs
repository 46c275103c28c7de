//! Bytes of a page → Arrow batch, on one core, beside what it costs only to parse the same bytes.
//!
//! `flat` has the four fields of a calendar event, `wide` looks like an event of a large calendar API: nested objects and
//! lists, half of whose fields the schema has. Pages have 1,000 records; batches are taken out at 8,192 rows.

#![expect(clippy::expect_used, reason = "a bench panics to fail")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lakefeed::decode::{DecodeOptions, PageDecoder, UnknownFields};
use lakefeed::schema::{Column, ColumnType, RecordSchema};
use lakefeed::spec::JsonPath;
use serde::de::IgnoredAny;

const RECORDS: u32 = 1_000;
const BATCH_ROWS: usize = 8_192;

fn decode(criterion: &mut Criterion) {
    for (name, page, schema) in [("flat", page(flat_record), flat_schema()), ("wide", page(wide_record), wide_schema())]
    {
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        group.throughput(Throughput::Bytes(page.len() as u64));
        let items = JsonPath::keys(["items"]);
        let options = DecodeOptions { depth_max: 64, unknown_fields: UnknownFields::Ignore };
        let mut decoder = PageDecoder::new(&schema, Some(items), vec![JsonPath::keys(["total"])], options);
        group.bench_function("page to batch", |bencher| {
            bencher.iter(|| {
                let decoded = decoder.decode(0, black_box(page.as_bytes())).expect("the page is valid");
                assert!(decoded.rejects.is_empty(), "the page fits its schema");
                if decoder.rows() >= BATCH_ROWS {
                    black_box(decoder.flush().expect("the columns form a batch"));
                }
            });
        });
        group.bench_function("limit: serde_json skips", |bencher| {
            bencher.iter(|| serde_json::from_str::<IgnoredAny>(black_box(&page)).expect("the page is valid"));
        });
        group.finish();
    }
}

fn page(record: impl Fn(u32) -> String) -> String {
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    format!("{{\"items\":[{}],\"total\":{RECORDS}}}", records.join(","))
}

fn day(index: u32) -> u32 {
    1 + index % 28
}

fn flat_record(index: u32) -> String {
    format!(
        r#"{{"event_id":"evt-{index:08}-{:04x}","start_time":"2026-11-{:02}T09:30:00Z","end_time":"2026-11-{:02}T10:30:00Z","summary":"Weekly planning of team number {index} in the big room"}}"#,
        index.wrapping_mul(7_919) % 65_536,
        day(index),
        day(index),
    )
}

fn wide_record(index: u32) -> String {
    let mut attendees = String::new();
    for attendee in 0..index % 5 {
        let separator = if attendee == 0 { "" } else { "," };
        write!(
            attendees,
            r#"{separator}{{"email":"person.{attendee}@example.com","displayName":"Person Number {attendee}","responseStatus":"accepted","optional":false,"organizer":{}}}"#,
            attendee == 0,
        )
        .expect("a string can be written to");
    }
    let day = day(index);
    format!(
        r#"{{"kind":"calendar#event","etag":"\"31{index:014}\"","id":"e{index:025}","status":"confirmed","htmlLink":"https://calendar.example.com/event?eid={index:040}","created":"2026-10-{day:02}T08:00:00.000Z","updated":"2026-11-{day:02}T08:15:30.123Z","summary":"Review of the quarter, part {index}","description":"Please read the notes before.\nThe agenda is \"open\": bring what you have, and a caf\u00e9 au lait.","location":"Room {index}, Main Street 1, Springfield","creator":{{"email":"creator@example.com","displayName":"Creator","self":true}},"organizer":{{"email":"organizer@example.com","displayName":"Organizer of Things"}},"start":{{"dateTime":"2026-11-{day:02}T09:30:00+01:00","timeZone":"Europe/Zurich"}},"end":{{"dateTime":"2026-11-{day:02}T10:30:00+01:00","timeZone":"Europe/Zurich"}},"recurrence":["RRULE:FREQ=WEEKLY;BYDAY=MO"],"iCalUID":"e{index:025}@example.com","sequence":{index},"attendees":[{attendees}],"guestsCanInviteOthers":false,"reminders":{{"useDefault":false,"overrides":[{{"method":"popup","minutes":10}},{{"method":"email","minutes":1440}}]}},"conferenceData":{{"entryPoints":[{{"entryPointType":"video","uri":"https://meet.example.com/abc-defg-hij","label":"meet.example.com/abc-defg-hij"}}]}},"eventType":"default"}}"#,
    )
}

fn column(name: &str, column_type: ColumnType) -> Column {
    Column { name: name.to_owned(), column_type, nullable: true }
}

fn schema(columns: Vec<Column>) -> RecordSchema {
    RecordSchema::new(columns).expect("the columns form a schema")
}

fn flat_schema() -> RecordSchema {
    schema(vec![
        Column { nullable: false, ..column("event_id", ColumnType::Utf8) },
        column("start_time", ColumnType::TimestampUtc),
        column("end_time", ColumnType::TimestampUtc),
        column("summary", ColumnType::Utf8),
    ])
}

fn wide_schema() -> RecordSchema {
    let person = || vec![column("email", ColumnType::Utf8), column("displayName", ColumnType::Utf8)];
    let time = || vec![column("dateTime", ColumnType::TimestampUtc), column("timeZone", ColumnType::Utf8)];
    let attendee =
        [person(), vec![column("responseStatus", ColumnType::Utf8), column("optional", ColumnType::Boolean)]];
    schema(vec![
        Column { nullable: false, ..column("id", ColumnType::Utf8) },
        column("status", ColumnType::Utf8),
        column("created", ColumnType::TimestampUtc),
        column("updated", ColumnType::TimestampUtc),
        column("summary", ColumnType::Utf8),
        column("description", ColumnType::Utf8),
        column("location", ColumnType::Utf8),
        column("organizer", ColumnType::Struct(person())),
        column("start", ColumnType::Struct(time())),
        column("end", ColumnType::Struct(time())),
        column("recurrence", ColumnType::List(Box::new(ColumnType::Utf8))),
        column("sequence", ColumnType::Int64),
        column("attendees", ColumnType::List(Box::new(ColumnType::Struct(attendee.concat())))),
        column("guestsCanInviteOthers", ColumnType::Boolean),
        column("reminders", ColumnType::Json),
    ])
}

criterion_group!(benches, decode);
criterion_main!(benches);
