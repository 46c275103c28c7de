//! What every stage is told: paths into records, cursors, bounds, write dispositions.

mod disposition;
mod incremental;
pub mod json_path;
mod limits;

pub use disposition::WriteDisposition;
pub use incremental::{
    CursorFormat, CursorSpec, CursorValue, Incremental, IncrementalValue, Lag, LagUnit, LastValue, OnMissing,
    RangeBound, RowOrder,
};
pub use json_path::JsonPath;
pub use limits::{CountOrShare, Limits};
