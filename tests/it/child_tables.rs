//! Lists of records as tables of their own: random histories against an oracle, with kills between
//! any two changes, and whole runs read back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lakefeed::table::{CompactSpec, Level};
use lakefeed::testing::{Answer, Death, FaultStore, Fuse, Heard, Luck, ManualClock, ScriptedTransport, answer};
use lakefeed::{Environment, Error, Format, Lake, Pipeline, RunEvent, Table};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Map, Value, json};

use crate::support::json_rows::json_rows_in;

const SCHEMA: &str = r#"{"properties": {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "gone": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "guests": {"type": "array", "items": {"type": "object", "properties": {
        "mail": {"type": "string"},
        "seat": {"type": "object", "properties": {"row": {"type": "integer"}, "notes": {"type": "array", "items": {"type": "integer"}}}}}}}}}"#;

const TABLES: [&str; 4] = ["events", "events__tags", "events__guests", "events__guests__seat__notes"];

/// A list, mostly; sometimes null, nothing at all, or an empty one.
fn list(luck: &mut Luck, item: impl Fn(&mut Luck) -> Value) -> Option<Value> {
    match luck.draw(8) {
        0 => None,
        1 => Some(Value::Null),
        2 => Some(json!([])),
        _ => {
            // A list that has never held anything but nulls has no table yet.
            let items =
                (0..=luck.draw(3)).map(|place| if place > 0 && luck.draw(9) == 0 { Value::Null } else { item(luck) });
            Some(Value::Array(items.collect()))
        }
    }
}

/// A record with one of so many ids.
fn record(luck: &mut Luck, ids: u64) -> Value {
    let mut record = json!({"id": luck.draw(ids), "name": format!("n{}", luck.draw(3))});
    if luck.draw(6) == 0 {
        record["gone"] = json!(true);
    }
    let set = |record: &mut Value, name: &str, list: Option<Value>| {
        if let Some(list) = list {
            record[name] = list;
        }
    };
    set(&mut record, "tags", list(luck, |luck| json!(format!("t{}", luck.draw(3)))));
    let guest = |luck: &mut Luck| {
        let mut guest = json!({"mail": format!("m{}", luck.draw(3))});
        if luck.draw(4) > 0 {
            guest["seat"] = json!({"row": luck.draw(3)});
            set(&mut guest["seat"], "notes", list(luck, |luck| json!(luck.draw(3))));
        }
        guest
    };
    set(&mut record, "guests", list(luck, guest));
    record
}

/// The API: its pages.
#[derive(Debug, Default)]
struct Api(Mutex<Vec<Vec<Value>>>);

impl Api {
    fn answer(&self, request: &http::Request<bytes::Bytes>) -> Answer {
        let page: usize = answer::parameter(request, "page").unwrap().parse().unwrap();
        let mut records = self.0.lock().unwrap().get(page).cloned().unwrap_or_default();
        if let (Some(from), Some(to)) = (answer::parameter(request, "from"), answer::parameter(request, "to")) {
            records.retain(|record| (from.as_str()..to.as_str()).contains(&record["at"].as_str().unwrap()));
        }
        answer::json(&json!(records))
    }
}

fn document(disposition: &str, has_file: bool, merge_index_bytes: u64) -> Value {
    let mut resource = json!({
        "name": "events", "primary_key": "id", "write_disposition": disposition, "nested": "child_tables",
        "endpoint": {"data_selector": "$", "paginator": {"type": "page_number", "total_path": null}},
    });
    if disposition == "merge" {
        resource["columns"] = json!({"gone": {"hard_delete": true}});
    }
    if has_file {
        resource["schema"] = json!("schema.json");
    }
    json!({
        "limits": {"batch_rows": 3, "merge_index_bytes": merge_index_bytes, "shrink_max": "100%"},
        "client": {"base_url": "https://api.example", "retry": {"max_retries": 0}},
        "resources": [resource],
    })
}

fn parsed(pipeline: &Value) -> Pipeline {
    let environment = Environment::empty().with_file("schema.json", SCHEMA);
    Pipeline::parse_with(&pipeline.to_string(), Format::Json, &environment).unwrap()
}

/// What the tables of a record are, by walking through it.
fn explode(table: &str, key: &Value, places: &[u64], fields: Value, rows: &mut BTreeMap<String, Vec<Value>>) {
    let mut row = Map::new();
    if let [outer @ .., own] = places {
        row.insert("_lakefeed_parent_id".to_owned(), key.clone());
        row.insert("_lakefeed_list_index".to_owned(), json!(own));
        let outer = outer.iter().zip(1..);
        row.extend(outer.map(|(place, level)| (format!("_lakefeed_list_index_{level}"), json!(place))));
    }
    let mut pending: Vec<(String, Value)> = match fields {
        Value::Object(fields) => fields.into_iter().collect(),
        plain => vec![("value".to_owned(), plain)],
    };
    while let Some((name, value)) = pending.pop() {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                pending.extend(members.into_iter().map(|(member, value)| (format!("{name}__{member}"), value)));
            }
            Value::Array(items) => {
                for (place, item) in (0..).zip(items) {
                    explode(&format!("{table}__{name}"), key, &[places, &[place]].concat(), item, rows);
                }
            }
            plain => drop(row.insert(name, plain)),
        }
    }
    rows.entry(table.to_owned()).or_default().push(Value::Object(row));
}

/// Rows in an order of their own.
fn sorted(mut rows: Vec<Value>) -> Vec<String> {
    let text = |row: &Value| {
        let fields: BTreeMap<&String, String> =
            row.as_object().unwrap().iter().map(|(name, value)| (name, value.to_string())).collect();
        format!("{fields:?}")
    };
    let mut texts: Vec<String> = rows.drain(..).map(|row| text(&row)).collect();
    texts.sort();
    texts
}

struct History {
    luck: Luck,
    seed: u64,
    disposition: &'static str,
    pipeline: Pipeline,
    api: Arc<Api>,
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    runs: u64,
    /// The records that the tables are of.
    oracle: Vec<Value>,
}

impl History {
    fn of(seed: u64) -> Self {
        Self::new(seed, ["merge", "merge", "replace", "append"][usize::try_from(seed % 4).unwrap()])
    }

    fn new(seed: u64, disposition: &'static str) -> Self {
        let merge_index_bytes = if seed.is_multiple_of(3) { 300 } else { 1 << 20 };
        Self {
            luck: Luck::new(seed ^ 0x5EED),
            seed,
            disposition,
            pipeline: parsed(&document(disposition, seed.is_multiple_of(5), merge_index_bytes)),
            api: Arc::new(Api::default()),
            store: Arc::new(InMemory::new()),
            clock: Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap())),
            runs: 0,
            oracle: Vec::new(),
        }
    }

    /// A run that the store may end at any of its changes; what it said of each table.
    async fn run(&mut self, full_refresh: bool, fuse: Option<Arc<Fuse>>) -> Result<Vec<RunEvent>, Error> {
        let store = match fuse {
            Some(fuse) => Arc::new(FaultStore::new(Arc::clone(&self.store), fuse)) as Arc<dyn ObjectStore>,
            None => Arc::clone(&self.store),
        };
        self.runs += 1;
        let (api, heard) = (Arc::clone(&self.api), Arc::new(Heard::default()));
        let runner = self
            .pipeline
            .runner()
            .transport(ScriptedTransport::new(move |request| std::future::ready(api.answer(&request))))
            .lake(&self.lake(store))
            .clock(Arc::clone(&self.clock))
            .observer(Arc::clone(&heard))
            .run_id(format!("run-{:05}", self.runs))
            .jitter_seed(self.seed);
        let runner = if full_refresh { runner.full_refresh() } else { runner };
        runner.run().await.into_result()?;
        Ok(heard.take())
    }

    fn lake(&self, store: Arc<dyn ObjectStore>) -> Lake {
        let root = object_store::path::Path::ROOT;
        let lake = lakefeed_lake::Lake::with_store(store, root, "lake".to_owned()).with_snapshot_file_every(3);
        Lake::from(lake).clock(Arc::clone(&self.clock))
    }

    fn table(&self, name: &str) -> Table {
        self.lake(Arc::clone(&self.store)).table(name)
    }

    async fn commits(&self, table: &str) -> u64 {
        self.table(table).snapshot().await.unwrap().version
    }

    /// A run over these pages that dies at its change number `fatal`, and what the API has come to
    /// after it. Whether it died, and between the commit of the items and that of the records.
    async fn run_to_death(&mut self, pages: Vec<Vec<Value>>, full_refresh: bool, fatal: u64) -> (bool, bool) {
        *self.api.0.lock().unwrap() = pages;
        let fuse = Fuse::new(fatal, Death::AfterEffect);
        let before = (self.commits("events").await, self.commits("events__tags").await);
        drop(self.run(full_refresh, Some(Arc::clone(&fuse))).await);
        self.clock.advance(std::time::Duration::from_secs(61));
        let has_records = self.commits("events").await > before.0;
        if has_records {
            self.follow(full_refresh);
        }
        (fuse.is_dead(), self.commits("events__tags").await > before.1 && !has_records)
    }

    /// The pages of the next run become part of what the tables must have.
    fn follow(&mut self, full_refresh: bool) {
        if full_refresh || self.disposition == "replace" {
            self.oracle.clear();
        }
        for record in self.api.0.lock().unwrap().iter().flatten() {
            if self.disposition == "merge" {
                self.oracle.retain(|known| known["id"] != record["id"]);
                if record["gone"] == true {
                    continue;
                }
            }
            self.oracle.push(record.clone());
        }
    }

    async fn check(&self, place: &str) {
        let mut expected = BTreeMap::new();
        for record in &self.oracle {
            explode("events", &record["id"], &[], record.clone(), &mut expected);
        }
        for table in TABLES {
            let found = sorted(json_rows_in(&*self.store, table).await);
            let expected = sorted(expected.remove(table).unwrap_or_default());
            assert_eq!(found, expected, "seed {} {} {place}: {table}", self.seed, self.disposition);
            let findings = self.table(table).verify().await.unwrap().findings;
            let problems = findings.iter().filter(|finding| finding.level == Level::Problem);
            assert_eq!(problems.count(), 0, "seed {} {place}: {table} {findings:?}", self.seed);
        }
        assert!(expected.is_empty(), "{expected:?}");
    }

    async fn play(mut self) {
        for step in 0..6 {
            let pages =
                (0..self.luck.draw(4)).map(|_| (0..=self.luck.draw(4)).map(|_| record(&mut self.luck, 7)).collect());
            let pages: Vec<Vec<Value>> = pages.collect();
            // Without a record there is nothing to make a schema of.
            let is_any = pages.iter().flatten().any(|record| record["gone"] != true);
            let full_refresh = is_any && self.luck.draw(8) == 0;
            *self.api.0.lock().unwrap() = pages;
            let place = format!("step {step}, full refresh {full_refresh}");
            for _ in 0..self.luck.draw(3) {
                let death = *self.luck.pick(&[Death::BeforeEffect, Death::AfterEffect]);
                let fuse = Fuse::new(self.luck.draw(90), death);
                let before = self.commits("events").await;
                drop(self.run(full_refresh, Some(fuse)).await);
                self.clock.advance(std::time::Duration::from_secs(61));
                // The run has happened when the records are committed.
                if self.commits("events").await > before {
                    self.follow(full_refresh);
                }
            }
            self.follow(full_refresh);
            let ran = self.run(full_refresh, None).await;
            ran.unwrap_or_else(|error| panic!("seed {} {place}: {error} {:?}", self.seed, error.causes()));
            self.check(&place).await;
            if self.disposition == "merge" && !full_refresh {
                let again = self.run(false, None).await.unwrap();
                let commits = again.iter().filter(|event| matches!(event, RunEvent::Committed { .. }));
                assert_eq!(commits.count(), 0, "seed {} {place}: the same again changes nothing", self.seed);
            }
        }
    }
}

#[test]
fn random_histories_of_records_end_with_the_tables_of_the_oracle() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seeds = std::env::var("LAKEFEED_CHILD_TABLES_SEEDS").ok();
    let seeds = seeds.as_deref().and_then(|text| text.split_once(".."));
    let seeds = seeds.map_or(0..16, |(from, to)| from.parse().unwrap()..to.parse().unwrap());
    for seed in seeds {
        runtime.block_on(History::of(seed).play());
    }
}

/// Walks through every change that a run makes to the store.
async fn walk(disposition: &'static str) {
    let first = vec![vec![json!({"id": 1, "name": "a", "tags": ["x", "y"]}), json!({"id": 2, "tags": ["z"]})]];
    let second = vec![vec![
        json!({"id": 1, "name": "b", "tags": ["y"]}),
        json!({"id": 2}),
        json!({"id": 3, "tags": ["v", "w"]}),
    ]];
    let (mut gaps, mut is_compacted) = (0, disposition != "append");
    for fatal in 0.. {
        let mut history = History::new(0, disposition);
        history.api.0.lock().unwrap().clone_from(&first);
        history.run(false, None).await.unwrap();
        history.follow(false);
        let (is_dead, is_gap) = history.run_to_death(second.clone(), false, fatal).await;
        gaps += u64::from(is_gap);
        if is_gap && !is_compacted {
            is_compacted = true;
            let done = history.table("events__tags").compact(&CompactSpec::default()).await.unwrap();
            assert!(done.commit.is_some(), "{done:?}");
            let error = history.run(false, None).await.unwrap_err();
            assert!(error.to_string().contains("the table was compacted since"), "{error}");
            continue;
        }
        history.follow(false);
        history
            .run(false, None)
            .await
            .unwrap_or_else(|error| panic!("{disposition} {fatal}: {error} {:?}", error.causes()));
        history.check(&format!("killed at {fatal}")).await;
        if !is_dead {
            break;
        }
    }
    assert!(gaps > 1, "{disposition}: no kill fell between the commits");
}

#[test]
fn a_kill_at_any_change_leaves_no_item_twice_and_none_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for disposition in ["merge", "replace", "append"] {
        runtime.block_on(walk(disposition));
    }
}

#[test]
fn tables_that_were_to_be_built_anew_are_not_gone_on_with_by_halves() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let page = |tag: &str| vec![vec![json!({"id": 1, "tags": [tag]}), json!({"id": 2, "tags": ["z"]})]];
    for disposition in ["merge", "append"] {
        let mut gaps = 0;
        for fatal in 0.. {
            let mut history = History::new(0, disposition);
            *history.api.0.lock().unwrap() = page("x");
            runtime.block_on(history.run(false, None)).unwrap();
            history.follow(false);
            history.clock.advance(std::time::Duration::from_secs(61));
            let (is_dead, is_gap) = runtime.block_on(history.run_to_death(page("y"), true, fatal));
            if is_gap {
                gaps += 1;
                *history.api.0.lock().unwrap() = vec![vec![json!({"id": 3, "tags": ["w"]})]];
                let error = runtime.block_on(history.run(false, None)).unwrap_err();
                assert!(error.to_string().contains("it was building the tables anew"), "{error}");
                runtime.block_on(history.run(true, None)).unwrap();
                history.follow(true);
                runtime.block_on(history.check(&format!("built anew after a kill at {fatal}")));
            }
            if !is_dead {
                break;
            }
        }
        assert!(gaps > 1, "{disposition}: no kill fell between the commits");
    }
}

/// Of records that are read by time windows, each with its day; a cursor goes over them.
#[test]
fn windows_and_cursors_bring_each_item_once_whatever_is_killed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let records =
        [json!({"id": 1, "at": "2026-11-21", "tags": ["x"]}), json!({"id": 2, "at": "2026-11-22", "tags": ["y", "z"]})];
    for (disposition, commits) in [("append", 1), ("merge", 2)] {
        let mut pipeline = document(disposition, false, 1 << 20);
        let endpoint = &mut pipeline["resources"][0]["endpoint"];
        endpoint["params"] = json!({"from": "{incremental.start_value}", "to": "{incremental.end_value}"});
        endpoint["incremental"] = json!({"cursor_path": "at", "initial_value": "2026-11-21", "step": "1d"});
        for fatal in 0.. {
            let mut history = History::new(0, disposition);
            history.pipeline = parsed(&pipeline);
            let (is_dead, _) = runtime.block_on(history.run_to_death(vec![records.to_vec()], false, fatal));
            let whole = runtime.block_on(history.commits("events"));
            assert!(is_dead || whole >= commits, "{disposition}: {whole} commits");
            assert!(disposition == "merge" || whole <= 1, "{disposition}: {whole} commits");
            let again = runtime.block_on(history.run(false, None));
            again.unwrap_or_else(|error| panic!("{disposition} {fatal}: {error} {:?}", error.causes()));
            history.oracle = records.to_vec();
            runtime.block_on(history.check(&format!("killed at {fatal}")));
            if !is_dead {
                break;
            }
        }
    }
}
