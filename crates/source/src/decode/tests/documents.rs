//! `tests/json/documents.json`: what is JSON by RFC 8259 and what is not. `serde_json` must say the
//! same, so that the list itself is held to account.

use std::path::Path;

use serde::de::IgnoredAny;

use super::*;

#[test]
fn what_is_json_is_taken_and_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/json/documents.json");
    let list: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut hold = |case: &Value, page: &[u8], by_serde: bool| {
        let is_json = case["is_json"].as_bool().unwrap();
        if (is_page(page), by_serde) != (is_json, is_json) {
            wrong.push(format!("{case}: taken {}, by serde_json {by_serde}", is_page(page)));
        }
    };
    let values = list["values"].as_array().unwrap();
    assert!(values.len() > 140, "only {} values", values.len());
    for case in values {
        let text = case["json"].as_str().unwrap();
        // In a column that keeps it, in one that wants something else, and where nobody looks.
        for key in ["v", "n", "unknown"] {
            hold(case, format!("[{{\"{key}\":{text}}}]").as_bytes(), serde_json::from_str::<IgnoredAny>(text).is_ok());
        }
    }
    for case in list["pages"].as_array().unwrap() {
        let bytes = bytes_of(case["hex"].as_str().unwrap());
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let by_serde = std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        hold(case, &bytes, by_serde);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the decoder takes a page, and leaves nothing when it does not.
fn is_page(page: &[u8]) -> bool {
    let schema = schema(vec![column("v", ColumnType::Json), column("n", ColumnType::Int64)]);
    let mut decoder = decoder(&schema, "$");
    let taken = decode(&mut decoder, 0, page).is_ok();
    assert!(taken || decoder.rows() == 0);
    taken
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
