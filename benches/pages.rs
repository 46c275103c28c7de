//! The pages and schemas that the benches share.
//!
//! `flat` has the four fields of a calendar event, `wide` looks like an event of a large calendar
//! API: nested objects and lists, half of whose fields the schema has. Pages have 1,000 records;
//! those of a page are spread over 28 days.

use std::fmt::Write as _;

use lakefeed_model::schema::{Column, ColumnType, RecordSchema};

const RECORDS: u32 = 1_000;

/// A page of flat records.
pub(crate) fn flat() -> String {
    page(flat_record)
}

/// A page of wide records.
pub(crate) fn wide() -> String {
    page(wide_record)
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

/// The schema of [`flat`].
pub(crate) fn flat_schema() -> RecordSchema {
    schema(vec![
        Column { nullable: false, ..column("event_id", ColumnType::Utf8) },
        column("start_time", ColumnType::TimestampUtc),
        column("end_time", ColumnType::TimestampUtc),
        column("summary", ColumnType::Utf8),
    ])
}

/// The schema of [`wide`].
pub(crate) fn wide_schema() -> RecordSchema {
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
