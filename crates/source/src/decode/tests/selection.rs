//! Selectors, lookups, detection, and the errors about them.

use super::*;
use crate::paginate::{Lookup, Scalar};
use lakefeed_model::error::ErrorKind;

fn ids(selector: Option<&str>, page: &str) -> Result<Vec<String>, DecodeError> {
    let mut decoder = PageDecoder::new(&events(), selector.map(path), OPTIONS);
    decode(&mut decoder, 0, page.as_bytes())?;
    let batch = decoder.flush()?;
    Ok(rows(&batch).iter().map(|row| row["event_id"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn a_selector_finds_the_records_wherever_it_leads() {
    for (selector, page, expected) in [
        ("items", r#"{"items":[{"event_id":"a"},{"event_id":"b"}]}"#, vec!["a", "b"]),
        ("$", r#" [ {"event_id":"a"} , {"event_id":"b"} ] "#, vec!["a", "b"]),
        ("$", "\u{feff}[{\"event_id\":\"a\"}]", vec!["a"]),
        ("$", r#"{"event_id":"a"}"#, vec!["a"]),
        ("$", "null", vec![]),
        ("item", r#"{"item":{"event_id":"a"}}"#, vec!["a"]),
        ("items", r#"{"items":null}"#, vec![]),
        ("items", r#"{"items":[]}"#, vec![]),
        ("data.items", r#"{"items":[1],"data":{"x":1,"items":[{"event_id":"a"}]},"z":{}}"#, vec!["a"]),
        ("data[1].items", r#"{"data":[{},{"items":[{"event_id":"a"}]}]}"#, vec!["a"]),
        ("data[-1].items", r#"{"data":[{},{"items":[{"event_id":"a"}]}]}"#, vec!["a"]),
        ("items[-2]", r#"{"items":[{"event_id":"a"},{"event_id":"b"}]}"#, vec!["a"]),
        (
            "pages[*].items",
            r#"{"pages":[{"items":[{"event_id":"a"}]},{"items":[]},{"items":[{"event_id":"b"}]}]}"#,
            vec!["a", "b"],
        ),
        ("pages[*].items", r#"{"pages":[]}"#, vec![]),
        ("days.*", r#"{"days":{"mo":[{"event_id":"a"}],"tu":{"event_id":"b"}}}"#, vec!["a", "b"]),
        ("days.*", r#"{"days":{}}"#, vec![]),
        ("['a.b']", r#"{"a.b":[{"event_id":"a"}]}"#, vec!["a"]),
        ("items", r#"{"\u0069tems":[{"event_id":"a"}]}"#, vec!["a"]),
        ("items", r#"{"items":[{"event_id":"a"},{"event_id":1}],"items":[{"event_id":"b"}]}"#, vec!["b"]),
        ("a.items", r#"{"a":{"items":[{"event_id":"a"}]},"a":{"items":[{"event_id":"b"}]}}"#, vec!["b"]),
    ] {
        assert_eq!(ids(Some(selector), page).unwrap(), expected, "{selector} {page}");
    }
}

#[test]
fn a_selector_that_leads_nowhere_is_an_error_with_the_keys_that_are_there() {
    for (selector, page, message) in [
        (
            "items",
            r#"{"itmes":[],"total":0}"#,
            "the selector items was not found in the page: $ has an object with itmes, total",
        ),
        ("data.items", r#"{"data":{}}"#, "the selector data.items was not found in the page: data has an empty object"),
        ("data.items", r#"{"data":null}"#, "the selector data.items was not found in the page: data has null"),
        (
            "data.items",
            r#"{"data":[1,2]}"#,
            "the selector data.items was not found in the page: data has an array of 2 elements",
        ),
        (
            "data[1]",
            r#"{"data":[[]]}"#,
            "the selector data[1] was not found in the page: data has an array of 1 element",
        ),
        (
            "data[-2]",
            r#"{"data":[[]]}"#,
            "the selector data[-2] was not found in the page: data has an array of 1 element",
        ),
        ("items", "[]", "the selector items was not found in the page: $ has an array of 0 elements"),
        (
            "p[*].items",
            r#"{"p":[{"items":[{"event_id":"a"}]},{}]}"#,
            "the selector p[*].items was not found in the page: p[*] has an empty object",
        ),
        ("items", r#"{"items":5}"#, "the selector items names the number 5, not an array or an object"),
        ("$", "\"x\"", "the selector $ names the text \"x\", not an array or an object"),
    ] {
        assert_eq!(ids(Some(selector), page).unwrap_err().to_string(), message);
    }
}

#[test]
fn errors_reach_the_operator_with_place_and_next_step() {
    let error = ids(Some("items"), r#"{"itmes":[],"total":0}"#).unwrap_err().into_error("GET https://x/events", None);
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.message().starts_with("GET https://x/events: the selector items was not found"), "{error}");
    assert_eq!(error.hints()[0], "did you mean itmes?");
    assert!(error.hints()[1].contains("endpoint.data_selector") && error.hints()[1].contains("itmes, total"));

    for (page, content_type, message, hint) in [
        (
            " <!DOCTYPE html><p>caf\u{e9}",
            Some("text/html"),
            "GET x: the body is not JSON; it starts with \"<!DOCTYPE html><p>caf",
            "HTML or XML (content type: text/html)",
        ),
        ("", None, "GET x: the body is empty", "content type: not stated"),
        (" \n", None, "GET x: the body is empty", "endpoint.path"),
        (
            r#"{"items":[{"event_id":"a"},{"ev"#,
            None,
            "GET x: the body is not valid JSON: expected '\"', found the end of the body at line 1 column 32 (byte 31)",
            "ends too early",
        ),
    ] {
        let error = ids(Some("items"), page).unwrap_err().into_error("GET x", content_type);
        assert!(error.message().starts_with(message), "{error}");
        assert!(error.hints()[0].contains(hint), "{:?}", error.hints());
    }
    assert!(matches!(ids(Some("items"), "<p>"), Err(DecodeError::NotJson { .. })));
    // HTML in another encoding is still called HTML.
    let latin = decode(&mut PageDecoder::new(&events(), None, OPTIONS), 0, b"<p>\xe9</p>");
    assert!(matches!(latin, Err(DecodeError::NotJson { .. })));
}

#[test]
fn lookups_are_found_before_after_and_inside_of_the_records() {
    let page = r#"{"total":"old","items":[{"event_id":"a","n":1},{"event_id":"b","n":2}],
        "meta":{"next":null,"more":true,"total":1},"total":1e2,"link":"a\u0062","meta":{"total":12345678901234567890123}}"#;
    let lookups = [
        "total",
        "meta.total",
        "meta.next",
        "link",
        "items[1].n",
        "items[*].event_id",
        "items",
        "x.y",
        "$",
        "items[9]",
        "items[-1].n",
        "items[-3]",
    ];
    let questions = Questions { lookups: lookups.iter().map(|text| path(text)).collect(), wants_hints: false };
    let mut decoder = decoder(&events(), "items");
    let mut asked = |number, body: &[u8]| {
        let page = PageInput { questions: &questions, ..PageInput::json(number, body) };
        let meta = decoder.decode(&page, MismatchPolicy::LENIENT, None).unwrap().meta;
        (meta, decoder.rows())
    };
    let (meta, buffered) = asked(0, page.as_bytes());
    let number = |text: &str| Lookup::Found(Scalar::Number(text.to_owned()));
    let text = |text: &str| Lookup::Found(Scalar::Text(text.to_owned()));
    let expected = [
        number("1e2"),
        number("12345678901234567890123"),
        Lookup::Missing,
        text("ab"),
        number("2"),
        text("b"),
        Lookup::Found(Scalar::Container),
        Lookup::Missing,
        Lookup::Found(Scalar::Container),
        Lookup::Missing,
        number("2"),
        Lookup::Missing,
    ];
    assert_eq!(meta.values, expected);
    assert_eq!((meta.records, buffered), (2, 2));
    let (meta, _) = asked(1, br#"{"items":[],"meta":{"next":null},"total":true}"#);
    assert_eq!(meta.values[0], Lookup::Found(Scalar::Bool(true)));
    assert_eq!(meta.values[2], Lookup::Found(Scalar::Null));
}

#[test]
fn without_a_selector_the_first_page_decides_by_the_rule_of_dlt() {
    for (page, expected) in [
        (r#"{"list":[1],"items":[{"event_id":"a"}]}"#, vec!["a"]),
        (r#"{"list":[{"event_id":"a"}],"deep":{"list":[1]}}"#, vec!["a"]),
        (r#"{"tags":[1],"response":{"data":[{"event_id":"a"}]}}"#, vec!["a"]),
        (r#"{"a":{"b":{"results":[{"event_id":"a"}]}}}"#, vec!["a"]),
        (r#"{"data":{"items":[{"event_id":"a"}]},"results":[{"event_id":"b"}]}"#, vec!["a"]),
        (r#"{"results":[{"event_id":"a"}],"data":[{"event_id":"b"}]}"#, vec!["a"]),
        (r#"{"deep":{"list":[1]},"list":[{"event_id":"a"}]}"#, vec!["a"]),
        (r#"{"a":{"b":{"c":{"results":[1]}}},"event_id":"a"}"#, vec!["a"]),
        (r#"{"event_id":"a"}"#, vec!["a"]),
        (r#"[{"event_id":"a"}]"#, vec!["a"]),
        (r#"{"items":null,"total":0}"#, vec![]),
    ] {
        assert_eq!(ids(None, page).unwrap(), expected, "{page}");
    }
}

#[test]
fn a_detected_selector_stays_and_an_error_says_that_it_was_detected() {
    let mut decoder = PageDecoder::new(&events(), None, OPTIONS);
    assert!(decode(&mut decoder, 0, br#"{"other":[{"event_id":"a"}]"#).is_err());
    decode(&mut decoder, 0, br#"{"items":[{"event_id":"a"}],"x":[]}"#).unwrap();
    let error = decode(&mut decoder, 1, br#"{"x":[{"event_id":"b"}]}"#).unwrap_err();
    assert!(matches!(error, DecodeError::SelectorMissing { detected: true, .. }));
    assert!(error.into_error("p", None).hints()[0].contains("detected on the first page"));
}

/// The same records, as a document and as lines, are the same rows and rejects.
#[test]
fn lines_are_records() {
    let records = [r#"{"event_id":"a","summary":"x\ny"}"#, r#"{"summary":"no key"}"#, "[1]", r#"{"event_id":"b"}"#];
    let decode = |page: &str, format| {
        let mut decoder = PageDecoder::new(&events(), None, OPTIONS);
        let page = PageInput { format, ..PageInput::json(3, page.as_bytes()) };
        let mut decoded = decoder.decode(&page, MismatchPolicy::LENIENT, None).unwrap();
        // It is of what is between records, too.
        decoded.meta.content.as_mut().unwrap().hash = 0;
        (decoded, decoder.flush().unwrap())
    };
    let document = decode(&format!("[{}]", records.join(",")), RecordFormat::Json);
    for separator in ["\n", "\r\n", "\n\n \n"] {
        let lines = records.join(separator);
        assert_eq!(decode(&lines, RecordFormat::Ndjson), document);
        assert_eq!(decode(&format!("{lines}{separator}"), RecordFormat::Ndjson), document);
    }
    let mut decoder = PageDecoder::new(&events(), None, OPTIONS);
    let mut decode = |body: &[u8]| {
        let page = PageInput { format: RecordFormat::Ndjson, ..PageInput::json(0, body) };
        decoder.decode(&page, MismatchPolicy::LENIENT, None)
    };
    assert_eq!(decode(b" \n").unwrap().meta.records, 0);
    assert!(decode(b"{\"event_id\":\"a\"}\n{\"event_id\":").is_err());
    assert_eq!(decoder.rows(), 0);
}
