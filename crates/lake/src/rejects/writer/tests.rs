use futures::TryStreamExt as _;
use lakefeed_testing::{Death, Fuse};

use super::*;
use crate::rejects::kept::{KeptReject, RejectState};
use crate::testing::world::{Row, World, batch, row, run_on, write_all};
use crate::{CompactSpec, Maintenance, SortColumn, Table, TableWriter};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::reject::RejectCode;
use lakefeed_model::spec::WriteDisposition::{self, Append, Merge, Replace};

fn reject(position: u64) -> Reject {
    Reject {
        page: 0,
        position,
        path: "$.start".to_owned(),
        code: RejectCode::BadFormat,
        reason: "not a date-time".to_owned(),
        raw: format!("reject-{position}"),
    }
}

/// What became of each reject, in the order of the files.
async fn states(table: &Table) -> Vec<(String, RejectState)> {
    let rejects = table.rejects().await.unwrap();
    let mut states = Vec::new();
    for file in rejects.files() {
        let found: Vec<Vec<KeptReject>> = rejects.read(file).await.unwrap().try_collect().await.unwrap();
        states.extend(found.into_iter().flatten().map(|reject| (reject.raw, reject.state)));
    }
    states
}

/// A run that refuses `count` records and writes `rows`.
async fn refuse(world: &World, run: &str, disposition: WriteDisposition, count: u64, rows: &[Row]) {
    let mut writer = world.table().begin(world.spec(run, disposition)).await.unwrap();
    write_all(&mut writer, &[rows.to_vec()]).await.unwrap();
    writer.reject((0..count).map(reject).collect()).await.unwrap();
    writer.commit(Checkpoint::full_listing("events")).await.unwrap();
}

/// Makes a row of every open reject but the first.
async fn retry_all_but_the_first(mut writer: TableWriter) -> Result<()> {
    let rejects = writer.open_rejects().await?;
    for file in rejects.files() {
        let mut batches = rejects.read(file).await?;
        while let Some(found) = batches.try_next().await? {
            for reject in found.iter().filter(|reject| reject.state == RejectState::Open && reject.position > 0) {
                writer.write(batch(&[row(&reject.raw, 1, 1)])).await?;
                writer.settle(&reject.place);
            }
        }
    }
    writer.commit(Checkpoint::full_listing("events")).await.map(drop)
}

#[tokio::test]
async fn a_reject_is_open_until_the_commit_of_its_row_and_obsolete_once_the_table_is_built_anew() {
    let world = World::in_memory();
    refuse(&world, "one", Append, 3, &[row("a", 1, 1)]).await;
    let raw = |position: u64| format!("reject-{position}");
    let open = RejectState::Open;
    assert_eq!(states(&world.table()).await, [(raw(0), open), (raw(1), open), (raw(2), open)]);
    for run in ["two", "three"] {
        retry_all_but_the_first(world.table().begin(world.spec(run, Append)).await.unwrap()).await.unwrap();
        let settled = RejectState::Settled { settled_in: 2 };
        assert_eq!(states(&world.table()).await, [(raw(0), open), (raw(1), settled), (raw(2), settled)], "{run}");
        assert_eq!(world.rows().await.len(), 3, "{run}");
    }
    world.run("four", Replace, &[vec![row("a", 1, 1)]]).await;
    let last = world.table().snapshot().await.unwrap().version;
    assert_eq!(states(&world.table()).await[0].1, RejectState::Obsolete { obsolete_since: last });
    let writer = world.table().begin(world.spec("five", Append)).await.unwrap();
    assert!(writer.open_rejects().await.unwrap().files().is_empty());
}

#[tokio::test]
async fn maintenance_leaves_rejects_as_they_are() {
    let world = World::in_memory();
    refuse(&world, "one", Append, 2, &[row("a", 1, 1)]).await;
    retry_all_but_the_first(world.table().begin(world.spec("two", Append)).await.unwrap()).await.unwrap();
    let before = states(&world.table()).await;
    let spec = |descending| CompactSpec {
        target_bytes: 1 << 20,
        sort_by: vec![SortColumn { column: "value".to_owned(), descending }],
        ..CompactSpec::default()
    };
    assert_eq!(world.table().compact(&Maintenance::new("three"), &spec(false)).await.unwrap().commit, Some(3));
    assert_eq!(states(&world.table()).await, before);
    refuse(&world, "four", Replace, 1, &[row("b", 1, 1)]).await;
    assert_eq!(world.table().compact(&Maintenance::new("five"), &spec(true)).await.unwrap().commit, Some(5));
    let after = states(&world.table()).await;
    assert_eq!(after.last(), Some(&("reject-0".to_owned(), RejectState::Open)));
}

/// A run that changes nothing makes no commit, and its rejects are open all the same: those of each
/// of its passes.
#[tokio::test]
async fn rejects_of_a_run_that_found_nothing_to_commit_are_tried_again() {
    let world = World::on_disk();
    refuse(&world, "zero", Append, 0, &[row("a", 1, 1)]).await;
    for positions in [0..2, 2..3] {
        let mut writer = world.table().begin(world.spec("one", Append)).await.unwrap();
        writer.reject(positions.map(reject).collect()).await.unwrap();
        let outcome = writer.commit(Checkpoint::full_listing("events")).await.unwrap();
        assert!(outcome.commit.is_none() && outcome.rejects.unwrap().ends_with(".after-1.rejects"));
    }
    let open = RejectState::Open;
    let raw = |position: u64| format!("reject-{position}");
    // The second pass comes first, by its name.
    assert_eq!(states(&world.table()).await, [(raw(2), open), (raw(0), open), (raw(1), open)]);
    for run in ["two", "three"] {
        retry_all_but_the_first(world.table().begin(world.spec(run, Append)).await.unwrap()).await.unwrap();
        let settled = RejectState::Settled { settled_in: 2 };
        assert_eq!(states(&world.table()).await, [(raw(2), settled), (raw(0), open), (raw(1), settled)], "{run}");
        assert_eq!(world.rows().await.len(), 3, "{run}");
    }
    world.run("four", Replace, &[vec![row("b", 1, 1)]]).await;
    let last = world.table().snapshot().await.unwrap().version;
    assert_eq!(states(&world.table()).await[1].1, RejectState::Obsolete { obsolete_since: last });
    let writer = world.table().begin(world.spec("five", Append)).await.unwrap();
    assert!(writer.open_rejects().await.unwrap().files().is_empty());
}

#[tokio::test]
async fn rejects_of_a_run_that_failed_are_kept_to_be_looked_at_and_not_tried_again() {
    let world = World::in_memory();
    let mut writer = world.table().begin(world.spec("one", Merge)).await.unwrap();
    write_all(&mut writer, &[vec![row("a", 1, 1)]]).await.unwrap();
    writer.reject(vec![reject(0)]).await.unwrap();
    writer.abort_keeping_rejects().await.unwrap();
    assert_eq!(states(&world.table()).await, [("reject-0".to_owned(), RejectState::NotCommitted)]);
    assert_eq!(world.table().snapshot().await.unwrap().version, 0);
    let writer = world.table().begin(world.spec("two", Merge)).await.unwrap();
    assert!(writer.open_rejects().await.unwrap().files().is_empty());
}

#[tokio::test]
async fn each_pass_of_a_run_has_a_file_of_its_own() {
    let world = World::on_disk();
    refuse(&world, "windows", Append, 1, &[row("a", 1, 1)]).await;
    refuse(&world, "windows", Append, 2, &[row("b", 1, 1)]).await;
    let paths: Vec<String> =
        world.table().rejects().await.unwrap().files().iter().map(|file| file.path.clone()).collect();
    assert_eq!(paths, ["_lakefeed/rejects/windows.rejects", "_lakefeed/rejects/windows-2.rejects"]);
    assert_eq!(states(&world.table()).await.len(), 3);
}

/// A key in a file that was written after the reject may be newer; one in an older file, or in
/// none, is not.
#[tokio::test]
async fn a_reject_gives_way_to_a_key_that_was_written_later() {
    let world = World::in_memory();
    world.run("zero", Merge, &[vec![row("old", 1, 1)]]).await;
    refuse(&world, "one", Merge, 1, &[row("beside", 2, 1)]).await;
    world.run("two", Merge, &[vec![row("newer", 3, 1)]]).await;
    let writer = world.table().begin(world.spec("three", Merge)).await.unwrap();
    let overtaken = writer.newer_keys_since(2).await.unwrap().unwrap();
    let rows = [row("old", 1, 9), row("newer", 3, 9), row("beside", 2, 9), row("nowhere", 4, 9), row("newer", 4, 8)];
    assert_eq!(overtaken.find(&batch(&rows)).await.unwrap(), [false, true, false, false, true]);
    writer.abort().await.unwrap();
    let appending = world.table().begin(world.spec("four", Append)).await.unwrap();
    assert!(appending.newer_keys_since(2).await.unwrap().is_none());
}

/// Whatever the retrying run dies of, each reject that fits becomes exactly one row.
#[tokio::test]
async fn a_retry_that_is_killed_at_any_step_makes_each_row_once() {
    for (new, death) in [
        (World::in_memory as fn() -> World, Death::BeforeEffect),
        (World::in_memory, Death::AfterEffect),
        (World::on_disk, Death::BeforeEffect),
        (World::on_disk, Death::AfterEffect),
    ] {
        let mut steps = 0;
        loop {
            let world = new();
            refuse(&world, "one", Append, 4, &[row("a", 1, 1)]).await;
            let fuse = Fuse::new(steps, death);
            let retried = match world.mortal_table(&fuse).begin(world.spec("two", Append)).await {
                Ok(writer) => retry_all_but_the_first(writer).await,
                Err(error) => Err(error),
            };
            world.expire_leases();
            let writer = world.table().begin(world.spec("three", Append)).await.unwrap();
            retry_all_but_the_first(writer).await.unwrap();
            let ids: Vec<String> = world.rows().await.into_iter().map(|row| row.id).collect();
            assert_eq!(ids, ["event-a", "event-reject-1", "event-reject-2", "event-reject-3"], "step {steps}");
            if !fuse.is_dead() {
                retried.unwrap();
                break;
            }
            steps += 1;
        }
        assert!(steps > 8, "the walk saw only {steps} steps");
    }
    // A later run of another kind finds nothing left over.
    let world = World::in_memory();
    run_on(&world.table(), world.spec("last", Merge), &[vec![row("end", 1, 1)]]).await.unwrap();
    world.check_tidy().await;
}
