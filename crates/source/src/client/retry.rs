//! Whether a failure is worth another try, and when. Pure: one [`RetryState`] per request, fed with
//! the outcome of each try.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode, header};

use super::backoff::planned_wait;
use super::transport::{TransportError, TransportErrorKind};
use crate::spec::RetrySpec;

/// What became of one try.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// An answer came.
    Answered(StatusCode, &'a HeaderMap),
    /// An answer came that a response action wants to be asked for again.
    Unwanted(StatusCode, &'a HeaderMap),
    /// An answer came that a response action wants to fail.
    Final,
    /// None came, or not all of it.
    Failed(&'a TransportError),
}

/// What to do now, and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RetryDecision {
    /// Take the answer.
    Accept,
    /// Wait (jitter not yet added), then try again.
    Retry {
        /// The planned wait.
        wait: Duration,
        /// Why another try is worth it.
        reason: String,
    },
    /// No more tries.
    GiveUp(GiveUp),
}

/// Why there are no more tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// There were enough, though each was worth it.
    Exhausted,
    /// Another one would not help.
    Futile,
    /// A response action says that the answer is a failure.
    ResponseAction,
}

/// The tries of one request.
#[derive(Debug, Default)]
pub(super) struct RetryState {
    failures: u32,
    /// When the first one began, on the monotonic clock.
    since: Option<Duration>,
}

impl RetryState {
    /// Tries so far that failed.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes note that a try begins at `now`.
    pub(super) fn begin(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// Returns how long the tries have taken at `now`, waits included.
    pub(super) fn since_first(&self, now: Duration) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Takes the last failure back: it was the token's, and the request goes out again with another
    /// one.
    pub(super) fn forgive(&mut self) {
        self.failures = self.failures.saturating_sub(1);
    }

    /// Decides after a try.
    pub(super) fn next(&mut self, spec: &RetrySpec, outcome: &Outcome<'_>, now: DateTime<Utc>) -> RetryDecision {
        let (reason, asked_wait) = match outcome {
            Outcome::Answered(status, _) if status.is_success() => return RetryDecision::Accept,
            Outcome::Answered(status, headers) if spec.statuses.contains(status) => {
                (format!("status {}", status.as_u16()), retry_after(headers, now))
            }
            Outcome::Unwanted(status, headers) => {
                (format!("status {}, response action", status.as_u16()), retry_after(headers, now))
            }
            Outcome::Failed(error) if is_passing(error.kind) => (error.to_string(), None),
            Outcome::Answered(..) | Outcome::Failed(_) => return self.give_up(GiveUp::Futile),
            Outcome::Final => return self.give_up(GiveUp::ResponseAction),
        };
        self.failures += 1;
        if self.failures > spec.max_retries {
            return RetryDecision::GiveUp(GiveUp::Exhausted);
        }
        let planned = planned_wait(spec, self.failures);
        let asked = asked_wait.filter(|asked| *asked > planned).map(|asked| asked.min(spec.max_wait));
        match asked {
            Some(wait) => RetryDecision::Retry { wait, reason: format!("{reason}, Retry-After") },
            None => RetryDecision::Retry { wait: planned, reason },
        }
    }

    fn give_up(&mut self, reason: GiveUp) -> RetryDecision {
        self.failures += 1;
        RetryDecision::GiveUp(reason)
    }
}

/// Returns whether a failure without a whole answer may pass by itself.
pub(super) fn is_passing(kind: TransportErrorKind) -> bool {
    match kind {
        TransportErrorKind::Connect
        | TransportErrorKind::Timeout
        | TransportErrorKind::Truncated
        | TransportErrorKind::Closed => true,
        TransportErrorKind::BodyTooLarge
        | TransportErrorKind::Redirect
        | TransportErrorKind::Cassette
        | TransportErrorKind::Other => false,
    }
}

/// Returns the wait that the server asks for: whole seconds or an HTTP date (RFC 9110 §10.2.3). A
/// date in the past asks for nothing.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(SystemTime::from(now)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec() -> RetrySpec {
        RetrySpec {
            statuses: [429, 500, 502, 503, 504].map(|status| StatusCode::from_u16(status).unwrap()).to_vec(),
            max_retries: 3,
            backoff_factor: 2.0,
            max_wait: Duration::from_secs(300),
            jitter: 0.0,
        }
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_392_000, 0).unwrap()
    }

    fn after(status: u16, retry_after: Option<&str>) -> RetryDecision {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        RetryState::default().next(&spec(), &Outcome::Answered(status, &headers), now())
    }

    fn seconds(decision: &RetryDecision) -> Option<u64> {
        match decision {
            RetryDecision::Retry { wait, .. } => Some(wait.as_secs()),
            RetryDecision::Accept | RetryDecision::GiveUp(_) => None,
        }
    }

    #[test]
    fn three_retries_wait_two_four_and_eight_seconds() {
        let (mut state, headers) = (RetryState::default(), HeaderMap::new());
        let outcome = Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE, &headers);
        let waits: Vec<_> = (0..4).map(|_| seconds(&state.next(&spec(), &outcome, now()))).collect();
        assert_eq!(waits, [Some(2), Some(4), Some(8), None]);
        assert_eq!(state.failures(), 4);
    }

    #[test]
    fn giving_up_has_a_reason() {
        let headers = HeaderMap::new();
        let impatient = RetrySpec { max_retries: 0, ..spec() };
        let answered = |status: u16| Outcome::Answered(StatusCode::from_u16(status).unwrap(), &headers);
        let failed = |kind| TransportError::new(kind, "");
        let (reset, bomb) = (failed(TransportErrorKind::Closed), failed(TransportErrorKind::BodyTooLarge));
        for (outcome, reason) in [
            (answered(503), GiveUp::Exhausted),
            (Outcome::Unwanted(StatusCode::OK, &headers), GiveUp::Exhausted),
            (Outcome::Failed(&reset), GiveUp::Exhausted),
            (Outcome::Failed(&bomb), GiveUp::Futile),
            (answered(400), GiveUp::Futile),
            (Outcome::Final, GiveUp::ResponseAction),
        ] {
            let decision = RetryState::default().next(&impatient, &outcome, now());
            assert_eq!(decision, RetryDecision::GiveUp(reason), "{outcome:?}");
        }
    }

    #[test]
    fn retry_after_wins_when_it_is_longer() {
        let date = |ahead: u64| httpdate::fmt_http_date(SystemTime::from(now()) + Duration::from_secs(ahead));
        for (value, expected) in [
            ("30", 30),
            ("1", 2),
            ("0", 2),
            ("-5", 2),
            ("soon", 2),
            ("99999", 300),
            (date(45).as_str(), 45),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 2),
        ] {
            assert_eq!(seconds(&after(429, Some(value))), Some(expected), "{value}");
        }
    }

    #[test]
    fn other_statuses_are_final() {
        for (status, retry_after) in [(403, None), (404, Some("3")), (302, None)] {
            assert_eq!(after(status, retry_after), RetryDecision::GiveUp(GiveUp::Futile), "{status}");
        }
        assert_eq!(after(204, None), RetryDecision::Accept);
    }

    proptest! {
        #[test]
        fn waits_grow_stay_below_the_cap_and_end(factor in 0.0_f64..1e9, max_retries in 0_u32..80, cap in 0_u64..10_000) {
            let spec = RetrySpec { backoff_factor: factor, max_retries, max_wait: Duration::from_secs(cap), ..spec() };
            let (mut state, headers) = (RetryState::default(), HeaderMap::new());
            let outcome = Outcome::Answered(StatusCode::TOO_MANY_REQUESTS, &headers);
            let (mut last, mut retries) = (Duration::ZERO, 0);
            while let RetryDecision::Retry { wait, .. } = state.next(&spec, &outcome, now()) {
                prop_assert!(wait >= last && wait <= spec.max_wait);
                last = wait;
                retries += 1;
                prop_assert!(retries <= max_retries);
            }
            prop_assert_eq!(retries, max_retries);
        }
    }
}
