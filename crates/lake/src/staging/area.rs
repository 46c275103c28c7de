//! Where a run stages its files, and what is known of a file that it has staged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, max, max_string, min, min_string};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use crate::log::document::{AddedFile, KeyBound};
use crate::log::key_range::KeyRange;
use crate::parquet::sealed_page::PageAlignment;
use crate::staging::partition::Partition;
use crate::storage::layout::data_file;
use crate::storage::objects::{Storage, staged_name};
use lakefeed_model::spec::Limits;

/// A finished file in staging.
#[derive(Debug, Clone)]
pub(crate) struct StagedFile {
    pub(crate) number: u32,
    pub(crate) partition: Arc<Partition>,
    pub(crate) rows: u64,
    /// Its size; while its rows are held, what they take in memory.
    pub(crate) bytes: u64,
    pub(crate) keys: Option<KeyRange>,
    /// Its rows, where they wait in memory and there is no file.
    pub(crate) held: Option<Arc<[RecordBatch]>>,
}

/// What every writer of a run shares.
#[derive(Debug, Clone)]
pub(crate) struct StagingArea {
    pub(crate) storage: Storage,
    pub(crate) run_id: String,
    pub(crate) schema: SchemaRef,
    pub(crate) options: ArrowWriterOptions,
    /// Where the parts of the files begin, by the commit that they are written for.
    pub(crate) alignment: PageAlignment,
    /// Bytes that the encoder of an open file reserves without filling them.
    pub(crate) reserved_bytes: usize,
    /// The key column's position, when the key is one column whose range is kept.
    pub(crate) key_column: Option<usize>,
    pub(crate) limits: Limits,
    /// The number of the next staged file.
    pub(crate) next_number: Arc<AtomicU32>,
}

impl StagingArea {
    /// The number of a staged file that nobody else has.
    pub(crate) fn next_number(&self) -> u32 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

/// A staged file under its final name.
pub(crate) fn added_file(area: &StagingArea, file: &StagedFile, slot: u32) -> AddedFile {
    let keys = file.keys.clone();
    let (key_min, key_max) = keys.map_or((None, None), |keys| (Some(keys.min), Some(keys.max)));
    let staged = area.storage.layout.staged_file(&area.run_id, file.number);
    AddedFile {
        path: data_file(&file.partition.path, slot),
        staged: staged_name(&area.storage, &staged),
        bytes: file.bytes,
        rows: file.rows,
        partition: file.partition.values.clone(),
        key_min,
        key_max,
    }
}

/// The smallest and the largest key of a batch, if they are short enough to be kept.
pub(crate) fn key_range(batch: &RecordBatch, column: usize) -> Option<KeyRange> {
    let (min, max) = key_bounds(batch, column)?;
    KeyRange::new(Some(min), Some(max))
}

/// The smallest and the largest key of a batch.
pub(crate) fn key_bounds(batch: &RecordBatch, column: usize) -> Option<(KeyBound, KeyBound)> {
    bounds(batch.column(column))
}

fn bounds_as(column: &ArrayRef, data_type: &DataType) -> Option<(KeyBound, KeyBound)> {
    bounds(&cast(column, data_type).ok()?)
}

fn bounds(column: &ArrayRef) -> Option<(KeyBound, KeyBound)> {
    match column.data_type() {
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>();
            Some((KeyBound::Int(min(values)?), KeyBound::Int(max(values)?)))
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            let text = |value: &str| KeyBound::Text(value.to_owned());
            Some((text(min_string(values)?), text(max_string(values)?)))
        }
        // Whole numbers that always fit 64 bits, and texts that are kept once.
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            bounds_as(column, &DataType::Int64)
        }
        DataType::Dictionary(_, _) => bounds_as(column, &DataType::Utf8),
        _ => None,
    }
}
