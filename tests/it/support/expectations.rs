//! What data files of the tests expect of requests and rows, and whether it came so.

use std::collections::BTreeMap;

use serde_json::Value;

use super::script_server::Seen;

/// Whether exactly the expected requests came, in that order.
pub fn same_requests(expect: &Value, seen: &[Seen]) -> Result<(), String> {
    let Some(expect) = expect.as_array() else { return Ok(()) };
    let same = expect.len() == seen.len() && expect.iter().zip(seen).all(|(expect, seen)| same_request(expect, seen));
    if same { Ok(()) } else { Err(format!("requests are {seen:#?}, expected {expect:#?}")) }
}

/// Query, form and JSON are compared as a whole where they are expected, headers by those that are.
fn same_request(expect: &Value, seen: &Seen) -> bool {
    let pairs = |value: &Value| -> BTreeMap<String, String> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect()
    };
    expect["method"] == seen.method.as_str()
        && expect["path"] == seen.path.as_str()
        && expect.get("query").is_none_or(|query| pairs(query) == seen.query)
        && expect.get("form").is_none_or(|form| pairs(form) == seen.form)
        && expect.get("json").is_none_or(|json| Some(json) == seen.json.as_ref())
        && pairs(&expect["headers"])
            .iter()
            .all(|(name, value)| seen.headers.get(&name.to_lowercase()).is_some_and(|found| found == value))
}

/// Whether the rows are the expected ones, in any order of rows and of their members.
pub fn same_rows(expect: &Value, mut rows: Vec<Value>) -> Result<(), String> {
    let mut missing = Vec::new();
    for row in expect.as_array().unwrap() {
        match rows.iter().position(|other| other == row) {
            Some(position) => drop(rows.swap_remove(position)),
            None => missing.push(row.to_string()),
        }
    }
    if missing.is_empty() && rows.is_empty() {
        return Ok(());
    }
    let surplus: Vec<String> = rows.iter().map(Value::to_string).collect();
    Err(format!(
        "rows that are missing:\n{}\nrows that should not be there:\n{}",
        missing.join("\n"),
        surplus.join("\n")
    ))
}
