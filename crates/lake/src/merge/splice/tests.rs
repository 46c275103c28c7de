use std::collections::BTreeMap;

use arrow::array::{Float64Array, StringArray};
use parquet::file::metadata::RowGroupMetaData;
use proptest::prelude::*;

use super::*;
use crate::parquet::alignment::PageAlignment;
use crate::parquet::properties::data_file_options;
use crate::testing::world::{Row, batch, row, rows_of, schema};
use lakefeed_model::spec::Limits;

/// What happens to a file, in the terms of its rows.
#[derive(Debug, Clone)]
struct Story {
    rows: usize,
    row_group_rows: usize,
    /// Rows of a batch that is read, and of one that arrives.
    batch_rows: usize,
    /// By position: whether a row is replaced by a row with another value, by the same one, or
    /// leaves.
    fates: BTreeMap<usize, u8>,
    /// Whether rows are replaced from the last one to the first.
    is_reversed: bool,
    /// By the location among the incoming rows: new rows, and some that are not needed.
    added: Vec<(bool, usize)>,
}

fn story() -> impl Strategy<Value = Story> {
    let sizes = (1_usize..120, 1_usize..60, 1_usize..40);
    sizes.prop_flat_map(|(rows, row_group_rows, batch_rows)| {
        let single = prop::collection::btree_map(0..rows, 0_u8..8, 0..rows.min(40));
        // Rows that lie one after another.
        let stretch = prop::option::of((0..rows, 0..rows * 2, 1_u8..8));
        let added = prop::collection::vec((any::<bool>(), 0_usize..50), 0..6);
        (single, stretch, added, any::<bool>()).prop_map(move |(mut fates, stretch, added, is_reversed)| {
            if let Some((first, length, state)) = stretch {
                fates.extend((first..rows.min(first + length)).map(|position| (position, state)));
            }
            Story { rows, row_group_rows, batch_rows, fates, is_reversed, added }
        })
    })
}

fn options(row_group_rows: usize) -> parquet::arrow::arrow_writer::ArrowWriterOptions {
    let limits = Limits { row_group_rows, ..Limits::default() };
    data_file_options(&schema(), &["id".to_owned()], &limits, None).unwrap()
}

fn writer(row_group_rows: usize, commit: u64) -> DataFileWriter {
    DataFileWriter::new(schema().to_arrow(), options(row_group_rows), PageAlignment::of(commit)).unwrap()
}

fn finished(mut writer: DataFileWriter) -> Bytes {
    writer.finish().unwrap();
    writer.take_bytes().unwrap().concat().into()
}

fn in_batches(rows: &[Row], batch_rows: usize) -> Vec<RecordBatch> {
    rows.chunks(batch_rows).map(batch).collect()
}

fn read(content: Bytes) -> Vec<Row> {
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(content).unwrap();
    reader.build().unwrap().flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

fn day(number: usize) -> i64 {
    i64::from(small(number % 5))
}

/// Plays a story: the file that is written, and the rows that it should have.
fn play(story: &Story) -> (Bytes, Vec<Row>) {
    let before = (0..story.rows).map(|i| row(format!("{i:03}"), day(i), 1)).collect::<Vec<_>>();
    let mut old = writer(story.row_group_rows, 1);
    old.write(&batch(&before)).unwrap();
    let content = finished(old);

    let (mut incoming_rows, mut replaced, mut gone, mut dropped) =
        (Vec::new(), Vec::new(), RowSet::default(), RowSet::default());
    let (mut after, mut new) = (Vec::new(), Vec::new());
    for (position, old) in before.iter().enumerate() {
        let state = story.fates.get(&position);
        if state.is_some() {
            gone.insert(small(position));
        }
        let value = match state {
            None => Some(old.clone()),
            Some(0) => None,
            // Only the day, only the value, or nothing but the key is another one.
            Some(state) => {
                Some(row(format!("{position:03}"), day(position) + i64::from(*state == 1), 1 + i64::from(*state % 3)))
            }
        };
        if let (Some(row), Some(_)) = (&value, state) {
            replaced.push((small(position), RowLocation { file: 7, row: small(incoming_rows.len()) }));
            incoming_rows.push(row.clone());
        }
        after.extend(value);
        for (is_needed, _) in story.added.iter().filter(|(_, location)| *location == position) {
            let row = row(format!("new {}", incoming_rows.len()), 2, 9);
            if *is_needed {
                new.push(row.clone());
            } else {
                dropped.insert(small(incoming_rows.len()));
            }
            incoming_rows.push(row);
        }
    }
    after.extend(new);
    // Neither order nor file of the incoming rows rows matters.
    if story.is_reversed {
        replaced.reverse();
    }
    let loaded = LoadedFile { content: content.clone(), rows: in_batches(&before, story.batch_rows), replaced };
    let batches = in_batches(&incoming_rows, story.batch_rows);
    let incoming_rows = [IncomingRows { number: 7, rows: &batches, dropped: Some(&dropped) }];
    let work = Work::of(&loaded, &gone, &incoming_rows).unwrap();
    let mut written = writer(story.row_group_rows, 2);
    work.write(&Original::open(content).unwrap(), &mut written).unwrap();
    (finished(written), after)
}

proptest! {
    #[test]
    fn rows_are_replaced_where_they_are(story in story()) {
        let (content, expected) = play(&story);
        let original = Original::open(content.clone()).unwrap();
        prop_assert!(original.row_groups().iter().all(|group| usize::try_from(group.num_rows()).unwrap() <= story.row_group_rows));
        prop_assert_eq!(read(content), expected);
    }
}

#[test]
fn merge_after_merge_leaves_no_more_row_groups_than_rows_need() {
    // One row leaves the first row group, and one is added.
    let story = Story {
        rows: 90,
        row_group_rows: 40,
        batch_rows: 16,
        fates: BTreeMap::from([(3, 0), (50, 2)]),
        is_reversed: true,
        added: vec![(true, 0)],
    };
    let (content, expected) = play(&story);
    assert_eq!(expected.len(), 90);
    let groups =
        Original::open(content).unwrap().row_groups().iter().map(RowGroupMetaData::num_rows).collect::<Vec<_>>();
    assert_eq!(groups, [39, 40, 11]);
}

#[test]
fn a_place_that_nobody_staged_is_an_error() {
    let rows = in_batches(&[row(1, 1, 1)], 1);
    let loaded = LoadedFile { content: Bytes::new(), rows, replaced: vec![(0, RowLocation { file: 8, row: 0 })] };
    assert!(Work::of(&loaded, &RowSet::default(), &[]).is_err());
}

#[test]
fn a_value_is_another_one_when_its_bits_are() {
    let batch = |value: f64| {
        RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(vec![1.0, value])) as ArrayRef)]).unwrap()
    };
    for (before, after, is_changed) in
        [(0.0, -0.0, true), (f64::NAN, f64::NAN, false), (2.0, 2.0, false), (f64::NAN, 1.0, true)]
    {
        let new: ArrayRef = Arc::new(Float64Array::from(vec![after]));
        assert_eq!(
            differs(&[batch(before)], 0, &[vec![Run { at: 1, rows: 1, batch: 0, row: 0 }]], &new).unwrap(),
            is_changed,
            "{before} {after}"
        );
    }
}

proptest! {
    #[test]
    fn rows_are_gathered_in_runs_as_one_by_one(
        sizes in proptest::collection::vec(1..200_usize, 1..4),
        runs in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..120_usize), 0..12),
    ) {
        let texts = |array: usize, rows: usize| (0..rows).map(|row| (row % 7 > 0).then(|| format!("{array}/{row}"))).collect::<StringArray>();
        let arrays = sizes.iter().enumerate().map(|(array, rows)| texts(array, *rows)).collect::<Vec<_>>();
        let arrays = arrays.iter().map(|array| array as &dyn Array).collect::<Vec<_>>();
        let runs = runs.iter().map(|(array, first, rows)| {
            let array = array.index(sizes.len());
            let first = first.index(sizes[array]);
            Run { at: 0, rows: small(*rows.min(&(sizes[array] - first))), batch: small(array), row: small(first) }
        });
        let runs = runs.collect::<Vec<_>>();
        prop_assume!(!runs.is_empty());
        let locations = runs.iter().flat_map(|run| (0..run.rows()).map(|row| (run.batch as usize, run.row as usize + row)));
        let locations = locations.collect::<Vec<_>>();
        let (in_runs, one_by_one) = (gathered(&arrays, &runs, |run| (run.batch, run.row)).unwrap(), interleave(&arrays, &locations).unwrap());
        prop_assert_eq!(in_runs.as_ref(), one_by_one.as_ref());
    }
}
