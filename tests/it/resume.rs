//! Runs that are stopped in the middle of a long listing, and the next one that goes on from there.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use lakefeed::demo::{Fault, Faults};

use crate::support::{Ran, Stage, assert_lake_is, lakefeed, output_of};

/// Pages of five events each, asked for slowly enough to be stopped.
const EVENTS: usize = 6_000;
const PAGES: u64 = 1_200;

fn slow(stage: &Stage) -> PathBuf {
    stage.pipeline_with(|text| {
        text.replace("limit: 100", "limit: 5").replace("retry:", "rate_limit: {requests_per_second: 300}\n  retry:")
    })
}

/// The pages that runs have kept beside the table.
fn kept(table: &Path) -> Vec<PathBuf> {
    let Ok(runs) = std::fs::read_dir(table.join("_lakefeed/staging")) else { return Vec::new() };
    let files = runs.filter_map(|run| std::fs::read_dir(run.ok()?.path()).ok()).flatten();
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    paths.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal-"))).collect()
}

/// Starts a run and waits until it has kept some pages.
async fn started(stage: &Stage) -> Child {
    let pipeline = slow(stage);
    let mut command = lakefeed(&["run", pipeline.to_str().unwrap()]);
    command.current_dir(stage.folder.path()).envs(stage.environment()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    while kept(&stage.table()).len() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "nothing was kept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child
}

/// The run that follows, as fast as it goes.
async fn next_run(stage: &Stage) -> Ran {
    let pipeline = stage.pipeline_with(|text| text.replace("limit: 100", "limit: 5"));
    let mut command = lakefeed(&["run", pipeline.to_str().unwrap(), "--output", "json"]);
    command.current_dir(stage.folder.path()).envs(stage.environment());
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// The run went on: it asked for what was missing, and for the first and the last page that were
/// kept.
fn assert_went_on(ran: &Ran) {
    let report = ran.resource();
    let resumed = report["resumed_pages"].as_u64().unwrap();
    assert!((300..PAGES).contains(&resumed), "{ran:?}");
    assert_eq!(report["pages"], PAGES, "{ran:?}");
    let with_the_token = 1;
    assert_eq!(report["requests"], PAGES - resumed + 2 + with_the_token, "{ran:?}");
    assert!(ran.stderr.contains("going on from the pages of a run that was stopped"), "{ran:?}");
}

async fn assert_whole(stage: &Stage) {
    assert_lake_is(&stage.table(), &stage.truth().await).await;
    assert!(kept(&stage.table()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_gone_on_with() {
    let stage = Stage::with_events(EVENTS).await;
    let mut child = started(&stage).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_went_on(&next_run(&stage).await);
    assert_whole(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_gone_on_with_and_is_nothing_until_then() {
    let stage = Stage::with_events(EVENTS).await;
    let mut child = started(&stage).await;
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(crate::support::data_files(&stage.table()).is_empty());
    assert_went_on(&next_run(&stage).await);
    assert_whole(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_api_fails_is_gone_on_with() {
    let stage = Stage::with_events(EVENTS).await;
    stage.api.set_faults(Faults::always_from_request(700, Fault::Status(500)));
    let pipeline = slow(&stage);
    let ran = stage.lakefeed(&["run", pipeline.to_str().unwrap()]).await;
    assert_eq!(ran.code, 4, "{ran:?}");
    stage.api.set_faults(Faults::none());
    assert_went_on(&next_run(&stage).await);
    assert_whole(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_records_have_moved_everything_is_read_again() {
    let stage = Stage::with_events(EVENTS).await;
    let mut child = started(&stage).await;
    child.kill().unwrap();
    child.wait().unwrap();
    stage.api.advance();
    let ran = next_run(&stage).await;
    assert!(ran.stderr.contains("starting again"), "{ran:?}");
    assert_eq!(ran.resource()["resumed_pages"], 0, "{ran:?}");
    assert_eq!(ran.resource()["pages"].as_u64().unwrap() + 1, ran.resource()["requests"], "{ran:?}");
    assert_whole(&stage).await;
}
