//! The commands of a table, on local disk and on a real S3-protocol server.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::s3::S3Server;
use crate::support::{Ran, Stage, python};

/// A lake with two commits, and how to ask about it: its URL and what the environment must say.
struct Lake {
    stage: Stage,
    url: String,
    environment: Vec<(String, String)>,
    _server: Option<S3Server>,
}

impl Lake {
    async fn on_disk(events: usize) -> Self {
        let stage = Stage::with_events(events).await;
        let url = stage.lake().to_str().unwrap().to_owned();
        Self { stage, url, environment: Vec::new(), _server: None }.with_two_commits().await
    }

    async fn on_s3(events: usize) -> Self {
        let server = S3Server::start();
        let stage = Stage::with_events(events).await;
        let environment = server.environment();
        Self { stage, url: "s3://lake/daily".to_owned(), environment, _server: Some(server) }.with_two_commits().await
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
    for command in ["history", "manifest", "show"] {
        let ran = stage.lakefeed(&["table", command, "lake", "nothing"]).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("there is no table at lake/nothing") && ran.stdout.is_empty(), "{ran:?}");
    }
    let no_lake = stage.lakefeed(&["table", "ls", "nowhere"]).await;
    assert!(no_lake.code == 2 && no_lake.stderr.contains("there is no lake at nowhere"), "{no_lake:?}");
    let no_commit = stage.lakefeed(&["table", "manifest", "lake", "calendar_events", "--commit", "9"]).await;
    assert!(no_commit.code == 2 && no_commit.stderr.contains("has no commit 9"), "{no_commit:?}");
}
