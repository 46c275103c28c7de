//! A record without the values that do not fit: their text becomes `null`, all else stays byte for
//! byte.

use std::ops::Range;

use crate::decode::json::members::{each_member, element};
use crate::decode::value::refusal::Step;

/// Returns the record `text` with null at the place that `steps` lead to, from the value outwards;
/// `None` when there is nothing.
pub(crate) fn with_null_at(text: &str, steps: &[Step]) -> Option<String> {
    let places = places_of(text, steps);
    if places.is_empty() {
        return None;
    }
    let mut nulled = String::with_capacity(text.len());
    let mut end = 0;
    for place in places {
        nulled.push_str(text.get(end..place.start)?);
        nulled.push_str("null");
        end = place.end;
    }
    nulled.push_str(text.get(end..)?);
    Some(nulled)
}

/// Returns where the values at the place are: a key may come twice.
pub(crate) fn places_of(text: &str, steps: &[Step]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    find(text, 0, steps, &mut places);
    places
}

fn find(text: &str, offset: usize, steps: &[Step], places: &mut Vec<Range<usize>>) {
    let Some((step, rest)) = steps.split_last() else {
        places.push(offset..offset + text.len());
        return;
    };
    let within = |value: &str| offset + (value.as_ptr().addr() - text.as_ptr().addr());
    match step {
        Step::Key(name) => each_member(text, &mut |key, value| {
            if key == name {
                find(value, within(value), rest, places);
            }
            true
        }),
        Step::Index(index) => {
            if let Some(value) = element(text, |_| Some(*index)) {
                find(value, within(value), rest, places);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_value_at_the_place_goes() {
        let key = |name: &str| Step::Key(name.to_owned());
        for (text, steps, expected) in [
            ("{ \"a\": \"x\", \"b\":1.50 }", vec![key("a")], Some("{ \"a\": null, \"b\":1.50 }")),
            ("{\"a\":[1,{\"b\" : [2]}]}", vec![key("b"), Step::Index(1), key("a")], Some("{\"a\":[1,{\"b\" : null}]}")),
            ("{\"a\":1,\"\\u0061\":2}", vec![key("a")], Some("{\"a\":null,\"\\u0061\":null}")),
            ("{\"a\":1}", vec![key("b")], None),
            ("{\"a\":1}", vec![Step::Index(0), key("a")], None),
        ] {
            assert_eq!(with_null_at(text, &steps).as_deref(), expected, "{text}");
        }
    }
}
