use lakefeed_model::schema::Column;

use super::*;

const OPTIONS: InferOptions = InferOptions::with_depth(64);

fn infer(pages: &[&str]) -> Inferrer {
    let mut inferrer = Inferrer::new(None, OPTIONS);
    for page in pages {
        inferrer.observe(&PageInput::json(0, page.as_bytes()), None).unwrap();
    }
    inferrer
}

/// The type of a column whose values are `values`.
fn type_of(values: &str) -> Option<ColumnType> {
    let page = format!(
        "[{{\"id\":1}},{}]",
        values.split(';').map(|value| format!("{{\"v\":{value}}}")).collect::<Vec<_>>().join(",")
    );
    let schema = infer(&[&page]).finish(&[]).unwrap().unwrap();
    schema.column("v").map(|column| column.column_type.clone())
}

#[test]
fn the_narrowest_type_that_keeps_every_value_is_taken() {
    let of = |name: &str, column_type| Column { name: name.to_owned(), column_type, nullable: true };
    for (values, expected) in [
        ("null", None),
        ("true;null;false", Some(ColumnType::Boolean)),
        ("1;-5", Some(ColumnType::Int64)),
        ("9223372036854775807", Some(ColumnType::Int64)),
        ("1;9223372036854775808", Some(ColumnType::Decimal128 { precision: 38, scale: 0 })),
        ("1000000000000000000000000000000000000000", Some(ColumnType::Json)),
        ("1;2.5", Some(ColumnType::Float64)),
        ("9007199254740992;2.5", Some(ColumnType::Float64)),
        ("9007199254740993;2.5", Some(ColumnType::Json)),
        ("1e999", Some(ColumnType::Json)),
        ("\"a\";\"\"", Some(ColumnType::Utf8)),
        ("\"2026-01-01T00:00:00Z\";\"2026-01-01 00:00:00.5+01:00\"", Some(ColumnType::TimestampUtc)),
        ("\"2026-01-01T00:00:00Z\";\"2026-01-01\"", Some(ColumnType::Utf8)),
        ("\"2026-01-01T00:00:00\"", Some(ColumnType::Utf8)),
        ("\"2026-01-01\";null", Some(ColumnType::Date32)),
        ("\"2026-02-30\"", Some(ColumnType::Utf8)),
        ("1;\"a\"", Some(ColumnType::Json)),
        ("1;true", Some(ColumnType::Json)),
        ("{};[]", Some(ColumnType::Json)),
        ("{}", Some(ColumnType::Json)),
        ("{\"a\":null}", Some(ColumnType::Json)),
        (
            "{\"a\":1};{\"b\":\"x\",\"a\":null}",
            Some(ColumnType::Struct(vec![of("a", ColumnType::Int64), of("b", ColumnType::Utf8)])),
        ),
        ("[]", Some(ColumnType::Json)),
        ("[null];[1]", Some(ColumnType::List(Box::new(ColumnType::Int64)))),
        (
            "[{\"a\":1}];[{\"a\":2.5}]",
            Some(ColumnType::List(Box::new(ColumnType::Struct(vec![of("a", ColumnType::Float64)])))),
        ),
    ] {
        assert_eq!(type_of(values), expected, "{values}");
    }
}

#[test]
fn an_object_with_keys_that_are_data_becomes_json() {
    let members: Vec<_> = (0..=FIELDS_MAX).map(|index| format!("\"k{index}\":1")).collect();
    assert_eq!(type_of(&format!("{{{}}}", members.join(","))), Some(ColumnType::Json));
    let page = format!("[{{{}}}]", members.join(","));
    assert!(infer(&[&page]).finish(&[]).is_err());
}

#[test]
fn key_columns_must_have_a_value_and_null_fields_are_named() {
    let pages = [
        r#"{"items":[{"id":1,"gone":null,"o":{"x":null,"y":1}}, 5]}"#,
        r#"{"items":[{"id":2,"name":"n"}]}"#,
        r#"{"items":[]}"#,
    ];
    let key = |name: &str| [name.to_owned()];
    let inferrer = infer(&pages);
    assert_eq!(inferrer.always_null(), ["$.gone", "$.o.x"]);
    assert_eq!(inferrer.records(), 2);
    let schema = inferrer.finish(&key("id")).unwrap().unwrap();
    let columns: Vec<_> = schema.columns().iter().map(|column| (column.name.as_str(), column.nullable)).collect();
    assert_eq!(columns, [("id", false), ("o", true), ("name", true)]);

    let error = infer(&pages).finish(&key("uid")).unwrap_err();
    assert_eq!(error.message(), "the records have no field uid, which primary_key names");
    assert!(error.hints()[0].contains("id, o, name"));
    assert_eq!(infer(&["[]"]).finish(&key("id")).unwrap(), None);
    assert!(infer(&["[{}]"]).finish(&[]).is_err());
}

#[test]
fn a_page_that_fails_teaches_nothing() {
    let mut inferrer = Inferrer::new(Some(JsonPath::parse("items").unwrap()), OPTIONS);
    assert!(inferrer.observe(&PageInput::json(0, br#"{"items":[{"a":1}]"#), None).is_err());
    assert!(inferrer.observe(&PageInput::json(0, br#"{"other":[{"a":1}]}"#), None).is_err());
    assert_eq!(inferrer.records(), 0);
}

#[test]
fn the_first_kind_can_be_kept() {
    for (values, expected) in [
        ("1;9007199254740993;1.5", ColumnType::Int64),
        ("9007199254740993;1e999", ColumnType::Int64),
        ("1;1.5;9007199254740993", ColumnType::Float64),
        ("1;1.5;9007199254740992", ColumnType::Float64),
        ("18446744073709551616;1.5", ColumnType::Decimal128 { precision: 38, scale: 0 }),
        ("1;\"a\";2.5", ColumnType::Float64),
        ("\"a\";1", ColumnType::Utf8),
        ("null;true;{}", ColumnType::Boolean),
        ("[1,\"a\"];{}", ColumnType::List(Box::new(ColumnType::Int64))),
        ("9007199254740993;2.5", ColumnType::Int64),
    ] {
        let records = values.split(';').map(|value| format!("{{\"v\":{value}}}")).collect::<Vec<_>>().join(",");
        let mut inferrer = Inferrer::new(None, InferOptions { mixed_kinds: MixedKinds::KeepFirst, ..OPTIONS });
        let page = format!("[{records}]");
        inferrer.observe(&PageInput::json(0, page.as_bytes()), None).unwrap();
        let schema = inferrer.finish(&[]).unwrap().unwrap();
        assert_eq!(schema.column("v").unwrap().column_type, expected, "{values}");
    }
}

#[test]
fn what_holds_nothing_says_nothing_where_it_is_passed_over() {
    let list = |element| Some(ColumnType::List(Box::new(element)));
    for (values, usual, passed_over) in [
        ("[]", Some(ColumnType::Json), None),
        ("[];null;[null]", Some(ColumnType::Json), None),
        ("[[],[null]]", list(ColumnType::Json), None),
        ("{}", Some(ColumnType::Json), None),
        ("{\"a\":[]}", Some(ColumnType::Struct(vec![json_column("a")])), None),
        ("[{}]", list(ColumnType::Json), None),
        ("[];[1]", list(ColumnType::Int64), list(ColumnType::Int64)),
        ("[];1", Some(ColumnType::Json), Some(ColumnType::Json)),
        ("{};[]", Some(ColumnType::Json), Some(ColumnType::Json)),
    ] {
        assert_eq!(type_of(values), usual, "{values}");
        let records: Vec<_> = values.split(';').map(|value| format!("{{\"id\":1,\"v\":{value}}}")).collect();
        let mut inferrer = Inferrer::new(None, InferOptions { empty_containers: EmptyContainers::AreNull, ..OPTIONS });
        let page = format!("[{}]", records.join(","));
        inferrer.observe(&PageInput::json(0, page.as_bytes()), None).unwrap();
        let schema = inferrer.finish(&[]).unwrap().unwrap();
        assert_eq!(schema.column("v").map(|column| column.column_type.clone()), passed_over, "{values}");
    }
}

fn json_column(name: &str) -> Column {
    Column { name: name.to_owned(), column_type: ColumnType::Json, nullable: true }
}

#[test]
fn the_places_of_whole_numbers_that_no_double_is_are_known() {
    let page = r#"[{"a": 9007199254740993, "b": 9007199254740992, "o": {"x y": [[-9007199254740993, 1.5]], "z": 1.5}},
        {"l": [{"n": 1}, {"n": 9223372036854775808}], "text": "9007199254740993", "f": 9007199254740993.0}]"#;
    let places = infer(&[page]).beyond_doubles();
    assert_eq!(places.into_iter().collect::<Vec<_>>(), ["$.a", "$.l.n", "$.o['x y']"]);
}
