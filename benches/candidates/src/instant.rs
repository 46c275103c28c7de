//! RFC 3339 in its usual forms, as fast as it goes: the same for every candidate that does not bring its own, so that they differ by their parsers.

use crate::rows::Outcome;

/// The microseconds since 1970 of a date-time such as `2026-11-23T08:00:00.123+01:00`.
pub(crate) fn instant(text: &str) -> Outcome<i64> {
    read(text.as_bytes()).ok_or_else(|| format!("{text:?} is no date-time").into())
}

fn read(text: &[u8]) -> Option<i64> {
    let (time, rest) = text.split_first_chunk::<19>()?;
    let pair = |at: usize| -> Option<i64> { Some(digit(time[at])? * 10 + digit(time[at + 1])?) };
    let marks = (time[4], time[7], time[10], time[13], time[16]);
    if !matches!(marks, (b'-', b'-', b'T', b':', b':')) {
        return None;
    }
    let (year, month, day) = (pair(0)? * 100 + pair(2)?, pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = fraction(rest)?;
    let offset = match rest {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digit(*h1)? * 10 + digit(*h2)?, digit(*m1)? * 10 + digit(*m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -60 } else { 60 }
        }
        _ => return None,
    };
    Some(
        (days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset) * 1_000_000
            + micros,
    )
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', digits @ ..] = text else { return Some((0, text)) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = digits[..length].iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
    (1..=6).contains(&length).then(|| (value * 10_i64.pow(6 - u32::try_from(length).unwrap_or(6)), &digits[length..]))
}

fn days_in(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The civil calendar by eras of 400 years, which begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year % 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year / 400 * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
