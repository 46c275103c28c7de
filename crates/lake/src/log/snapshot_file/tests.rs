use std::collections::BTreeSet;
use std::sync::Arc;

use lakefeed_testing::{Counts, WrappedStore};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use proptest::prelude::*;

use super::*;
use crate::log::document::{AddedFile, Operation};
use crate::log::load::{load, load_at};
use crate::log::read::{commit_numbers, read_commits};
use crate::testing::world::{TABLE, World, row, schema};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::event::RowCounts;
use lakefeed_model::spec::WriteDisposition::{Append, Merge};

/// Gets, lists and listed objects so far.
fn read(counts: &Counts) -> (u64, u64, u64) {
    (counts.gets(), counts.lists(), counts.listed())
}

fn path_of(file: u8) -> String {
    format!("p={}/part-0000{}.parquet", file / 4, file % 4)
}

fn commit(number: u64, adds: &BTreeSet<u8>, removes: &[u8]) -> CommitDocument {
    CommitDocument {
        version: CommitDocument::VERSION,
        commit: number,
        run_id: format!("run-{number}"),
        time: "2026-11-23T12:00:00Z".parse().unwrap(),
        resource: TABLE.to_owned(),
        disposition: Append,
        merge: None,
        operation: Operation::Load,
        primary_key: Vec::new(),
        partition_by: Vec::new(),
        schema: schema(),
        checkpoint: Checkpoint::full_listing(TABLE),
        counts: RowCounts::default(),
        adds: adds
            .iter()
            .map(|file| AddedFile {
                path: path_of(*file),
                staged: String::new(),
                bytes: number,
                rows: 1,
                partition: vec![("p".to_owned(), Some((file / 4).to_string()))],
                key_min: None,
                key_max: None,
            })
            .collect(),
        removes: removes.iter().map(|file| path_of(*file)).collect(),
        retires: Vec::new(),
        rejects: None,
        settled: Vec::new(),
        full_refresh: false,
        schema_changes: Vec::new(),
    }
}

/// What an older reader would do: reads everything.
async fn fold_of_all(storage: &Storage) -> Snapshot {
    use futures::TryStreamExt as _;
    let mut commits = read_commits(storage, commit_numbers(storage).await.unwrap());
    let mut snapshot = Snapshot::default();
    while let Some(commit) = commits.try_next().await.unwrap() {
        snapshot = snapshot.apply(&commit).unwrap();
    }
    snapshot
}

async fn put(storage: &Storage, path: Path, bytes: impl Into<PutPayload>) {
    storage.store.put(&path, bytes.into()).await.unwrap();
}

/// What is the matter with a snapshot file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Sound,
    Missing,
    Cut(usize),
    Flipped(usize),
    Foreign,
    LaterVersion,
}

fn health() -> impl Strategy<Value = Health> {
    prop_oneof![
        3 => Just(Health::Sound),
        3 => Just(Health::Missing),
        1 => (0usize..2_000).prop_map(Health::Cut),
        1 => (0usize..2_000).prop_map(Health::Flipped),
        1 => Just(Health::Foreign),
        1 => Just(Health::LaterVersion),
    ]
}

async fn put_snapshot_file(storage: &Storage, snapshot: &Snapshot, health: Health) {
    let number = snapshot.version;
    let commit = storage.get(&storage.layout.commit(number)).await.unwrap();
    let mut bytes = SnapshotFile::to_bytes(snapshot, &commit).unwrap().to_vec();
    match health {
        Health::Sound => {}
        Health::Missing => return,
        Health::Cut(at) => bytes.truncate(at % bytes.len()),
        Health::Flipped(at) => {
            let at = at % bytes.len();
            bytes[at] ^= 0x11;
        }
        Health::Foreign => {
            bytes = SnapshotFile::to_bytes(snapshot, b"another commit of the same number").unwrap().to_vec();
        }
        Health::LaterVersion => {
            bytes = String::from_utf8(bytes).unwrap().replacen("\"version\":1", "\"version\":2", 1).into_bytes();
        }
    }
    put(storage, storage.layout.snapshot_file(number), bytes).await;
}

/// One commit of a history: files that it adds, how many it removes, and the snapshot file after
/// it.
type Step = (BTreeSet<u8>, usize, Health);

async fn write_history(storage: &Storage, steps: Vec<Step>, marked: bool) -> Vec<Snapshot> {
    let mut snapshots = vec![Snapshot::default()];
    for (number, (adds, remove, health)) in (1..).zip(steps) {
        let before = snapshots.last().unwrap();
        let there = (0u8..16).filter(|file| before.files.contains_key(&path_of(*file)) && !adds.contains(file));
        let document = commit(number, &adds, &there.take(remove).collect::<Vec<_>>());
        put(storage, storage.layout.commit(number), serde_json::to_vec_pretty(&document).unwrap()).await;
        let snapshot = before.clone().apply(&document).unwrap();
        put_snapshot_file(storage, &snapshot, health).await;
        snapshots.push(snapshot);
    }
    let last = snapshots.len() as u64 - 1;
    // The last commit may not be published yet, and older markers may not be swept yet.
    for number in last.saturating_sub(2)..=last {
        if number > 0 && (number < last || marked) {
            put(storage, storage.layout.published_marker(number), "{}").await;
        }
    }
    snapshots
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn whatever_snapshot_files_are_there_a_table_is_the_fold_of_all_its_commits(
        steps in proptest::collection::vec((proptest::collection::btree_set(0u8..16, 0..5), 0usize..4, health()), 0..24),
        marked in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let storage = World::in_memory().table().storage;
            let newest_sound = (1..).zip(&steps).filter(|(_, step)| step.2 == Health::Sound).last();
            let newest_sound = newest_sound.map_or(0, |(number, _)| number);
            let snapshots = write_history(&storage, steps, marked).await;
            let mut expected = fold_of_all(&storage).await;
            assert_eq!(Some(&expected), snapshots.last());
            expected.published = expected.version > 0 && marked;
            let loaded = load(&storage).await.unwrap();
            assert_eq!(&loaded.snapshot, &expected);
            assert_eq!(loaded.last.map_or(0, |commit| commit.commit), expected.version);
            assert!(loaded.snapshot_file >= newest_sound, "{} {newest_sound}", loaded.snapshot_file);
            for (number, snapshot) in (0..).zip(&snapshots) {
                assert_eq!(&load_at(&storage, number).await.unwrap(), snapshot);
            }
        });
    }
}

#[tokio::test]
async fn a_lost_commit_is_not_taken_for_the_end_of_the_log() {
    let steps = || vec![(BTreeSet::from([1]), 0, Health::Missing); 9];
    for lost in 1..=9 {
        let storage = World::in_memory().table().storage;
        write_history(&storage, steps(), true).await;
        storage.delete(&storage.layout.commit(lost)).await.unwrap();
        let error = load(&storage).await.unwrap_err();
        assert!(error.to_string().contains(&format!("{lost}.json: it is not there")), "{error}");
    }
}

#[tokio::test]
async fn opening_a_table_of_100_000_commits_takes_as_many_requests_as_one_of_1_000() {
    let mut taken = Vec::new();
    for commits in [1_000_u64, 100_000] {
        let counts = Arc::new(Counts::default());
        let store = Arc::new(WrappedStore::new(Arc::new(InMemory::new()), Arc::clone(&counts)));
        let storage = World::new(Arc::<WrappedStore<Counts>>::clone(&store), None).table().storage;
        let every_file: BTreeSet<u8> = (0..16).collect();
        let text = serde_json::to_string(&commit(0, &every_file, &[])).unwrap();
        let (before, after) = text.split_once("\"commit\":0").unwrap();
        for number in 1..=commits {
            put(&storage, storage.layout.commit(number), format!("{before}\"commit\":{number}{after}")).await;
        }
        put(&storage, storage.layout.published_marker(commits), "{}").await;
        // As the writer of commit 16 n leaves it.
        let snapshot_file = commits - COMMITS_PER_SNAPSHOT_FILE + 1;
        let snapshot = Snapshot::default().apply(&commit(1, &every_file, &[])).unwrap();
        let snapshot = Snapshot { version: snapshot_file, published: false, ..snapshot };
        for number in [snapshot_file - COMMITS_PER_SNAPSHOT_FILE, snapshot_file] {
            let snapshot = Snapshot { version: number, ..snapshot.clone() };
            put_snapshot_file(&storage, &snapshot, Health::Sound).await;
        }
        let before = read(&counts);
        let loaded = load(&storage).await.unwrap();
        let after = read(&counts);
        assert_eq!(
            (loaded.snapshot.version, loaded.snapshot_file, loaded.snapshot.published),
            (commits, snapshot_file, true)
        );
        taken.push((after.0 - before.0, after.1 - before.1, after.2 - before.2));
        let before = read(&counts);
        let table = World::new(store, None).table();
        assert_eq!(table.history(Some(3)).await.unwrap().len(), 3);
        assert_eq!(table.manifest(None).await.unwrap().files.len(), 16);
        let after = read(&counts);
        assert!(
            after.0 - before.0 < 4 * COMMITS_PER_SNAPSHOT_FILE + 20 && after.2 - before.2 < 20,
            "{before:?} {after:?}"
        );
    }
    // A snapshot file and its commit, the commits since, and one that is not there; a list of
    // snapshot files and one of markers.
    let gets = 2 + (COMMITS_PER_SNAPSHOT_FILE - 1) + 1;
    assert_eq!(taken, [(gets, 2, 3); 2]);
}

#[tokio::test]
async fn a_writer_keeps_two_snapshot_files_and_makes_up_for_what_was_not_kept() {
    let world = World::in_memory();
    assert_eq!(world.snapshot_file_every, 2, "what the tests of the lake use");
    let mut snapshot_files = Vec::new();
    for run in 0..9 {
        world.run(&format!("run-{run}"), Merge, &[vec![row(run, 1, 1)]]).await;
        let storage = world.table().storage;
        if run == 5 {
            // Damage is as good as absence: the next commit makes up for it.
            put(&storage, storage.layout.snapshot_file(6), "?").await;
        }
        snapshot_files.push(numbers(&storage).await.unwrap());
        assert_eq!(load(&storage).await.unwrap().snapshot.files, fold_of_all(&storage).await.files);
    }
    let expected: [&[u64]; 9] = [&[], &[2], &[2], &[4, 2], &[4, 2], &[6, 4], &[7, 6], &[7, 6], &[9, 7]];
    assert_eq!(snapshot_files, expected);
}
