//! What a file must pass before it is added to, and before it counts as complete.

use sys::direct::BLOCK;

use super::body::{Body, Stream};
use super::disk_file::DiskFile;
use super::failure::{Code, Failure, Result};
use super::single::Held;
use super::target::Place;
use super::writers::Buffer;

/// Receives what should be the end of what is held, and compares it with what the disk has there.
pub(crate) fn has_same_tail(
    body: &mut Body,
    held: &Held,
    start: u64,
    place: Place,
) -> Result<bool> {
    let length = (held.offset - start) as usize;
    let (mut received, mut own) = (Buffer::new(), Buffer::new());
    let received = &mut received.bytes()[..length];
    if body.fill(received)? < length {
        return Ok(false);
    }
    let own = &mut own.bytes()[..length.next_multiple_of(BLOCK)];
    let read = held.file.read_piece(own, start);
    let read = read.map_err(place.failed("read"))?;
    Ok(read >= length && own[..length] == *received)
}

/// A length that was known beforehand is demanded.
pub(crate) fn check_size(size: u64, wanted: Option<u64>) -> Result<()> {
    match wanted {
        Some(bytes) if bytes != size => {
            let detail = format!("the file has {size} bytes, and should have {bytes}");
            Err(Failure::new(Code::Incomplete, detail))
        }
        _ => Ok(()),
    }
}

/// Reads the file back from the disk, where its hash is known.
pub(crate) fn check_digest(
    file: &DiskFile,
    size: u64,
    wanted: Option<[u8; 32]>,
    place: Place,
) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let (mut hasher, mut buffer, mut at) = (blake3::Hasher::new(), Buffer::new(), 0);
    while at < size {
        let read = file.read_piece(buffer.bytes(), at);
        let read = read.map_err(place.failed("read back"))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer.bytes()[..read]);
        at += read as u64;
    }
    if hasher.finalize() == wanted {
        return Ok(());
    }
    let detail = format!(
        "{}: what arrived has another hash than it should",
        place.path.display()
    );
    Err(Failure::new(Code::Damaged, detail))
}
