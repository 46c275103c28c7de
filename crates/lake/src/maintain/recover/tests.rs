use std::collections::BTreeSet;
use std::time::Duration;

use lakefeed_testing::{Death, Fuse};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use proptest::prelude::*;

use super::*;
use crate::log::document::Operation;
use crate::maintain::compact::{CompactSpec, SortColumn};
use crate::maintain::vacuum::{Garbage, GarbageKind, VacuumSpec};
use crate::maintain::verify::{FindingCode, Level};
use crate::testing::world::{Row, TABLE, World, row, run_on, write_all};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::ErrorKind;
use lakefeed_model::spec::WriteDisposition::{Append, Merge};

const DAY: Duration = Duration::from_secs(86_400);
const AGE: VacuumSpec = VacuumSpec { older_than: DAY, rejects_older_than: None, dry_run: false };

fn maintenance() -> Maintenance {
    Maintenance::new("maintenance")
}

fn spec(target_bytes: u64) -> CompactSpec {
    CompactSpec { target_bytes, ..CompactSpec::default() }
}

/// Appends: each run adds files, and nothing is put together by itself.
async fn appended(world: &World, runs: i64) {
    for run in 0..runs {
        let rows = (0..3).map(|day| row(format!("{:02}-{day}", 50 - run), day, run)).collect();
        world.run(&format!("run-{run}"), Append, &[rows]).await;
    }
}

async fn codes(world: &World) -> Vec<FindingCode> {
    world.table().verify().await.unwrap().findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn a_compaction_puts_files_together_and_changes_no_row_and_no_checkpoint() {
    for world in [World::in_memory(), World::on_disk()] {
        appended(&world, 5).await;
        let rows = world.rows().await;
        let before = world.table().snapshot().await.unwrap();
        let dry = CompactSpec { dry_run: true, ..spec(1 << 20) };
        let objects = world.objects().await;
        let planned = world.table().compact(&maintenance(), &dry).await.unwrap();
        assert_eq!(world.objects().await, objects, "a dry run writes nothing");
        let done = world.table().compact(&maintenance(), &spec(1 << 20)).await.unwrap();
        assert_eq!((planned.commit, done.commit), (None, Some(6)));
        for (planned, done) in planned.partitions.iter().zip(&done.partitions) {
            assert_eq!((done.files_before, done.files_after, done.rows), (5, Some(1), 5));
            assert_eq!((planned.files_before, planned.rows, &planned.partition), (5, 5, &done.partition));
        }
        assert_eq!(done.partitions.len(), 3);
        let after = world.table().snapshot().await.unwrap();
        assert_eq!((after.rows(), after.files.len(), world.rows().await), (15, 3, rows));
        assert_eq!((after.checkpoint, after.schema), (before.checkpoint, before.schema));
        world.check_tidy().await;
        assert!(codes(&world).await.is_empty());
        let again = world.table().compact(&maintenance(), &spec(1 << 20)).await.unwrap();
        assert_eq!((again.commit, again.partitions), (None, vec![]));
        let history = world.table().history(Some(1)).await.unwrap();
        assert_eq!((history[0].operation, history[0].run_id.as_str()), (Operation::Compaction, "maintenance"));
        world.run("next", Merge, &[vec![row("50-0", 1, 9), row("new", 2, 9)]]).await;
        assert_eq!(world.rows().await.len(), 16);
    }
}

#[tokio::test]
async fn rows_are_sorted_within_files_and_what_is_sorted_so_is_left_alone() {
    let world = World::in_memory();
    appended(&world, 4).await;
    let by = |column: &str, descending| SortColumn { column: column.to_owned(), descending };
    let values = || async {
        let files = world.table().snapshot().await.unwrap().files;
        let mut values = Vec::new();
        for path in files.keys() {
            let bytes = world.table().read_file(path).await.unwrap();
            let batches = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            let rows = batches.build().unwrap().flat_map(|batch| crate::testing::world::rows_of(&batch.unwrap()));
            values.push(rows.map(|row| row.value).collect::<Vec<_>>());
        }
        values
    };
    let cases = [
        (vec![by("id", false)], Some(5), vec![3, 2, 1, 0]),
        (vec![by("id", false)], None, vec![3, 2, 1, 0]),
        (vec![by("start", false), by("value", true)], Some(6), vec![3, 2, 1, 0]),
        (vec![by("value", false)], Some(7), vec![0, 1, 2, 3]),
        (vec![], None, vec![0, 1, 2, 3]),
    ];
    for (sort_by, commit, expected) in cases {
        let spec = CompactSpec { sort_by, ..spec(1 << 20) };
        let done = world.table().compact(&maintenance(), &spec).await.unwrap();
        assert_eq!(done.commit, commit, "{spec:?}");
        assert_eq!(values().await, vec![expected; 3], "{spec:?}");
    }
    assert!(codes(&world).await.is_empty());
}

#[tokio::test]
async fn only_the_chosen_partitions_are_compacted_and_what_is_not_the_tables_is_named() {
    let world = World::in_memory();
    appended(&world, 3).await;
    let chosen = |name: &str, value: &str| CompactSpec {
        partitions: vec![(name.to_owned(), value.to_owned())],
        ..spec(1 << 20)
    };
    let none = world.table().compact(&maintenance(), &chosen("start_day", "1999-01-01")).await.unwrap();
    assert_eq!(none.commit, None);
    let one = world.table().compact(&maintenance(), &chosen("start_day", "1970-01-02")).await.unwrap();
    assert_eq!(one.partitions.iter().map(|it| it.partition.as_str()).collect::<Vec<_>>(), ["start_day=1970-01-02"]);
    let sort =
        CompactSpec { sort_by: vec![SortColumn { column: "nothing".to_owned(), descending: false }], ..spec(1 << 20) };
    for (spec, hint) in [(chosen("day", "1"), "start_day"), (sort, "id, start, value")] {
        let error = world.table().compact(&maintenance(), &spec).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.hints()[0].contains(hint), "{error:?}");
    }
    world.run("next", Append, &[vec![row("z", 1, 1)]]).await;
}

/// Kills a compaction at every change that it makes to the store: no row changes, and the next run
/// goes on.
#[tokio::test]
async fn a_compaction_that_is_killed_anywhere_changes_no_row() {
    for death in [Death::BeforeEffect, Death::AfterEffect] {
        for fatal in 0.. {
            let world = World::on_disk();
            appended(&world, 3).await;
            let rows = world.rows().await;
            let fuse = Fuse::new(fatal, death);
            let outcome = world.mortal_table(&fuse).compact(&maintenance(), &spec(1 << 20)).await;
            if !fuse.is_dead() {
                outcome.unwrap();
                assert!(fatal > 10, "{fatal}");
                break;
            }
            let recovery = world.table().recover(&Maintenance::new("recovery")).await.unwrap();
            let committed = world.table().snapshot().await.unwrap().version == 4;
            assert!(committed || recovery.rolled_forward.is_none(), "step {fatal}");
            assert_eq!(world.rows().await, rows, "step {fatal}");
            world.check_tidy().await;
            assert!(codes(&world).await.is_empty(), "step {fatal}");
        }
    }
}

/// A run that dies in the middle, for the maintenance to find.
async fn dead_run(world: &World, committed: bool) {
    for fatal in 0.. {
        let fuse = Fuse::new(fatal, Death::AfterEffect);
        let table = world.mortal_table(&fuse);
        drop(
            run_on(&table, world.spec(&format!("dead-{fatal}"), Merge), &[vec![row("a", 1, 9), row("z", 9, 9)]]).await,
        );
        world.expire_leases();
        let snapshot = world.table().snapshot().await.unwrap();
        let staged = world.objects().await.iter().any(|path| path.contains("/staging/"));
        if if committed { snapshot.version == 2 && !snapshot.published } else { staged } {
            return;
        }
    }
}

#[tokio::test]
async fn a_recovery_publishes_what_has_happened_and_sweeps_what_has_not() {
    for world in [World::in_memory(), World::on_disk()] {
        let has_leases = world.folder.is_none();
        world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
        dead_run(&world, false).await;
        let recovery = world.table().recover(&Maintenance::new("recovery-1")).await.unwrap();
        assert_eq!((recovery.rolled_forward, recovery.swept.len(), recovery.kept.len()), (None, 1, 0), "{recovery:?}");
        assert_eq!(recovery.fence, has_leases.then_some(2), "where a run may be asleep, its number is taken");
        assert_eq!(world.rows().await, [row("a", 1, 1)]);
        world.check_tidy().await;
        let again = world.table().recover(&Maintenance::new("recovery-2")).await.unwrap();
        assert_eq!((again.rolled_forward, again.swept, again.fence), (None, vec![], None));
    }
    for world in [World::in_memory(), World::on_disk()] {
        world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
        dead_run(&world, true).await;
        let recovery = world.table().recover(&maintenance()).await.unwrap();
        assert_eq!(recovery.rolled_forward, Some(2), "{recovery:?}");
        assert_eq!(world.rows().await, [row("a", 1, 9), row("z", 9, 9)]);
        world.check_tidy().await;
        assert!(codes(&world).await.is_empty());
    }
}

#[tokio::test]
async fn a_zombie_whose_staging_was_swept_cannot_commit() {
    let world = World::in_memory();
    world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
    let mut sleeper = world.table().begin(world.spec("sleeper", Merge)).await.unwrap();
    write_all(&mut sleeper, &[vec![row("b", 1, 1)]]).await.unwrap();
    // As if it had been staged whole, and the run fell asleep right before its commit.
    let staged = Path::from("events/_lakefeed/staging/sleeper/0.staged");
    world.store.put(&staged, "rows".into()).await.unwrap();
    world.expire_leases();
    let recovery = world.table().recover(&maintenance()).await.unwrap();
    assert_eq!((recovery.fence, recovery.swept.len()), (Some(2), 1));
    let error = sleeper.commit(Checkpoint::full_listing(TABLE)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(world.rows().await, [row("a", 1, 1)]);
    let report = world.table().verify().await.unwrap();
    assert!(report.findings.iter().all(|finding| finding.level == Level::Warning), "{:?}", report.findings);
}

#[tokio::test]
async fn a_held_table_is_not_looked_after() {
    let world = World::in_memory();
    world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
    let holder = world.table().begin(world.spec("holder", Merge)).await.unwrap();
    let (table, maintenance) = (world.table(), maintenance());
    for error in [
        table.recover(&maintenance).await.map(drop).unwrap_err(),
        table.vacuum(&maintenance, AGE).await.map(drop).unwrap_err(),
        table.compact(&maintenance, &spec(1)).await.map(drop).unwrap_err(),
    ] {
        assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("held by run holder"), "{error}");
    }
    holder.abort().await.unwrap();
}

async fn put(world: &World, path: &str) {
    world.store.put(&Path::parse(format!("events/{path}")).unwrap(), "garbage".into()).await.unwrap();
}

#[tokio::test]
async fn a_vacuum_deletes_what_is_old_and_nobodys_and_nothing_else() {
    const GARBAGE: [(&str, GarbageKind); 5] = [
        ("_lakefeed/staging/dead/0.staged", GarbageKind::Staged),
        ("_lakefeed/staging/dead/journal-00000.zst", GarbageKind::Pages),
        ("_lakefeed/rejects/old.rejects", GarbageKind::Rejects),
        ("start_day=1970-01-02/part-00077.parquet", GarbageKind::Orphan),
        ("start_day=1970-01-02/mine.parquet", GarbageKind::Foreign),
    ];
    let kinds = |garbage: &[Garbage]| garbage.iter().map(|garbage| garbage.kind).collect::<BTreeSet<_>>();
    for world in [World::in_memory(), World::on_disk()] {
        let has_leases = world.folder.is_none();
        world.run("one", Merge, &[vec![row("a", 1, 1), row("b", 2, 1)]]).await;
        for (path, _) in GARBAGE {
            put(&world, path).await;
        }
        let whole = world.objects().await;
        // The clock of the world stands before the one of the store.
        let young = world.table().vacuum(&Maintenance::new("young"), AGE).await.unwrap();
        assert_eq!((young.deleted, kinds(&young.kept)), (vec![], GARBAGE.map(|garbage| garbage.1).into()));
        world.clock.advance(DAY * 100_000);
        let dry = VacuumSpec { dry_run: true, rejects_older_than: Some(DAY), ..AGE };
        let before = world.objects().await;
        let foretold = world.table().vacuum(&Maintenance::new("dry"), dry).await.unwrap();
        assert_eq!(world.objects().await, before);
        let first = world.table().vacuum(&Maintenance::new("first"), AGE).await.unwrap();
        assert_eq!(kinds(&first.kept), BTreeSet::from([GarbageKind::Foreign, GarbageKind::Rejects]));
        assert_eq!(first.fence, has_leases.then_some(2));
        let retired = world.table().snapshot().await.unwrap().retired_numbers;
        assert_eq!(
            retired.get("start_day=1970-01-02").copied(),
            has_leases.then_some(77),
            "nobody gets the orphan's path"
        );
        let spec = VacuumSpec { rejects_older_than: Some(DAY), ..AGE };
        let second = world.table().vacuum(&Maintenance::new("second"), spec).await.unwrap();
        assert_eq!(kinds(&second.deleted), BTreeSet::from([GarbageKind::Rejects]));
        let mut deleted = [first.deleted, second.deleted].concat();
        deleted.sort();
        assert_eq!(deleted, foretold.deleted);
        let left: BTreeSet<String> = world.objects().await.into_iter().collect();
        for path in whole {
            let is_garbage = GARBAGE[..4].iter().any(|(garbage, _)| path == format!("events/{garbage}"));
            let is_lock = path.contains("/leases/") || path.contains("/published/");
            assert!(is_lock || left.contains(&path) != is_garbage, "{path}");
        }
        let rows: Vec<Row> = vec![row("a", 1, 1), row("b", 2, 1)];
        world.store.delete(&Path::parse("events/start_day=1970-01-02/mine.parquet").unwrap()).await.unwrap();
        assert_eq!(world.rows().await, rows);
    }
}

#[tokio::test]
async fn a_vacuum_leaves_what_a_commit_is_published_from() {
    let world = World::in_memory();
    world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
    dead_run(&world, true).await;
    world.clock.advance(DAY * 100_000);
    let dry = VacuumSpec { dry_run: true, ..AGE };
    let foretold = world.table().vacuum(&maintenance(), dry).await.unwrap();
    let run = world.table().snapshot().await.unwrap().run_id.unwrap();
    let is_needed =
        |garbage: &Garbage| garbage.path.contains(&format!("/{run}/")) || garbage.kind == GarbageKind::Orphan;
    assert!(foretold.rolled_forward == Some(2) && !foretold.deleted.iter().any(is_needed), "{foretold:?}");
    let done = world.table().vacuum(&maintenance(), AGE).await.unwrap();
    assert_eq!((done.rolled_forward, &done.deleted), (Some(2), &foretold.deleted));
    assert_eq!(world.rows().await, [row("a", 1, 9), row("z", 9, 9)]);
    assert!(codes(&world).await.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_table_that_is_compacted_now_and_then_equals_one_that_is_not(
        runs in proptest::collection::vec((proptest::collection::vec((0i64..20, 0i64..4, 0i64..3), 1..8), any::<bool>()), 1..7),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (plain, compacted) = (World::in_memory(), World::in_memory());
            for (number, (rows, compacts)) in runs.into_iter().enumerate() {
                let rows: Vec<Row> = rows.into_iter().map(|(id, day, value)| row(id, day, value)).collect();
                let run = format!("run-{number}");
                plain.run(&run, Merge, std::slice::from_ref(&rows)).await;
                compacted.run(&run, Merge, &[rows]).await;
                if compacts {
                    let maintenance = Maintenance::new(format!("maintenance-{number}"));
                    let order = vec![SortColumn { column: "value".to_owned(), descending: false }];
                    let spec = CompactSpec { sort_by: order, ..spec(4_000) };
                    compacted.table().compact(&maintenance, &spec).await.unwrap();
                }
                assert_eq!(plain.rows().await, compacted.rows().await);
                compacted.check_tidy().await;
            }
        });
    }
}
