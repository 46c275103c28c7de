//! Any sequence of schemas that lose nothing: every row reads back with its value, whether the
//! schema changed between two runs or within one.

use std::collections::BTreeMap;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use object_store::ObjectStoreExt as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::*;
use crate::testing::world::{TABLE, World};
use crate::{TableWriter, WriteSpec};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::schema::{Column, ColumnType, RecordSchema};
use lakefeed_model::spec::Limits;
use lakefeed_model::spec::WriteDisposition::{self, Append, Merge};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How far the schema has got: each step only ever forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Stage {
    /// `n` is a float.
    floats: bool,
    /// `at` is a timestamp.
    instants: bool,
    /// There is a column `note`.
    notes: bool,
}

impl Stage {
    fn join(self, other: Self) -> Self {
        Self {
            floats: self.floats || other.floats,
            instants: self.instants || other.instants,
            notes: self.notes || other.notes,
        }
    }

    fn schema(self) -> Arc<RecordSchema> {
        let column = |name: &str, column_type| Column { name: name.to_owned(), column_type, nullable: name != "id" };
        let mut columns = vec![
            column("n", if self.floats { ColumnType::Float64 } else { ColumnType::Int64 }),
            column("id", ColumnType::Int64),
            column("at", if self.instants { ColumnType::TimestampUtc } else { ColumnType::Date32 }),
        ];
        if self.notes {
            columns.insert(1, column("note", ColumnType::Utf8));
        }
        Arc::new(RecordSchema::new(columns).unwrap())
    }

    /// A row of each id: whatever the stage, `n` is the id and `at` the day of that number.
    fn batch(self, ids: &[i64]) -> RecordBatch {
        let ids = ids.to_vec();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let n: ArrayRef = if self.floats {
            Arc::new(ids.iter().map(|id| Some(*id as f64)).collect::<Float64Array>())
        } else {
            Arc::new(Int64Array::from(ids.clone()))
        };
        let at: ArrayRef = if self.instants {
            let micros: Vec<i64> = ids.iter().map(|id| id * MICROS_PER_DAY).collect();
            Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
        } else {
            Arc::new(ids.iter().map(|id| i32::try_from(*id).ok()).collect::<Date32Array>())
        };
        let mut columns = vec![n, Arc::new(Int64Array::from(ids.clone())) as ArrayRef, at];
        if self.notes {
            columns.insert(1, Arc::new(ids.iter().map(|id| Some(format!("note {id}"))).collect::<StringArray>()));
        }
        RecordBatch::try_new(self.schema().to_arrow(), columns).unwrap()
    }
}

/// A run: what it writes, stage by stage.
type Run = Vec<(Stage, Vec<i64>)>;

async fn write(world: &World, name: &str, disposition: WriteDisposition, run: &Run) {
    let mut reached = run[0].0;
    let spec = WriteSpec { schema: reached.schema(), partition_by: Vec::new(), ..world.spec(name, disposition) };
    let mut writer: TableWriter = world.table().begin(spec).await.unwrap();
    for (stage, ids) in run {
        let next = reached.join(*stage);
        if next != reached {
            // A run's schema is its own with what came to it, and it must not lose what it had.
            writer.evolve(next.schema()).await.unwrap();
            reached = next;
        }
        writer.write(conformed(reached, &writer, ids)).await.unwrap();
    }
    writer.commit(Checkpoint::full_listing(TABLE)).await.unwrap();
}

/// The rows as the writer wants them: with the table's types, where those are wider.
fn conformed(stage: Stage, writer: &TableWriter, ids: &[i64]) -> RecordBatch {
    conform(&stage.batch(ids), &writer.record_schema().to_arrow()).unwrap()
}

/// Every row that a reader who globs finds: its number, its instant and its note, by id. All files
/// have the types of `stage`.
async fn read_back(world: &World, stage: Stage) -> BTreeMap<i64, Vec<(f64, i64, Option<String>)>> {
    let mut rows: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for path in world.glob().await {
        let bytes = world.store.get(&object_store::path::Path::parse(&path).unwrap()).await.unwrap().bytes().await;
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes.unwrap()).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = |name: &str| batch.column_by_name(name);
            for row in 0..batch.num_rows() {
                let id = column("id").unwrap().as_primitive::<Int64Type>().value(row);
                let n = column("n").unwrap();
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let n = if stage.floats {
                    n.as_primitive::<Float64Type>().value(row)
                } else {
                    n.as_primitive::<Int64Type>().value(row) as f64
                };
                let at = column("at").unwrap();
                let at = if stage.instants {
                    at.as_primitive::<TimestampMicrosecondType>().value(row)
                } else {
                    i64::from(at.as_primitive::<Date32Type>().value(row)) * MICROS_PER_DAY
                };
                let note =
                    column("note").map(arrow::array::AsArray::as_string::<i32>).filter(|note| note.is_valid(row));
                rows.entry(id).or_default().push((n, at, note.map(|note| note.value(row).to_owned())));
            }
        }
    }
    rows
}

fn stage() -> impl Strategy<Value = Stage> {
    any::<[bool; 3]>().prop_map(|[floats, instants, notes]| Stage { floats, instants, notes })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_row_reads_back_with_its_value(
        runs in proptest::collection::vec(
            proptest::collection::vec((stage(), proptest::collection::vec(0_i64..12, 0..5)), 1..4), 1..4),
        merges in any::<bool>(),
        // Keys are spilled with every batch, now and then, and never.
        merge_index_bytes in prop_oneof![Just(1usize), Just(800), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::in_memory();
            world.limits = Limits { merge_index_bytes, ..Limits::default() };
            let disposition = if merges { Merge } else { Append };
            let mut table = Stage::default();
            // How often each id is there, and whether its last row had a note.
            let mut expected: BTreeMap<i64, Vec<bool>> = BTreeMap::new();
            for (number, run) in runs.iter().enumerate() {
                let had_rows = !expected.is_empty();
                write(&world, &format!("run-{number}"), disposition, run).await;
                let mut reached = Stage::default();
                for (stage, ids) in run {
                    reached = reached.join(*stage);
                    for id in ids {
                        let rows = expected.entry(*id).or_default();
                        if merges {
                            rows.clear();
                        }
                        rows.push(reached.notes);
                    }
                }
                // A table without rows takes any schema.
                table = if had_rows { table.join(reached) } else { reached };
            }
            let schema = world.table().snapshot().await.unwrap().schema.unwrap();
            let types = |name: &str| schema.column(name).map(|column| column.column_type.clone());
            assert_eq!(types("n"), table.schema().column("n").map(|column| column.column_type.clone()));
            let found = read_back(&world, table).await;
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (id, rows) in found {
                let mut notes: Vec<bool> = Vec::new();
                for (n, at, note) in rows {
                    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                    let own = id as f64;
                    assert!((n - own).abs() < f64::EPSILON && at == id * MICROS_PER_DAY, "{id}: {n} {at}");
                    assert!(note.as_ref().is_none_or(|note| *note == format!("note {id}")), "{note:?}");
                    notes.push(note.is_some());
                }
                let mut wanted = expected.remove(&id).unwrap();
                notes.sort_unstable();
                wanted.sort_unstable();
                assert_eq!(notes, wanted, "{id}");
            }
            world.check_files_are_sound().await;
        });
    }
}

#[tokio::test]
async fn rows_that_are_as_they_were_stay_where_a_run_evolves_in_its_middle() {
    let world = World::in_memory();
    let floats = Stage { floats: true, ..Stage::default() };
    let plain = Stage::default();
    write(&world, "one", Merge, &vec![(floats, vec![1, 2, 3])]).await;
    let spec = WriteSpec { schema: plain.schema(), partition_by: Vec::new(), ..world.spec("two", Merge) };
    let mut writer = world.table().begin(spec).await.unwrap();
    writer.write(conformed(plain, &writer, &[1, 9])).await.unwrap();
    writer.evolve(Stage { notes: true, ..floats }.schema()).await.unwrap();
    writer.write(conformed(floats, &writer, &[2, 9])).await.unwrap();
    assert_eq!(writer.schema_changes(), ["added column note: utf8"]);
    let outcome = writer.commit(Checkpoint::full_listing(TABLE)).await.unwrap();
    assert_eq!((outcome.rows.unchanged, outcome.rows.inserted, outcome.rows.updated), (2, 1, 0));
}

#[tokio::test]
async fn a_number_that_would_lose_digits_keeps_the_table_as_it_was() {
    let world = World::in_memory();
    write(&world, "one", Append, &vec![(Stage::default(), vec![1])]).await;
    let spec =
        || WriteSpec { schema: Stage::default().schema(), partition_by: Vec::new(), ..world.spec("two", Append) };
    let mut writer = world.table().begin(spec()).await.unwrap();
    let batch = Stage::default().batch(&[5]);
    let mut columns = batch.columns().to_vec();
    columns[0] = Arc::new(Int64Array::from(vec![9_007_199_254_740_993]));
    writer.write(RecordBatch::try_new(batch.schema(), columns).unwrap()).await.unwrap();
    writer.evolve(Stage { floats: true, ..Stage::default() }.schema()).await.unwrap();
    let error = writer.commit(Checkpoint::full_listing(TABLE)).await.unwrap_err();
    assert_eq!(error.kind(), lakefeed_model::error::ErrorKind::Schema);
    assert!(error.to_string().contains("9007199254740993 is not exact"), "{error}");
    assert_eq!(world.table().snapshot().await.unwrap().version, 1);
}

/// Whether integers, staged or in the table, may become doubles is asked before they do.
#[tokio::test]
async fn a_writer_knows_whether_numbers_that_are_there_are_doubles() {
    const EXACT: i64 = 1 << 53;
    let floats = Stage { floats: true, ..Stage::default() };
    for (staged, stored, expected) in [
        (vec![5], vec![], true),
        (vec![5, EXACT, -EXACT], vec![-EXACT], true),
        // Beyond what statistics tell of, and a double all the same.
        (vec![EXACT * 4], vec![-EXACT * 2], true),
        (vec![5, EXACT + 1], vec![], false),
        (vec![-EXACT - 1], vec![], false),
        (vec![5], vec![7, i64::MAX], false),
        (vec![], vec![i64::MIN + 1], false),
        (vec![], vec![i64::MIN], true),
    ] {
        for disposition in [Append, Merge, WriteDisposition::Replace] {
            let world = World::in_memory();
            let batch = |numbers: &[i64], first: i64| {
                let ids = (first..).take(numbers.len()).collect::<Vec<_>>();
                let batch = Stage::default().batch(&ids);
                let mut columns = batch.columns().to_vec();
                columns[0] =
                    Arc::new(numbers.iter().copied().map(Some).chain([None]).take(ids.len()).collect::<Int64Array>());
                RecordBatch::try_new(batch.schema(), columns).unwrap()
            };
            let spec = |run| WriteSpec {
                schema: Stage::default().schema(),
                partition_by: Vec::new(),
                ..world.spec(run, disposition)
            };
            let mut writer = world.table().begin(spec("one")).await.unwrap();
            writer.write(batch(&stored, 1)).await.unwrap();
            writer.commit(Checkpoint::full_listing(TABLE)).await.unwrap();
            let mut writer = world.table().begin(spec("two")).await.unwrap();
            writer.write(batch(&staged, 100)).await.unwrap();
            // What a run replaces need not fit.
            let is_replaced = disposition == WriteDisposition::Replace && staged.iter().all(|number| *number == 5);
            let holds = writer.fits(&floats.schema()).await.unwrap();
            assert_eq!(holds, expected || is_replaced, "{staged:?} beside {stored:?}, {disposition:?}");
            // Having asked changes nothing.
            assert!(writer.fits(&Stage::default().schema()).await.unwrap());
            writer.write(batch(&[1, 2], 200)).await.unwrap();
            if holds {
                writer.evolve(floats.schema()).await.unwrap();
            }
            let outcome = writer.commit(Checkpoint::full_listing(TABLE)).await.unwrap();
            assert_eq!(outcome.rows.inserted, staged.len() as u64 + 2);
        }
    }
}

/// A key that comes twice, in files that are written anew and keys that do not fit into memory.
#[tokio::test]
async fn a_key_that_comes_twice_is_there_once_when_its_run_evolves() {
    let (plain, floats) = (Stage::default(), Stage { floats: true, ..Stage::default() });
    for merge_index_bytes in [1, 1 << 20] {
        let mut world = World::in_memory();
        world.limits = Limits { merge_index_bytes, ..Limits::default() };
        write(&world, "one", Merge, &vec![(plain, vec![1, 2]), (plain, vec![2, 3]), (floats, vec![3])]).await;
        let found = read_back(&world, floats).await;
        assert_eq!(found.values().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1], "{found:?}");
    }
}
