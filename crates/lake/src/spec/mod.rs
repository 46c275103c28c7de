//! What a table is told: where it is, how it is partitioned, how rows are merged.

mod destination;
mod merge;
mod partition;

pub use destination::{DestinationSpec, Location};
pub use merge::{
    DeleteEffect, HistorySpec, MarkKind, MarkSpec, MergeSpec, MergeStrategy, Precedence, SortOrder, StrategyName,
};
pub use partition::{PartitionField, Transform};
