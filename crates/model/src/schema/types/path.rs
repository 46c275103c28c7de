//! Where a field of a record is, as a JSON path.

use std::collections::BTreeSet;

/// Places of fields: `$.a.b`, without the indexes of lists.
pub type Places = BTreeSet<String>;

/// Returns the JSON path of a member, as rejects have it.
pub fn member_path(place: &str, key: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '@');
    if !key.is_empty() && key.chars().all(is_plain) {
        format!("{place}.{key}")
    } else {
        format!("{place}['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}
