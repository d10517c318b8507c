//! The trailer of an `unsealed` file: which padded byte ranges of the sector are allocated.
//!
//! Layout (lotus): `sector_size` bytes of data, an RLE+ bitfield, its length as a little-endian `u32`. A file of exactly
//! `sector_size` bytes is fully allocated.

mod ranges;
mod rle_plus;
mod trailer;

pub use ranges::Allocated;
pub use trailer::{TrailerError, read, write};

/// Bytes on disk of `unpadded` data bytes: 127 become 128.
///
/// # Panics
/// When `unpadded` is no multiple of 127, which no piece size is.
pub fn padded(unpadded: u64) -> u64 {
    assert!(
        unpadded.is_multiple_of(127),
        "{unpadded} is no multiple of 127"
    );
    unpadded / 127 * 128
}

/// Data bytes of `padded` bytes on disk, whole 128-byte units only.
pub fn unpadded(padded: u64) -> u64 {
    padded / 128 * 127
}
