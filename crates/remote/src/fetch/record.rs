//! How far a fetch has come, durably: a small file beside what it writes.
//!
//! The data is on the disk before its offset is in here (`fdatasync` first). Two slots are written in turn, each
//! with its hash: a power cut in the middle of one leaves the other. A record that says nothing understandable
//! says that nothing was kept.

use std::os::fd::OwnedFd;

use sys::{Errno, Result, files, names};

use crate::names::decimal;

const SLOT: usize = 4096;
const HASH: usize = 32;
const MAGIC: &str = "sealyard-fetch-1";

/// What is on the disk, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Validators are a server's own: another URL's are not comparable.
    pub url: String,
    /// The `ETag`, or the date of the last change; of a directory, its listing's.
    pub validator: String,
    /// Inode of the file or directory that was written.
    pub inode: u64,
    /// Length of the present file.
    pub total: u64,
    /// Files of a directory that are complete, and their bytes.
    pub files: u64,
    pub before: u64,
    /// Bytes of the present file that are complete.
    pub offset: u64,
}

/// The open record.
#[derive(Debug)]
pub(crate) struct Record {
    file: OwnedFd,
    sequence: u64,
}

impl Record {
    /// Opens the record of this name, or makes an empty one.
    pub(crate) fn open(dir: &OwnedFd, leaf: &str) -> Result<(Self, Option<Mark>)> {
        let file = match files::open_to_write(dir, leaf) {
            Err(Errno::NOENT) => files::create_file(dir, leaf)?,
            other => other?,
        };
        let mut newest: Option<(u64, Mark)> = None;
        for slot in 0..2 {
            let mut block = vec![0u8; SLOT];
            let read = files::read_at(&file, &mut block, slot * SLOT as u64)?;
            if let Some(found) = parse(&block[..read])
                && newest
                    .as_ref()
                    .is_none_or(|(sequence, _)| *sequence < found.0)
            {
                newest = Some(found);
            }
        }
        let sequence = newest.as_ref().map_or(0, |(sequence, _)| *sequence);
        Ok((Self { file, sequence }, newest.map(|(_, mark)| mark)))
    }

    /// Says durably how far it is. The data must be durable before.
    pub(crate) fn put(&mut self, mark: &Mark) -> Result<()> {
        self.sequence += 1;
        let Some(block) = format(self.sequence, mark) else {
            return Err(Errno::NAMETOOLONG);
        };
        let slot = self.sequence % 2;
        write_all(&self.file, &block, slot * SLOT as u64)?;
        files::sync_data(&self.file)
    }

    /// Says durably that nothing is kept: before the first byte of something else is written.
    pub(crate) fn clear(&mut self) -> Result<()> {
        files::set_length(&self.file, 0)?;
        files::sync_data(&self.file)
    }
}

/// Removes the record of this name, if there is one.
pub(crate) fn remove(dir: &OwnedFd, leaf: &str) -> Result<()> {
    match names::unlink(dir, leaf) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

fn write_all(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    while !bytes.is_empty() {
        match files::write_at(file, bytes, offset)? {
            0 => return Err(Errno::IO),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

fn format(sequence: u64, mark: &Mark) -> Option<Vec<u8>> {
    let Mark {
        url,
        validator,
        inode,
        total,
        files,
        before,
        offset,
    } = mark;
    let text = format!(
        "{MAGIC}\n{sequence}\n{url}\n{validator}\n{inode}\n{total}\n{files}\n{before}\n{offset}\n"
    );
    // Neither can hold a line feed: both have been fields of a request.
    let mut block = vec![0u8; SLOT];
    block
        .get_mut(HASH..HASH + text.len())?
        .copy_from_slice(text.as_bytes());
    let hash = blake3::hash(&block[HASH..]);
    block[..HASH].copy_from_slice(hash.as_bytes());
    Some(block)
}

fn parse(block: &[u8]) -> Option<(u64, Mark)> {
    if block.len() != SLOT
        || blake3::hash(&block[HASH..]) != <[u8; HASH]>::try_from(&block[..HASH]).ok()?
    {
        return None;
    }
    let text = std::str::from_utf8(&block[HASH..]).ok()?;
    let lines: Vec<&str> = text.split('\n').collect();
    let [
        MAGIC,
        sequence,
        url,
        validator,
        inode,
        total,
        files,
        before,
        offset,
        _,
    ] = lines[..]
    else {
        return None;
    };
    let mark = Mark {
        url: url.to_owned(),
        validator: validator.to_owned(),
        inode: decimal(inode)?,
        total: decimal(total)?,
        files: decimal(files)?,
        before: decimal(before)?,
        offset: decimal(offset)?,
    };
    Some((decimal(sequence)?, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(offset: u64) -> Mark {
        Mark {
            url: "http://host:1/remote/sealed/s-t01-1".into(),
            validator: "\"1-2\"".into(),
            inode: 7,
            total: 1 << 35,
            files: 0,
            before: 0,
            offset,
        }
    }

    fn slots(dir: &tempfile::TempDir) -> Vec<u8> {
        std::fs::read(dir.path().join("record")).unwrap()
    }

    #[test]
    fn the_last_mark_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let parent = files::open_root(dir.path()).unwrap();
        let (mut record, found) = Record::open(&parent, "record").unwrap();
        assert_eq!(found, None);
        for offset in [1 << 20, 2 << 20, 3 << 20] {
            record.put(&mark(offset)).unwrap();
            let (_, found) = Record::open(&parent, "record").unwrap();
            assert_eq!(found, Some(mark(offset)));
        }
        record.clear().unwrap();
        assert_eq!(Record::open(&parent, "record").unwrap().1, None);
        record.put(&mark(9)).unwrap();
        assert_eq!(Record::open(&parent, "record").unwrap().1, Some(mark(9)));
        remove(&parent, "record").unwrap();
        remove(&parent, "record").unwrap();
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let parent = files::open_root(dir.path()).unwrap();
        let (mut record, _) = Record::open(&parent, "record").unwrap();
        record.put(&mark(1)).unwrap();
        record.put(&mark(2)).unwrap();
        let whole = slots(&dir);
        // The second mark lies in slot 0.
        for torn in [0, 10, HASH + 3, SLOT - 1] {
            let mut bytes = whole.clone();
            bytes[torn] ^= 1;
            std::fs::write(dir.path().join("record"), &bytes).unwrap();
            assert_eq!(
                Record::open(&parent, "record").unwrap().1,
                Some(mark(1)),
                "{torn}"
            );
        }
        std::fs::write(dir.path().join("record"), &whole[..SLOT + 9]).unwrap();
        assert_eq!(Record::open(&parent, "record").unwrap().1, Some(mark(2)));
        std::fs::write(dir.path().join("record"), b"junk").unwrap();
        assert_eq!(Record::open(&parent, "record").unwrap().1, None);
    }

    #[test]
    fn what_does_not_fit_is_not_recorded() {
        let long = Mark {
            url: "x".repeat(SLOT),
            ..mark(1)
        };
        assert_eq!(format(1, &long), None);
    }
}
