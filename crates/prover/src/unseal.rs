//! Gets data back out of a sealed file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use filecoin_proofs_api::fr32::Fr32Reader;
use filecoin_proofs_api::seal::get_unsealed_range_mapped;
use filecoin_proofs_api::{UnpaddedByteIndex, UnpaddedBytesAmount};
use serde::Deserialize;
use serde_json::{Value, json};
use unsealed::{Allocated, padded, unpadded};

use crate::commitment::Tree;
use crate::failure::{Failure, NamesFile};
use crate::registry::{Hex32, Sector};
use crate::unsealed_file::UnsealedFile;

/// Unpadded bytes that are padded at a time.
const BATCH: usize = 127 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Unseal {
    sector: Sector,
    sealed: PathBuf,
    unsealed: PathBuf,
    ticket: Hex32,
    comm_d: Hex32,
    /// Unpadded.
    offset: u64,
    /// Unpadded.
    size: u64,
    /// A directory that does not exist yet. Unsealing leaves a label layer of the sector's size under tree-d's name in
    /// the cache directory it is given; in the sector's own it would replace the real tree-d.
    scratch_cache: PathBuf,
}

impl Unseal {
    pub fn run(self) -> Result<Value, Failure> {
        self.check()?;
        let range = padded(self.offset)..padded(self.offset + self.size);
        // An empty file is what a task leaves that was killed before it wrote the trailer.
        let begun = fs::metadata(&self.unsealed).is_ok_and(|found| found.len() > 0);
        let mut target = if begun {
            UnsealedFile::open(&self.unsealed, self.sector.bytes())?
        } else {
            UnsealedFile::create(&self.unsealed, self.sector.bytes())?
        };
        if !target.holds(&range) {
            self.decode(&target)?;
            target.allocate(range)?;
        }
        Ok(json!({}))
    }

    fn check(&self) -> Result<(), Failure> {
        let end = self.offset.checked_add(self.size);
        let fits = end.is_some_and(|end| end <= unpadded(self.sector.bytes()));
        let whole_units = self.offset.is_multiple_of(127) && self.size.is_multiple_of(127);
        if self.size == 0 || !fits || !whole_units {
            return Err(Failure::bad_request(format!(
                "{} bytes at {} are no range of this sector in steps of 127",
                self.size, self.offset
            )));
        }
        let sealed = fs::metadata(&self.sealed).of("the sealed file", &self.sealed)?;
        if sealed.len() != self.sector.bytes() {
            return Err(Failure::bad_sector(format!(
                "{} has {} bytes, its sector {}",
                self.sealed.display(),
                sealed.len(),
                self.sector.bytes()
            )));
        }
        Ok(())
    }

    fn decode(&self, target: &UnsealedFile) -> Result<(), Failure> {
        fs::create_dir(&self.scratch_cache).of("the scratch directory", &self.scratch_cache)?;
        let whole = self.size == unpadded(self.sector.bytes());
        let (file, held) = (target.file(), target.allocated());
        let mut writer = PadWriter::new(file, held, padded(self.offset), whole);
        let written = get_unsealed_range_mapped(
            self.sector.proof,
            self.scratch_cache.clone(),
            self.sealed.clone(),
            &mut writer,
            self.sector.prover_id(),
            self.sector.id(),
            self.comm_d.0,
            self.ticket.0,
            UnpaddedByteIndex(self.offset),
            UnpaddedBytesAmount(self.size),
        );
        fs::remove_dir_all(&self.scratch_cache)?;
        if written?.0 != self.size || !writer.finish()? {
            return Err(Failure::bad_sector("unsealing ended early"));
        }
        // A wrong ticket or a damaged replica gives noise and no error; the data's own commitment tells.
        match writer.tree.and_then(|tree| tree.root()) {
            Some(found) if found != self.comm_d.0 => Err(Failure::bad_sector(format!(
                "what comes out of {} is not the data of its comm_d: another ticket, or a damaged file",
                self.sealed.display()
            ))),
            _ => Ok(()),
        }
    }
}

/// Pads data bytes on their way into an unsealed file. What it holds already is not written over: a damaged replica
/// unseals to noise, and the noise would take the place of good data before anyone could tell.
struct PadWriter<'a> {
    file: &'a File,
    held: &'a Allocated,
    at: u64,
    waiting: Vec<u8>,
    tree: Option<Tree>,
}

impl<'a> PadWriter<'a> {
    fn new(file: &'a File, held: &'a Allocated, at: u64, with_tree: bool) -> Self {
        Self {
            file,
            held,
            at,
            waiting: Vec::with_capacity(2 * BATCH),
            tree: with_tree.then(Tree::default),
        }
    }

    fn write_out(&mut self, bytes: usize) -> io::Result<()> {
        let mut padded = Vec::with_capacity(bytes / 127 * 128);
        Fr32Reader::new(&self.waiting[..bytes]).read_to_end(&mut padded)?;
        let mut missing = Allocated::none();
        missing.insert(self.at..self.at + padded.len() as u64);
        for range in self.held.ranges() {
            missing.remove(range);
        }
        let inside = |at: u64| usize::try_from(at - self.at).expect("at most a batch");
        for range in missing.ranges() {
            let part = &padded[inside(range.start)..inside(range.end)];
            self.file.write_all_at(part, range.start)?;
        }
        self.at += padded.len() as u64;
        self.waiting.drain(..bytes);
        if let Some(tree) = &mut self.tree {
            tree.push(&padded);
        }
        Ok(())
    }

    /// Writes the rest; false when it is no whole unit.
    fn finish(&mut self) -> io::Result<bool> {
        self.write_out(self.waiting.len() / 127 * 127)?;
        Ok(self.waiting.is_empty())
    }
}

impl Write for PadWriter<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let taken = buffer.len().min(BATCH);
        self.waiting.extend_from_slice(&buffer[..taken]);
        if self.waiting.len() >= BATCH {
            self.write_out(self.waiting.len() / 127 * 127)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_does_not_depend_on_how_the_bytes_come() {
        let data: Vec<u8> = (0..127 * 8).map(|at| (at * 7 % 256) as u8).collect();
        let mut expected = Vec::new();
        Fr32Reader::new(data.as_slice())
            .read_to_end(&mut expected)
            .unwrap();
        let file = tempfile::tempfile().unwrap();
        let nothing = Allocated::none();
        let mut writer = PadWriter::new(&file, &nothing, 0, true);
        for part in data.chunks(100) {
            writer.write_all(part).unwrap();
        }
        assert!(writer.finish().unwrap());
        let mut found = vec![0; 1024];
        file.read_exact_at(&mut found, 0).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_the_file_holds_already_is_not_written_over() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 512], 256).unwrap();
        let mut held = Allocated::none();
        held.insert(256..768);
        let mut writer = PadWriter::new(&file, &held, 0, false);
        writer.write_all(&[0xff; 127 * 8]).unwrap();
        assert!(writer.finish().unwrap());
        let mut found = vec![0; 1024];
        file.read_exact_at(&mut found, 0).unwrap();
        assert_eq!(found[256..768], [7; 512]);
        assert!(
            found[..256]
                .iter()
                .chain(&found[768..])
                .all(|byte| *byte != 7)
        );
    }
}
