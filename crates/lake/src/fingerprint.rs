//! Fingerprints of keys and rows: 128 bits, with a seed of the run's own. Pure but for drawing the
//! seed.
//!
//! Equal values have equal fingerprints. Two different values have the same one with odds of about
//! 2^-128 per pair. Nobody outside can choose values that collide: the seed is random, and never
//! leaves the process. Floats are compared by their bits, strings as they are.

use std::hash::{BuildHasher as _, Hasher};

use arrow::array::{ArrayRef, AsArray as _};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use twox_hash::XxHash3_128;

/// The fingerprint of a key or a row.
pub(crate) type Fingerprint = u128;

/// Rows that are encoded before their fingerprints are taken.
const ROWS_AT_ONCE: usize = 512;

/// Takes fingerprints of rows of one list of column types.
#[derive(Debug)]
pub(crate) struct Fingerprinter {
    converter: RowConverter,
    seed: u64,
}

impl Fingerprinter {
    pub(crate) fn new(types: impl IntoIterator<Item = DataType>, seed: u64) -> Result<Self, ArrowError> {
        let fields = types.into_iter().map(SortField::new).collect();
        Ok(Self { converter: RowConverter::new(fields)?, seed })
    }

    /// Returns one fingerprint per row.
    pub(crate) fn of(&self, columns: &[ArrayRef]) -> Result<Vec<Fingerprint>, ArrowError> {
        // The most common key, a string, needs no encoding: its bytes are what makes it. Null has a
        // seed of its own.
        if let [only] = columns
            && let Some(texts) = only.as_string_opt::<i32>()
        {
            let of_text = |text: Option<&str>| match text {
                Some(text) => XxHash3_128::oneshot_with_seed(self.seed, text.as_bytes()),
                None => XxHash3_128::oneshot_with_seed(!self.seed, &[]),
            };
            return Ok(texts.iter().map(of_text).collect());
        }
        // Rows are encoded a few at a time, into memory that stays close to the processor.
        let count = columns.first().map_or(0, |column| column.len());
        let mut prints = Vec::with_capacity(count);
        let mut rows = self.converter.empty_rows(0, 0);
        for first in (0..count).step_by(ROWS_AT_ONCE) {
            let length = ROWS_AT_ONCE.min(count - first);
            let columns = columns.iter().map(|column| column.slice(first, length)).collect::<Vec<_>>();
            rows.clear();
            self.converter.append(&mut rows, &columns)?;
            prints.extend(rows.iter().map(|row| XxHash3_128::oneshot_with_seed(self.seed, row.data())));
        }
        Ok(prints)
    }
}

/// Returns a seed that no other run has.
pub(crate) fn random_seed() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Hashes a fingerprint for a map: it is random already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct PassThrough(u64);

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
    fn a_text_has_one_fingerprint_whatever_its_batch_has_besides() {
        let prints = |texts: Vec<Option<&str>>| {
            let column: ArrayRef = Arc::new(StringArray::from(texts));
            Fingerprinter::new([DataType::Utf8], 7).unwrap().of(&[column]).unwrap()
        };
        let (plain, with_null) = (prints(vec![Some("a"), Some("")]), prints(vec![None, Some("a"), Some("")]));
        assert_eq!(plain, with_null[1..]);
        assert_eq!(with_null.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    }

    #[test]
    fn fingerprints_of_many_rows_are_those_of_each() {
        let numbers = || (0..2_000_i64).map(|number| (number % 7 > 0).then_some(number % 600));
        let columns: [ArrayRef; 2] = [
            Arc::new(numbers().collect::<Int64Array>()),
            Arc::new(
                numbers()
                    .map(|number| number.map(|number| "x".repeat(usize::try_from(number % 40).unwrap())))
                    .collect::<StringArray>(),
            ),
        ];
        let printer = Fingerprinter::new([DataType::Int64, DataType::Utf8], 7).unwrap();
        let all = printer.of(&columns).unwrap();
        assert_eq!(all.len(), 2_000);
        for row in (0..2_000).step_by(37) {
            assert_eq!(printer.of(&columns.each_ref().map(|column| column.slice(row, 1))).unwrap(), all[row..=row]);
        }
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
