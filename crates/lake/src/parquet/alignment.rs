//! Where the parts of a data file begin: at offsets that leave one remainder, modulo [`STRIDE`].
//! Pure.
//!
//! Two versions of a file that have different remainders have no part (page, filter, index) at the
//! same offset. So a reader who holds the footer of one version and fetches pages of the other
//! meets bytes that are no page, and fails, where it might have mixed two versions without a word.
//! See `docs/decisions/0020`.

/// How many remainders there are.
pub(crate) const STRIDE: u64 = 128;
/// What fills the space between parts. As the beginning of a page header it would be a field of a
/// type that Thrift does not have. As text it is valid, since some readers skip binary fields by
/// reading them as text.
pub(crate) const PADDING: u8 = 0x7F;

/// The remainder that the offsets of a file's parts leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageAlignment {
    remainder: u64,
}

impl PageAlignment {
    /// Returns the alignment of a version with this number; the next one differs.
    pub(crate) fn of(version: u64) -> Self {
        Self { remainder: version % STRIDE }
    }

    /// Returns how many bytes there are from `offset` to the next offset that is aligned.
    pub(crate) fn padding(self, offset: u64) -> usize {
        let padding = (self.remainder + STRIDE - offset % STRIDE) % STRIDE;
        usize::try_from(padding).unwrap_or_default()
    }

    /// Returns what is to be written at `offset` for the next part to be aligned.
    pub(crate) fn padding_bytes(self, offset: u64) -> Vec<u8> {
        vec![PADDING; self.padding(offset)]
    }
}
