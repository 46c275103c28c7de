//! The program behind `make bench-merge`: makes a lake of calendar events, and merges changes into it, through the library alone.
//!
//! ```text
//! merge_lake make FOLDER ROWS PARTITIONS CHANGES   FOLDER/lake/events, FOLDER/changes-one.parquet, FOLDER/changes-all.parquet
//! merge_lake merge LAKE CHANGES.parquet            one merging run; prints one line of JSON
//! merge_lake commits LAKE COMMITS                  a small table that so many commits have changed
//! merge_lake open LAKE                             opens it; prints one line of JSON
//! ```
//!
//! Event ids are random, so neither statistics nor compression tell where one is. `changes-one` touches one partition, `changes-all` all alike.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench panics to fail")]
#![expect(clippy::print_stdout, reason = "what it measured is for the script that runs it")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use lakefeed::checkpoint::Checkpoint;
use lakefeed::clock::{Clock as _, SystemClock};
use lakefeed::lake::{CommitOutcome, Lake, WriteSpec};
use lakefeed::schema::{Column, ColumnType, Conflicts, RecordSchema};
use lakefeed::spec::{DestinationSpec, Limits, MergeSpec, PartitionField, Transform, WriteDisposition};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const TABLE: &str = "events";
const BATCH_ROWS: u64 = 8_192;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// 2026-01-01, in days since 1970.
const FIRST_DAY: i64 = 20_454;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", folder, rows, partitions, changes] => {
            let world = World { rows: rows.parse().unwrap(), partitions: partitions.parse().unwrap() };
            make(Path::new(folder), &world, changes.parse().unwrap()).await;
        }
        ["merge", lake, changes] => merge(lake, Path::new(changes)).await,
        ["commits", lake, commits] => commit(lake, commits.parse().unwrap()).await,
        ["open", lake] => open(lake).await,
        _ => panic!(
            "usage: merge_lake make FOLDER ROWS PARTITIONS CHANGES | merge LAKE CHANGES | commits LAKE COMMITS | open LAKE"
        ),
    }
}

/// Events, numbered; number `n` is in partition `n % partitions`.
struct World {
    rows: u64,
    partitions: u64,
}

fn schema() -> Arc<RecordSchema> {
    let column = |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
    Arc::new(
        RecordSchema::new(vec![
            column("event_id", ColumnType::Utf8, false),
            column("start_time", ColumnType::TimestampUtc, true),
            column("end_time", ColumnType::TimestampUtc, true),
            column("summary", ColumnType::Utf8, true),
        ])
        .unwrap(),
    )
}

/// A bijection of 64-bit numbers that looks random (the finaliser of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl World {
    fn batch(&self, numbers: &[u64], word: &str) -> RecordBatch {
        let day = |number: u64| FIRST_DAY + i64::try_from(number % self.partitions).unwrap();
        let second = |number: u64| i64::try_from(mix(number + 1) % 82_800).unwrap();
        let starts = numbers.iter().map(|number| day(*number) * MICROS_PER_DAY + second(*number) * 1_000_000);
        let starts: Vec<i64> = starts.collect();
        let ends: Vec<i64> = starts.iter().map(|start| start + 3_600_000_000).collect();
        let ids = numbers.iter().map(|number| Some(format!("{:016x}", mix(*number)))).collect::<StringArray>();
        let summaries = numbers.iter().map(|number| Some(format!("{word} of team {}", mix(*number + 2) % 10_000)));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids),
            Arc::new(TimestampMicrosecondArray::from(starts).with_timezone("UTC")),
            Arc::new(TimestampMicrosecondArray::from(ends).with_timezone("UTC")),
            Arc::new(summaries.collect::<StringArray>()),
        ];
        RecordBatch::try_new(schema().to_arrow(), columns).unwrap()
    }
}

async fn make(folder: &Path, world: &World, changes: u64) {
    // Partition by partition, so that each has one file.
    let per_partition = world.rows / world.partitions;
    let batches = (0..world.partitions).flat_map(|partition| {
        (0..per_partition).step_by(usize::try_from(BATCH_ROWS).unwrap()).map(move |first| {
            let numbers = first..per_partition.min(first + BATCH_ROWS);
            numbers.map(|index| index * world.partitions + partition).collect::<Vec<_>>()
        })
    });
    let batches = batches.map(|numbers| world.batch(&numbers, "Weekly planning"));
    write(folder.join("lake").to_str().unwrap(), batches).await;
    let one: Vec<u64> = (0..changes.min(per_partition)).map(|index| index * world.partitions).collect();
    let stride = world.rows / changes / world.partitions * world.partitions;
    let all =
        (0..changes).map(|index| index / world.partitions * stride + index % world.partitions).collect::<Vec<_>>();
    for (name, numbers) in [("changes-one.parquet", one), ("changes-all.parquet", all)] {
        let file = File::create(folder.join(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema().to_arrow(), None).unwrap();
        writer.write(&world.batch(&numbers, "Moved meeting")).unwrap();
        writer.close().unwrap();
    }
}

async fn write(lake: &str, batches: impl Iterator<Item = RecordBatch>) -> CommitOutcome {
    let run_id = format!("bench-{}", std::process::id());
    let write = WriteSpec {
        run_id,
        resource: TABLE.to_owned(),
        disposition: WriteDisposition::Merge,
        full_refresh: false,
        merge: MergeSpec::default(),
        primary_key: vec!["event_id".to_owned()],
        partition_by: vec![PartitionField {
            column: "start_time".to_owned(),
            transform: Transform::Day,
            name: "start_time_day".to_owned(),
        }],
        schema: schema(),
        load_metadata: false,
        conflicts: Conflicts::Reject,
        limits: Limits::default(),
        clock: SystemClock::shared(),
    };
    let table = Lake::open(&DestinationSpec::at(lake)).unwrap().table(TABLE);
    let mut writer = table.begin(write).await.unwrap();
    for batch in batches {
        writer.write(batch).await.unwrap();
    }
    writer.commit(Checkpoint::full_listing(TABLE)).await.unwrap()
}

async fn merge(lake: &str, changes: &Path) {
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(changes).unwrap()).unwrap();
    let reader = reader.with_batch_size(usize::try_from(BATCH_ROWS).unwrap()).build().unwrap();
    let schema = schema().to_arrow();
    let batches =
        reader.map(|batch| RecordBatch::try_new(Arc::clone(&schema), batch.unwrap().columns().to_vec()).unwrap());
    let outcome = write(lake, batches).await;
    let seconds = clock.monotonic().saturating_sub(began).as_secs_f64();
    let report = serde_json::json!({
        "seconds": seconds,
        "read_bytes": number_in("/proc/self/io", "rchar:"),
        "peak_bytes": number_in("/proc/self/status", "VmHWM:").map(|kib| kib * 1024),
        "inserted": outcome.rows.inserted,
        "updated": outcome.rows.updated,
    });
    println!("{report}");
}

/// All rows with the first commit, and one of them changed by each other.
async fn commit(lake: &str, commits: u64) {
    const ROWS: u64 = 1_000;
    let world = World { rows: ROWS, partitions: 1 };
    let all: Vec<u64> = (0..world.rows).collect();
    write(lake, std::iter::once(world.batch(&all, "Weekly planning"))).await;
    for number in 1..commits {
        let changed = world.batch(&[number % ROWS], &format!("Meeting {number}"));
        let outcome = write(lake, std::iter::once(changed)).await;
        assert_eq!((outcome.commit, outcome.rows.updated), (Some(number + 1), 1));
    }
}

/// The median of some openings of the table.
async fn open(lake: &str) {
    const ROUNDS: usize = 51;
    let clock = SystemClock::new();
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        let began = clock.monotonic();
        let table = Lake::open(&DestinationSpec::at(lake)).unwrap().table(TABLE);
        std::hint::black_box(table.snapshot().await.unwrap());
        seen.push(clock.monotonic().saturating_sub(began));
    }
    seen.sort();
    println!("{}", serde_json::json!({"seconds": seen[ROUNDS / 2].as_secs_f64()}));
}

/// A number of a file of the proc file system, where there is one.
fn number_in(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}
