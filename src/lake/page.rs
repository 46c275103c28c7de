//! What we add to a Parquet page: a checksum of its bytes, and filler, so that what follows begins on the grid of its commit. Pure.
//!
//! Data files keep their names when they are rewritten, so a reader on an object store can hold the footer of one version and
//! fetch pages of the next. With the grid it never finds a page where its footer says that there is one: the parts of two
//! versions begin at different offsets, modulo [`STRIDE`], so it meets bytes that are no page and fails, where it might have mixed two versions
//! without a word. See `docs/decisions/0020`.

use bytes::Bytes;
use parquet::errors::ParquetError;

/// Commits after which the grid comes back to where it was.
pub(super) const STRIDE: u64 = 128;
/// What fills gaps. As the beginning of a page header it would be a field of a type that Thrift does not have; as text it is valid, since some readers
/// skip binary fields by reading them as text.
const FILL: u8 = 0x7F;

/// `PageHeader.type`, `.uncompressed_page_size`, `.compressed_page_size` and `.crc`: an `i32`, one field after the one before.
const NEXT_I32: u8 = 0x15;
/// A struct, as the low half of a field's first byte; the high half is its distance from the field before.
const STRUCT: u8 = 0x0C;
/// A field of type binary, 15 after the one before: `PageHeader` has 8 fields, so its number is one that readers do not know and skip. (parquet-format
/// reserves number 32767 for this, but fastparquet cannot read a number that is not a small step from the last.)
const UNKNOWN_FIELD: u8 = 0xF8;
/// The bytes of an unknown field without content: its first byte and its length.
const UNKNOWN_FIELD_BYTES_MIN: usize = 2;
const STOP: u8 = 0x00;
/// `PageType.DICTIONARY_PAGE`, as the first field of a header has it.
const DICTIONARY_PAGE: [u8; 2] = [NEXT_I32, 0x04];

/// Where the parts of a data file begin: at offsets that leave the same remainder as the number of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    remainder: u64,
}

impl Grid {
    pub(super) fn of_commit(commit: u64) -> Self {
        Self { remainder: commit % STRIDE }
    }

    /// Bytes from `offset` to the next place of the grid.
    pub(super) fn gap(self, offset: u64) -> usize {
        let gap = (self.remainder + STRIDE - offset % STRIDE) % STRIDE;
        usize::try_from(gap).unwrap_or_default()
    }

    /// What is to be written at `offset` for the next part to begin on the grid.
    pub(super) fn fill(self, offset: u64) -> Vec<u8> {
        vec![FILL; self.gap(offset)]
    }
}

/// Whether this is the header of a dictionary page.
pub(super) fn is_dictionary(header: &[u8]) -> bool {
    header.starts_with(&DICTIONARY_PAGE)
}

/// The header of a page at `offset`, with a checksum, and as long as it takes for the page to end on the grid.
///
/// # Errors
/// When `header` is not what the Parquet crate writes today.
pub(super) fn seal(header: &[u8], data: &[u8], offset: u64, grid: Grid) -> Result<Bytes, ParquetError> {
    let unknown = || ParquetError::General("a page header has a form that lakefeed does not know".to_owned());
    let mut rest = header;
    for _ in 0..3 {
        rest = skip_i32(rest).ok_or_else(unknown)?;
    }
    let head = header.get(..header.len() - rest.len()).ok_or_else(unknown)?;
    let [kind, body @ .., STOP] = rest else { return Err(unknown()) };
    // Without a checksum the next field is the struct of the page's kind: number 5, 7 or 8, after 3.
    if kind & 0x0F != STRUCT || !matches!(kind >> 4, 2 | 4 | 5) {
        return Err(unknown());
    }
    let mut sealed = head.to_vec();
    sealed.push(NEXT_I32);
    push_varint(&mut sealed, zigzag(crc32fast::hash(data).cast_signed()));
    sealed.push(kind - 0x10);
    sealed.extend_from_slice(body);
    let mut gap = grid.gap(offset + (sealed.len() + 1 + data.len()) as u64);
    if gap > 0 {
        if gap < UNKNOWN_FIELD_BYTES_MIN {
            gap += usize::try_from(STRIDE).unwrap_or_default();
        }
        let fill = gap - UNKNOWN_FIELD_BYTES_MIN;
        sealed.push(UNKNOWN_FIELD);
        sealed.push(u8::try_from(fill).map_err(|_| unknown())?);
        sealed.resize(sealed.len() + fill, FILL);
    }
    sealed.push(STOP);
    Ok(sealed.into())
}

/// What comes after a field that [`NEXT_I32`] begins.
fn skip_i32(bytes: &[u8]) -> Option<&[u8]> {
    let [NEXT_I32, rest @ ..] = bytes else { return None };
    let last = rest.iter().position(|byte| byte & 0x80 == 0)?;
    rest.get(last + 1..)
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A data page of 7 values, as the crate writes it.
    const HEADER: [u8; 18] =
        [0x15, 0x00, 0x15, 0x70, 0x15, 0x80, 0x01, 0x2C, 0x15, 0x0E, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00];

    #[test]
    fn a_sealed_header_has_its_checksum_between_its_sizes_and_its_kind() {
        let data = b"123456789";
        // CRC-32 of that text is 0xCBF43926; as an i32 it is -873187034, which zigzags to 1746374067.
        let checksum = [0x15, 0xB3, 0x9B, 0xDE, 0xC0, 0x06];
        let sealed = seal(&HEADER, data, 0, Grid::of_commit(0)).unwrap();
        assert_eq!(sealed[..7], HEADER[..7]);
        assert_eq!(sealed[7..13], checksum);
        assert_eq!(sealed[13], 0x1C);
        assert_eq!(sealed[14..23], HEADER[8..17]);
        assert_eq!(sealed[23], UNKNOWN_FIELD);
        assert_eq!((sealed.len() + data.len()) % 128, 0);
        assert_eq!(sealed.last(), Some(&STOP));
    }

    #[test]
    fn headers_of_another_form_are_refused() {
        let with_checksum = [&HEADER[..7], &[0x15, 0x02, 0x1C][..], &HEADER[8..]].concat();
        for header in [&[][..], &HEADER[..7], &HEADER[..17 - 1], &with_checksum, &[0x16; 18]] {
            assert!(seal(header, b"", 0, Grid::of_commit(1)).is_err(), "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn a_page_ends_on_the_grid_wherever_it_begins(
            offset in 0_u64..1 << 40,
            commit in 0_u64..1_000,
            data in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let grid = Grid::of_commit(commit);
            let sealed = seal(&HEADER, &data, offset, grid).unwrap();
            let end = offset + (sealed.len() + data.len()) as u64;
            prop_assert_eq!(end % STRIDE, commit % STRIDE);
            prop_assert_eq!((offset + grid.fill(offset).len() as u64) % STRIDE, commit % STRIDE);
        }
    }
}
