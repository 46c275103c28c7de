//! A scripted API, and pipelines over it.

use serde_json::{Value, json};

use super::script_server::ScriptServer;
use super::{Ran, lakefeed, output_of};

/// A scripted API, and a folder for pipelines and their lake.
pub struct Setting {
    pub server: ScriptServer,
    pub folder: tempfile::TempDir,
}

impl Setting {
    pub async fn new(rules: &Value) -> Self {
        let rules = rules.as_array().unwrap().clone();
        Self { server: ScriptServer::start(rules).await, folder: tempfile::tempdir().unwrap() }
    }

    /// Runs resources of the API, with retries that do not wait.
    pub async fn run(&self, resources: &Value, arguments: &[&str]) -> Ran {
        let pipeline = json!({
            "client": {"base_url": "{{BASE}}", "retry": {"max_retries": 2, "backoff_factor": 0}},
            "resources": resources,
        });
        self.run_file("pipeline.json", &pipeline.to_string(), arguments).await
    }

    pub async fn run_file(&self, name: &str, text: &str, arguments: &[&str]) -> Ran {
        std::fs::write(self.folder.path().join(name), self.server.fill_in(text)).unwrap();
        let mut all = vec!["run", name, "--output", "json"];
        if !arguments.contains(&"--destination") {
            all.extend(["--destination", "lake"]);
        }
        let mut command = lakefeed(&[&all, arguments].concat());
        command.current_dir(self.folder.path());
        output_of(command).await
    }
}

/// What is answered at a path.
pub fn at(path: &str, reply: &Value) -> Value {
    json!({"match": {"path": path}, "reply": reply})
}
