//! Time windows: a range in parts of one length, made one by one, however many there are.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::value::{self, ValueError, Writing};
use crate::spec::CursorValue;

/// One time window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Where it starts, inclusive.
    pub from: CursorValue,
    /// Where it ends, exclusive.
    pub to: CursorValue,
}

/// The windows of a range, one after the other without a gap. Takes the same memory for a window as
/// for a million.
#[derive(Debug, Clone)]
pub struct Windows {
    next: DateTime<Utc>,
    end: DateTime<Utc>,
    step: TimeDelta,
    writing: Writing,
}

impl Windows {
    /// Returns the windows of the length `step` from `start` to `end`; values are written as
    /// `start` is.
    ///
    /// # Errors
    /// When `start` is no instant.
    pub(super) fn new(start: &CursorValue, end: DateTime<Utc>, step: Duration) -> Result<Self, ValueError> {
        // An instant has milliseconds, so a shorter step would stand still.
        let step = TimeDelta::from_std(step).unwrap_or(TimeDelta::MAX).max(TimeDelta::milliseconds(1));
        Ok(Self { next: value::instant(start)?, end, step, writing: Writing::of(start)? })
    }

    /// Returns how many windows are left.
    pub fn count_left(&self) -> u64 {
        let range = (self.end - self.next).num_milliseconds();
        u64::try_from(range).unwrap_or(0).div_ceil(u64::try_from(self.step.num_milliseconds()).unwrap_or(1).max(1))
    }
}

impl Iterator for Windows {
    type Item = Window;

    fn next(&mut self) -> Option<Window> {
        if self.next >= self.end {
            return None;
        }
        let to = self.next.checked_add_signed(self.step).unwrap_or(self.end).min(self.end);
        let window = Window { from: self.writing.write(self.next), to: self.writing.write(to) };
        self.next = to;
        Some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(start: &str, end: &str, step: u64) -> Windows {
        let start = match start.parse::<i64>() {
            Ok(_) => CursorValue::Number(start.to_owned()),
            Err(_) => CursorValue::Text(start.to_owned()),
        };
        Windows::new(&start, end.parse().unwrap(), Duration::from_secs(step)).unwrap()
    }

    #[test]
    fn they_follow_each_other_and_are_written_as_the_start_is() {
        for (start, end, step, expected) in [
            (
                "2026-11-20",
                "2026-11-22T12:00:00Z",
                86_400,
                &["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-22"][..],
            ),
            (
                "2026-11-20T00:00:00+01:00",
                "2026-11-20T00:00:00Z",
                7200,
                &["2026-11-20T00:00:00+01:00", "2026-11-20T01:00:00+01:00"],
            ),
            ("1795132800", "2026-11-20T02:00:01Z", 3600, &["1795132800", "1795136400", "1795140000", "1795140001"]),
            ("1795132800000", "2026-11-20T00:00:01Z", 3600, &["1795132800000", "1795132801000"]),
            ("2026-11-20", "2026-11-20T00:00:00Z", 1, &[]),
            ("2026-11-20", "2026-11-19T00:00:00Z", 1, &[]),
        ] {
            let windows = windows(start, end, step);
            let count = windows.count_left();
            let found: Vec<Window> = windows.collect();
            let expected: Vec<(&str, &str)> =
                expected.iter().zip(expected.iter().skip(1)).map(|(from, to)| (*from, *to)).collect();
            assert_eq!(
                found.iter().map(|found| (found.from.as_str(), found.to.as_str())).collect::<Vec<_>>(),
                expected
            );
            assert_eq!(count, found.len() as u64, "{start}");
        }
    }

    /// Made at once, they would fill any memory.
    #[test]
    fn of_any_number_of_windows_only_the_next_one_is_there() {
        let mut windows = windows("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", 1);
        assert_eq!(windows.count_left(), 315_537_811_200);
        let second = windows.nth(1).unwrap();
        assert_eq!((second.from.as_str(), second.to.as_str()), ("0001-01-01T00:00:01Z", "0001-01-01T00:00:02Z"));
        assert_eq!(windows.count_left(), 315_537_811_198);
    }

    #[test]
    fn a_start_that_is_no_instant_has_no_windows() {
        for start in ["soon", ""] {
            let start = CursorValue::Text(start.to_owned());
            assert!(Windows::new(&start, DateTime::UNIX_EPOCH, Duration::from_secs(1)).is_err());
        }
    }
}
