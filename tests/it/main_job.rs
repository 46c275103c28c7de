//! The calendar API into a lake, read back by DuckDB, pyarrow and Polars.

use lakefeed::demo::DemoOptions;

use crate::support::{Stage, assert_lake_is, assert_same, data_files, files_below, lakefeed, output_of, read_table};

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_sees_one_row_per_event_equal_to_what_the_api_holds() {
    let stage = Stage::with_events(1_234).await;
    let report = stage.run().await;
    let rows = &report["resources"][0]["rows"];
    assert_eq!((rows["read"].as_u64(), rows["inserted"].as_u64()), (Some(1_234), Some(1_234)));
    let readings = assert_lake_is(&stage.table(), &stage.truth().await).await;
    for (engine, instant) in [
        ("duckdb", "TIMESTAMP WITH TIME ZONE"),
        ("pyarrow", "timestamp[us, tz=UTC]"),
        ("polars", "Datetime(time_unit='us', time_zone='UTC')"),
    ] {
        let columns = &readings.columns[engine];
        assert_eq!(columns["start_time"], instant, "{engine}");
        assert_eq!(columns["end_time"], instant, "{engine}");
    }

    let changes = stage.api.advance();
    let report = stage.run().await;
    let rows = &report["resources"][0]["rows"];
    assert_eq!(rows["inserted"].as_u64().unwrap(), changes.added as u64);
    assert_eq!(rows["moved"].as_u64().unwrap(), changes.moved as u64);
    assert_eq!(rows["updated"].as_u64().unwrap(), (changes.moved + changes.cancelled + changes.renamed) as u64);
    assert_lake_is(&stage.table(), &stage.truth().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_pages_over_more_days_are_read_as_others() {
    let options = DemoOptions { events: 1_234, days: 50, compresses: true, ..DemoOptions::default() };
    let stage = Stage::new(options).await;
    stage.run().await;
    assert_same("the lake", &crate::support::rows_below(&stage.table()), &stage.truth().await);
    assert_eq!(data_files(&stage.table()).len(), 50);

    let http = reqwest::Client::builder().no_gzip().build().unwrap();
    let token = crate::support::token(&stage.api, &http).await;
    let url = format!("{}/v1/events?limit=1000", stage.api.base_url());
    let page = http.get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(page.headers().get("content-encoding"), None, "this client has not asked for gzip");
    let plain = page.bytes().await.unwrap();
    let page = http.get(&url).bearer_auth(&token).header("accept-encoding", "br, gzip").send().await.unwrap();
    assert_eq!(page.headers()["content-encoding"], "gzip");
    assert!(page.bytes().await.unwrap().len() < plain.len() / 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_with_nothing_changed_writes_no_data_file_and_says_so() {
    let stage = Stage::with_events(500).await;
    stage.run().await;
    let before = data_files(&stage.table());
    let report = stage.run().await;
    let resource = &report["resources"][0];
    assert_eq!(resource["rows"]["unchanged"], 500);
    for count in ["inserted", "updated", "deleted", "written", "duplicate", "rejected"] {
        assert_eq!(resource["rows"][count], 0, "{count}: {resource}");
    }
    assert_eq!(resource["files"].as_array().unwrap().len(), 0);
    assert_eq!(resource["bytes"]["written"], 0);
    assert!(before == data_files(&stage.table()), "a data file changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_partitions_that_changed_are_rewritten() {
    let stage = Stage::with_events(2_000).await;
    stage.run().await;
    let before = data_files(&stage.table());
    let changes = stage.api.advance();
    assert!(changes.moved > 0 && changes.added > 0 && changes.renamed > 0 && changes.cancelled > 0, "{changes:?}");
    let report = stage.run().await;
    let after = data_files(&stage.table());
    let mut changed: Vec<String> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| path.strip_prefix(stage.table()).unwrap().to_str().unwrap().to_owned())
        .collect();
    changed.sort();
    changed.dedup();
    let mut reported: Vec<String> = report["resources"][0]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    reported.sort();
    assert_eq!(changed, reported, "the report names every file that changed, and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_write_dispositions_do_what_they_say() {
    let stage = Stage::with_events(300).await;
    for (disposition, rows_after_two_runs) in [("append", 600), ("replace", 300), ("merge", 300)] {
        let pipeline = stage.pipeline_with(|text| {
            text.replace("write_disposition: merge", &format!("write_disposition: {disposition}"))
                .replace("- name: calendar_events", &format!("- name: calendar_events\n    table_name: {disposition}"))
        });
        for _ in 0..2 {
            let ran = stage.lakefeed(&["run", pipeline.to_str().unwrap()]).await;
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        let shown = stage.lakefeed(&["table", "show", "lake", disposition, "--limit", "3"]).await;
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(shown.stdout.contains("event_id"), "{shown:?}");
        let rows: usize = data_files(&stage.lake().join(disposition)).keys().map(|file| parquet_rows(file)).sum();
        assert_eq!(rows, rows_after_two_runs, "{disposition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_refresh_forgets_what_the_api_no_longer_has() {
    let stage = Stage::with_events(200).await;
    let old = Stage::with_events(700).await;
    let pipeline = stage.pipeline();
    // First the lake is filled from another API, then refreshed from the stage's own.
    let ran = stage.lakefeed_with(&["run", pipeline.to_str().unwrap()], &old.environment()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let refresh = ["run", pipeline.to_str().unwrap(), "--full-refresh", "--allow-shrink", "--output", "json"];
    let ran = stage.lakefeed(&refresh).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_lake_is(&stage.table(), &stage.truth().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stdout_is_data_only_and_a_pipe_gets_plain_lines() {
    let stage = Stage::with_events(250).await;
    let pipeline = stage.pipeline();
    let quiet = stage.lakefeed(&["run", pipeline.to_str().unwrap()]).await;
    assert_eq!((quiet.code, quiet.stdout.as_str()), (0, ""), "{quiet:?}");
    assert!(!quiet.stderr.contains('\u{1b}'), "no escape codes in a pipe: {:?}", quiet.stderr);
    assert!(quiet.stderr.contains("calendar_events"), "{quiet:?}");
    let secret = stage.api.client_secret().to_owned();
    let loud = stage.lakefeed(&["run", pipeline.to_str().unwrap(), "-vv", "--output", "json"]).await;
    assert_eq!(loud.report()["status"], "ok");
    assert!(!loud.stderr.contains(&secret) && !loud.stdout.contains(&secret), "the secret was shown");
}

/// `make demo`, with the binary of this build.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_ends_in_a_lake_that_every_reader_reads_alike() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = lakefeed(&["demo", "--dir", folder.path().to_str().unwrap(), "--events", "400"]);
    command.current_dir(folder.path());
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for word in ["inserted", "updated", "moved", "unchanged"] {
        assert!(ran.stderr.contains(word), "the demo does not speak of {word}: {ran:?}");
    }
    assert!(ran.stdout.contains("event_id"), "the demo shows no table: {ran:?}");
    let table = folder.path().join("lake/calendar_events");
    let readings = read_table(table.to_str().unwrap(), &[]).await;
    let (_, first) = &readings.rows[0];
    assert!(first.len() > 400, "{} rows", first.len());
    for (engine, rows) in &readings.rows {
        assert_same(engine, rows, first);
    }
}

/// A demo makes its table anew, and never touches one that it has not made.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_removes_no_table_but_its_own() {
    let stage = Stage::with_events(20).await;
    let pipeline = stage.pipeline();
    assert_eq!(stage.lakefeed(&["run", pipeline.to_str().unwrap()]).await.code, 0);
    let table = stage.lake().join("calendar_events");
    let folder = stage.lake().parent().unwrap().to_str().unwrap().to_owned();
    let before = files_below(&table);
    assert!(before.len() > 2, "{before:?}");
    let demo = ["demo", "--dir", &folder, "--events", "30"];
    let refused = stage.lakefeed(&demo).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("calendar_events is there already, and no demo made it"), "{refused:?}");
    assert!(refused.stderr.contains("--dir"), "{refused:?}");
    assert_eq!(files_below(&table), before);
    std::fs::remove_dir_all(&table).unwrap();
    for _ in 0..2 {
        let ran = stage.lakefeed(&demo).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

fn parquet_rows(file: &std::path::Path) -> usize {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let reader = SerializedFileReader::new(std::fs::File::open(file).unwrap()).unwrap();
    usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap()
}
