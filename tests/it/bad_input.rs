//! What goes wrong, what the operator reads, and that the lake stays as it was.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lakefeed::demo::{DemoOptions, Fault, Faults};
use serde_json::{Value, json};

use crate::support::{Ran, Stage, lake_files, output_of, python};

/// Runs the changed pipeline over a lake that has data, expects the exit code and every one of the
/// words, and compares the lake.
async fn check(stage: &Stage, edit: impl FnOnce(String) -> String, code: i32, words: &[&str]) -> Ran {
    let pipeline = stage.pipeline_with(edit);
    let before = lake_files(&stage.lake());
    assert!(!before.is_empty());
    let ran = stage.lakefeed(&["run", pipeline.to_str().unwrap(), "--output", "json"]).await;
    assert_refused(stage, &ran, code, words);
    if code != 2 {
        let report = ran.report();
        assert_eq!(report["exit_code"], code);
        assert_eq!(report["status"], "failed");
        assert!(report["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{report}");
    }
    for (path, bytes) in &before {
        assert!(std::fs::read(path).is_ok_and(|now| now == *bytes), "{} is not as it was", path.display());
    }
    let after = lake_files(&stage.lake());
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    assert!(new.is_empty(), "left behind: {new:?}");
    ran
}

fn assert_refused(stage: &Stage, ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in\n{}", ran.stderr);
    }
    assert!(ran.stderr.starts_with("error: ") || ran.stderr.contains("\nerror: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(stage.api.client_secret()), "the secret was shown: {}", ran.stderr);
}

async fn stage_with_lake() -> Stage {
    let stage = Stage::with_events(250).await;
    stage.run().await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_a_pipeline_file_is_named_at_once() {
    let stage = stage_with_lake().await;
    let broken = |text: String| {
        text.replace("data_selector", "data_selectr")
            .replace("limit: 100", "limit: many")
            .replace("primary_key: event_id", "primary_key: evnt_id")
    };
    check(&stage, broken, 2, &["data_selectr", "data_selector", "many", "evnt_id", "./resources[0]/endpoint"]).await;
}

/// What a test changes in the text of a pipeline.
type Edit<'e> = &'e dyn Fn(String) -> String;

/// What a run refuses before it asks for anything, `check` refuses in the same words.
#[tokio::test(flavor = "multi_thread")]
async fn check_finds_what_a_run_would_refuse_without_a_network() {
    let stage = Stage::with_events(1).await;
    let on = |destination: &'static str| {
        move |text: String| text.split("destination:").next().unwrap().to_owned() + "destination: " + destination + "\n"
    };
    let windows = |text: String| {
        let incremental = "incremental: {cursor_path: start_time, initial_value: '2020-01-01', step: 1s}";
        text.replace("      data_selector:", &format!("      {incremental}\n      data_selector:"))
    };
    let cases: [(Edit<'_>, &str, bool); 4] = [
        (&on("{url: 's3://b/lake', endpoint: 'http://store.example', region: x}"), "is plain http", false),
        (&on("{url: 's3://b/lake', region: x}"), "no credentials for destination", false),
        (&on("{url: 'gs://b/lake'}"), "gs://", true),
        (&windows, "time windows until", true),
    ];
    for (edit, expected, also_without_secrets) in cases {
        let pipeline = stage.pipeline_with(edit);
        let pipeline = pipeline.to_str().unwrap();
        let without = stage.lakefeed(&["check", pipeline, "--no-secrets"]).await;
        assert_eq!(without.code, if also_without_secrets { 2 } else { 0 }, "{expected}: {without:?}");
        assert_refused(&stage, &stage.lakefeed(&["check", pipeline]).await, 2, &[expected]);
        assert!(!stage.lake().exists(), "check has made a folder");
        assert_refused(&stage, &stage.lakefeed(&["run", pipeline]).await, 2, &[expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_sends_nothing_and_makes_no_folder() {
    let stage = Stage::with_events(1).await;
    let pipeline = stage.pipeline();
    for more in [&[][..], &["--no-secrets"], &["--output", "json"]] {
        let checked = stage.lakefeed(&[&["check", pipeline.to_str().unwrap()], more].concat()).await;
        assert_eq!(checked.code, 0, "{checked:?}");
        assert!(!stage.lake().exists(), "check has made a folder");
        assert_eq!(stage.api.requests(), 0, "check has asked the API");
    }
    assert_eq!(stage.lakefeed(&["run", pipeline.to_str().unwrap()]).await.code, 0);
    assert!(stage.lake().exists() && stage.api.requests() > 0, "nothing is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named_with_its_variable() {
    let stage = stage_with_lake().await;
    check(&stage, |text| text.replace("${env:CLIENT_SECRET}", "${env:NOT_SET}"), 2, &["NOT_SET"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_an_authentication_error() {
    let stage = stage_with_lake().await;
    let wrong = |text: String| text.replace("${env:CLIENT_SECRET}", "wr0ng-secret");
    let ran = check(&stage, wrong, 3, &["invalid_client", "/oauth/token", "hint:"]).await;
    assert!(!ran.stderr.contains("wr0ng-secret"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_named_and_the_lake_stays_as_it_was() {
    let stage = stage_with_lake().await;
    check(&stage, |text| text.replace("/v1/events", "/v1/evnts"), 9, &["404", "/v1/evnts", "hint:"]).await;
    let wrong_selector = |text: String| text.replace("data_selector: items", "data_selector: itms");
    check(&stage, wrong_selector, 4, &["itms", "items"]).await;
    for (fault, code, words) in [
        (Fault::HtmlInsteadOfJson, 4, &["HTML", "/v1/events"][..]),
        (Fault::ItemsMissing, 4, &["items", "/v1/events"]),
        (Fault::PageCutInHalf, 4, &["JSON", "/v1/events"]),
        (Fault::TruncatedBody, 4, &["/v1/events", "tries"]),
        (Fault::ConnectionDropped, 4, &["/v1/events", "tries"]),
        (Fault::Status(500), 4, &["500", "tries"]),
        (Fault::Status(403), 3, &["403", "hint:"]),
        (Fault::TotalTooLarge, 5, &["total", "hint:"]),
    ] {
        stage.api.set_faults(Faults::always_from_request(2, fault));
        check(&stage, |text| text, code, words).await;
        stage.api.set_faults(Faults::none());
    }
    let report = stage.run().await;
    assert_eq!(report["resources"][0]["rows"]["unchanged"], 250, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_faults_are_survived_and_reported() {
    let stage = Stage::with_events(1_000).await;
    for fault in
        [Fault::Status(429), Fault::Status(500), Fault::Status(503), Fault::TruncatedBody, Fault::ConnectionDropped]
    {
        stage.api.set_faults(Faults::once_at_request(3, fault));
        let pipeline = stage.pipeline();
        let lake = stage.folder.path().join(format!("lake-{fault:?}"));
        let arguments =
            ["run", pipeline.to_str().unwrap(), "--destination", lake.to_str().unwrap(), "--output", "json"];
        let ran = stage.lakefeed(&arguments).await;
        assert_eq!(ran.code, 0, "{fault:?}: {ran:?}");
        let resource = ran.resource();
        assert_eq!(resource["retries"].as_array().unwrap().len(), 1, "{fault:?}: {resource}");
        assert_eq!(resource["rows"]["inserted"], 1_000, "{fault:?}");
        let rows = crate::support::rows_below(&lake.join("calendar_events"));
        crate::support::assert_same(&format!("{fault:?}"), &rows, &stage.truth().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cannot_be_written_is_named() {
    let stage = stage_with_lake().await;
    let file = stage.file("not-a-folder", "");
    let pipeline = stage.pipeline();
    for destination in [file.join("lake"), Path::new("/proc/lake").to_owned()] {
        let ran =
            stage.lakefeed(&["run", pipeline.to_str().unwrap(), "--destination", destination.to_str().unwrap()]).await;
        assert_refused(&stage, &ran, 7, &[destination.to_str().unwrap()]);
    }
}

/// The kernel refuses every byte past a limit, as a full disk does: the write fails, not the open.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_leaves_the_lake_as_it_was() {
    let stage = stage_with_lake().await;
    stage.api.advance();
    let pipeline = stage.pipeline();
    let before = lake_files(&stage.lake());
    // A file may have 2 KiB at most; SIGXFSZ is ignored, so that write() fails with an error as on
    // a full disk.
    let script = "import os, resource, signal, sys\n\
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n\
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    let mut command = Command::new(python());
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_lakefeed"), "run", pipeline.to_str().unwrap()])
        .current_dir(stage.folder.path())
        .envs(stage.environment());
    let ran = output_of(command).await;
    assert_refused(&stage, &ran, 7, &["lake"]);
    for (path, bytes) in &before {
        assert!(std::fs::read(path).is_ok_and(|now| now == *bytes), "{} is not as it was", path.display());
    }
    stage.run().await;
    crate::support::assert_same("the run after", &crate::support::rows_below(&stage.table()), &stage.truth().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_held_is_refused_with_its_holder() {
    let stage = stage_with_lake().await;
    let pipeline = stage.pipeline();
    let arguments = ["run", pipeline.to_str().unwrap(), "--output", "json"];
    let lock = std::fs::File::options().read(true).write(true).open(stage.table().join("_lakefeed/lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = stage.lakefeed(&arguments).await;
    drop(lock);
    assert_eq!(stage.lakefeed(&arguments).await.code, 0);
    assert_refused(&stage, &refused, 8, &["held by run"]);
    assert_eq!((&refused.report()["exit_code"], &refused.report()["error"]["kind"]), (&json!(8), &json!("conflict")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_leaves_the_lake_as_it_was() {
    let stage = Stage::new(DemoOptions { events: 2_000, ..DemoOptions::default() }).await;
    stage.run().await;
    stage.api.advance();
    stage.api.set_faults(Faults::always_from_request(0, Fault::Slow(Duration::from_secs(4))));
    let before = lake_files(&stage.lake());
    let pipeline = stage.pipeline();
    let mut command = crate::support::lakefeed(&["run", pipeline.to_str().unwrap(), "--output", "json"]);
    command.current_dir(stage.folder.path()).envs(stage.environment());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    while stage.api.requests() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "the run is over before it has asked for a page");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["exit_code"], &report["status"]), (&json!(130), &json!("interrupted")), "{report}");
    assert_eq!(report["resources"][0]["complete"]["verdict"], "false", "{report}");
    for (path, bytes) in &before {
        assert!(std::fs::read(path).is_ok_and(|now| now == *bytes), "{} is not as it was", path.display());
    }
    stage.api.set_faults(Faults::none());
    stage.run().await;
    crate::support::assert_same("the run after", &crate::support::rows_below(&stage.table()), &stage.truth().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn misuse_of_the_command_line_is_exit_code_two() {
    let stage = Stage::with_events(1).await;
    let pipeline = stage.pipeline();
    let pipeline = pipeline.to_str().unwrap();
    for arguments in [
        &["run"][..],
        &["run", "no-such-file.yaml"],
        &["run", pipeline, "--resource", "evnts"],
        &["runn", pipeline],
        &["table", "show", "lake", "no_such_table"],
    ] {
        let ran = stage.lakefeed(arguments).await;
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stdout.is_empty() && ran.stderr.contains("error: "), "{ran:?}");
    }
}
