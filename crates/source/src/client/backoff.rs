//! How long to wait before the next try. Pure.

use std::time::Duration;

use crate::spec::RetrySpec;

/// Returns the planned wait before retry `retry` (from 1), without jitter:
/// `backoff_factor · 2^(retry-1)` seconds, capped.
pub(super) fn planned_wait(spec: &RetrySpec, retry: u32) -> Duration {
    // 2^1023 is the largest power of two of a double; an infinite one would turn a factor of 0 into
    // nonsense.
    let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX).min(1_023);
    let seconds = spec.backoff_factor * 2_f64.powi(exponent);
    Duration::try_from_secs_f64(seconds).unwrap_or(spec.max_wait).min(spec.max_wait)
}

/// Returns `wait` and a random share of it, `spec.jitter` at most; `random` is in `0.0..1.0`. The
/// cap holds for the sum.
pub(super) fn with_jitter(spec: &RetrySpec, wait: Duration, random: f64) -> Duration {
    let share = wait.as_secs_f64() * (spec.jitter * random).clamp(0.0, 1.0);
    wait.saturating_add(Duration::try_from_secs_f64(share).unwrap_or(Duration::MAX)).min(spec.max_wait)
}

/// A small seeded source of randomness (`SplitMix64`): enough to keep clients out of step, and it
/// replays.
#[derive(Debug)]
pub(super) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next number in `0.0..1.0`.
    pub(super) fn next(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let top = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(backoff_factor: f64, jitter: f64, max_wait: Duration) -> RetrySpec {
        RetrySpec { statuses: Vec::new(), max_retries: 3, backoff_factor, max_wait, jitter }
    }

    #[test]
    fn a_factor_of_zero_never_waits() {
        let spec = spec(0.0, 0.0, Duration::from_secs(300));
        for retry in [1, 2, 1_024, 1_025, u32::MAX] {
            assert_eq!(planned_wait(&spec, retry), Duration::ZERO, "retry {retry}");
        }
    }

    proptest! {
        #[test]
        fn jitter_only_adds_and_stays_below_the_cap(
            factor in 0.0_f64..1e9, retry in 1_u32.., jitter in 0.0_f64..2.0, seed in any::<u64>(), cap in any::<u64>()
        ) {
            let spec = spec(factor, jitter, Duration::from_secs(cap));
            let random = Jitter::new(seed).next();
            prop_assert!((0.0..1.0).contains(&random));
            let planned = planned_wait(&spec, retry);
            let wait = with_jitter(&spec, planned, random);
            prop_assert!(wait >= planned && wait <= spec.max_wait);
        }
    }
}
