//! A small API whose pages a test says, a pipeline over it, and a lake: for what concerns records
//! and not requests.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Ran, lakefeed, output_of};

/// Pages of `/events?page=N`, and one record with the id 7 at `/parents`.
pub struct Api {
    base: String,
    pages: Arc<Mutex<Vec<Value>>>,
    pub folder: tempfile::TempDir,
}

impl Api {
    pub async fn new(pages: Vec<Value>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let pages = Arc::new(Mutex::new(pages));
        let served = Arc::clone(&pages);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4_096];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let body = answer(&head, &served.lock().unwrap()).to_string();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        Self { base, pages, folder: tempfile::tempdir().unwrap() }
    }

    /// From now on the API gives these.
    pub fn set_pages(&self, pages: Vec<Value>) {
        *self.pages.lock().unwrap() = pages;
    }

    pub fn table(&self) -> std::path::PathBuf {
        self.folder.path().join("lake/events")
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }
    }

    /// Runs a pipeline of the one resource `events` with the further keys `resource`, beside
    /// `files` and with further `top` keys and `arguments`.
    pub async fn run(&self, resource: &str, top: &str, files: &[(&str, &str)], arguments: &[&str]) -> Ran {
        self.write(files);
        let pipeline = format!(
            "version: 1\nclient: {{base_url: \"{}\"}}\nresources:\n  - name: events\n    {}\n    endpoint: {{data_selector: $, paginator: {{type: page_number, total_path: null}}}}\n{top}",
            self.base, resource
        );
        self.run_file(&pipeline, arguments).await
    }

    /// Runs `events` as a child of `parents`; `resource` has its endpoint, too.
    pub async fn run_child(&self, resource: &str, files: &[(&str, &str)]) -> Ran {
        self.write(files);
        let pipeline = format!(
            "version: 1\nclient: {{base_url: \"{}\", paginator: single_page}}\nresources:\n  - {{name: parents, selected: false}}\n  - name: events\n    {resource}\n",
            self.base
        );
        self.run_file(&pipeline, &[]).await
    }

    /// Runs `events`; `resource` has its endpoint, too.
    pub async fn run_with_endpoint(&self, resource: &str) -> Ran {
        let pipeline = format!(
            "version: 1\nclient: {{base_url: \"{}\"}}\nresources:\n  - name: events\n    {resource}\n",
            self.base
        );
        self.run_file(&pipeline, &[]).await
    }

    async fn run_file(&self, pipeline: &str, arguments: &[&str]) -> Ran {
        self.write(&[("pipeline.yaml", pipeline)]);
        let all = ["run", "pipeline.yaml", "--destination", "lake", "--output", "json"];
        self.lakefeed(&[&all, arguments].concat()).await
    }

    pub async fn lakefeed(&self, arguments: &[&str]) -> Ran {
        let mut command = lakefeed(arguments);
        command.current_dir(self.folder.path());
        output_of(command).await
    }

    /// Every row that a glob finds, as JSON, sorted by `id`.
    pub fn rows(&self) -> Vec<Value> {
        let mut rows = rows_below(&self.table());
        rows.sort_by_key(|row| row["id"].as_i64());
        rows
    }

    /// The values of one column, in the order of `id`; null where a row lacks it.
    pub fn column(&self, name: &str) -> Vec<Value> {
        self.rows().iter().map(|row| row[name].clone()).collect()
    }
}

fn answer(head: &str, pages: &[Value]) -> Value {
    let target = head.split(' ').nth(1).unwrap_or_default();
    if target.starts_with("/parents") {
        return json!([{"id": 7}]);
    }
    let page = target.split("page=").nth(1).and_then(|rest| rest.split('&').next()?.parse().ok()).unwrap_or(0_usize);
    pages.get(page).cloned().unwrap_or_else(|| json!([]))
}

fn rows_below(table: &Path) -> Vec<Value> {
    super::data_files(table).into_values().flat_map(|bytes| super::json_rows::rows_of(bytes.into())).collect()
}
