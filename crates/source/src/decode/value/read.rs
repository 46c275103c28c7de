//! The value at the cursor as a string, a number, bytes or a time, also where it is not written in
//! the usual form and yet loses nothing. `docs/types.md` is the table of what is taken.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::decode::json::scanner::{NumberText, Scanner};
use crate::decode::value::number::{NumberFault, as_number, to_decimal, to_f64};
use crate::decode::value::refusal::{Stop, bad_number, bad_time, describe, lone_surrogate};
use crate::decode::value::timestamp::TimeFault;
use lakefeed_model::reject::RejectCode;

pub(crate) const INTEGER: &str = "a 64-bit integer";
pub(crate) const INSTANT: &str = "an RFC 3339 date-time";
pub(crate) const LOCAL: &str = "a date-time without an offset";
pub(crate) const DATE: &str = "a date (YYYY-MM-DD)";
pub(crate) const TIME_OF_DAY: &str = "a time of day (HH:MM:SS)";

/// Proto3's JSON mapping takes both alphabets, with padding and without.
const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD, BASE64);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, BASE64);

/// Returns the meaning of the string at the cursor.
pub(crate) fn read_text<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, Stop> {
    let start = scanner.position();
    let text = scanner.string()?;
    text.decoded().map_err(|_| lone_surrogate(scanner.text_since(start)))
}

/// Reads the number, or the text that is a number, at the cursor.
pub(crate) fn read_number<T>(
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

/// Reads a double, or the text that is one; three strings stand for what JSON has no numbers for.
pub(crate) fn read_float(scanner: &mut Scanner<'_>, expected: &str) -> Result<f64, Stop> {
    let start = scanner.bookmark();
    if let Some(special) = special_float(&read_text(scanner)?) {
        return Ok(special);
    }
    scanner.return_to(start);
    read_number(scanner, expected, to_f64)
}

/// Returns the three doubles that JSON cannot write, as proto3's JSON mapping writes them.
pub(crate) fn special_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Reads the number, or the text that is a number, at the cursor as a decimal.
pub(crate) fn read_decimal(scanner: &mut Scanner<'_>, precision: u8, scale: i8) -> Result<i128, Stop> {
    let expected = || format!("a decimal of {precision} digits, {scale} of them after the point");
    if scanner.peek() != Some(b'"') {
        let number = scanner.number()?.text;
        return to_decimal(number, precision, scale).map_err(|fault| bad_number(fault, &expected(), number));
    }
    read_number(scanner, &expected(), |number| to_decimal(number.text, precision, scale))
}

/// Reads the bytes that the text at the cursor says in base64 (RFC 4648): in the usual or the
/// URL-safe alphabet, with padding or without.
pub(crate) fn read_base64(scanner: &mut Scanner<'_>, expected: &str, bytes: &mut Vec<u8>) -> Result<(), Stop> {
    let start = scanner.position();
    let text = read_text(scanner)?;
    let alphabet = if text.contains(['-', '_']) { BASE64_URL } else { BASE64_STANDARD };
    alphabet.decode_vec(text.as_bytes(), bytes).map_err(|_| bad_format(expected, scanner.text_since(start)))
}

/// Reads the text at the cursor by `usual`, which reads the start of its bytes, or else by `any`,
/// which reads all of it.
#[inline]
pub(crate) fn read_time<T>(
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

#[cold]
pub(crate) fn bad_format(expected: &str, value: &str) -> Stop {
    Stop::record(RejectCode::BadFormat, format!("expected {expected}, found {}", describe(value)))
}
