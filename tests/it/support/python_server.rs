//! A server written in Python that a test starts on loopback, and that is gone with the test.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::python;

/// A server that listens.
pub struct PythonServer {
    child: Child,
    pub url: String,
}

impl PythonServer {
    /// Starts a script of `tests/readers`, and waits until it says where it listens.
    pub fn start(script: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers").join(script);
        // The server ends when its standard input closes, so it cannot outlive a test that is
        // killed.
        let mut child = Command::new(python())
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{} did not start: {url:?}", script.display());
        Self { child, url }
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
