//! What a sector file holds: made from a seed, written durably, read back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::scene::Subject;

/// The bytes of each file; a single file has no name.
pub(crate) type Content = BTreeMap<String, Vec<u8>>;

/// A sealed file, or a cache of five files: small ones, an empty one, and a large one with a hole at its end.
pub(crate) fn content(subject: Subject, bytes: usize, seed: u64) -> Content {
    let one =
        |name: &str, bytes: usize, salt: u64| (name.to_owned(), noise(bytes, seed ^ salt << 32));
    match subject {
        Subject::File => Content::from([one("", bytes, 0)]),
        Subject::Directory => {
            let mut sparse = noise(bytes, seed);
            sparse.resize(bytes + (1 << 20), 0);
            Content::from([
                one("p_aux", 64, 1),
                one("t_aux", 0, 2),
                one("sc-02-data-tree-r-last-0.dat", bytes / 4 + 1, 3),
                one("sc-02-data-tree-r-last-1.dat", 4096, 4),
                ("sc-02-data-tree-r-last-2.dat".to_owned(), sparse),
            ])
        }
    }
}

/// Bytes that do not compress and are the same again for the same seed (splitmix64).
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = crate::tell::Random::new(seed);
    let mut all = Vec::with_capacity(bytes + 8);
    while all.len() < bytes {
        all.extend_from_slice(&random.next().to_le_bytes());
    }
    all.truncate(bytes);
    all
}

pub(crate) fn write_durably(path: &Path, content: &Content, subject: Subject) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    if subject == Subject::Directory {
        fs::create_dir(path)?;
    }
    for (name, bytes) in content {
        let at = if name.is_empty() {
            path.to_owned()
        } else {
            path.join(name)
        };
        write_sparsely(&at, bytes)?;
    }
    sync_whole(path)
}

/// Zeros at the end become a hole.
fn write_sparsely(at: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = File::create_new(at)?;
    let data = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    file.write_all_at(&bytes[..data], 0)?;
    file.set_len(bytes.len() as u64)
}

/// Makes the whole file system of a path durable.
pub(crate) fn sync_whole(path: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(path)?).map_err(io::Error::from)
}

pub(crate) fn read(path: &Path) -> io::Result<Option<Content>> {
    let meta = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if meta.is_file() {
        return Ok(Some(Content::from([(String::new(), fs::read(path)?)])));
    }
    let mut content = Content::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        content.insert(name, fs::read(entry.path())?);
    }
    Ok(Some(content))
}
