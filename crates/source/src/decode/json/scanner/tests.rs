use serde::de::IgnoredAny;

use super::*;

/// Whether a whole document is valid; the depth limit is wide.
fn is_valid(page: &[u8]) -> Result<(), Box<DecodeError>> {
    let mut scanner = Scanner::new(page, 200)?;
    scanner.skip_value()?;
    scanner.end()
}

/// Documents that RFC 8259 allows.
const VALID: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "-1",
    "10",
    "0.1",
    "1e1",
    "1E+1",
    "1e-1",
    "0e0",
    "123.456e+78",
    "1e999",
    "-1e-999",
    "9999999999999999999999999999999999999999",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\"",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[1]",
    "[1,2]",
    "[1 , 2]",
    "[[]]",
    "[{}]",
    "{\"\":0}",
    "{\"a\":1,\"a\":2}",
    "{\"a\" : 1 , \"b\" : [ ] }",
    " \t\r\n1\t\r\n ",
    "\u{feff}[]",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\uD83D\\uDE00\"",
    "\"\u{7f}\"",
    "\"é€😀\"",
    "\"\u{2028}\"",
    "\"12345678\"",
    "\"1234567\\n\"",
    "[true,false,null]",
    "\"\u{ffff}\"",
    "{\"\\u0061\":1}",
];

#[test]
fn valid_documents_are_accepted() {
    for document in VALID {
        assert!(is_valid(document.as_bytes()).is_ok(), "{document}: {:?}", is_valid(document.as_bytes()));
        let without_mark = document.strip_prefix('\u{feff}').unwrap_or(document);
        assert!(serde_json::from_str::<IgnoredAny>(without_mark).is_ok(), "the oracle refuses {document}");
    }
}

/// Documents that RFC 8259 does not allow.
const INVALID: &[&str] = &[
    "-",
    "+1",
    "01",
    "-01",
    "00",
    "1.",
    ".1",
    "-.1",
    "1e",
    "1e+",
    "1.e1",
    "0x1",
    "1_0",
    "Infinity",
    "-Infinity",
    "NaN",
    "1a",
    "1 2",
    "1,",
    "tru",
    "True",
    "truefalse",
    "nul",
    "nulll",
    "fals",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\",
    "\"\\u",
    "\"\t\"",
    "\"\n\"",
    "\"\0\"",
    "\"\u{1f}\"",
    "'a'",
    "a",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1 2]",
    "[1;2]",
    "[1}",
    "{",
    "}",
    "{]",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\"::1}",
    "{\"a\":1]",
    "[]]",
    "{}}",
    "[1]//",
    "/**/1",
    "\u{a0}1",
    "\u{2028}1",
    "\u{c}1",
    "1\u{b}",
    "\u{feff}\u{feff}1",
    "[\u{feff}1]",
    "[1]\u{feff}",
    "[\0]",
];

#[test]
fn invalid_documents_are_refused() {
    for document in INVALID {
        assert!(is_valid(document.as_bytes()).is_err(), "{document:?}");
        let without_mark = document.strip_prefix('\u{feff}').unwrap_or(document);
        assert!(serde_json::from_str::<IgnoredAny>(without_mark).is_err(), "the oracle takes {document:?}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_with_their_place() {
    for (document, offset) in [
        (b"\"\xff\"".as_slice(), 1),
        (b"\"a\xc3\"", 2),
        (b"\"\xed\xa0\x80\"", 1),
        (b"\"\xc0\x80\"", 1),
        (b"[1]\x80", 3),
    ] {
        match *is_valid(document).unwrap_err() {
            DecodeError::NotUtf8 { position } => assert_eq!(position.offset, offset),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_error_names_line_column_and_what_was_expected() {
    for (document, message) in [
        ("{\n  \"é\": tru\n}", "expected true, found the control character U+000A at line 2 column 11 (byte 13)"),
        ("[1, 2", "expected ',' or ']', found the end of the body at line 1 column 6 (byte 5)"),
        ("\u{feff}{a", "expected a key in double quotes, found 'a' at line 1 column 3 (byte 4)"),
        ("[1] x", "expected the end of the body, found 'x' at line 1 column 5 (byte 4)"),
        ("\"a\\q\"", "expected an escape sequence, found 'q' at line 1 column 4 (byte 3)"),
        ("[01]", "expected ',' or ']', found '1' at line 1 column 3 (byte 2)"),
    ] {
        let error = is_valid(document.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("the body is not valid JSON: {message}"));
    }
}

#[test]
fn nesting_is_bounded_and_the_bound_is_exact() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let check = |depth: usize, depth_max| {
        Scanner::new(nested(depth).as_bytes(), depth_max).and_then(|mut scanner| scanner.skip_value())
    };
    assert!(check(5, 5).is_ok());
    assert!(matches!(*check(6, 5).unwrap_err(), DecodeError::TooDeep { depth_max: 5, .. }));
    assert!(check(1024, u32::MAX).is_ok());
    assert!(matches!(*check(1_000_000, u32::MAX).unwrap_err(), DecodeError::TooDeep { depth_max: 1024, .. }));
    let siblings = format!("[{}[]]", "[[]],".repeat(1000));
    assert!(Scanner::new(siblings.as_bytes(), 3).unwrap().skip_value().is_ok());
}
