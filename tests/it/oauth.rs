//! Tokens of a real OAuth2 server (Authlib): how a client proves itself, expiry in the middle of a
//! listing, rotation.

use std::collections::BTreeSet;

use object_store::local::LocalFileSystem;
use serde_json::Value;

use crate::support::json_rows::json_rows_in;
use crate::support::python_server::PythonServer;
use crate::support::{Ran, files_below, lakefeed, output_of};

/// What `tests/readers/oauth_server.py` knows.
const SECRET: &str = "s3cr3t-with:special/chars+&";
const FIRST_REFRESH_TOKEN: &str = "the-token-to-begin-with";
const EVENTS: usize = 800;

/// The server, and a folder for the pipeline and its lake.
struct Setting {
    server: PythonServer,
    folder: tempfile::TempDir,
}

impl Setting {
    fn new() -> Self {
        Self { server: PythonServer::start("oauth_server.py"), folder: tempfile::tempdir().unwrap() }
    }

    /// Runs a pipeline that authenticates by `auth`, with `secret`. The rate makes a listing of
    /// `EVENTS` last four seconds, longer than some of the server's tokens live.
    async fn run_with(&self, auth: &str, secret: &str) -> Ran {
        self.run_by(&["run", "pipeline.yaml", "--output", "json"], auth, secret).await
    }

    async fn run_by(&self, arguments: &[&str], auth: &str, secret: &str) -> Ran {
        let url = &self.server.url;
        let text = format!(
            "version: 1
client:
  base_url: {url}
  auth: {{token_url: {url}/oauth/token, client_secret: '${{env:SECRET}}', {auth}}}
  rate_limit: {{requests_per_second: 16}}
resources:
  - name: events
    primary_key: id
    write_disposition: merge
    endpoint: {{path: /v1/events, data_selector: items, paginator: {{type: offset, limit: 10}}}}
destination: ./lake
"
        );
        std::fs::write(self.folder.path().join("pipeline.yaml"), text).unwrap();
        let mut command = lakefeed(arguments);
        command.current_dir(self.folder.path()).env("SECRET", secret);
        output_of(command).await
    }

    /// A run that must succeed, must read every event and must not show a secret.
    async fn run(&self, auth: &str) {
        let ran = self.run_with(auth, SECRET).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!shows(&ran, SECRET), "{ran:?}");
        assert_eq!(ran.resource()["complete"]["verdict"], "true", "{ran:?}");
        let store = LocalFileSystem::new_with_prefix(self.folder.path()).unwrap();
        let rows = json_rows_in(&store, "lake/events").await;
        let ids: BTreeSet<_> = rows.iter().map(|row| row["id"].as_u64().unwrap()).collect();
        assert_eq!((rows.len(), ids.len()), (EVENTS, EVENTS));
    }

    /// How often the server saw something.
    async fn seen(&self, what: &str) -> u64 {
        let answer = reqwest::get(format!("{}/stats", self.server.url)).await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()[what].as_u64().unwrap_or(0)
    }

    fn kept_token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("token")).unwrap()
    }
}

/// The auth of a client whose refresh tokens are kept in `file`.
fn rotating(file: &str) -> String {
    format!(
        "type: oauth2_refresh_token, client_id: rotating, client_authentication: client_secret_basic, \
         refresh_token: {FIRST_REFRESH_TOKEN}, refresh_token_file: {file}"
    )
}

/// Whether a run shows a secret anywhere, as it is or as it is sent.
fn shows(ran: &Ran, secret: &str) -> bool {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    [&ran.stdout, &ran.stderr].iter().any(|text| text.contains(secret) || text.contains(&encoded))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_in_a_header_or_in_the_form() {
    let setting = Setting::new();
    setting.run("type: oauth2, client_id: basic, client_authentication: client_secret_basic").await;
    setting.run("type: oauth2_client_credentials, client_id: post, scope: 'events:read'").await;
    assert_eq!(setting.seen("tokens_given").await, 2, "a token that lives is asked for once");
    assert_eq!(setting.seen("/v1/events 401").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_refused_is_told_what_to_check_and_not_its_secret() {
    let setting = Setting::new();
    let wrong = "wr0ng-with:special/chars+&";
    let basic = "type: oauth2, client_id: basic, client_authentication: client_secret_basic";
    for (auth, secret, words) in [
        (basic, wrong, ["invalid_client", "client_secret"]),
        ("type: oauth2, client_id: post", wrong, ["invalid_client", "client_secret"]),
        // The right secret, in a way that this client may not use.
        ("type: oauth2, client_id: basic", SECRET, ["invalid_client", "client_authentication"]),
        ("type: oauth2, client_id: nobody", SECRET, ["does not exist", "client_id"]),
        ("type: oauth2, client_id: post, scope: all", SECRET, ["invalid_scope", "scope"]),
        ("type: oauth2, client_id: rotating, client_authentication: client_secret_basic", SECRET, ["grant", "hint: "]),
    ] {
        let ran = setting.run_with(auth, secret).await;
        assert_eq!(ran.code, 3, "{auth}: {ran:?}");
        assert!(!shows(&ran, secret), "{auth}: {ran:?}");
        for word in words.iter().chain(&["/oauth/token", "hint: "]) {
            assert!(ran.stderr.contains(word), "{auth}: {word:?} is not in\n{}", ran.stderr);
        }
    }
    assert_eq!(setting.seen("tokens_given").await, 0);
    assert!(!setting.folder.path().join("lake/events/_lakefeed/commits").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_it_expires_in_the_middle_of_a_listing() {
    let setting = Setting::new();
    setting.run("type: oauth2, client_id: short-lived, client_authentication: client_secret_basic").await;
    assert!(setting.seen("tokens_given").await >= 2);
    assert_eq!(setting.seen("/v1/events 401").await, 0, "no request went out with a token that had expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_server_forgets_early_is_replaced_and_nothing_is_lost() {
    let setting = Setting::new();
    setting.run("type: oauth2, client_id: forgotten").await;
    assert!(setting.seen("tokens_given").await >= 2);
    assert!(setting.seen("/v1/events 401").await >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_refresh_token_is_kept_for_the_next_run() {
    let setting = Setting::new();
    let auth = rotating("token");
    setting.run(&auth).await;
    let first_run = setting.seen("tokens_given").await;
    assert!(first_run >= 2, "the token of the run was rotated within the run, too");
    let kept = setting.kept_token();
    assert!(!kept.is_empty() && kept != FIRST_REFRESH_TOKEN);

    // The first token is void by now, so only the kept one can work.
    setting.run(&auth).await;
    assert!(setting.seen("tokens_given").await > first_run);
    assert_ne!(setting.kept_token(), kept);
    assert_eq!(setting.seen("/oauth/token 400").await, 0);

    std::fs::remove_file(setting.folder.path().join("token")).unwrap();
    let ran = setting.run_with(&auth, SECRET).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("invalid_grant") && ran.stderr.contains("asked for anew"), "{}", ran.stderr);
    assert!(!shows(&ran, SECRET) && !shows(&ran, FIRST_REFRESH_TOKEN), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_could_not_be_kept_is_not_spent() {
    let setting = Setting::new();
    let ran = setting.run_with(&rotating("not-there/token"), SECRET).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("not-there/token") && ran.stderr.contains("refresh_token_file"), "{}", ran.stderr);
    assert!(!shows(&ran, FIRST_REFRESH_TOKEN), "{ran:?}");
    assert_eq!(setting.seen("tokens_given").await, 0);
    setting.run(&rotating("token")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cassette_holds_neither_secrets_nor_tokens_and_replays_without_them() {
    let setting = Setting::new();
    setting.run(&rotating("token")).await;
    let before = setting.kept_token();
    let record = ["run", "pipeline.yaml", "--output", "json", "--record", "tape"];
    let recorded = setting.run_by(&record, &rotating("token"), SECRET).await;
    assert_eq!(recorded.code, 0, "{recorded:?}");
    let kept = setting.kept_token();
    let tape = files_below(&setting.folder.path().join("tape"));
    assert!(tape.len() > EVENTS / 10);
    let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for (path, bytes) in tape {
        let text = String::from_utf8_lossy(&bytes);
        for secret in [SECRET, form.as_str(), FIRST_REFRESH_TOKEN, before.as_str(), kept.as_str()] {
            assert!(!text.contains(secret), "{} holds {secret}: {text}", path.display());
        }
    }

    let asked = setting.seen("tokens_given").await;
    let replay = ["run", "pipeline.yaml", "--output", "json", "--replay", "tape", "--destination", "again"];
    let replayed = setting.run_by(&replay, &rotating("token"), "not the secret").await;
    assert_eq!(replayed.code, 0, "{replayed:?}");
    assert_eq!(replayed.resource()["rows"]["inserted"], EVENTS);
    assert_eq!(setting.kept_token(), kept, "a replay must not touch the file of tokens");
    assert_eq!(setting.seen("tokens_given").await, asked);
}
