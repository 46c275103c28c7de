//! Waiting for a table that another run holds. The caller says how long, and who hears of it; when
//! to look again is decided here.

use std::sync::Arc;
use std::time::Duration;

use lakefeed_model::error::{Error, ErrorKind, Result};

/// The first pause between two looks; each one is twice as long as the one before it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often a listener hears that the wait goes on.
const REPORTED_EVERY: Duration = Duration::from_secs(10);

/// How long to wait for a table that another run holds, and who hears of it.
#[derive(Debug, Clone)]
pub struct LockWait {
    /// The longest time to wait.
    pub limit: Duration,
    /// Who hears of a wait: when it begins, and every ten seconds from then on.
    pub listener: Arc<dyn LockWaitListener>,
}

/// Hears of waits for tables.
pub trait LockWaitListener: std::fmt::Debug + Send + Sync {
    /// Hears that the table is still held. Must return quickly.
    fn waiting(&self, wait: &LockWaitStatus);
}

/// A wait for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockWaitStatus {
    /// Who holds the table, and since when, in words.
    pub reason: String,
    /// How long the wait has lasted.
    pub waited: Duration,
    /// How long it may last.
    pub limit: Duration,
}

/// The state of one wait. Pure: a refusal and the time go in, a pause comes out.
#[derive(Debug)]
pub(crate) struct LockWaitState {
    began: Duration,
    pause: Duration,
    reported: Option<Duration>,
}

impl LockWaitState {
    /// Begins a wait at the monotonic time `now`.
    pub(crate) fn begin(now: Duration) -> Self {
        Self { began: now, pause: PAUSE_MIN, reported: None }
    }

    /// Returns how long to pause before the next try, after one that ended with `error`.
    ///
    /// # Errors
    /// `error` itself when it is no [`ErrorKind::Conflict`], or when the time is over.
    pub(crate) fn refused(&mut self, error: Error, lock_wait: Option<&LockWait>, now: Duration) -> Result<Duration> {
        let Some(lock_wait) = lock_wait.filter(|_| error.kind() == ErrorKind::Conflict) else { return Err(error) };
        let waited = now.saturating_sub(self.began);
        let left = lock_wait.limit.saturating_sub(waited);
        if left.is_zero() {
            return Err(error.with_hint(format!("it was waited for {} seconds", waited.as_secs())));
        }
        if self.reported.is_none_or(|reported| waited.saturating_sub(reported) >= REPORTED_EVERY) {
            let reason = error.message().to_owned();
            lock_wait.listener.waiting(&LockWaitStatus { reason, waited, limit: lock_wait.limit });
            self.reported = Some(waited);
        }
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(pause)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<Duration>>);

    impl LockWaitListener for Heard {
        fn waiting(&self, wait: &LockWaitStatus) {
            assert_eq!((wait.reason.as_str(), wait.limit), ("held by run x", Duration::from_secs(30)));
            self.0.lock().unwrap().push(wait.waited);
        }
    }

    #[test]
    fn pauses_grow_to_five_seconds_and_the_last_one_ends_with_the_wait() {
        let heard = Arc::new(Heard::default());
        let lock_wait = LockWait { limit: Duration::from_secs(30), listener: Arc::<Heard>::clone(&heard) };
        let held = || Error::conflict("held by run x");
        let began = Duration::from_secs(1_000);
        let mut state = LockWaitState::begin(began);
        let mut now = began;
        let mut pauses = Vec::new();
        let error = loop {
            match state.refused(held(), Some(&lock_wait), now) {
                Ok(pause) => {
                    now += pause;
                    pauses.push(u64::try_from(pause.as_millis()).unwrap());
                }
                Err(error) => break error,
            }
        };
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000, 3_700]);
        assert_eq!(
            (error.kind(), error.hints()),
            (ErrorKind::Conflict, ["it was waited for 30 seconds".to_owned()].as_slice())
        );
        let heard: Vec<u128> = heard.0.lock().unwrap().iter().map(Duration::as_millis).collect();
        assert_eq!(heard, [0, 11_300, 21_300]);
    }

    #[test]
    fn other_errors_and_no_wait_end_it_at_once() {
        let none = LockWait { limit: Duration::ZERO, listener: Arc::new(Heard::default()) };
        let cases = [
            (Error::conflict("held"), None, ErrorKind::Conflict),
            (Error::conflict("held"), Some(&none), ErrorKind::Conflict),
            (Error::storage("away"), Some(&none), ErrorKind::Storage),
        ];
        for (error, lock_wait, kind) in cases {
            let mut state = LockWaitState::begin(Duration::ZERO);
            assert_eq!(state.refused(error, lock_wait, Duration::ZERO).unwrap_err().kind(), kind);
        }
    }
}
