//! `kill -9` before and after every change that a run makes to its store, and of the command at any
//! instant, then again: the lake must equal the lake of a run that was never killed.
//!
//! Where the kill is to be exact, the killed run is this test binary, started again with only
//! [`killed_run`] to do.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use lakefeed::{Environment, Pipeline};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;

use crate::support::kill_store::{Kill, Moment};
use crate::support::s3::S3Server;
use crate::support::{
    Row, Stage, all_rows_below, assert_same, copy_folder, files_below, lakefeed, read_table, rows_below, rows_in,
    rows_of_commit,
};

const PLAN: &str = "LAKEFEED_TEST_KILL_PLAN";

/// Events of the crash tests: few, since every change of a run costs two processes.
const EVENTS: usize = 24;

/// The body of the process that is killed; does nothing when the tests run as usual.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_run() {
    let Some(plan) = std::env::var_os(PLAN) else { return };
    let plan: serde_json::Value = serde_json::from_str(plan.to_str().unwrap()).unwrap();
    let moment = if plan["before"] == true { Moment::Before } else { Moment::After };
    let place = plan["lake"].as_str().unwrap();
    let (inner, root): (Arc<dyn ObjectStore>, &str) = match place.strip_prefix("s3://lake/") {
        Some(prefix) => {
            let store = AmazonS3Builder::from_env().with_bucket_name("lake").with_allow_http(true).build().unwrap();
            (Arc::new(store), prefix)
        }
        None => (Arc::new(LocalFileSystem::new_with_prefix(place).unwrap()), ""),
    };
    let kill = Kill::at(plan["fatal"].as_u64().unwrap(), moment);
    let root = object_store::path::Path::from(root);
    let mut lake = lakefeed_lake::Lake::with_store(kill.over(inner), root, place.to_owned());
    if !place.starts_with("s3://") {
        lake = lake.on_local_disk(Path::new(place).canonicalize().unwrap());
    }
    let pipeline = Pipeline::load_with(plan["pipeline"].as_str().unwrap(), &Environment::of_process()).unwrap();
    let run = pipeline.runner().lake(&lake.into()).run_id(plan["run_id"].as_str().unwrap()).jitter_seed(1);
    run.run().await.into_result().unwrap();
    println!("changes={}", kill.changes());
}

/// How a run in a process of its own ended: with how many changes, or by a kill.
async fn run_apart(
    stage: &Stage,
    pipeline: &Path,
    lake: &str,
    (fatal, before): (u64, bool),
    environment: &[(String, String)],
) -> Option<u64> {
    let plan = serde_json::json!({
        "lake": lake, "fatal": fatal, "before": before, "pipeline": pipeline,
        "run_id": format!("run-{fatal}-{before}"),
    });
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crash::killed_run", "--nocapture", "--test-threads", "1"])
        .env(PLAN, plan.to_string())
        .envs(stage.environment())
        .envs(environment.iter().cloned());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    if output.status.signal() == Some(9) {
        return None;
    }
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    let count = stdout.split("changes=").nth(1).and_then(|text| text.lines().next()?.trim().parse().ok());
    Some(count.unwrap_or_else(|| panic!("no count in {stdout}")))
}

/// Kills a run of `stage` at every change, each time on a fresh copy of `base`, and runs it again.
/// Returns how often.
async fn walk(
    stage: &Stage,
    pipeline: &Path,
    base: &Path,
    before: &BTreeMap<String, Row>,
    truth: &BTreeMap<String, Row>,
) -> u64 {
    let lake = stage.folder.path().join("walk");
    let restore = || {
        drop(std::fs::remove_dir_all(&lake));
        copy_folder(base, &lake);
    };
    restore();
    let changes = run_apart(stage, pipeline, lake.to_str().unwrap(), (0, true), &[]).await.unwrap();
    assert!(changes > 6, "a run of {changes} changes walks through nothing");
    let table = lake.join("calendar_events");
    let undisturbed = rows_below(&table);
    assert_same("the undisturbed run", &undisturbed, truth);
    for fatal in 1..=changes {
        for moment in [true, false] {
            restore();
            let place = format!("killed {} change {fatal} of {changes}", if moment { "before" } else { "after" });
            let killed = run_apart(stage, pipeline, lake.to_str().unwrap(), (fatal, moment), &[]).await;
            assert!(killed.is_none(), "{place}: the run was not killed");
            for (key, row) in all_rows_below(&table) {
                let known = before.get(&key) == Some(&row) || truth.get(&key) == Some(&row);
                assert!(known, "{place}: a reader sees {key} as {row:?}");
                assert!(committed(&table) || before.get(&key) == Some(&row), "{place}: {key} is seen uncommitted");
            }
            if let Some((_, rows)) = rows_of_commit(&table).await {
                assert_same(&place, &rows, if committed(&table) { truth } else { before });
            }
            run_apart(stage, pipeline, lake.to_str().unwrap(), (0, true), &[]).await.unwrap();
            assert_ended_as(&table, &place, truth).await;
            let left: Vec<_> =
                files_below(&table).into_keys().filter(|path| path.to_str().unwrap().contains("staging")).collect();
            assert!(left.is_empty(), "{place}: left behind {left:?}");
        }
    }
    2 * changes
}

/// Whether the table has more than the commits of the base lake: the killed run has happened.
fn committed(table: &Path) -> bool {
    let commits = std::fs::read_dir(table.join("_lakefeed/commits")).map_or(0, Iterator::count);
    let expected = usize::from(table.parent().unwrap().join("base-had-a-commit").exists());
    commits > expected
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_survives_a_kill_at_every_step() {
    let stage = Stage::with_events(EVENTS).await;
    let base = stage.folder.path().join("base");
    std::fs::create_dir(&base).unwrap();
    let truth = stage.truth().await;
    let kills = walk(&stage, &stage.pipeline(), &base, &BTreeMap::new(), &truth).await;
    assert!(kills >= 100, "only {kills} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_with_moved_rows_survives_a_kill_at_every_step() {
    let stage = Stage::with_events(EVENTS).await;
    stage.run().await;
    let before = stage.truth().await;
    let base = stage.lake();
    std::fs::File::create(base.join("base-had-a-commit")).unwrap();
    let changes = stage.api.advance();
    assert!(changes.moved > 0, "{changes:?}");
    let truth = stage.truth().await;
    let held = walk(&stage, &stage.pipeline(), &base, &before, &truth).await;
    // Rows that are staged in files before they are merged, and keys that do not fit into memory.
    let small = "limits: {file_bytes_target: 1, merge_index_bytes: 200}";
    let pipeline = stage.pipeline_with(|text| format!("{text}\n{small}\n"));
    let staged = walk(&stage, &pipeline, &base, &before, &truth).await;
    assert!(staged > held && held + staged >= 100, "only {held} and {staged} kills");
}

/// Once a run has ended, the files of its commit are the files that a glob finds.
async fn assert_ended_as(table: &Path, place: &str, truth: &BTreeMap<String, Row>) {
    assert_same(place, &rows_below(table), truth);
    let (_, rows) = rows_of_commit(table).await.unwrap(); // a run that has ended has put them in place
    assert_same(&format!("{place}, by the manifest"), &rows, truth);
}

/// The command itself, on a real disk, killed at instants that nobody has chosen. `make soak` kills
/// it more often: `LAKEFEED_KILLS`.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_survives_kills_at_any_instant() {
    let wanted = std::env::var("LAKEFEED_KILLS").map_or(40, |count| count.parse().unwrap());
    let stage = Stage::with_events(600).await;
    stage.run().await;
    let before = stage.truth().await;
    let base = stage.lake();
    std::fs::File::create(base.join("base-had-a-commit")).unwrap();
    assert!(stage.api.advance().moved > 0);
    let truth = stage.truth().await;
    let lake = stage.folder.path().join("killed");
    let table = lake.join("calendar_events");
    let pipeline = stage.pipeline();
    let arguments = ["run", pipeline.to_str().unwrap(), "--quiet", "--destination", lake.to_str().unwrap()];
    let start = || lakefeed(&arguments).current_dir(stage.folder.path()).envs(stage.environment()).spawn().unwrap();
    copy_folder(&base, &lake);
    let started = std::time::Instant::now();
    let status = start().wait().unwrap();
    let usual = started.elapsed();
    assert!(status.success(), "{status}");
    let (mut kills, mut committed_kills, mut seen_whole, mut attempts) = (0_u32, 0, 0_u32, 0_u32);
    while kills < wanted {
        attempts += 1;
        assert!(attempts < 20 * wanted, "{kills} kills in {attempts} attempts: the runs are over too soon");
        drop(std::fs::remove_dir_all(&lake));
        copy_folder(&base, &lake);
        let started_at = std::time::Instant::now();
        let mut run = start();
        // Spread evenly over a run, in an order that looks like none; every second time over the
        // few milliseconds after its commit.
        let instant = f64::from(attempts * 61 % 97) / 97.0;
        if attempts.is_multiple_of(2) {
            while !committed(&table) && started_at.elapsed() < 5 * usual {
                tokio::time::sleep(std::time::Duration::from_micros(200)).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(15).mul_f64(instant)).await;
        } else {
            tokio::time::sleep(usual.mul_f64(instant)).await;
        }
        // While files come and go, the manifest says which ones are to be read.
        let seen = rows_of_commit(&table).await;
        run.kill().unwrap();
        if run.wait().unwrap().signal() != Some(9) {
            continue;
        }
        kills += 1;
        let place = format!("kill {kills}");
        for (commit, rows) in seen.into_iter().chain(rows_of_commit(&table).await) {
            assert_same(&format!("{place}, commit {commit}"), &rows, if commit > 1 { &truth } else { &before });
            seen_whole += 1;
        }
        for (key, row) in all_rows_below(&table) {
            let is_old = before.get(&key) == Some(&row);
            assert!(is_old || truth.get(&key) == Some(&row), "{place}: a reader sees {key} as {row:?}");
            assert!(is_old || committed(&table), "{place}: {key} is seen uncommitted");
        }
        committed_kills += u32::from(committed(&table));
        let status = start().wait().unwrap();
        assert!(status.success(), "{place}: the run after it ends with {status}");
        assert_ended_as(&table, &place, &truth).await;
        assert!(!table.join("_lakefeed/staging").exists() || files_below(&table.join("_lakefeed/staging")).is_empty());
    }
    println!("{kills} kills in {attempts} runs, {committed_kills} of them after the commit");
    assert!(seen_whole > 0, "no manifest could be read");
    assert!(committed_kills > 0, "no kill met a run that was publishing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_with_deletes_survives_a_kill_at_every_step() {
    let stage = Stage::with_events(EVENTS).await;
    stage.run().await;
    let before = stage.truth().await;
    let base = stage.lake();
    std::fs::File::create(base.join("base-had-a-commit")).unwrap();
    let changes = stage.api.advance();
    assert!(changes.cancelled > 0, "{changes:?}");
    let is_cancelled = |row: &Row| row.2.as_deref().is_some_and(|summary| summary.starts_with("Cancelled: "));
    let mut truth = stage.truth().await;
    truth.retain(|_, row| !is_cancelled(row));
    let pipeline = stage.pipeline_with(|text| {
        let deletes = "deletes: {when: record.status == 'cancelled'}\n  write_disposition: merge";
        let edited = text.replace("write_disposition: merge", deletes);
        assert_ne!(edited, text);
        edited
    });
    walk(&stage, &pipeline, &base, &before, &truth).await;
}

/// Rows that are appended have no key to be merged by: the cursor must have moved with them, or not
/// at all.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_with_a_cursor_survives_a_kill_at_every_step() {
    let stage = Stage::with_events(EVENTS).await;
    let pipeline = stage.pipeline_with(|text| {
        let text = text.replace("write_disposition: merge", "write_disposition: append");
        let edited =
            text.replace("data_selector: items", "incremental: {cursor_path: event_id}\n      data_selector: items");
        assert_ne!(edited, text);
        edited
    });
    let base = stage.folder.path().join("base");
    std::fs::create_dir(&base).unwrap();
    let truth = stage.truth().await;
    walk(&stage, &pipeline, &base, &BTreeMap::new(), &truth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3_a_merge_survives_a_kill_at_every_step() {
    let server = S3Server::start();
    let environment = server.environment();
    let stage = Stage::with_events(EVENTS / 2).await;
    let pipeline = stage.pipeline();
    let lake = |name: &str| format!("s3://lake/{name}");
    // Each kill gets a prefix of its own, loaded with the first listing; the API then moves on once
    // for all of them.
    run_apart(&stage, &pipeline, &lake("counting"), (0, true), &environment).await.unwrap();
    let base_changes = run_apart(&stage, &pipeline, &lake("base"), (0, true), &environment).await.unwrap();
    let fatals: Vec<(u64, bool)> = (1..=base_changes).flat_map(|fatal| [(fatal, true), (fatal, false)]).collect();
    for (fatal, moment) in &fatals {
        let name = format!("kill-{fatal}-{moment}");
        let killed = run_apart(&stage, &pipeline, &lake(&name), (*fatal, *moment), &environment).await;
        assert!(killed.is_none(), "{name}: the run was not killed");
    }
    stage.api.advance();
    let truth = stage.truth().await;
    for (position, (fatal, moment)) in fatals.iter().enumerate() {
        let name = format!("kill-{fatal}-{moment}");
        run_apart(&stage, &pipeline, &lake(&name), (0, true), &environment).await.unwrap();
        let prefix = format!("{name}/calendar_events");
        assert_same(&name, &rows_in(&server, &prefix).await, &truth);
        // Three engines over S3 take a second or two, so every tenth lake stands for the rest.
        if position % 10 == 0 {
            for (engine, rows) in read_table(&format!("s3://lake/{prefix}"), &environment).await.rows {
                assert_same(&format!("{engine} in {name}"), &rows, &truth);
            }
        }
    }
}
