//! What the records of one slice share, such as the fields of their parent.

use std::sync::Arc;

use serde_json::Value;

use crate::checkpoint::Window;
use crate::plan::{Part, Slice};
use crate::spec::{JsonPath, ParentSpec};

/// What the records of one slice share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SliceContext {
    /// An object; empty for none.
    pub(super) from_parent: Arc<str>,
    pub(super) window: Option<Window>,
}

impl SliceContext {
    /// Returns the context of a slice of a resource with this parent.
    pub(crate) fn of(slice: Slice, parent: Option<&ParentSpec>) -> Self {
        match slice.part {
            Part::Listing => Self::default(),
            Part::Window(window) => Self { from_parent: Arc::default(), window: Some(window) },
            Part::ParentRow(row) => {
                let include = parent.map(|parent| parent.include.as_slice()).unwrap_or_default();
                let member = |(path, name): &(JsonPath, String)| {
                    Some(format!("{}:{}", Value::String(name.clone()), row.raw(path)?))
                };
                let members: Vec<String> = include.iter().filter_map(member).collect();
                let from_parent = if members.is_empty() { String::new() } else { format!("{{{}}}", members.join(",")) };
                Self { from_parent: from_parent.into(), window: None }
            }
        }
    }
}
