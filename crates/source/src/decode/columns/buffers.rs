//! What columns are made of: strings one after the other, offsets, numbers.

use std::mem;
use std::sync::Arc;

use arrow::array::builder::BooleanBufferBuilder;
use arrow::array::types::ArrowPrimitiveType;
use arrow::array::{Array as _, ArrayRef, PrimitiveArray, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::decode::error::DecodeError;
use crate::decode::json::scanner::Scanner;
use crate::decode::json::text::Text;
use crate::decode::value::refusal::{Stop, lone_surrogate};

/// Which values are null. Most columns of most batches have no null, and are counted only.
#[derive(Debug, Default)]
pub(super) struct Validity {
    len: usize,
    /// A bit for each value, set for those that are not null; none before the first null.
    bits: Option<BooleanBufferBuilder>,
}

impl Validity {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn append_non_null(&mut self) {
        self.len += 1;
        if let Some(bits) = &mut self.bits {
            bits.append(true);
        }
    }

    pub(super) fn append_null(&mut self) {
        let before = self.len;
        let bits = self.bits.get_or_insert_with(|| {
            let mut bits = BooleanBufferBuilder::new(before + 1);
            bits.append_n(before, true);
            bits
        });
        bits.append(false);
        self.len += 1;
    }

    pub(super) fn truncate(&mut self, length: usize) {
        if length < self.len {
            self.len = length;
            if let Some(bits) = &mut self.bits {
                bits.truncate(length);
            }
        }
    }

    /// Takes the nulls out, if there are any, which leaves no values.
    pub(super) fn take(&mut self) -> Option<NullBuffer> {
        self.len = 0;
        let nulls = NullBuffer::new(self.bits.take()?.build());
        (nulls.null_count() > 0).then_some(nulls)
    }
}

#[derive(Debug)]
pub(super) struct TextBuffer {
    /// One more than there are values; the first is 0.
    offsets: Vec<i32>,
    text: String,
}

impl TextBuffer {
    pub(super) fn new() -> Self {
        Self { offsets: vec![0], text: String::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Appends the meaning of the string at the cursor. After an error, it must be truncated away.
    #[inline]
    pub(super) fn read_string(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        let start = scanner.position();
        let text = scanner.string()?;
        text.append_to(&mut self.text).map_err(|_| lone_surrogate(scanner.text_since(start)))?;
        push_offset(&mut self.offsets, self.text.len())
    }

    /// Appends the meaning of a key.
    pub(super) fn push_key(&mut self, key: Text<'_>) -> Result<(), Stop> {
        let written = || lone_surrogate(&format!("\"{}\"", key.raw)).below_key(key.raw);
        key.append_to(&mut self.text).map_err(|_| written())?;
        push_offset(&mut self.offsets, self.text.len())
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), Stop> {
        self.text.push_str(text);
        push_offset(&mut self.offsets, self.text.len())
    }

    pub(super) fn push_null(&mut self) {
        push_same(&mut self.offsets);
    }

    /// Returns the text at `place`.
    pub(super) fn get(&self, place: usize) -> &str {
        let bound = |place: usize| self.offsets.get(place).and_then(|offset| usize::try_from(*offset).ok());
        let range = bound(place).zip(bound(place + 1));
        range.and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.offsets.truncate(length + 1);
        self.text.truncate(last_offset(&self.offsets));
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(self.offsets.as_slice())
    }

    pub(super) fn take(&mut self, nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
        let capacity = self.text.len();
        let text = mem::replace(&mut self.text, String::with_capacity(capacity));
        StringArray::try_new(take_offsets(&mut self.offsets), Buffer::from_vec(text.into_bytes()), nulls)
    }
}

pub(super) fn push_offset(offsets: &mut Vec<i32>, offset: usize) -> Result<(), Stop> {
    let offset = i32::try_from(offset).map_err(|_| Stop::Page(Box::new(DecodeError::BatchFull)))?;
    offsets.push(offset);
    Ok(())
}

pub(super) fn push_same(offsets: &mut Vec<i32>) {
    offsets.push(offsets.last().copied().unwrap_or(0));
}

pub(super) fn last_offset(offsets: &[i32]) -> usize {
    offsets.last().and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0)
}

/// Takes a vector out and leaves an empty one that has room for as much.
pub(super) fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let capacity = values.len();
    mem::replace(values, Vec::with_capacity(capacity))
}

pub(super) fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let taken = take(offsets);
    offsets.push(0);
    OffsetBuffer::new(ScalarBuffer::from(taken))
}

pub(super) fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let array = PrimitiveArray::<T>::try_new(ScalarBuffer::from(take(values)), nulls)?;
    // The type's parameters, such as the zone, come from the schema.
    let data = array.into_data().into_builder().data_type(data_type.clone()).build()?;
    Ok(Arc::new(PrimitiveArray::<T>::from(data)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn validity_is_a_list_of_flags(steps in prop::collection::vec((any::<bool>(), 0_usize..5, 0_usize..40), 0..40)) {
            let (mut validity, mut flags) = (Validity::default(), Vec::new());
            for (is_valid, step, length) in steps {
                match step {
                    0 => {
                        validity.truncate(length);
                        flags.truncate(length);
                    }
                    1 => {
                        let taken = validity.take().map_or_else(|| vec![true; flags.len()], |nulls| nulls.iter().collect());
                        prop_assert_eq!(taken, mem::take(&mut flags));
                    }
                    _ if is_valid => {
                        validity.append_non_null();
                        flags.push(true);
                    }
                    _ => {
                        validity.append_null();
                        flags.push(false);
                    }
                }
                prop_assert_eq!(validity.len(), flags.len());
            }
        }
    }
}
