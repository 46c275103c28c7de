//! The commands of a table, on local disk and on a real S3-protocol server.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use object_store::ObjectStoreExt as _;
use serde_json::Value;

use crate::support::s3::S3Server;
use crate::support::{Ran, Stage, python};

/// A lake with two commits, and how to ask about it: its URL and what the environment must say.
struct Lake {
    stage: Stage,
    url: String,
    environment: Vec<(String, String)>,
    server: Option<S3Server>,
}

impl Lake {
    async fn on_disk(events: usize) -> Self {
        let stage = Stage::with_events(events).await;
        let url = stage.lake().to_str().unwrap().to_owned();
        Self { stage, url, environment: Vec::new(), server: None }.with_two_commits().await
    }

    async fn on_s3(events: usize) -> Self {
        let server = S3Server::start();
        let stage = Stage::with_events(events).await;
        let environment = server.environment();
        Self { stage, url: "s3://lake/daily".to_owned(), environment, server: Some(server) }.with_two_commits().await
    }

    async fn with_two_commits(self) -> Self {
        self.run().await;
        self.stage.api.advance();
        self.run().await;
        self
    }

    async fn run(&self) {
        let pipeline = self.stage.pipeline();
        let arguments = ["run", pipeline.to_str().unwrap(), "--destination", &self.url];
        let ran = self.stage.lakefeed_with(&arguments, &self.environment).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// `lakefeed table COMMAND LAKE calendar_events …`
    async fn table(&self, command: &str, more: &[&str]) -> Ran {
        let mut arguments = vec!["table", command, &self.url];
        if command != "ls" {
            arguments.push("calendar_events");
        }
        arguments.extend(more);
        self.stage.lakefeed_with(&arguments, &self.environment).await
    }

    async fn table_json(&self, command: &str, more: &[&str]) -> Value {
        let ran = self.table(command, &[&["--output", "json"], more].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.report()
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many rows each engine sees in the files of a manifest.
async fn read_manifest(listed: String, environment: Vec<(String, String)>) -> BTreeMap<String, u64> {
    tokio::task::spawn_blocking(move || {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/read_manifest.py");
        let mut child = std::process::Command::new(python())
            .arg(script)
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(listed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_tells_its_tables_their_commits_and_their_files() {
    for lake in [Lake::on_disk(300).await, Lake::on_s3(120).await] {
        let truth = lake.stage.truth().await.len() as u64;
        if lake.environment.is_empty() {
            std::fs::create_dir_all(lake.stage.lake().join("not_a_table/_lakefeed/staging")).unwrap();
        }
        let listed = lines(&lake.table("ls", &["--output", "json"]).await.stdout);
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((&listed[0]["table"], &listed[0]["commit"]), (&"calendar_events".into(), &2.into()));
        assert_eq!((&listed[0]["rows"], &listed[0]["published"]), (&truth.into(), &true.into()));
        let text = lake.table("ls", &[]).await.stdout;
        assert!(text.starts_with("table ") && text.lines().count() == 2, "{text}");

        let history = lines(&lake.table("history", &["--output", "json"]).await.stdout);
        assert_eq!(history.iter().map(|commit| commit["commit"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1]);
        assert!(history[0]["rows"]["moved"].as_u64().unwrap() > 0, "{history:?}");
        assert_eq!(history[1]["checkpoint"]["position"]["kind"], "full_listing");
        let limited = lake.table("history", &["--limit", "1"]).await.stdout;
        assert_eq!(limited.lines().count(), 2, "{limited}");

        let manifest = lake.table_json("manifest", &[]).await;
        assert_eq!((&manifest["complete"], &manifest["rows"]), (&true.into(), &truth.into()));
        assert!(manifest["files"][0]["partition"]["start_time_day"].is_string(), "{manifest}");
        let text = lake.table("manifest", &[]).await.stdout;
        assert_eq!(text.lines().count(), manifest["files"].as_array().unwrap().len());
        for (engine, rows) in read_manifest(text, lake.environment.clone()).await {
            assert_eq!(rows, truth, "{engine}");
        }
        let older = lake.table("manifest", &["--commit", "1"]).await;
        assert!(older.stderr.contains("were rewritten since"), "{older:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_so() {
    let stage = Stage::with_events(1).await;
    stage.run().await;
    for command in ["history", "manifest", "show", "recover", "compact", "vacuum"] {
        let ran = stage.lakefeed(&["table", command, "lake", "nothing"]).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("there is no table at lake/nothing") && ran.stdout.is_empty(), "{ran:?}");
    }
    let no_lake = stage.lakefeed(&["table", "ls", "nowhere"]).await;
    assert!(no_lake.code == 2 && no_lake.stderr.contains("there is no lake at nowhere"), "{no_lake:?}");
    let no_commit = stage.lakefeed(&["table", "manifest", "lake", "calendar_events", "--commit", "9"]).await;
    assert!(no_commit.code == 2 && no_commit.stderr.contains("has no commit 9"), "{no_commit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rows_are_shown() {
    for lake in [Lake::on_disk(300).await, Lake::on_s3(60).await] {
        let truth = lake.stage.truth().await;
        let rows = lines(&lake.table("show", &["--limit", "1000", "--output", "json"]).await.stdout);
        let shown: BTreeMap<_, _> =
            rows.iter().map(|row| (row["event_id"].as_str().unwrap(), &row["summary"])).collect();
        let summary = |row: &crate::support::Row| serde_json::to_value(&row.2).unwrap();
        assert!(rows.len() == truth.len() && truth.iter().all(|(key, row)| *shown[key.as_str()] == summary(row)));
        // More than the first file has.
        let few = lines(&lake.table("show", &["--limit", "25", "--output", "json"]).await.stdout);
        assert_eq!(few, rows[..25]);
        let text = lake.table("show", &["--limit", "25"]).await.stdout;
        assert_eq!(text.lines().filter(|line| line.starts_with("| ")).count(), 27, "{text}");
        assert!(
            text.contains("timestamp[us, UTC]") && text.contains(&format!("\n25 of {} rows in ", truth.len())),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_verified_and_its_damage_is_named() {
    for lake in [Lake::on_disk(300).await, Lake::on_s3(60).await] {
        let sound = lake.table_json("verify", &[]).await;
        assert_eq!((&sound["sound"], sound["findings"].as_array().unwrap().len()), (&true.into(), 0), "{sound}");
        assert_eq!(sound["rows"], lake.stage.truth().await.len());
        let text = lake.table("verify", &[]).await;
        assert!(text.stdout.is_empty() && text.stderr.contains("is sound"), "{text:?}");
    }
    let lake = Lake::on_disk(100).await;
    let files: Vec<_> = crate::support::data_files(&lake.stage.table()).into_keys().collect();
    std::fs::remove_file(&files[0]).unwrap();
    let mut bytes = std::fs::read(&files[1]).unwrap();
    bytes[150..190].fill(0xFF);
    std::fs::write(&files[1], bytes).unwrap();
    std::fs::copy(&files[2], files[2].with_file_name("mine.parquet")).unwrap();
    let ran = lake.table("verify", &["--output", "json"]).await;
    assert_eq!(ran.code, 10, "{ran:?}");
    let codes: Vec<Value> =
        ran.report()["findings"].as_array().unwrap().iter().map(|finding| finding["code"].clone()).collect();
    assert_eq!(codes, ["file_missing", "file_unreadable", "stray_file"], "{ran:?}");
    assert!(ran.stderr.contains("not sound: 3 problems") && ran.stderr.contains("--full-refresh"), "{ran:?}");
    let text = lake.table("verify", &[]).await;
    assert!(text.code == 10 && text.stdout.lines().count() == 4, "{text:?}");
}

impl Lake {
    /// Puts an object that no commit knows into the table.
    async fn plant(&self, path: &str) {
        match &self.server {
            None => {
                let path = self.stage.table().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "garbage").unwrap();
            }
            Some(server) => {
                let path = object_store::path::Path::parse(format!("daily/calendar_events/{path}")).unwrap();
                server.store().put(&path, "garbage".into()).await.unwrap();
            }
        }
    }

    async fn is_sound(&self) -> bool {
        let verified = self.table_json("verify", &[]).await;
        verified["sound"] == true && verified["findings"].as_array().unwrap().is_empty()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_compacted_recovered_and_vacuumed() {
    for lake in [Lake::on_disk(200).await, Lake::on_s3(60).await] {
        let truth = lake.stage.truth().await;
        let files = lake.table_json("manifest", &[]).await["files"].as_array().unwrap().len();
        let sort = ["--sort-by", "-summary,event_id"];
        let planned = lake.table_json("compact", &[&sort[..], &["--dry-run"]].concat()).await;
        assert_eq!((&planned["dry_run"], &planned["commit"]), (&true.into(), &Value::Null));
        assert_eq!(planned["partitions"].as_array().unwrap().len(), files, "{planned}");
        let compacted = lake.table("compact", &sort).await;
        assert!(compacted.code == 0 && compacted.stdout.lines().count() == files + 1, "{compacted:?}");
        assert!(compacted.stderr.contains("commit 3 rewrote") && compacted.stderr.contains("no row changed"));
        let again = lake.table("compact", &sort).await;
        assert!(again.code == 0 && again.stdout.is_empty() && again.stderr.contains("nothing to put together"));
        let place = if lake.server.is_some() {
            format!("{}/calendar_events", lake.url)
        } else {
            lake.stage.table().to_str().unwrap().to_owned()
        };
        for (engine, rows) in crate::support::read_table(&place, &lake.environment).await.rows {
            crate::support::assert_same(&engine, &rows, &truth);
        }
        let history = lake.table("history", &["--limit", "1"]).await.stdout;
        assert!(history.contains("compaction"), "{history}");

        let nothing = lake.table("recover", &[]).await;
        assert!(nothing.code == 0 && nothing.stdout.is_empty() && nothing.stderr.contains("nothing to recover"));
        for run in ["dead", "dead-too"] {
            lake.plant(&format!("_lakefeed/staging/{run}/0.staged")).await;
        }
        let recovered = lake.table_json("recover", &[]).await;
        assert_eq!(recovered["swept"].as_array().unwrap().len(), 2, "{recovered}");
        assert_eq!(recovered["fence"].is_u64(), lake.server.is_some(), "{recovered}");

        lake.plant("_lakefeed/rejects/old.rejects").await;
        lake.plant("start_time_day=2026-01-01/part-00007.parquet").await;
        let young = lake.table_json("vacuum", &["--dry-run"]).await;
        assert_eq!(young["deleted"].as_array().unwrap().len(), 0, "{young}");
        let all = ["--older-than", "0s", "--rejects-older-than", "0s"];
        let vacuumed = lake.table("vacuum", &all).await;
        let lines = if lake.server.is_some() { 4 } else { 3 };
        assert!(vacuumed.code == 0 && vacuumed.stdout.lines().count() == lines, "{vacuumed:?}");
        assert!(vacuumed.stdout.contains("orphan") && vacuumed.stderr.contains("2 files"), "{vacuumed:?}");
        assert!(lake.is_sound().await);
        lake.run().await;
        let arguments = ["schema", "show", &lake.url, "calendar_events"];
        let schema = lake.stage.lakefeed_with(&arguments, &lake.environment).await.stdout;
        for (column, note) in [("event_id ", "primary key"), ("start_time ", "folders start_time_day")] {
            assert!(schema.lines().any(|line| line.starts_with(column) && line.ends_with(note)), "{schema}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_table_is_waited_for_as_long_as_one_wants() {
    let lake = Lake::on_disk(20).await;
    let hold = || {
        let lock = std::fs::File::options().read(true).write(true).open(lake.stage.table().join("_lakefeed/lock"));
        let lock = lock.unwrap();
        lock.try_lock().unwrap();
        lock
    };
    let held = hold();
    let ran = lake.table("compact", &["--wait", "1s"]).await;
    assert_eq!(ran.code, 8, "{ran:?}");
    for part in ["waiting (0 of at most 1 seconds)", "is held by run", "since", "it was waited for 1 seconds"] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
    let pipeline = lake.stage.pipeline();
    let run = ["run", pipeline.to_str().unwrap(), "--destination", &lake.url];
    let at_once = lake.stage.lakefeed(&run).await;
    assert!(at_once.code == 8 && !at_once.stderr.contains("waiting for the table"), "{at_once:?}");
    lake.stage.api.advance();
    let patient = [&run[..], &["--wait", "1m"]].concat();
    let mut command = crate::support::lakefeed(&patient);
    command.current_dir(lake.stage.folder.path()).envs(lake.stage.environment());
    let ran = crate::support::output_of_when(command, "waiting for the table", || drop(held)).await;
    assert!(ran.code == 0 && ran.stderr.contains("waiting for the table"), "{ran:?}");
    crate::support::assert_lake_is(&lake.stage.table(), &lake.stage.truth().await).await;
    let nonsense = lake.table("vacuum", &["--wait", "soon"]).await;
    assert!(nonsense.code == 2 && nonsense.stderr.contains("15m"), "{nonsense:?}");
}

#[cfg(feature = "query")]
impl Lake {
    /// `lakefeed table query LAKE SQL …`
    async fn query(&self, sql: &str, more: &[&str]) -> Ran {
        let arguments = [&["table", "query", &self.url, sql], more].concat();
        self.stage.lakefeed_with(&arguments, &self.environment).await
    }

    async fn query_json(&self, sql: &str) -> Vec<Value> {
        let ran = self.query(sql, &["--output", "json"]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        lines(&ran.stdout)
    }
}

#[cfg(feature = "query")]
#[tokio::test(flavor = "multi_thread")]
async fn a_lake_answers_sql() {
    for lake in [Lake::on_disk(300).await, Lake::on_s3(60).await] {
        let truth = lake.stage.truth().await;
        // Files that no commit names are no part of the table.
        lake.plant("start_time_day=2026-11-23/part-00077.parquet").await;
        let all = lake.query_json("SELECT count(*) AS n, count(DISTINCT event_id) AS keys FROM calendar_events").await;
        assert_eq!(all, [serde_json::json!({"n": truth.len(), "keys": truth.len()})]);
        let found = lake.query_json("SELECT event_id, summary FROM calendar_events ORDER BY event_id").await;
        let expected = truth.iter().map(|(key, row)| serde_json::json!({"event_id": key, "summary": row.2}));
        assert_eq!(found, expected.collect::<Vec<_>>());
        let last = lake.query_json("SELECT max(start_time) AS last FROM calendar_events").await;
        let latest =
            truth.values().filter_map(|row| row.0).max().and_then(chrono::DateTime::from_timestamp_micros).unwrap();
        let latest = latest.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string();
        assert_eq!(last, [serde_json::json!({"last": latest})]);
        let joined = "WITH late AS (SELECT event_id, start_time FROM calendar_events ORDER BY start_time DESC LIMIT 3) \
            SELECT l.event_id, e.summary FROM late l JOIN calendar_events e ON l.event_id = e.event_id";
        assert_eq!(lake.query_json(joined).await.len(), 3);
        let csv = lake.query("SELECT event_id FROM calendar_events ORDER BY event_id LIMIT 2", &["--output", "csv"]);
        let (csv, keys) = (csv.await, truth.keys().take(2).cloned().collect::<Vec<_>>().join("\n"));
        assert_eq!((csv.code, csv.stdout), (0, format!("event_id\n{keys}\n")), "{}", csv.stderr);
        let text = lake.query("SELECT count(*) AS n FROM calendar_events", &[]).await;
        let heading = text.stdout.lines().next().map(str::trim_start);
        assert_eq!((heading, text.stderr.as_str()), (Some("n"), "1 row\n"), "{text:?}");
    }
}

#[cfg(feature = "query")]
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_be_run_says_why() {
    let lake = Lake::on_disk(40).await;
    for (sql, told) in [
        ("SELEC 1", &["a query reads, as SELECT does; this is SELEC"][..]),
        ("DELETE FROM calendar_events", &["this is DELETE"]),
        ("SELECT FROM WHERE", &["the query cannot be run: "]),
        ("SELECT 1; SELECT 2", &["one (and only one) statement"]),
        ("SELECT nothing FROM calendar_events", &["nothing", "hint: the columns of calendar_events: ", "start_time"]),
        ("SELECT * FROM events", &["relation 'events' was not found", "/lake: calendar_events"]),
        (
            "SELECT * FROM calendar_events JOIN e ON 1 = e.x",
            &["'e'", "columns of calendar_events", "tables of the lake"],
        ),
        ("SELECT * FROM \"../lake/calendar_events\"", &["was not found"]),
    ] {
        let ran = lake.query(sql, &[]).await;
        assert!(ran.code == 2 && ran.stdout.is_empty(), "{sql}: {ran:?}");
        for part in told {
            assert!(ran.stderr.contains(part), "{sql}: {part}: {ran:?}");
        }
    }
    let count = "SELECT count(*) AS n FROM calendar_events";
    let marker = lake.stage.table().join("_lakefeed/published/00000000000000000002.json");
    let published = std::fs::read(&marker).unwrap();
    std::fs::remove_file(&marker).unwrap();
    let ran = lake.query(count, &[]).await;
    assert!(ran.code == 8 && ran.stderr.contains("is not published yet"), "{ran:?}");
    std::fs::write(&marker, published).unwrap();
    let (file, _) = crate::support::data_files(&lake.stage.table()).pop_first().unwrap();
    std::fs::write(&file, "PAR1 is not enough PAR1").unwrap();
    let ran = lake.query("SELECT max(start_time) AS last FROM calendar_events", &[]).await;
    assert!(ran.code == 10 && ran.stderr.contains("hint: `lakefeed table verify`"), "{ran:?}");
    std::fs::remove_file(&file).unwrap();
    let ran = lake.query("SELECT max(start_time) AS last FROM calendar_events", &[]).await;
    assert!(ran.code == 10 && ran.stderr.contains("hint: `lakefeed table verify`"), "{ran:?}");
}
