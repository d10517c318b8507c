//! The fetch client: one sector file, or one cache directory, from another node to a private name here.
//!
//! The other node may be lotus, venus, Curio or Sealyard. Nothing is taken on trust: a body is
//! complete only where its framing proves it, an archive holds only names that belong in a cache, and
//! what was written is durable before the fetch counts as done. A fetch that fails leaves nothing, or what a
//! later one can go on from: with a durable record of what it is, and of how much is on the disk.
//!
//! What it cannot know is which files a cache must have: a lotus server that fails between two files
//! ends its answer politely. The caller compares [`Fetched::files`] with what the sector's phase needs.

mod archive;
mod ask;
mod body;
mod checks;
mod connection;
mod control;
mod directory;
mod disk_file;
mod failure;
mod head;
mod limits;
mod pour;
mod record;
mod single;
mod tar_header;
mod target;
mod url;
mod writers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ask::Asker;
pub use control::Control;
pub use failure::{Code, Failure};
pub use limits::Limits;
pub use pour::MARK_BYTES;
pub use target::FetchedFile;
use target::Target;
use writers::Writers;

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `unsealed`, `sealed`, `update`: one file.
    File,
    /// `cache`, `update-cache`: a directory, which travels as a tar archive.
    Directory,
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Self::File => "application/octet-stream",
            Self::Directory => "application/x-tar",
        }
    }

    /// Nodes name what they send. A file without a token comes from somebody else's server, which may
    /// call a piece what it likes, but an archive or a page of text is no piece.
    fn allows(self, media_type: &str, from_node: bool) -> bool {
        let foreign = self == Self::File && !from_node;
        media_type == self.media_type()
            || foreign && ![Self::Directory.media_type(), "text/html"].contains(&media_type)
    }
}

/// What is known of a single file before it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// Its length.
    pub bytes: Option<u64>,
    /// Its BLAKE3 hash; the file is read back from the disk for it.
    pub digest: Option<[u8; 32]>,
}

/// One download.
#[derive(Clone, Debug)]
pub struct Order {
    /// `http://host:port/remote/<type>/<name>`
    pub url: String,
    /// Sent as `Authorization: Bearer …` to that host and port only.
    pub token: Option<String>,
    /// Absolute path of the file or directory to make; its parent must exist. Without a record it must not exist.
    pub target: PathBuf,
    /// Name beside the target for how far it is. With one, what a failed fetch has brought stays for the next one
    /// from the same URL, and whatever else is at the target is replaced. It outlives a fetch that succeeded: the
    /// caller removes it once the target has its final name.
    pub record: Option<PathBuf>,
    /// With a record: after how many bytes it is brought up to date, [`MARK_BYTES`] unless there is a reason.
    pub mark_bytes: u64,
    /// What to expect.
    pub kind: Kind,
    /// Of a single file.
    pub expect: Expect,
    /// No byte for this long ends the fetch.
    pub progress_timeout: Duration,
    /// Shared with other fetches.
    pub limits: Arc<Limits>,
}

/// A complete download, durable at the target. Its final name is the mover's to give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Sum of the files' lengths.
    pub bytes: u64,
    /// Those of them that an earlier fetch had brought.
    pub bytes_resumed: u64,
    /// What was written; for a file one entry with an empty name.
    pub files: Vec<FetchedFile>,
    /// From the first packet to the last fsync.
    pub time: Duration,
    /// The server's validator for it, if it sent one.
    pub etag: Option<String>,
}

/// Downloads. Blocks until it is done, has failed or was ended.
pub fn fetch(order: &Order, control: &Control) -> std::result::Result<Fetched, Failure> {
    let started = Instant::now();
    let mut asker = Asker {
        order,
        control,
        status: None,
    };
    let outcome = run(&mut asker);
    let (status, bytes_done) = (asker.status, control.done());
    match outcome {
        Ok(fetched) => Ok(Fetched {
            time: started.elapsed(),
            ..fetched
        }),
        Err(failure) => Err(Failure {
            status,
            bytes_done,
            ..failure
        }),
    }
}

fn run(asker: &mut Asker) -> failure::Result<Fetched> {
    let target = Target::open(asker.order)?;
    let known = target.open_record()?;
    let mut writers = Writers::start().map_err(|error| {
        Failure::new(
            Code::Io,
            format!("no thread to write what arrives: {error}"),
        )
    })?;
    let fetched = match asker.order.kind {
        Kind::File => single::fetch_single(asker, &target, known, &mut writers),
        Kind::Directory => directory::fetch_directory(asker, &target, known, &mut writers),
    };
    // Whatever is still being written has its file until then.
    drop(writers);
    fetched.map_err(|failure| target.after(failure))
}
