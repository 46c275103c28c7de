//! Dates and times that are not written in the usual form of their column, and yet say exactly one
//! thing.
//!
//! | column | taken beside the usual form |
//! | --- | --- |
//! | an instant | an offset without a colon or without minutes (`+0200`, `+02`), a time without seconds, a date: midnight UTC |
//! | a date and time | a time without seconds, a date: midnight |
//! | a date | midnight of a date and time, in UTC or without an offset |
//! | a time of day | one without seconds |
//!
//! and a count of time since 1970 where the schema says what it counts.

use crate::decode::value::number::{NumberFault, as_number, to_decimal};
use crate::decode::value::timestamp::{
    FIRST_SECOND, LAST_SECOND, SECONDS_PER_DAY, TimeFault, date, instant_in, join, local_in, time_in, whole,
};
use lakefeed_model::schema::TimeUnit;

/// `2026-11-23T08:00`
const MINUTE_LENGTH: usize = 16;

/// Returns the instant that `text` is.
pub(crate) fn any_instant<const DIGITS: u32>(text: &str, counts: Option<TimeUnit>) -> Result<i64, TimeFault> {
    any_date_time::<DIGITS>(text, counts, &|text| whole(text.as_bytes(), instant_in::<DIGITS>))
}

/// Returns the date and time without an offset that `text` is.
pub(crate) fn any_local<const DIGITS: u32>(text: &str, counts: Option<TimeUnit>) -> Result<i64, TimeFault> {
    any_date_time::<DIGITS>(text, counts, &|text| whole(text.as_bytes(), local_in::<DIGITS>))
}

fn any_date_time<const DIGITS: u32>(
    text: &str,
    counts: Option<TimeUnit>,
    usual: &dyn Fn(&str) -> Result<i64, TimeFault>,
) -> Result<i64, TimeFault> {
    if let Ok(days) = whole(text.as_bytes(), date) {
        return join::<DIGITS>(i64::from(days) * SECONDS_PER_DAY, 0);
    }
    if let (Some(unit), Some(number)) = (counts, as_number(text)) {
        return from_count::<DIGITS>(number.text, unit).map_err(TimeFault::from);
    }
    usual(&spelled_out(text).unwrap_or_else(|| text.to_owned()))
}

/// Returns the date that `text` is.
pub(crate) fn any_date(text: &str) -> Result<i32, TimeFault> {
    let day = whole(text.as_bytes(), date);
    let (Err(fault), Some((start, _))) = (day, text.split_at_checked(10)) else { return day };
    let midnight = any_instant::<9>(text, None).or_else(|_| any_local::<9>(text, None));
    let day = whole(start.as_bytes(), date)?;
    if midnight == join::<9>(i64::from(day) * SECONDS_PER_DAY, 0) { Ok(day) } else { Err(fault) }
}

/// Returns the time of day that `text` is.
pub(crate) fn any_time_of_day<const DIGITS: u32>(text: &str) -> Result<i64, TimeFault> {
    let usual = whole(text.as_bytes(), time_in::<DIGITS>);
    if text.len() == 5 { whole(format!("{text}:00").as_bytes(), time_in::<DIGITS>) } else { usual }
}

/// Returns a date and time with what ISO 8601 lets one leave out: seconds, and the colon and the
/// minutes of an offset.
fn spelled_out(text: &str) -> Option<String> {
    let (minute, rest) = text.split_at_checked(MINUTE_LENGTH)?;
    let offset = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (seconds, offset) = rest.split_at_checked(offset)?;
    let seconds = if seconds.is_empty() { ":00" } else { seconds };
    let (hours, minutes) = match offset.len() {
        3 => (offset, ":00".to_owned()),
        5 => offset.split_at_checked(3).map(|(hours, minutes)| (hours, format!(":{minutes}")))?,
        _ => (offset, String::new()),
    };
    Some(format!("{minute}{seconds}{hours}{minutes}"))
}

/// Returns the moment that is `number` of `unit` after 1970-01-01T00:00:00Z.
pub(crate) fn from_count<const DIGITS: u32>(number: &str, unit: TimeUnit) -> Result<i64, NumberFault> {
    let count = scaled(number, unit, DIGITS)?;
    let seconds = count.div_euclid(10_i64.pow(DIGITS));
    if (FIRST_SECOND..=LAST_SECOND).contains(&seconds) { Ok(count) } else { Err(NumberFault::OutOfRange) }
}

/// Returns the length of time that is `number` of `unit`, in units of `column`.
pub(crate) fn length_from_count(number: &str, unit: TimeUnit, column: TimeUnit) -> Result<i64, NumberFault> {
    scaled(number, unit, column.digits().into())
}

fn scaled(number: &str, unit: TimeUnit, digits: u32) -> Result<i64, NumberFault> {
    let scale = i64::from(digits) - i64::from(unit.digits());
    let scale = i8::try_from(scale).map_err(|_| NumberFault::OutOfRange)?;
    i64::try_from(to_decimal(number, 38, scale)?).map_err(|_| NumberFault::OutOfRange)
}

impl From<NumberFault> for TimeFault {
    fn from(fault: NumberFault) -> Self {
        match fault {
            NumberFault::OutOfRange => Self::YearOutOfRange,
            NumberFault::Inexact => Self::Inexact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_one_thing_is_taken() {
        let noon = 1_764_072_000_000_000;
        for (text, expected) in [
            ("2025-11-25T12:00Z", Ok(noon)),
            ("2025-11-25 12:00z", Ok(noon)),
            ("2025-11-25T14:00:00+0200", Ok(noon)),
            ("2025-11-25T14:00:00.000+02", Ok(noon)),
            ("2025-11-25T06:30-0530", Ok(noon)),
            ("2025-11-25", Ok(noon - 43_200_000_000)),
            ("0001-01-01", Ok(-62_135_596_800_000_000)),
            ("2025-11-25T12", Err(TimeFault::Form)),
            ("2025-11-25T12:00", Err(TimeFault::OffsetMissing)),
            ("2025-11-25T12:00:0Z", Err(TimeFault::Form)),
            ("2025-11-25T12:00:00+020", Err(TimeFault::Form)),
            ("2025-11-25T12:00:00+2", Err(TimeFault::Form)),
            ("20251125T120000Z", Err(TimeFault::Form)),
            ("2025-11-25T12:00:00+é00", Err(TimeFault::Form)),
            ("2025-02-30", Err(TimeFault::Form)),
            ("1764072000", Err(TimeFault::Form)),
        ] {
            assert_eq!(any_instant::<6>(text, None), expected, "{text}");
        }
        assert_eq!(any_local::<0>("2025-11-25T12:00", None), Ok(noon / 1_000_000));
        assert_eq!(any_local::<0>("2025-11-25T12:00:00.5", None), Err(TimeFault::TooFine));
        assert_eq!(any_instant::<9>("2262-04-11T23:47:16.854775807Z", None), Ok(i64::MAX));
        assert_eq!(any_instant::<9>("2262-04-11T23:47:16.854775808Z", None), Err(TimeFault::BeyondUnit));
        assert_eq!(any_instant::<9>("1677-09-21T00:12:43.145224192Z", None), Ok(i64::MIN));
        for (text, expected) in [
            ("1970-01-02", Ok(1)),
            ("1970-01-02T00:00:00Z", Ok(1)),
            ("1970-01-02 00:00:00.000", Ok(1)),
            ("1970-01-02T00:00:00.000000000001", Err(TimeFault::Form)),
            ("1970-01-02T00:00:00+01:00", Err(TimeFault::Form)),
            ("1970-01-02T00:00:01Z", Err(TimeFault::Form)),
            ("9999-12-31T00:00:00Z", Err(TimeFault::Form)),
        ] {
            assert_eq!(any_date(text), expected, "{text}");
        }
        assert_eq!(any_time_of_day::<3>("10:30"), Ok(37_800_000));
        assert_eq!(any_time_of_day::<3>("10:3"), Err(TimeFault::Form));
    }

    #[test]
    fn counts_are_scaled_exactly() {
        for (number, unit, expected) in [
            ("0", TimeUnit::Second, Ok(0)),
            ("1764072000", TimeUnit::Second, Ok(1_764_072_000_000)),
            ("-1.5", TimeUnit::Second, Ok(-1_500)),
            ("1764072000123", TimeUnit::Millisecond, Ok(1_764_072_000_123)),
            ("1764072000123000", TimeUnit::Microsecond, Ok(1_764_072_000_123)),
            ("1764072000123001", TimeUnit::Microsecond, Err(NumberFault::Inexact)),
            ("1.7640720e9", TimeUnit::Second, Ok(1_764_072_000_000)),
            ("253402300799", TimeUnit::Second, Ok(253_402_300_799_000)),
            ("253402300800", TimeUnit::Second, Err(NumberFault::OutOfRange)),
            ("-62135596801", TimeUnit::Second, Err(NumberFault::OutOfRange)),
            ("1764072000123", TimeUnit::Second, Err(NumberFault::OutOfRange)),
        ] {
            assert_eq!(from_count::<3>(number, unit), expected, "{number} {unit}");
        }
    }
}
