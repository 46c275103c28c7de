use Damage::{Batch, Copy, Cut, Delete, Edit, Put, Rows, Scratch, SnapshotFile};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use lakefeed_testing::{Death, Fuse};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::*;
use crate::log::key_range::KeyRange;
use crate::maintain::verify::FindingCode::*;
use crate::testing::world::{Row, World, batch, row, run_on, schema};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::reject::{Reject, RejectCode};
use lakefeed_model::spec::Limits;
use lakefeed_model::spec::WriteDisposition::{Append, Merge};

const DAY_1: &str = "start_day=1970-01-02/part-00000.parquet";
const DAY_2: &str = "start_day=1970-01-03/part-00000.parquet";

/// Something that goes wrong with a table.
#[derive(Debug, Clone)]
enum Damage {
    Delete(&'static str),
    Put(&'static str, &'static [u8]),
    Copy(&'static str, &'static str),
    /// Only so many bytes are left.
    Cut(&'static str, usize),
    /// Bytes from here on are others; from the end when negative.
    Scratch(&'static str, isize),
    /// A commit says something else.
    Edit(u64, fn(&mut Value)),
    /// The file has these rows, and the log is made to agree as far as sizes, counts and key ranges
    /// go.
    Rows(&'static str, Vec<Row>),
    /// As `Rows`, with a batch of any shape.
    Batch(&'static str, RecordBatch),
    /// A snapshot file of the last commit, changed so.
    SnapshotFile(fn(&mut Snapshot)),
}

/// A table with two commits, rejects, and files in two partitions; the last commit touches both.
async fn table() -> World {
    let mut world = World::in_memory();
    world.limits = Limits::default();
    // A snapshot file is there only where it is put on purpose.
    world.snapshot_file_every = 100;
    let mut writer = world.table().begin(world.spec("one", Merge)).await.unwrap();
    writer.write(batch(&[row("a", 1, 1), row("b", 1, 1), row("c", 2, 1), row("d", 2, 1)])).await.unwrap();
    let reject = Reject {
        page: 1,
        position: 1,
        path: "$.start".to_owned(),
        code: RejectCode::BadFormat,
        reason: "not a date-time".to_owned(),
        raw: "{}".to_owned(),
    };
    writer.reject(vec![reject]).await.unwrap();
    writer.commit(Checkpoint::full_listing("events")).await.unwrap();
    world.run("two", Merge, &[vec![row("a", 1, 2), row("c", 2, 2)]]).await;
    world
}

fn at(path: &str) -> Path {
    Path::parse(format!("events/{path}")).unwrap()
}

async fn get(world: &World, path: &str) -> Vec<u8> {
    world.store.get(&at(path)).await.unwrap().bytes().await.unwrap().to_vec()
}

async fn put(world: &World, path: &str, bytes: Vec<u8>) {
    world.store.put(&at(path), bytes.into()).await.unwrap();
}

fn commit(number: u64) -> String {
    format!("_lakefeed/commits/{number:020}.json")
}

async fn edit(world: &World, number: u64, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&get(world, &commit(number)).await).unwrap();
    change(&mut document);
    put(world, &commit(number), document.to_string().into_bytes()).await;
}

async fn replace(world: &World, path: &'static str, batch: &RecordBatch, keys: Option<KeyRange>) {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let (size, rows) = (bytes.len(), batch.num_rows() as u64);
    put(world, path, bytes).await;
    edit(world, 2, |document| {
        let added = document["adds"].as_array_mut().unwrap().iter_mut().find(|added| added["path"] == path).unwrap();
        let written = added["rows"].as_u64().unwrap();
        (added["bytes"], added["rows"]) = (size.into(), rows.into());
        added["key_min"] = json!(keys.as_ref().map(|keys| &keys.min));
        added["key_max"] = json!(keys.as_ref().map(|keys| &keys.max));
        let counted = document["counts"]["written"].as_u64().unwrap();
        document["counts"]["written"] = (counted - written + rows).into();
    })
    .await;
}

async fn inflict(world: &World, damage: Damage) {
    match damage {
        Delete(path) => world.store.delete(&at(path)).await.unwrap(),
        Put(path, bytes) => put(world, path, bytes.to_vec()).await,
        Copy(from, to) => put(world, to, get(world, from).await).await,
        Cut(path, length) => put(world, path, get(world, path).await[..length].to_vec()).await,
        Scratch(path, from) => {
            let mut bytes = get(world, path).await;
            let from = usize::try_from(from).unwrap_or_else(|_| bytes.len() - from.unsigned_abs());
            let length = bytes.len();
            bytes[from..length.min(from + 24)].fill(0xA5);
            put(world, path, bytes).await;
        }
        Edit(number, change) => edit(world, number, change).await,
        Rows(path, rows) => {
            let batch = batch(&rows);
            let bounds = crate::staging::area::key_bounds(&batch, 0).unwrap();
            replace(world, path, &batch, KeyRange::new(Some(bounds.0), Some(bounds.1))).await;
        }
        Batch(path, batch) => replace(world, path, &batch, None).await,
        SnapshotFile(change) => {
            let table = world.table();
            let mut snapshot = table.snapshot().await.unwrap();
            change(&mut snapshot);
            crate::log::snapshot_file::write(&table.storage, &snapshot).await.unwrap();
        }
    }
}

/// A batch of the table's shape with one column changed.
fn with_column(name: &str, values: ArrayRef) -> RecordBatch {
    let rows = batch(&[row("a", 1, 2), row("b", 1, 1)]);
    let schema = rows.schema();
    let columns = schema.fields().iter().map(|field| field.name().clone()).zip(rows.columns().to_vec());
    let mut columns: Vec<(String, ArrayRef)> = columns.collect();
    match columns.iter_mut().find(|column| column.0 == name) {
        Some(column) => column.1 = values,
        None => columns.push((name.to_owned(), values)),
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true))).unwrap()
}

fn first_add(document: &mut Value) -> &mut Value {
    document["adds"].as_array_mut().unwrap().iter_mut().find(|added| added["path"] == DAY_1).unwrap()
}

fn more_rows(document: &mut Value) {
    let rows = first_add(document)["rows"].as_u64().unwrap();
    first_add(document)["rows"] = (rows + 1).into();
    let written = document["counts"]["written"].as_u64().unwrap();
    document["counts"]["written"] = (written + 1).into();
}

const COMMIT_1: &str = "_lakefeed/commits/00000000000000000001.json";
const COMMIT_2: &str = "_lakefeed/commits/00000000000000000002.json";
const MARKER: &str = "_lakefeed/published/00000000000000000002.json";
const SNAPSHOT_FILE_2: &str = "_lakefeed/folds/00000000000000000002.json";
const SNAPSHOT_FILE_1: &str = "_lakefeed/folds/00000000000000000001.json";

fn damages() -> Vec<(&'static str, Vec<Damage>, Vec<FindingCode>)> {
    const REJECTS: &str = "_lakefeed/rejects/one.rejects";
    let numbers = || Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    let gap = Arc::new(StringArray::from(vec![Some("event-a"), None])) as ArrayRef;
    vec![
        ("nothing", vec![], vec![]),
        ("a file is gone", vec![Delete(DAY_1)], vec![FileMissing]),
        ("a file is cut short", vec![Cut(DAY_1, 100)], vec![FileSize, FileUnreadable]),
        ("a file is empty", vec![Cut(DAY_1, 0)], vec![FileSize, FileUnreadable]),
        ("a page is damaged", vec![Scratch(DAY_1, 150)], vec![FileUnreadable]),
        ("a footer is damaged", vec![Scratch(DAY_1, -60)], vec![FileUnreadable]),
        ("a magic number is damaged", vec![Scratch(DAY_1, -4)], vec![FileUnreadable]),
        ("the log has another size", vec![Edit(2, |it| first_add(it)["bytes"] = 1.into())], vec![FileSize]),
        ("the log has more rows", vec![Edit(2, more_rows)], vec![FileRows]),
        ("counts and files differ", vec![Edit(1, |it| it["counts"]["written"] = 9.into())], vec![CommitContradictory]),
        ("another key range", vec![Edit(2, |it| first_add(it)["key_max"] = "event-z".into())], vec![KeyRange]),
        ("keys that are not in the range", vec![Edit(2, |it| first_add(it)["key_min"] = 7.into())], vec![KeyRange]),
        ("a column of another type", vec![Batch(DAY_1, with_column("value", Arc::clone(&gap)))], vec![FileSchema]),
        ("a column that the table lacks", vec![Batch(DAY_1, with_column("more", numbers()))], vec![FileSchema]),
        ("a key that is null", vec![Batch(DAY_1, with_column("id", gap))], vec![FileSchema]),
        ("a key in two partitions", vec![Rows(DAY_2, vec![row("a", 2, 1), row("d", 2, 1)])], vec![KeyRepeated]),
        ("a key twice in a file", vec![Rows(DAY_2, vec![row("c", 2, 1), row("c", 2, 1)])], vec![KeyRepeated]),
        ("a row of another day", vec![Rows(DAY_1, vec![row("a", 1, 2), row("b", 5, 1)])], vec![WrongPartition]),
        (
            "the log has another partition value",
            vec![Edit(2, |it| first_add(it)["partition"] = json!([["start_day", "1970-01-09"]]))],
            vec![WrongPartition],
        ),
        ("a stray file", vec![Copy(DAY_1, "start_day=1970-01-02/copy.parquet")], vec![StrayFile]),
        ("a stray file beside the log", vec![Copy(DAY_1, "_lakefeed/x.parquet")], vec![StrayFile]),
        ("the first commit is gone", vec![Delete(COMMIT_1)], vec![CommitMissing]),
        ("the last commit is gone", vec![Delete(COMMIT_2)], vec![MarkerAhead]),
        ("a commit is no JSON", vec![Put(COMMIT_1, b"{")], vec![CommitUnreadable]),
        ("a commit of a later version", vec![Edit(2, |it| it["version"] = 99.into())], vec![CommitUnreadable]),
        ("a commit with the name of another", vec![Copy(COMMIT_1, COMMIT_2)], vec![CommitUnreadable]),
        ("no name for a commit", vec![Put("_lakefeed/commits/readme.txt", b"?")], vec![CommitUnreadable]),
        (
            "a commit removes what is not there",
            vec![Edit(2, |it| it["removes"] = json!(["x"]))],
            vec![CommitContradictory],
        ),
        (
            "a name that is no slot",
            vec![Edit(1, |it| it["adds"][0]["path"] = "x".into())],
            vec![CommitContradictory, FileMissing],
        ),
        (
            "the checkpoint of another",
            vec![Edit(2, |it| it["checkpoint"]["resource"] = "x".into())],
            vec![CheckpointForeign],
        ),
        ("a later checkpoint", vec![Edit(2, |it| it["checkpoint"]["version"] = 9.into())], vec![CheckpointForeign]),
        ("no marker", vec![Delete(MARKER)], vec![Unpublished]),
        ("the marker of another run", vec![Put(MARKER, br#"{"commit": 2, "run_id": "x"}"#)], vec![MarkerContradictory]),
        ("a marker that is no JSON", vec![Put(MARKER, b"")], vec![MarkerContradictory]),
        ("rejects are cut short", vec![Cut(REJECTS, 10)], vec![RejectsSize]),
        ("rejects are deleted", vec![Delete(REJECTS)], vec![]),
        ("staging is left", vec![Put("_lakefeed/staging/dead/0.staged", b"x")], vec![StagingLeft]),
        (
            "many things",
            vec![Delete(DAY_1), Scratch(DAY_2, 150), Put("a.parquet", b""), Put("_lakefeed/staging/dead/0", b"x")],
            vec![FileMissing, FileUnreadable, StrayFile, StagingLeft],
        ),
    ]
}

/// What can be the matter with a snapshot file, which is there only where it is put.
fn damages_of_snapshot_files() -> Vec<(&'static str, Vec<Damage>, Vec<FindingCode>)> {
    vec![
        ("a snapshot file", vec![SnapshotFile(|_| {})], vec![]),
        (
            "a snapshot file is damaged",
            vec![SnapshotFile(|_| {}), Scratch(SNAPSHOT_FILE_2, -60)],
            vec![SnapshotFileUnusable],
        ),
        ("a snapshot file is empty", vec![Put(SNAPSHOT_FILE_2, b"")], vec![SnapshotFileUnusable]),
        (
            "a snapshot file with the name of another",
            vec![SnapshotFile(|_| {}), Copy(SNAPSHOT_FILE_2, SNAPSHOT_FILE_1)],
            vec![SnapshotFileUnusable],
        ),
        (
            "a snapshot file of another commit",
            vec![SnapshotFile(|_| {}), Edit(2, |it| it["adds"][0]["bytes"] = 1.into())],
            vec![FileSize, SnapshotFileUnusable],
        ),
        (
            "a snapshot file of a lost commit",
            vec![SnapshotFile(|_| {}), Delete(COMMIT_2), Delete(MARKER)],
            vec![Unpublished, FileSize, FileSize, SnapshotFileUnusable],
        ),
        (
            "a snapshot file that says something else",
            vec![SnapshotFile(|it| it.primary_key.clear())],
            vec![SnapshotFileContradictory],
        ),
    ]
}

#[tokio::test]
async fn every_damage_is_named_and_nothing_else() {
    for (name, inflicted, expected) in damages().into_iter().chain(damages_of_snapshot_files()) {
        let world = table().await;
        for damage in inflicted {
            inflict(&world, damage).await;
        }
        let before = world.objects().await;
        let report = world.table().verify().await.unwrap();
        let codes = report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert_eq!(codes, expected, "{name}: {:#?}", report.findings);
        assert_eq!(
            report.is_sound(),
            expected.iter().all(|code| matches!(code, StagingLeft | SnapshotFileUnusable)),
            "{name}"
        );
        assert_eq!(world.objects().await, before, "{name}: to verify writes nothing");
    }
}

#[tokio::test]
async fn keys_are_compared_in_shares_when_there_are_many() {
    let world = table().await;
    inflict(&world, Rows(DAY_2, vec![row("a", 2, 1), row("b", 2, 1)])).await;
    for keys_in_memory in [1, 2, 3, 100] {
        let report = world.table().verify_with(keys_in_memory).await.unwrap();
        let [only] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
        assert!(only.detail.starts_with("2 rows have a key that another row has"), "{only:?}");
        assert!(only.detail.contains(&format!("event-a in {DAY_1} and {DAY_2}")), "{only:?}");
    }
}

#[tokio::test]
async fn repeated_keys_of_appended_rows_are_no_damage() {
    let world = World::in_memory();
    for run in ["one", "two"] {
        world.run(run, Append, &[vec![row("a", 1, 1)]]).await;
    }
    let report = world.table().verify().await.unwrap();
    assert!(report.is_sound());
    assert_eq!(report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [KeyRepeated]);
    world.run("three", Merge, &[vec![row("b", 1, 1)]]).await;
    assert!(world.table().verify().await.unwrap().is_sound(), "a merge of other keys leaves them as they are");
}

#[tokio::test]
async fn a_commit_that_is_not_published_is_the_one_problem_whenever_the_run_died() {
    for operations in 0.. {
        let world = World::on_disk();
        world.run("one", Merge, &[vec![row("a", 1, 1), row("b", 2, 1)]]).await;
        let fuse = Fuse::new(operations, Death::BeforeEffect);
        let batches = [vec![row("a", 1, 2), row("b", 3, 1)]];
        let survived = run_on(&world.mortal_table(&fuse), world.spec("two", Merge), &batches).await.is_ok();
        let report = world.table().verify().await.unwrap();
        let problems = report.findings.iter().filter(|finding| finding.level == Level::Problem).map(|it| it.code);
        let problems = problems.collect::<Vec<_>>();
        let expected = if report.snapshot.published { vec![] } else { vec![Unpublished] };
        assert_eq!(problems, expected, "{operations}: {:#?}", report.findings);
        if survived {
            break;
        }
    }
}

#[tokio::test]
async fn a_new_column_a_replaced_table_and_an_empty_one_are_sound() {
    let world = World::in_memory();
    assert!(world.table().verify().await.unwrap().findings.is_empty());
    world.run("one", Merge, &[]).await;
    assert!(world.table().verify().await.unwrap().findings.is_empty());
    world.run("two", Merge, &[vec![row("a", 1, 1), row("b", 2, 1)]]).await;
    let mut columns = schema().columns().to_vec();
    columns.push(lakefeed_model::schema::Column {
        name: "later".to_owned(),
        column_type: lakefeed_model::schema::ColumnType::Utf8,
        nullable: true,
    });
    let schema = Arc::new(lakefeed_model::schema::RecordSchema::new(columns).unwrap());
    let spec = crate::WriteSpec { schema, ..world.spec("three", Merge) };
    let writer = world.table().begin(spec).await.unwrap();
    writer.commit(Checkpoint::full_listing("events")).await.unwrap();
    let report = world.table().verify().await.unwrap();
    assert_eq!((report.snapshot.version, report.findings), (3, vec![]));
}
