//! What the records of one slice share, such as the fields of their parent.

use serde_json::Value;

use crate::checkpoint::Window;
use crate::plan::{Part, Slice};
use crate::spec::{JsonPath, ParentSpec};

/// What the records of one slice share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SliceContext {
    pub(crate) from_parent: String,
    pub(super) window: Option<Window>,
}

impl SliceContext {
    /// The context of a slice of a resource with this parent.
    pub(crate) fn of(slice: Slice, parent: Option<&ParentSpec>) -> Self {
        match slice.part {
            Part::Listing => Self::default(),
            Part::Window(window) => Self { from_parent: String::new(), window: Some(window) },
            Part::ParentRow(row) => {
                let include = parent.map(|parent| parent.include.as_slice()).unwrap_or_default();
                let member = |(path, name): &(JsonPath, String)| {
                    Some(format!("{}:{}", Value::String(name.clone()), row.raw(path)?))
                };
                Self { from_parent: include.iter().filter_map(member).collect::<Vec<_>>().join(","), window: None }
            }
        }
    }
}

/// A record with more members at its end; `None` when there are none, or it is no object.
pub(crate) fn with_members(record: &str, members: &str) -> Option<String> {
    if members.is_empty() {
        return None;
    }
    let open = record.trim_end().strip_suffix('}')?.trim_end();
    let comma = if open.ends_with('{') { "" } else { "," };
    Some([open, comma, members, "}"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_the_parent_come_last() {
        for (record, expected) in [
            ("{}", Some("{\"_p_id\":1}")),
            ("{\"a\":1 } ", Some("{\"a\":1,\"_p_id\":1}")),
            ("[1]", None),
            ("\"}\"", None),
        ] {
            assert_eq!(with_members(record, "\"_p_id\":1").as_deref(), expected, "{record}");
        }
    }
}
