//! Whether a file of Groth16 parameters is whole: its counts of points are read and must add up to its length. The
//! contents are not looked at, but for the key that a `.params` file begins with.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of an uncompressed point of either group of BLS12-381.
const G1: u64 = 96;
const G2: u64 = 192;
/// alpha, beta and delta in G1; beta, gamma and delta in G2.
const KEY_HEAD: u64 = 3 * G1 + 3 * G2;
/// Points behind the key, in order: h, l, a, b in G1, b in G2.
const LISTS: [u64; 5] = [G1, G1, G1, G1, G2];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Whole,
    Missing,
    CutShort,
    /// Whole, but its key is not the one beside it.
    OfAnotherCircuit,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Missing => "missing",
            Self::CutShort => "cut short",
            Self::OfAnotherCircuit => "of another circuit",
        }
    }
}

/// A `.params` file.
pub fn parameters(path: &Path) -> io::Result<State> {
    check(path, &LISTS)
}

/// A `.vk` file.
pub fn verifying_key(path: &Path) -> io::Result<State> {
    check(path, &[])
}

/// Whether a whole `.params` file begins with the key of a whole `.vk` file: one that was copied under a wrong name
/// makes proofs that nobody accepts, after hours.
pub fn belong_together(parameters: &Path, key: &Path) -> io::Result<bool> {
    let key = std::fs::read(key)?;
    let mut head = vec![0; key.len()];
    File::open(parameters)?.read_exact_at(&mut head, 0)?;
    Ok(head == key)
}

fn check(path: &Path, lists: &[u64]) -> io::Result<State> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Missing),
        other => other?,
    };
    let length = file.metadata()?.len();
    let mut at = KEY_HEAD;
    for point in [G1].iter().chain(lists) {
        if at + 4 > length {
            return Ok(State::CutShort);
        }
        let mut count = [0; 4];
        file.read_exact_at(&mut count, at)?;
        at += 4 + u64::from(u32::from_be_bytes(count)) * point;
    }
    Ok(if at == length {
        State::Whole
    } else {
        State::CutShort
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_lost_its_end_is_cut_short() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v28-test.vk");
        assert_eq!(verifying_key(&path).unwrap(), State::Missing);
        let mut key = vec![0; 864];
        key.extend_from_slice(&2u32.to_be_bytes());
        key.extend_from_slice(&[0; 192]);
        std::fs::write(&path, &key).unwrap();
        assert_eq!(verifying_key(&path).unwrap(), State::Whole);
        assert_eq!(parameters(&path).unwrap(), State::CutShort);
        std::fs::write(&path, &key[..key.len() - 1]).unwrap();
        assert_eq!(verifying_key(&path).unwrap(), State::CutShort);
        std::fs::write(&path, "").unwrap();
        assert_eq!(verifying_key(&path).unwrap(), State::CutShort);
    }

    #[test]
    fn parameters_begin_with_their_key() {
        let directory = tempfile::tempdir().unwrap();
        let [groth, key] =
            ["v28-test.params", "v28-test.vk"].map(|name| directory.path().join(name));
        std::fs::write(&key, [7; 900]).unwrap();
        std::fs::write(&groth, [7; 2000]).unwrap();
        assert!(belong_together(&groth, &key).unwrap());
        std::fs::write(&groth, [8; 2000]).unwrap();
        assert!(!belong_together(&groth, &key).unwrap());
    }
}
