//! RFC 3339 dates and times, exactly, without allocation.
//!
//! Taken are years 0001 to 9999, `T`, `t` or a space between date and time, `Z`, `z` or any offset,
//! and as many digits of a second as the column's unit holds; zeros beyond them do no harm, other
//! digits would be lost and are refused. So is a leap second, for which a count of time has no
//! place. `DIGITS` is the unit: 0 digits of a second's fraction, 3, 6 or 9.
//!
//! These are the usual forms. What else is taken, more slowly, is in
//! [`crate::decode::value::lenient`].

/// Why a string is no such date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeFault {
    /// It has another form.
    Form,
    /// There is no such month, day, hour, ….
    NoSuchTime,
    /// Its fraction has digits beyond the column's unit.
    TooFine,
    /// As a number, it has digits beyond the column's unit.
    Inexact,
    /// 64 bits do not hold it in the column's unit.
    BeyondUnit,
    /// It names second 60.
    LeapSecond,
    /// It lies outside of the years 0001 to 9999, in UTC.
    YearOutOfRange,
    /// It has no offset, and the column wants one.
    OffsetMissing,
    /// It has an offset, and the column wants none.
    OffsetUnwanted,
}

pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z.
pub(crate) const FIRST_SECOND: i64 = -719_162 * SECONDS_PER_DAY;
/// 9999-12-31T23:59:59Z.
pub(crate) const LAST_SECOND: i64 = 2_932_897 * SECONDS_PER_DAY - 1;

/// A value and the bytes that follow it.
type Prefix<'t, T> = Result<(T, &'t [u8]), TimeFault>;

/// Reads all of `text` by a reader of its start.
#[inline]
pub(crate) fn whole<'t, T>(text: &'t [u8], prefix: impl Fn(&'t [u8]) -> Prefix<'t, T>) -> Result<T, TimeFault> {
    match prefix(text)? {
        (value, []) => Ok(value),
        _ => Err(TimeFault::Form),
    }
}

/// Returns the microseconds from 1970-01-01T00:00:00Z to the instant at the start of `text`.
#[inline]
pub(crate) fn instant(text: &[u8]) -> Prefix<'_, i64> {
    instant_in::<6>(text)
}

/// Does as [`instant`], in any unit.
#[inline]
pub(crate) fn instant_in<const DIGITS: u32>(text: &[u8]) -> Prefix<'_, i64> {
    let ((seconds, fraction), suffix) = local::<DIGITS>(text)?;
    let (offset, rest) = offset_seconds(suffix)?;
    let Some(offset) = offset else {
        return Err(if suffix.is_empty() { TimeFault::OffsetMissing } else { TimeFault::Form });
    };
    let seconds = seconds - offset;
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        return Err(TimeFault::YearOutOfRange);
    }
    Ok((join::<DIGITS>(seconds, fraction)?, rest))
}

/// Returns seconds and what comes after their point as one count.
#[inline]
pub(crate) fn join<const DIGITS: u32>(seconds: i64, fraction: i64) -> Result<i64, TimeFault> {
    let per_second = 10_i64.pow(DIGITS);
    if DIGITS <= 6 {
        // The years 0001 to 9999 always fit.
        return Ok(seconds * per_second + fraction);
    }
    let count = i128::from(seconds) * i128::from(per_second) + i128::from(fraction);
    i64::try_from(count).map_err(|_| TimeFault::BeyondUnit)
}

/// Returns the seconds from 1970-01-01T00:00:00 to the date and time at the start of `text`,
/// whatever the offset after it, and the fraction of its second.
#[inline]
fn local<const DIGITS: u32>(text: &[u8]) -> Prefix<'_, (i64, i64)> {
    let (start, rest) = text.split_first_chunk::<19>().ok_or(TimeFault::Form)?;
    let [y1, y2, y3, y4, d1, m1, m2, d2, t1, t2, separator, h1, h2, c1, n1, n2, colon, s1, s2] = *start;
    if !matches!(separator, b'T' | b't' | b' ') || colon != b':' {
        return Err(TimeFault::Form);
    }
    let date = pairs(digits([y1, y2, y3, y4, d1, m1, m2, d2], *b"0000-00-")?);
    let time = pairs(digits([t1, t2, b'T', h1, h2, c1, n1, n2], *b"00T00:00")?);
    let second = pairs(digits([s1, s2, b' ', b' ', b' ', b' ', b' ', b' '], *b"00      ")?);
    let day = days(pair(date, 0) * 100 + pair(date, 2), pair(date, 5), pair(time, 0))?;
    let seconds = i64::from(day) * SECONDS_PER_DAY + seconds_of_day(pair(time, 3), pair(time, 6), pair(second, 0))?;
    let (fraction, rest) = fraction::<DIGITS>(rest)?;
    Ok(((seconds, fraction), rest))
}

/// Returns the microseconds from 1970-01-01T00:00:00 to the date and time at the start of `text`,
/// which may not have an offset.
#[inline]
pub(crate) fn local_without_offset(text: &[u8]) -> Prefix<'_, i64> {
    local_in::<6>(text)
}

/// Does as [`local_without_offset`], in any unit.
#[inline]
pub(crate) fn local_in<const DIGITS: u32>(text: &[u8]) -> Prefix<'_, i64> {
    let ((seconds, fraction), rest) = local::<DIGITS>(text)?;
    match offset_seconds(rest)? {
        (None, _) => Ok((join::<DIGITS>(seconds, fraction)?, rest)),
        (Some(_), _) => Err(TimeFault::OffsetUnwanted),
    }
}

/// Returns the days from 1970-01-01 to the date at the start of `text`.
#[inline]
pub(crate) fn date(text: &[u8]) -> Prefix<'_, i32> {
    let (start, rest) = text.split_first_chunk::<10>().ok_or(TimeFault::Form)?;
    let [y1, y2, y3, y4, d1, m1, m2, d2, t1, t2] = *start;
    let month = pairs(digits([y1, y2, y3, y4, d1, m1, m2, d2], *b"0000-00-")?);
    let day = pairs(digits([t1, t2, b' ', b' ', b' ', b' ', b' ', b' '], *b"00      ")?);
    Ok((days(pair(month, 0) * 100 + pair(month, 2), pair(month, 5), pair(day, 0))?, rest))
}

/// Returns the microseconds from midnight to the time of day at the start of `text`. `Z` and the
/// offset zero say the same as none; another one would be lost.
#[inline]
pub(crate) fn time_of_day(text: &[u8]) -> Prefix<'_, i64> {
    time_in::<6>(text)
}

/// Does as [`time_of_day`], in any unit.
#[inline]
pub(crate) fn time_in<const DIGITS: u32>(text: &[u8]) -> Prefix<'_, i64> {
    let (start, rest) = text.split_first_chunk::<8>().ok_or(TimeFault::Form)?;
    let time = pairs(digits(*start, *b"00:00:00")?);
    let seconds = seconds_of_day(pair(time, 0), pair(time, 3), pair(time, 6))?;
    let (fraction, suffix) = fraction::<DIGITS>(rest)?;
    let value = join::<DIGITS>(seconds, fraction)?;
    match offset_seconds(suffix) {
        Ok((None | Some(0), rest)) => Ok((value, rest)),
        Ok((Some(_), _)) => Err(TimeFault::OffsetUnwanted),
        Err(fault) => Err(fault),
    }
}

/// Returns the values of the ASCII digits of `text`, which has a digit wherever `pattern` has `0`,
/// and is the same elsewhere: one value a byte, zeros elsewhere. All eight bytes are checked at
/// once, which is what makes it fast.
#[inline]
fn digits(text: [u8; 8], pattern: [u8; 8]) -> Result<u64, TimeFault> {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    // Added to a digit from 10 on, or to another byte from 1 on, this sets the byte's high bit.
    let limits = u64::from_le_bytes(pattern.map(|byte| if byte == b'0' { 0x76 } else { 0x7F }));
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(pattern);
    // A byte that overflows into the next one has its own high bit set.
    if (values | values.wrapping_add(limits)) & HIGH_BITS == 0 { Ok(values) } else { Err(TimeFault::Form) }
}

/// Returns the numbers of two digits that begin at each byte of [`digits`]: at most 99, so that
/// none runs into the next byte.
#[inline]
fn pairs(digits: u64) -> u64 {
    digits * 10 + (digits >> 8)
}

/// Returns the number of the two digits from byte `place` on.
#[inline]
fn pair(pairs: u64, place: u32) -> u32 {
    let [number, ..] = (pairs >> (8 * place)).to_le_bytes();
    u32::from(number)
}

/// Returns the fraction at the start of `text` in the column's unit, 0 if there is none.
#[inline]
fn fraction<const DIGITS: u32>(text: &[u8]) -> Prefix<'_, i64> {
    let Some((b'.', rest)) = text.split_first() else { return Ok((0, text)) };
    let digit_count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, suffix) = rest.split_at_checked(digit_count).ok_or(TimeFault::Form)?;
    if digits.is_empty() {
        return Err(TimeFault::Form);
    }
    if digits.iter().skip(DIGITS as usize).any(|digit| *digit != b'0') {
        return Err(TimeFault::TooFine);
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(DIGITS as usize);
    Ok((padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), suffix))
}

/// Returns the seconds by which local time is ahead of UTC, by the offset at the start of `text`,
/// if there is one.
#[inline]
fn offset_seconds(text: &[u8]) -> Prefix<'_, Option<i64>> {
    match *text {
        [b'Z' | b'z', ref rest @ ..] => Ok((Some(0), rest)),
        [sign @ (b'+' | b'-'), h1, h2, colon, m1, m2, ref rest @ ..] => {
            let offset = pairs(digits([h1, h2, colon, m1, m2, b' ', b' ', b' '], *b"00:00   ")?);
            let seconds = i64::from(seconds_of_hours(pair(offset, 0), pair(offset, 3))?);
            Ok((Some(if sign == b'-' { -seconds } else { seconds }), rest))
        }
        _ => Ok((None, text)),
    }
}

#[inline]
fn seconds_of_day(hour: u32, minute: u32, second: u32) -> Result<i64, TimeFault> {
    let seconds = seconds_of_hours(hour, minute)? + second;
    match second {
        0..=59 => Ok(i64::from(seconds)),
        60 => Err(TimeFault::LeapSecond),
        _ => Err(TimeFault::NoSuchTime),
    }
}

#[inline]
fn seconds_of_hours(hour: u32, minute: u32) -> Result<u32, TimeFault> {
    if hour > 23 || minute > 59 { Err(TimeFault::NoSuchTime) } else { Ok(hour * 3_600 + minute * 60) }
}

/// Returns days from 1970-01-01 in the proleptic Gregorian calendar. Years begin in March, so that
/// a leap day is the last one.
#[inline]
fn days(year: u32, month: u32, day: u32) -> Result<i32, TimeFault> {
    if year == 0 {
        return Err(TimeFault::YearOutOfRange);
    }
    if !(1..=12).contains(&month) || day < 1 || (day > 28 && day > days_of_month(year, month)) {
        return Err(TimeFault::NoSuchTime);
    }
    let (year, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let century = year / 100;
    let days = year * 365 + year / 4 - century + century / 4 + (153 * month_from_march + 2) / 5 + day;
    i32::try_from(days).map(|days| days - 719_469).map_err(|_| TimeFault::YearOutOfRange)
}

fn days_of_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    use proptest::prelude::*;

    use super::TimeFault::*;
    use super::*;

    fn parse_instant(text: &[u8]) -> Result<i64, TimeFault> {
        whole(text, instant)
    }

    fn parse_local(text: &[u8]) -> Result<i64, TimeFault> {
        whole(text, local_without_offset)
    }

    fn parse_date(text: &[u8]) -> Result<i32, TimeFault> {
        whole(text, date)
    }

    fn parse_time(text: &[u8]) -> Result<i64, TimeFault> {
        whole(text, time_of_day)
    }

    #[test]
    fn instants_are_read_at_any_offset() {
        let noon = 1_764_072_000_000_000;
        for (text, expected) in [
            ("2025-11-25T12:00:00Z", Ok(noon)),
            ("2025-11-25t12:00:00z", Ok(noon)),
            ("2025-11-25 12:00:00Z", Ok(noon)),
            ("2025-11-25T14:00:00+02:00", Ok(noon)),
            ("2025-11-25T06:30:00-05:30", Ok(noon)),
            ("2025-11-25T12:00:00-00:00", Ok(noon)),
            ("2025-11-26T11:59:00+23:59", Ok(noon)),
            ("2025-11-25T12:00:00.5Z", Ok(noon + 500_000)),
            ("2025-11-25T12:00:00.123456Z", Ok(noon + 123_456)),
            ("2025-11-25T12:00:00.123456000Z", Ok(noon + 123_456)),
            ("1969-12-31T23:59:59.999999Z", Ok(-1)),
            ("0001-01-01T00:00:00Z", Ok(-62_135_596_800_000_000)),
            ("9999-12-31T23:59:59.999999Z", Ok(253_402_300_799_999_999)),
            ("2024-02-29T00:00:00Z", Ok(1_709_164_800_000_000)),
            ("2025-02-29T00:00:00Z", Err(NoSuchTime)),
            ("1900-02-29T00:00:00Z", Err(NoSuchTime)),
            ("2025-13-01T00:00:00Z", Err(NoSuchTime)),
            ("2025-00-01T00:00:00Z", Err(NoSuchTime)),
            ("2025-01-00T00:00:00Z", Err(NoSuchTime)),
            ("2025-04-31T00:00:00Z", Err(NoSuchTime)),
            ("2025-11-25T24:00:00Z", Err(NoSuchTime)),
            ("2025-11-25T12:60:00Z", Err(NoSuchTime)),
            ("2025-11-25T12:00:61Z", Err(NoSuchTime)),
            ("2025-11-25T12:00:00+24:00", Err(NoSuchTime)),
            ("2016-12-31T23:59:60Z", Err(LeapSecond)),
            ("2025-11-25T12:00:00.1234567Z", Err(TooFine)),
            ("2025-11-25T12:00:00.0000000001Z", Err(TooFine)),
            ("0000-01-01T00:00:00Z", Err(YearOutOfRange)),
            ("0001-01-01T00:00:00+00:01", Err(YearOutOfRange)),
            ("9999-12-31T23:59:59-00:01", Err(YearOutOfRange)),
            ("2025-11-25T12:00:00", Err(OffsetMissing)),
            ("2025-11-25", Err(Form)),
            ("", Err(Form)),
            ("soon", Err(Form)),
            ("2025-11-25T12:00Z", Err(Form)),
            ("2025-11-25T12:00:00.Z", Err(Form)),
            ("2025-11-25T12:00:00+0200", Err(Form)),
            ("2025-11-25T12:00:00ZZ", Err(Form)),
            ("2025-11-25T12:00:00Z ", Err(Form)),
            ("2025-11-25_12:00:00Z", Err(Form)),
            ("2025/11/25T12:00:00Z", Err(Form)),
            ("+025-11-25T12:00:00Z", Err(Form)),
        ] {
            assert_eq!(parse_instant(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn local_times_dates_and_times_of_day_are_read() {
        assert_eq!(parse_local(b"1970-01-01 00:00:01.5"), Ok(1_500_000));
        assert_eq!(parse_local(b"1970-01-01T00:00:01Z"), Err(OffsetUnwanted));
        assert_eq!(parse_date(b"1970-01-02"), Ok(1));
        assert_eq!(parse_date(b"1969-12-31"), Ok(-1));
        assert_eq!(parse_date(b"1970-01-02T00:00:00Z"), Err(Form));
        assert_eq!(parse_date(b"1970-1-2"), Err(Form));
        assert_eq!(parse_time(b"00:00:01.000001"), Ok(1_000_001));
        assert_eq!(parse_time(b"23:59:59Z"), Ok(86_399_000_000));
        assert_eq!(parse_time(b"10:00:00+00:00"), Ok(36_000_000_000));
        assert_eq!(parse_time(b"10:00:00+01:00"), Err(OffsetUnwanted));
        assert_eq!(parse_time(b"10:00"), Err(Form));
    }

    #[test]
    fn dates_of_ten_thousand_years_agree_with_chrono() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let mut date = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
        while date < NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap() {
            let expected = i32::try_from((date - epoch).num_days()).unwrap();
            assert_eq!(parse_date(date.format("%Y-%m-%d").to_string().as_bytes()), Ok(expected), "{date}");
            date = date.checked_add_days(chrono::Days::new(17)).unwrap();
        }
    }

    proptest! {
        #[test]
        fn an_instant_is_read_back_as_chrono_writes_it(micros in -62_135_500_000_000_000_i64..253_402_200_000_000_000, offset in -1439_i32..=1439) {
            let zone = chrono::FixedOffset::east_opt(offset * 60).unwrap();
            let text = DateTime::from_timestamp_micros(micros).unwrap().with_timezone(&zone).to_rfc3339();
            prop_assert_eq!(parse_instant(text.as_bytes()), Ok(micros), "{}", text);
        }

        #[test]
        fn what_is_taken_chrono_takes_too(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?") {
            let expected = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok().filter(|_| !text.starts_with("0000"));
            prop_assert_eq!(parse_local(text.as_bytes()).ok(), expected.map(|time| time.and_utc().timestamp_micros()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_instant(&bytes).is_ok(), parse_date(&bytes).is_ok(), parse_time(&bytes).is_ok());
        }
    }
}
