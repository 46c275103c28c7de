//! Pages on which decoders differ, and what each candidate makes of them.

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use serde_json::Value;

use crate::{Candidate, candidates};

/// Values and non-values of JSON, which the tests use, too.
const DOCUMENTS: &str = include_str!("../../../tests/json/documents.json");

/// What becomes of a page: the values of one column, or nothing.
type Fate = Option<Vec<String>>;

struct Probe {
    what: &'static str,
    items: Vec<u8>,
    column: &'static str,
    expected: Fate,
}

fn probe(what: &'static str, items: impl Into<Vec<u8>>, column: &'static str, expected: Option<&[&str]>) -> Probe {
    let expected = expected.map(|values| values.iter().map(|value| (*value).to_owned()).collect());
    Probe { what, items: items.into(), column, expected }
}

fn probes() -> Vec<Probe> {
    let reminders = r#"{ "a": 0.123456789012345678901234567890, "a": 1.0 }"#;
    vec![
        probe(
            "9007199254740993 is itself",
            r#"{"id":"a","sequence":9007199254740993}"#,
            "sequence",
            Some(&["9007199254740993"]),
        ),
        probe("9223372036854775808 is no int64", r#"{"id":"a","sequence":9223372036854775808}"#, "sequence", Some(&[])),
        probe("2.0 is the integer 2", r#"{"id":"a","sequence":2.0}"#, "sequence", Some(&["2"])),
        probe(
            "of a key that comes twice the last one counts",
            r#"{"id":"a","summary":"x","summary":"y"}"#,
            "summary",
            Some(&["y"]),
        ),
        probe("a key may be written with escapes", r#"{"id":"a","summ\u0061ry":"x"}"#, "summary", Some(&["x"])),
        probe(
            "escaped surrogates beyond U+20000",
            r#"{"id":"a","summary":"\ud86d\udf40"}"#,
            "summary",
            Some(&["\u{2b740}"]),
        ),
        probe(
            "JSON columns keep the text",
            format!(r#"{{"id":"a","reminders":{reminders}}}"#),
            "reminders",
            Some(&[reminders]),
        ),
        probe(
            "a record that does not fit leaves the others",
            r#"{"id":"a"},{"id":"b","sequence":"?"},{"id":"c"}"#,
            "id",
            Some(&["a", "c"]),
        ),
        probe(
            "half a surrogate pair in an ignored value is JSON",
            r#"{"id":"a","other":"\ud800"}"#,
            "id",
            Some(&["a"]),
        ),
        probe("invalid UTF-8 in an ignored value", b"{\"id\":\"a\",\"other\":\"\xff\"}".to_vec(), "id", None),
        probe("invalid UTF-8 in a column", b"{\"id\":\"a\",\"summary\":\"\xff\"}".to_vec(), "id", None),
    ]
}

fn page_of(items: &[u8]) -> Vec<u8> {
    [b"{\"items\":[".as_slice(), items, b"],\"total\":1}"].concat()
}

fn fate_of(mut candidate: Candidate, items: &[u8], column: &str) -> Fate {
    candidate.wide.page(&page_of(items)).ok()?;
    Some(values_of(&candidate.wide.take().ok()?, column))
}

fn values_of(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).expect("the column is there");
    (0..batch.num_rows()).map(|row| array_value_to_string(column, row).expect("it has a text")).collect()
}

/// Prints who does what is right.
pub(crate) fn compare() {
    let names: Vec<&str> = candidates().iter().map(|candidate| candidate.name).collect();
    println!("| page | {} |\n| --- |{}", names.join(" | "), " --- |".repeat(names.len()));
    for Probe { what, items, column, expected } in probes() {
        let fates = candidates().into_iter().map(|candidate| match fate_of(candidate, &items, column) {
            fate if fate == expected => "yes".to_owned(),
            None => "refuses the page".to_owned(),
            Some(values) => format!("`{}`", values.join(", ")),
        });
        let fates: Vec<String> = fates.collect();
        assert_eq!(fates[0], "yes", "{what}: lakefeed");
        println!("| {what} | {} |", fates.join(" | "));
    }
    let left = candidates().into_iter().map(|mut candidate| {
        assert!(candidate.wide.page(&page_of(br#"{"id":"a"},{"id":"b"},{"id""#)).is_err(), "it is no JSON");
        if candidate.wide.rows() == 0 { "yes" } else { "no" }
    });
    println!("| a broken page leaves no rows behind | {} |", left.collect::<Vec<_>>().join(" | "));
    let documents: Value = serde_json::from_str(DOCUMENTS).expect("the documents are JSON");
    let documents = documents["values"].as_array().expect("they are a list");
    let wrong = (0..names.len()).map(|position| {
        let wrong = documents.iter().filter(|document| {
            let text = document["json"].as_str().expect("it is a text");
            let items = format!(r#"{{"id":"a","other":{text}}}"#);
            fate_of(candidates().swap_remove(position), items.as_bytes(), "id").is_some()
                != document["is_json"].as_bool().expect("it says so")
        });
        let wrong: Vec<String> =
            wrong.map(|document| format!("`{:?}`", document["json"].as_str().unwrap_or_default())).collect();
        if wrong.is_empty() { "yes".to_owned() } else { format!("{} wrong: {}", wrong.len(), wrong.join(" ")) }
    });
    let wrong: Vec<String> = wrong.collect();
    println!("| {} values that are JSON or not, ignored | {} |", documents.len(), wrong.join(" | "));
    assert_eq!(wrong[0], "yes", "lakefeed");
}
