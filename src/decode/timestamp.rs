//! RFC 3339 dates and times, exactly, without allocation.
//!
//! Taken are years 0001 to 9999, `T`, `t` or a space between date and time, `Z`, `z` or any offset, and as many digits
//! of a second as microseconds hold; zeros beyond them do no harm, other digits would be lost and are refused. So is a
//! leap second, for which a count of microseconds has no place.

/// Why a text is no such date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeFault {
    /// It has another form.
    Form,
    /// There is no such month, day, hour, ….
    NoSuchTime,
    /// Its fraction has digits beyond microseconds.
    TooFine,
    /// It names second 60.
    LeapSecond,
    /// It lies outside of the years 0001 to 9999, in UTC.
    YearOutOfRange,
    /// It has no offset, and the column wants one.
    OffsetMissing,
    /// It has an offset, and the column wants none.
    OffsetUnwanted,
}

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01, in days from 1970-01-01.
const FIRST_DAY: i64 = -719_162;
/// 9999-12-31, in days from 1970-01-01.
const LAST_DAY: i64 = 2_932_896;

/// The microseconds from 1970-01-01T00:00:00Z to an instant.
#[inline]
pub(super) fn parse_instant(text: &[u8]) -> Result<i64, TimeFault> {
    let (local, suffix) = parse_date_time(text)?;
    let offset_seconds = parse_offset(suffix)?.ok_or(TimeFault::OffsetMissing)?;
    let instant = local - offset_seconds * MICROSECONDS_PER_SECOND;
    let day = instant.div_euclid(SECONDS_PER_DAY * MICROSECONDS_PER_SECOND);
    if (FIRST_DAY..=LAST_DAY).contains(&day) { Ok(instant) } else { Err(TimeFault::YearOutOfRange) }
}

/// The microseconds from 1970-01-01T00:00:00 to a date and time without an offset.
#[inline]
pub(super) fn parse_local(text: &[u8]) -> Result<i64, TimeFault> {
    let (local, suffix) = parse_date_time(text)?;
    match parse_offset(suffix)? {
        None => Ok(local),
        Some(_) => Err(TimeFault::OffsetUnwanted),
    }
}

/// The days from 1970-01-01 to a date.
#[inline]
pub(super) fn parse_date(text: &[u8]) -> Result<i32, TimeFault> {
    let date: &[u8; 10] = text.try_into().map_err(|_| TimeFault::Form)?;
    i32::try_from(date_days(date)?).map_err(|_| TimeFault::YearOutOfRange)
}

/// The microseconds from midnight to a time of day. `Z` and the offset zero say the same as none; another one would be lost.
#[inline]
pub(super) fn parse_time(text: &[u8]) -> Result<i64, TimeFault> {
    let (time, rest) = text.split_first_chunk::<8>().ok_or(TimeFault::Form)?;
    let seconds = time_seconds(time)?;
    let (microseconds, suffix) = parse_fraction(rest)?;
    match parse_offset(suffix)? {
        None | Some(0) => Ok(seconds * MICROSECONDS_PER_SECOND + microseconds),
        Some(_) => Err(TimeFault::OffsetUnwanted),
    }
}

/// The local microseconds and what follows the time.
#[inline]
fn parse_date_time(text: &[u8]) -> Result<(i64, &[u8]), TimeFault> {
    let (date, rest) = text.split_first_chunk::<10>().ok_or(TimeFault::Form)?;
    let days = date_days(date)?;
    let (separator, rest) = rest.split_first().ok_or(TimeFault::Form)?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return Err(TimeFault::Form);
    }
    let (time, rest) = rest.split_first_chunk::<8>().ok_or(TimeFault::Form)?;
    let seconds = days * SECONDS_PER_DAY + time_seconds(time)?;
    let (microseconds, suffix) = parse_fraction(rest)?;
    Ok((seconds * MICROSECONDS_PER_SECOND + microseconds, suffix))
}

#[inline]
fn date_days(date: &[u8; 10]) -> Result<i64, TimeFault> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else { return Err(TimeFault::Form) };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    if year == 0 {
        return Err(TimeFault::YearOutOfRange);
    }
    if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return Err(TimeFault::NoSuchTime);
    }
    Ok(days_from_civil(year, month, day))
}

#[inline]
fn time_seconds(time: &[u8; 8]) -> Result<i64, TimeFault> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *time else { return Err(TimeFault::Form) };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return Err(TimeFault::NoSuchTime);
    }
    if second == 60 {
        return Err(TimeFault::LeapSecond);
    }
    Ok(hour * 3_600 + minute * 60 + second)
}

/// The microseconds of a fraction, if there is one, and what follows it.
#[inline]
fn parse_fraction(text: &[u8]) -> Result<(i64, &[u8]), TimeFault> {
    let Some((b'.', rest)) = text.split_first() else { return Ok((0, text)) };
    let digit_count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, suffix) = rest.split_at_checked(digit_count).ok_or(TimeFault::Form)?;
    if digits.is_empty() {
        return Err(TimeFault::Form);
    }
    if digits.iter().skip(6).any(|digit| *digit != b'0') {
        return Err(TimeFault::TooFine);
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Ok((padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), suffix))
}

/// The seconds by which local time is ahead of UTC; none where there is nothing to read.
#[inline]
fn parse_offset(text: &[u8]) -> Result<Option<i64>, TimeFault> {
    match *text {
        [] => Ok(None),
        [b'Z' | b'z'] => Ok(Some(0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hour, minute) = (two(h1, h2)?, two(m1, m2)?);
            if hour > 23 || minute > 59 {
                return Err(TimeFault::NoSuchTime);
            }
            let seconds = hour * 3_600 + minute * 60;
            Ok(Some(if sign == b'-' { -seconds } else { seconds }))
        }
        _ => Err(TimeFault::Form),
    }
}

#[inline]
fn two(tens: u8, ones: u8) -> Result<i64, TimeFault> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 {
        return Err(TimeFault::Form);
    }
    Ok(i64::from(tens) * 10 + i64::from(ones))
}

#[inline]
fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar: Howard Hinnant's `days_from_civil`, for years from 1.
#[inline]
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    use proptest::prelude::*;

    use super::TimeFault::*;
    use super::*;

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
