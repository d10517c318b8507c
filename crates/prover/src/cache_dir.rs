//! What lies in a sector's cache directory. The proofs crates take files there by name and length, whatever is in
//! them; these checks stand before each phase.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::failure::{Failure, NamesFile};

pub const TREE_D: &str = "sc-02-data-tree-d.dat";
const LAYER_1: &str = "sc-02-data-layer-1.dat";
const SYNTHETIC_PROOFS: &str = "syn-porep-vanilla-proofs.dat";
const NODE: u64 = 32;
/// comm_c and comm_r_last.
const P_AUX_BYTES: u64 = 64;
/// Nodes compared between the sealed file and tree-d.
const SAMPLES: u64 = 64;

fn is_made_by_pc2(name: &str) -> bool {
    name.starts_with("sc-02-data-tree-c")
        || name.starts_with("sc-02-data-tree-r-last")
        || name == "p_aux"
        || name == "t_aux"
}

fn made_by_pc2(cache: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(cache).of("the cache directory", cache)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_made_by_pc2(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Makes the directory fit for PC1: whole layers stay (its caller vouches for them), but a tree-d would be taken as it
/// is and fail for ever when stale, and what PC2 made is void as soon as PC1 replaces the sealed file.
pub fn prepare_for_pc1(cache: &Path) -> Result<(), Failure> {
    fs::create_dir_all(cache).of("the cache directory", cache)?;
    for name in made_by_pc2(cache)?
        .iter()
        .map(String::as_str)
        .chain([TREE_D, SYNTHETIC_PROOFS])
    {
        remove(&cache.join(name))?;
    }
    Ok(())
}

/// PC2 takes a half-built tree-c as finished and encodes the sealed file in place: run over its own leftovers it gives
/// a wrong comm_r without any error. So it runs only on what PC1 has just left.
pub fn require_untouched_by_pc2(
    cache: &Path,
    sealed: &Path,
    sector_bytes: u64,
) -> Result<(), Failure> {
    let leftovers = made_by_pc2(cache)?;
    if !leftovers.is_empty() {
        return Err(Failure::not_restartable(format!(
            "{} already holds {} of an earlier PC2: run PC1 again, then PC2",
            cache.display(),
            leftovers.join(", ")
        )));
    }
    let tree_d = cache.join(TREE_D);
    let data = File::open(&tree_d).of("PC1's tree-d in", &tree_d)?;
    let replica = File::open(sealed).of("the sealed file", sealed)?;
    let nodes = sector_bytes / NODE;
    let (mut plain, mut found) = ([0; NODE as usize], [0; NODE as usize]);
    for sample in 0..SAMPLES {
        // The first, the last and evenly between: encoding starts at the first.
        let at = sample * (nodes - 1) / (SAMPLES - 1) * NODE;
        data.read_exact_at(&mut plain, at)
            .of("PC1's tree-d in", &tree_d)?;
        replica
            .read_exact_at(&mut found, at)
            .of("the sealed file", sealed)?;
        if plain != found {
            return Err(Failure::not_restartable(format!(
                "{} is no longer the plain copy that PC1 made, an earlier PC2 began to encode it: run PC1 again",
                sealed.display()
            )));
        }
    }
    Ok(())
}

/// Fails unless PC2's last file is there and whole. A power cut can leave it empty; the crates read a damaged one
/// without a word, and the SNARK made from it does not verify.
pub fn require_p_aux(cache: &Path) -> Result<(), Failure> {
    let p_aux = cache.join("p_aux");
    let bytes = p_aux.metadata().of("PC2's last file", &p_aux)?.len();
    if bytes == P_AUX_BYTES {
        return Ok(());
    }
    Err(Failure::bad_sector(format!(
        "{} has {bytes} bytes instead of {P_AUX_BYTES}: it is damaged",
        p_aux.display()
    )))
}

/// Whether the layers are still there.
pub fn has_layers(cache: &Path) -> bool {
    cache.join(LAYER_1).exists()
}

/// A file of synthetic proofs that a killed task began would be taken as whole.
pub fn remove_synthetic_proofs(cache: &Path) -> Result<(), Failure> {
    remove(&cache.join(SYNTHETIC_PROOFS))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).of("cannot remove", path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_pc1() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let sealed = directory.path().join("sealed");
        let data: Vec<u8> = (0..2048u32).map(|at| (at % 251) as u8).collect();
        fs::write(&sealed, &data).unwrap();
        let cache = directory.path().join("cache");
        fs::create_dir(&cache).unwrap();
        fs::write(cache.join(TREE_D), [data, vec![7; 2016]].concat()).unwrap();
        (directory, sealed)
    }

    #[test]
    fn pc2_runs_on_what_pc1_left() {
        let (directory, sealed) = after_pc1();
        require_untouched_by_pc2(&directory.path().join("cache"), &sealed, 2048).unwrap();
    }

    #[test]
    fn pc2_refuses_a_sealed_file_that_is_half_encoded() {
        let (directory, sealed) = after_pc1();
        let file = fs::OpenOptions::new().write(true).open(&sealed).unwrap();
        file.write_all_at(&[99; 32], 0).unwrap();
        let cache = directory.path().join("cache");
        let failure = require_untouched_by_pc2(&cache, &sealed, 2048).unwrap_err();
        assert_eq!(failure.kind, "not-restartable");
    }

    #[test]
    fn pc1_clears_what_pc2_made_and_keeps_layers() {
        let (directory, _) = after_pc1();
        let cache = directory.path().join("cache");
        for name in ["p_aux", "t_aux", "sc-02-data-tree-c-3.dat", LAYER_1] {
            fs::write(cache.join(name), "x").unwrap();
        }
        prepare_for_pc1(&cache).unwrap();
        let left: Vec<_> = fs::read_dir(&cache)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, [LAYER_1]);
    }
}
