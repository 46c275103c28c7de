//! Events with random ids, so that neither statistics nor compression tell where one is.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use lakefeed_model::schema::{Column, ColumnType, RecordSchema};

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// 2026-01-01, in days since 1970.
const FIRST_DAY: i64 = 20_454;

/// Events, numbered; number `n` is in partition `n % partitions`.
pub(crate) struct World {
    pub(crate) partitions: u64,
}

/// The four columns of an event.
pub(crate) fn schema() -> Arc<RecordSchema> {
    let column = |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
    Arc::new(
        RecordSchema::new(vec![
            column("event_id", ColumnType::Utf8, false),
            column("start_time", ColumnType::TimestampUtc, true),
            column("end_time", ColumnType::TimestampUtc, true),
            column("summary", ColumnType::Utf8, true),
        ])
        .expect("it fits"),
    )
}

/// A bijection of 64-bit numbers that looks random (the finaliser of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl World {
    /// The events of those numbers; their summaries begin with `word`.
    pub(crate) fn batch(&self, numbers: &[u64], word: &str) -> RecordBatch {
        let day = |number: u64| FIRST_DAY + i64::try_from(number % self.partitions).expect("it fits");
        let second = |number: u64| i64::try_from(mix(number + 1) % 82_800).expect("it fits");
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
        RecordBatch::try_new(schema().to_arrow(), columns).expect("it fits")
    }
}
