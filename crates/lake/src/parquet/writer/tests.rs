use std::collections::BTreeSet;

use arrow::array::{Array as _, ArrayRef, ListArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;

use super::*;
use crate::parquet::alignment::STRIDE;
use crate::parquet::properties::data_file_options;
use crate::testing::world::{batch, row, rows_of, schema};
use lakefeed_model::spec::Limits;

const ROWS: i64 = 1_000;

/// A data file of a commit, in several row groups, and with a dictionary in none of its columns.
fn file_of(commit: u64, value: i64) -> Bytes {
    let limits = Limits { row_group_rows: 300, ..Limits::default() };
    let options = data_file_options(&schema(), &["id".to_owned()], &limits, None).unwrap();
    let rows = (0..ROWS).map(|i| row(format!("{i:04}"), i % 7, value + i)).collect::<Vec<_>>();
    write(schema().to_arrow(), options, commit, &batch(&rows))
}

fn write(schema: SchemaRef, options: ArrowWriterOptions, commit: u64, batch: &RecordBatch) -> Bytes {
    let mut writer = DataFileWriter::new(schema, options, PageAlignment::of(commit)).unwrap();
    let mut bytes = Vec::new();
    for first in (0..batch.num_rows()).step_by(70) {
        writer.write(&batch.slice(first, 70.min(batch.num_rows() - first))).unwrap();
        bytes.extend(writer.take_bytes().unwrap().concat());
    }
    let metadata = writer.finish().unwrap();
    assert_eq!(metadata.file_metadata().num_rows(), i64::try_from(batch.num_rows()).unwrap());
    bytes.extend(writer.take_bytes().unwrap().concat());
    assert_eq!(bytes.len(), writer.bytes_written());
    bytes.into()
}

fn open(bytes: &Bytes) -> ParquetRecordBatchReaderBuilder<Bytes> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options).unwrap()
}

/// Nested columns, nulls and dictionaries.
fn nested() -> RecordBatch {
    let words = (0..ROWS).map(|i| (i % 3 > 0).then(|| format!("word {}", i % 5))).collect::<StringArray>();
    let numbers = (0..ROWS).map(|i| (i % 4 > 0).then(|| (0..i % 4).map(Some).collect::<Vec<_>>()));
    let numbers = ListArray::from_iter_primitive::<Int64Type, _, _>(numbers);
    let inner: ArrayRef = Arc::new(words.clone());
    let pair = StructArray::from(vec![(Arc::new(Field::new("inner", DataType::Utf8, true)), inner)]);
    let fields = vec![
        Field::new("word", DataType::Utf8, true),
        Field::new("numbers", numbers.data_type().clone(), true),
        Field::new("pair", pair.data_type().clone(), false),
    ];
    let columns: Vec<ArrayRef> = vec![Arc::new(words), Arc::new(numbers), Arc::new(pair)];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let reader = open(&file_of(7, 1)).build().unwrap();
    let rows = reader.flat_map(|batch| rows_of(&batch.unwrap())).collect::<Vec<_>>();
    assert_eq!(rows.len(), 1_000);
    assert_eq!(rows[999], row("0999", 999 % 7, 1_000));

    let batch = nested();
    let properties = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(400));
    let options = ArrowWriterOptions::new().with_properties(properties.build());
    let bytes = write(batch.schema(), options, 3, &batch);
    let builder = open(&bytes).with_batch_size(2_000);
    assert!(builder.metadata().row_group(0).column(0).dictionary_page_offset().is_some());
    let read = builder.build().unwrap().map(|batch| batch.unwrap()).collect::<Vec<_>>();
    assert_eq!(arrow::compute::concat_batches(&batch.schema(), &read).unwrap(), batch);
}

/// Where something begins that a footer points at.
fn parts(bytes: &Bytes) -> BTreeSet<u64> {
    let builder = open(bytes);
    let metadata = builder.metadata();
    let mut offsets = BTreeSet::new();
    for (row_group, index) in metadata.row_groups().iter().zip(metadata.offset_index().unwrap()) {
        for (column, index) in row_group.columns().iter().zip(index) {
            offsets.extend(column.dictionary_page_offset());
            offsets.insert(column.data_page_offset());
            offsets.extend(column.bloom_filter_offset());
            offsets.extend(index.page_locations.iter().map(|location| location.offset));
            let pages: i64 = index.page_locations.iter().map(|location| i64::from(location.compressed_page_size)).sum();
            let dictionary = column.dictionary_page_offset().map_or(0, |offset| column.data_page_offset() - offset);
            assert_eq!(pages + dictionary, column.compressed_size());
        }
    }
    let first = metadata.row_group(0).column(0).column_index_offset().unwrap();
    offsets.insert(first);
    offsets.into_iter().map(|offset| u64::try_from(offset).unwrap()).collect()
}

#[test]
fn every_part_of_a_file_is_aligned() {
    for commit in [1, 2, STRIDE - 1, STRIDE, STRIDE + 1] {
        let parts = parts(&file_of(commit, 1));
        assert!(parts.len() > 12, "{parts:?}");
        assert!(parts.iter().all(|offset| offset % STRIDE == commit % STRIDE), "commit {commit}: {parts:?}");
    }
    let batch = nested();
    let bytes = write(batch.schema(), ArrowWriterOptions::new(), 5, &batch);
    assert!(parts(&bytes).iter().all(|offset| offset % STRIDE == 5));
}

/// The reason for all of this: the footer of one version with the bytes of another.
#[test]
fn a_footer_of_another_version_finds_no_page() {
    let (old, new) = (file_of(1, 1), file_of(2, 2));
    let metadata = Arc::clone(open(&old).metadata());
    for row_group in 0..metadata.num_row_groups() {
        for column in metadata.row_group(row_group).columns() {
            let (start, length) = column.byte_range();
            let found = new.slice(usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap());
            let rows = usize::try_from(metadata.row_group(row_group).num_rows()).unwrap();
            let pages = ShiftedChunk { start, bytes: found };
            let reader =
                parquet::file::serialized_reader::SerializedPageReader::new(Arc::new(pages), column, rows, None);
            let first = reader.and_then(|mut pages| parquet::column::page::PageReader::get_next_page(&mut pages));
            assert!(first.is_err(), "{:?} of row group {row_group}", column.column_path());
        }
    }
}

fn read(bytes: &Bytes) -> RecordBatch {
    let batches = open(bytes).build().unwrap().map(|batch| batch.unwrap()).collect::<Vec<_>>();
    arrow::compute::concat_batches(batches[0].schema_ref(), &batches).unwrap()
}

/// The pages of a column without their headers.
fn payloads(bytes: &Bytes, column: usize) -> Vec<Bytes> {
    let file = Original::open(bytes.clone()).unwrap();
    let chunks = (0..file.row_groups().len()).flat_map(|position| file.chunk(position, column).unwrap().blobs);
    chunks.skip(1).step_by(2).collect()
}

#[test]
fn a_row_group_is_copied_but_for_the_columns_that_changed() {
    for (old, new, options) in [(file_of(3, 1), file_of(9, 500), None), {
        let (old, new) = (nested(), nested().slice(0, 1_000));
        let options = ArrowWriterOptions::new();
        let turned =
            arrow::compute::take(new.column(1), &arrow::array::UInt32Array::from_iter_values((0..1_000).rev()), None);
        let columns = vec![Arc::clone(new.column(0)), turned.unwrap(), Arc::clone(new.column(2))];
        let new = RecordBatch::try_new(old.schema(), columns).unwrap();
        let written = |batch: &RecordBatch, commit| write(batch.schema(), options.clone(), commit, batch);
        (written(&old, 3), written(&new, 9), Some(options.clone()))
    }] {
        let (wanted, original) = (read(&new), Original::open(old.clone()).unwrap());
        let limits = Limits { row_group_rows: 300, ..Limits::default() };
        let options =
            options.unwrap_or_else(|| data_file_options(&schema(), &["id".to_owned()], &limits, None).unwrap());
        let mut writer = DataFileWriter::new(wanted.schema(), options, PageAlignment::of(9)).unwrap();
        assert!(writer.takes(&original));
        let (changed, mut first) =
            (if wanted.num_columns() == 3 && nested().schema() == wanted.schema() { 1 } else { 2 }, 0);
        for (position, row_group) in original.row_groups().iter().enumerate() {
            let rows = usize::try_from(row_group.num_rows()).unwrap();
            let values = wanted.column(changed).slice(first, rows);
            let pieces = vec![values.slice(0, rows / 3), values.slice(rows / 3, rows - rows / 3)];
            let columns = (0..3).map(|column| (column == changed).then(|| pieces.clone()));
            writer.write_changed(&original, position, columns.collect()).unwrap();
            first += rows;
        }
        writer.finish().unwrap();
        let made: Bytes = writer.take_bytes().unwrap().concat().into();
        assert_eq!(read(&made), wanted);
        assert!(parts(&made).iter().all(|offset| offset % STRIDE == 9));
        let leaves = original.row_groups()[0].num_columns();
        let is_changed = |leaf: usize| original.row_groups()[0].schema_descr().get_column_root_idx(leaf) == changed;
        for leaf in (0..leaves).filter(|leaf| !is_changed(*leaf)) {
            assert_eq!(payloads(&made, leaf), payloads(&old, leaf), "{leaf}");
        }
        let made = open(&made);
        for (made, old) in made.metadata().row_groups().iter().zip(original.row_groups()) {
            for (made, old) in made
                .columns()
                .iter()
                .zip(old.columns())
                .filter(|(made, _)| made.column_path().parts()[0] != wanted.schema().field(changed).name().as_str())
            {
                assert_eq!(made.statistics(), old.statistics());
                assert_eq!(made.bloom_filter_offset().is_some(), old.bloom_filter_offset().is_some());
                assert!(made.column_index_offset().is_some() && made.offset_index_offset().is_some());
            }
        }
    }
}

#[test]
fn a_file_of_another_shape_is_not_copied_from() {
    let original = Original::open(file_of(3, 1)).unwrap();
    let writer = DataFileWriter::new(nested().schema(), ArrowWriterOptions::new(), PageAlignment::of(9)).unwrap();
    assert!(!writer.takes(&original));
    let foreign = {
        let mut writer = ArrowWriter::try_new(Vec::new(), nested().schema(), None).unwrap();
        writer.write(&nested()).unwrap();
        Bytes::from(writer.into_inner().unwrap())
    };
    // What others have written of the same shape is as good, once it is sealed.
    assert!(writer.takes(&Original::open(foreign).unwrap()));
    assert!(Original::open(Bytes::from_static(b"PAR1 no file PAR1")).is_err());
}

/// A changed byte of a page is noticed when the page is read.
#[test]
fn a_changed_byte_is_noticed() {
    let bytes = file_of(1, 1);
    let metadata = Arc::clone(open(&bytes).metadata());
    let column = metadata.row_group(0).column(2);
    let (start, length) = column.byte_range();
    let mut damaged = bytes.to_vec();
    damaged[usize::try_from(start + length).unwrap() - 3] ^= 1;
    let error = open(&damaged.into()).build().unwrap().find_map(Result::err).unwrap();
    assert!(error.to_string().contains("CRC"), "{error}");
}

/// A piece of a file, at its place.
struct ShiftedChunk {
    start: u64,
    bytes: Bytes,
}

impl Length for ShiftedChunk {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for ShiftedChunk {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        use bytes::Buf as _;
        Ok(self.bytes.slice(usize::try_from(start - self.start)?..).reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let start = usize::try_from(start - self.start)?;
        Ok(self.bytes.slice(start..start + length))
    }
}
