//! Lakes that earlier versions wrote (`tests/compat`): they load, are verified and recovered, and a
//! run of today goes on from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lakefeed::{Lake, Pipeline, RunReport};
use object_store::local::LocalFileSystem;
use serde_json::{Value, json};

use crate::support::copy_folder;
use crate::support::json_rows::json_rows_in;

/// Every folder that an earlier version wrote.
const VERSIONS: &[&str] = &["v1", "v2"];

/// A lake of an earlier version, copied so that it may be changed.
struct Fixture {
    folder: tempfile::TempDir,
    expected: Value,
    lake: Lake,
}

fn original(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(version)
}

/// With file locks, as on a local disk, or with leases, as on an object store.
fn fixture(version: &str, has_file_locks: bool) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&original(version), folder.path());
    let expected = std::fs::read_to_string(folder.path().join("expected.json")).unwrap();
    let root = folder.path().join("lake").canonicalize().unwrap();
    let store = LocalFileSystem::new_with_prefix(&root).unwrap();
    let lake = lakefeed_lake::Lake::with_store(Arc::new(store), object_store::path::Path::ROOT, "lake".to_owned());
    let lake = if has_file_locks { lake.on_local_disk(root) } else { lake };
    Fixture { folder, expected: serde_json::from_str(&expected).unwrap(), lake: lake.into() }
}

impl Fixture {
    fn tables(&self) -> BTreeMap<String, Value> {
        serde_json::from_value(self.expected["tables"].clone()).unwrap()
    }

    /// What a reader sees who globs.
    async fn records(&self, table: &str) -> Vec<Value> {
        let store = LocalFileSystem::new_with_prefix(self.folder.path().join("lake")).unwrap();
        let mut rows = json_rows_in(&store, table).await;
        rows.sort_by_key(|row| row["event_id"].as_str().unwrap().to_owned());
        rows
    }

    async fn codes(&self, table: &str) -> Vec<Value> {
        let report = self.lake.table(table).verify().await.unwrap();
        report.findings.iter().map(|finding| json!(finding.code)).collect()
    }

    /// Runs a pipeline of that time against an API of today.
    async fn run(&self, name: &str, api: &str) {
        let text = std::fs::read_to_string(self.folder.path().join(format!("pipelines/{name}.yaml"))).unwrap();
        let file = self.folder.path().join(format!("pipelines/{name}-now.yaml"));
        std::fs::write(&file, text.replace("${env:API_BASE_URL}", api)).unwrap();
        let run = Pipeline::load(&file).unwrap().runner().lake(&self.lake).run_id("run-of-today").jitter_seed(1);
        run.run().await.into_result().unwrap();
    }
}

/// An API that lists these records from `event_id=since` on, in pages.
async fn serve(records: Vec<Value>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |request: axum::extract::Request| {
        let url = url::Url::parse("http://api").unwrap().join(&request.uri().to_string()).unwrap();
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).map_or(0, |text| text.parse::<usize>().unwrap());
        let since = query.get("since").cloned().unwrap_or_default();
        let listed: Vec<&Value> =
            records.iter().filter(|record| record["event_id"].as_str().unwrap() >= since.as_str()).collect();
        let page: Vec<&&Value> = listed.iter().skip(number("offset")).take(number("limit")).collect();
        let body = json!({"items": page, "total": listed.len()}).to_string();
        async move { ([("content-type", "application/json")], body) }
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
    base
}

#[tokio::test(flavor = "multi_thread")]
async fn lakes_of_earlier_versions_load_and_say_what_they_are() {
    for version in VERSIONS {
        let fixture = fixture(version, true);
        let listed = fixture.lake.tables().await.unwrap();
        let names: Vec<&String> = listed.iter().map(|(name, _)| name).collect();
        let expected = fixture.tables();
        assert_eq!(names, expected.keys().collect::<Vec<_>>());
        for (name, expected) in &expected {
            let table = fixture.lake.table(name);
            let snapshot = table.snapshot().await.unwrap();
            let rows = expected["records"].as_array().unwrap().len() as u64;
            assert_eq!((json!(snapshot.version), snapshot.rows()), (expected["commits"].clone(), rows), "{name}");
            assert_eq!(json!(snapshot.published), expected["published"], "{name}");
            let history = json!(table.history(None).await.unwrap());
            for count in ["inserted", "updated"].into_iter().filter(|count| !expected[count].is_null()) {
                let counts: Vec<&Value> =
                    history.as_array().unwrap().iter().map(|commit| &commit["rows"][count]).collect();
                assert_eq!(json!(counts), expected[count], "{name}");
            }
            if let Some(operations) = expected["operations"].as_object() {
                for (operation, count) in operations {
                    let found = history.as_array().unwrap().iter().filter(|commit| commit["operation"] == **operation);
                    assert_eq!(json!(found.count()), *count, "{name} {operation}");
                }
            }
            let position = json!(snapshot.checkpoint.unwrap().position);
            assert_eq!(position["kind"], expected["checkpoint"]["kind"], "{name}");
            assert_eq!(position["last_value"]["text"], expected["checkpoint"]["last_value"], "{name}");
            assert_eq!(json!(fixture.codes(name).await), expected["verify"], "{name}");
        }
        let report = std::fs::read_to_string(original(version).join("report.json")).unwrap();
        let report: RunReport = serde_json::from_str(&report).unwrap();
        assert_eq!((report.pipeline.as_str(), report.resources.len()), ("events", 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lakes_of_earlier_versions_are_recovered() {
    for (version, has_file_locks) in VERSIONS.iter().flat_map(|version| [(version, true), (version, false)]) {
        let fixture = fixture(version, has_file_locks);
        for (name, expected) in fixture.tables() {
            let recovered = fixture.lake.table(&name).recover().await.unwrap();
            assert_eq!(json!(recovered.rolled_forward), expected["recovers"], "{name}");
            let swept: Vec<&String> = recovered.swept.iter().map(|staging| &staging.run_id).collect();
            assert_eq!(json!(swept), expected["leaves"], "{name}");
            assert_eq!(json!(fixture.records(&name).await), expected["records"], "{name}");
            assert!(fixture.codes(&name).await.is_empty(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_today_goes_on_from_lakes_of_earlier_versions() {
    for (version, has_file_locks) in VERSIONS.iter().flat_map(|version| [(version, true), (version, false)]) {
        let fixture = fixture(version, has_file_locks);
        let next: Vec<Value> = serde_json::from_value(fixture.expected["next_run"]["api"].clone()).unwrap();
        let api = serve(next).await;
        for name in fixture.tables().keys() {
            fixture.run(name, &api).await;
            assert_eq!(json!(fixture.records(name).await), fixture.expected["next_run"]["records"][name], "{name}");
            assert!(fixture.codes(name).await.is_empty(), "{name}: {:?}", fixture.codes(name).await);
        }
    }
}
