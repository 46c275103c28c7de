use serde_json::{Value, json};

use super::*;
use crate::schema::files::json_schema::SchemaFile;

const SNAKE: TableShape = TableShape { naming: Naming::SnakeCase, flattens: false, has_child_tables: false };
const FLAT: TableShape = TableShape { naming: Naming::AsIs, flattens: true, has_child_tables: false };
const BOTH: TableShape = TableShape { naming: Naming::SnakeCase, flattens: true, has_child_tables: false };

fn of_file(properties: &Value) -> RecordSchema {
    SchemaFile::parse(&json!({"properties": properties}).to_string()).unwrap().schema
}

fn event() -> RecordSchema {
    of_file(&json!({
        "eventId": {"type": "integer", "x-aliases": "theId", "description": "the key"},
        "start": {
            "x-aliases": "begin",
            "properties": {
                "dateTime": {"type": "string", "description": "when"},
                "timeZone": {"properties": {"ianaName": {"type": "string"}}},
            },
        },
        "theGuests": {"items": {"properties": {"eMail": {"type": "string", "description": "where to"}}}},
        "byDay": {"additionalProperties": {"properties": {"roomName": {"type": "string"}}, "type": "object"}, "type": "object"},
        "raw": {"x-nested": "json"},
    }))
}

#[test]
fn a_shape_names_and_flattens_columns() {
    let guests = "list<struct<eMail: utf8>>";
    let by_day = "map<utf8, struct<roomName: utf8>>";
    let start = "struct<dateTime: utf8, timeZone: struct<ianaName: utf8>>";
    let check = |shape: TableShape, expected: &[String]| {
        let records = event();
        let table = shape.table_of(&records).unwrap();
        let shown: Vec<String> = table.columns().iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{shape:?}");
        assert_eq!(table.record_columns(), records.columns(), "{shape:?} can be taken back");
        let stored = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<RecordSchema>(&stored).unwrap(), table);
    };
    let plain = |name: &str, kind: &str| format!("{name}: {kind}");
    check(
        TableShape::default(),
        &[
            plain("eventId", "int64"),
            plain("start", start),
            plain("theGuests", guests),
            plain("byDay", by_day),
            plain("raw", "json"),
        ],
    );
    check(
        SNAKE,
        &[
            plain("event_id", "int64"),
            plain("start", "struct<date_time: utf8, time_zone: struct<iana_name: utf8>>"),
            plain("the_guests", "list<struct<e_mail: utf8>>"),
            plain("by_day", "map<utf8, struct<room_name: utf8>>"),
            plain("raw", "json"),
        ],
    );
    check(
        FLAT,
        &[
            plain("eventId", "int64"),
            plain("start__dateTime", "utf8"),
            plain("start__timeZone__ianaName", "utf8"),
            plain("theGuests", guests),
            plain("byDay", by_day),
            plain("raw", "json"),
        ],
    );
    check(
        BOTH,
        &[
            plain("event_id", "int64"),
            plain("start__date_time", "utf8"),
            plain("start__time_zone__iana_name", "utf8"),
            plain("the_guests", "list<struct<e_mail: utf8>>"),
            plain("by_day", "map<utf8, struct<room_name: utf8>>"),
            plain("raw", "json"),
        ],
    );
}

#[test]
fn what_is_known_of_fields_goes_to_their_columns() {
    let table = BOTH.table_of(&event()).unwrap();
    let notes = |place: &str| {
        let note = table.notes().get(place).cloned().unwrap_or_default();
        (note.description.unwrap_or_default(), note.aliases, note.source.unwrap_or_default())
    };
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(notes("$.event_id"), ("the key".to_owned(), texts(&["the_id"]), texts(&["eventId"])));
    let date_time = ("when".to_owned(), texts(&["begin__date_time"]), texts(&["start", "dateTime"]));
    assert_eq!(notes("$.start__date_time"), date_time);
    assert_eq!(notes("$.the_guests[].e_mail"), ("where to".to_owned(), vec![], texts(&["eMail"])));
    assert_eq!(notes("$.by_day{}.room_name").2, texts(&["roomName"]));
}

#[test]
fn two_fields_are_never_one_column() {
    let text = || json!({"type": "string"});
    for (shape, properties, expected) in [
        (
            SNAKE,
            json!({"startTime": text(), "start_time": text()}),
            "$.startTime and $.start_time of the records would both be the column start_time",
        ),
        (
            SNAKE,
            json!({"o": {"properties": {"aB": text(), "a-b": text()}}}),
            "$.o.aB and $.o.a-b of the records would both be the column a_b",
        ),
        (
            FLAT,
            json!({"a": {"properties": {"b": text()}}, "a__b": text()}),
            "$.a.b and $.a__b of the records would both be the column a__b",
        ),
        (
            FLAT,
            json!({"a": {"properties": {"b__c": text()}}, "a__b": {"properties": {"c": text()}}}),
            "$.a.b__c and $.a__b.c of the records would both be the column a__b__c",
        ),
    ] {
        assert!(shape.table_of(&of_file(&properties)).unwrap_err().to_string().contains(expected), "{properties}");
    }
    // Single underscores within names leave the separator to objects.
    BOTH.table_of(&of_file(&json!({"a": {"properties": {"b": text()}}, "a__b": text()}))).unwrap();
}

#[test]
fn a_field_may_be_called_by_its_key_or_its_column() {
    let records = event();
    for (shape, written, column, path) in [
        (SNAKE, "eventId", "event_id", "eventId"),
        (SNAKE, "event_id", "event_id", "eventId"),
        (FLAT, "start__dateTime", "start__dateTime", "start/dateTime"),
        (BOTH, "start__dateTime", "start__date_time", "start/dateTime"),
        (BOTH, "start__date_time", "start__date_time", "start/dateTime"),
        (BOTH, "notThere", "not_there", "notThere"),
        (TableShape::default(), "eventId", "eventId", "eventId"),
    ] {
        assert_eq!(shape.column_name(written, Some(&records)), column, "{written}");
        assert_eq!(shape.path_of(written, &records).join("/"), path, "{written}");
    }
    let literal = of_file(&json!({"a__B": {"type": "string"}}));
    assert_eq!(BOTH.column_name("a__B", Some(&literal)), "a_b");
}

#[test]
fn a_column_that_may_not_be_null_is_within_objects_that_may_not() {
    let mut required = event();
    required.require(&["start".to_owned(), "dateTime".to_owned()]);
    let table = FLAT.table_of(&required).unwrap();
    assert!(
        !table.column("start__dateTime").unwrap().nullable
            && table.column("start__timeZone__ianaName").unwrap().nullable
    );
    assert_eq!(table.record_columns(), required.columns());
    // A field that its object must have is null where the object is.
    let lenient = RecordSchema::new(
        event()
            .columns()
            .iter()
            .map(|column| match &column.column_type {
                ColumnType::Struct(members) => {
                    let mut members = members.clone();
                    members[0].nullable = false;
                    Column { column_type: ColumnType::Struct(members), ..column.clone() }
                }
                _ => column.clone(),
            })
            .collect(),
    )
    .unwrap();
    let table = FLAT.table_of(&lenient).unwrap();
    assert!(table.column("start__dateTime").unwrap().nullable);
    assert_ne!(table.record_columns(), lenient.columns());
    assert_eq!(table.records_like(&lenient).unwrap(), lenient);
}

#[test]
fn fields_that_moved_are_told() {
    let records = event();
    let table = |shape: TableShape| shape.table_of(&records).unwrap();
    for shape in [TableShape::default(), SNAKE, FLAT, BOTH] {
        for other in [TableShape::default(), SNAKE, FLAT, BOTH] {
            assert_eq!(table(shape).moved_fields(&table(other)).is_empty(), shape == other, "{shape:?} {other:?}");
        }
    }
    // A run that lacks the field, and would call it otherwise.
    let without = of_file(&json!({"raw": {"x-nested": "json"}}));
    assert!(!table(SNAKE).moved_fields(&without).is_empty());
    assert_eq!(table(SNAKE).moved_fields(&SNAKE.table_of(&without).unwrap()), Vec::<String>::new());
    assert_eq!(SNAKE.table_of(&without).unwrap().moved_fields(&without), Vec::<String>::new());
    let told = table(TableShape::default()).moved_fields(&table(FLAT));
    assert_eq!(
        told[0],
        "the field $.start.dateTime of the records is at $.start.dateTime in the table and at $.start__dateTime in the run"
    );
}

#[test]
fn sources_are_kept_with_a_table_and_go_with_its_shape() {
    let (snake, plain) = (SNAKE.table_of(&event()).unwrap(), event());
    let table = |schema: &RecordSchema, known: Option<&RecordSchema>| schema.clone().identified(known);
    let first = table(&snake, None);
    assert_eq!(first.record_columns(), event().columns());
    // A later run that lacks columns of the table.
    let part = SNAKE.table_of(&of_file(&json!({"eventId": {"type": "integer"}}))).unwrap();
    let both = RecordSchema::new(first.columns().to_vec()).unwrap().with_notes(part.notes().clone());
    assert_eq!(table(&both, Some(&first)).record_columns(), event().columns());
    // A table that is built anew.
    let anew = table(&plain, Some(&first));
    assert!(anew.notes().values().all(|note| note.source.is_none()));
    assert_eq!(table(&snake, Some(&anew)).record_columns(), event().columns());
}

#[test]
fn a_schema_file_of_a_table_has_the_keys_of_the_records() {
    let file = BOTH.table_of(&event()).unwrap().records().unwrap();
    assert_eq!(file.columns(), event().columns());
    assert_eq!(file.notes()["$.eventId"].description.as_deref(), Some("the key"));
}
