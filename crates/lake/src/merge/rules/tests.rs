//! Every strategy against its model, over random runs; and what a table allows after it was merged
//! in one way.

mod kills;
mod model;

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use crate::merge::rules::tests::model::{Arrival, Competition, Moment, Record, Stored};
use crate::spec::{
    DeleteEffect, HistorySpec, MarkKind, MarkSpec, MergeSpec, MergeStrategy, PartitionField, Precedence, SortOrder,
    Transform,
};
use crate::testing::world::{TABLE, World};
use crate::{CommitOutcome, CompactSpec, Maintenance, SortColumn, Table, WriteSpec};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::clock::Clock as _;
use lakefeed_model::error::{ErrorKind, Result};
use lakefeed_model::event::RowCounts;
use lakefeed_model::schema::{Column, ColumnType, RecordSchema};
use lakefeed_model::spec::{Limits, WriteDisposition};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A way to merge, as the tests choose it.
#[derive(Debug, Clone)]
struct Way {
    merge: MergeSpec,
    has_key: bool,
    /// A level of the partitions by a column that the merge adds.
    by_own: Option<(&'static str, Transform)>,
}

/// The records of one run, batch by batch.
#[derive(Debug, Clone)]
struct Run {
    batches: Vec<Vec<Arrival>>,
    /// The listing was proven whole.
    is_whole: bool,
    minutes: u64,
}

fn column(name: &str, column_type: ColumnType, nullable: bool) -> Column {
    Column { name: name.to_owned(), column_type, nullable }
}

fn schema(has_key: bool) -> Arc<RecordSchema> {
    Arc::new(
        RecordSchema::new(vec![
            column("group", ColumnType::Int64, true),
            column("id", ColumnType::Utf8, !has_key),
            column("start", ColumnType::TimestampUtc, true),
            column("rev", ColumnType::Int64, true),
            column("value", ColumnType::Int64, false),
        ])
        .unwrap(),
    )
}

impl Way {
    fn upsert() -> Self {
        Self { merge: MergeSpec::default(), has_key: true, by_own: None }
    }

    fn of(strategy: MergeStrategy) -> Self {
        Self { merge: MergeSpec { strategy, ..MergeSpec::default() }, ..Self::upsert() }
    }

    fn history() -> Self {
        Self::of(MergeStrategy::Scd2(HistorySpec {
            valid_from: "valid_from".to_owned(),
            valid_to: "valid_to".to_owned(),
            boundary: None,
            retires_absent: true,
        }))
    }

    fn by_group(mut self) -> Self {
        self.merge.merge_key = vec!["group".to_owned()];
        self
    }

    fn keyless(self) -> Self {
        Self { has_key: false, ..self }
    }

    fn deleting(mut self, mark: Option<MarkKind>) -> Self {
        let mark = mark.map(|kind| MarkSpec { column: "deleted".to_owned(), kind });
        self.merge.deletes = Some(mark.map_or(DeleteEffect::Remove, DeleteEffect::Mark));
        self
    }

    fn competing(mut self, order: SortOrder, guards_table: bool) -> Self {
        self.merge.precedence = Some(Precedence { column: "rev".to_owned(), order, guards_table });
        self
    }

    fn spec(&self, world: &World, run_id: &str) -> WriteSpec {
        let mut spec = world.spec(run_id, WriteDisposition::Merge);
        spec.merge = self.merge.clone();
        spec.schema = schema(self.has_key);
        if !self.has_key {
            spec.primary_key.clear();
        }
        if let Some((column, transform)) = self.by_own {
            let (column, name) = (column.to_owned(), "own".to_owned());
            spec.partition_by.push(PartitionField { column, transform, name });
        }
        spec
    }

    /// What the model says a run does.
    fn model(&self, table: &mut Vec<Stored>, run: &Run, now: i64) -> RowCounts {
        let came: Vec<Arrival> = run.batches.iter().flatten().cloned().collect();
        let precedence = self.merge.precedence.as_ref();
        let competition = Competition {
            order: precedence.map(|precedence| precedence.order),
            guards: precedence.is_some_and(|precedence| precedence.guards_table),
        };
        let by_group = !self.merge.merge_key.is_empty();
        match &self.merge.strategy {
            MergeStrategy::Upsert | MergeStrategy::DeleteInsert if self.has_key => {
                model::upsert(table, &came, competition, self.merge.mark().map(|_| now), by_group)
            }
            MergeStrategy::Upsert | MergeStrategy::DeleteInsert => model::replace_groups(table, &came),
            MergeStrategy::InsertOnly => model::insert_only(table, &came, competition),
            MergeStrategy::Scd2(history) => {
                let moment = Moment { now, retires: run.is_whole && history.retires_absent, by_group };
                if self.has_key {
                    model::history(table, &came, competition, moment)
                } else {
                    model::history_of_records(table, &came, moment)
                }
            }
        }
    }

    /// A batch of incoming keys; deletes have no more than their key, their group and their
    /// version.
    fn batch(&self, incoming_keys: &[Arrival]) -> RecordBatch {
        let live = |came: &&Arrival| !came.deletes || !self.has_key;
        let ids = incoming_keys.iter().map(|came| Some(format!("event-{}", came.record.id))).collect::<StringArray>();
        let starts = incoming_keys
            .iter()
            .map(|came| Some(came).filter(live).and_then(|came| came.record.day).map(|day| day * MICROS_PER_DAY))
            .collect::<TimestampMicrosecondArray>();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(incoming_keys.iter().map(|came| came.record.group.map(i64::from)).collect::<Int64Array>()),
            Arc::new(ids),
            Arc::new(starts.with_timezone("UTC")),
            Arc::new(incoming_keys.iter().map(|came| came.record.rev).collect::<Int64Array>()),
            Arc::new(
                incoming_keys
                    .iter()
                    .map(|came| Some(came).filter(live).map(|came| came.record.value))
                    .collect::<Int64Array>(),
            ),
        ];
        let schema = schema(self.has_key);
        if self.merge.deletes.is_none() {
            return RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
        }
        let deletes: ArrayRef = Arc::new(incoming_keys.iter().map(|came| Some(came.deletes)).collect::<BooleanArray>());
        let key = if self.has_key { vec!["id".to_owned()] } else { Vec::new() };
        RecordBatch::try_new(schema.to_arrow_with_deletes(&key), [columns, vec![deletes]].concat()).unwrap()
    }

    async fn run_on(&self, table: &Table, spec: WriteSpec, run: &Run) -> Result<CommitOutcome> {
        let mut writer = table.begin(spec).await?;
        for incoming_keys in &run.batches {
            writer.write(self.batch(incoming_keys)).await?;
        }
        if run.is_whole {
            writer.listing_was_whole();
        }
        writer.commit(Checkpoint::full_listing(TABLE)).await
    }
}

/// Every row that a glob finds, sorted.
async fn rows(world: &World) -> Vec<Stored> {
    let mut rows = Vec::new();
    for path in world.glob().await {
        let bytes = world.store.get(&Path::parse(&path).unwrap()).await.unwrap().bytes().await.unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            rows.extend(rows_of(&batch.unwrap()));
        }
    }
    rows.sort();
    rows
}

fn rows_of(batch: &RecordBatch) -> Vec<Stored> {
    let instant = |name: &str, row: usize| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let number = |name: &str, row: usize| {
        let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let is_deleted = |row: usize| {
        let column = batch.column_by_name("deleted")?.as_boolean_opt()?;
        (column.is_valid(row) && column.value(row)).then_some(0)
    };
    let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
    let record = |row: usize| Record {
        id: ids.value(row).strip_prefix("event-").unwrap().parse().unwrap(),
        day: instant("start", row).map(|micros| micros / MICROS_PER_DAY),
        group: number("group", row).map(|group| u32::try_from(group).unwrap()),
        rev: number("rev", row),
        value: number("value", row).unwrap(),
    };
    let stored = |row: usize| Stored {
        record: record(row),
        valid_from: instant("valid_from", row),
        valid_to: instant("valid_to", row),
        deleted_at: instant("deleted", row).or_else(|| is_deleted(row)),
    };
    (0..batch.num_rows()).map(stored).collect()
}

/// The model's rows as a reader sees them: sorted, and without the time of a deletion where only
/// the fact is kept.
fn seen(way: &Way, table: &[Stored]) -> Vec<Stored> {
    let is_fact = way.merge.mark().is_some_and(|mark| mark.kind == MarkKind::Truth);
    let row =
        |row: &Stored| Stored { deleted_at: row.deleted_at.map(|at| if is_fact { 0 } else { at }), ..row.clone() };
    let mut rows: Vec<Stored> = table.iter().map(row).collect();
    rows.sort();
    rows
}

fn now(world: &World) -> i64 {
    world.clock.now().timestamp_micros()
}

fn any_arrival(deletes: bool) -> impl Strategy<Value = Arrival> {
    let record = (
        0..12u32,
        proptest::option::of(0..3i64),
        proptest::option::of(0..3u32),
        proptest::option::weighted(0.8, 0..4i64),
        0..2i64,
    );
    let record = record.prop_map(|(id, day, group, rev, value)| Record { id, day, group, rev, value });
    (record, proptest::bool::weighted(if deletes { 0.3 } else { 0.0 }))
        .prop_map(|(record, deletes)| Arrival { record, deletes })
}

fn any_runs(deletes: bool) -> impl Strategy<Value = Vec<Run>> {
    let batches = proptest::collection::vec(proptest::collection::vec(any_arrival(deletes), 0..8), 0..4);
    let run = (batches, any::<bool>(), 0..3u64 * 60).prop_map(|(batches, is_whole, minutes)| Run {
        batches,
        is_whole,
        minutes: minutes * 10,
    });
    proptest::collection::vec(run, 1..6)
}

fn any_way() -> impl Strategy<Value = Way> {
    let order = prop_oneof![Just(SortOrder::Greatest), Just(SortOrder::Least)];
    let competition = proptest::option::of((order, any::<bool>()));
    let mark =
        prop_oneof![Just(None), Just(Some(None)), Just(Some(Some(MarkKind::Time))), Just(Some(Some(MarkKind::Truth)))];
    (0..9u32, competition, mark, any::<bool>()).prop_map(|(kind, competition, deletes, flag)| {
        let way = match kind {
            0 | 1 => Way::upsert(),
            2 => Way::of(MergeStrategy::DeleteInsert),
            3 => Way::of(MergeStrategy::DeleteInsert).by_group(),
            4 => Way::of(MergeStrategy::DeleteInsert).by_group().keyless(),
            5 => Way::of(MergeStrategy::InsertOnly),
            6 => Way::history().by_group(),
            7 => Way::history().keyless(),
            _ => Way::history(),
        };
        let is_upsert = way.merge.strategy == MergeStrategy::Upsert;
        let can_delete = !matches!(kind, 5 | 7);
        let way = match deletes {
            Some(mark) if can_delete => way.deleting(mark.filter(|_| is_upsert)),
            _ => way,
        };
        let way = match competition {
            Some((order, guards)) if way.has_key => way.competing(order, guards && kind != 5),
            _ => way,
        };
        let by_own = match (flag, way.merge.mark().map(|mark| mark.kind)) {
            (false, _) => None,
            (true, Some(MarkKind::Time)) => Some(("deleted", Transform::Day)),
            (true, Some(MarkKind::Truth)) => Some(("deleted", Transform::Identity)),
            (true, None) if way.merge.history().is_some() => Some(("valid_to", Transform::Hour)),
            (true, None) => None,
        };
        Way { by_own, ..way }
    })
}

/// A way, and runs of it that delete if it does.
fn any_case() -> impl Strategy<Value = (Way, Vec<Run>)> {
    any_way().prop_flat_map(|way| {
        let deletes = way.merge.deletes.is_some();
        (Just(way), any_runs(deletes))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_of_runs_equals_its_model_with_its_counts(
        (way, runs) in any_case(),
        file_bytes_target in prop_oneof![Just(1u64), Just(2_500), Just(1 << 20)],
        row_group_rows in 1..20usize,
        merge_index_bytes in prop_oneof![Just(1usize), Just(800), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut world = World::in_memory();
            world.limits = Limits { merge_index_bytes, file_bytes_target, row_group_rows, ..world.limits };
            let mut table = Vec::new();
            for (number, run) in runs.iter().enumerate() {
                world.clock.advance(std::time::Duration::from_secs(run.minutes * 60));
                let before = seen(&way, &table);
                let expected = way.model(&mut table, run, now(&world));
                let spec = way.spec(&world, &format!("run-{number}"));
                let outcome = way.run_on(&world.table(), spec, run).await.unwrap();
                prop_assert_eq!(rows(&world).await, seen(&way, &table), "run {}", number);
                // Where history or marks are partitioned by, rows change their folders for that
                // alone.
                let moved = if way.by_own.is_some() { outcome.rows.moved } else { expected.moved };
                prop_assert_eq!(RowCounts { written: 0, ..outcome.rows }, RowCounts { moved, ..expected });
                let changes = number == 0 || before != seen(&way, &table);
                prop_assert_eq!(outcome.commit.is_some(), changes, "a run that changes nothing writes nothing");
                let report = world.table().verify().await.unwrap();
                prop_assert!(report.findings.iter().all(|finding| finding.code == crate::FindingCode::StagingLeft), "{:?}", report.findings);
            }
            Ok(())
        })?;
    }
}

fn put(id: u32, day: i64, value: i64) -> Arrival {
    let record = Record { id, day: Some(day), group: Some(id % 2), rev: Some(value), value };
    Arrival { record, deletes: false }
}

fn delete(id: u32) -> Arrival {
    let record = Record { id, day: None, group: None, rev: None, value: 0 };
    Arrival { record, deletes: true }
}

fn whole(batches: Vec<Vec<Arrival>>) -> Run {
    Run { batches, is_whole: true, minutes: 0 }
}

/// The way with a time at which versions close and open.
fn at(way: &Way, time: &str) -> Way {
    let mut way = way.clone();
    if let MergeStrategy::Scd2(history) = &mut way.merge.strategy {
        history.boundary = Some(time.parse().unwrap());
    }
    way
}

#[tokio::test]
async fn a_table_goes_on_with_another_strategy_where_its_rows_can_follow() {
    let renamed = || {
        let mut way = Way::history();
        if let MergeStrategy::Scd2(history) = &mut way.merge.strategy {
            history.valid_to = "until".to_owned();
        }
        way
    };
    let grouped = || Way::of(MergeStrategy::DeleteInsert).by_group();
    let soft = || Way::upsert().deleting(Some(MarkKind::Time));
    for (first, second, refused) in [
        (Way::upsert(), grouped(), None),
        (grouped(), Way::of(MergeStrategy::InsertOnly), None),
        (Way::of(MergeStrategy::InsertOnly), Way::upsert().deleting(None), None),
        (Way::upsert(), soft(), None),
        (Way::history(), Way::history().by_group(), None),
        (Way::upsert(), Way::history(), Some("it has no history")),
        (Way::history(), Way::upsert(), Some("it has history (scd2)")),
        (Way::history(), renamed(), Some("its history is in (valid_from, valid_to)")),
        (soft(), Way::upsert(), Some("its deleted rows are marked in deleted")),
        (soft(), Way::upsert().deleting(Some(MarkKind::Truth)), Some("the table has deleted: timestamp")),
    ] {
        let world = World::in_memory();
        let run = whole(vec![vec![put(1, 1, 1)]]);
        let outcome = first.run_on(&world.table(), first.spec(&world, "one"), &run).await.unwrap();
        assert_eq!(outcome.commit, Some(1));
        let result = second.run_on(&world.table(), second.spec(&world, "two"), &whole(vec![vec![put(1, 1, 2)]])).await;
        match (refused, result) {
            (None, Ok(outcome)) => {
                assert!(outcome.commit.is_some() || second.merge.strategy == MergeStrategy::InsertOnly);
            }
            (Some(why), Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Schema);
                assert!(error.to_string().contains(why) && error.hints()[0].contains("--full-refresh"), "{error:?}");
            }
            (expected, found) => panic!("{expected:?}: {found:?}"),
        }
        let anew = WriteSpec { full_refresh: true, ..second.spec(&world, "three") };
        second.run_on(&world.table(), anew, &whole(vec![vec![put(1, 1, 3)]])).await.unwrap();
        assert_eq!(rows(&world).await.iter().map(|row| row.record.value).collect::<Vec<_>>(), [3]);
        let stored = world.table().snapshot().await.unwrap().merge.unwrap();
        assert_eq!((stored.strategy, stored.merge_key), (second.merge.strategy.name(), second.merge.merge_key));
    }
}

#[tokio::test]
async fn a_history_takes_no_appends_and_shows_the_shape_of_its_records() {
    let world = World::in_memory();
    let way = Way::history();
    way.run_on(&world.table(), way.spec(&world, "one"), &whole(vec![vec![put(1, 1, 1)]])).await.unwrap();
    let snapshot = world.table().snapshot().await.unwrap();
    assert_eq!(snapshot.record_schema().unwrap(), schema(true));
    assert_eq!(snapshot.schema.unwrap().columns().len(), schema(true).columns().len() + 2);
    let append = WriteSpec { disposition: WriteDisposition::Append, ..way.spec(&world, "two") };
    assert_eq!(world.table().begin(append).await.unwrap_err().kind(), ErrorKind::Schema);
}

#[tokio::test]
async fn a_field_that_the_table_needs_for_itself_is_refused_with_the_way_out() {
    let mut soft = Way::upsert().deleting(Some(MarkKind::Time));
    soft.merge.deletes = Some(DeleteEffect::Mark(MarkSpec { column: "value".to_owned(), kind: MarkKind::Time }));
    let mut history = Way::history();
    if let MergeStrategy::Scd2(history) = &mut history.merge.strategy {
        history.valid_from = "rev".to_owned();
    }
    for (way, field) in [(soft, "value"), (history, "rev")] {
        let world = World::in_memory();
        let error = world.table().begin(way.spec(&world, "one")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(error.to_string().contains(&format!("a field {field}")), "{error}");
        assert!(error.hints()[0].contains("validity_column_names"), "{error:?}");
    }
}

#[tokio::test]
async fn versions_follow_each_other_in_time() {
    let world = World::in_memory();
    let way = Way::history();
    let run = |value| whole(vec![vec![put(1, 1, value)]]);
    let later = at(&way, "2026-11-23T18:00:00Z");
    later.run_on(&world.table(), later.spec(&world, "one"), &run(1)).await.unwrap();
    let earlier = at(&way, "2026-11-23T17:59:59Z");
    let error = earlier.run_on(&world.table(), earlier.spec(&world, "two"), &run(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("boundary_timestamp"), "{error}");
    // The clock says noon: the versions close and open at the last boundary.
    way.run_on(&world.table(), way.spec(&world, "three"), &run(3)).await.unwrap();
    let boundary = "2026-11-23T18:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros();
    let spans: Vec<_> = rows(&world).await.iter().map(|row| (row.record.value, row.valid_from, row.valid_to)).collect();
    assert_eq!(spans, [(1, Some(boundary), Some(boundary)), (3, Some(boundary), None)]);
}

#[tokio::test]
async fn commits_of_before_there_were_strategies_load_and_are_upserts() {
    let world = World::in_memory();
    let way = Way::upsert();
    way.run_on(&world.table(), way.spec(&world, "one"), &whole(vec![vec![put(1, 1, 1)]])).await.unwrap();
    let path = Path::from("events/_lakefeed/commits/00000000000000000001.json");
    let bytes = world.store.get(&path).await.unwrap().bytes().await.unwrap();
    let mut commit: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(commit.as_object_mut().unwrap().remove("merge").unwrap(), serde_json::json!({"strategy": "upsert"}));
    for count in ["retired", "kept", "missed"] {
        assert!(commit["counts"].as_object_mut().unwrap().remove(count).is_some());
    }
    world.store.put(&path, commit.to_string().into()).await.unwrap();
    let outcome = way.run_on(&world.table(), way.spec(&world, "two"), &whole(vec![vec![put(1, 1, 2)]])).await.unwrap();
    assert_eq!(outcome.rows.updated, 1);
    let history = Way::history();
    assert!(world.table().begin(history.spec(&world, "three")).await.is_err());
}

#[tokio::test]
async fn merges_that_cannot_tell_rows_apart_are_refused() {
    let unknown_group = {
        let mut way = Way::of(MergeStrategy::DeleteInsert).by_group();
        way.merge.merge_key = vec!["nope".to_owned()];
        way
    };
    let nested_rank = {
        let mut way = Way::upsert().competing(SortOrder::Greatest, true);
        way.merge.precedence.as_mut().unwrap().column = "nope".to_owned();
        way
    };
    for way in [
        Way::upsert().keyless(),
        Way::of(MergeStrategy::InsertOnly).keyless(),
        Way::of(MergeStrategy::DeleteInsert).keyless(),
        Way::history().keyless().deleting(None),
        Way::of(MergeStrategy::DeleteInsert).by_group().keyless().competing(SortOrder::Least, false),
        unknown_group,
        nested_rank,
    ] {
        let world = World::in_memory();
        let error = world.table().begin(way.spec(&world, "one")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{way:?}: {error}");
    }
}

/// A fold keeps what a table is merged by, and a compaction's commit says so, too.
#[tokio::test]
async fn a_history_outlives_compactions_and_snapshot_files() {
    let mut world = World::in_memory();
    world.limits = Limits::default();
    let way = Way::history();
    let mut table = Vec::new();
    let mut compacted = 0;
    for number in 0..20 {
        world.clock.advance(std::time::Duration::from_secs(60));
        // One row changes and moves with every run, one every other run, one never.
        let run = whole(vec![vec![put(1, number % 3, number), put(2, 1, number / 2), put(3, 1, 0)]]);
        let expected = way.model(&mut table, &run, now(&world));
        let spec = way.spec(&world, &format!("run-{number}"));
        let outcome = way.run_on(&world.table(), spec, &run).await.unwrap();
        assert_eq!(RowCounts { written: 0, ..outcome.rows }, expected);
        if number % 7 == 3 {
            let maintenance = Maintenance::new(format!("maintenance-{number}"));
            let sort_by = vec![SortColumn { column: "value".to_owned(), descending: true }];
            let spec = CompactSpec { target_bytes: 1 << 20, sort_by, ..CompactSpec::default() };
            compacted += u64::from(world.table().compact(&maintenance, &spec).await.unwrap().commit.is_some());
        }
        assert_eq!(rows(&world).await, seen(&way, &table), "run {number}");
    }
    assert_eq!(compacted, 3);
    let snapshot = world.table().snapshot().await.unwrap();
    assert_eq!((snapshot.version, snapshot.record_schema().unwrap()), (23, schema(true)));
    let folds = world.objects().await.into_iter().filter(|path| path.contains("/folds/")).count();
    assert!(folds > 0, "{:?}", world.objects().await);
    assert!(world.table().verify().await.unwrap().is_sound());
    assert!(world.table().begin(Way::upsert().spec(&world, "plain")).await.is_err());
}
