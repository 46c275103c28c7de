//! The decoder against `serde_json`: the same values from random pages, the same verdict on broken
//! ones.

use std::fmt::Write;

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;

use super::*;

/// The schema of the random records: every type, nested and repeated.
fn everything() -> RecordSchema {
    let inner = vec![column("é", ColumnType::Utf8), column("n", ColumnType::Int64)];
    schema(vec![
        required("id", ColumnType::Utf8),
        column("flag", ColumnType::Boolean),
        column("count", ColumnType::Int64),
        column("ratio", ColumnType::Float64),
        column("quote\"d", ColumnType::Utf8),
        column("at", ColumnType::TimestampUtc),
        column("any", ColumnType::Json),
        column("inner", ColumnType::Struct(inner.clone())),
        column("list", ColumnType::List(Box::new(ColumnType::Struct(inner)))),
        column("words", ColumnType::List(Box::new(ColumnType::Utf8))),
    ])
}

/// A member of a record: its key, the JSON of its value, and what the column holds then; none if no
/// column has the key.
type Member = (&'static str, String, Option<Value>);

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,40}", Just("a\"b\\c\n\u{1}é😀".to_owned())]
}

/// A string as JSON, with its characters escaped at random.
fn written(text: &str, escapes: &[bool]) -> String {
    let mut json = "\"".to_owned();
    for (position, character) in text.chars().enumerate() {
        let plain_allowed = character >= ' ' && character != '"' && character != '\\';
        if plain_allowed && !escapes.get(position % escapes.len().max(1)).copied().unwrap_or(false) {
            json.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                write!(json, "\\u{unit:04x}").unwrap();
            }
        }
    }
    json.push('"');
    json
}

fn json_text() -> impl Strategy<Value = (String, String)> {
    (text(), prop::collection::vec(any::<bool>(), 0..4)).prop_map(|(text, escapes)| (written(&text, &escapes), text))
}

fn or_null(strategy: impl Strategy<Value = (String, Value)>) -> impl Strategy<Value = (String, Value)> {
    prop_oneof![1 => Just(("null".to_owned(), Value::Null)), 5 => strategy]
}

fn inner() -> impl Strategy<Value = (String, Value)> {
    let texts = prop::option::of(or_null(json_text().prop_map(|(json, text)| (json, json!(text)))));
    let numbers = prop::option::of(or_null(any::<i64>().prop_map(|number| (number.to_string(), json!(number)))));
    (texts, numbers, any::<bool>()).prop_map(|(text, number, swap)| {
        let mut members = Vec::new();
        let (mut text_value, mut number_value) = (Value::Null, Value::Null);
        if let Some((json, value)) = text {
            members.push(format!("\"é\":{json}"));
            text_value = value;
        }
        if let Some((json, value)) = number {
            members.push(format!("\"n\" : {json}"));
            number_value = value;
        }
        members.push("\"unknown\":[{\"n\":\"}\"}]".to_owned());
        if swap {
            members.reverse();
        }
        (format!("{{{}}}", members.join(" ,")), json!({"é": text_value, "n": number_value}))
    })
}

fn list(element: impl Strategy<Value = (String, Value)>) -> impl Strategy<Value = (String, Value)> {
    prop::collection::vec(element, 0..4).prop_map(|elements| {
        let (texts, values): (Vec<_>, Vec<_>) = elements.into_iter().unzip();
        (format!("[ {} ]", texts.join(",\n")), Value::Array(values))
    })
}

fn member() -> impl Strategy<Value = Member> {
    let known = |key: &'static str| move |(json, value): (String, Value)| (key, json, Some(value));
    let texts = || or_null(json_text().prop_map(|(json, text)| (json, json!(text))));
    let micros = (-62_000_000_000_000_000_i64..253_000_000_000_000_000).prop_map(|micros| {
        let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
        (format!("\"{}\"", time.to_rfc3339()), json!(micros))
    });
    prop_oneof![
        or_null(any::<bool>().prop_map(|flag| (flag.to_string(), json!(flag)))).prop_map(known("flag")),
        or_null(any::<i64>().prop_map(|number| (number.to_string(), json!(number)))).prop_map(known("count")),
        or_null(
            any::<f64>()
                .prop_filter("finite", |number| number.is_finite())
                .prop_map(|number| (format!("{number:e}"), json!(number)))
        )
        .prop_map(known("ratio")),
        texts().prop_map(known("quote\"d")),
        or_null(micros).prop_map(known("at")),
        inner().prop_map(|(json, _)| (json.clone(), json!(json))).prop_map(known("any")),
        or_null(inner()).prop_map(known("inner")),
        or_null(list(or_null(inner()))).prop_map(known("list")),
        or_null(list(texts())).prop_map(known("words")),
        inner().prop_map(|(json, _)| ("unknown", json, None)),
        texts().prop_map(|(json, _)| ("", json, None)),
    ]
}

/// A record, and the row that it must become.
fn record() -> impl Strategy<Value = (String, Value)> {
    let id = json_text().prop_map(|(json, text)| ("id", json, Some(json!(text))));
    let members = prop::collection::vec(member(), 0..12);
    (id, members, any::<Index>(), any::<bool>()).prop_map(|(id, mut members, place, escape)| {
        members.insert(place.index(members.len() + 1), id);
        let mut row = json!({});
        for column in everything().columns() {
            row[&column.name] = Value::Null;
        }
        let mut texts = Vec::new();
        for (key, json, value) in members {
            texts.push(format!("{}:{json}", written(key, &[escape, false])));
            if let Some(value) = value {
                row[key] = value;
            }
        }
        (format!("{{{}}}", texts.join(", ")), row)
    })
}

fn page() -> impl Strategy<Value = (String, Vec<Value>)> {
    (prop::collection::vec(record(), 0..6), any::<bool>()).prop_map(|(records, total_first)| {
        let (texts, rows): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let items = format!("\"items\": [{}]", texts.join(" , "));
        let total = "\"meta\":{\"total\":7}".to_owned();
        let members = if total_first { [total, items] } else { [items, total] };
        (format!("{{{}}}", members.join(",")), rows)
    })
}

fn new_decoder() -> PageDecoder {
    PageDecoder::new(&everything(), Some(path("items")), OPTIONS)
}

/// Whether `bytes` are valid JSON to `serde_json`, which has no byte order mark and no check of
/// what it ignores.
fn oracle_accepts(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// The row that `serde_json`'s own tree makes of a record, for the columns whose values need no
/// conversion.
fn plain_members(record: &Value) -> Value {
    let plain = |key: &str| record.get(key).cloned().unwrap_or(Value::Null);
    json!({"id": plain("id"), "flag": plain("flag"), "count": plain("count"), "quote\"d": plain("quote\"d"), "words": plain("words")})
}

/// The rows that arrow-json makes of records. It is built without names of zones, so its instants
/// are at the offset 0.
fn by_arrow_json(schema: &RecordSchema, records: &[String]) -> Vec<Value> {
    let at_offset = |field: &FieldRef| match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Timestamp(*unit, Some("+00:00".into()))))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<FieldRef> = schema.to_arrow().fields().iter().map(at_offset).collect();
    let mut oracle = arrow_json::ReaderBuilder::new(Arc::new(Schema::new(fields))).build_decoder().unwrap();
    for record in records {
        assert_eq!(oracle.decode(record.as_bytes()).unwrap(), record.len());
    }
    oracle.flush().unwrap().map(|batch| rows(&batch)).unwrap_or_default()
}

/// A record without escaped surrogate pairs, of which arrow-json 59 loses a bit (it reads
/// `\\ud86d\\udf40` as U+1B740; it is U+2B740).
fn without_pairs() -> impl Strategy<Value = (String, Value)> {
    record().prop_filter("no surrogates", |(text, _)| !text.contains("\\ud"))
}

/// A record of columns that arrow-json knows, too, in the forms in which it takes them.
fn plain_record() -> impl Strategy<Value = String> {
    let integer = |range: std::ops::RangeInclusive<i64>| range.prop_map(|number| number.to_string());
    let decimal = (-99_999_999_i64..=99_999_999).prop_map(|units| {
        format!("\"{}{}.{:02}\"", if units < 0 { "-" } else { "" }, units.abs() / 100, units.abs() % 100)
    });
    let float =
        any::<f32>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}"));
    let date = (-719_000_i32..2_900_000)
        .prop_map(|days| format!("\"{}\"", chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap()));
    let time = (0_u32..86_400, 0_u32..1_000).prop_map(|(seconds, millis)| {
        let time = chrono::NaiveTime::from_num_seconds_from_midnight_opt(seconds, millis * 1_000_000).unwrap();
        format!("\"{}\"", time.format("%H:%M:%S%.3f"))
    });
    let nanos =
        any::<i64>().prop_map(|nanos| format!("\"{}\"", chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339()));
    let map = prop::collection::btree_map("[a-z]{0,3}", integer(-128..=127), 0..4).prop_map(|entries| {
        let entries: Vec<String> = entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", entries.join(","))
    });
    let member = prop_oneof![
        integer(-128..=127).prop_map(|json| ("int8", json)),
        integer(0..=i64::from(u32::MAX)).prop_map(|json| ("uint32", json)),
        any::<u64>().prop_map(|number| ("uint64", number.to_string())),
        float.prop_map(|json| ("float32", json)),
        decimal.prop_map(|json| ("decimal", json)),
        date.prop_map(|json| ("date", json)),
        time.prop_map(|json| ("time", json)),
        nanos.prop_map(|json| ("nanos", json)),
        map.prop_map(|json| ("map", json)),
    ];
    let member = (member, any::<bool>())
        .prop_map(|((key, json), is_null)| (key, if is_null { "null".to_owned() } else { json }));
    prop::collection::vec(member, 0..12).prop_map(|members| {
        let members: std::collections::BTreeMap<_, _> = members.into_iter().collect();
        let members: Vec<String> = members.iter().map(|(key, json)| format!("\"{key}\":{json}")).collect();
        format!("{{\"unknown\":[],{}}}", members.join(",")).replace(",}", "}")
    })
}

fn plain_schema() -> RecordSchema {
    let typed = |name: &str, text: &str| column(name, ColumnType::parse(text).unwrap());
    schema(vec![
        typed("int8", "int8"),
        typed("uint32", "uint32"),
        typed("uint64", "uint64"),
        typed("float32", "float32"),
        typed("decimal", "decimal128(10, 2)"),
        typed("date", "date32"),
        typed("time", "time32[ms]"),
        typed("nanos", "timestamp[ns, UTC]"),
        typed("map", "map<utf8, int8>"),
    ])
}

proptest! {
    #[test]
    fn records_of_the_usual_types_are_what_arrow_json_makes_of_them(records in prop::collection::vec(without_pairs(), 0..8)) {
        let records: Vec<String> = records.into_iter().map(|(text, _)| text).collect();
        let columns = everything().columns().iter().filter(|column| column.column_type != ColumnType::Json).cloned().collect();
        let schema = schema(columns);
        let mut decoder = decoder(&schema, "$");
        prop_assert_eq!(decode(&mut decoder, 0, format!("[{}]", records.join(",")).as_bytes()).unwrap().rejects, []);
        prop_assert_eq!(rows(&decoder.flush().unwrap()), by_arrow_json(&schema, &records));
    }

    #[test]
    fn records_of_the_other_types_are_what_arrow_json_makes_of_them(records in prop::collection::vec(plain_record(), 0..8)) {
        let schema = plain_schema();
        let mut decoder = decoder(&schema, "$");
        prop_assert_eq!(decode(&mut decoder, 0, format!("[{}]", records.join(",")).as_bytes()).unwrap().rejects, []);
        prop_assert_eq!(rows(&decoder.flush().unwrap()), by_arrow_json(&schema, &records));
    }

    #[test]
    fn random_pages_decode_to_what_they_say(pages in prop::collection::vec(page(), 1..4)) {
        let mut decoder = new_decoder();
        let mut expected = Vec::new();
        let mut plain = Vec::new();
        for (number, (text, page_rows)) in pages.iter().enumerate() {
            let questions = Questions { lookups: vec![path("meta.total")], wants_hints: false };
            let page = PageInput { questions: &questions, ..PageInput::json(u64::try_from(number).unwrap(), text.as_bytes()) };
            let decoded = decoder.decode(&page, MismatchPolicy::LENIENT, None).unwrap();
            prop_assert_eq!(&decoded.rejects, &[]);
            prop_assert_eq!(decoded.meta.records, u64::try_from(page_rows.len()).unwrap());
            expected.extend(page_rows.iter().cloned());
            let tree: Value = serde_json::from_str(text).unwrap();
            plain.extend(tree["items"].as_array().unwrap().iter().map(plain_members));
        }
        let found = rows(&decoder.flush().unwrap());
        prop_assert_eq!(found.iter().map(plain_members).collect::<Vec<_>>(), plain);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn broken_pages_get_the_verdict_of_serde_json_and_leave_nothing(
        (text, _) in page(),
        edits in prop::collection::vec((any::<Index>(), prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\0123e.-+tfnu \n\xEF".to_vec())], 0_u8..3), 0..4),
        cut in prop::option::of(any::<Index>()),
    ) {
        let mut bytes = text.into_bytes();
        for (place, byte, edit) in edits {
            let place = place.index(bytes.len().max(1));
            match edit {
                0 if place < bytes.len() => bytes[place] = byte,
                1 if place < bytes.len() => { bytes.remove(place); }
                _ => bytes.insert(place, byte),
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let mut decoder = new_decoder();
        decode(&mut decoder, 0, br#"{"items":[{"id":"kept","list":[{"n":1}]}]}"#).unwrap();
        let buffered = decoder.bytes();
        match decode(&mut decoder, 1, &bytes) {
            Ok(decoded) => {
                prop_assert!(oracle_accepts(&bytes));
                let added = decoder.rows() - 1 + decoded.rejects.len();
                prop_assert_eq!(decoded.meta.records, u64::try_from(added).unwrap());
            }
            Err(error) => {
                let about_json = !matches!(error, DecodeError::SelectorMissing { .. } | DecodeError::SelectorNotRecords { .. });
                prop_assert_eq!(oracle_accepts(&bytes), !about_json, "{}", error);
                prop_assert_eq!((decoder.rows(), decoder.bytes()), (1, buffered));
            }
        }
        let batch = decoder.flush().unwrap();
        prop_assert_eq!(&rows(&batch)[0]["id"], &json!("kept"));
    }

    #[test]
    fn random_bytes_never_make_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), json in "[\\[\\]{}\",:0-9a-z \\\\.-]{0,60}") {
        for page in [bytes.as_slice(), json.as_bytes()] {
            let decoded = decode_strictly(&mut PageDecoder::new(&everything(), None, OPTIONS), 0, page).is_ok();
            prop_assert!(!decoded || oracle_accepts(page));
            prop_assert_eq!(Inferrer::new(None, InferOptions::with_depth(64)).observe(&PageInput::json(0, page), None).is_ok(), decoded);
        }
    }

    #[test]
    fn an_inferred_schema_takes_every_record_that_it_came_from((text, page_rows) in page()) {
        let mut inferrer = Inferrer::new(Some(path("items")), InferOptions::with_depth(64));
        inferrer.observe(&PageInput::json(0, text.as_bytes()), None).unwrap();
        if let Some(schema) = inferrer.finish(&["id".to_owned()]).unwrap() {
            let mut decoder = decoder(&schema, "items");
            prop_assert_eq!(decode(&mut decoder, 0, text.as_bytes()).unwrap().rejects, []);
            prop_assert_eq!(decoder.flush().unwrap().num_rows(), page_rows.len());
        } else {
            prop_assert!(page_rows.is_empty());
        }
    }
}
