//! Fingerprints of keys and rows: 128 bits with a seed of the run's own. Pure but for drawing the seed.
//!
//! Two values have the same fingerprint when they are equal; that two different ones do has odds of about 2^-128 per
//! pair, and nobody outside can choose values that collide, since the seed is random and never leaves the process.
//! Floats are compared by their bits, text as it is.

use std::hash::{BuildHasher as _, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// The fingerprint of a key or a row.
pub(super) type Fingerprint = u128;

/// Takes fingerprints of rows of one list of column types.
#[derive(Debug)]
pub(super) struct Fingerprinter {
    converter: RowConverter,
    seed: u64,
}

impl Fingerprinter {
    pub(super) fn new(types: impl IntoIterator<Item = DataType>, seed: u64) -> Result<Self, ArrowError> {
        let fields = types.into_iter().map(SortField::new).collect();
        Ok(Self { converter: RowConverter::new(fields)?, seed })
    }

    /// One fingerprint per row.
    pub(super) fn of(&self, columns: &[ArrayRef]) -> Result<Vec<Fingerprint>, ArrowError> {
        let rows = self.converter.convert_columns(columns)?;
        Ok(rows.iter().map(|row| twox_hash::XxHash3_128::oneshot_with_seed(self.seed, row.data())).collect())
    }
}

/// A seed that no other run has.
pub(super) fn random_seed() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Hashes a fingerprint for a map: it is random already.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, value: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "half of a random number is as random")]
        let low = value as u64;
        self.0 = low;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn equal_rows_have_equal_fingerprints_and_boundaries_between_columns_count() {
        let one = Fingerprinter::new([DataType::Utf8, DataType::Utf8], 7).unwrap();
        let left: ArrayRef = Arc::new(StringArray::from(vec![Some("ab"), Some("a"), None, Some(""), Some("ab")]));
        let right: ArrayRef = Arc::new(StringArray::from(vec![Some("c"), Some("bc"), Some(""), None, Some("c")]));
        let prints = one.of(&[left, right]).unwrap();
        assert_eq!(prints[0], prints[4]);
        let distinct: std::collections::HashSet<_> = prints.iter().take(4).collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn another_seed_gives_other_fingerprints() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let of = |seed| Fingerprinter::new([DataType::Int64], seed).unwrap().of(&[Arc::clone(&column)]).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_ne!(random_seed(), random_seed());
    }

    #[test]
    fn floats_are_compared_by_their_bits() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::NAN, 0.0, -0.0]));
        let prints = Fingerprinter::new([DataType::Float64], 1).unwrap().of(&[column]).unwrap();
        assert_eq!(prints[0], prints[1]);
        assert_ne!(prints[2], prints[3]);
    }
}
