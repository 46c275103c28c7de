//! Pages of comma-separated values (RFC 4180), as lines of JSON, which all that follows
//! understands.
//!
//! The first line names the columns. A cell is text where its column is; elsewhere it is what it
//! looks like: a JSON number, `true` or `false`, or text. A cell without anything in it is null.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::decode::error::{DecodeError, PageResult};

/// Returns the page as lines, each a record. `texts` are the columns that hold text whatever it
/// looks like.
pub(crate) fn as_lines(page: &[u8], delimiter: u8, texts: &HashSet<String>) -> PageResult<Vec<u8>> {
    let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter).from_reader(page);
    let header = reader.headers().map_err(|error| Box::new(broken(error)))?.clone();
    let mut seen = HashSet::new();
    if let Some(twice) = header.iter().find(|name| !seen.insert(*name)) {
        let message = format!("the column {twice:?} is there twice");
        return Err(Box::new(DecodeError::Delimited { line: 1, message }));
    }
    let names: Vec<(String, bool)> =
        header.iter().map(|name| (Value::from(name).to_string(), texts.contains(name))).collect();
    let mut lines = String::with_capacity(page.len() * 2);
    for row in reader.records() {
        let row = row.map_err(|error| Box::new(broken(error)))?;
        lines.push('{');
        for (place, ((name, is_text), cell)) in names.iter().zip(&row).enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let value = written(cell, *is_text);
            // Writing to a String cannot fail.
            let _infallible = write!(lines, "{comma}{name}:{value}");
        }
        lines.push_str("}\n");
    }
    Ok(lines.into_bytes())
}

/// Returns a cell as JSON.
fn written(cell: &str, is_text: bool) -> String {
    match cell {
        "" => "null".to_owned(),
        "true" | "false" if !is_text => cell.to_owned(),
        _ if !is_text && is_number(cell) => cell.to_owned(),
        _ => Value::from(cell).to_string(),
    }
}

/// Returns whether a string is a JSON number (RFC 8259 §6). `007` is not one, and stays what it is.
fn is_number(text: &str) -> bool {
    let after_sign = text.strip_prefix('-').unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = after_sign.split_once(['e', 'E']).map_or((after_sign, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let has_no_leading_zero = whole == "0" || !whole.starts_with('0');
    digits(whole)
        && has_no_leading_zero
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn broken(error: ::csv::Error) -> DecodeError {
    let line = error.position().map_or(1, ::csv::Position::line);
    let message = match error.kind() {
        ::csv::ErrorKind::Utf8 { .. } => "it is not valid UTF-8".to_owned(),
        ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} cells where the first line names {expected_len} columns")
        }
        other => format!("{other:?}"),
    };
    DecodeError::Delimited { line, message }
}

/// Returns whether a page has nothing but whitespace: of lines, that is a page without records.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(page: &str, delimiter: u8, texts: &[&str]) -> Result<String, String> {
        let texts = texts.iter().map(|name| (*name).to_owned()).collect();
        let result = as_lines(page.as_bytes(), delimiter, &texts);
        result.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn cells_are_what_they_look_like_and_text_where_their_column_is() {
        for (page, delimiter, texts, expected) in [
            ("id,n\n1,-0.5e3\n", b',', &[][..], "{\"id\":1,\"n\":-0.5e3}\n"),
            ("id,n\n1,2\n", b',', &["n"], "{\"id\":1,\"n\":\"2\"}\n"),
            (
                "zip,b\n007,true\n+1,TRUE\n",
                b',',
                &[],
                "{\"zip\":\"007\",\"b\":true}\n{\"zip\":\"+1\",\"b\":\"TRUE\"}\n",
            ),
            ("a,b\r\n,\"x\r\n\"\"y, z\"\r\n", b',', &["a"], "{\"a\":null,\"b\":\"x\\r\\n\\\"y, z\"}\n"),
            ("\u{feff}ä;b\n1;2", b';', &[], "{\"ä\":1,\"b\":2}\n"),
            ("a\tb\n1\t2\n", b'\t', &[], "{\"a\":1,\"b\":2}\n"),
            ("a,b\n", b',', &[], ""),
            ("", b',', &[], ""),
        ] {
            assert_eq!(lines(page, delimiter, texts).as_deref(), Ok(expected), "{page:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_named_with_its_line() {
        for (page, expected) in [
            ("a,b\n1,2\n1\n", "line 3 of the body cannot be read: it has 1 cells where the first line names 2 columns"),
            ("a,a\n1,2\n", "line 1 of the body cannot be read: the column \"a\" is there twice"),
        ] {
            assert_eq!(lines(page, b',', &[]), Err(expected.to_owned()));
        }
        let broken = as_lines(b"a\n\xff\n", b',', &HashSet::new()).unwrap_err().to_string();
        assert_eq!(broken, "line 2 of the body cannot be read: it is not valid UTF-8");
    }

    proptest::proptest! {
        #[test]
        fn a_number_is_what_json_says_and_any_text_comes_back(cell in "\\PC{0,12}|-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?") {
            let value: Value = serde_json::from_str(&written(&cell, false)).unwrap();
            let is_json_number = serde_json::from_str::<serde_json::Number>(&cell).is_ok_and(|_| cell.trim() == cell);
            // A number beyond a double is one all the same.
            proptest::prop_assert!(!is_json_number || value.is_number());
            let text: Value = serde_json::from_str(&written(&cell, true)).unwrap();
            proptest::prop_assert_eq!(text.as_str().unwrap_or_default(), &cell);
        }
    }
}
