//! A server that answers from a script: rules in order, the first that fits answers. It can wait
//! (`delay_ms`), close early or cut a body short.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub form: BTreeMap<String, String>,
    pub json: Option<Value>,
}

pub struct ScriptServer {
    base: String,
    state: Arc<State>,
}

struct State {
    base: String,
    rules: Vec<Value>,
    /// How often each rule has answered.
    answered: Mutex<HashMap<usize, usize>>,
    seen: Mutex<Vec<Seen>>,
}

impl ScriptServer {
    pub async fn start(rules: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State { base: base.clone(), rules, answered: Mutex::default(), seen: Mutex::default() });
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&served);
                tokio::spawn(async move { state.serve(stream).await });
            }
        });
        Self { base, state }
    }

    /// Puts the server's URL where a string says `{{BASE}}`.
    pub fn fill_in(&self, text: &str) -> String {
        text.replace("{{BASE}}", &self.base)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream) {
        let Some(seen) = read_request(&mut stream).await else { return };
        let reply = self.reply(&seen);
        self.seen.lock().unwrap().push(seen);
        if let Some(milliseconds) = reply["delay_ms"].as_u64() {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        }
        if reply["drop"] == true {
            return;
        }
        let body = match &reply["json"] {
            Value::Null => reply["text"].as_str().unwrap_or_default().to_owned(),
            json => json.to_string(),
        };
        let body = self.fill_in(&body);
        let mut head = format!(
            "HTTP/1.1 {} Scripted\r\nconnection: close\r\ncontent-length: {}\r\n",
            reply["status"].as_u64().unwrap_or(200),
            body.len()
        );
        if reply["json"] != Value::Null {
            head.push_str("content-type: application/json\r\n");
        }
        for (name, value) in reply["headers"].as_object().into_iter().flatten() {
            for part in [name, ": ", &self.fill_in(value.as_str().unwrap()), "\r\n"] {
                head.push_str(part);
            }
        }
        let sent = reply["truncate"].as_u64().map_or(body.len(), |bytes| usize::try_from(bytes).unwrap());
        head.push_str("\r\n");
        head.push_str(body.get(..sent).unwrap());
        drop(stream.write_all(head.as_bytes()).await);
        drop(stream.shutdown().await);
    }

    fn reply(&self, seen: &Seen) -> Value {
        let Some(position) = self.rules.iter().position(|rule| fits(&rule["match"], seen)) else {
            return serde_json::json!({"status": 404, "text": "Resource not found"});
        };
        let mut answered = self.answered.lock().unwrap();
        let count = answered.entry(position).or_default();
        *count += 1;
        match self.rules[position]["replies"].as_array() {
            Some(replies) => replies[(*count - 1).min(replies.len() - 1)].clone(),
            None => self.rules[position]["reply"].clone(),
        }
    }

    /// `{{BASE}}` is the server's URL, `{{HTTPDATE+30}}` an HTTP date 30 seconds ahead.
    fn fill_in(&self, text: &str) -> String {
        let text = text.replace("{{BASE}}", &self.base);
        let mut parts = text.split("{{HTTPDATE");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (seconds, rest) = part.split_once("}}").unwrap();
            let date = chrono::Utc::now() + chrono::Duration::seconds(seconds.parse().unwrap_or(0));
            filled.push_str(&date.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
            filled.push_str(rest);
        }
        filled
    }
}

/// Whether a request fits a rule: everything that the rule names is as it says; null means absent.
fn fits(rule: &Value, seen: &Seen) -> bool {
    let pairs_fit = |rule: &Value, pairs: &BTreeMap<String, String>, lower: bool| {
        rule.as_object().into_iter().flatten().all(|(name, value)| {
            let name = if lower { name.to_lowercase() } else { name.clone() };
            match value {
                Value::Null => !pairs.contains_key(&name),
                Value::String(text) => pairs.get(&name) == Some(text),
                other => pairs.get(&name) == Some(&other.to_string()),
            }
        })
    };
    rule["method"].as_str().is_none_or(|method| method == seen.method)
        && rule["path"].as_str().is_none_or(|path| path == seen.path)
        && pairs_fit(&rule["query"], &seen.query, false)
        && pairs_fit(&rule["headers"], &seen.headers, true)
        && pairs_fit(&rule["form"], &seen.form, false)
        && rule.get("json").is_none_or(|json| Some(json) == seen.json.as_ref())
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut request_line = lines.next()?.split(' ');
    let method = request_line.next()?.to_owned();
    let target = url::Url::parse("http://server").unwrap().join(request_line.next()?).unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let is_form = headers.get("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form = if is_form { url::form_urlencoded::parse(&body).into_owned().collect() } else { BTreeMap::new() };
    Some(Seen {
        method,
        path: target.path().to_owned(),
        query: target.query_pairs().into_owned().collect(),
        headers,
        form,
        json: serde_json::from_slice(&body).ok(),
    })
}
