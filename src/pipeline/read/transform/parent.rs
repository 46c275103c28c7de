//! What the records of one slice share, such as the fields of their parent.

use serde_json::Value;

use crate::checkpoint::CursorRun;
use crate::extract::ParentRow;
use crate::spec::{JsonPath, ParentSpec};

/// What the records of one slice share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SliceContext {
    pub(crate) from_parent: String,
    pub(crate) window: Option<CursorRun>,
}

impl SliceContext {
    /// The context of the slice of one parent's record.
    pub(crate) fn of_parent(spec: &ParentSpec, row: &ParentRow) -> Self {
        let member =
            |(path, name): &(JsonPath, String)| Some(format!("{}:{}", Value::String(name.clone()), row.raw(path)?));
        Self { from_parent: spec.include.iter().filter_map(member).collect::<Vec<_>>().join(","), window: None }
    }

    /// The context of a time window.
    pub(crate) fn of_window(window: CursorRun) -> Self {
        Self { from_parent: String::new(), window: Some(window) }
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
