//! The words of `/remote`: file types, sector names, and the files a cache directory may hold.

use std::fmt;
use std::str::FromStr;

/// The field's sector file types, as they stand in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// Client data, readable.
    Unsealed,
    /// The sealed replica.
    Sealed,
    /// Directory of layers, trees and auxiliary files.
    Cache,
    /// The replica of a snapped sector.
    Update,
    /// Directory beside an update.
    UpdateCache,
    /// A piece before it joins a sector.
    Piece,
}

impl FileType {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 6] = [
        Self::Unsealed,
        Self::Sealed,
        Self::Cache,
        Self::Update,
        Self::UpdateCache,
        Self::Piece,
    ];

    /// The word in paths and URLs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unsealed => "unsealed",
            Self::Sealed => "sealed",
            Self::Cache => "cache",
            Self::Update => "update",
            Self::UpdateCache => "update-cache",
            Self::Piece => "piece",
        }
    }

    /// Place in [`FileType::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl FromStr for FileType {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or(())
    }
}

/// A sector's name on disk and in URLs, `s-t01000-7`.
///
/// Zero padding is accepted and forgotten, as lotus does; what does not fit 64 bits is no sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SectorName {
    /// The actor number after `t0`.
    pub miner: u64,
    /// The sector's number.
    pub number: u64,
}

impl fmt::Display for SectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s-t0{}-{}", self.miner, self.number)
    }
}

impl FromStr for SectorName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let (miner, number) = name
            .strip_prefix("s-t0")
            .and_then(|rest| rest.split_once('-'))
            .ok_or(())?;
        Ok(Self {
            miner: decimal(miner).ok_or(())?,
            number: decimal(number).ok_or(())?,
        })
    }
}

/// A plain decimal of 1 to 20 digits that fits 64 bits; no sign, no blanks.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

const GIB: u64 = 1 << 30;

/// How large a file of this name in a cache directory may be; `None` when it does not belong there.
///
/// The table is lotus's (its fetch client refuses any other name), with `sc-02-data-tree-c.dat`
/// added, which small sectors have before they are finalized.
pub fn cache_file_limit(name: &str) -> Option<u64> {
    match name {
        "p_aux" => return Some(64),
        "t_aux" => return Some(10_240),
        _ => {}
    }
    let stem = name.strip_prefix("sc-02-data-")?.strip_suffix(".dat")?;
    let numbered = |prefix: &str, from: u64, to: u64| {
        stem.strip_prefix(prefix)
            .filter(|digits| !digits.starts_with('0') || *digits == "0")
            .and_then(decimal)
            .is_some_and(|part| (from..=to).contains(&part))
    };
    if stem == "tree-r-last" || numbered("tree-r-last-", 0, 15) {
        Some(10_000_000)
    } else if numbered("layer-", 1, 11) {
        Some(65 * GIB)
    } else if stem == "tree-c" || numbered("tree-c-", 0, 15) {
        Some(5 * GIB)
    } else if stem == "tree-d" {
        Some(130 * GIB)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sector_names_are_read_strictly() {
        assert_eq!(
            "s-t01000-7".parse(),
            Ok(SectorName {
                miner: 1000,
                number: 7
            })
        );
        assert_eq!(
            "s-t0001000-007".parse(),
            Ok(SectorName {
                miner: 1000,
                number: 7
            })
        );
        for bad in [
            "s-t01000-7junk",
            "s-f01000-7",
            "s-t0-7",
            "s-t01000-",
            "s-t01000--7",
            "s-t01000-+7",
            "s-t01000-18446744073709551616",
            "s-t01000-000000000000000000007",
            "s-t01000-7/",
            "xyz",
            "",
        ] {
            assert_eq!(bad.parse::<SectorName>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn only_the_fields_cache_files_are_known() {
        for (name, limit) in [
            ("p_aux", 64),
            ("t_aux", 10_240),
            ("sc-02-data-tree-r-last.dat", 10_000_000),
            ("sc-02-data-tree-r-last-15.dat", 10_000_000),
            ("sc-02-data-layer-11.dat", 65 * GIB),
            ("sc-02-data-tree-c.dat", 5 * GIB),
            ("sc-02-data-tree-c-0.dat", 5 * GIB),
            ("sc-02-data-tree-d.dat", 130 * GIB),
        ] {
            assert_eq!(cache_file_limit(name), Some(limit), "{name}");
        }
        for bad in [
            "./p_aux",
            "p_aux ",
            "sc-02-data-layer-0.dat",
            "sc-02-data-layer-12.dat",
            "sc-02-data-layer-01.dat",
            "sc-02-data-tree-c-16.dat",
            "sc-02-data-tree-d-0.dat",
            "syn-porep-vanilla-proofs.dat",
            "manifest.json",
            "",
        ] {
            assert_eq!(cache_file_limit(bad), None, "{bad}");
        }
    }
}
