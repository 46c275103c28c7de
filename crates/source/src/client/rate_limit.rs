//! How fast requests may follow each other: a token bucket. Pure; time comes in as a number.

use std::time::Duration;

use crate::spec::RateLimitSpec;

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    /// Now.
    Go,
    /// After this long; ask again then.
    Wait(Duration),
}

/// A bucket that fills with `requests_per_second` and holds a second's worth, one request at least.
#[derive(Debug)]
pub(super) struct RateLimiter {
    per_second: f64,
    capacity: f64,
    filled: f64,
    at: Duration,
}

impl RateLimiter {
    pub(super) fn new(spec: RateLimitSpec, now: Duration) -> Self {
        let capacity = spec.requests_per_second.max(1.0);
        Self { per_second: spec.requests_per_second, capacity, filled: capacity, at: now }
    }

    /// Takes a permit, or says how long until there is one.
    pub(super) fn take(&mut self, now: Duration) -> Permit {
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now.max(self.at);
        self.filled = (self.filled + elapsed * self.per_second).min(self.capacity);
        // A nanosecond of rounding must not cost another round.
        if self.filled >= 1.0 - 1e-9 {
            self.filled -= 1.0;
            return Permit::Go;
        }
        let missing = (1.0 - self.filled) / self.per_second;
        Permit::Wait(Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX) + Duration::from_nanos(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever waits as told never sends more than the rate and one bucket, and always gets a
        /// permit after one wait.
        #[test]
        fn no_more_than_the_rate_passes(rate in 0.1_f64..200.0, pauses in prop::collection::vec(0_u64..2_000, 1..100)) {
            let mut limiter = RateLimiter::new(RateLimitSpec { requests_per_second: rate }, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut sent = 0.0;
            for pause in pauses {
                now += Duration::from_millis(pause);
                if let Permit::Wait(wait) = limiter.take(now) {
                    now += wait;
                    prop_assert_eq!(limiter.take(now), Permit::Go);
                }
                sent += 1.0;
                prop_assert!(sent <= rate.max(1.0) + now.as_secs_f64() * rate + 1e-3);
            }
        }
    }
}
