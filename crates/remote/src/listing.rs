//! The list of a cache directory's files, which nodes of ours send to each other in place of an archive.
//!
//! One line per file, in byte-wise name order: `<bytes> <ETag> <BLAKE3 in hexadecimal, or -> <name>`. Who asks with
//! `Accept` gets it; a stranger does not know the type and sends what it always sends.

use crate::names::{cache_file_limit, decimal};

/// What it is called on the wire.
pub const MEDIA_TYPE: &str = "application/vnd.sealyard.listing";
/// More is no listing: a cache has some 50 files.
pub(crate) const MAX_BYTES: u64 = 64 << 10;

/// One file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub name: String,
    pub size: u64,
    /// The file's own validator, as an answer with it alone has it.
    pub etag: String,
    pub digest: Option<[u8; 32]>,
}

/// Writes a listing.
pub(crate) fn format(files: &[Listed]) -> String {
    let line = |file: &Listed| {
        let digest = file.digest.map_or("-".into(), |hash| {
            blake3::Hash::from_bytes(hash).to_hex().to_string()
        });
        format!("{} {} {digest} {}\n", file.size, file.etag, file.name)
    };
    files.iter().map(line).collect()
}

/// Reads a listing. `None`: this is none, or one with a name that no cache directory holds.
pub(crate) fn parse(bytes: &[u8]) -> Option<Vec<Listed>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let files: Vec<Listed> = text.split('\n').map(parse_line).collect::<Option<_>>()?;
    // In order, so no name stands there twice.
    files.is_sorted_by(|a, b| a.name < b.name).then_some(files)
}

fn parse_line(line: &str) -> Option<Listed> {
    let words: Vec<&str> = line.split(' ').collect();
    let [size, etag, digest, name] = words[..] else {
        return None;
    };
    let digest = match digest {
        "-" => None,
        hex => Some(*blake3::Hash::from_hex(hex).ok()?.as_bytes()),
    };
    let size = decimal(size)?;
    let strong = etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"');
    (strong && size <= cache_file_limit(name)?).then(|| Listed {
        name: name.to_owned(),
        size,
        etag: etag.to_owned(),
        digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, digest: Option<[u8; 32]>) -> Listed {
        Listed {
            name: name.into(),
            size: 64,
            etag: "\"1-2\"".into(),
            digest,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let files = [
            listed("p_aux", None),
            listed("sc-02-data-tree-r-last.dat", Some([7; 32])),
        ];
        assert_eq!(parse(format(&files).as_bytes()), Some(files.to_vec()));
    }

    #[test]
    fn what_no_cache_holds_is_no_listing() {
        for bad in [
            "",
            "\n",
            "64 \"1\" - p_aux",
            "64 \"1\" - ../p_aux\n",
            "64 \"1\" - elsewhere\n",
            "65 \"1\" - p_aux\n",
            "64 W/\"1\" - p_aux\n",
            "64 \"\" - p_aux\n",
            "64 \"1\" x p_aux\n",
            "64 \"1\" - p_aux x\n",
            "64 \"1\" - t_aux\n64 \"1\" - p_aux\n",
            "64 \"1\" - p_aux\n64 \"1\" - p_aux\n",
            "<html>\n",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
