//! Numbers from their JSON text: exact, or refused.

use arrow::datatypes::i256;

use crate::decode::json::scanner::{NumberText, Scanner};

/// Why a number does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberFault {
    /// Too large for the column.
    OutOfRange,
    /// Digits would be lost.
    Inexact,
}

/// The most digits of a decimal of 128 bits.
const DIGITS_MAX: usize = 38;
/// The most digits of a decimal of 256 bits.
const WIDE_DIGITS_MAX: usize = 76;
/// Below this a double holds every integer.
const EXACT_IN_DOUBLE_BELOW: f64 = 9_007_199_254_740_992.0;

/// Returns the 64-bit integer that a number is. `2.0` and `1e3` are integers too.
#[inline]
pub(crate) fn to_i64(number: NumberText<'_>) -> Result<i64, NumberFault> {
    if number.is_integer {
        return number.text.parse().map_err(|_| NumberFault::OutOfRange);
    }
    let wide = to_decimal(number.text, 19, 0)?;
    i64::try_from(wide).map_err(|_| NumberFault::OutOfRange)
}

/// Returns the integer from `min` to `max` that a number is.
pub(crate) fn to_integer<T: TryFrom<i128>>(number: NumberText<'_>, min: i128, max: i128) -> Result<T, NumberFault> {
    let value = to_decimal(number.text, 20, 0)?;
    let value = if (min..=max).contains(&value) { value } else { return Err(NumberFault::OutOfRange) };
    T::try_from(value).map_err(|_| NumberFault::OutOfRange)
}

/// Returns the double nearest to a number. A number beyond all doubles does not fit, nor does one
/// so small that only zero is near, nor a whole number, written as one, that no double is.
#[inline]
pub(crate) fn to_f64(number: NumberText<'_>) -> Result<f64, NumberFault> {
    let value: f64 = number.text.parse().map_err(|_| NumberFault::OutOfRange)?;
    let is_plain =
        if number.is_integer { value.abs() < EXACT_IN_DOUBLE_BELOW } else { value != 0.0 && value.is_finite() };
    if is_plain { Ok(value) } else { to_special_f64(number, value) }
}

#[cold]
fn to_special_f64(number: NumberText<'_>, value: f64) -> Result<f64, NumberFault> {
    if !value.is_finite() {
        return Err(NumberFault::OutOfRange);
    }
    let is_same = if number.is_integer { format!("{value:.0}") == number.text } else { is_zero(number.text) };
    if is_same { Ok(value) } else { Err(NumberFault::Inexact) }
}

/// Returns the float of 32 bits that a number is: exactly, or as the shortest text that stands for
/// that float.
pub(crate) fn to_f32(number: NumberText<'_>) -> Result<f32, NumberFault> {
    let wide = to_f64(number)?;
    let value: f32 = number.text.parse().map_err(|_| NumberFault::OutOfRange)?;
    if !value.is_finite() {
        return Err(NumberFault::OutOfRange);
    }
    let bits = wide.to_bits();
    let is_same = f64::from(value).to_bits() == bits
        || value.to_string().parse().is_ok_and(|shortest: f64| shortest.to_bits() == bits);
    if is_same { Ok(value) } else { Err(NumberFault::Inexact) }
}

/// Returns whether a number is zero, whatever its exponent.
fn is_zero(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    mantissa.bytes().all(|byte| !matches!(byte, b'1'..=b'9'))
}

/// Returns the unscaled value of a decimal, exactly. `text` is a number by the grammar of JSON.
pub(crate) fn to_decimal(text: &str, precision: u8, scale: i8) -> Result<i128, NumberFault> {
    let Significant { negative, digits, count, power } =
        significant(text, usize::from(precision).min(DIGITS_MAX), scale)?;
    let magnitude = digits.take(count).fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    let value = magnitude * 10_i128.pow(power);
    Ok(if negative { -value } else { value })
}

/// Does as [`to_decimal`], of up to 76 digits.
pub(crate) fn to_decimal256(text: &str, precision: u8, scale: i8) -> Result<i256, NumberFault> {
    let precision = usize::from(precision).min(WIDE_DIGITS_MAX);
    let Significant { negative, digits, count, power } = significant(text, precision, scale)?;
    let ten = i256::from_i128(10);
    let magnitude = digits.take(count).fold(i256::ZERO, |value, digit| {
        value.wrapping_mul(ten).wrapping_add(i256::from_i128(i128::from(digit - b'0')))
    });
    // Below 10^76, which 256 bits hold.
    let value = magnitude.wrapping_mul(ten.wrapping_pow(power));
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// What is left of a number's text once it is clear that a decimal holds it: `count` of `digits`,
/// times ten to the `power`.
struct Significant<I> {
    negative: bool,
    digits: I,
    count: usize,
    power: u32,
}

fn significant(text: &str, precision: usize, scale: i8) -> Result<Significant<impl Iterator<Item = u8>>, NumberFault> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = || whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    // Zeros at the end of the whole part count into the power of ten, so that only what is lost
    // counts as lost.
    let trailing_zeros = if fraction.is_empty() { whole.len() - whole.trim_end_matches('0').len() } else { 0 };
    let count = digits().count().saturating_sub(trailing_zeros);
    if count == 0 {
        return Ok(Significant { negative, digits: digits(), count: 0, power: 0 });
    }
    let power = exponent
        .saturating_add(i64::from(scale))
        .saturating_sub(length(fraction.len()))
        .saturating_add(length(trailing_zeros));
    let Ok(power) = u32::try_from(power.clamp(-1, i64::from(u32::MAX))) else {
        return Err(NumberFault::Inexact);
    };
    if count.saturating_add(usize::try_from(power).unwrap_or(usize::MAX)) > precision {
        return Err(NumberFault::OutOfRange);
    }
    Ok(Significant { negative, digits: digits(), count, power })
}

/// Returns the exponent, held within bounds in which it can be reckoned with.
fn parse_exponent(text: &str) -> i64 {
    const BOUND: i64 = 1_000_000_000_000;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    sign * digits.parse().map_or(BOUND, |exponent: i64| exponent.min(BOUND))
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Returns a string that is a number, by the grammar of JSON.
pub(crate) fn as_number(text: &str) -> Option<NumberText<'_>> {
    let mut scanner = Scanner::new(text.as_bytes(), 0).ok()?;
    let number = if scanner.position() == 0 { scanner.number().ok()? } else { return None };
    (number.text.len() == text.len()).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use NumberFault::{Inexact, OutOfRange};

    fn number(text: &str) -> NumberText<'_> {
        NumberText { text, is_integer: !text.contains(['.', 'e', 'E']) }
    }

    #[test]
    fn integers_are_exact_or_refused() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(OutOfRange)),
            ("-9223372036854775809", Err(OutOfRange)),
            ("9223372036854775807.0", Ok(i64::MAX)),
            ("9223372036854775808.0", Err(OutOfRange)),
            ("9007199254740993.0", Ok(9_007_199_254_740_993)),
            ("2.0", Ok(2)),
            ("1e3", Ok(1000)),
            ("1.5e1", Ok(15)),
            ("100e-2", Ok(1)),
            ("-2.50e2", Ok(-250)),
            ("0e999999999999999999999", Ok(0)),
            ("0.0", Ok(0)),
            ("1.5", Err(Inexact)),
            ("1e-1", Err(Inexact)),
            ("1e19", Err(OutOfRange)),
            ("1e99999999999999999999999", Err(OutOfRange)),
            ("1e-99999999999999999999999", Err(Inexact)),
        ] {
            assert_eq!(to_i64(number(text)), expected, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        let nines = "9".repeat(38);
        for (text, precision, scale, expected) in [
            ("12.34", 18, 2, Ok(1234)),
            ("-12.3", 18, 2, Ok(-1230)),
            ("12.340000", 18, 2, Ok(1234)),
            ("12.345", 18, 2, Err(Inexact)),
            ("1e16", 18, 2, Err(OutOfRange)),
            ("9.99", 3, 2, Ok(999)),
            ("10", 3, 2, Err(OutOfRange)),
            ("0.001", 3, 3, Ok(1)),
            ("1200", 3, -2, Ok(12)),
            ("1250", 3, -2, Err(Inexact)),
            ("0.00", 3, 2, Ok(0)),
            ("1E-2", 3, 2, Ok(1)),
            ("100.10", 5, 2, Ok(10010)),
            (nines.as_str(), 38, 0, Ok(nines.parse().unwrap())),
        ] {
            assert_eq!(to_decimal(text, precision, scale), expected, "{text} decimal({precision}, {scale})");
        }
        assert_eq!(to_decimal(&format!("{nines}9"), 38, 0), Err(OutOfRange));
        assert_eq!(to_decimal(&format!("1{}", "0".repeat(5000)), 38, 0), Err(OutOfRange));
        assert_eq!(to_decimal(&format!("0.{}1", "0".repeat(5000)), 38, 10), Err(Inexact));
    }

    #[test]
    fn doubles_must_be_finite() {
        assert_eq!(to_f64(number("1.5e300")), Ok(1.5e300));
        assert_eq!(to_f64(number("1e999")), Err(OutOfRange));
        assert_eq!(to_f64(number("-1e999")), Err(OutOfRange));
    }

    proptest! {
        #[test]
        fn a_decimal_is_read_back_as_it_was_written(value in -(10_i128.pow(38) - 1)..10_i128.pow(38), scale in 0_u8..=38) {
            let digits = value.unsigned_abs().to_string();
            let padded = format!("{digits:0>width$}", width = usize::from(scale) + 1);
            let (whole, fraction) = padded.split_at(padded.len() - usize::from(scale));
            let sign = if value < 0 { "-" } else { "" };
            let text = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
            prop_assert_eq!(to_decimal(&text, 38, i8::try_from(scale).unwrap()), Ok(value));
        }

        #[test]
        fn integers_round_trip(value: i64) {
            prop_assert_eq!(to_i64(number(&value.to_string())), Ok(value));
            prop_assert_eq!(to_i64(number(&format!("{value}.000"))), Ok(value));
        }
    }
}
