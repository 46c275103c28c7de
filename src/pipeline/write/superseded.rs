//! Which items of its lists a record has had in this run: of a record that comes again, only the
//! last version keeps its items. Pure.
//!
//! It takes about 40 bytes per record with items and list, and 4 bytes per item and level, as long
//! as the run lasts.

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use twox_hash::XxHash3_128;

use crate::schema::Items;

/// Tells records apart by their keys.
///
/// # Errors
/// When keys of such types cannot be compared.
pub(crate) fn records_of(keys: &[ArrayRef]) -> Result<Vec<u128>, ArrowError> {
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let rows = RowConverter::new(fields)?.convert_columns(keys)?;
    Ok(rows.iter().map(|row| XxHash3_128::oneshot(row.as_ref())).collect())
}

/// Returns which rows are the last ones of their record; `None` when all of them are.
pub(crate) fn last_ones(records: &[u128]) -> Option<BooleanArray> {
    let mut seen = HashSet::with_capacity(records.len());
    let mut is_last: Vec<bool> = records.iter().rev().map(|record| seen.insert(*record)).collect();
    is_last.reverse();
    is_last.contains(&false).then(|| BooleanArray::from(is_last))
}

/// The places of the items that the records of a run have in one table.
#[derive(Debug, Default)]
pub(crate) struct ItemHistory {
    /// Where in `places` those of a record begin, and how many items they are of.
    of: HashMap<u128, (usize, usize)>,
    places: Vec<u32>,
}

/// Items that a record does not have any more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SupersededItems {
    /// The record of each: its place in the batch.
    pub(crate) records: Vec<u32>,
    /// The places of each in the lists around it, the outermost list first.
    pub(crate) indexes: Vec<Vec<i64>>,
}

impl ItemHistory {
    /// Takes note of a batch of `records`, no two of which are the same, and of their items.
    /// Returns the items that an earlier version of them had in this run and that they do not have
    /// any more.
    pub(crate) fn turn(&mut self, records: &[u128], items: &Items) -> SupersededItems {
        let levels = items.indexes.len();
        let mut gone = SupersededItems { records: Vec::new(), indexes: vec![Vec::new(); levels] };
        let places_of = |row: usize| items.indexes.iter().map(move |indexes| indexes.value(row));
        let mut first = 0;
        for (number, record) in (0_u32..).zip(records) {
            let count = items.records.iter().skip(first).take_while(|owner| **owner == number).count();
            let end = first + count;
            let before = if count == 0 {
                self.of.remove(record)
            } else {
                let begin = self.places.len();
                #[expect(
                    clippy::cast_sign_loss,
                    clippy::cast_possible_truncation,
                    reason = "a place in a list of an Arrow array"
                )]
                self.places.extend((first..end).flat_map(places_of).map(|place| place as u32));
                self.of.insert(*record, (begin, count))
            };
            if let Some((begin, count)) = before {
                // Both are in order.
                let mut now = (first..end).peekable();
                for old in
                    self.places.iter().skip(begin).take(count * levels).copied().collect::<Vec<_>>().chunks(levels)
                {
                    let old = || old.iter().map(|place| i64::from(*place));
                    while now.next_if(|row| places_of(*row).lt(old())).is_some() {}
                    if now.peek().is_none_or(|row| places_of(*row).ne(old())) {
                        gone.records.push(number);
                        gone.indexes.iter_mut().zip(old()).for_each(|(indexes, place)| indexes.push(place));
                    }
                }
            }
            first = end;
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::Schema;
    use proptest::prelude::*;

    use super::*;

    /// A record and the places of its items.
    type Record = (u128, Vec<(u8, u8)>);

    fn items_of(records: &[Record]) -> Items {
        let rows =
            || (0_u32..).zip(records).flat_map(|(number, (_, items))| items.iter().map(move |item| (number, *item)));
        Items {
            rows: RecordBatch::new_empty(Arc::new(Schema::empty())),
            records: rows().map(|(number, _)| number).collect(),
            indexes: vec![
                rows().map(|(_, (outer, _))| i64::from(outer)).collect::<Int64Array>(),
                rows().map(|(_, (_, inner))| i64::from(inner)).collect::<Int64Array>(),
            ],
        }
    }

    #[test]
    fn the_last_version_of_a_record_counts() {
        for (records, expected) in [
            (vec![], None),
            (vec![1, 2, 3], None),
            (vec![1, 1], Some(vec![false, true])),
            (vec![1, 2, 1, 3, 2, 1], Some(vec![false, false, false, true, true, true])),
        ] {
            assert_eq!(last_ones(&records), expected.map(BooleanArray::from), "{records:?}");
        }
    }

    #[test]
    fn records_are_told_apart_by_all_of_their_key() {
        let keys: [ArrayRef; 2] =
            [Arc::new(Int64Array::from(vec![1, 1, 2, 1])), Arc::new(StringArray::from(vec!["a", "b", "a", "a"]))];
        let records = records_of(&keys).unwrap();
        assert_eq!(records.iter().collect::<BTreeSet<_>>().len(), 3);
        assert_eq!(records[0], records[3]);
        assert_eq!(records, records_of(&keys).unwrap(), "from batch to batch");
    }

    proptest! {
        #[test]
        fn what_a_record_had_and_has_no_more_is_gone(
            batches in proptest::collection::vec(
                proptest::collection::btree_map(0..4_u128, proptest::collection::btree_set((0..3_u8, 0..3_u8), 0..5), 0..4), 1..6)
        ) {
            let mut history = ItemHistory::default();
            let mut model: BTreeMap<u128, BTreeSet<(u8, u8)>> = BTreeMap::new();
            for batch in batches {
                let records: Vec<Record> = batch.into_iter().map(|(record, items)| (record, items.into_iter().collect())).collect();
                let keys: Vec<u128> = records.iter().map(|(record, _)| *record).collect();
                let gone = history.turn(&keys, &items_of(&records));
                let found: BTreeSet<(u32, i64, i64)> =
                    (0..gone.records.len()).map(|row| (gone.records[row], gone.indexes[0][row], gone.indexes[1][row])).collect();
                prop_assert_eq!(found.len(), gone.records.len());
                let mut expected = BTreeSet::new();
                for (number, (record, items)) in (0_u32..).zip(records) {
                    let items: BTreeSet<_> = items.into_iter().collect();
                    let before = model.insert(record, items.clone()).unwrap_or_default();
                    expected.extend(before.difference(&items).map(|(outer, inner)| (number, i64::from(*outer), i64::from(*inner))));
                }
                prop_assert_eq!(found, expected);
            }
        }
    }
}
