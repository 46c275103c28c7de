use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use lakefeed_testing::{Death, Fuse};
use proptest::prelude::*;

use super::*;
use crate::testing::world::{Row, World, row, run_on, schema, write_all};
use crate::write_spec::WriteSpec;
use crate::{CommitOutcome, Snapshot};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::ErrorKind;
use lakefeed_model::event::{FileChangeKind, RowCounts};
use lakefeed_model::reject::{Reject, RejectCode};
use lakefeed_model::schema::{Column, ColumnType, RecordSchema};
use lakefeed_model::spec::Limits;
use lakefeed_model::spec::WriteDisposition::{Append, Merge, Replace};

fn counts(outcome: &CommitOutcome) -> RowCounts {
    RowCounts { written: 0, ..outcome.rows }
}

#[tokio::test]
async fn a_merge_inserts_updates_moves_and_leaves_alone_in_one_commit() {
    for world in [World::in_memory(), World::on_disk()] {
        let first = world.run("one", Merge, &[vec![row("a", 1, 1), row("b", 1, 1), row("c", 2, 1)]]).await;
        assert_eq!(counts(&first), RowCounts { inserted: 3, ..RowCounts::default() });
        assert_eq!((first.commit, first.rows.written), (Some(1), 3));
        let second =
            world.run("two", Merge, &[vec![row("a", 1, 2), row("b", 1, 1), row("c", 1, 1), row("d", 3, 1)]]).await;
        let expected = RowCounts { inserted: 1, updated: 2, moved: 1, unchanged: 1, ..RowCounts::default() };
        assert_eq!(counts(&second), expected);
        assert_eq!(world.rows().await, [row("a", 1, 2), row("b", 1, 1), row("c", 1, 1), row("d", 3, 1)]);
        let changes = second.files.iter().map(|file| (file.change, file.path.as_str())).collect::<Vec<_>>();
        assert!(changes.contains(&(FileChangeKind::Removed, "start_day=1970-01-03/part-00000.parquet")), "{changes:?}");
        assert!(
            changes.contains(&(FileChangeKind::Replaced, "start_day=1970-01-02/part-00000.parquet")),
            "{changes:?}"
        );
        assert!(changes.contains(&(FileChangeKind::Added, "start_day=1970-01-04/part-00000.parquet")), "{changes:?}");
        world.check_tidy().await;
    }
}

#[tokio::test]
async fn the_same_run_again_writes_no_file_and_makes_no_commit() {
    let world = World::in_memory();
    let rows = [vec![row("a", 1, 1), row("b", 2, 1)]];
    world.run("one", Merge, &rows).await;
    let before = world.objects().await;
    let again = world.run("two", Merge, &rows).await;
    assert_eq!((again.commit, again.bytes_written, again.files.len()), (None, 0, 0));
    assert_eq!(again.rows, RowCounts { unchanged: 2, ..RowCounts::default() });
    let after = world.objects().await;
    let without_leases =
        |paths: &[String]| paths.iter().filter(|path| !path.contains("leases")).cloned().collect::<Vec<_>>();
    assert_eq!(without_leases(&before), without_leases(&after));
}

#[tokio::test]
async fn the_last_arrival_of_a_key_wins_within_a_batch_and_between_batches_and_partitions() {
    let world = World::in_memory();
    let batches = [vec![row("a", 1, 1), row("a", 2, 2), row("b", 1, 1)], vec![row("b", 1, 2)], vec![row("a", 1, 3)]];
    let outcome = world.run("one", Merge, &batches).await;
    assert_eq!(counts(&outcome), RowCounts { inserted: 2, duplicate: 3, ..RowCounts::default() });
    assert_eq!(world.rows().await, [row("a", 1, 3), row("b", 1, 2)]);
}

#[tokio::test]
async fn append_adds_files_and_replace_leaves_only_its_own() {
    let world = World::in_memory();
    world.run("one", Append, &[vec![row("a", 1, 1)]]).await;
    let second = world.run("two", Append, &[vec![row("a", 1, 1), row("b", 2, 1)]]).await;
    assert_eq!(counts(&second), RowCounts { inserted: 2, ..RowCounts::default() });
    assert_eq!(world.rows().await, [row("a", 1, 1), row("a", 1, 1), row("b", 2, 1)]);
    let third = world.run("three", Replace, &[vec![row("z", 1, 9)]]).await;
    assert_eq!(counts(&third), RowCounts { inserted: 1, deleted: 3, ..RowCounts::default() });
    assert_eq!(world.rows().await, [row("z", 1, 9)]);
    assert_eq!(world.glob().await.len(), 1);
    world.check_tidy().await;
}

#[tokio::test]
async fn a_merge_into_a_table_with_repeated_keys_leaves_one_row_of_each_key_that_it_has() {
    let world = World::in_memory();
    world.run("one", Append, &[vec![row("a", 1, 1), row("a", 1, 1)], vec![row("b", 1, 1), row("b", 2, 2)]]).await;
    let outcome = world.run("two", Merge, &[vec![row("a", 1, 1), row("b", 1, 5)]]).await;
    assert_eq!(counts(&outcome), RowCounts { updated: 1, unchanged: 1, deleted: 2, ..RowCounts::default() });
    assert_eq!(world.rows().await, [row("a", 1, 1), row("b", 1, 5)]);
}

#[tokio::test]
async fn an_empty_run_writes_no_data_file_and_commits_its_checkpoint_once() {
    for disposition in [Append, Merge, Replace] {
        let world = World::in_memory();
        let first = world.run("one", disposition, &[]).await;
        assert_eq!((first.commit, first.files.len()), (Some(1), 0));
        let second = world.run("two", disposition, &[vec![]]).await;
        assert_eq!(second.commit, None);
        assert!(world.glob().await.is_empty());
        assert_eq!(world.table().snapshot().await.unwrap().checkpoint, Some(Checkpoint::full_listing("events")));
    }
}

#[tokio::test]
async fn an_aborted_run_and_a_failed_one_leave_the_table_as_it_was() {
    let world = World::on_disk();
    world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
    let before = world.objects().await;
    let mut writer = world.table().begin(world.spec("two", Merge)).await.unwrap();
    write_all(&mut writer, &[vec![row("b", 1, 1)]]).await.unwrap();
    writer.reject(vec![reject()]).await.unwrap();
    writer.abort().await.unwrap();
    assert_eq!(world.objects().await, before);

    let fuse = Fuse::new(0, Death::BeforeEffect);
    let mut writer = world.mortal_table(&fuse).begin(world.spec("three", Merge)).await.unwrap();
    writer.write(crate::testing::world::batch(&[row("c", 1, 1)])).await.unwrap_err();
    let error = writer.commit(Checkpoint::full_listing("events")).await.unwrap_err();
    assert!(error.to_string().contains("earlier write"), "rows would be missing: {error}");
    world.run("four", Merge, &[vec![row("a", 1, 1)]]).await;
    assert_eq!(world.rows().await, [row("a", 1, 1)]);
    world.check_tidy().await;
}

#[tokio::test]
async fn a_full_refresh_of_a_merge_leaves_one_row_of_each_key_of_this_run_alone() {
    let world = World::in_memory();
    world.run("one", Merge, &[vec![row("a", 1, 1), row("gone", 2, 1)]]).await;
    let spec = WriteSpec { full_refresh: true, ..world.spec("two", Merge) };
    let batches = [vec![row("a", 1, 1), row("b", 3, 1)], vec![row("b", 3, 2)]];
    let outcome = run_on(&world.table(), spec, &batches).await.unwrap();
    assert_eq!(counts(&outcome), RowCounts { inserted: 2, deleted: 2, duplicate: 1, ..RowCounts::default() });
    assert_eq!(world.rows().await, [row("a", 1, 1), row("b", 3, 2)]);
    world.check_tidy().await;
}

fn reject() -> Reject {
    Reject {
        page: 3,
        position: 7,
        path: "$.start".to_owned(),
        code: RejectCode::BadFormat,
        reason: "not a date-time".to_owned(),
        raw: "{\"start\": \"soon\"}".to_owned(),
    }
}

#[tokio::test]
async fn rejects_are_kept_beside_the_table_with_and_without_a_commit() {
    let world = World::in_memory();
    for (run, commits, file) in [("one", true, "one"), ("two", false, "two.after-1")] {
        let mut writer = world.table().begin(world.spec(run, Merge)).await.unwrap();
        write_all(&mut writer, &[vec![row("a", 1, 1)]]).await.unwrap();
        writer.reject(vec![reject(), reject()]).await.unwrap();
        writer.reject(vec![reject()]).await.unwrap();
        let outcome = writer.commit(Checkpoint::full_listing("events")).await.unwrap();
        assert_eq!((outcome.commit.is_some(), outcome.rows.rejected), (commits, 3));
        assert_eq!(outcome.rejects, Some(format!("_lakefeed/rejects/{file}.rejects")));
        let bytes = world.table().read_file(&outcome.rejects.unwrap()).await.unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let batches = reader.build().unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
        let codes = arrow::array::AsArray::as_string::<i32>(batches[0].column_by_name("code").unwrap()).clone();
        assert_eq!(codes.value(0), "bad_format");
    }
    assert_eq!(world.glob().await.len(), 1);
    world.check_tidy().await;
}

#[tokio::test]
async fn a_new_column_is_null_in_old_rows_and_does_not_make_them_differ() {
    let world = World::in_memory();
    world.run("one", Merge, &[vec![row("a", 1, 1), row("b", 1, 1)]]).await;
    let mut columns = schema().columns().to_vec();
    columns.push(Column { name: "note".to_owned(), column_type: ColumnType::Utf8, nullable: true });
    let wider = Arc::new(RecordSchema::new(columns).unwrap());
    let batch = |rows: &[Row], notes: Vec<Option<&str>>| {
        let narrow = crate::testing::world::batch(rows);
        let mut arrays = narrow.columns().to_vec();
        arrays.push(Arc::new(arrow::array::StringArray::from(notes)));
        RecordBatch::try_new(wider.to_arrow(), arrays).unwrap()
    };
    let spec = WriteSpec { schema: Arc::clone(&wider), ..world.spec("two", Merge) };
    let mut writer = world.table().begin(spec).await.unwrap();
    assert_eq!(writer.schema_changes(), ["added column note: utf8"]);
    writer.write(batch(&[row("a", 1, 1), row("b", 1, 1)], vec![None, Some("hello")])).await.unwrap();
    let outcome = writer.commit(Checkpoint::full_listing("events")).await.unwrap();
    assert_eq!(counts(&outcome), RowCounts { updated: 1, unchanged: 1, ..RowCounts::default() });
    assert_eq!(world.rows().await, [row("a", 1, 1), row("b", 1, 1)]);

    // A run that lacks the column keeps it.
    let outcome = world.run("three", Merge, &[vec![row("a", 1, 1), row("c", 1, 1)]]).await;
    assert_eq!(counts(&outcome), RowCounts { inserted: 1, unchanged: 1, ..RowCounts::default() });
    let columns = |snapshot: Snapshot| snapshot.schema.unwrap().columns().len();
    assert_eq!(columns(world.table().snapshot().await.unwrap()), 4);
    world.run("four", Replace, &[vec![row("a", 1, 1)]]).await;
    assert_eq!(columns(world.table().snapshot().await.unwrap()), 3);
}

#[tokio::test]
async fn the_first_rows_have_the_columns_of_the_last_commit() {
    let world = World::in_memory();
    world.run("one", Append, &[vec![row("a", 1, 1), row("b", 1, 2)], vec![row("c", 2, 3)]]).await;
    let mut columns = schema().columns().to_vec();
    columns.insert(0, Column { name: "note".to_owned(), column_type: ColumnType::Utf8, nullable: true });
    let wider = Arc::new(RecordSchema::new(columns).unwrap());
    let narrow = crate::testing::world::batch(&[row("d", 1, 4)]);
    let mut arrays: Vec<arrow::array::ArrayRef> = vec![Arc::new(arrow::array::StringArray::from(vec!["new"]))];
    arrays.extend(narrow.columns().iter().cloned());
    let spec = WriteSpec { schema: Arc::clone(&wider), ..world.spec("two", Append) };
    let mut writer = world.table().begin(spec).await.unwrap();
    writer.write(RecordBatch::try_new(wider.to_arrow(), arrays).unwrap()).await.unwrap();
    writer.commit(Checkpoint::full_listing("events")).await.unwrap();

    let table = world.table();
    let snapshot = table.snapshot().await.unwrap();
    for (limit, expected) in [
        (0, &[][..]),
        (1, &["event-a null"]),
        (3, &["event-a null", "event-b null", "event-d new"]),
        (9, &["event-a null", "event-b null", "event-d new", "event-c null"]),
    ] {
        let batches = table.first_rows(&snapshot, limit).await.unwrap();
        let rows = batches.iter().flat_map(|batch| {
            assert_eq!(batch.schema(), snapshot.schema.as_ref().unwrap().to_arrow());
            let text = |name: &str, row| {
                let column = batch.column_by_name(name).unwrap().as_string::<i32>();
                if column.is_null(row) { "null".to_owned() } else { column.value(row).to_owned() }
            };
            (0..batch.num_rows()).map(|row| format!("{} {}", text("id", row), text("note", row))).collect::<Vec<_>>()
        });
        assert_eq!(rows.collect::<Vec<_>>(), expected, "{limit}");
    }
    assert!(table.first_rows(&Snapshot::default(), 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn specs_that_contradict_themselves_and_batches_of_another_schema_are_refused() {
    let world = World::in_memory();
    let good = || world.spec("run", Merge);
    let bad = [
        WriteSpec { run_id: "../x".to_owned(), ..good() },
        WriteSpec { primary_key: Vec::new(), ..good() },
        WriteSpec { primary_key: vec!["nope".to_owned()], ..good() },
    ];
    for spec in bad {
        assert_eq!(world.table().begin(spec).await.unwrap_err().kind(), ErrorKind::Config);
    }
    let mut unknown_partition = good();
    unknown_partition.partition_by[0].column = "nope".to_owned();
    assert_eq!(world.table().begin(unknown_partition).await.unwrap_err().kind(), ErrorKind::Config);
    let mut writer = world.table().begin(good()).await.unwrap();
    let other = crate::testing::world::batch(&[row("a", 1, 1)]).project(&[0]).unwrap();
    assert_eq!(writer.write(other).await.unwrap_err().kind(), ErrorKind::Schema);
    writer.abort().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_larger_load_over_many_partitions_stays_within_its_buffer_and_loses_nothing() {
    let mut world = World::on_disk();
    world.limits = Limits { writer_buffer_bytes: 2 * 1024 * 1024, ..Limits::default() };
    let batches =
        (0..20).map(|b| (0..500).map(|i| row(b * 500 + i, i64::from(i % 40), 1)).collect()).collect::<Vec<_>>();
    world.run("one", Merge, &batches).await;
    world.check_tidy().await;
    assert_eq!(world.glob().await.len(), 40, "files that the budget closed early are put together");
    let changed =
        batches.iter().map(|rows| rows.iter().map(|r| Row { value: 2, ..r.clone() }).collect()).collect::<Vec<_>>();
    let outcome = world.run("two", Merge, &changed).await;
    assert_eq!(counts(&outcome), RowCounts { updated: 10_000, ..RowCounts::default() });
    assert_eq!(world.glob().await.len(), 40, "a merge leaves one small file per partition");
    let rows = world.rows().await;
    assert!(rows.len() == 10_000 && rows.iter().all(|row| row.value == 2));
}

/// What a run does to a map, and how it counts.
fn apply(model: &mut BTreeMap<String, Row>, batches: &[Vec<Row>]) -> RowCounts {
    let mut counts = RowCounts::default();
    let mut newest = BTreeMap::new();
    for row in batches.iter().flatten() {
        counts.duplicate += u64::from(newest.insert(row.id.clone(), row.clone()).is_some());
    }
    for (id, row) in newest {
        match model.insert(id, row.clone()) {
            None => counts.inserted += 1,
            Some(old) if old == row => counts.unchanged += 1,
            Some(old) => {
                counts.updated += 1;
                counts.moved += u64::from(old.day != row.day);
            }
        }
    }
    counts
}

fn any_row() -> impl Strategy<Value = Row> {
    (0..25u32, proptest::option::of(0..4i64), 0..3i64).prop_map(|(id, day, value)| Row {
        id: format!("event-{id}"),
        day,
        value,
    })
}

fn any_run() -> impl Strategy<Value = Vec<Vec<Row>>> {
    proptest::collection::vec(proptest::collection::vec(any_row(), 0..12), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_of_merges_equals_a_map_with_its_counts(
        runs in proptest::collection::vec(any_run(), 1..6),
        file_bytes_target in prop_oneof![Just(1u64), Just(1_200), Just(6_000), Just(1 << 20)],
        row_group_rows in 1..20usize,
        merge_index_bytes in prop_oneof![Just(1usize), Just(800), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut world = World::in_memory();
            world.limits = Limits { merge_index_bytes, file_bytes_target, row_group_rows, ..world.limits };
            let mut model = BTreeMap::new();
            for (number, batches) in runs.iter().enumerate() {
                let expected = apply(&mut model, batches);
                let outcome = run_on(&world.table(), world.spec(&format!("run-{number}"), Merge), batches).await.unwrap();
                prop_assert_eq!(counts(&outcome), expected);
                let changes = expected.inserted + expected.updated > 0 || number == 0;
                prop_assert_eq!(outcome.commit.is_some(), changes);
                let mut rows = model.values().cloned().collect::<Vec<_>>();
                rows.sort();
                prop_assert_eq!(world.rows().await, rows);
                world.check_tidy().await;
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_run_can_be_driven_from_any_task() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = World::in_memory();
    let table = world.table();
    let mut writer = runtime.block_on(is_send(table.begin(world.spec("run", Merge)))).unwrap();
    runtime.block_on(is_send(writer.write(crate::testing::world::batch(&[row(1, 1, 1)])))).unwrap();
    runtime.block_on(is_send(writer.reject(vec![reject()]))).unwrap();
    runtime.block_on(is_send(writer.commit(Checkpoint::full_listing("events")))).unwrap();
}
