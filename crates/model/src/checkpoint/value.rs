//! The algebra of cursor values: order, distance, and how they are written in requests. Pure.

use std::cmp::Ordering;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::spec::{CursorFormat, CursorValue, Lag, LagUnit};

/// Numbers from this on are milliseconds since 1970, smaller ones seconds: seconds until the year
/// 5138, milliseconds from 1973 on.
const MILLISECONDS_MIN: u64 = 100_000_000_000;

/// Why two values have no order, or a value has no such form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A number and a string.
    #[error("{left} and {right} cannot be compared: one is a number, the other a string")]
    Unlike {
        /// One value.
        left: String,
        /// The other.
        right: String,
    },
    /// The value is no instant, date or number, as it would have to be.
    #[error("{value:?} is not {expected}")]
    NotA {
        /// The value.
        value: String,
        /// What it would have to be.
        expected: &'static str,
    },
    /// A range whose end is not behind its start.
    #[error("the range from {from} to {to} is empty: its end must come after its start")]
    EmptyRange {
        /// Where it starts.
        from: String,
        /// Where it ends.
        to: String,
    },
    /// The result is beyond the calendar or the numbers.
    #[error("{value:?} less the lag is out of range")]
    OutOfRange {
        /// The value.
        value: String,
    },
}

/// Returns the order of two values: numbers by size, exactly, also when they are written as text;
/// date-times (ISO 8601, or as in mails) as instants; other strings by their characters.
///
/// # Errors
/// When one is a number and the other a string.
pub fn compare(left: &CursorValue, right: &CursorValue) -> Result<Ordering, ValueError> {
    match (left, right) {
        (CursorValue::Number(left), CursorValue::Number(right)) => Ok(compare_numbers(left, right)),
        (CursorValue::Text(left), CursorValue::Text(right)) => Ok(match (Moment::parse(left), Moment::parse(right)) {
            (Some(one), Some(other)) => one.instant().cmp(&other.instant()),
            _ if is_number(left) && is_number(right) => compare_numbers(left, right),
            _ => left.cmp(right),
        }),
        (CursorValue::Number(_), CursorValue::Text(_)) | (CursorValue::Text(_), CursorValue::Number(_)) => {
            Err(ValueError::Unlike { left: left.to_string(), right: right.to_string() })
        }
    }
}

/// Returns the order of two values as [`compare`] does; with a `format` that says what numbers
/// count since 1970, a number and a date-time are compared as instants.
///
/// # Errors
/// When one is a number and the other a string, and this is not so.
pub(super) fn compare_as(
    left: &CursorValue,
    right: &CursorValue,
    format: Option<CursorFormat>,
) -> Result<Ordering, ValueError> {
    compare(left, right).or_else(|unlike| {
        let per_second = match format {
            Some(CursorFormat::EpochSeconds) => 1,
            Some(CursorFormat::EpochMilliseconds) => 1_000,
            Some(CursorFormat::Iso | CursorFormat::Date) | None => return Err(unlike),
        };
        match (microseconds(left, per_second), microseconds(right, per_second)) {
            (Some(left), Some(right)) => Ok(left.cmp(&right)),
            _ => Err(unlike),
        }
    })
}

/// Returns the microseconds since 1970 of a date-time, or of a number of which `per_second` are a
/// second.
fn microseconds(value: &CursorValue, per_second: i64) -> Option<i64> {
    match value {
        CursorValue::Text(text) => Some(Moment::parse(text)?.instant().timestamp_micros()),
        CursorValue::Number(text) => {
            if let Ok(number) = text.parse::<i64>() {
                return number.checked_mul(1_000_000 / per_second);
            }
            #[expect(clippy::cast_precision_loss, reason = "1 or 1,000")]
            let micros = text.parse::<f64>().ok()? * 1e6 / per_second as f64;
            #[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates")]
            let micros = micros as i64;
            Some(micros)
        }
    }
}

/// Returns whether a string is a number, and nothing but digits with a sign and a point.
fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(fraction)
}

fn compare_numbers(left: &str, right: &str) -> Ordering {
    match (left.parse::<i128>(), right.parse::<i128>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left), Ok(right)) => left.total_cmp(&right),
            _ => left.cmp(right),
        },
    }
}

/// Returns the value `lag` before `value`, written as `value` is.
///
/// # Errors
/// When the unit does not fit the value, or the result is out of range.
pub(super) fn before(value: &CursorValue, lag: Lag) -> Result<CursorValue, ValueError> {
    let out_of_range = || ValueError::OutOfRange { value: value.to_string() };
    match value {
        CursorValue::Number(text) => {
            let amount = lag.amount * lag.unit.map_or(1.0, |unit| counted_in(unit, text));
            if let (Ok(number), true) = (text.parse::<i128>(), amount.fract() == 0.0) {
                #[expect(clippy::cast_possible_truncation, reason = "a whole lag of any sense fits; others saturate")]
                let amount = amount as i128;
                return Ok(CursorValue::Number(number.checked_sub(amount).ok_or_else(out_of_range)?.to_string()));
            }
            let number: f64 = text.parse().map_err(|_| not_a(text, "a number"))?;
            Ok(CursorValue::Number((number - amount).to_string()))
        }
        CursorValue::Text(text) => {
            let moment = Moment::parse(text).ok_or_else(|| not_a(text, "a date or date-time, which a lag needs"))?;
            let default = if moment.style == Style::Date { LagUnit::Days } else { LagUnit::Seconds };
            let unit_seconds = seconds_of(lag.unit.unwrap_or(default)).unwrap_or(1.0);
            moment.minus_seconds(lag.amount * unit_seconds).map(CursorValue::Text).ok_or_else(out_of_range)
        }
    }
}

/// Returns the seconds of a unit of time; none for what a number itself counts.
fn seconds_of(unit: LagUnit) -> Option<f64> {
    match unit {
        LagUnit::Seconds => Some(1.0),
        LagUnit::Minutes => Some(60.0),
        LagUnit::Hours => Some(3_600.0),
        LagUnit::Days => Some(86_400.0),
        LagUnit::Units => None,
    }
}

/// Returns how much one `unit` is in what `number` counts. A unit of time says that it counts
/// seconds or milliseconds since 1970.
fn counted_in(unit: LagUnit, number: &str) -> f64 {
    let whole = number.split('.').next().unwrap_or(number);
    let is_milliseconds = whole.parse::<i64>().is_ok_and(|whole| whole.unsigned_abs() >= MILLISECONDS_MIN);
    seconds_of(unit).map_or(1.0, |seconds| if is_milliseconds { seconds * 1e3 } else { seconds })
}

/// Reads the instant of a value: a date-time, a date (its first moment, UTC), or seconds or
/// milliseconds since 1970.
///
/// # Errors
/// [`ValueError::NotA`] when it is none.
pub fn instant(value: &CursorValue) -> Result<DateTime<Utc>, ValueError> {
    let found = match value {
        CursorValue::Text(text) => Moment::parse(text).map(|moment| moment.instant()),
        CursorValue::Number(text) => text.parse::<i64>().ok().and_then(|number| {
            if number.unsigned_abs() < MILLISECONDS_MIN {
                DateTime::from_timestamp(number, 0)
            } else {
                DateTime::from_timestamp_millis(number)
            }
        }),
    };
    found.ok_or_else(|| not_a(value.as_str(), "a date, a date-time or a time since 1970"))
}

/// Returns the value as requests want it.
///
/// # Errors
/// When the value is no instant, which every format needs.
pub(super) fn format(value: &CursorValue, format: CursorFormat) -> Result<CursorValue, ValueError> {
    let instant = instant(value)?;
    Ok(match format {
        CursorFormat::EpochSeconds => CursorValue::Number(instant.timestamp().to_string()),
        CursorFormat::EpochMilliseconds => CursorValue::Number(instant.timestamp_millis().to_string()),
        CursorFormat::Iso => CursorValue::Text(iso(instant)),
        CursorFormat::Date => CursorValue::Text(instant.format("%Y-%m-%d").to_string()),
    })
}

/// Returns RFC 3339, UTC, with a fraction only where there is one.
pub(super) fn iso(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// How instants are written: as one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// As whole seconds since 1970.
    Seconds,
    /// As whole milliseconds since 1970.
    Milliseconds,
    /// As a date or date-time of this style and offset.
    Moment(Moment),
}

impl Writing {
    /// Returns how `like` is written.
    ///
    /// # Errors
    /// When `like` is no instant.
    pub(super) fn of(like: &CursorValue) -> Result<Self, ValueError> {
        match like {
            CursorValue::Number(text) => {
                let is_seconds = text.parse::<i64>().is_ok_and(|number| number.unsigned_abs() < MILLISECONDS_MIN);
                Ok(if is_seconds { Self::Seconds } else { Self::Milliseconds })
            }
            CursorValue::Text(text) => {
                let moment =
                    Moment::parse(text).ok_or_else(|| not_a(text, "a date or date-time, which windows need"))?;
                Ok(Self::Moment(moment))
            }
        }
    }

    /// Returns `instant`, written so.
    pub(super) fn write(self, instant: DateTime<Utc>) -> CursorValue {
        match self {
            Self::Seconds => CursorValue::Number(instant.timestamp().to_string()),
            Self::Milliseconds => CursorValue::Number(instant.timestamp_millis().to_string()),
            Self::Moment(moment) => {
                let at = instant.with_timezone(&moment.offset()).naive_local();
                CursorValue::Text(Moment { at, ..moment }.write())
            }
        }
    }
}

fn not_a(value: &str, expected: &'static str) -> ValueError {
    ValueError::NotA { value: value.chars().take(60).collect(), expected }
}

/// A date or date-time, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    at: NaiveDateTime,
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `2026-11-23`
    Date,
    /// `2026-11-23T08:00:00.000+01:00`
    DateTime { separator: char, fraction_digits: usize, zone: Zone },
    /// `Mon, 23 Nov 2026 08:00:00 +0100` (RFC 2822), or with `GMT` at the end.
    Mail { has_weekday: bool, is_gmt: bool, offset: FixedOffset },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// None: read as UTC, as dlt does.
    None,
    /// `Z`
    Utc,
    /// `+01:00`
    Offset(FixedOffset),
}

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return (text.len() == 10).then(|| Self { at: date.and_time(NaiveTime::MIN), style: Style::Date });
        }
        if text.as_bytes().get(4) != Some(&b'-') {
            return Self::parse_mail(text);
        }
        let separator = text.chars().nth(10).filter(|separator| "Tt ".contains(*separator))?;
        let time = text.get(11..)?;
        let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at(zone_at);
        let zone = match zone {
            "" => Zone::None,
            "Z" | "z" => Zone::Utc,
            offset => Zone::Offset(offset.parse().ok()?),
        };
        let fraction_digits = clock.split_once('.').map_or(0, |(_, digits)| digits.len());
        let naive = format!("{}T{clock}", text.get(..10)?);
        let at = NaiveDateTime::parse_from_str(&naive, "%Y-%m-%dT%H:%M:%S%.f")
            .or_else(|_| NaiveDateTime::parse_from_str(&naive, "%Y-%m-%dT%H:%M"))
            .ok()?;
        Some(Self { at, style: Style::DateTime { separator, fraction_digits: fraction_digits.min(9), zone } })
    }

    fn parse_mail(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc2822(text).ok()?;
        let style = Style::Mail {
            has_weekday: text.contains(','),
            is_gmt: text.trim_end().ends_with(|last: char| last.is_ascii_alphabetic()),
            offset: *instant.offset(),
        };
        Some(Self { at: instant.naive_local(), style })
    }

    fn offset(&self) -> FixedOffset {
        match self.style {
            Style::Mail { offset, .. } => offset,
            Style::DateTime { zone: Zone::Offset(offset), .. } => offset,
            Style::DateTime { zone: Zone::None | Zone::Utc, .. } | Style::Date => chrono::Offset::fix(&Utc),
        }
    }

    fn instant(&self) -> DateTime<Utc> {
        (self.at - self.offset()).and_utc()
    }

    fn minus_seconds(self, seconds: f64) -> Option<String> {
        #[expect(clippy::cast_possible_truncation, reason = "what does not fit saturates, and is out of range below")]
        let microseconds = (seconds * 1e6).round() as i64;
        let at = self.at.checked_sub_signed(TimeDelta::microseconds(microseconds))?;
        Some(Self { at, ..self }.write())
    }

    fn write(&self) -> String {
        let (separator, fraction_digits, zone) = match self.style {
            Style::Date => return self.at.format("%Y-%m-%d").to_string(),
            Style::Mail { has_weekday, is_gmt, offset } => return self.write_mail(has_weekday, is_gmt, offset),
            Style::DateTime { separator, fraction_digits, zone } => (separator, fraction_digits, zone),
        };
        let mut text = format!("{}{separator}{}", self.at.format("%Y-%m-%d"), self.at.format("%H:%M:%S"));
        if fraction_digits > 0 {
            let nanoseconds = format!("{:09}", self.at.and_utc().timestamp_subsec_nanos());
            text.push('.');
            text.push_str(nanoseconds.get(..fraction_digits).unwrap_or_default());
        }
        match zone {
            Zone::None => {}
            Zone::Utc => text.push('Z'),
            Zone::Offset(offset) => text.push_str(&offset.to_string()),
        }
        text
    }

    fn write_mail(&self, has_weekday: bool, is_gmt: bool, offset: FixedOffset) -> String {
        let weekday = if has_weekday { self.at.format("%a, ").to_string() } else { String::new() };
        // A zone with a name that is not at 0 is one of North America: it is written as a number.
        let zone = if is_gmt && offset.local_minus_utc() == 0 {
            "GMT".to_owned()
        } else {
            offset.to_string().replace(':', "")
        };
        format!("{weekday}{} {zone}", self.at.format("%d %b %Y %H:%M:%S"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> CursorValue {
        CursorValue::Text(text.to_owned())
    }

    fn number(text: &str) -> CursorValue {
        CursorValue::Number(text.to_owned())
    }

    #[test]
    fn values_are_ordered_by_what_they_mean() {
        for (left, right, expected) in [
            (number("9"), number("10"), Ordering::Less),
            (number("9007199254740993"), number("9007199254740992"), Ordering::Greater),
            (number("1.5"), number("1"), Ordering::Greater),
            (text("2024-01-02T00:00:00Z"), text("2024-01-02T01:00:00+01:00"), Ordering::Equal),
            (text("2024-01-02"), text("2024-01-01T23:59:59Z"), Ordering::Greater),
            (text("2024-01-02 00:00:00"), text("2024-01-02T00:00:00Z"), Ordering::Equal),
            (text("abc"), text("abd"), Ordering::Less),
            (text("9"), text("10"), Ordering::Less),
            (text("-9"), text("-10.5"), Ordering::Greater),
            (text("v9"), text("v10"), Ordering::Greater),
            (text("Fri, 04 Dec 2026 08:00:00 +0000"), text("Thu, 03 Dec 2026 23:00:00 GMT"), Ordering::Greater),
            (text("Mon, 30 Nov 2026 10:00:00 +0100"), text("2026-11-30T09:00:00Z"), Ordering::Equal),
            (text("30 Nov 2026 10:00:00 GMT"), text("Tue, 01 Dec 2026 00:00:00 GMT"), Ordering::Less),
        ] {
            assert_eq!(compare(&left, &right), Ok(expected), "{left} {right}");
        }
        assert!(compare(&number("1"), &text("1")).is_err());
    }

    #[test]
    fn a_number_that_counts_since_1970_is_compared_with_a_date() {
        let (seconds, millis) = (Some(CursorFormat::EpochSeconds), Some(CursorFormat::EpochMilliseconds));
        for (left, right, format, expected) in [
            (number("1735689600"), text("2025-01-01"), seconds, Some(Ordering::Equal)),
            (number("1735689600.5"), text("2025-01-01T00:00:00Z"), seconds, Some(Ordering::Greater)),
            (text("2025-01-02"), number("1735689600000"), millis, Some(Ordering::Greater)),
            (number("1735689600"), text("2025-01-01"), None, None),
            (number("1735689600"), text("2025-01-01"), Some(CursorFormat::Iso), None),
            (number("1735689600"), text("soon"), seconds, None),
        ] {
            assert_eq!(compare_as(&left, &right, format).ok(), expected, "{left} {right}");
        }
    }

    #[test]
    fn a_lag_keeps_the_way_of_writing() {
        let lag = |amount: f64| Lag { amount, unit: None };
        for (value, amount, expected) in [
            (text("2024-03-01T00:00:00Z"), 60.0, text("2024-02-29T23:59:00Z")),
            (text("2024-03-01T00:00:00.500+02:00"), 1.0, text("2024-02-29T23:59:59.500+02:00")),
            (text("2024-03-01 00:00:00"), 1.0, text("2024-02-29 23:59:59")),
            (text("2024-03-01"), 1.0, text("2024-02-29")),
            (text("Fri, 01 Mar 2024 00:00:00 GMT"), 60.0, text("Thu, 29 Feb 2024 23:59:00 GMT")),
            (text("Fri, 01 Mar 2024 00:00:00 +0200"), 60.0, text("Thu, 29 Feb 2024 23:59:00 +0200")),
            (text("1 Mar 2024 00:00:00 GMT"), 60.0, text("29 Feb 2024 23:59:00 GMT")),
            (number("10"), 3.0, number("7")),
            (number("9007199254740993"), 1.0, number("9007199254740992")),
            (number("1.5"), 0.5, number("1")),
        ] {
            assert_eq!(before(&value, lag(amount)), Ok(expected));
        }
        // A unit of time makes a number a time since 1970, in seconds or in milliseconds; a
        // look-back is such a lag.
        for (unit, value, expected) in [
            (LagUnit::Seconds, "1795392000", "1795391998"),
            (LagUnit::Days, "1795392000", "1795219200"),
            (LagUnit::Hours, "1795392000123", "1795384800123"),
            (LagUnit::Units, "1795392000123", "1795392000121"),
        ] {
            let lag = Lag { amount: 2.0, unit: Some(unit) };
            assert_eq!(before(&number(value), lag), Ok(number(expected)), "{unit:?}");
        }
        let hours = Lag { amount: 2.0, unit: Some(LagUnit::Hours) };
        assert_eq!(before(&text("2024-03-01T01:00:00Z"), hours), Ok(text("2024-02-29T23:00:00Z")));
        assert!(before(&text("abc"), hours).is_err());
    }

    #[test]
    fn requests_get_the_format_that_they_want() {
        let value = text("2024-01-02T03:04:05+01:00");
        for (wanted, expected) in [
            (CursorFormat::EpochSeconds, number("1704161045")),
            (CursorFormat::EpochMilliseconds, number("1704161045000")),
            (CursorFormat::Iso, text("2024-01-02T02:04:05Z")),
            (CursorFormat::Date, text("2024-01-02")),
        ] {
            assert_eq!(format(&value, wanted), Ok(expected));
        }
        assert_eq!(format(&number("1704161045"), CursorFormat::Iso), Ok(text("2024-01-02T02:04:05Z")));
        assert!(format(&text("soon"), CursorFormat::Iso).is_err());
    }

    proptest! {
        #[test]
        fn any_text_has_an_order_with_itself(value in any::<String>()) {
            prop_assert_eq!(compare(&text(&value), &text(&value)), Ok(Ordering::Equal));
        }

        #[test]
        fn a_lag_leads_back(seconds in -60_000_000_000_i64..200_000_000_000, lag in 0_u32..100_000_000) {
            let later = text(&iso(DateTime::from_timestamp(seconds, 0).unwrap()));
            let earlier = before(&later, Lag { amount: f64::from(lag), unit: None }).unwrap();
            let distance = instant(&later).unwrap() - instant(&earlier).unwrap();
            prop_assert_eq!(distance.num_seconds(), i64::from(lag));
        }
    }
}
