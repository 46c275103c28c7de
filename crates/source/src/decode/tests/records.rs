//! Values, columns, rejects.

use super::*;
use lakefeed_model::reject::RejectCode;
use lakefeed_model::reject::RejectCode::{BadFormat, MissingValue, NotAnObject, OutOfRange, UnknownField, WrongType};

/// Decodes one record `{"v": text}` of one column: its value, or the code and the reason of the
/// reject.
fn decode_value(column_type: &ColumnType, text: &str) -> Result<Value, (RejectCode, String)> {
    let schema = schema(vec![column("v", column_type.clone())]);
    let mut decoder = decoder(&schema, "$");
    let mut decoded = decode(&mut decoder, 0, format!("[{{\"v\":{text}}}]").as_bytes()).unwrap();
    let batch = decoder.flush().unwrap();
    assert_eq!(batch.schema(), schema.to_arrow());
    match decoded.rejects.pop() {
        None => Ok(rows(&batch).pop().unwrap()["v"].take()),
        Some(reject) => {
            assert_eq!(batch.num_rows(), 0);
            assert!(reject.path.starts_with("$.v"), "{}", reject.path);
            Err((reject.code, reject.reason))
        }
    }
}

#[test]
fn each_type_takes_what_fits_and_nothing_else() {
    let decimal = ColumnType::Decimal128 { precision: 5, scale: 2 };
    let integers = ColumnType::List(Box::new(ColumnType::Int64));
    let point = ColumnType::Struct(vec![column("x", ColumnType::Int64), column("y", ColumnType::Utf8)]);
    for (column_type, text, expected) in [
        (ColumnType::Boolean, "true", Ok(json!(true))),
        (ColumnType::Boolean, "false", Ok(json!(false))),
        (ColumnType::Boolean, "null", Ok(Value::Null)),
        (ColumnType::Boolean, "1", Err(WrongType)),
        (ColumnType::Boolean, "\"true\"", Ok(json!(true))),
        (ColumnType::Int64, "9223372036854775807", Ok(json!(i64::MAX))),
        (ColumnType::Int64, "-9223372036854775808", Ok(json!(i64::MIN))),
        (ColumnType::Int64, "9223372036854775808", Err(OutOfRange)),
        (ColumnType::Int64, "2.0", Ok(json!(2))),
        (ColumnType::Int64, "2.5", Err(OutOfRange)),
        (ColumnType::Int64, "\"2\"", Ok(json!(2))),
        (ColumnType::Int64, "true", Err(WrongType)),
        (ColumnType::Float64, "1", Ok(json!(1.0))),
        (ColumnType::Float64, "-0.1e-3", Ok(json!(-0.1e-3))),
        (ColumnType::Float64, "1e999", Err(OutOfRange)),
        (ColumnType::Float64, "\"1.0\"", Ok(json!(1.0))),
        (decimal.clone(), "123.45", Ok(json!("12345"))),
        (decimal.clone(), "\"-123.45\"", Ok(json!("-12345"))),
        (decimal.clone(), "1e2", Ok(json!("10000"))),
        (decimal.clone(), "1000", Err(OutOfRange)),
        (decimal.clone(), "1.234", Err(OutOfRange)),
        (decimal.clone(), "\"1,5\"", Err(BadFormat)),
        (decimal.clone(), "\" 1\"", Err(BadFormat)),
        (decimal.clone(), "\"\"", Err(BadFormat)),
        (decimal, "{}", Err(WrongType)),
        (ColumnType::Utf8, "\"\"", Ok(json!(""))),
        (ColumnType::Utf8, r#""a\u0041\ud83d\ude00\n\"""#, Ok(json!("aA😀\n\""))),
        (ColumnType::Utf8, r#""\ud800""#, Err(BadFormat)),
        (ColumnType::Utf8, "12", Err(WrongType)),
        (ColumnType::Utf8, "[\"a\"]", Err(WrongType)),
        (ColumnType::TimestampUtc, "\"1970-01-01T01:00:00.000001+01:00\"", Ok(json!(1))),
        (ColumnType::TimestampUtc, r#""1970-01-01T00:00:00\u005a""#, Ok(json!(0))),
        (ColumnType::TimestampUtc, "\"1970-01-01T00:00:00\"", Err(BadFormat)),
        (ColumnType::TimestampUtc, "\"1970-01-02\"", Ok(json!(86_400_000_000_i64))),
        (ColumnType::TimestampUtc, "\"1970-01-01T00:00:00.0000001Z\"", Err(OutOfRange)),
        (ColumnType::TimestampUtc, "\"1972-06-30T23:59:60Z\"", Err(OutOfRange)),
        (ColumnType::TimestampUtc, "0", Err(WrongType)),
        (ColumnType::TimestampNaive, "\"1970-01-01 00:00:01\"", Ok(json!(1_000_000))),
        (ColumnType::TimestampNaive, "\"1970-01-01T00:00:01Z\"", Err(BadFormat)),
        (ColumnType::Date32, "\"1970-01-02\"", Ok(json!(1))),
        (ColumnType::Date32, "\"1970-02-30\"", Err(BadFormat)),
        (ColumnType::Time64, "\"00:00:01.5\"", Ok(json!(1_500_000))),
        (ColumnType::Time64, "\"25:00:00\"", Err(BadFormat)),
        (ColumnType::Json, "{ \"a\" : [1, \"\\u0041\"] }", Ok(json!("{ \"a\" : [1, \"\\u0041\"] }"))),
        (ColumnType::Json, "1.10", Ok(json!("1.10"))),
        (ColumnType::Json, "null", Ok(Value::Null)),
        (integers.clone(), "[]", Ok(json!([]))),
        (integers.clone(), "[1, null,3]", Ok(json!([1, null, 3]))),
        (integers.clone(), "[1, \"b\"]", Err(BadFormat)),
        (integers, "{}", Err(WrongType)),
        (point.clone(), "{}", Ok(json!({"x": null, "y": null}))),
        (point.clone(), "{\"y\":\"b\", \"z\": [{}], \"x\":1}", Ok(json!({"x": 1, "y": "b"}))),
        (point.clone(), "null", Ok(Value::Null)),
        (point, "[]", Err(WrongType)),
    ] {
        let found = decode_value(&column_type, text);
        assert_eq!(found.clone().map_err(|(code, _)| code), expected, "{column_type:?} {text}: {found:?}");
    }
}

#[test]
fn a_reject_says_where_what_and_why_and_keeps_the_record() {
    let schema = schema(vec![
        required("id", ColumnType::Utf8),
        column("start_time", ColumnType::TimestampUtc),
        column("organizer", ColumnType::Struct(vec![required("e-mail.address", ColumnType::Utf8)])),
        column("tags", ColumnType::List(Box::new(ColumnType::List(Box::new(ColumnType::Utf8))))),
    ]);
    for (record, path, code, reason) in [
        (
            r#"{"id": "a", "start_time" : "soon" }"#,
            "$.start_time",
            BadFormat,
            r#"expected an RFC 3339 date-time, found the text "soon""#,
        ),
        (r#"{"start_time":null}"#, "$.id", MissingValue, "expected a value, found no such field"),
        (r#"{"id":null}"#, "$.id", MissingValue, "expected a value, found null"),
        (
            r#"{"id":"a","organizer":{"e-mail.address":12.50}}"#,
            "$.organizer['e-mail.address']",
            WrongType,
            "expected a string, found the number 12.50",
        ),
        (
            r#"{"id":"a","organizer":{}}"#,
            "$.organizer['e-mail.address']",
            MissingValue,
            "expected a value, found no such field",
        ),
        (
            r#"{"id":"a","tags":[["x"],["y","z",{"deep":[1]}]]}"#,
            "$.tags[1][2]",
            WrongType,
            "expected a string, found an object",
        ),
        ("[1,2]", "$", NotAnObject, "expected an object, found an array"),
        ("null", "$", NotAnObject, "expected an object, found null"),
        ("\"text\"", "$", NotAnObject, "expected an object, found the text \"text\""),
    ] {
        let mut decoder = decoder(&schema, "items");
        let page = format!(r#"{{"items":[{{"id":"first"}}, {record} ,{{"id":"last"}}]}}"#);
        let decoded = decode(&mut decoder, 7, page.as_bytes()).unwrap();
        let reject =
            Reject { page: 7, position: 1, path: path.into(), code, reason: reason.into(), raw: record.into() };
        assert_eq!(decoded.rejects, [reject]);
        assert_eq!(decoded.meta.records, 3);
        let batch = decoder.flush().unwrap();
        assert_eq!(rows(&batch).iter().map(|row| row["id"].clone()).collect::<Vec<_>>(), ["first", "last"]);
    }
}

#[test]
fn long_values_and_records_are_cut_in_a_reject() {
    let mut decoder = decoder(&events(), "$");
    let record = format!("{{\"event_id\":{}, \"summary\":\"{}\"}}", "9".repeat(100), "é".repeat(50_000));
    let decoded = decode(&mut decoder, 0, record.as_bytes()).unwrap();
    assert_eq!(decoded.rejects[0].reason, format!("expected a string, found the number {}…", "9".repeat(60)));
    let raw = &decoded.rejects[0].raw;
    assert!((REJECT_RAW_BYTES_MAX - 1..=REJECT_RAW_BYTES_MAX).contains(&raw.len()) && record.starts_with(raw));
}

#[test]
fn of_duplicate_keys_the_last_one_counts_also_when_it_is_escaped() {
    let schema = schema(vec![
        required("id", ColumnType::Utf8),
        column("n", ColumnType::Struct(vec![column("x", ColumnType::List(Box::new(ColumnType::Int64)))])),
        column("b", ColumnType::Boolean),
    ]);
    let mut decoder = decoder(&schema, "$");
    let page = r#"[{"id":"a","b":true,"n":{"x":[1,2]},"id":"b","n":{"x":[3],"x":[4,5]},"\u0069d":"c","b":null},
        {"id":"d","n":null,"n":{"x":[6]}}, {"id":"e","id":5}, {"id":"f","n":{"x":[7]},"n":null}]"#;
    let decoded = decode(&mut decoder, 0, page.as_bytes()).unwrap();
    assert_eq!(
        rows(&decoder.flush().unwrap()),
        [
            json!({"id": "c", "n": {"x": [4, 5]}, "b": null}),
            json!({"id": "d", "n": {"x": [6]}, "b": null}),
            json!({"id": "f", "n": null, "b": null}),
        ]
    );
    assert_eq!(decoded.rejects.len(), 1);
}

#[test]
fn unknown_fields_are_left_out_or_refuse_the_record_as_told() {
    let page = br#"[{"event_id":"a","extra":{"deep":[1,2,{}]}},{"event_id":"b"},{"extra":1,"event_id":"c"}]"#;
    let mut ignoring = PageDecoder::new(&events(), None, OPTIONS);
    assert_eq!(decode(&mut ignoring, 0, page).unwrap().rejects, []);
    assert_eq!(ignoring.rows(), 3);
    let mut rejecting = PageDecoder::new(&events(), None, OPTIONS);
    let rejects = decode_strictly(&mut rejecting, 0, page).unwrap().rejects;
    assert_eq!(rejecting.rows(), 1);
    assert_eq!(rejects.iter().map(|reject| reject.position).collect::<Vec<_>>(), [0, 2]);
    assert!(rejects.iter().all(|reject| reject.code == UnknownField && reject.path == "$.extra"), "{rejects:?}");
}

#[test]
fn a_refused_record_must_still_be_valid_json() {
    for page in [
        r#"[{"event_id":"a"},{"event_id":1,"x":tru}]"#,
        r#"[{"event_id":"a"},{"event_id":1,"x":"#,
        r#"[{"event_id":"a"},5 5]"#,
    ] {
        let mut decoder = decoder(&events(), "$");
        assert!(matches!(decode(&mut decoder, 0, page.as_bytes()), Err(DecodeError::Syntax { .. })), "{page}");
        assert_eq!((decoder.rows(), decoder.flush().unwrap().num_rows()), (0, 0));
    }
}

#[test]
fn a_batch_spans_pages_and_a_failed_page_leaves_it_as_it_was() {
    let mut decoder = decoder(&events(), "items");
    assert_eq!(decoder.bytes() / 100, 0);
    decode(&mut decoder, 0, br#"{"items":[{"event_id":"a","summary":"one"}]}"#).unwrap();
    let bytes = decoder.bytes();
    for broken in [
        br#"{"items":[{"event_id":"x","summary":"two"},{"event_id":"#.as_slice(),
        br#"{"items":[{"event_id":"x"}]} trailing"#,
        br#"{"items":[{"event_id":"x","summary":"half"#,
        br#"{"items":[{"event_id":"x"}], "n": 01}"#,
    ] {
        assert!(decode(&mut decoder, 1, broken).is_err());
        assert_eq!((decoder.rows(), decoder.bytes()), (1, bytes));
    }
    decode(&mut decoder, 1, br#"{"items":[{"summary":"two","event_id":"b","start_time":"1970-01-01T00:00:00Z"}]}"#)
        .unwrap();
    let expected = [
        json!({"event_id": "a", "start_time": null, "end_time": null, "summary": "one"}),
        json!({"event_id": "b", "start_time": 0, "end_time": null, "summary": "two"}),
    ];
    assert_eq!(rows(&decoder.flush().unwrap()), expected);
    let empty = decoder.flush().unwrap();
    assert_eq!((empty.num_rows(), empty.schema()), (0, events().to_arrow()));
    decode(&mut decoder, 2, br#"{"items":[{"event_id":"c"}]}"#).unwrap();
    assert_eq!(rows(&decoder.flush().unwrap())[0]["event_id"], "c");
}

#[test]
fn nesting_beyond_the_limit_fails_the_page_also_inside_a_record() {
    let mut decoder = PageDecoder::new(&events(), Some(path("items")), DecodeOptions::with_depth(4));
    assert!(decode(&mut decoder, 0, br#"{"items":[{"event_id":"a","x":[1]}]}"#).is_ok());
    let error = decode(&mut decoder, 1, br#"{"items":[{"event_id":"b","x":[[1]]}]}"#).unwrap_err();
    assert!(matches!(error, DecodeError::TooDeep { depth_max: 4, .. }));
    assert_eq!(decoder.rows(), 1);
}

#[test]
fn a_null_object_with_a_required_member_forms_a_batch() {
    let inner = ColumnType::Struct(vec![required("x", ColumnType::Int64)]);
    let schema = schema(vec![column("list", ColumnType::List(Box::new(inner.clone()))), column("one", inner)]);
    let mut decoder = decoder(&schema, "$");
    decode(&mut decoder, 0, br#"[{"list":[null,{"x":1}]},{"one":{"x":2}},{"list":null,"one":null}]"#).unwrap();
    let expected = [
        json!({"list": [null, {"x": 1}], "one": null}),
        json!({"list": null, "one": {"x": 2}}),
        json!({"list": null, "one": null}),
    ];
    assert_eq!(rows(&decoder.flush().unwrap()), expected);
}

#[test]
fn a_field_that_fails_the_run_does_so_behind_one_that_null_stands_for() {
    let text = r#"{"properties": {"a": {"type": "integer"}, "b": {"type": "integer", "x-on-error": "fail"}}}"#;
    let file = lakefeed_model::schema::SchemaFile::parse(text).unwrap();
    let target = RowTarget { rules: Some(&file.rules), ..RowTarget::from(&file.schema) };
    let mut decoder = PageDecoder::new(target, Some(JsonPath::root()), OPTIONS);
    let policy = MismatchPolicy { type_mismatches: TypeMismatches::Null, ..MismatchPolicy::LENIENT };
    let mut decode = |number, body: &[u8]| decoder.decode(&PageInput::json(number, body), policy, None);
    assert_eq!(decode(0, br#"[{"a": "x", "b": 1}]"#).unwrap().discarded, 1);
    let error = decode(1, br#"[{"a": "x", "b": "y"}]"#).unwrap_err();
    assert!(matches!(error, DecodeError::Refused { .. }), "{error}");
    assert_eq!(decoder.rows(), 1);
}

#[test]
fn unknown_fields_that_hold_nothing_are_passed_over_where_that_is_wanted() {
    for (value, holds_nothing) in [
        ("null", true),
        ("[]", true),
        ("[ null , [ ] ]", true),
        ("{}", true),
        (r#"{"a": [], "b": {"c": null}}"#, true),
        ("0", false),
        ("\"\"", false),
        ("false", false),
        ("[null, 0]", false),
        (r#"{"a": [], "b": {"c": "x"}}"#, false),
    ] {
        let text = format!(r#"[{{"event_id": "a", "x": {value}, "summary": "s"}}]"#);
        for empty_containers in [EmptyContainers::AreValues, EmptyContainers::AreNull] {
            let options = DecodeOptions { empty_containers, ..OPTIONS };
            let mut decoder = PageDecoder::new(&events(), Some(JsonPath::root()), options);
            let rejects = decode_strictly(&mut decoder, 0, text.as_bytes()).unwrap().rejects;
            let is_taken = value == "null" || (empty_containers == EmptyContainers::AreNull && holds_nothing);
            assert_eq!(
                (rejects.is_empty(), decoder.rows()),
                (is_taken, usize::from(is_taken)),
                "{value} {empty_containers:?}"
            );
            let broken = text.replacen('}', "", 1);
            assert!(decode_strictly(&mut decoder, 1, broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
