use lakefeed_testing::{Death, Fuse};

use super::*;
use crate::log::document::{CommitDocument, CommitError};
use crate::testing::world::{Row, World, row, run_on, write_all};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::error::ErrorKind;
use lakefeed_model::spec::WriteDisposition::{self, Append, Merge, Replace};

fn before() -> Vec<Vec<Row>> {
    vec![(0..6).map(|id| row(id, i64::from(id) % 3, 0)).collect(), vec![row("lonely", 7, 0), row("stays", 8, 0)]]
}

/// A run that inserts, updates, leaves alone, moves (which empties a partition) and repeats a key.
fn change() -> Vec<Vec<Row>> {
    vec![
        vec![row(0, 0, 1), row(1, 1, 0), row(2, 0, 0), row("lonely", 1, 0), row("new", 9, 0)],
        vec![row("new", 10, 1), row(5, 2, 2)],
    ]
}

fn sorted(rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    let mut rows = rows.into_iter().collect::<Vec<_>>();
    rows.sort();
    rows
}

async fn prepared(world: World) -> World {
    world.run("before", Merge, &before()).await;
    world
}

/// Kills the run at every change that it makes to the store, looks at what readers see, runs again,
/// compares.
async fn walk(world: fn() -> World, disposition: WriteDisposition, death: Death) {
    let undisturbed = prepared(world()).await;
    let old = undisturbed.rows().await;
    undisturbed.run("run", disposition, &change()).await;
    let new = undisturbed.rows().await;
    assert_ne!(old, new);
    for fatal in 0.. {
        let world = prepared(world()).await;
        let fuse = Fuse::new(fatal, death);
        let table = world.mortal_table(&fuse);
        let outcome = run_on(&table, world.spec("killed", disposition), &change()).await;
        if !fuse.is_dead() {
            outcome.unwrap();
            assert!(fatal > 10, "the walk saw only {fatal} steps");
            return;
        }
        world.expire_leases();
        let seen = world.rows().await;
        let committed = world.is_committed(fatal, &seen, &old, &new).await;
        let mut writer = world.table().begin(world.spec("again", disposition)).await.unwrap();
        if committed {
            assert_eq!(world.rows().await, new, "step {fatal}: recovery alone publishes the commit");
        }
        if committed && disposition == Append {
            writer.abort().await.unwrap();
        } else {
            write_all(&mut writer, &change()).await.unwrap();
            writer.commit(Checkpoint::full_listing("events")).await.unwrap();
        }
        assert_eq!(world.rows().await, new, "step {fatal}");
        // Where nobody knows whether the dead run may wake up, its staging is swept by the next run
        // that commits.
        world.run("last", Replace, &[vec![row("end", 1, 1)]]).await;
        world.check_tidy().await;
    }
}

#[tokio::test]
async fn a_merge_killed_before_any_step_equals_an_undisturbed_one_in_memory() {
    walk(World::in_memory, Merge, Death::BeforeEffect).await;
}

#[tokio::test]
async fn a_merge_killed_after_any_step_equals_an_undisturbed_one_in_memory() {
    walk(World::in_memory, Merge, Death::AfterEffect).await;
}

#[tokio::test]
async fn a_merge_killed_at_any_step_equals_an_undisturbed_one_on_disk() {
    walk(World::on_disk, Merge, Death::BeforeEffect).await;
    walk(World::on_disk, Merge, Death::AfterEffect).await;
}

#[tokio::test]
async fn a_replace_killed_at_any_step_equals_an_undisturbed_one() {
    for world in [World::in_memory, World::on_disk] {
        walk(world, Replace, Death::BeforeEffect).await;
        walk(world, Replace, Death::AfterEffect).await;
    }
}

#[tokio::test]
async fn an_append_killed_at_any_step_adds_its_rows_once() {
    for world in [World::in_memory, World::on_disk] {
        walk(world, Append, Death::BeforeEffect).await;
        walk(world, Append, Death::AfterEffect).await;
    }
}

#[tokio::test]
async fn a_recovery_that_is_killed_too_is_finished_by_the_next_one() {
    let undisturbed = prepared(World::in_memory()).await;
    undisturbed.run("run", Merge, &change()).await;
    let new = undisturbed.rows().await;
    let mut recoveries = 0;
    for fatal in 0..40 {
        let world = prepared(World::in_memory()).await;
        let fuse = Fuse::new(fatal, Death::AfterEffect);
        if run_on(&world.mortal_table(&fuse), world.spec("killed", Merge), &change()).await.is_ok() {
            break;
        }
        for second in 0..12 {
            world.expire_leases();
            let fuse = Fuse::new(second, Death::BeforeEffect);
            drop(world.mortal_table(&fuse).begin(world.spec(&format!("killed-{second}"), Merge)).await);
        }
        world.expire_leases();
        recoveries += u32::from(world.table().snapshot().await.unwrap().version == 2);
        world.run("again", Merge, &change()).await;
        assert_eq!(world.rows().await, new, "step {fatal}");
    }
    assert!(recoveries > 3, "{recoveries}");
}

#[tokio::test]
async fn a_lost_answer_at_any_step_never_loses_or_doubles_rows_and_never_conflicts_with_itself() {
    let undisturbed = prepared(World::in_memory()).await;
    undisturbed.run("run", Merge, &change()).await;
    let new = undisturbed.rows().await;
    let mut survived_at_commit = false;
    for fatal in 0.. {
        let world = prepared(World::in_memory()).await;
        let fuse = Fuse::new(fatal, Death::LostAnswer);
        let outcome = run_on(&world.mortal_table(&fuse), world.spec("flaky", Merge), &change()).await;
        if fuse.changes() <= fatal {
            break;
        }
        survived_at_commit |= outcome.as_ref().is_ok_and(|outcome| outcome.commit == Some(2));
        world.expire_leases();
        let again = run_on(&world.table(), world.spec("again", Merge), &change()).await.unwrap();
        assert_eq!(world.rows().await, new, "step {fatal}: {outcome:?}");
        if outcome.is_ok() {
            assert_eq!(again.commit, None, "step {fatal}");
        }
    }
    assert!(survived_at_commit, "a commit whose answer is lost is recognised as our own");
}

#[tokio::test]
async fn a_commit_number_that_another_run_took_is_a_conflict_and_leaves_the_table_alone() {
    let world = prepared(World::in_memory()).await;
    let old = world.rows().await;
    let mut writer = world.table().begin(world.spec("late", Merge)).await.unwrap();
    write_all(&mut writer, &change()).await.unwrap();
    let first = world.store_commit(1).await;
    world.put_commit(2, &first.replace("\"commit\": 1", "\"commit\": 2").replace("before", "quick")).await;
    let error = writer.commit(Checkpoint::full_listing("events")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("run quick"), "{error}");
    assert_eq!(world.rows().await, old);
    assert!(!world.objects().await.iter().any(|path| path.contains("staging")));
}

impl World {
    async fn store_commit(&self, number: u64) -> String {
        let bytes = self.table().read_file(&format!("_lakefeed/commits/{number:020}.json")).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    async fn put_commit(&self, number: u64, text: &str) {
        use object_store::ObjectStoreExt as _;
        let path = Path::from(format!("events/_lakefeed/commits/{number:020}.json"));
        self.store.put(&path, text.to_owned().into()).await.unwrap();
    }
}

#[test]
fn the_steps_come_in_the_order_that_the_rules_demand() {
    let mut steps = Vec::new();
    let mut state = State::Staged;
    while let Some(step) = state.next() {
        steps.push(step);
        state = step.done();
    }
    assert_eq!(steps, [Step::CreateCommit, Step::Copy, Step::Remove, Step::Mark, Step::Sweep]);
    assert_eq!(State::found(false).next(), Some(Step::Copy), "an unpublished commit is published from the start");
    assert_eq!(State::found(true).next(), Some(Step::Sweep), "a published commit is only swept");
}

#[tokio::test]
async fn a_commit_survives_its_own_text_and_other_versions_are_refused() {
    let world = prepared(World::in_memory()).await;
    let text = world.store_commit(1).await;
    let commit = CommitDocument::parse(text.as_bytes(), 1).unwrap();
    assert_eq!(CommitDocument::parse(&commit.to_bytes().unwrap(), 1).unwrap(), commit);
    assert_eq!(sorted(before().concat()), world.rows().await);
    assert!(matches!(CommitDocument::parse(text.as_bytes(), 2), Err(CommitError::Number(1))));
    let newer = text.replace("\"version\": 1", "\"version\": 2");
    assert!(matches!(CommitDocument::parse(newer.as_bytes(), 1), Err(CommitError::Version(2))));
    for (broken, what) in [(newer, "version 2"), ("{".to_owned(), "not a commit document")] {
        world.put_commit(2, &broken).await;
        let error = world.table().snapshot().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("00000000000000000002.json") && error.to_string().contains(what), "{error}");
    }
}
