//! One try after the other: wait for a turn, send, decide, wait, and say what happened.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;

use super::backoff::{Jitter, with_jitter};
use super::rate_limit::{Permit, RateLimiter};
use super::retry::{Outcome, RetryDecision, RetryState};
use super::transport::{SendLimits, SharedTransport, TransportError};
use crate::clock::Clock;
use crate::error::Error;
use crate::event::{Observer, Retry, RunEvent};
use crate::spec::RetrySpec;

/// Sends requests of one client, politely.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) transport: SharedTransport,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) retry: RetrySpec,
    pub(super) limits: SendLimits,
    pub(super) rate_limiter: Option<Mutex<RateLimiter>>,
    pub(super) jitter: Mutex<Jitter>,
}

/// What one try led to.
pub(super) enum Attempt {
    /// An answer to take.
    Accepted(http::Response<Bytes>),
    /// Try again now; the wait is over.
    Again,
    /// No more tries.
    Failed(Failure),
}

/// A request that failed for good. Shows neither URL nor body, since both may hold secrets.
pub(super) struct Failure {
    pub(super) cause: Cause,
    tries: u32,
}

pub(super) enum Cause {
    Status(http::Response<Bytes>),
    Transport(TransportError),
}

impl Sender {
    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(super) fn observe(&self, event: &RunEvent) {
        self.observer.observe(event);
    }

    /// Sends the same request until it is answered with a success, or there is no more hope.
    pub(super) async fn send(
        &self,
        resource: &str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Failure> {
        let mut tries = RetryState::default();
        loop {
            match self.attempt(resource, request.clone(), &mut tries).await {
                Attempt::Accepted(response) => return Ok(response),
                Attempt::Again => {}
                Attempt::Failed(failure) => return Err(failure),
            }
        }
    }

    /// One try. Waits for the rate limit before it and, when it is worth another one, for the back-off after it.
    pub(super) async fn attempt(
        &self,
        resource: &str,
        request: http::Request<Bytes>,
        tries: &mut RetryState,
    ) -> Attempt {
        self.wait_for_turn().await;
        self.observe(&RunEvent::RequestSent { resource: resource.to_owned() });
        let result = self.transport.send(request, self.limits).await;
        let outcome = match &result {
            Ok(response) => Outcome::Answered(response.status(), response.headers()),
            Err(error) => Outcome::Failed(error),
        };
        match tries.next(&self.retry, &outcome, self.clock.now()) {
            RetryDecision::Accept => {}
            RetryDecision::GiveUp => {
                let cause = match result {
                    Ok(response) => Cause::Status(response),
                    Err(error) => Cause::Transport(error),
                };
                return Attempt::Failed(Failure { cause, tries: tries.failures() });
            }
            RetryDecision::Retry { wait, reason } => {
                let random = self.jitter.lock().unwrap_or_else(PoisonError::into_inner).next();
                let wait = with_jitter(&self.retry, wait, random);
                let status = result.as_ref().ok().map(|response| response.status().as_u16());
                let retry = Retry { status, wait_seconds: wait.as_secs_f64(), reason };
                self.observe(&RunEvent::RetryScheduled { resource: resource.to_owned(), retry });
                self.clock.sleep(wait).await;
                return Attempt::Again;
            }
        }
        match result {
            Ok(response) => Attempt::Accepted(response),
            Err(error) => Attempt::Failed(Failure { cause: Cause::Transport(error), tries: tries.failures() }),
        }
    }

    async fn wait_for_turn(&self) {
        let Some(limiter) = &self.rate_limiter else { return };
        loop {
            let permit = limiter.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.monotonic());
            match permit {
                Permit::Go => return,
                Permit::Wait(wait) => self.clock.sleep(wait).await,
            }
        }
    }
}

impl Failure {
    /// The status of the answer that the request failed with.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match &self.cause {
            Cause::Status(response) => Some(response.status()),
            Cause::Transport(_) => None,
        }
    }

    /// The failure for the operator; `place` is the request's method and redacted URL.
    pub(super) fn into_error(self, place: &str) -> Error {
        let tries = match self.tries {
            0 | 1 => String::new(),
            tries => format!(" after {tries} tries"),
        };
        match self.cause {
            Cause::Status(response) => {
                let status = response.status();
                let answered = format!("{place} answered {status}{tries}");
                match status.as_u16() {
                    401 | 403 => {
                        Error::auth(answered).with_hint("check the credentials and what they are allowed to read")
                    }
                    404 => Error::source_failed(answered).with_hint("check client.base_url and endpoint.path"),
                    429 => Error::source_failed(answered)
                        .with_hint("lower client.rate_limit.requests_per_second, or raise client.retry.max_retries"),
                    500..=599 => Error::source_failed(answered).with_hint("the API has a problem; run again later"),
                    300..=399 => {
                        Error::source_failed(answered).with_hint("check the path: the API answers with a redirect")
                    }
                    _ => Error::source_failed(answered),
                }
            }
            Cause::Transport(error) => {
                let shown = Error::source_failed(format!("{place} failed{tries}: {error}"));
                match error.kind {
                    super::TransportErrorKind::Connect => {
                        shown.with_hint("check client.base_url, and that the API can be reached from here")
                    }
                    super::TransportErrorKind::BodyTooLarge => {
                        shown.with_hint("ask for smaller pages (paginator.limit), or raise limits.page_bytes_max")
                    }
                    super::TransportErrorKind::Timeout => {
                        shown.with_hint("ask for smaller pages (paginator.limit), or raise client.timeouts")
                    }
                    super::TransportErrorKind::Redirect => shown.with_hint(
                        "credentials go only to the origin of base_url; if the API has moved, change base_url",
                    ),
                    super::TransportErrorKind::Truncated
                    | super::TransportErrorKind::Closed
                    | super::TransportErrorKind::Other => shown,
                }
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Status(response) => write!(f, "status {}", response.status()),
            Cause::Transport(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self}, {} tries)", self.tries)
    }
}

impl std::error::Error for Failure {}
