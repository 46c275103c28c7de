//! How far a resource has got. Pure.
//!
//! The checkpoint is written in the same commit as the data that it speaks of, so the two move together or not at all.

use serde::{Deserialize, Serialize};

/// How far a resource has got; stored in every commit of its table.
///
/// A full listing has no cursor: its checkpoint only says that one was read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The version of this document.
    pub version: u32,
    /// The resource that it belongs to.
    pub resource: String,
    /// What has been read.
    pub position: Position,
}

/// What has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Position {
    /// The whole listing, from its first page to its last.
    FullListing,
}

impl Checkpoint {
    /// The version that this program writes.
    pub const VERSION: u32 = 1;

    /// The checkpoint of a listing that was read to its end.
    pub fn full_listing(resource: impl Into<String>) -> Self {
        Self { version: Self::VERSION, resource: resource.into(), position: Position::FullListing }
    }
}
