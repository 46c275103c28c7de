//! What a [`Table`](crate::Table) tells of itself, and what can be asked of it.

pub use lakefeed_lake::spec::{PartitionField, StrategyName, Transform};
pub use lakefeed_lake::{
    Change, CommitSummary, CompactSpec, CompactedPartition, Compaction, DataFile, Finding, FindingCode, Garbage,
    GarbageKind, GoneFile, KeptReject, KeptRejects, KeptRejectsFile, KeyBound, Level, LockWaitStatus, Manifest,
    ManifestFile, Operation, Recovery, RejectPlace, RejectState, Snapshot, SortColumn, StagedRun, StoredHistory,
    StoredMerge, VacuumSpec, Vacuumed, VerifyReport,
};
pub use lakefeed_model::checkpoint::{CursorState, Position};
pub use lakefeed_model::schema::{
    Column, ColumnHint, ColumnType, IntegerType, Note, Notes, OnError, OtherUnit, RecordSchema, SchemaError, TimeUnit,
    Variant, VariantKind,
};
pub use lakefeed_model::spec::{CursorValue, WriteDisposition};
