//! Giving back what a cassette holds.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header;

use super::record::{EXCHANGES, HEAD};
use super::{Exchange, Head, MARK, Outcome, Scrubber};
use crate::client::{Purpose, SendLimits, Transport, TransportError, TransportErrorKind};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::spec::{Auth, JwtAlgorithm, PipelineSpec};

/// A cassette that was opened.
#[derive(Debug)]
pub(crate) struct Replay {
    folder: PathBuf,
    head: Head,
    /// The exchanges of each request, in the order in which they were recorded.
    exchanges: Mutex<HashMap<Key, VecDeque<Outcome>>>,
    scrubber: Scrubber,
}

/// What tells requests apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    method: String,
    url: String,
    body: String,
}

impl Replay {
    /// Opens the cassette in `folder`.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let head: Head = read(&folder.join(HEAD))?;
        if head.version != Head::VERSION {
            return Err(Error::config(format!(
                "the cassette {} has version {}, and this program reads version {}",
                folder.display(),
                head.version,
                Head::VERSION
            )));
        }
        let folder = folder.join(EXCHANGES);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, error))? {
            let name = entry.map_err(|error| unreadable(&folder, error))?.file_name().to_string_lossy().into_owned();
            // 000001.json, and not 000001.body.json.
            if name.strip_suffix(".json").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
                names.push(name);
            }
        }
        names.sort();
        let mut exchanges: HashMap<Key, VecDeque<Outcome>> = HashMap::new();
        for name in names {
            let Exchange { request, outcome, .. } = read(&folder.join(name))?;
            let key = Key { method: request.method, url: request.url, body: request.body };
            exchanges.entry(key).or_default().push_back(outcome);
        }
        Ok(Self { folder, head, exchanges: Mutex::new(exchanges), scrubber: Scrubber::default() })
    }

    /// Returns what was recorded, and from where it began.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the same, with what the pipeline keeps secret: its requests are looked up as they
    /// were recorded, without secrets.
    #[must_use]
    pub(crate) fn hiding(self, scrubber: Scrubber) -> Self {
        Self { scrubber, ..self }
    }

    fn key(&self, request: &http::Request<Bytes>, credentials: bool) -> Key {
        let url = request.uri().to_string();
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Key {
            method: request.method().to_string(),
            url: url::Url::parse(&url).map_or_else(|_| self.scrubber.text(&url), |url| self.scrubber.url(&url)),
            body: if credentials { String::new() } else { self.scrubber.request_body(request.body(), content_type) },
        }
    }

    /// Returns the next outcome of a request. The last one for credentials holds for ever: a replay
    /// is faster than their expiry.
    fn take(&self, key: &Key, credentials: bool) -> Result<Outcome, TransportError> {
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        let not_recorded = |what: &str| {
            TransportError::new(
                TransportErrorKind::Cassette,
                format!("{what} in the cassette {}", self.folder.display()),
            )
        };
        let Some(outcomes) = exchanges.get_mut(key) else {
            return Err(not_recorded("there is no such request"));
        };
        let next = if credentials && outcomes.len() == 1 { outcomes.front().cloned() } else { outcomes.pop_front() };
        next.ok_or_else(|| not_recorded("there are no more answers to this request"))
    }

    async fn response(
        &self,
        status: u16,
        headers: Vec<String>,
        body_file: Option<String>,
        body_bytes_max: u64,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let damaged = |what: String| {
            TransportError::new(TransportErrorKind::Cassette, format!("the cassette is damaged: {what}"))
        };
        let body = match body_file {
            // A name, and no way out of the folder.
            Some(name) if Path::new(&name).file_name() != Some(name.as_ref()) => {
                return Err(damaged(format!("{name:?} is not the name of a file")));
            }
            Some(name) => tokio::fs::read(self.folder.join(&name))
                .await
                .map_err(|error| damaged(format!("{name} cannot be read: {error}")))?,
            None => Vec::new(),
        };
        if body.len() as u64 > body_bytes_max {
            return Err(TransportError::new(
                TransportErrorKind::BodyTooLarge,
                format!("the body has more than {body_bytes_max} bytes"),
            ));
        }
        let mut response = http::Response::builder().status(status);
        for line in headers {
            let Some((name, value)) = line.split_once(':') else {
                return Err(damaged(format!("{line:?} is no header")));
            };
            response = response.header(name, value.trim());
        }
        response.body(Bytes::from(body)).map_err(|error| damaged(error.to_string()))
    }
}

#[async_trait]
impl Transport for Replay {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let credentials = request.extensions().get::<Purpose>() == Some(&Purpose::Credentials);
        let key = self.key(&request, credentials);
        match self.take(&key, credentials)? {
            Outcome::Response { status, headers, body_file } => {
                self.response(status, headers, body_file, limits.body_bytes_max).await
            }
            Outcome::Failure { kind, message } => Err(TransportError::new(kind, message)),
        }
    }
}

/// Returns the pipeline as it runs without its secrets: whatever they are for, `***` will do, and
/// no file of tokens is touched.
pub(crate) fn spec_for_replay(mut spec: PipelineSpec) -> PipelineSpec {
    spec.client.auth = without_keys(spec.client.auth);
    for resource in &mut spec.resources {
        resource.endpoint.auth = resource.endpoint.auth.take().map(|auth| without_keys((*auth).clone()).into());
    }
    spec
}

fn without_keys(auth: Auth) -> Auth {
    match auth {
        Auth::OAuth2RefreshToken(spec) => Auth::OAuth2RefreshToken(crate::spec::RefreshTokenSpec {
            refresh_token: Some(Secret::new(MARK)),
            file: None,
            ..spec
        }),
        // Nobody checks the signature, so it needs no key of its kind.
        Auth::Jwt(spec) => {
            Auth::Jwt(crate::spec::JwtSpec { algorithm: JwtAlgorithm::Hs256, key: Secret::new(MARK), ..spec })
        }
        other @ (Auth::None
        | Auth::Bearer { .. }
        | Auth::HttpBasic { .. }
        | Auth::ApiKey { .. }
        | Auth::Headers(_)
        | Auth::OAuth2ClientCredentials(_)
        | Auth::Session(_)) => other,
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    serde_json::from_str(&text)
        .map_err(|error| Error::config(format!("{} is not part of a cassette: {error}", path.display())))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::config(format!("the cassette cannot be read at {}", path.display()))
        .with_source(error)
        .with_hint("a cassette is the folder that `lakefeed run --record` wrote")
}
