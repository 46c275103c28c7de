//! Lengths of time: ISO 8601 durations of weeks, days, hours, minutes and seconds, and the `3.5s`
//! of proto3's JSON mapping.
//!
//! Years and months have no fixed length and are refused. A day is 24 hours.

use crate::decode::value::lenient::length_from_count;
use crate::decode::value::number::{NumberFault, as_number, to_decimal};
use crate::decode::value::timestamp::TimeFault;
use lakefeed_model::schema::TimeUnit;

/// Returns the length that `text` says, in `unit`; a bare number counts `counts`.
pub(crate) fn duration(text: &str, unit: TimeUnit, counts: Option<TimeUnit>) -> Result<i64, TimeFault> {
    if let (Some(counted), Some(number)) = (counts, as_number(text)) {
        return length_from_count(number.text, counted, unit).map_err(of_length);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let length = match (unsigned.strip_prefix('P'), unsigned.strip_suffix('s')) {
        (Some(parts), _) => iso(parts, unit)?,
        (None, Some(seconds)) => seconds_of(seconds, unit)?,
        (None, None) => return Err(TimeFault::Form),
    };
    i64::try_from(if negative { -length } else { length }).map_err(|_| TimeFault::BeyondUnit)
}

/// Returns the parts of an ISO 8601 duration after its `P`.
fn iso(parts: &str, unit: TimeUnit) -> Result<i128, TimeFault> {
    let (date, time) = match parts.split_once('T') {
        Some((_, "")) => return Err(TimeFault::Form),
        Some((date, time)) => (date, time),
        None => (parts, ""),
    };
    if date.is_empty() && time.is_empty() {
        return Err(TimeFault::Form);
    }
    let (of_date, rest) = add(date, &[('W', 604_800), ('D', 86_400)], unit)?;
    let (of_time, seconds) = add(time, &[('H', 3_600), ('M', 60)], unit)?;
    let of_seconds = match seconds.strip_suffix('S') {
        Some(seconds) => seconds_of(seconds, unit)?,
        None if seconds.is_empty() => 0,
        None => return Err(TimeFault::Form),
    };
    if !rest.is_empty() {
        return Err(TimeFault::Form);
    }
    of_date.checked_add(of_time).and_then(|sum| sum.checked_add(of_seconds)).ok_or(TimeFault::BeyondUnit)
}

/// Returns the sum of the parts at the start of `text` that have one of `letters`, in their order,
/// and what follows.
fn add<'t>(text: &'t str, letters: &[(char, i128)], unit: TimeUnit) -> Result<(i128, &'t str), TimeFault> {
    let (mut sum, mut rest) = (0_i128, text);
    for (letter, seconds) in letters {
        let Some((count, after)) = rest.split_once(*letter) else { continue };
        let count: u64 = if is_digits(count) {
            count.parse().map_err(|_| TimeFault::BeyondUnit)?
        } else {
            return Err(TimeFault::Form);
        };
        // Below 2^64 · 2^20 · 2^30, added up to at most four times.
        sum += i128::from(count) * seconds * i128::from(unit.per_second());
        rest = after;
    }
    Ok((sum, rest))
}

/// Returns seconds with or without a fraction, in `unit`.
fn seconds_of(text: &str, unit: TimeUnit) -> Result<i128, TimeFault> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    if !is_digits(whole) || fraction.is_some_and(|fraction| !is_digits(fraction)) {
        return Err(TimeFault::Form);
    }
    let scale = i8::try_from(unit.digits()).unwrap_or(0);
    to_decimal(text, 38, scale).map_err(|fault| match of_length(fault) {
        TimeFault::Inexact => TimeFault::TooFine,
        other => other,
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn of_length(fault: NumberFault) -> TimeFault {
    match fault {
        NumberFault::OutOfRange => TimeFault::BeyondUnit,
        NumberFault::Inexact => TimeFault::Inexact,
    }
}

#[cfg(test)]
mod tests {
    use super::TimeFault::*;
    use super::*;

    #[test]
    fn lengths_are_exact_or_refused() {
        for (text, expected) in [
            ("PT0S", Ok(0)),
            ("PT1.5S", Ok(1_500)),
            ("P1DT2H3M4.567S", Ok(93_784_567)),
            ("P2W", Ok(1_209_600_000)),
            ("-PT1M", Ok(-60_000)),
            ("PT36H", Ok(129_600_000)),
            ("PT1.2000S", Ok(1_200)),
            ("3.5s", Ok(3_500)),
            ("-0.001s", Ok(-1)),
            ("PT1.0001S", Err(TooFine)),
            ("P1Y", Err(Form)),
            ("P1M", Err(Form)),
            ("P", Err(Form)),
            ("PT", Err(Form)),
            ("P1DT", Err(Form)),
            ("PT1H1H", Err(Form)),
            ("PT1M1H", Err(Form)),
            ("PT1.5H", Err(Form)),
            ("PT-1H", Err(Form)),
            ("PT1S ", Err(Form)),
            ("P1D2H", Err(Form)),
            ("1h", Err(Form)),
            ("", Err(Form)),
            ("5", Err(Form)),
            ("PT9223372036854775807S", Err(BeyondUnit)),
            ("P99999999999999999999W", Err(BeyondUnit)),
        ] {
            assert_eq!(duration(text, TimeUnit::Millisecond, None), expected, "{text}");
        }
        assert_eq!(duration("90", TimeUnit::Millisecond, Some(TimeUnit::Second)), Ok(90_000));
        assert_eq!(duration("0.0001", TimeUnit::Millisecond, Some(TimeUnit::Second)), Err(Inexact));
        assert_eq!(duration("P1D", TimeUnit::Nanosecond, None), Ok(86_400_000_000_000));
    }

    proptest::proptest! {
        #[test]
        fn a_finer_unit_says_the_same(text in "-?P?([0-9]{1,9}[WDTHMS.]|T){0,6}s?") {
            if let Ok(millis) = duration(&text, TimeUnit::Millisecond, None) {
                let nanos = millis.checked_mul(1_000_000).ok_or(BeyondUnit);
                proptest::prop_assert_eq!(duration(&text, TimeUnit::Nanosecond, None), nanos);
            }
        }
    }
}
