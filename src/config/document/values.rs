//! The kinds of single values and of lists: what may stand there, and what becomes of it.

use std::marker::PhantomData;
use std::time::Duration;

use serde_json::Value;

use super::kind::{Holds, Kind};
use super::read::{At, Read, is_open};
use crate::spec::CountOrShare;

/// A value without parts. Numbers and booleans may also be written as strings, so that
/// `limit: ${env:LIMIT}` works.
pub(crate) trait Single {
    /// What becomes of it.
    type Value;
    /// What may stand there.
    const KIND: Kind;

    /// Converts what fits.
    fn convert(value: &Value) -> Option<Self::Value>;

    /// Returns a value in place of one that is not known yet.
    fn stand_in() -> Option<Self::Value> {
        None
    }

    /// Writes a value as a file has it.
    fn write(_: &Self::Value) -> Value {
        Value::Null
    }
}

impl<S: Single> Read for S {
    type Value = S::Value;
    const KIND: Kind = S::KIND;

    fn read(value: &Value, at: &At<'_>) -> Option<S::Value> {
        let read = S::convert(value);
        if read.is_none() && is_open(value) {
            return S::stand_in();
        }
        if read.is_none() {
            at.expected(&S::KIND, value);
        }
        read
    }

    fn write(value: &S::Value) -> Value {
        S::write(value)
    }
}

/// A boolean, or `"true"` and `"false"`.
pub(crate) struct Boolean;

impl Single for Boolean {
    type Value = bool;
    const KIND: Kind = Kind::Boolean;

    fn convert(value: &Value) -> Option<bool> {
        match value.as_str() {
            Some(text) => text.parse().ok(),
            None => value.as_bool(),
        }
    }

    fn stand_in() -> Option<bool> {
        Some(false)
    }

    fn write(value: &bool) -> Value {
        Value::Bool(*value)
    }
}

/// An integer from `MIN` to `MAX`.
pub(crate) struct Integer<const MIN: u64, const MAX: u64>;

/// An integer.
pub(crate) type Whole = Integer<0, { u64::MAX }>;

/// An integer of at least 1.
pub(crate) type Count = Integer<1, { u64::MAX }>;

impl<const MIN: u64, const MAX: u64> Single for Integer<MIN, MAX> {
    type Value = u64;
    const KIND: Kind = Kind::Integer { min: MIN, max: MAX, unit: "" };

    fn convert(value: &Value) -> Option<u64> {
        whole(value).filter(|number| (MIN..=MAX).contains(number))
    }

    fn stand_in() -> Option<u64> {
        Some(MIN)
    }

    fn write(value: &u64) -> Value {
        Value::from(*value)
    }
}

/// Bytes, at least 1.
pub(crate) struct Bytes;

impl Single for Bytes {
    type Value = u64;
    const KIND: Kind = Kind::Integer { min: 1, max: u64::MAX, unit: "bytes" };

    fn convert(value: &Value) -> Option<u64> {
        Count::convert(value)
    }

    fn stand_in() -> Option<u64> {
        Some(1)
    }

    fn write(value: &u64) -> Value {
        Value::from(*value)
    }
}

/// Returns the integer that a number or a string is. `1.0` is one, as in JSON Schema.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is an integer of 53 bits")]
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let number = number.as_f64()?;
            (number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the number that a number or a string is; not negative.
fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// Makes the kinds of numbers.
macro_rules! numbers {
    ($($(#[$doc:meta])+ $name:ident $min:literal $excludes:literal $max:expr, $unit:literal => $value:ty, $make:expr, $write:expr;)+) => {$(
        $(#[$doc])+
        pub(crate) struct $name;

        impl Single for $name {
            type Value = $value;
            const KIND: Kind = Kind::Number { min: $min, excludes_min: $excludes, max: $max, unit: $unit };

            fn convert(value: &Value) -> Option<$value> {
                let fits = |number: &f64| *number <= $max && ($min < *number || (!$excludes && $min <= *number));
                number(value).filter(fits).map($make)
            }

            fn stand_in() -> Option<$value> {
                Some($make(1.0))
            }

            fn write(value: &$value) -> Value {
                Value::from($write(value))
            }
        }
    )+};
}

numbers! {
    /// A number that is not negative.
    Number 0.0 false f64::INFINITY, "" => f64, same, f64::clone;
    /// A number of more than 0.
    Positive 0.0 true f64::INFINITY, "" => f64, same, f64::clone;
    /// A share, from 0 to 1.
    Share 0.0 false 1.0, "" => f64, same, f64::clone;
    /// A number of seconds; what does not fit is for ever.
    Seconds 0.0 false f64::INFINITY, "seconds" => Duration, seconds, Duration::as_secs;
    /// A number of seconds, more than 0.
    PositiveSeconds 0.0 true f64::INFINITY, "seconds" => Duration, seconds, Duration::as_secs;
}

const fn same(number: f64) -> f64 {
    number
}

fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX)
}

/// Seconds, or an integer with a unit: `30s`, `15m`, `6h`, `1d`, `2w`.
pub(crate) struct Span;

impl Single for Span {
    type Value = Duration;
    const KIND: Kind = Kind::Duration;

    fn convert(value: &Value) -> Option<Duration> {
        match value {
            Value::Number(seconds) => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
            Value::String(text) => parse_duration(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn stand_in() -> Option<Duration> {
        Some(Duration::from_secs(1))
    }
}

/// Returns an integer of seconds, or one with a unit: `90`, `30s`, `15m`, `6h`, `1d`, `2w`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_seconds = match unit.trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_seconds).map(Duration::from_secs)
}

/// Makes the kinds of strings, by what they hold.
macro_rules! strings {
    ($($(#[$doc:meta])+ $name:ident,)+) => {$(
        $(#[$doc])+
        pub(crate) struct $name;

        impl Single for $name {
            type Value = String;
            const KIND: Kind = Kind::String(Holds::$name);

            fn convert(value: &Value) -> Option<String> {
                value.as_str().map(str::to_owned)
            }

            fn write(value: &String) -> Value {
                Value::from(value.as_str())
            }
        }
    )+};
}

strings! {
    /// A string.
    Text,
    /// A URL.
    Url,
    /// A path into JSON.
    Path,
    /// A text with placeholders.
    Template,
    /// An expression.
    Expression,
    /// A secret.
    Secret,
    /// The name of a column.
    Column,
    /// A file.
    File,
    /// A date or a date-time.
    Instant,
    /// A column's type.
    Type,
}

/// The words of a choice.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// What may be said.
    const NAMES: &'static [&'static str];
    /// Other words for it.
    const ALIASES: &'static [&'static str];
    /// What each word means.
    const VALUES: &'static [(&'static str, Self)];
}

/// One of the words of `W`.
pub(crate) struct OneOf<W>(PhantomData<W>);

impl<W: Words> Read for OneOf<W> {
    type Value = W;
    const KIND: Kind = Kind::Words { words: W::NAMES, aliases: W::ALIASES };

    fn read(value: &Value, at: &At<'_>) -> Option<W> {
        let Value::String(text) = value else {
            at.expected(&Kind::String(Holds::Text), value);
            return None;
        };
        let found = W::VALUES.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
        if found.is_none() && is_open(value) {
            return W::VALUES.first().map(|(_, value)| *value);
        }
        if found.is_none() {
            at.add(format!("'{text}' is not known {}", super::problems::accepted(text, W::NAMES)));
        }
        found
    }

    fn write(value: &W) -> Value {
        W::VALUES.iter().find(|(_, known)| known == value).map_or(Value::Null, |(word, _)| Value::from(*word))
    }
}

/// Any JSON.
pub(crate) struct Json;

impl Single for Json {
    type Value = Value;
    const KIND: Kind = Kind::Any;

    fn convert(value: &Value) -> Option<Value> {
        Some(value.clone())
    }
}

/// A mapping of any JSON.
pub(crate) struct JsonMap;

impl Single for JsonMap {
    type Value = serde_json::Map<String, Value>;
    const KIND: Kind = Kind::Map(&Kind::Any);

    fn convert(value: &Value) -> Option<Self::Value> {
        value.as_object().cloned()
    }
}

/// A cursor value: a string or a number.
pub(crate) struct CursorValue;

impl Single for CursorValue {
    type Value = crate::spec::CursorValue;
    const KIND: Kind = Kind::Either(&[Kind::String(Holds::Text), Kind::AnyNumber]);

    fn convert(value: &Value) -> Option<Self::Value> {
        crate::spec::CursorValue::of_json(value)
    }
}

/// A bound on a part: a count, or a share of the whole.
pub(crate) struct Bound;

impl Single for Bound {
    type Value = CountOrShare;
    const KIND: Kind = Kind::Either(&[
        <Whole as Single>::KIND,
        Kind::Pattern(r"^\s*(\+?[0-9]+|0*(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)\s*%)\s*$", "a share such as '1%'"),
    ]);

    fn convert(value: &Value) -> Option<CountOrShare> {
        match value {
            Value::String(text) => CountOrShare::parse(text),
            number => Whole::convert(number).map(CountOrShare::Count),
        }
    }

    fn stand_in() -> Option<CountOrShare> {
        Some(CountOrShare::Count(0))
    }
}

/// A path, of which null has a meaning of its own.
#[derive(Debug, Clone)]
pub(crate) enum TotalPath {
    /// It is null, or as good as that: the API does not state a total.
    None,
    /// A path.
    Given(String),
}

impl Read for TotalPath {
    type Value = Self;
    // An empty string is none in dlt; false says it in TOML, which has no null.
    const KIND: Kind = Kind::Either(&[Kind::String(Holds::Path), Kind::Only("null"), Kind::Only("false")]);
    const TAKES_NULL: bool = true;

    fn read(value: &Value, at: &At<'_>) -> Option<Self> {
        match value {
            Value::Null | Value::Bool(false) => Some(Self::None),
            Value::String(text) if text.is_empty() => Some(Self::None),
            _ => Path::read(value, at).map(Self::Given),
        }
    }

    fn write(value: &Self) -> Value {
        match value {
            Self::None => Value::Null,
            Self::Given(path) => Value::from(path.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in
            [("30", 30), ("30s", 30), ("15m", 900), ("6h", 21_600), ("1d", 86_400), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "1y", "-1d", "1.5h", "99999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
