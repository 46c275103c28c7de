//! Where a run stages its files, how it writes them, and what is known of a staged file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, max, max_string, min, min_string};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use crate::log::document::KeyBound;
use crate::log::key_range::KeyRange;
use crate::parquet::alignment::PageAlignment;
use crate::parquet::properties::{cannot_encode, data_file_options, reserved_bytes};
use crate::parquet::reader::Source;
use crate::staging::partition::Partition;
use crate::storage::layout::StagedNames;
use crate::storage::objects::Storage;
use lakefeed_model::error::Result;
use lakefeed_model::schema::RecordSchema;
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

/// How a run names the data files that it stages for a commit, and how their pages are aligned. The
/// format of the table says so.
#[derive(Debug, Clone)]
pub(crate) struct FileNaming {
    pub(crate) staged: StagedNames,
    pub(crate) alignment: PageAlignment,
}

/// The shape of data files.
#[derive(Debug)]
pub(crate) struct FileShape<'a> {
    pub(crate) schema: &'a RecordSchema,
    /// The same for Arrow, where columns may say what they were called before.
    pub(crate) arrow_schema: SchemaRef,
    pub(crate) primary_key: &'a [String],
    /// The order of the rows, as the files note it; `None` where they have none.
    pub(crate) order: Option<String>,
}

/// What all writers of a run share.
#[derive(Debug, Clone)]
pub(crate) struct StagingArea {
    pub(crate) storage: Storage,
    pub(crate) naming: FileNaming,
    pub(crate) schema: SchemaRef,
    pub(crate) options: ArrowWriterOptions,
    /// Bytes that the encoder of an open file reserves without filling them.
    pub(crate) reserved_bytes: usize,
    /// The key column's position, when the key is one column whose range is kept.
    pub(crate) key_column: Option<usize>,
    pub(crate) limits: Limits,
    /// The number of the next staged file.
    next_number: Arc<AtomicU32>,
}

impl StagingArea {
    /// Returns an area without files.
    ///
    /// # Errors
    /// When files of this shape cannot be encoded.
    pub(crate) fn new(storage: &Storage, naming: FileNaming, shape: FileShape<'_>, limits: Limits) -> Result<Self> {
        let FileShape { schema, arrow_schema, primary_key, order } = shape;
        let fails = |error| cannot_encode("data files", error);
        Ok(Self {
            storage: storage.clone(),
            naming,
            options: data_file_options(schema, primary_key, &limits, order).map_err(fails)?,
            reserved_bytes: reserved_bytes(&arrow_schema).map_err(fails)?,
            key_column: match primary_key {
                [only] => arrow_schema.index_of(only).ok(),
                _ => None,
            },
            schema: arrow_schema,
            limits,
            next_number: Arc::new(AtomicU32::new(0)),
        })
    }

    /// Returns the area with another shape. Files are numbered on.
    ///
    /// # Errors
    /// When files of this shape cannot be encoded.
    pub(crate) fn reshaped(&self, shape: FileShape<'_>) -> Result<Self> {
        let next_number = Arc::clone(&self.next_number);
        Ok(Self { next_number, ..Self::new(&self.storage, self.naming.clone(), shape, self.limits)? })
    }

    /// Returns a staged file as a file to be read.
    pub(crate) fn source(&self, file: &StagedFile) -> Source {
        Source { path: self.naming.staged.file(file.number), bytes: file.bytes }
    }

    /// Returns the number of the next staged file.
    pub(crate) fn next_number(&self) -> u32 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

/// Returns the smallest and the largest key of a batch, if they are short enough to be kept.
pub(crate) fn key_range(batch: &RecordBatch, column: usize) -> Option<KeyRange> {
    let (min, max) = key_bounds(batch, column)?;
    KeyRange::new(Some(min), Some(max))
}

/// Returns the smallest and the largest key of a batch.
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
        // Integers that always fit 64 bits, and strings that are kept once.
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            bounds_as(column, &DataType::Int64)
        }
        DataType::Dictionary(_, _) => bounds_as(column, &DataType::Utf8),
        _ => None,
    }
}
