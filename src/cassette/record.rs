//! Writing a cassette.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::header;

use super::{Exchange, Head, Outcome, Request, Scrubber};
use crate::client::{Purpose, SendLimits, Transport, TransportError, TransportErrorKind};
use crate::error::{Error, Result};

/// The folder of the exchanges, within a cassette.
pub(super) const EXCHANGES: &str = "exchanges";
/// The file of the head, within a cassette.
pub(super) const HEAD: &str = "cassette.json";

/// A transport that keeps every exchange that goes through it.
#[derive(Debug)]
pub(crate) struct Recorder {
    inner: Arc<dyn Transport>,
    scrubber: Scrubber,
    folder: PathBuf,
    next: AtomicU32,
}

impl Recorder {
    /// Begins a cassette in `folder`, which must be empty or not there yet.
    ///
    /// # Errors
    /// When the folder holds something, or cannot be written.
    pub(crate) fn create(folder: &Path, head: &Head, scrubber: Scrubber, inner: Arc<dyn Transport>) -> Result<Self> {
        let cannot = |error: std::io::Error| {
            Error::config(format!("the cassette {} cannot be written", folder.display())).with_source(error)
        };
        let exchanges = folder.join(EXCHANGES);
        if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::config(format!("the folder {} is not empty", folder.display()))
                .with_hint("give --record a new folder: a cassette holds one run"));
        }
        std::fs::create_dir_all(&exchanges).map_err(cannot)?;
        write(&folder.join(HEAD), &pretty(head)).map_err(cannot)?;
        Ok(Self { inner, scrubber, folder: exchanges, next: AtomicU32::new(1) })
    }

    async fn keep(&self, number: u32, exchange: &Exchange, body: Option<Bytes>) -> std::io::Result<()> {
        if let (Some(body), Outcome::Response { body_file: Some(name), .. }) = (body, &exchange.outcome) {
            tokio::fs::write(self.folder.join(name), body).await?;
        }
        tokio::fs::write(self.folder.join(format!("{number:06}.json")), pretty(exchange)).await
    }

    /// Returns the request as it is kept; the scrubber has learned what it carries.
    fn request(&self, request: &http::Request<Bytes>, is_about_credentials: bool) -> Request {
        let url = request.uri().to_string();
        let url = url::Url::parse(&url).map_or_else(|_| self.scrubber.text(&url), |url| self.scrubber.url(&url));
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Request {
            method: request.method().to_string(),
            url,
            headers: self.scrubber.request_headers(request.headers()),
            body: if is_about_credentials {
                String::new()
            } else {
                self.scrubber.request_body(request.body(), content_type)
            },
        }
    }

    fn outcome(
        &self,
        number: u32,
        result: &Result<http::Response<Bytes>, TransportError>,
        is_about_credentials: bool,
    ) -> (Outcome, Option<Bytes>) {
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                return (Outcome::Failure { kind: error.kind, message: self.scrubber.text(&error.message) }, None);
            }
        };
        let body = if is_about_credentials {
            self.scrubber.credentials(response.body(), response.headers()).into()
        } else {
            self.scrubber.response_body(response.body().clone())
        };
        let extension = match response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
            Some(kind) if kind.contains("json") => "json",
            Some(kind) if kind.starts_with("text/") => "txt",
            Some(_) | None => "bin",
        };
        let body_file = (!body.is_empty()).then(|| format!("{number:06}.body.{extension}"));
        let headers = self.scrubber.response_headers(response.headers());
        (Outcome::Response { status: response.status().as_u16(), headers, body_file }, Some(body))
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let credentials = request.extensions().get::<Purpose>() == Some(&Purpose::Credentials);
        let kept = self.request(&request, credentials);
        let result = self.inner.send(request, limits).await;
        let (outcome, body) = self.outcome(number, &result, credentials);
        let exchange = Exchange { credentials, request: kept, outcome };
        // A cassette with a hole would lie to whoever replays it.
        self.keep(number, &exchange, body).await.map_err(|error| {
            TransportError::new(
                TransportErrorKind::Cassette,
                format!("the exchange cannot be recorded in {}: {error}", self.folder.display()),
            )
        })?;
        result
    }
}

#[expect(clippy::disallowed_methods, reason = "a cassette is no part of a lake")]
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
