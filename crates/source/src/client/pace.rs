//! How many requests may be under way, and when none may start. Pure; time comes in as a number.
//!
//! Additive increase, multiplicative decrease: a 429 halves what may be under way, a success adds a
//! share of one, up to `client.concurrency`. A 429, a `Retry-After` and a budget that an answer
//! says is used up make everybody wait, not only the request that was told. Where one request after
//! the other is sent, that wait is its own, and nothing is added to it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;

/// Whether a request may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Now. It counts as under way until [`Pace::ended`].
    Go,
    /// After this long; ask again then.
    Wait(Duration),
    /// When another one has ended.
    Full,
}

/// The pace of one client towards one host.
#[derive(Debug)]
pub(super) struct Pace {
    concurrency: f64,
    allowed: f64,
    under_way: u32,
    paused_until: Duration,
}

impl Pace {
    pub(super) fn new(concurrency: usize) -> Self {
        let concurrency = f64::from(u32::try_from(concurrency).unwrap_or(u32::MAX)).max(1.0);
        Self { concurrency, allowed: concurrency, under_way: 0, paused_until: Duration::ZERO }
    }

    pub(super) fn start(&mut self, now: Duration) -> Start {
        if let Some(wait) = self.paused_until.checked_sub(now).filter(|wait| !wait.is_zero()) {
            return Start::Wait(wait);
        }
        if f64::from(self.under_way) + 1.0 > self.allowed {
            return Start::Full;
        }
        self.under_way += 1;
        Start::Go
    }

    pub(super) fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Notes that the API took a request.
    pub(super) fn succeeded(&mut self) {
        self.allowed = (self.allowed + 1.0 / self.allowed).min(self.concurrency);
    }

    /// Notes that the API said that there are too many requests; nobody starts before `until`.
    pub(super) fn slow_down(&mut self, until: Duration) {
        self.allowed = (self.allowed / 2.0).max(1.0);
        self.pause(until);
    }

    /// Lets nobody start before `until`.
    pub(super) fn pause(&mut self, until: Duration) {
        self.paused_until = self.paused_until.max(until);
    }
}

/// Returns how long an answer says that its budget is used up: no request remains until the reset.
/// Understands `RateLimit-Remaining` and `-Reset`, `X-RateLimit-Remaining` and `-Reset` (seconds
/// from now, or since 1970), and `RateLimit` in its written forms
/// (draft-ietf-httpapi-ratelimit-headers: `limit=…, remaining=…, reset=…`, and `"name";r=…;t=…`).
pub(super) fn exhausted_for(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let number = |name: &str| text(name)?.trim().parse::<f64>().ok();
    let written = text("ratelimit").unwrap_or_default();
    let (remaining, reset) = ["ratelimit", "x-ratelimit", "x-rate-limit"]
        .iter()
        .find_map(|prefix| Some((number(&format!("{prefix}-remaining"))?, number(&format!("{prefix}-reset"))?)))
        .or_else(|| Some((part_of(written, "remaining")?, part_of(written, "reset")?)))
        .or_else(|| Some((part_of(written, "r")?, part_of(written, "t")?)))?;
    if remaining > 0.0 {
        return None;
    }
    // No API resets in 30 years: such a number is a time since 1970, perhaps in milliseconds.
    let seconds = match reset {
        reset if reset > 1e12 => reset / 1e3 - epoch(now),
        reset if reset > 1e9 => reset - epoch(now),
        reset => reset,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn epoch(now: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a double for ages")]
    let seconds = now.timestamp() as f64;
    seconds
}

fn part_of(written: &str, name: &str) -> Option<f64> {
    let parts = written.split([',', ';']).filter_map(|part| part.trim().split_once('='));
    parts.filter(|(known, _)| known.trim() == name).find_map(|(_, value)| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_429_makes_everybody_wait_and_halves_what_may_be_under_way() {
        let mut pace = Pace::new(8);
        let starts = |pace: &mut Pace, now| std::iter::from_fn(|| (pace.start(now) == Start::Go).then_some(())).count();
        assert_eq!(starts(&mut pace, Duration::ZERO), 8);
        assert_eq!(pace.start(Duration::ZERO), Start::Full);
        pace.slow_down(3 * SECOND);
        (0..8).for_each(|_| pace.ended());
        assert_eq!(pace.start(SECOND), Start::Wait(2 * SECOND));
        assert_eq!(starts(&mut pace, 3 * SECOND), 4);
        (0..100).for_each(|_| pace.succeeded());
        assert_eq!(starts(&mut pace, 3 * SECOND), 4);
    }

    #[test]
    fn a_used_up_budget_is_read_in_every_form() {
        let now = DateTime::from_timestamp(1_795_392_000, 0).unwrap();
        for (headers, expected) in [
            (&[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")][..], Some(30)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795392060")], Some(60)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795392060000")], Some(60)),
            (&[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "5")], Some(5)),
            (&[("ratelimit", "limit=100, remaining=0, reset=7")], Some(7)),
            (&[("ratelimit", "\"default\";r=0;t=9")], Some(9)),
            (&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "60")], None),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795391000")], None),
            (&[("x-ratelimit-remaining", "0")], None),
            (&[("x-ratelimit-remaining", "none"), ("x-ratelimit-reset", "NaN")], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(http::HeaderName::from_static(name), value.parse().unwrap());
            }
            assert_eq!(exhausted_for(&map, now), expected.map(Duration::from_secs), "{headers:?}");
        }
    }

    proptest! {
        /// Never more under way than allowed, never stuck: with nothing under way and no pause, one
        /// may always start.
        #[test]
        fn the_bound_holds_and_somebody_may_always_start(
            concurrency in 0_usize..50, steps in prop::collection::vec((0_u8..4, 0_u64..5), 0..300)
        ) {
            let mut pace = Pace::new(concurrency);
            let (mut now, mut under_way) = (Duration::ZERO, 0_usize);
            for (step, seconds) in steps {
                now += Duration::from_secs(seconds);
                match step {
                    0 | 1 => match pace.start(now) {
                        Start::Go => under_way += 1,
                        Start::Wait(wait) => prop_assert!(wait <= 4 * SECOND),
                        Start::Full => prop_assert!(under_way > 0),
                    },
                    2 => {
                        pace.succeeded();
                        pace.ended();
                        under_way = under_way.saturating_sub(1);
                    }
                    _ => {
                        pace.slow_down(now + Duration::from_secs(seconds));
                        pace.ended();
                        under_way = under_way.saturating_sub(1);
                    }
                }
                prop_assert!(under_way <= concurrency.max(1));
            }
        }
    }
}
