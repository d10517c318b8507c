//! A cache directory as one complete tar archive whose length is known before the first byte.
//!
//! Headers come from memory, bodies straight from the files. Entries stand in byte-wise name order,
//! plain `ustar`, with a PAX record for sizes that do not fit: what a lotus client reads.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType as Inode};
use rustix::io::Errno;

use super::source::Identity;
use crate::listing::Listed;
use crate::names::cache_file_limit;

pub(crate) const BLOCK: u64 = 512;
/// Two empty blocks end an archive.
const END: u64 = 2 * BLOCK;
/// The largest size eleven octal digits hold.
const MAX_OCTAL: u64 = 0o77_777_777_777;

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub name: String,
    pub identity: Identity,
    mode: u32,
    uid: u32,
    gid: u32,
}

/// What a directory held when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub entries: Vec<Entry>,
    /// Names that no cache directory holds; they are not served.
    pub skipped: Vec<String>,
}

impl Listing {
    /// Looks at every name of an open directory.
    /// Fails with `EOPNOTSUPP` when a known name is not a regular file.
    pub fn read(directory: &OwnedFd) -> io::Result<Self> {
        let (mut entries, mut skipped) = (Vec::new(), Vec::new());
        for item in Dir::read_from(directory)? {
            let name = item?.file_name().to_string_lossy().into_owned();
            match cache_file_limit(&name) {
                _ if name == "." || name == ".." => {}
                None => skipped.push(name),
                Some(_) => entries.push(Entry::read(directory, name)?),
            }
        }
        entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        skipped.sort();
        Ok(Self { entries, skipped })
    }

    /// Bytes of the whole archive.
    pub fn archive_length(&self) -> u64 {
        self.entries.iter().map(Entry::archived_length).sum::<u64>() + END
    }

    /// Changes when any file of the directory does.
    pub fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.entries.hash(&mut hasher);
        format!("\"d-{:x}-{:016x}\"", self.archive_length(), hasher.finish())
    }
}

impl Entry {
    fn read(directory: &OwnedFd, name: String) -> io::Result<Self> {
        let stat = rustix::fs::statat(directory, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
        if Inode::from_raw_mode(stat.st_mode) != Inode::RegularFile {
            return Err(Errno::OPNOTSUPP.into());
        }
        let (mode, uid, gid) = (stat.st_mode & 0o777, stat.st_uid, stat.st_gid);
        Ok(Self {
            name,
            identity: Identity::of(&stat),
            mode,
            uid,
            gid,
        })
    }

    /// What a listing says of it. Its hash is not known here.
    pub fn listed(&self) -> Listed {
        Listed {
            name: self.name.clone(),
            size: self.identity.size,
            etag: self.identity.etag(),
            digest: None,
        }
    }

    fn is_large(&self) -> bool {
        self.identity.size > MAX_OCTAL
    }

    fn archived_length(&self) -> u64 {
        let header = if self.is_large() { 3 * BLOCK } else { BLOCK };
        header + self.identity.size + self.padding()
    }

    /// Zeroes behind the body, up to the next block.
    pub fn padding(&self) -> u64 {
        self.identity.size.next_multiple_of(BLOCK) - self.identity.size
    }

    /// The header block; three of them when the size needs a PAX record.
    pub fn header(&self) -> Vec<u8> {
        if !self.is_large() {
            return self.block(&self.name, b'0', self.identity.size).to_vec();
        }
        let record = size_record(self.identity.size);
        let mut blocks = self
            .block(
                &format!("PaxHeaders.0/{}", self.name),
                b'x',
                record.len() as u64,
            )
            .to_vec();
        blocks.extend_from_slice(record.as_bytes());
        blocks.resize(2 * BLOCK as usize, 0);
        blocks.extend_from_slice(&self.block(&self.name, b'0', 0));
        blocks
    }

    fn block(&self, name: &str, kind: u8, size: u64) -> [u8; BLOCK as usize] {
        let mut block = [0; BLOCK as usize];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        let id = |id: u32| if id > 0o7_777_777 { 0 } else { id };
        put(0, name.as_bytes());
        put(100, format!("{:07o}", self.mode).as_bytes());
        put(108, format!("{:07o}", id(self.uid)).as_bytes());
        put(116, format!("{:07o}", id(self.gid)).as_bytes());
        put(124, format!("{size:011o}").as_bytes());
        let modified = self.identity.modified_seconds().clamp(0, MAX_OCTAL as i64);
        put(136, format!("{modified:011o}").as_bytes());
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        put(329, b"0000000");
        put(337, b"0000000");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }
}

/// A PAX record begins with its own length, that number included.
fn size_record(size: u64) -> String {
    let rest = format!(" size={size}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// The blocks that end an archive.
pub(crate) fn end() -> Vec<u8> {
    vec![0; END as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pax_record_counts_itself() {
        assert_eq!(size_record(9_663_676_416), "19 size=9663676416\n");
        assert_eq!(size_record(137_438_953_472).len(), 21);
    }

    #[test]
    fn only_known_regular_files_are_listed() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "t_aux",
            "p_aux",
            "sc-02-data-layer-2.dat",
            "sc-02-data-layer-10.dat",
            "notes.txt",
        ] {
            std::fs::write(root.path().join(name), name).unwrap();
        }
        let directory: OwnedFd = std::fs::File::open(root.path()).unwrap().into();
        let listing = Listing::read(&directory).unwrap();
        let names: Vec<&str> = listing
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "p_aux",
                "sc-02-data-layer-10.dat",
                "sc-02-data-layer-2.dat",
                "t_aux"
            ]
        );
        assert_eq!(listing.skipped, ["notes.txt"]);
        assert_eq!(listing.archive_length(), 4 * 1024 + 1024);

        std::os::unix::fs::symlink("/etc/passwd", root.path().join("sc-02-data-tree-d.dat"))
            .unwrap();
        assert!(Listing::read(&directory).is_err());
    }
}
