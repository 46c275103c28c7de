use std::sync::Arc;

use lakefeed_testing::{Death, Fuse, Lies, WrappedStore};

use crate::commit::lease::TableLock;
use crate::testing::world::{World, row, write_all};
use crate::{LockWait, LockWaitListener, LockWaitStatus};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::clock::Clock;
use lakefeed_model::error::ErrorKind;
use lakefeed_model::spec::WriteDisposition::Merge;

fn checkpoint() -> Checkpoint {
    Checkpoint::full_listing("events")
}

#[tokio::test]
async fn a_held_table_is_a_conflict_that_names_its_holder() {
    for world in [World::in_memory(), World::on_disk()] {
        let holder = world.table().begin(world.spec("first", Merge)).await.unwrap();
        let error = world.table().begin(world.spec("second", Merge)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.contains("held by run first") && text.contains("since 2026-11-23T12:00:00Z"), "{text}");
        assert!(!error.hints().is_empty());
        holder.abort().await.unwrap();
        world.run("third", Merge, &[vec![row(1, 1, 1)]]).await;
        world.check_tidy().await;
    }
}

#[tokio::test]
async fn a_dropped_writer_frees_a_file_lock_at_once_and_a_lease_when_it_expires() {
    let disk = World::on_disk();
    drop(disk.table().begin(disk.spec("dropped", Merge)).await.unwrap());
    disk.run("next", Merge, &[vec![row(1, 1, 1)]]).await;

    let memory = World::in_memory();
    drop(memory.table().begin(memory.spec("dropped", Merge)).await.unwrap());
    let error = memory.table().begin(memory.spec("early", Merge)).await.unwrap_err();
    assert!(error.hints()[0].contains("expires at 2026-11-23T12:01:00Z"), "{error:?}");
    memory.expire_leases();
    memory.run("next", Merge, &[vec![row(1, 1, 1)]]).await;
}

#[tokio::test]
async fn a_file_lock_ends_with_its_writer_even_where_a_copy_of_the_open_file_lives_on() {
    let world = World::on_disk();
    let storage = world.table().storage;
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let lock = TableLock::acquire(&storage, "first", &clock, None).await.unwrap();
    let TableLock::File(held) = &lock else { panic!("not a file lock") };
    // As a process that is being started gets copies of all open files.
    let copy = held.0.try_clone().unwrap();
    assert!(TableLock::acquire(&storage, "early", &clock, None).await.is_err());
    lock.release(&storage).await;
    TableLock::acquire(&storage, "next", &clock, None).await.unwrap().release(&storage).await;
    drop(copy);
}

#[tokio::test]
async fn a_writer_that_was_taken_over_cannot_commit_and_the_other_one_can() {
    let world = World::in_memory();
    let mut sleeper = world.table().begin(world.spec("sleeper", Merge)).await.unwrap();
    write_all(&mut sleeper, &[vec![row(1, 1, 1)]]).await.unwrap();
    world.expire_leases();
    let mut other = world.table().begin(world.spec("other", Merge)).await.unwrap();
    assert!(world.objects().await.iter().any(|path| path.contains("staging/sleeper")), "it may still commit");
    write_all(&mut other, &[vec![row(2, 2, 2)]]).await.unwrap();
    let error = sleeper.commit(checkpoint()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("run other took the table over"), "{error}");
    assert!(world.rows().await.is_empty());
    other.commit(checkpoint()).await.unwrap();
    assert_eq!(world.rows().await, [row(2, 2, 2)]);
    world.check_tidy().await;
}

/// A store that looks first and writes then lets two writers create the same lease; whoever wrote
/// last has it.
#[tokio::test]
async fn a_writer_whose_lease_was_overwritten_cannot_commit() {
    let world = World::in_memory();
    let mut writer = world.table().begin(world.spec("overwritten", Merge)).await.unwrap();
    write_all(&mut writer, &[vec![row(1, 1, 1)]]).await.unwrap();
    let storage = world.table().storage;
    let path = storage.layout.lease(1);
    let lease = String::from_utf8(storage.get(&path).await.unwrap().to_vec()).unwrap();
    storage.put(&path, lease.replace("overwritten", "other").into()).await.unwrap();
    let error = writer.commit(checkpoint()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("run other has taken the table at the same time"), "{error}");
    assert!(world.rows().await.is_empty());
}

#[tokio::test]
async fn epochs_only_grow_and_old_leases_are_deleted() {
    let world = World::in_memory();
    for run in 0..3 {
        world.run(&format!("run-{run}"), Merge, &[vec![row(run, 1, 1)]]).await;
    }
    let leases = world.objects().await.into_iter().filter(|path| path.contains("/leases/")).collect::<Vec<_>>();
    assert_eq!(leases, ["events/_lakefeed/leases/00000000000000000003.json"]);
}

#[tokio::test]
async fn a_lease_of_a_dead_process_of_this_machine_is_taken_over_at_once() {
    use object_store::ObjectStoreExt as _;
    let world = World::in_memory();
    // No process has such a number (PID_MAX_LIMIT is 2^22). Starting one and state for its end
    // would lend it the lock files of other tests.
    let pid = 1 << 30;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let lease = serde_json::json!({
        "version": 1, "epoch": 5, "run_id": "dead", "host": host, "pid": pid,
        "since": "2026-11-23T11:59:50Z", "expires_at": "2026-11-23T12:00:50Z", "released": false,
    });
    let path = object_store::path::Path::from("events/_lakefeed/leases/00000000000000000005.json");
    world.store.put(&path, lease.to_string().into()).await.unwrap();
    world.run("next", Merge, &[vec![row(1, 1, 1)]]).await;
    let elsewhere = lease.to_string().replace(&host, "another-host").replace(":5,", ":9,");
    let path = object_store::path::Path::from("events/_lakefeed/leases/00000000000000000009.json");
    world.store.put(&path, elsewhere.into()).await.unwrap();
    let error = world.table().begin(world.spec("late", Merge)).await.unwrap_err();
    assert!(error.to_string().contains("on another-host"), "{error}");
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused_before_anything_is_written() {
    let world = World::in_memory();
    let lying = Arc::new(WrappedStore::new(Arc::clone(&world.store), Arc::new(Lies)));
    let error = world.lake(lying).table("events").begin(world.spec("run", Merge)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains("ignores conditional writes (If-None-Match)"), "{error}");
    assert!(world.objects().await.is_empty());
}

#[derive(Debug, Default)]
struct Heard(std::sync::Mutex<Vec<LockWaitStatus>>);

impl LockWaitListener for Heard {
    fn waiting(&self, wait: &LockWaitStatus) {
        self.0.lock().unwrap().push(wait.clone());
    }
}

#[tokio::test]
async fn a_run_that_waits_takes_over_when_the_lease_of_a_dead_one_has_expired() {
    let world = World::in_memory();
    drop(world.table().begin(world.spec("dead", Merge)).await.unwrap());
    let heard = Arc::new(Heard::default());
    let lock_wait =
        |seconds| LockWait { limit: std::time::Duration::from_secs(seconds), listener: Arc::<Heard>::clone(&heard) };
    let error = world.table().with_lock_wait(lock_wait(30)).begin(world.spec("hasty", Merge)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("held by run dead"), "{error}");
    let mut writer = world.table().with_lock_wait(lock_wait(90)).begin(world.spec("patient", Merge)).await.unwrap();
    write_all(&mut writer, &[vec![row(1, 1, 1)]]).await.unwrap();
    writer.commit(checkpoint()).await.unwrap();
    assert_eq!(world.rows().await, [row(1, 1, 1)]);
    let waits = heard.0.lock().unwrap();
    assert!(waits.len() > 4 && waits.iter().all(|wait| wait.reason.contains("held by run dead")), "{waits:?}");
}

#[tokio::test]
async fn a_lease_that_has_expired_unnoticed_is_renewed_before_the_commit() {
    let world = World::in_memory();
    let mut writer = world.table().begin(world.spec("slow", Merge)).await.unwrap();
    write_all(&mut writer, &[vec![row(1, 1, 1)]]).await.unwrap();
    world.expire_leases();
    writer.lock().verify(&world.table().storage).await.unwrap();
    let error = world.table().begin(world.spec("other", Merge)).await.unwrap_err();
    assert!(error.hints()[0].contains("expires at 2026-11-23T12:02:01Z"), "{error:?}");
    writer.commit(checkpoint()).await.unwrap();
    assert_eq!(world.rows().await, [row(1, 1, 1)]);
}

#[tokio::test]
async fn a_lease_that_has_expired_and_cannot_be_renewed_ends_its_run_before_anything_changes() {
    // The table is taken, and a row staged, in so many changes; the next one is the renewal.
    let taken = {
        let world = World::in_memory();
        world.run("before", Merge, &[vec![row(1, 1, 1)]]).await;
        let fuse = Fuse::new(u64::MAX, Death::BeforeEffect);
        let mut writer = world.mortal_table(&fuse).begin(world.spec("cut-off", Merge)).await.unwrap();
        write_all(&mut writer, &[vec![row(1, 1, 2)]]).await.unwrap();
        fuse.changes()
    };
    for death in [Death::BeforeEffect, Death::AfterEffect, Death::LostAnswer] {
        let world = World::in_memory();
        world.run("before", Merge, &[vec![row(1, 1, 1)]]).await;
        let fuse = Fuse::new(taken, death);
        let table = world.mortal_table(&fuse);
        let mut writer = table.begin(world.spec("cut-off", Merge)).await.unwrap();
        write_all(&mut writer, &[vec![row(1, 1, 2)]]).await.unwrap();
        assert_eq!(fuse.changes(), taken, "a change too many before the renewal");
        world.expire_leases();
        let error = writer.lock().verify(&table.storage).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(
            error.hints().iter().any(|hint| hint.contains("cannot be renewed: nothing more is written")),
            "{error:?}"
        );
        if death == Death::LostAnswer {
            // The store is back before another run has come, so this one may go on.
            writer.commit(checkpoint()).await.unwrap();
            assert_eq!(world.rows().await, [row(1, 1, 2)]);
            continue;
        }
        assert_eq!(writer.commit(checkpoint()).await.unwrap_err().kind(), ErrorKind::Storage);
        assert_eq!(world.rows().await, [row(1, 1, 1)]);
        // A renewal that took effect without an answer has to be waited for, too.
        world.expire_leases();
        world.run("next", Merge, &[vec![row(2, 1, 3)]]).await;
        assert_eq!(world.rows().await, [row(1, 1, 1), row(2, 1, 3)]);
        world.check_tidy().await;
    }
}
