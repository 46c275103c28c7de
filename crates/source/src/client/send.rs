//! One try after the other: wait for a turn, send, decide, wait, and say what happened.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::Notify;

use super::backoff::{Jitter, with_jitter};
use super::excerpt;
use super::pace::{Pace, Start, exhausted_for};
use super::rate_limit::{Permit, RateLimiter};
use super::retry::{GiveUp, Outcome, RetryDecision, RetryState, is_passing};
use super::secrets::Secrets;
use super::transport::{Purpose, SendLimits, SharedTransport, TransportError, TransportErrorKind};
use crate::spec::{Action, ResponseAction, RetrySpec};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, HttpFailure};
use lakefeed_model::event::{Observer, Retry, RunEvent};

/// What to do when the token endpoint refuses the client.
pub(super) const REFUSED_CLIENT: &str =
    "check client_id, client_secret, client_authentication and token_url in client.auth";

/// Sends requests of one client, politely.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) transport: SharedTransport,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) retry: RetrySpec,
    pub(super) limits: SendLimits,
    pub(super) rate_limiter: Option<Mutex<RateLimiter>>,
    /// Of the requests to the API; those to the token endpoint keep the rate only.
    pub(super) paces: Mutex<Paces>,
    /// A request has ended.
    pub(super) ended: Notify,
    pub(super) jitter: Mutex<Jitter>,
    /// What no message may hold.
    pub(super) secrets: Secrets,
}

/// The pace of each host.
#[derive(Debug)]
pub(super) struct Paces {
    concurrency: usize,
    hosts: HashMap<String, Pace>,
}

impl Paces {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { concurrency, hosts: HashMap::new() }
    }

    fn of(&mut self, host: &str) -> &mut Pace {
        let concurrency = self.concurrency;
        self.hosts.entry(host.to_owned()).or_insert_with(|| Pace::new(concurrency))
    }
}

/// A request to a host that is under way; dropping it says that it has ended.
pub(super) struct Turn<'s> {
    sender: &'s Sender,
    host: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.sender.paces().of(&self.host).ended();
        self.sender.ended.notify_waiters();
    }
}

/// What one try led to.
pub(super) enum Attempt {
    /// An answer to take.
    Accepted(http::Response<Bytes>),
    /// Try again now; the wait is over.
    Again,
    /// An answer that a response action ignores.
    Ignored,
    /// No more tries.
    Failed(Failure),
}

/// Who failed, which decides where the operator should look.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// The API itself, and what to do when it refuses the credentials.
    Api { when_refused: &'static str },
    /// The token endpoint.
    TokenEndpoint,
}

/// A request that failed for good. Shows neither URL nor body, since both may hold secrets.
pub(super) struct Failure {
    pub(super) cause: Cause,
    reason: GiveUp,
    tries: u32,
    elapsed: Duration,
    /// What the answer said, without secrets.
    excerpt: Option<String>,
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

    /// Sends the same request for a token until it is answered with a success, or there is no more
    /// hope.
    pub(super) async fn send(
        &self,
        resource: &str,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Failure> {
        request.extensions_mut().insert(Purpose::Credentials);
        let mut tries = RetryState::default();
        loop {
            self.wait_for_rate().await;
            match self.attempt(None, resource, request.clone(), &[], &mut tries).await {
                Attempt::Accepted(response) => return Ok(response),
                // Without actions, nothing is ignored.
                Attempt::Again | Attempt::Ignored => {}
                Attempt::Failed(failure) => return Err(failure),
            }
        }
    }

    /// Returns one try, in a turn that [`Self::wait_for_turn`] gave. Waits for the back-off after
    /// it when another one is worth it.
    pub(super) async fn attempt(
        &self,
        turn: Option<Turn<'_>>,
        resource: &str,
        request: http::Request<Bytes>,
        actions: &[ResponseAction],
        tries: &mut RetryState,
    ) -> Attempt {
        self.observe(&RunEvent::RequestSent { resource: resource.to_owned() });
        tries.begin(self.clock.monotonic());
        let sent = request.clone();
        let host = turn.as_ref().map(|turn| turn.host.clone());
        let result = self.transport.send(request, self.limits).await;
        drop(turn);
        if let Ok(response) = &result {
            self.secrets.learn_cookies(response.headers());
            if let Some(host) = &host {
                self.keep_budget(host, response);
            }
        }
        let action = result.as_ref().ok().and_then(|response| action_on(response, actions));
        let outcome = match (&result, action) {
            (Ok(_), Some(Action::Ignore)) => return Attempt::Ignored,
            (Ok(response), Some(Action::Retry)) => Outcome::Unwanted(response.status(), response.headers()),
            (Ok(_), Some(Action::Fail)) => Outcome::Final,
            (Ok(response), None) => Outcome::Answered(response.status(), response.headers()),
            (Err(error), _) => Outcome::Failed(error),
        };
        match tries.next(&self.retry, &outcome, self.clock.now()) {
            RetryDecision::Accept => {}
            RetryDecision::GiveUp(reason) => return Attempt::Failed(self.failure(&sent, result, reason, tries)),
            RetryDecision::Retry { wait, reason } => {
                let random = self.jitter.lock().unwrap_or_else(PoisonError::into_inner).next();
                let wait = with_jitter(&self.retry, wait, random);
                let status = result.as_ref().ok().map(|response| response.status().as_u16());
                let retry = Retry { status, wait_seconds: wait.as_secs_f64(), reason };
                self.observe(&RunEvent::RetryScheduled { resource: resource.to_owned(), retry });
                if let (Some(host), Some(429)) = (&host, status) {
                    self.paces().of(host).slow_down(self.clock.monotonic().saturating_add(wait));
                }
                self.clock.sleep(wait).await;
                return Attempt::Again;
            }
        }
        match result {
            Ok(response) => Attempt::Accepted(response),
            Err(_) => Attempt::Failed(self.failure(&sent, result, GiveUp::Futile, tries)),
        }
    }

    fn failure(
        &self,
        sent: &http::Request<Bytes>,
        result: Result<http::Response<Bytes>, TransportError>,
        reason: GiveUp,
        tries: &RetryState,
    ) -> Failure {
        let (cause, excerpt) = match result {
            Ok(response) => {
                let of_token_endpoint = sent.extensions().get() == Some(&Purpose::Credentials);
                let excerpt = excerpt::of_body(response.body(), &self.secrets.with_those_of(sent), of_token_endpoint);
                (Cause::Status(response), excerpt)
            }
            Err(error) => (Cause::Transport(error), None),
        };
        Failure { cause, reason, tries: tries.failures(), elapsed: tries.since_first(self.clock.monotonic()), excerpt }
    }

    /// Waits until a request to `host` may go, by its pace and by the rate limit.
    pub(super) async fn wait_for_turn(&self, host: &str) -> Option<Turn<'_>> {
        loop {
            let ended = self.ended.notified();
            let start = self.paces().of(host).start(self.clock.monotonic());
            match start {
                Start::Go => break,
                Start::Wait(wait) => self.clock.sleep(wait).await,
                Start::Full => ended.await,
            }
        }
        let turn = Turn { sender: self, host: host.to_owned() };
        self.wait_for_rate().await;
        Some(turn)
    }

    /// Learns from an answer: a success lets more requests be under way, a budget that is used up
    /// lets none start before its reset.
    fn keep_budget(&self, host: &str, response: &http::Response<Bytes>) {
        let mut paces = self.paces();
        let pace = paces.of(host);
        if response.status().is_success() {
            pace.succeeded();
        }
        if let Some(wait) = exhausted_for(response.headers(), self.clock.now()) {
            pace.pause(self.clock.monotonic().saturating_add(wait.min(self.retry.max_wait)));
        }
    }

    fn paces(&self) -> MutexGuard<'_, Paces> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the rate limit lets a request go.
    async fn wait_for_rate(&self) {
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

/// Returns the first action that an answer fits, as in dlt: by status, by a string within the body,
/// or by both.
fn action_on(response: &http::Response<Bytes>, actions: &[ResponseAction]) -> Option<Action> {
    let fits = |action: &&ResponseAction| {
        action.status.is_none_or(|status| status == response.status())
            && action.content.as_ref().is_none_or(|content| contains(response.body(), content.as_bytes()))
    };
    actions.iter().find(fits).map(|action| action.action)
}

fn contains(body: &[u8], content: &[u8]) -> bool {
    content.is_empty() || body.windows(content.len()).any(|window| window == content)
}

impl Failure {
    /// Returns the status of the answer that the request failed with.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match &self.cause {
            Cause::Status(response) => Some(response.status()),
            Cause::Transport(_) => None,
        }
    }

    /// Returns the failure as facts; `place` is the request's method and redacted URL.
    pub(super) fn facts(&self, place: &str) -> HttpFailure {
        let (method, url) = place.split_once(' ').unwrap_or(("", place));
        let mut facts = HttpFailure::new(method, url);
        facts.status = self.status().map(|status| status.as_u16());
        facts.body_excerpt.clone_from(&self.excerpt);
        facts.tries = self.tries.max(1);
        facts.elapsed = self.elapsed;
        facts
    }

    /// Returns the failure for the operator; `place` is the request's method and redacted URL.
    pub(super) fn into_error(self, place: &str, asked: Asked) -> Error {
        let facts = self.facts(place);
        let tries = match self.tries {
            0 | 1 => String::new(),
            tries => format!(" after {tries} tries"),
        };
        let error = match self.cause {
            Cause::Status(response) => {
                let status = response.status();
                asked.status_error(status, self.reason, format!("{place} answered {status}{tries}"))
            }
            Cause::Transport(error) => {
                asked.transport_error(error.kind, format!("{place} failed{tries}: {error}")).with_source(error)
            }
        };
        error.with_http(facts)
    }
}

impl Asked {
    /// Returns where the address is written.
    fn address(self) -> &'static str {
        match self {
            Self::Api { .. } => "client.base_url and endpoint.path",
            Self::TokenEndpoint => "client.auth.token_url",
        }
    }

    fn status_error(self, status: StatusCode, reason: GiveUp, message: String) -> Error {
        let has_failed = reason == GiveUp::Exhausted;
        match (self, status.as_u16()) {
            (_, 429) => Error::source_failed(message)
                .with_hint("lower client.rate_limit.requests_per_second, or raise client.retry.max_retries"),
            (_, 408 | 500..=599) => Error::source_failed(message).with_hint("the API has a problem; run again later"),
            // A status that is tried again says nothing for good, whatever it is.
            _ if has_failed => Error::source_failed(message)
                .with_hint("client.retry.statuses or endpoint.response_actions has it tried again; run again later"),
            (Self::Api { when_refused }, 401 | 403) => Error::auth(message).with_hint(when_refused),
            (Self::TokenEndpoint, 400 | 401 | 403) => Error::auth(message).with_hint(REFUSED_CLIENT),
            (_, 200..=299) => {
                Error::source_unreadable(message).with_hint("a response action of endpoint.response_actions says so")
            }
            (_, 404 | 405 | 410) => Error::refused(message).with_hint(format!("check {}", self.address())),
            (_, 300..=399) => {
                Error::refused(message).with_hint(format!("check {}: it leads elsewhere", self.address()))
            }
            (Self::Api { .. }, 400..=499) => Error::refused(message).with_hint(
                "the API will not take this request: mend what the endpoint asks for (path, params, headers, body)",
            ),
            (Self::TokenEndpoint, 400..=499) => Error::refused(message).with_hint(REFUSED_CLIENT),
            _ => Error::source_unreadable(message),
        }
    }

    fn transport_error(self, kind: TransportErrorKind, message: String) -> Error {
        let error = match kind {
            TransportErrorKind::Redirect => Error::refused(message),
            _ => Error::source_failed(message).with_retryable(is_passing(kind)),
        };
        match self.transport_hint(kind) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn transport_hint(self, kind: TransportErrorKind) -> Option<String> {
        match kind {
            TransportErrorKind::Connect => {
                Some(format!("check {}, and that it can be reached from here", self.address()))
            }
            TransportErrorKind::BodyTooLarge => {
                Some("ask for smaller pages (paginator.limit), or raise limits.page_bytes_max".to_owned())
            }
            TransportErrorKind::Timeout => {
                Some("ask for smaller pages (paginator.limit), or raise client.timeouts".to_owned())
            }
            TransportErrorKind::Redirect => Some(format!(
                "credentials stay on the origin that they are meant for; if the API has moved, change {}",
                self.address()
            )),
            TransportErrorKind::Cassette => Some(
                "a replay asks what the recorded run asked: use the same pipeline file, resources and range; record to a folder with space"
                    .to_owned(),
            ),
            TransportErrorKind::Truncated | TransportErrorKind::Closed | TransportErrorKind::Other => None,
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
