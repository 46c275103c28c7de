//! Which bucket a value belongs to. Pure.
//!
//! The hash is that of the Iceberg table specification (appendix B, "32-bit hash requirements"):
//! Murmur3, x86, 32 bits, seed 0; over integers, dates, times and instants as eight little-endian
//! bytes, over strings as UTF-8, and over decimals as the shortest big-endian two's complement. So
//! an engine that knows Iceberg's `bucket[N]` computes the same folder.

use std::num::NonZeroU32;

use arrow::array::{Array, ArrayRef, AsArray as _, Int64Array, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};

/// Returns the buckets of a column's values; null stays null. `None` for a type that has none.
pub(crate) fn buckets(column: &ArrayRef, count: NonZeroU32) -> Option<Int64Array> {
    let bucket = |hash: u32| i64::from((hash & 0x7FFF_FFFF) % count);
    let of_number = |number: i64| bucket(murmur3(&number.to_le_bytes()));
    Some(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().unary(of_number),
        DataType::Date32 => widened::<Date32Type>(column).unary(of_number),
        DataType::Time64(_) => column.as_primitive_opt::<Time64MicrosecondType>()?.unary(of_number),
        DataType::Timestamp(_, _) => column.as_primitive_opt::<TimestampMicrosecondType>()?.unary(of_number),
        DataType::Decimal128(_, _) => {
            column.as_primitive::<Decimal128Type>().unary(|value| bucket(hash_decimal(value)))
        }
        DataType::Utf8 => {
            column.as_string::<i32>().iter().map(|text| text.map(|text| bucket(murmur3(text.as_bytes())))).collect()
        }
        _ => return None,
    })
}

fn widened<T: ArrowPrimitiveType>(column: &ArrayRef) -> Int64Array
where
    i64: From<T::Native>,
{
    let values: &PrimitiveArray<T> = column.as_primitive();
    values.unary(i64::from)
}

fn hash_decimal(value: i128) -> u32 {
    let bytes = value.to_be_bytes();
    // A leading byte is spare when it only repeats the sign of the next one.
    let spare = bytes.windows(2).take_while(|pair| match pair {
        [0x00, next] => next & 0x80 == 0,
        [0xFF, next] => next & 0x80 != 0,
        _ => false,
    });
    let (_, shortest) = bytes.split_at(spare.count());
    murmur3(shortest)
}

/// Hashes by Murmur3 of 32 bits for x86, with seed 0 (Austin Appleby's `MurmurHash3_x86_32`).
fn murmur3(bytes: &[u8]) -> u32 {
    const C1: u32 = 0xCC9E_2D51;
    const C2: u32 = 0x1B87_3593;
    let scramble = |word: u32| word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(0_u32, |hash, word| {
        (hash ^ scramble(u32::from_le_bytes(*word))).rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64)
    });
    let tail = rest.iter().rev().fold(0_u32, |tail, byte| (tail << 8) | u32::from(*byte));
    hash ^= scramble(tail);
    #[expect(clippy::cast_possible_truncation, reason = "the algorithm takes the length modulo 2^32")]
    let length = bytes.len() as u32;
    hash ^= length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Decimal128Array, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn hashes_are_those_of_the_iceberg_specification() {
        let number = |value: i64| murmur3(&value.to_le_bytes()).cast_signed();
        let cases = [
            (number(34), 2_017_239_379),
            // 2017-11-16, 22:31:08, and both together without and with a microsecond.
            (number(17_486), -653_330_422),
            (number(81_068_000_000), -662_762_989),
            (number(1_510_871_468_000_000), -2_047_944_441),
            (number(1_510_871_468_000_001), -1_207_196_810),
            (murmur3(b"iceberg").cast_signed(), 1_210_000_089),
            (hash_decimal(1420).cast_signed(), -500_754_589),
            (murmur3(&[0, 1, 2, 3]).cast_signed(), -188_683_207),
        ];
        for (hash, expected) in cases {
            assert_eq!(hash, expected);
        }
    }

    #[test]
    fn every_type_has_its_buckets_and_null_has_none() {
        let count = NonZeroU32::new(16).unwrap();
        let columns: [(ArrayRef, i64); 6] = [
            (Arc::new(Int64Array::from(vec![Some(34), None])), 3),
            (Arc::new(Date32Array::from(vec![Some(17_486), None])), 10),
            (Arc::new(Time64MicrosecondArray::from(vec![Some(81_068_000_000), None])), 3),
            (Arc::new(TimestampMicrosecondArray::from(vec![Some(1_510_871_468_000_000), None])), 7),
            (Arc::new(Decimal128Array::from(vec![Some(1420), None])), 3),
            (Arc::new(StringArray::from(vec![Some("iceberg"), None])), 9),
        ];
        for (column, expected) in columns {
            let buckets = buckets(&column, count).unwrap();
            assert_eq!((buckets.value(0), buckets.is_null(1)), (expected, true), "{:?}", column.data_type());
        }
    }

    #[test]
    fn the_shortest_form_of_a_decimal_keeps_its_sign() {
        for (value, bytes) in
            [(0_i128, vec![0_u8]), (-1, vec![0xFF]), (127, vec![127]), (128, vec![0, 128]), (-129, vec![0xFF, 0x7F])]
        {
            assert_eq!(hash_decimal(value), murmur3(&bytes), "{value}");
        }
    }
}
