//! The unsealed file: padded data, then a trailer that says which ranges of it hold anything.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use filecoin_proofs_api::RegisteredSealProof;
use filecoin_proofs_api::fr32::write_unpadded;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::{Value, json};
use unsealed::{Allocated, read, unpadded, write};

use crate::failure::{Failure, NamesFile};
use crate::registry::sector_bytes;

/// Padded bytes that are unpadded at a time; what the fr32 crate works in.
const CHUNK: u64 = 128 * 1000;

/// An unsealed file that is being changed.
pub struct UnsealedFile {
    file: File,
    sector_bytes: u64,
    allocated: Allocated,
    path: PathBuf,
}

impl UnsealedFile {
    /// Makes the file, or empties the one that a killed task left.
    pub fn create(path: &Path, sector_bytes: u64) -> Result<Self, Failure> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .of("the unsealed file", path)?;
        let allocated = Allocated::none();
        // In one write: a file of exactly the sector's length counts as wholly allocated, and would read as zeroes.
        write(&file, sector_bytes, &allocated)?;
        Ok(Self::new(file, sector_bytes, allocated, path))
    }

    /// Opens one that is there.
    pub fn open(path: &Path, sector_bytes: u64) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).open(path);
        let file = file.of("the unsealed file", path)?;
        let allocated = read(&file, sector_bytes)?;
        Ok(Self::new(file, sector_bytes, allocated, path))
    }

    fn new(file: File, sector_bytes: u64, allocated: Allocated, path: &Path) -> Self {
        Self {
            file,
            sector_bytes,
            allocated,
            path: path.to_path_buf(),
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn holds(&self, range: &Range<u64>) -> bool {
        self.allocated.contains(range)
    }

    /// What is in the file already.
    pub fn allocated(&self) -> &Allocated {
        &self.allocated
    }

    /// Fails unless the padded `range` is there; an empty one always is.
    pub fn require(&self, range: &Range<u64>) -> Result<(), Failure> {
        require(&self.allocated, range, &self.path)
    }

    /// Makes `range` zeroes, without blocks where the filesystem can.
    pub fn clear(&self, range: &Range<u64>) -> Result<(), Failure> {
        if punch(&self.file, range)? {
            return Ok(());
        }
        let zeroes = vec![0; 1 << 20];
        let mut at = range.start;
        while at < range.end {
            let part = (range.end - at).min(zeroes.len() as u64);
            let part = &zeroes[..usize::try_from(part).expect("at most a MiB")];
            self.file.write_all_at(part, at)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// The data of `range` is written: makes it durable, then says so in the trailer.
    pub fn allocate(&mut self, range: Range<u64>) -> Result<(), Failure> {
        self.file.sync_data()?;
        self.allocated.insert(range);
        self.write_trailer()
    }

    fn write_trailer(&self) -> Result<(), Failure> {
        write(&self.file, self.sector_bytes, &self.allocated)?;
        Ok(self.file.sync_all()?)
    }
}

fn require(allocated: &Allocated, range: &Range<u64>, path: &Path) -> Result<(), Failure> {
    if range.is_empty() || allocated.contains(range) {
        return Ok(());
    }
    Err(Failure::new(
        "not-unsealed",
        format!(
            "{} does not hold the padded bytes {} to {}: unseal them first",
            path.display(),
            range.start,
            range.end
        ),
    ))
}

/// Frees the blocks of a range, which then reads as zeroes; false where the filesystem cannot.
fn punch(file: &File, range: &Range<u64>) -> Result<bool, Failure> {
    if range.is_empty() {
        return Ok(true);
    }
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(file, how, range.start, range.end - range.start) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

/// Copies data bytes out of an unsealed file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReadUnsealed {
    proof: RegisteredSealProof,
    unsealed: PathBuf,
    /// Unpadded.
    offset: u64,
    /// Unpadded.
    size: u64,
    output: PathBuf,
}

impl ReadUnsealed {
    pub fn run(self) -> Result<Value, Failure> {
        let sector = sector_bytes(self.proof);
        let end = self
            .offset
            .checked_add(self.size)
            .filter(|end| *end <= unpadded(sector));
        let Some(end) = end else {
            return Err(Failure::bad_request("the range lies outside the sector"));
        };
        let file = File::open(&self.unsealed).of("the unsealed file", &self.unsealed)?;
        let around = self.offset / 127 * 128..end.div_ceil(127) * 128;
        require(&read(&file, sector)?, &around, &self.unsealed)?;
        let mut output = File::create_new(&self.output).of("the output", &self.output)?;
        let mut at = around.start;
        while at < around.end {
            let chunk = at..(at + CHUNK).min(around.end);
            self.copy(&file, &chunk, &mut output)?;
            at = chunk.end;
        }
        Ok(json!({ "bytes": self.size }))
    }

    /// Unpads one chunk and writes what of it lies in the range that was asked for.
    fn copy(&self, file: &File, chunk: &Range<u64>, output: &mut File) -> Result<(), Failure> {
        let bytes = |count: u64| usize::try_from(count).expect("at most a chunk");
        let mut padded = vec![0; bytes(chunk.end - chunk.start)];
        file.read_exact_at(&mut padded, chunk.start)?;
        let (first, last) = (unpadded(chunk.start), unpadded(chunk.end));
        let mut data = Vec::with_capacity(bytes(last - first));
        write_unpadded(&padded, &mut data, 0, bytes(last - first))?;
        let from = bytes(self.offset.saturating_sub(first));
        let to = bytes((self.offset + self.size).min(last) - first);
        Ok(output.write_all(&data[from..to])?)
    }
}

/// Frees what is not kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FreeUnsealed {
    proof: RegisteredSealProof,
    unsealed: PathBuf,
    keep: Vec<PaddedRange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaddedRange {
    offset: u64,
    size: u64,
}

impl FreeUnsealed {
    pub fn run(self) -> Result<Value, Failure> {
        let sector = sector_bytes(self.proof);
        let mut target = UnsealedFile::open(&self.unsealed, sector)?;
        let mut freed = Allocated::all(sector);
        for PaddedRange { offset, size } in &self.keep {
            freed.remove(&(*offset..offset.saturating_add(*size)));
        }
        for range in freed.ranges() {
            target.allocated.remove(range);
        }
        // The trailer first: a reader that is told of a range must find it.
        target.write_trailer()?;
        let mut punched = true;
        for range in freed.ranges() {
            punched &= punch(&target.file, range)?;
        }
        if !punched {
            let path = self.unsealed.display();
            log::warn!(
                "{path}: this filesystem cannot free parts of a file; its blocks stay taken"
            );
        }
        Ok(json!({ "punched": punched }))
    }
}
