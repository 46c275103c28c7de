//! The decoder against `serde_json`: the same values from random pages, the same verdict on broken ones.

use std::fmt::Write;

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

/// A member of a record: its key, the JSON of its value, and what the column holds then; none if no column has the key.
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
    PageDecoder::new(&everything(), Some(path("items")), vec![path("meta.total")], options(UnknownFields::Ignore))
}

/// Whether `bytes` are valid JSON to `serde_json`, which has no byte order mark and no check of what it ignores.
fn oracle_accepts(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// The row that `serde_json`'s own tree makes of a record, for the columns whose values need no conversion.
fn plain_members(record: &Value) -> Value {
    let plain = |key: &str| record.get(key).cloned().unwrap_or(Value::Null);
    json!({"id": plain("id"), "flag": plain("flag"), "count": plain("count"), "quote\"d": plain("quote\"d"), "words": plain("words")})
}

proptest! {
    #[test]
    fn random_pages_decode_to_what_they_say(pages in prop::collection::vec(page(), 1..4)) {
        let mut decoder = new_decoder();
        let mut expected = Vec::new();
        let mut plain = Vec::new();
        for (number, (text, page_rows)) in pages.iter().enumerate() {
            let decoded = decoder.decode(u64::try_from(number).unwrap(), text.as_bytes()).unwrap();
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
        decoder.decode(0, br#"{"items":[{"id":"kept","list":[{"n":1}]}]}"#).unwrap();
        let buffered = decoder.bytes();
        match decoder.decode(1, &bytes) {
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
            let decoded = PageDecoder::new(&everything(), None, Vec::new(), options(UnknownFields::Reject)).decode(0, page).is_ok();
            prop_assert!(!decoded || oracle_accepts(page));
            prop_assert_eq!(Inferrer::new(None, Vec::new(), &[], 64).observe(page).is_ok(), decoded);
        }
    }

    #[test]
    fn an_inferred_schema_takes_every_record_that_it_came_from((text, page_rows) in page()) {
        let mut inferrer = Inferrer::new(Some(path("items")), Vec::new(), &["id".to_owned()], 64);
        inferrer.observe(text.as_bytes()).unwrap();
        if let Some(schema) = inferrer.finish().unwrap() {
            let mut decoder = decoder(&schema, "items");
            prop_assert_eq!(decoder.decode(0, text.as_bytes()).unwrap().rejects, []);
            prop_assert_eq!(decoder.flush().unwrap().num_rows(), page_rows.len());
        } else {
            prop_assert!(page_rows.is_empty());
        }
    }
}
