use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::{Allocated, rle_plus};

/// lotus warns above this; no honest trailer comes near it.
const LONGEST_TRAILER: u64 = 1 << 20;

/// Why a trailer could not be read.
#[derive(Debug)]
pub enum TrailerError {
    /// The file is shorter than its sector.
    TooShort {
        /// Length of the file.
        length: u64,
        /// Length of the sector.
        sector_size: u64,
    },
    /// The bytes behind the data are no trailer.
    Malformed,
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for TrailerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort {
                length,
                sector_size,
            } => {
                write!(
                    f,
                    "the unsealed file has {length} bytes, its sector {sector_size}: it is cut short"
                )
            }
            Self::Malformed => write!(
                f,
                "what follows the data of the unsealed file is no trailer"
            ),
            Self::Io(error) => write!(f, "the unsealed file cannot be read: {error}"),
        }
    }
}

impl std::error::Error for TrailerError {}

impl From<io::Error> for TrailerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads what is allocated in an `unsealed` file.
pub fn read(file: &File, sector_size: u64) -> Result<Allocated, TrailerError> {
    let length = file.metadata()?.len();
    if length < sector_size {
        return Err(TrailerError::TooShort {
            length,
            sector_size,
        });
    }
    if length == sector_size {
        return Ok(Allocated::all(sector_size));
    }
    let extra = length - sector_size;
    if !(4..=LONGEST_TRAILER).contains(&extra) {
        return Err(TrailerError::Malformed);
    }
    let mut trailer = vec![0; usize::try_from(extra).expect("bounded above")];
    file.read_exact_at(&mut trailer, sector_size)?;
    let (bitfield, counted) = trailer.split_at(trailer.len() - 4);
    let counted = u32::from_le_bytes(counted.try_into().expect("four bytes"));
    if bitfield.len() as u64 != u64::from(counted) {
        return Err(TrailerError::Malformed);
    }
    let allocated = rle_plus::decode(bitfield).map_err(|_| TrailerError::Malformed)?;
    match allocated.ranges().last() {
        Some(last) if last.end > sector_size => Err(TrailerError::Malformed),
        _ => Ok(allocated),
    }
}

/// Writes the trailer and cuts the file behind it; the data is not touched. The caller makes it durable.
pub fn write(file: &File, sector_size: u64, allocated: &Allocated) -> io::Result<()> {
    let mut trailer = rle_plus::encode(allocated);
    let counted = u32::try_from(trailer.len()).expect("a bitfield of less than 4 GiB");
    trailer.extend_from_slice(&counted.to_le_bytes());
    file.write_all_at(&trailer, sector_size)?;
    file.set_len(sector_size + trailer.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> File {
        tempfile::tempfile().expect("a temporary file")
    }

    #[test]
    fn a_file_without_trailer_is_wholly_allocated() {
        let file = scratch();
        file.set_len(2048).unwrap();
        assert_eq!(read(&file, 2048).unwrap(), Allocated::all(2048));
    }

    #[test]
    fn what_is_written_is_read() {
        let file = scratch();
        file.set_len(2048).unwrap();
        let mut allocated = Allocated::none();
        write(&file, 2048, &allocated).unwrap();
        assert_eq!(read(&file, 2048).unwrap(), allocated);
        allocated.insert(0..1024);
        write(&file, 2048, &allocated).unwrap();
        assert_eq!(read(&file, 2048).unwrap(), allocated);
    }

    #[test]
    fn cut_and_garbled_files_are_refused() {
        let file = scratch();
        file.set_len(2047).unwrap();
        assert!(matches!(
            read(&file, 2048),
            Err(TrailerError::TooShort { .. })
        ));
        file.set_len(2050).unwrap();
        assert!(matches!(read(&file, 2048), Err(TrailerError::Malformed)));
        write(&file, 2048, &Allocated::all(4096)).unwrap();
        assert!(matches!(read(&file, 2048), Err(TrailerError::Malformed)));
    }
}
