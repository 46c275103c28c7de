//! Which of several versions of a key is the newer one, by the value of a column. Pure.

use std::cmp::Ordering;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use arrow::error::ArrowError;

use crate::fingerprint::Fingerprint;
use crate::merge::decide::Op;
use crate::merge::index::PrintMap;
use crate::spec::{Precedence, SortOrder};

/// A value that versions are compared by. Null loses against any value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Version {
    Null,
    Number(i128),
    Text(Box<str>),
}

/// The versions that have won so far.
#[derive(Debug, Default)]
pub(crate) struct Versions(PrintMap<Version>);

/// Returns whether versions can be compared by values of this type.
pub(crate) fn is_comparable(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int64
            | DataType::Float64
            | DataType::Decimal128(_, _)
            | DataType::Utf8
            | DataType::Timestamp(_, _)
            | DataType::Date32
            | DataType::Time64(_)
    )
}

impl Precedence {
    /// Returns the versions of the rows of a batch; null where it does not have the column.
    pub(crate) fn versions(&self, batch: &RecordBatch) -> Result<Vec<Version>, ArrowError> {
        match batch.column_by_name(&self.column) {
            Some(column) => versions(column),
            None => Ok(vec![Version::Null; batch.num_rows()]),
        }
    }

    /// Returns whether `left` is the newer version of the two: strictly.
    fn is_newer(&self, left: &Version, right: &Version) -> bool {
        let order = match (left, right) {
            (Version::Null, _) => return false,
            (_, Version::Null) => return true,
            (Version::Number(left), Version::Number(right)) => left.cmp(right),
            (Version::Text(left), Version::Text(right)) => left.cmp(right),
            (Version::Number(_), Version::Text(_)) | (Version::Text(_), Version::Number(_)) => Ordering::Equal,
        };
        order == if self.order == SortOrder::Greatest { Ordering::Greater } else { Ordering::Less }
    }

    /// Returns whether a row that came wins over the one before it in the same run. Of equal ones
    /// the last one wins. A delete without a value has no version to be compared by, so the last
    /// one wins there, too.
    pub(crate) fn wins(&self, came: (Op, &Version), before: (Op, &Version)) -> bool {
        let is_bare = |(op, version): (Op, &Version)| op == Op::Delete && *version == Version::Null;
        is_bare(came) || is_bare(before) || !self.is_newer(before.1, came.1)
    }

    /// Returns whether a row of the table is a newer version than what came, and must not be
    /// overwritten.
    pub(crate) fn guards(&self, row: &Version, came: (Op, &Version)) -> bool {
        let is_bare = came.0 == Op::Delete && *came.1 == Version::Null;
        self.guards_table && !is_bare && self.is_newer(row, came.1)
    }
}

impl Versions {
    pub(crate) fn set(&mut self, key: Fingerprint, version: Version) {
        self.0.insert(key, version);
    }

    pub(crate) fn get(&self, key: Fingerprint) -> &Version {
        self.0.get(&key).unwrap_or(&Version::Null)
    }
}

/// Returns values as versions: numbers, instants and booleans by their order, doubles by the total
/// order of IEEE 754.
fn versions(column: &ArrayRef) -> Result<Vec<Version>, ArrowError> {
    let numbers =
        |values: Vec<Option<i128>>| values.into_iter().map(|value| value.map_or(Version::Null, Version::Number));
    Ok(match column.data_type() {
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            values.iter().map(|value| value.map_or(Version::Null, |text| Version::Text(text.into()))).collect()
        }
        DataType::Decimal128(_, _) => numbers(column.as_primitive::<Decimal128Type>().iter().collect()).collect(),
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().iter();
            numbers(values.map(|value| value.map(|value| i128::from(total_order(value)))).collect()).collect()
        }
        other if is_comparable(other) => {
            let values = cast(column, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            numbers(values.iter().map(|value| value.map(i128::from)).collect()).collect()
        }
        other => {
            return Err(ArrowError::NotYetImplemented(format!(
                "versions cannot be compared by values of type {other}"
            )));
        }
    })
}

/// Returns a double as a number that sorts as the double does. Every NaN is one, above all numbers;
/// the two zeros are one.
fn total_order(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
    let bits = value.to_bits().cast_signed();
    bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn precedence(order: SortOrder) -> Precedence {
        Precedence { column: "v".to_owned(), order, guards_table: true }
    }

    #[test]
    fn values_of_each_type_are_versions_by_their_order() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![None, Some(i64::MIN), Some(-1), Some(i64::MAX)])),
            Arc::new(Float64Array::from(vec![None, Some(f64::NEG_INFINITY), Some(-0.5), Some(3.0), Some(f64::NAN)])),
            Arc::new(Decimal128Array::from(vec![None, Some(-1), Some(i128::from(i64::MAX) + 1)])),
            Arc::new(StringArray::from(vec![None, Some(""), Some("2026-01"), Some("2026-02")])),
            Arc::new(BooleanArray::from(vec![None, Some(false), Some(true)])),
            Arc::new(Date32Array::from(vec![None, Some(-1), Some(20_000)])),
        ];
        for column in columns {
            let versions = versions(&column).unwrap();
            for pair in versions.windows(2) {
                assert!(precedence(SortOrder::Greatest).is_newer(&pair[1], &pair[0]), "{pair:?}");
                assert!(!precedence(SortOrder::Greatest).is_newer(&pair[0], &pair[1]), "{pair:?}");
                let least = precedence(SortOrder::Least).is_newer(&pair[0], &pair[1]);
                assert_eq!(least, pair[0] != Version::Null, "null loses either way: {pair:?}");
            }
        }
        assert!(!is_comparable(&DataType::Null));
    }

    #[test]
    fn ties_go_to_the_last_arrival_and_bare_deletes_are_a_matter_of_arrival() {
        let precedence = precedence(SortOrder::Greatest);
        let (null, one, two) = (Version::Null, Version::Number(1), Version::Number(2));
        for (came, before, wins) in [
            ((Op::Put, &one), (Op::Put, &one), true),
            ((Op::Put, &one), (Op::Put, &two), false),
            ((Op::Put, &null), (Op::Put, &null), true),
            ((Op::Put, &null), (Op::Put, &one), false),
            ((Op::Delete, &one), (Op::Put, &two), false),
            ((Op::Delete, &null), (Op::Put, &two), true),
            ((Op::Put, &one), (Op::Delete, &null), true),
        ] {
            assert_eq!(precedence.wins(came, before), wins, "{came:?} {before:?}");
        }
        assert!(precedence.guards(&two, (Op::Put, &one)) && !precedence.guards(&one, (Op::Put, &one)));
        assert!(precedence.guards(&one, (Op::Put, &null)) && !precedence.guards(&null, (Op::Put, &null)));
        assert!(!precedence.guards(&two, (Op::Delete, &null)), "a bare tombstone deletes");
        assert!(!precedence.guards(&null, (Op::Put, &one)), "a row without a version is overwritten");
    }

    proptest! {
        #[test]
        fn doubles_are_versions_as_they_compare(left: f64, right: f64) {
            prop_assume!(!left.is_nan() && !right.is_nan());
            prop_assert_eq!(total_order(left).cmp(&total_order(right)), left.partial_cmp(&right).unwrap());
        }
    }
}
