//! A hash of content that does not depend on where the holes are.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::content::BLOCK;

const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Which hash is taken of what is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashKind {
    /// None; a copy that is read back is compared by xxh3 all the same.
    #[default]
    Off,
    /// XXH3 (128 bits): finds what disks and memory spoil, at a thirteenth of a core per GB/s or so.
    Xxh3,
    /// BLAKE3: finds what someone changed on purpose, too.
    Blake3,
}

impl HashKind {
    /// The word operators and TypeScript know.
    pub fn as_str(self) -> &'static str {
        match self {
            HashKind::Off => "off",
            HashKind::Xxh3 => "xxh3",
            HashKind::Blake3 => "blake3",
        }
    }

    /// The kind of this name.
    pub fn of_word(word: &str) -> Option<HashKind> {
        let all = [HashKind::Off, HashKind::Xxh3, HashKind::Blake3];
        all.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The hash of one file's content; shown as `blake3:…` or `xxh3:…`.
///
/// It is taken over each run of blocks (4096 bytes) that are not all zero: its start, its data, its length; then over
/// the size of the file. Numbers are 64 bits, little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// XXH3, 128 bits.
    Xxh3([u8; 16]),
    /// BLAKE3, 256 bits.
    Blake3([u8; 32]),
}

impl Digest {
    /// What it was made with.
    pub fn kind(&self) -> HashKind {
        match self {
            Digest::Xxh3(_) => HashKind::Xxh3,
            Digest::Blake3(_) => HashKind::Blake3,
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Digest::Xxh3(bytes) => bytes,
            Digest::Blake3(bytes) => bytes,
        };
        write!(out, "{}:", self.kind().as_str())?;
        bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

enum Hasher {
    Xxh3(Box<Xxh3>),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Xxh3(hasher) => hasher.update(bytes),
            Hasher::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    fn finish(&self) -> Digest {
        match self {
            Hasher::Xxh3(hasher) => Digest::Xxh3(hasher.digest128().to_be_bytes()),
            Hasher::Blake3(hasher) => Digest::Blake3(*hasher.finalize().as_bytes()),
        }
    }
}

/// Hashes each run of blocks that are not all zero (start, data, length), then the file's size.
///
/// Blocks of zeros and holes count the same, so a sparse copy hashes as its dense source, and
/// terabytes of holes cost nothing. Parsed from the end the input is unambiguous.
pub(crate) struct ContentHash {
    hasher: Hasher,
    run: Option<(u64, u64)>,
}

impl ContentHash {
    /// None where no hash is wanted.
    pub fn new(kind: HashKind) -> Option<ContentHash> {
        let hasher = match kind {
            HashKind::Off => return None,
            HashKind::Xxh3 => Hasher::Xxh3(Box::new(Xxh3::new())),
            HashKind::Blake3 => Hasher::Blake3(Box::new(blake3::Hasher::new())),
        };
        Some(ContentHash { hasher, run: None })
    }

    /// Adds data at an offset that is a multiple of the block size and not before what came earlier.
    pub fn update(&mut self, offset: u64, bytes: &[u8]) {
        debug_assert_eq!(offset % BLOCK as u64, 0, "hashed in whole blocks");
        let mut at = 0;
        while at < bytes.len() {
            let from = at;
            while at < bytes.len() && !is_zero(block_at(bytes, at)) {
                at += block_at(bytes, at).len();
            }
            if at > from {
                self.add_run(offset + from as u64, &bytes[from..at]);
            } else {
                at += block_at(bytes, at).len();
            }
        }
    }

    fn add_run(&mut self, start: u64, bytes: &[u8]) {
        match self.run {
            Some((first, end)) if end == start => {
                self.run = Some((first, end + bytes.len() as u64))
            }
            _ => {
                self.end_run();
                self.hasher.update(&start.to_le_bytes());
                self.run = Some((start, start + bytes.len() as u64));
            }
        }
        self.hasher.update(bytes);
    }

    fn end_run(&mut self) {
        if let Some((first, end)) = self.run.take() {
            self.hasher.update(&(end - first).to_le_bytes());
        }
    }

    pub fn finish(mut self, size: u64) -> Digest {
        self.end_run();
        self.hasher.update(&size.to_le_bytes());
        self.hasher.finish()
    }
}

fn block_at(bytes: &[u8], at: usize) -> &[u8] {
    &bytes[at..bytes.len().min(at + BLOCK)]
}

/// Whether at most one block of bytes is all zero.
pub(crate) fn is_zero(block: &[u8]) -> bool {
    block == &ZEROS[..block.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [HashKind; 2] = [HashKind::Xxh3, HashKind::Blake3];

    fn hash_in_pieces(kind: HashKind, bytes: &[u8], piece: usize) -> Digest {
        let mut hash = ContentHash::new(kind).unwrap();
        for (at, part) in bytes.chunks(piece).enumerate() {
            hash.update((at * piece) as u64, part);
        }
        hash.finish(bytes.len() as u64)
    }

    #[test]
    fn the_hash_does_not_depend_on_how_the_content_was_cut() {
        let mut bytes = vec![0u8; 20 * BLOCK + 77];
        bytes[3 * BLOCK..5 * BLOCK].fill(1);
        bytes[9 * BLOCK + 5] = 9;
        bytes[20 * BLOCK..].fill(3);
        for kind in KINDS {
            let whole = hash_in_pieces(kind, &bytes, bytes.len());
            for blocks in 1..8 {
                assert_eq!(hash_in_pieces(kind, &bytes, blocks * BLOCK), whole);
            }
        }
    }

    #[test]
    fn the_hash_skips_holes_and_tells_every_change() {
        for kind in KINDS {
            let bytes = vec![7u8; 2 * BLOCK];
            let hash = |start: u64, size: u64, zeros_before: bool| {
                let mut hash = ContentHash::new(kind).unwrap();
                if zeros_before {
                    hash.update(0, &[0u8; 4 * BLOCK]);
                }
                hash.update(start * BLOCK as u64, &bytes);
                hash.finish(size * BLOCK as u64)
            };
            let expected = hash(4, 99, true);
            assert_eq!(hash(4, 99, false), expected);
            assert_ne!(hash(5, 99, false), expected);
            assert_ne!(hash(4, 98, false), expected);
        }
    }

    #[test]
    fn a_digest_says_what_it_was_made_with() {
        let empty = |kind| ContentHash::new(kind).unwrap().finish(0).to_string();
        assert!(empty(HashKind::Blake3).starts_with("blake3:"));
        assert_eq!(empty(HashKind::Xxh3).len(), "xxh3:".len() + 32);
        assert!(ContentHash::new(HashKind::Off).is_none());
        assert_eq!(HashKind::of_word("xxh3"), Some(HashKind::Xxh3));
        assert_eq!(HashKind::of_word("md5"), None);
    }
}
