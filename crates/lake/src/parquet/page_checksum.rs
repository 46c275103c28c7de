//! What is added to the header of a Parquet page: a checksum of the page's bytes, and padding, so
//! that the page ends where the next one is aligned ([`alignment`](crate::parquet::alignment)).
//! Pure.

use bytes::Bytes;
use parquet::errors::ParquetError;

use crate::parquet::alignment::{PADDING, PageAlignment, STRIDE};

/// `PageHeader.type`, `.uncompressed_page_size`, `.compressed_page_size` and `.crc`: an `i32`, one
/// field after the one before.
const NEXT_I32: u8 = 0x15;
/// A struct, as the low half of a field's first byte; the high half is its distance from the field
/// before.
const STRUCT: u8 = 0x0C;
/// A field of type binary, 15 after the one before: `PageHeader` has 8 fields, so its number is one
/// that readers do not know and skip. (parquet-format reserves number 32767 for this, but
/// fastparquet cannot read a number that is not a small step from the last.)
const UNKNOWN_FIELD: u8 = 0xF8;
/// The bytes of an unknown field without content: its first byte and its length.
const UNKNOWN_FIELD_BYTES_MIN: usize = 2;
const STOP: u8 = 0x00;
/// `PageType.DICTIONARY_PAGE`, as the first field of a header has it.
const DICTIONARY_PAGE: [u8; 2] = [NEXT_I32, 0x04];

/// Returns whether this is the header of a dictionary page.
pub(crate) fn is_dictionary(header: &[u8]) -> bool {
    header.starts_with(&DICTIONARY_PAGE)
}

/// Returns the header of a page that takes so many bytes in the file.
///
/// # Errors
/// When `header` is not what the Parquet crate writes today, or the page has 2 GiB.
pub(crate) fn with_compressed_size(header: &[u8], bytes: usize) -> Result<Vec<u8>, ParquetError> {
    let from_size = skip_i32(header).and_then(skip_i32).ok_or_else(unknown)?;
    let rest = skip_i32(from_size).ok_or_else(unknown)?;
    let mut changed = header.get(..header.len() - from_size.len()).unwrap_or_default().to_vec();
    changed.push(NEXT_I32);
    push_varint(&mut changed, zigzag(i32::try_from(bytes)?));
    changed.extend_from_slice(rest);
    Ok(changed)
}

/// Returns the header of a page at `offset` with a checksum, padded so that the page ends where the
/// next one is aligned.
///
/// # Errors
/// When `header` is not what the Parquet crate writes today.
pub(crate) fn with_checksum(
    header: &[u8],
    data: &[u8],
    offset: u64,
    alignment: PageAlignment,
) -> Result<Bytes, ParquetError> {
    let mut rest = header;
    for _ in 0..3 {
        rest = skip_i32(rest).ok_or_else(unknown)?;
    }
    let head = header.get(..header.len() - rest.len()).ok_or_else(unknown)?;
    let [kind, body @ .., STOP] = rest else { return Err(unknown()) };
    // Without a checksum the next field is the struct of the page's kind: number 5, 7 or 8, after
    // 3.
    if kind & 0x0F != STRUCT || !matches!(kind >> 4, 2 | 4 | 5) {
        return Err(unknown());
    }
    let mut written = head.to_vec();
    written.push(NEXT_I32);
    push_varint(&mut written, zigzag(crc32fast::hash(data).cast_signed()));
    written.push(kind - 0x10);
    written.extend_from_slice(body);
    let mut padding = alignment.padding(offset + (written.len() + 1 + data.len()) as u64);
    if padding > 0 {
        if padding < UNKNOWN_FIELD_BYTES_MIN {
            padding += usize::try_from(STRIDE).unwrap_or_default();
        }
        let padding_bytes = padding - UNKNOWN_FIELD_BYTES_MIN;
        written.push(UNKNOWN_FIELD);
        written.push(u8::try_from(padding_bytes).map_err(|_| unknown())?);
        written.resize(written.len() + padding_bytes, PADDING);
    }
    written.push(STOP);
    Ok(written.into())
}

/// A page as it was before [`with_checksum`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BarePage {
    pub(crate) header: Vec<u8>,
    /// How many bytes of the page its header takes in the file.
    pub(crate) header_bytes: usize,
}

/// Takes checksum and padding out of the header of a page, which is a header and what it says comes
/// next. A page that never had them is as it is.
///
/// # Errors
/// When this is no page that this crate has written, or its checksum is not that of its bytes.
pub(crate) fn without_checksum(page: &[u8]) -> Result<BarePage, ParquetError> {
    let (header, checksum, data) = parse(page).ok_or_else(unknown)?;
    if checksum.is_some_and(|checksum| checksum != zigzag(crc32fast::hash(data).cast_signed())) {
        return Err(ParquetError::General("the CRC of a page is not that of its bytes".to_owned()));
    }
    Ok(BarePage { header, header_bytes: page.len() - data.len() })
}

/// Returns the bare header, the checksum as it is written, and the bytes that follow.
fn parse(page: &[u8]) -> Option<(Vec<u8>, Option<u32>, &[u8])> {
    let mut rest = page;
    for _ in 0..2 {
        rest = skip_i32(rest)?;
    }
    let compressed_bytes = varint(rest.get(1..)?)? >> 1;
    rest = skip_i32(rest)?;
    let mut bare = page.get(..page.len() - rest.len())?.to_vec();
    let mut checksum = None;
    if rest.first() == Some(&NEXT_I32) {
        checksum = Some(varint(rest.get(1..)?)?);
        rest = skip_i32(rest)?;
    }
    let (kind, body) = rest.split_first()?;
    if kind & 0x0F != STRUCT {
        return None;
    }
    let after = skip_struct(body, NESTING_MAX)?;
    bare.push(if checksum.is_some() { kind.checked_add(0x10)? } else { *kind });
    bare.extend_from_slice(body.get(..body.len() - after.len())?);
    bare.push(STOP);
    let after = match after {
        [UNKNOWN_FIELD, length, after @ ..] => after.get(usize::from(*length)..)?,
        after => after,
    };
    let (stop, data) = after.split_first()?;
    (*stop == STOP && data.len() == compressed_bytes as usize).then_some((bare, checksum, data))
}

fn unknown() -> ParquetError {
    ParquetError::General("a page header has a form that lakefeed does not know".to_owned())
}

/// Structs in each other, more than any page header has.
const NESTING_MAX: u32 = 8;

/// Returns what comes after the fields of a struct and its end, in Thrift's compact protocol.
fn skip_struct(bytes: &[u8], nesting: u32) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let (field, after) = rest.split_first()?;
        if *field == STOP {
            return Some(after);
        }
        // A field's number is a step from the one before, or stands on its own.
        let value = if field >> 4 == 0 { skip_varint(after)? } else { after };
        rest = match field & 0x0F {
            // What a boolean says is its type.
            1 | 2 => value,
            3 => value.get(1..)?,
            4..=6 => skip_varint(value)?,
            7 => value.get(8..)?,
            8 => {
                let length = varint(value)?;
                skip_varint(value)?.get(length as usize..)?
            }
            STRUCT if nesting > 0 => skip_struct(value, nesting - 1)?,
            // Lists, sets and maps are in no page header.
            _ => return None,
        };
    }
}

/// Returns the number at the start of `bytes`, of at most 32 bits.
fn varint(bytes: &[u8]) -> Option<u32> {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let digits = bytes.iter().take(last + 1).rev();
    let value = digits.take(10).fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7F));
    u32::try_from(value).ok().filter(|_| last < 5)
}

/// Returns what comes after a field that [`NEXT_I32`] begins.
fn skip_i32(bytes: &[u8]) -> Option<&[u8]> {
    let [NEXT_I32, rest @ ..] = bytes else { return None };
    skip_varint(rest)
}

fn skip_varint(bytes: &[u8]) -> Option<&[u8]> {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    bytes.get(last + 1..)
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
    fn a_header_has_its_checksum_between_its_sizes_and_its_kind() {
        let data = b"123456789";
        // CRC-32 of that text is 0xCBF43926; as an i32 it is -873187034, which zigzags to
        // 1746374067.
        let checksum = [0x15, 0xB3, 0x9B, 0xDE, 0xC0, 0x06];
        let written = with_checksum(&HEADER, data, 0, PageAlignment::of(0)).unwrap();
        assert_eq!(written[..7], HEADER[..7]);
        assert_eq!(written[7..13], checksum);
        assert_eq!(written[13], 0x1C);
        assert_eq!(written[14..23], HEADER[8..17]);
        assert_eq!(written[23], UNKNOWN_FIELD);
        assert_eq!((written.len() + data.len()) % 128, 0);
        assert_eq!(written.last(), Some(&STOP));
    }

    #[test]
    fn headers_of_another_form_are_refused() {
        let checksummed = [&HEADER[..7], &[0x15, 0x02, 0x1C][..], &HEADER[8..]].concat();
        for header in [&[][..], &HEADER[..7], &HEADER[..17 - 1], &checksummed, &[0x16; 18]] {
            assert!(with_checksum(header, b"", 0, PageAlignment::of(1)).is_err(), "{header:?}");
        }
    }

    /// Returns a page of these bytes, and its bare header.
    fn page(data: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let header = with_compressed_size(&HEADER, data.len()).unwrap();
        let written = with_checksum(&header, data, 3, PageAlignment::of(9)).unwrap();
        ([&written[..], data].concat(), header)
    }

    #[test]
    fn what_is_no_page_of_ours_is_refused() {
        let (written, bare) = page(b"data");
        let bare_page = BarePage { header: bare.clone(), header_bytes: written.len() - 4 };
        assert_eq!(without_checksum(&written).unwrap(), bare_page);
        assert_eq!(
            without_checksum(&[&bare[..], b"data"].concat()).unwrap(),
            BarePage { header_bytes: bare.len(), ..bare_page }
        );
        for length in 0..written.len() {
            assert!(without_checksum(&written[..length]).is_err(), "{length}");
        }
        let mut of_no_kind = written.clone();
        let kind = of_no_kind.windows(2).position(|field| field == [0x1C, NEXT_I32]).unwrap();
        of_no_kind[kind] = 0xF0 | STRUCT;
        let longer = [&written[..], b"x"].concat();
        let of_a_list = [&HEADER[..8], &[0x19, 0x00, 0x00, 0x00]].concat();
        for page in [&longer, &of_a_list, &of_no_kind] {
            assert!(without_checksum(page).is_err(), "{page:?}");
        }
        let mut damaged = written;
        *damaged.last_mut().unwrap() ^= 1;
        assert!(without_checksum(&damaged).unwrap_err().to_string().contains("CRC"));
    }

    proptest! {
        #[test]
        fn a_bare_page_is_as_it_was_and_nothing_panics(
            data in prop::collection::vec(any::<u8>(), 0..300),
            (place, byte) in (0_usize..40, any::<u8>()),
        ) {
            let (mut written, bare) = page(&data);
            prop_assert_eq!(without_checksum(&written).unwrap().header, bare);
            if let Some(target) = written.get_mut(place) {
                *target = byte;
            }
            drop(without_checksum(&written));
        }

        #[test]
        fn a_page_ends_aligned_wherever_it_begins(
            offset in 0_u64..1 << 40,
            commit in 0_u64..1_000,
            data in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let alignment = PageAlignment::of(commit);
            let written = with_checksum(&HEADER, &data, offset, alignment).unwrap();
            let end = offset + (written.len() + data.len()) as u64;
            prop_assert_eq!(end % STRIDE, commit % STRIDE);
            prop_assert_eq!((offset + alignment.padding_bytes(offset).len() as u64) % STRIDE, commit % STRIDE);
        }
    }
}
