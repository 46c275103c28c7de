//! The members and elements of a value whose text is valid JSON.

use super::scanner::{Kind, Scanner};

/// The page that held the record was within its own limit.
const DEPTH_MAX: u32 = 1_024;

/// Hands every member of an object to `take`, until it has enough.
pub(crate) fn each_member<'a>(text: &'a str, take: &mut dyn FnMut(&str, &'a str) -> bool) {
    let Ok(mut scanner) = Scanner::new(text.as_bytes(), DEPTH_MAX) else { return };
    if !matches!(scanner.kind(), Ok(Kind::Object)) {
        return;
    }
    let Ok(mut more) = scanner.enter_object() else { return };
    while more {
        let Ok(key) = scanner.key() else { return };
        let Ok(value) = scanner.value_text() else { return };
        if let Ok(key) = key.decoded()
            && !take(&key, value)
        {
            return;
        }
        let Ok(next) = scanner.next_member() else { return };
        more = next;
    }
}

/// Returns the element of an array at the place that `index` makes of its length.
pub(crate) fn element(text: &str, index: impl FnOnce(usize) -> Option<usize>) -> Option<&str> {
    let mut scanner = Scanner::new(text.as_bytes(), DEPTH_MAX).ok()?;
    if scanner.kind().ok()? != Kind::Array {
        return None;
    }
    let index = index(scanner.clone().skip_elements().ok()?)?;
    let mut more = scanner.enter_array().ok()?;
    let mut position = 0;
    while more {
        let value = scanner.value_text().ok()?;
        if position == index {
            return Some(value);
        }
        position += 1;
        more = scanner.next_element().ok()?;
    }
    None
}
