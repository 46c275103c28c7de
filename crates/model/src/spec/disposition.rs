//! What a run does with the rows that are already there.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a run does with the rows that are already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteDisposition {
    /// Leave them and add the new ones.
    Append,
    /// Remove them: the table is what this run read.
    Replace,
    /// One row per key, the newest version.
    Merge,
}

impl fmt::Display for WriteDisposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Replace => "replace",
            Self::Merge => "merge",
        })
    }
}
