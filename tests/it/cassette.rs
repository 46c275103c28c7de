//! Runs that are recorded, and played again without a network and without secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lakefeed::demo::{DemoOptions, Fault, Faults};

use crate::support::{Ran, Stage, data_files, lakefeed, output_of};

/// Every file below a folder with its content.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap().to_owned();
                found.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

/// The command where no variable is set.
async fn without_secrets(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = lakefeed(arguments);
    command.current_dir(folder);
    output_of(command).await
}

/// The data files of a table with their content.
fn data(table: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = data_files(table);
    assert!(!files.is_empty());
    contents(table).into_iter().filter(|(name, _)| name.extension().is_some_and(|end| end == "parquet")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_run_gives_the_same_bytes_without_network_and_secrets() {
    let faults = Faults::once_at_request(2, Fault::Status(503))
        .and_once_at_request(4, Fault::TokenRevoked)
        .and_once_at_request(6, Fault::TruncatedBody)
        .and_once_at_request(8, Fault::RateLimited(1));
    let stage = Stage::new(DemoOptions { events: 1_200, faults, ..DemoOptions::default() }).await;
    let folder = stage.folder.path().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let pipeline = stage.pipeline().display().to_string();
    let recorded = ["run", &pipeline, "--destination", &path("a"), "--record", &path("tape")];
    let ran = stage.lakefeed(&recorded).await;
    assert_eq!(ran.code, 0, "{ran:?}");

    let secret = stage.api.client_secret().to_owned();
    for (name, content) in contents(&folder.join("tape")) {
        let text = String::from_utf8_lossy(&content).into_owned();
        assert!(!text.contains(&secret) && !text.contains("Bearer "), "{}: {text}", name.display());
    }
    let again = stage.lakefeed(&recorded).await;
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.stderr.contains("is not empty"), "{again:?}");

    drop(stage.api);
    for lake in ["b", "c"] {
        let replay = ["run", &pipeline, "--destination", &path(lake), "--replay", &path("tape"), "--output", "json"];
        let ran = without_secrets(&folder, &replay).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.resource()["rows"]["inserted"], 1_200, "{ran:?}");
        let table = |lake: &str| data(&folder.join(lake).join("calendar_events"));
        assert!(table("a") == table(lake), "{lake} differs");
    }
}

/// Scenarios as they were recorded once: each folder of `tests/cassettes` has a pipeline, its tape,
/// and what its report must say.
#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_scenario_plays() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cassettes");
    let mut played = 0;
    for scenario in std::fs::read_dir(scenarios).unwrap().map(|entry| entry.unwrap().path()) {
        let lake = tempfile::tempdir().unwrap();
        let path = |name: &str| scenario.join(name).display().to_string();
        let destination = lake.path().display().to_string();
        let (pipeline, tape) = (path("pipeline.yaml"), path("tape"));
        let replay = ["run", &pipeline, "--destination", &destination, "--replay", &tape, "--output", "json"];
        let ran = without_secrets(lake.path(), &replay).await;
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path("expected.json")).unwrap()).unwrap();
        assert_eq!(ran.code, 0, "{}: {ran:?}", scenario.display());
        let resource = ran.resource();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&resource[name], value, "{} of {}: {ran:?}", name, scenario.display());
        }
        played += 1;
    }
    assert!(played > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_says_what_the_cassette_lacks() {
    let stage = Stage::with_events(30).await;
    let folder = stage.folder.path().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let pipeline = stage.pipeline().display().to_string();
    let ran = stage.lakefeed(&["run", &pipeline, "--destination", &path("a"), "--record", &path("tape")]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let other = stage.pipeline_with(|text| text.replace("limit: 100", "limit: 50")).display().to_string();
    for (tape, code, said) in
        [("tape", 4, "there is no such request in the cassette"), ("none", 2, "a cassette is the folder")]
    {
        let replay = ["run", &other, "--destination", &path("b"), "--replay", &path(tape)];
        let ran = without_secrets(&folder, &replay).await;
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    let ran = without_secrets(&folder, &["run", &pipeline, "--replay", &path("tape")]).await;
    assert_eq!(ran.code, 2, "a replay needs a place of its own: {ran:?}");
}
