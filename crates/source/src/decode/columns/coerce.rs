//! One value that is not written as its column's usual form, and yet loses nothing: a number or a truth as text, a count of seconds as a
//! date-time. `docs/types.md` is the table of what is taken.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::number::{NumberFault, to_decimal, to_f64, to_i64};
use super::super::refusal::{Stop, bad_number, bad_time, describe, lone_surrogate, wrong_type};
use super::super::scanner::{NumberText, Scanner};
use super::super::spelling::from_count;
use super::super::timestamp::TimeFault;
use super::Values;
use lakefeed_model::reject::RejectCode;
use lakefeed_model::schema::TimeUnit;

pub(super) const INTEGER: &str = "a 64-bit integer";
pub(super) const INSTANT: &str = "an RFC 3339 date-time";
pub(super) const LOCAL: &str = "a date-time without an offset";
pub(super) const DATE: &str = "a date (YYYY-MM-DD)";
pub(super) const TIME_OF_DAY: &str = "a time of day (HH:MM:SS)";

/// Proto3's JSON mapping takes both alphabets, with padding and without.
const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD, BASE64);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, BASE64);

impl Values {
    /// What a value must be, in words.
    fn expected(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "true or false",
            Self::Int64(_) => INTEGER,
            Self::Float64(_) => "a number",
            Self::Decimal128 { .. } => "a decimal number",
            Self::Utf8(_) => "a text",
            Self::Json(_) | Self::Other(_) => "a value",
            Self::TimestampUtc(_) => INSTANT,
            Self::TimestampNaive(_) => LOCAL,
            Self::Date32(_) => DATE,
            Self::Time64(_) => TIME_OF_DAY,
            Self::Struct(_) => "an object",
            Self::List(_) => "an array",
        }
    }
}

/// Reads the value at the cursor, which is not written as its column's values usually are.
#[inline(never)]
pub(super) fn coerce(values: &mut Values, counts: Option<TimeUnit>, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
    let expected = values.expected();
    match (values, scanner.peek(), counts) {
        (Values::Int64(values), Some(b'"'), _) => values.push(read_number(scanner, expected, to_i64)?),
        (Values::Float64(values), Some(b'"'), _) => values.push(read_float(scanner, expected)?),
        (Values::Boolean(values), Some(b'"'), _) => {
            let start = scanner.position();
            values.append(match &*read_text(scanner)? {
                "true" => true,
                "false" => false,
                _ => return Err(bad_format(expected, scanner.text_since(start))),
            });
        }
        (Values::TimestampUtc(values) | Values::TimestampNaive(values), Some(b'-' | b'0'..=b'9'), Some(unit)) => {
            values.push(read_number(scanner, expected, |number| from_count::<6>(number.text, unit))?);
        }
        _ => return Err(wrong_type(scanner, expected)),
    }
    Ok(())
}

/// The meaning of the string at the cursor.
pub(super) fn read_text<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, Stop> {
    let start = scanner.position();
    let text = scanner.string()?;
    text.decoded().map_err(|_| lone_surrogate(scanner.text_since(start)))
}

/// Reads the number, or the text that is a number, at the cursor.
pub(super) fn read_number<T>(
    scanner: &mut Scanner<'_>,
    expected: &str,
    convert: impl Fn(NumberText<'_>) -> Result<T, NumberFault>,
) -> Result<T, Stop> {
    let start = scanner.position();
    let converted = if scanner.peek() == Some(b'"') {
        let text = read_text(scanner)?;
        let Some(number) = as_number(&text) else { return Err(bad_format(expected, scanner.text_since(start))) };
        convert(number)
    } else {
        convert(scanner.number()?)
    };
    converted.map_err(|fault| bad_number(fault, expected, scanner.text_since(start)))
}

/// Reads a double, or the text that is one; three texts stand for what JSON has no numbers for.
fn read_float(scanner: &mut Scanner<'_>, expected: &str) -> Result<f64, Stop> {
    let start = scanner.bookmark();
    if let Some(special) = special_float(&read_text(scanner)?) {
        return Ok(special);
    }
    scanner.return_to(start);
    read_number(scanner, expected, to_f64)
}

/// The three doubles that JSON cannot write, as proto3's JSON mapping writes them.
pub(super) fn special_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Reads the number, or the text that is a number, at the cursor as a decimal.
pub(super) fn read_decimal(scanner: &mut Scanner<'_>, precision: u8, scale: i8) -> Result<i128, Stop> {
    let expected = || format!("a decimal of {precision} digits, {scale} of them after the point");
    if scanner.peek() != Some(b'"') {
        let number = scanner.number()?.text;
        return to_decimal(number, precision, scale).map_err(|fault| bad_number(fault, &expected(), number));
    }
    read_number(scanner, &expected(), |number| to_decimal(number.text, precision, scale))
}

/// Reads the bytes that the text at the cursor says in base64 (RFC 4648): in the usual or the URL-safe alphabet, with padding or without.
pub(super) fn read_base64(scanner: &mut Scanner<'_>, expected: &str, bytes: &mut Vec<u8>) -> Result<(), Stop> {
    let start = scanner.position();
    let text = read_text(scanner)?;
    let alphabet = if text.contains(['-', '_']) { BASE64_URL } else { BASE64_STANDARD };
    alphabet.decode_vec(text.as_bytes(), bytes).map_err(|_| bad_format(expected, scanner.text_since(start)))
}

/// Reads the text at the cursor by `usual`, which reads the start of its bytes, or else by `any`, which reads all of it.
#[inline]
pub(super) fn read_time<T>(
    scanner: &mut Scanner<'_>,
    usual: impl Fn(&[u8]) -> Result<(T, &[u8]), TimeFault>,
    any: &dyn Fn(&str) -> Result<T, TimeFault>,
    expected: &str,
) -> Result<T, Stop> {
    // What is a date or time up to the closing quote needs no look for its end.
    if let Some((_, text)) = scanner.rest().split_first()
        && let Ok((value, rest @ [b'"', ..])) = usual(text)
    {
        scanner.advance(2 + text.len() - rest.len());
        return Ok(value);
    }
    read_any_time(scanner, any, expected)
}

#[inline(never)]
fn read_any_time<T>(
    scanner: &mut Scanner<'_>,
    any: &dyn Fn(&str) -> Result<T, TimeFault>,
    expected: &str,
) -> Result<T, Stop> {
    let start = scanner.position();
    let text = read_text(scanner)?;
    any(&text).map_err(|fault| bad_time(fault, expected, scanner.text_since(start)))
}

/// A text that is a number, by the grammar of JSON.
pub(in super::super) fn as_number(text: &str) -> Option<NumberText<'_>> {
    let mut scanner = Scanner::new(text.as_bytes(), 0).ok()?;
    let number = if scanner.position() == 0 { scanner.number().ok()? } else { return None };
    (number.text.len() == text.len()).then_some(number)
}

#[cold]
pub(super) fn bad_format(expected: &str, value: &str) -> Stop {
    Stop::record(RejectCode::BadFormat, format!("expected {expected}, found {}", describe(value)))
}
