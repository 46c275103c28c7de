//! What an API said about a failure, as it may be shown: the start of its text, on one line,
//! without secrets.
//!
//! Secrets are hidden by value, in every encoding in which an API may send back what it was sent,
//! and by name: what stands behind `password:`, `token=` and the like is nobody's business.

use serde_json::Value;
use url::form_urlencoded;

use super::redact::is_secret_name;

/// Bytes of text that are shown.
const SHOWN_BYTES_MAX: usize = 500;
/// Bytes of text that are looked through for what is shown: secrets are shorter when they are
/// hidden.
const WINDOW_BYTES: usize = 8 * 1024;
/// A larger body is not taken apart as JSON.
const JSON_BYTES_MAX: usize = 64 * 1024;
/// What stands for a secret.
const MARK: &str = "***";
/// Fields of error documents that have names of secrets, and hold none.
const HARMLESS_NAMES: [&str; 3] = ["auth", "code", "key"];
/// Fields of a token endpoint's answer that may be shown, all others may hold credentials.
const SPOKEN_FIELDS: [&str; 9] =
    ["code", "detail", "error", "error_code", "error_description", "error_uri", "message", "status", "title"];
/// What stands before credentials in a header.
const SCHEMES: [&str; 4] = ["basic", "bearer", "digest", "token"];
/// A word behind a scheme that is shorter is a word.
const CREDENTIAL_BYTES_MIN: usize = 8;

/// Returns the start of a body of text; `None` when there is nothing to read in it. Of the answer
/// of a token endpoint, only what is known to be harmless is shown where it is JSON.
pub(super) fn of_body(body: &[u8], secrets: &[String], of_token_endpoint: bool) -> Option<String> {
    if body.len() <= JSON_BYTES_MAX
        && let Ok(mut value) = serde_json::from_slice::<Value>(body)
    {
        if is_empty(&value) {
            return None;
        }
        hide_fields(&mut value, of_token_endpoint);
        return Some(of_text(&value.to_string(), secrets));
    }
    let text = text_at_start(body, WINDOW_BYTES + longest(&forms_of(secrets)))?;
    Some(of_text(text, secrets)).filter(|words| !words.is_empty())
}

/// Returns the start of a string.
pub(super) fn of_text(text: &str, secrets: &[String]) -> String {
    let forms = forms_of(secrets);
    let shown = without_secrets(text, &forms);
    let words = shown.split(|character: char| character.is_whitespace() || character.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    // What was spread over lines may have become a secret now.
    cut(&without_secrets(&line, &forms))
}

fn cut(line: &str) -> String {
    let mut shown = String::new();
    for character in line.chars() {
        if shown.len() + character.len_utf8() > SHOWN_BYTES_MAX {
            shown.push('…');
            break;
        }
        shown.push(character);
    }
    shown
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the text at the start of a body, `bytes_max` of it; `None` where the bytes are no text.
fn text_at_start(body: &[u8], bytes_max: usize) -> Option<&str> {
    let start = body.get(..bytes_max).unwrap_or(body);
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A character that the end cuts in two.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

/// Hides the values of fields that are secret by their name, or all but the harmless ones.
fn hide_fields(value: &mut Value, is_strict: bool) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| hide_fields(element, is_strict)),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let is_spoken = SPOKEN_FIELDS.contains(&name.to_ascii_lowercase().as_str());
                if names_a_secret(name) || (is_strict && !is_spoken && !field.is_object() && !field.is_array()) {
                    *field = Value::from(MARK);
                } else {
                    hide_fields(field, is_strict);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn names_a_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    // `invalid_token` is the name of an error.
    is_secret_name(name) && !HARMLESS_NAMES.contains(&lower.as_str()) && !lower.starts_with("invalid")
}

/// Returns how secrets may be written in an answer: plain, form-encoded, percent-encoded, as in
/// JSON (with and without escapes for what is not ASCII), and as in HTML.
fn forms_of(secrets: &[String]) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = Vec::new();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let form_encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let quoted = Value::from(secret.as_str()).to_string();
        let in_json = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned();
        let mut html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        html = html.replace('"', "&quot;");
        let written = [
            secret.clone(),
            form_encoded.replace('+', "%20"),
            form_encoded,
            in_json.replace('/', "\\/"),
            ascii_json(&in_json),
            ascii_json(&in_json).replace('/', "\\/"),
            in_json,
            html.replace('\'', "&#39;"),
            html.replace('\'', "&#x27;"),
            html,
        ];
        for form in written.map(String::into_bytes) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// Returns JSON as programs write it that escape all but ASCII.
fn ascii_json(json: &str) -> String {
    let mut text = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            text.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

fn longest(forms: &[Vec<u8>]) -> usize {
    forms.iter().map(Vec::len).max().unwrap_or(0)
}

/// Returns text up to the end of the window, with [`MARK`] for each stretch that belongs to a
/// secret. A secret that the end of the window cuts in two is found.
fn without_secrets(text: &str, forms: &[Vec<u8>]) -> String {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..WINDOW_BYTES + longest(forms)).unwrap_or(bytes);
    let mut hidden = vec![false; bytes.len()];
    for form in forms {
        for (start, window) in bytes.windows(form.len()).enumerate() {
            if window.eq_ignore_ascii_case(form) {
                hide(&mut hidden, start, start + form.len());
            }
        }
    }
    hide_named(bytes, &mut hidden);
    let mut shown = String::new();
    let mut was_hidden = false;
    for (at, character) in text.char_indices().take_while(|(at, _)| *at < WINDOW_BYTES) {
        let is_hidden = hidden.get(at).copied().unwrap_or(true);
        match (is_hidden, was_hidden) {
            (false, _) => shown.push(character),
            (true, false) => shown.push_str(MARK),
            (true, true) => {}
        }
        was_hidden = is_hidden;
    }
    shown
}

fn hide(hidden: &mut [bool], start: usize, end: usize) {
    if let Some(stretch) = hidden.get_mut(start..end) {
        stretch.fill(true);
    }
}

/// Hides what stands behind the name of a secret or behind the scheme of an `Authorization`, and
/// JWTs.
fn hide_named(bytes: &[u8], hidden: &mut [bool]) {
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of(bytes, at, |byte| !is_of_word(byte));
        if end == at {
            at += 1;
            continue;
        }
        let word = bytes.get(at..end).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
        let is_closing_tag = at > 0 && bytes.get(at - 1) == Some(&b'/');
        if word.starts_with("eyJ") && word.len() > CREDENTIAL_BYTES_MIN {
            hide(hidden, at, end);
        } else if is_scheme(word) && bytes.get(end) == Some(&b' ') {
            let until = end_of(bytes, end + 1, ends_a_value);
            if until - end > CREDENTIAL_BYTES_MIN {
                hide(hidden, end + 1, until);
            }
        }
        if names_a_secret(word)
            && !is_closing_tag
            && let Some((start, until)) = value_behind(bytes, end)
        {
            hide(hidden, start, until);
        }
        at = end;
    }
}

/// Returns where the value is that belongs to a name which ends at `end`: behind `:`, `=` or the
/// `>` of a tag, in quotes or not.
fn value_behind(bytes: &[u8], end: usize) -> Option<(usize, usize)> {
    let separator = end_of(bytes, end, |byte| !matches!(byte, b'"' | b'\'' | b'\\' | b' '));
    let kind = *bytes.get(separator).filter(|byte| matches!(byte, b':' | b'=' | b'>'))?;
    let start = end_of(bytes, separator + 1, |byte| !byte.is_ascii_whitespace() && byte != b'>');
    if kind == b'>' {
        return Some((start, end_of(bytes, start, |byte| byte == b'<')));
    }
    let is_escaped = bytes.get(start) == Some(&b'\\');
    let start = if is_escaped { start + 1 } else { start };
    if let Some(quote) = bytes.get(start).copied().filter(|byte| matches!(byte, b'"' | b'\'')) {
        let mut until = start + 1;
        while let Some(byte) = bytes.get(until) {
            let was_escaped = bytes.get(until - 1) == Some(&b'\\');
            if *byte == quote && was_escaped == is_escaped {
                break;
            }
            until += 1;
        }
        // The backslash of the quote at the end is no part of it.
        return Some((start + 1, if is_escaped { until - 1 } else { until }));
    }
    let until = end_of(bytes, start, ends_a_value);
    let word = bytes.get(start..until).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
    let until = if is_scheme(word) { end_of(bytes, until + 1, ends_a_value) } else { until };
    Some((start, until))
}

/// Returns the first place from `at` on where a byte is as wanted, or the end.
fn end_of(bytes: &[u8], at: usize, is_end: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| is_end(*byte)).map_or(bytes.len().max(at), |length| at + length)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn ends_a_value(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'&' | b',' | b';' | b'<' | b'>' | b'}' | b']' | b')' | b'"' | b'\'')
}

fn is_scheme(word: &str) -> bool {
    SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(body: &str, secrets: &[&str]) -> Option<String> {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        of_body(body.as_bytes(), &secrets, false)
    }

    #[test]
    fn the_words_of_an_api_are_one_line_without_secrets() {
        let no_secrets: &[&str] = &[];
        for (body, secrets, expected) in [
            (
                r#"{"error":{"message":"page size must be at most 50"}}"#,
                no_secrets,
                r#"{"error":{"message":"page size must be at most 50"}}"#,
            ),
            ("<html>\r\n<h1>502 Bad Gateway</h1>\r\n", &[], "<html> <h1>502 Bad Gateway</h1>"),
            ("no \u{1b}[31mrights\u{7}", &[], "no [31mrights"),
            // By value, however it is written.
            ("bad s3+cr&t / s3%2Bcr%26t / S3%2bCR%26T", &["s3+cr&t", "s3"], "bad *** / *** / ***"),
            (r#"{"said": "k\u00e4se\/\"x"}"#, &["käse/\"x"], r#"{"said":"***"}"#),
            (r#"not json: k\u00e4se\/\"x"#, &["käse/\"x"], "not json: ***"),
            ("<b>a&amp;b&#39;c</b> hun\nter2", &["a&b'c", "hun ter2"], "<b>***</b> ***"),
            ("abcdef", &["abcd", "cdef"], "***"),
            // By name.
            (
                r#"{"code":"too_large","key":"limit","token":"abc"}"#,
                &[],
                r#"{"code":"too_large","key":"limit","token":"***"}"#,
            ),
            (
                r#"{"client_secret":{"value":[1]},"at":[{"password":12345}]}"#,
                &[],
                r#"{"client_secret":"***","at":[{"password":"***"}]}"#,
            ),
            (
                r#"{"message":"got {\"api_key\":\"abc\",\"page\":2}"}"#,
                &[],
                r#"{"message":"got {\"api_key\":\"***\",\"page\":2}"}"#,
            ),
            (
                "GET /x?api_key=abc&page=2 token='a b' secret: c",
                &[],
                "GET /x?api_key=***&page=2 token='***' secret: ***",
            ),
            ("Authorization: Bearer abc, Cookie: sid=abc", &[], "Authorization: ***, Cookie: ***"),
            (
                "<Password>abc</Password> sent bearer abcdefghi, a bearer token",
                &[],
                "<Password>***</Password> sent bearer ***, a bearer token",
            ),
            ("expired: eyJhbGciOi.J9.x", &[], "expired: ***"),
            (
                r#"{"error":"invalid_token","error_description":"token is missing"}"#,
                &[],
                r#"{"error":"invalid_token","error_description":"token is missing"}"#,
            ),
        ] {
            assert_eq!(words(body, secrets).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn what_is_no_text_or_says_nothing_is_not_shown() {
        for body in [&b""[..], b"  \n", b"{}", b"[]", b"null", b"\"\"", b"\x89PNG\r\n\x1a\n\0", b"a\0b", b"\xff\xfe"] {
            assert_eq!(of_body(body, &[], false), None, "{body:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let shown = words(&"é".repeat(100_000), &[]).unwrap();
        assert_eq!((shown.len(), shown.chars().last()), (500 + '…'.len_utf8(), Some('…')));
        // A character at the end of what is looked through.
        let shift = format!("x{}", "é".repeat(100_000));
        assert_eq!(words(&shift, &[]).unwrap().chars().count(), 251);
    }

    #[test]
    fn a_token_endpoint_may_only_speak_of_errors() {
        let body = r#"{"error":"invalid_grant","error_description":"too old","given":"abc","nested":{"message":"m","x":"abc"}}"#;
        let shown = of_body(body.as_bytes(), &[], true).unwrap();
        let expected = r#"{"error":"invalid_grant","error_description":"too old","given":"***","nested":{"message":"m","x":"***"}}"#;
        assert_eq!(shown, expected);
    }

    fn encoded(secret: &str, way: u8) -> String {
        match way {
            0 => secret.to_owned(),
            1 => form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            2 => secret.bytes().flat_map(|byte| format!("%{byte:02x}").into_bytes()).map(char::from).collect(),
            3 => Value::from(secret).to_string(),
            4 => secret.encode_utf16().flat_map(|unit| format!("\\u{unit:04X}").into_bytes()).map(char::from).collect(),
            5 => secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
            _ => secret.to_ascii_uppercase(),
        }
    }

    proptest! {
        /// Ways 2 and 4 escape what nobody escapes; they are for JSON, which is read before it is
        /// shown, and for the words around.
        #[test]
        fn no_secret_comes_out(
            secrets in prop::collection::vec("[ -)+-~äß€😀\n]{1,40}", 1..4),
            pieces in prop::collection::vec(("[ -~\n\t]{0,300}", 0_usize..4, prop::sample::select(&[0_u8, 1, 3, 5, 6])), 0..8),
            before in prop::sample::select(&[0_usize, 480, 499, WINDOW_BYTES - 10, WINDOW_BYTES - 1]),
            wrap in 0_u8..4,
        ) {
            let mut text = "-".repeat(before);
            for (around, which, way) in pieces {
                text.push_str(&around);
                text.push_str(&encoded(&secrets[which % secrets.len()], way));
            }
            let body = match wrap {
                0 => text,
                1 => serde_json::json!({"error": {"message": text}}).to_string(),
                // As programs write JSON that escape everything.
                2 => format!("{{\"errors\":[\"{}\"]}}", encoded(&text, 4)),
                _ => format!("<html><body>{text}"),
            };
            let shown = of_body(body.as_bytes(), &secrets, false).unwrap_or_default();
            prop_assert!(shown.len() <= SHOWN_BYTES_MAX + '…'.len_utf8());
            prop_assert!(!shown.chars().any(char::is_control));
            for secret in secrets.iter().filter(|secret| secret.len() > 2) {
                prop_assert!(!shown.contains(secret.as_str()), "{secret:?} in {shown:?}");
            }
        }
    }
}
