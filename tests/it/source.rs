//! The REST source by the command line: what is refused, what ends early, and what the report says of it.

use serde_json::{Value, json};

use crate::support::script_server::ScriptServer;
use crate::support::{Ran, lakefeed, output_of};

/// A scripted API, and a folder for pipelines and their lake.
struct Setting {
    server: ScriptServer,
    folder: tempfile::TempDir,
}

impl Setting {
    async fn new(rules: &Value) -> Self {
        let rules = rules.as_array().unwrap().clone();
        Self { server: ScriptServer::start(rules).await, folder: tempfile::tempdir().unwrap() }
    }

    /// Runs resources of the API, with retries that do not wait.
    async fn run(&self, resources: &Value, arguments: &[&str]) -> Ran {
        let pipeline = json!({
            "client": {"base_url": "{{BASE}}", "retry": {"max_retries": 1, "backoff_factor": 0}},
            "resources": resources,
        });
        self.run_file("pipeline.json", &pipeline.to_string(), arguments).await
    }

    async fn run_file(&self, name: &str, text: &str, arguments: &[&str]) -> Ran {
        std::fs::write(self.folder.path().join(name), self.server.fill_in(text)).unwrap();
        let common = ["run", name, "--output", "json", "--destination", "lake"];
        let mut command = lakefeed(&[&common, arguments].concat());
        command.current_dir(self.folder.path());
        output_of(command).await
    }
}

fn at(path: &str, reply: &Value) -> Value {
    json!({"match": {"path": path}, "reply": reply})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_with_a_cursor_is_not_run_without_its_children() {
    let setting = Setting::new(&json!([
        at("/posts", &json!({"json": [{"id": 1, "at": 5}]})),
        at("/posts/1/comments", &json!({"json": [{"comment": 1}]})),
    ]))
    .await;
    let resources = json!([
        {"name": "posts", "endpoint": {"paginator": "single_page", "incremental": {"cursor_path": "at", "initial_value": 0}}},
        {"name": "comments", "endpoint": {"path": "posts/{resources.posts.id}/comments", "paginator": "single_page"}},
    ]);
    let ran = setting.run(&resources, &["--resource", "posts"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("posts has a cursor") && ran.stderr.contains("--resource comments"), "{ran:?}");
    assert!(setting.server.seen().is_empty());
    for arguments in [&["--resource", "comments"][..], &["--resource", "posts", "--resource", "comments"], &[]] {
        let ran = setting.run(&resources, arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?} {ran:?}");
    }
    let ran = setting.run(&resources, &["--resource", "posts", "--full-refresh"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}
