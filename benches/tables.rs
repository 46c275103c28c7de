//! Writing to a table as a run does; what the benches of the lake share.

use std::sync::Arc;

use arrow::array::RecordBatch;
use lakefeed_lake::spec::{MergeSpec, PartitionField, Transform};
use lakefeed_lake::{CommitOutcome, Lake, WriteSpec};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::environment::Environment;
use lakefeed_model::schema::{Conflicts, RecordSchema};
use lakefeed_model::spec::{Limits, WriteDisposition};

/// The table, in every lake.
pub(crate) const TABLE: &str = "events";

/// Partitions by the day of `start_time`.
pub(crate) fn by_day() -> Vec<PartitionField> {
    let (column, name) = ("start_time".to_owned(), "start_time_day".to_owned());
    vec![PartitionField { column, transform: Transform::Day, name }]
}

/// Writing records of `schema`, whose key is `event_id`, where they are merged.
pub(crate) fn spec(
    schema: Arc<RecordSchema>,
    partition_by: Vec<PartitionField>,
    disposition: WriteDisposition,
) -> WriteSpec {
    let is_merge = disposition == WriteDisposition::Merge;
    WriteSpec {
        run_id: "bench".to_owned(),
        resource: TABLE.to_owned(),
        disposition,
        full_refresh: false,
        merge: MergeSpec::default(),
        primary_key: if is_merge { vec!["event_id".to_owned()] } else { Vec::new() },
        partition_by,
        schema,
        load_metadata: false,
        conflicts: Conflicts::Reject,
        limits: Limits::default(),
        temporary_folder: Environment::empty().temporary_folder(),
    }
}

/// One run, from the first batch to its commit.
pub(crate) async fn write(
    lake: &Lake,
    spec: WriteSpec,
    batches: impl IntoIterator<Item = RecordBatch>,
) -> CommitOutcome {
    let mut writer = lake.table(TABLE).begin(spec).await.expect("the table can be written to");
    for batch in batches {
        writer.write(batch).await.expect("the batch fits");
    }
    writer.commit(Checkpoint::full_listing(TABLE)).await.expect("the run can be committed")
}
