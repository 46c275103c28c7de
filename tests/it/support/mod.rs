//! What the integration tests share: a stage with an API and a lake, the command, the readers, the
//! truth.

pub mod api;
pub mod expectations;
pub mod json_rows;
pub mod kill_store;
pub mod python_server;
pub mod s3;
pub mod script_server;
pub mod setting;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lakefeed::Lake;
use lakefeed::demo::{DemoOptions, DemoServer};
use serde_json::Value;

/// An API that runs, a folder for a lake, and the pipeline file between them.
pub struct Stage {
    pub api: DemoServer,
    pub folder: tempfile::TempDir,
}

/// What one run of the command left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// One row as every reader must see it: start and end in microseconds since 1970, UTC.
pub type Row = (Option<i64>, Option<i64>, Option<String>);

impl Stage {
    pub async fn new(options: DemoOptions) -> Self {
        let api = DemoServer::start(options).await.unwrap();
        Self { api, folder: tempfile::tempdir().unwrap() }
    }

    pub async fn with_events(events: usize) -> Self {
        Self::new(DemoOptions { events, ..DemoOptions::default() }).await
    }

    /// The reference pipeline with quick retries, changed by `edit`.
    pub fn pipeline_with(&self, edit: impl FnOnce(String) -> String) -> PathBuf {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/calendar.yaml");
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/calendar_events.json");
        let text = std::fs::read_to_string(examples)
            .unwrap()
            .replace("../schemas/calendar_events.json", schema.to_str().unwrap())
            .replace("backoff_factor: 2", "backoff_factor: 0.01");
        self.file("calendar.yaml", &edit(text))
    }

    pub fn pipeline(&self) -> PathBuf {
        self.pipeline_with(|text| text)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    }

    pub fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    pub fn table(&self) -> PathBuf {
        self.lake().join("calendar_events")
    }

    /// The variables of the reference pipeline.
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![
            ("CALENDAR_BASE_URL".to_owned(), self.api.base_url()),
            ("CLIENT_ID".to_owned(), self.api.client_id().to_owned()),
            ("CLIENT_SECRET".to_owned(), self.api.client_secret().to_owned()),
        ]
    }

    /// Runs the command in the stage's folder, with the pipeline's variables.
    pub async fn lakefeed(&self, arguments: &[&str]) -> Ran {
        self.lakefeed_with(arguments, &[]).await
    }

    pub async fn lakefeed_with(&self, arguments: &[&str], more: &[(String, String)]) -> Ran {
        let mut command = lakefeed(arguments);
        command.current_dir(self.folder.path()).envs(self.environment()).envs(more.iter().cloned());
        output_of(command).await
    }

    /// Runs the reference pipeline into the stage's lake; the run must succeed. Returns its report.
    pub async fn run(&self) -> Value {
        let pipeline = self.pipeline();
        let ran = self.lakefeed(&["run", pipeline.to_str().unwrap(), "--output", "json"]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.report()
    }

    /// Every record that the API holds, asked for without any code of the client side.
    pub async fn truth(&self) -> BTreeMap<String, Row> {
        truth(&self.api).await
    }
}

impl Ran {
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no report: {error}\n{self:?}"))
    }

    pub fn resource(&self) -> Value {
        self.report()["resources"][0].clone()
    }
}

/// The command, with nothing of the caller's environment but the path.
pub fn lakefeed(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakefeed"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs `command` to its end beside the servers of this process.
pub async fn output_of(mut command: Command) -> Ran {
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `command` to its end, and calls `then` once it has said `part` on standard error.
pub async fn output_of_when(mut command: Command, part: &'static str, then: impl FnOnce() + Send + 'static) -> Ran {
    let run = move || {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut stderr, mut then) = (String::new(), Some(then));
        while lines.read_line(&mut stderr).unwrap() > 0 {
            if let Some(then) = then.take_if(|_| stderr.contains(part)) {
                then();
            }
        }
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout, stderr }
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The Python that has the readers; `make test` makes it.
pub fn python() -> PathBuf {
    let python = std::env::var_os("LAKEFEED_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python"), PathBuf::from);
    assert!(python.exists(), "{} is missing: `make test` installs it", python.display());
    python
}

/// What DuckDB, pyarrow and Polars see in a table: per engine its rows by key, and the types of its
/// columns.
pub struct Readings {
    pub rows: Vec<(String, BTreeMap<String, Row>)>,
    pub columns: BTreeMap<String, Value>,
}

/// Reads a table with the three engines. Fails when one of them sees a key twice.
pub async fn read_table(url: &str, environment: &[(String, String)]) -> Readings {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/read_lake.py");
    let mut command = Command::new(python());
    command.arg(script).arg(url).envs(environment.iter().cloned());
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let engines: BTreeMap<String, Value> = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(engines.keys().map(String::as_str).collect::<Vec<_>>(), ["duckdb", "polars", "pyarrow"]);
    let mut readings = Readings { rows: Vec::new(), columns: BTreeMap::new() };
    for (engine, seen) in engines {
        let mut rows = BTreeMap::new();
        for row in seen["rows"].as_array().unwrap() {
            let key = row["event_id"].as_str().unwrap().to_owned();
            let start = row["start_time"].as_i64();
            check_partition(&engine, row, start);
            let old = rows.insert(key, (start, row["end_time"].as_i64(), row["summary"].as_str().map(str::to_owned)));
            assert!(old.is_none(), "{engine} sees {row} twice");
        }
        readings.rows.push((engine.clone(), rows));
        readings.columns.insert(engine, seen["columns"].clone());
    }
    readings
}

/// A row's folder must be the day of its start.
fn check_partition(engine: &str, row: &Value, start: Option<i64>) {
    let day = start.map(|start| chrono::DateTime::from_timestamp_micros(start).unwrap().format("%Y-%m-%d").to_string());
    assert_eq!(row["start_time_day"].as_str().map(str::to_owned), day, "{engine}: {row} is in the wrong partition");
}

/// Asserts that each engine sees exactly `truth`.
pub async fn assert_lake_is(table: &Path, truth: &BTreeMap<String, Row>) -> Readings {
    let readings = read_table(table.to_str().unwrap(), &[]).await;
    for (engine, rows) in &readings.rows {
        assert_same(engine, rows, truth);
    }
    readings
}

/// Like `assert_eq`, but prints only what differs.
pub fn assert_same(who: &str, rows: &BTreeMap<String, Row>, truth: &BTreeMap<String, Row>) {
    let differing: Vec<_> = rows
        .keys()
        .chain(truth.keys())
        .filter(|key| rows.get(*key) != truth.get(*key))
        .take(5)
        .map(|key| (key, rows.get(key), truth.get(key)))
        .collect();
    assert!(differing.is_empty(), "{who} differs (key, seen, truth): {differing:#?}");
}

/// A token of the API, asked for without any code of the client side.
pub async fn token(api: &DemoServer, http: &reqwest::Client) -> String {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", api.client_id())
        .append_pair("client_secret", api.client_secret())
        .finish();
    let answer: Value = serde_json::from_str(
        &http
            .post(format!("{}/oauth/token", api.base_url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    )
    .unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn truth(api: &DemoServer) -> BTreeMap<String, Row> {
    let http = reqwest::Client::new();
    let token = token(api, &http).await;
    let mut events = BTreeMap::new();
    loop {
        let url = format!("{}/v1/events?limit=1000&offset={}", api.base_url(), events.len());
        let answer = http.get(url).bearer_auth(&token).send().await.unwrap();
        let page: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        for item in page["items"].as_array().unwrap() {
            let key = item["event_id"].as_str().unwrap().to_owned();
            let row =
                (instant(&item["start_time"]), instant(&item["end_time"]), item["summary"].as_str().map(str::to_owned));
            assert!(events.insert(key, row).is_none(), "the API itself repeats {item}");
        }
        if events.len() as u64 >= page["total"].as_u64().unwrap() {
            return events;
        }
    }
}

fn instant(value: &Value) -> Option<i64> {
    value.as_str().map(|text| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
}

/// Every file of a lake with its content, to compare it before and after. The lock file says who
/// held a table last, and is not a part of it.
pub fn lake_files(lake: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files_below(lake).into_iter().filter(|(path, _)| !path.ends_with("_lakefeed/lock")).collect()
}

/// Every file below `folder` with its content.
pub fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            match std::fs::read(&path) {
                Ok(bytes) => drop(files.insert(path, bytes)),
                // A run may be at work.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", path.display()),
            }
        }
    }
    files
}

/// The data files of a table: what a reader's glob finds.
pub fn data_files(table: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files_below(table)
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "parquet"))
        .collect()
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// The rows of the files that the last commit names, however many others are in the folder; with
/// the number of that commit. `None` where it has not put all of them in place yet, or another one
/// has come meanwhile.
pub async fn rows_of_commit(table: &Path) -> Option<(u64, BTreeMap<String, Row>)> {
    let lake = Lake::open(table.parent().unwrap().to_str().unwrap()).unwrap();
    let table = lake.table(table.file_name().unwrap().to_str().unwrap());
    let before = table.manifest(None).await.ok().filter(|manifest| manifest.snapshot.published)?;
    let files: Option<Vec<Vec<u8>>> = before.files.iter().map(|file| std::fs::read(&file.location).ok()).collect();
    let after = table.snapshot().await.unwrap();
    let files = files.filter(|_| after.version == before.snapshot.version)?;
    let rows = files.into_iter().flat_map(|bytes| rows_of(bytes.into())).collect();
    Some((after.version, by_key(rows)))
}

/// Every row that a glob over the table finds, a key that stands in two files twice.
pub fn all_rows_below(table: &Path) -> Vec<(String, Row)> {
    data_files(table).into_values().flat_map(|bytes| rows_of(bytes.into())).collect()
}

/// The rows that a glob over the table finds; fails when a key is there twice.
pub fn rows_below(table: &Path) -> BTreeMap<String, Row> {
    by_key(all_rows_below(table))
}

/// The rows of a table in the bucket of an S3-protocol server.
pub async fn rows_in(server: &s3::S3Server, prefix: &str) -> BTreeMap<String, Row> {
    use futures::TryStreamExt as _;
    use object_store::{ObjectStore as _, ObjectStoreExt as _};
    let store = server.store();
    let files: Vec<_> = store.list(Some(&prefix.into())).try_collect().await.unwrap();
    let mut rows = Vec::new();
    for file in files.into_iter().filter(|file| file.location.as_ref().ends_with(".parquet")) {
        rows.extend(rows_of(store.get(&file.location).await.unwrap().bytes().await.unwrap()));
    }
    by_key(rows)
}

fn by_key(rows: Vec<(String, Row)>) -> BTreeMap<String, Row> {
    let mut unique = BTreeMap::new();
    for (key, row) in rows {
        assert!(unique.insert(key.clone(), row).is_none(), "{key} is there twice");
    }
    unique
}

fn rows_of(bytes: bytes::Bytes) -> Vec<(String, Row)> {
    use arrow::array::{Array as _, AsArray as _};
    use arrow::datatypes::TimestampMicrosecondType;
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 8_192).unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let instant = |name: &str, row: usize| {
            let column = column(name).as_primitive::<TimestampMicrosecondType>();
            column.is_valid(row).then(|| column.value(row))
        };
        let text = |name: &str, row: usize| {
            let column = column(name).as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            let key = text("event_id", row).unwrap();
            rows.push((key, (instant("start_time", row), instant("end_time", row), text("summary", row))));
        }
    }
    rows
}
