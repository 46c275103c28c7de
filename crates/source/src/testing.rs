//! An API that answers as a test says. Embedding programs find it in `lakefeed::testing`.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;

use crate::client::{SendLimits, Transport, TransportError, TransportErrorKind};

/// What a transport returns.
pub type Answer = Result<http::Response<Bytes>, TransportError>;

/// A transport without a network, which answers by a function and keeps the requests.
///
/// ```
/// use lakefeed_source::testing::{ScriptedTransport, answer};
///
/// let api = ScriptedTransport::new(|request| async move {
///     match request.uri().path() {
///         "/v1/events" => answer::json(&serde_json::json!({"items": [1, 2, 3]})),
///         _ => answer::status(404),
///     }
/// });
/// assert!(api.seen().is_empty());
/// ```
pub struct ScriptedTransport {
    script: Box<dyn Fn(http::Request<Bytes>) -> BoxFuture<'static, Answer> + Send + Sync>,
    seen: Mutex<Vec<http::Request<Bytes>>>,
}

impl ScriptedTransport {
    /// Answers each request by `script`.
    pub fn new<A: Future<Output = Answer> + Send + 'static>(
        script: impl Fn(http::Request<Bytes>) -> A + Send + Sync + 'static,
    ) -> Self {
        Self { script: Box::new(move |request| Box::pin(script(request))), seen: Mutex::default() }
    }

    /// Returns the requests so far, in the order in which they came.
    pub fn seen(&self) -> Vec<http::Request<Bytes>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for ScriptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedTransport").field("seen", &self.seen).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for ScriptedTransport {
    async fn send(&self, request: http::Request<Bytes>, _: SendLimits) -> Answer {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        (self.script)(request).await
    }
}

/// Answers, and what they depend on.
pub mod answer {
    use super::{Answer, Bytes, TransportError, TransportErrorKind};

    /// Returns a page with status 200.
    pub fn json(page: &serde_json::Value) -> Answer {
        let mut response = http::Response::new(Bytes::from(page.to_string()));
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        Ok(response)
    }

    /// Returns a status without a body. One that is none is 500.
    pub fn status(status: u16) -> Answer {
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        Ok(response)
    }

    /// Returns a failure: there is no whole answer.
    pub fn failure(kind: TransportErrorKind) -> Answer {
        Err(TransportError::new(kind, "as the test says"))
    }

    /// Returns the last parameter of that name in a request's query.
    pub fn parameter(request: &http::Request<Bytes>, name: &str) -> Option<String> {
        let query = request.uri().query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(known, _)| known == name).last().map(|(_, value)| value.into_owned())
    }
}
