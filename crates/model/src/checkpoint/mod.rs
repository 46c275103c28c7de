//! How far a resource has got. Pure.
//!
//! The checkpoint is written in the same commit as the data that it speaks of, so the two move
//! together or not at all.

mod bindings;
mod cursor;
mod delta;
mod value;
mod window;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::CursorValue;

pub use bindings::CursorBindings;
pub use cursor::{Admitted, BOUNDARY_MAX, Backfill, CursorError, CursorRun, CursorState};
pub use delta::{CursorDelta, DeltaError, PositionDelta};
pub use value::{ValueError, compare, instant};
pub use window::{Window, Windows};

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
#[non_exhaustive]
pub enum Position {
    /// The whole listing, from its first page to its last.
    FullListing,
    /// Everything up to a cursor value.
    Cursor(CursorState),
}

impl Checkpoint {
    /// The version that this program writes.
    pub const VERSION: u32 = 1;

    /// Returns the checkpoint of a listing that was read to its end.
    pub fn full_listing(resource: impl Into<String>) -> Self {
        Self { version: Self::VERSION, resource: resource.into(), position: Position::FullListing }
    }

    /// Returns the checkpoint of a resource that was read up to a position.
    pub fn at(resource: impl Into<String>, position: Position) -> Self {
        Self { version: Self::VERSION, resource: resource.into(), position }
    }

    /// Returns the cursor, where there is one.
    pub fn cursor_state(&self) -> Option<&CursorState> {
        self.position.cursor_state()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FullListing => f.write_str("full listing"),
            Self::Cursor(state) => match &state.last_value {
                CursorValue::Number(value) | CursorValue::Text(value) => write!(f, "up to {value}"),
            },
        }
    }
}

impl Position {
    /// Returns the cursor, where there is one.
    pub fn cursor_state(&self) -> Option<&CursorState> {
        match self {
            Self::FullListing => None,
            Self::Cursor(state) => Some(state),
        }
    }
}
