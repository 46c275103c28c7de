//! The program behind `make bench-merge`: makes a lake of calendar events, and merges changes into
//! it, through the library alone.
//!
//! ```text
//! merge_lake make FOLDER ROWS PARTITIONS CHANGES   FOLDER/lake/events, FOLDER/changes-one.parquet, FOLDER/changes-all.parquet
//! merge_lake merge LAKE CHANGES.parquet            one merging run; prints one line of JSON
//! merge_lake commits LAKE COMMITS                  a small table that so many commits have changed
//! merge_lake open LAKE                             opens it; prints one line of JSON
//! ```
//!
//! Event ids are random, so neither statistics nor compression tell where one is. `changes-one`
//! touches one partition, `changes-all` all alike.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench panics to fail")]
#![expect(clippy::print_stdout, reason = "what it measured is for the script that runs it")]

mod events;
mod tables;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use lakefeed_lake::spec::DestinationSpec;
use lakefeed_lake::{CommitOutcome, Lake, WriteSpec};
use lakefeed_model::clock::{Clock as _, SystemClock};
use lakefeed_model::environment::Environment;
use lakefeed_model::spec::WriteDisposition;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use self::events::{World, schema};
use self::tables::TABLE;

const BATCH_ROWS: u64 = 8_192;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", folder, rows, partitions, changes] => {
            let world = World { partitions: partitions.parse().unwrap() };
            make(Path::new(folder), &world, rows.parse().unwrap(), changes.parse().unwrap()).await;
        }
        ["merge", lake, changes] => merge(lake, Path::new(changes)).await,
        ["commits", lake, commits] => commit(lake, commits.parse().unwrap()).await,
        ["open", lake] => open(lake).await,
        _ => panic!(
            "usage: merge_lake make FOLDER ROWS PARTITIONS CHANGES | merge LAKE CHANGES | commits LAKE COMMITS | open LAKE"
        ),
    }
}

async fn make(folder: &Path, world: &World, rows: u64, changes: u64) {
    // Partition by partition, so that each has one file.
    let per_partition = rows / world.partitions;
    let batches = (0..world.partitions).flat_map(|partition| {
        (0..per_partition).step_by(usize::try_from(BATCH_ROWS).unwrap()).map(move |first| {
            let numbers = first..per_partition.min(first + BATCH_ROWS);
            numbers.map(|index| index * world.partitions + partition).collect::<Vec<_>>()
        })
    });
    let batches = batches.map(|numbers| world.batch(&numbers, "Weekly planning"));
    write(folder.join("lake").to_str().unwrap(), batches).await;
    let one: Vec<u64> = (0..changes.min(per_partition)).map(|index| index * world.partitions).collect();
    let stride = rows / changes / world.partitions * world.partitions;
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
    let spec = WriteSpec { run_id, ..tables::spec(schema(), tables::by_day(), WriteDisposition::Merge) };
    tables::write(&Lake::open(&DestinationSpec::at(lake), &Environment::empty()).unwrap(), spec, batches).await
}

async fn merge(lake: &str, changes: &Path) {
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(changes).unwrap()).unwrap();
    let reader = reader.with_batch_size(usize::try_from(BATCH_ROWS).unwrap()).build().unwrap();
    let schema = schema().to_arrow();
    // As in a pipeline, the next rows are decoded while some are taken in.
    let (sender, batches) = std::sync::mpsc::sync_channel(2);
    let reading = std::thread::spawn(move || {
        for batch in reader {
            let columns = batch.unwrap().columns().to_vec();
            sender.send(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
        }
    });
    let outcome = write(lake, batches.into_iter()).await;
    reading.join().unwrap();
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
    let world = World { partitions: 1 };
    let all: Vec<u64> = (0..ROWS).collect();
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
        let table = Lake::open(&DestinationSpec::at(lake), &Environment::empty()).unwrap().table(TABLE);
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
