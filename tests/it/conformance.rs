//! Black-box cases of what a declarative REST source must do, as data:
//! `tests/conformance/cases.json`.
//!
//! Each case has a scripted server, a pipeline in dlt's vocabulary, and the requests, rows, planned
//! waits or error to expect. Where lakefeed does better than dlt on purpose,
//! `docs/dlt-differences.md` has a row and the case here states lakefeed's behaviour.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lakefeed::testing::ManualClock;
use lakefeed::{Error, ErrorKind, Format, Pipeline};
use object_store::memory::InMemory;
use serde_json::{Value, json};

use crate::support::expectations::{same_requests, same_rows};
use crate::support::json_rows::json_rows_in;
use crate::support::script_server::ScriptServer;

#[tokio::test(flavor = "multi_thread")]
async fn every_case_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cases.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 310);
    let mut failures = Vec::new();
    for case in &cases {
        if let Err(problem) = Box::pin(hold(case)).await {
            failures.push(format!("{}: {problem}", case["id"].as_str().unwrap()));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

async fn hold(case: &Value) -> Result<(), String> {
    let server = ScriptServer::start(case["server"].as_array().unwrap().clone()).await;
    let text = server.fill_in(&pipeline_of(case).to_string());
    let expect = &case["expect"];
    let pipeline = match Pipeline::parse(&text, Format::Json) {
        Ok(pipeline) => pipeline,
        Err(error) if expect["error"]["when"] == "config" => {
            same_requests(&expect["requests"], &server.seen())?;
            return same_error(&expect["error"], &error);
        }
        Err(error) => return Err(format!("the pipeline is refused: {error}")),
    };
    if expect["error"]["when"] == "config" {
        return Err("the pipeline is accepted".to_owned());
    }
    let store = Arc::new(InMemory::new());
    let clock = Arc::new(ManualClock::new(chrono::Utc::now()));
    let mut result = Ok(());
    let mut seen: BTreeMap<&String, Vec<Value>> = BTreeMap::new();
    for run in 0..case["runs"].as_u64().unwrap_or(1) {
        let runner = pipeline.runner().clock(Arc::clone(&clock)).run_id(format!("run-{run}")).jitter_seed(1);
        let report = runner.store(Arc::<InMemory>::clone(&store), "").run().await;
        result = report.into_result().map(drop);
        if let Some(tables) = expect["rows_per_run"][usize::try_from(run).unwrap()].as_object() {
            for (table, expected) in tables {
                let mut new = json_rows_in(&*store, table).await;
                let seen = seen.entry(table).or_default();
                for row in &*seen {
                    let position = new.iter().position(|other| other == row);
                    new.remove(position.ok_or_else(|| format!("run {run} lost the row {row}"))?);
                }
                seen.extend(new.iter().cloned());
                same_rows(expected, new).map_err(|problem| format!("run {run}: {problem}"))?;
            }
        }
    }
    match (&result, expect["error"].is_object()) {
        (Err(error), true) => same_error(&expect["error"], error)?,
        (Err(error), false) => return Err(format!("the run fails: {error} {:?}", error.causes())),
        (Ok(()), true) => return Err("the run succeeds".to_owned()),
        (Ok(()), false) => {}
    }
    same_requests(&expect["requests"], &server.seen())?;
    same_waits(&expect["sleeps"], &clock)?;
    for (table, expected) in expect["row_ids"].as_object().into_iter().flatten() {
        let ids = json_rows_in(&*store, table).await.into_iter().map(|row| row["id"].clone()).collect();
        same_rows(expected, ids)?;
    }
    for (table, rows) in expect["rows"].as_object().into_iter().flatten() {
        same_rows(rows, json_rows_in(&*store, table).await)?;
    }
    Ok(())
}

/// The case's pipeline, with its retry settings where they belong.
fn pipeline_of(case: &Value) -> Value {
    let mut pipeline = case["config"].clone();
    pipeline["name"] = case["id"].clone();
    if let Some(retry) = case["retry"].as_object() {
        pipeline["client"]["retry"] = json!({
            "statuses": retry["statuses"],
            "max_retries": retry["max_attempts"].as_u64().unwrap() - 1,
            "backoff_factor": retry["backoff_factor"],
        });
    }
    pipeline
}

fn same_error(expect: &Value, error: &Error) -> Result<(), String> {
    let text = format!("{error}\n{}\n{}", error.causes().join("\n"), error.hints().join("\n"));
    for word in expect["contains"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !text.contains(word) {
            return Err(format!("the error does not say {word:?}: {text}"));
        }
    }
    for word in expect["not_contains"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if text.contains(word) {
            return Err(format!("the error says {word:?}: {text}"));
        }
    }
    let kind = expect["kind"].as_str().map(str::to_owned);
    let expected = kind.unwrap_or_else(|| match expect["when"].as_str() {
        Some("config") => ErrorKind::Config.as_str().to_owned(),
        _ => error.kind().as_str().to_owned(),
    });
    if error.kind().as_str() == expected { Ok(()) } else { Err(format!("the error is of kind {}", error.kind())) }
}

/// Planned waits are before jitter, which adds up to a tenth.
fn same_waits(expect: &Value, clock: &ManualClock) -> Result<(), String> {
    let Some(expect) = expect.as_array() else { return Ok(()) };
    let waits: Vec<f64> = clock.sleeps().iter().map(std::time::Duration::as_secs_f64).collect();
    let same = expect.len() == waits.len()
        && expect.iter().zip(&waits).all(|(planned, wait)| {
            let planned = planned.as_f64().unwrap();
            (planned..=planned * 1.1 + 0.001).contains(wait)
        });
    if same { Ok(()) } else { Err(format!("waits are {waits:?}, planned {expect:?}")) }
}
