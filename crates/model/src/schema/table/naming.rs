//! What the fields of records are called in their table. Pure.

use crate::schema::types::variant::split_variant;

/// What the fields of records are called in their table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// As in the records.
    #[default]
    AsIs,
    /// By [`snake_case`].
    SnakeCase,
}

impl Naming {
    /// Returns the name of a field in its table.
    pub fn name(self, key: &str) -> String {
        match self {
            Self::AsIs => key.to_owned(),
            // A variant is called after its column, whatever that is called.
            Self::SnakeCase => match split_variant(key) {
                Some((column, ending)) => snake_case(column) + ending,
                None => snake_case(key),
            },
        }
    }
}

/// Returns a key as dlt's naming convention `snake_case` has it: words in lower case with one `_`
/// between, of letters, digits and `_` alone.
///
/// A word begins with an upper-case letter behind a lower-case one or a digit, and with the last of
/// several upper-case letters before a lower-case one (`HTTPServer` is `http_server`). `+` and `*`
/// become `x`, `@` becomes `a`, `|` becomes `l`; other signs become `_`. Each `_` at the end
/// becomes `x`, and a name that begins with a digit gets a `_` before it. Unlike dlt, it keeps
/// letters and digits of every script. What has such a name stays as it is.
fn snake_case(key: &str) -> String {
    let characters: Vec<char> = reduced(key.trim()).chars().collect();
    let is_upper = |character: &char| character.to_lowercase().next() != Some(*character);
    let mut name = String::with_capacity(characters.len() + 4);
    for (place, character) in characters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| characters.get(before));
        let begins = is_upper(character)
            && before.is_some_and(|before| {
                let ends = before.is_lowercase() || before.is_ascii_digit();
                *before != '_' && (ends || characters.get(place + 1).is_some_and(|next| next.is_lowercase()))
            });
        if begins {
            name.push('_');
        }
        // The lower case of some letters has marks of its own.
        name.extend(character.to_lowercase().filter(|character| *character == '_' || character.is_alphanumeric()));
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let ending = name.len() - name.trim_end_matches('_').len();
    name.truncate(name.len() - ending);
    name.push_str(&"x".repeat(ending));
    let mut last = None;
    name.retain(|character| !(last.replace(character) == Some('_') && character == '_'));
    name
}

/// Returns the key in letters, digits and `_`.
fn reduced(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    let mut is_sign = false;
    for character in key.chars() {
        let letter = match character {
            '+' | '*' => Some('x'),
            '-' | '_' => Some('_'),
            '@' => Some('a'),
            '|' => Some('l'),
            letter => letter.is_alphanumeric().then_some(letter),
        };
        match letter {
            Some(letter) => name.push(letter),
            None if is_sign => {}
            None => name.push('_'),
        }
        is_sign = letter.is_none();
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_become_words_with_underscores() {
        for (key, expected) in [
            ("startTime", "start_time"),
            ("StartTime", "start_time"),
            ("start_time", "start_time"),
            ("start-time", "start_time"),
            ("start time", "start_time"),
            (" start  time ", "start_time"),
            ("HTTPServer", "http_server"),
            ("serverHTTP", "server_http"),
            ("iCalUID", "i_cal_uid"),
            ("ID", "id"),
            ("eventID2Name", "event_id2_name"),
            ("2ndPlace", "_2nd_place"),
            ("@odata.etag", "aodata_etag"),
            ("a.b", "a_b"),
            ("a__b", "a_b"),
            ("_private", "_private"),
            ("value_", "valuex"),
            ("value__", "valuexx"),
            ("value?!", "valuex"),
            ("c++", "cxx"),
            ("a|b", "alb"),
            ("Größe", "größe"),
            ("開始日", "開始日"),
            ("_lakefeed_run_id", "_lakefeed_run_id"),
            ("", ""),
        ] {
            assert_eq!(snake_case(key), expected, "{key:?}");
        }
    }

    /// What dlt 1.31 has made of keys that were put together at random.
    #[test]
    fn keys_of_plain_letters_are_called_as_dlt_calls_them() {
        let names = include_str!("../../../../../tests/names/snake_case.json");
        let names: Vec<(String, String)> = serde_json::from_str(names).unwrap();
        assert!(names.len() > 300);
        for (key, name) in names {
            assert_eq!(snake_case(&key), name, "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_stays_as_it_is(key in "\\PC{0,12}") {
            let name = snake_case(&key);
            prop_assert_eq!(&snake_case(&name), &name);
            prop_assert!(!name.contains("__") && !name.ends_with('_') && name.chars().all(|c| c == '_' || c.is_alphanumeric()), "{}", name);
        }
    }
}
