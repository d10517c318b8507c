//! The fetch client: one sector file, or one cache directory, from another node to a private name here.
//!
//! The other node may be lotus, venus, Curio or Sealyard. Nothing is taken on trust: a body is
//! complete only where its framing proves it, an archive holds only names that belong in a cache, and
//! what was written is durable before the fetch counts as done. A fetch that fails leaves nothing.
//!
//! What it cannot know is which files a cache must have: a lotus server that fails between two files
//! ends its answer politely. The caller compares [`Fetched::files`] with what the sector's phase needs.

mod archive;
mod body;
mod connection;
mod control;
mod failure;
mod head;
mod sparse_file;
mod tar_header;
mod target;
mod url;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use body::Body;
use connection::Connection;
pub use control::Control;
use failure::Result;
pub use failure::{Code, Failure};
use head::{Framing, Head};
pub use target::FetchedFile;
use target::Target;
use url::Url;

/// How often a server may send us elsewhere on itself.
const MAX_REDIRECTS: usize = 5;

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

/// One download.
#[derive(Clone, Debug)]
pub struct Order {
    /// `http://host:port/remote/<type>/<name>`
    pub url: String,
    /// Sent as `Authorization: Bearer …` to that host and port only.
    pub token: Option<String>,
    /// Absolute path of the file or directory to make; must not exist, its parent must.
    pub target: PathBuf,
    /// What to expect.
    pub kind: Kind,
    /// No byte for this long ends the fetch.
    pub progress_timeout: Duration,
}

/// A complete download, durable at the target. Its final name is the mover's to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Sum of the files' lengths.
    pub bytes: u64,
    /// What was written; for a file one entry with an empty name.
    pub files: Vec<FetchedFile>,
    /// From the first packet to the last fsync.
    pub time: Duration,
    /// The server's validator for it, if it sent one.
    pub etag: Option<String>,
}

/// Downloads. Blocks until it is done, has failed or was cancelled.
pub fn fetch(order: &Order, control: &Control) -> std::result::Result<Fetched, Failure> {
    let started = Instant::now();
    let mut status = None;
    let outcome = answer(order, control, &mut status).and_then(|(head, mut body)| {
        let target = Target::open(&order.target)?;
        let files = match order.kind {
            Kind::File => target.receive_file(&mut body)?,
            Kind::Directory => target.receive_directory(&mut body)?,
        };
        let bytes = files.iter().map(|file| file.size).sum();
        Ok(Fetched {
            bytes,
            files,
            time: started.elapsed(),
            etag: head.etag,
        })
    });
    outcome.map_err(|failure| Failure {
        status,
        bytes_done: control.done(),
        ..failure
    })
}

/// Asks, follows redirects, and lets through only the answer that was asked for.
fn answer<'a>(
    order: &Order,
    control: &'a Control,
    status: &mut Option<u16>,
) -> Result<(Head, Body<'a>)> {
    let mut url = Url::parse(&order.url)?;
    for _ in 0..=MAX_REDIRECTS {
        let mut connection = Connection::open(&url.origin, control, order.progress_timeout)?;
        connection.send(head::request(&url, order.token.as_deref())?.as_bytes())?;
        let (head, first) = head::receive_head(&mut connection)?;
        *status = Some(head.status);
        match (head.status, &head.location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) => url = url.redirected(location)?,
            _ => {
                check(&head, order, connection.peer())?;
                let body = Body::new(connection, control, head.framing, first)?;
                return Ok((head, body));
            }
        }
    }
    Err(Failure::new(
        Code::Network,
        format!("{}: more than {MAX_REDIRECTS} redirects", url.origin),
    ))
}

fn check(head: &Head, order: &Order, peer: &str) -> Result<()> {
    let (code, why) = match head.status {
        200 => return check_content(head, order, peer),
        401 | 403 => (
            Code::Unauthorized,
            "the token was refused, or the node cannot reach its miner to ask about it",
        ),
        404 | 500 => (Code::NotHere, "it does not hold this, or could not read it"),
        503 => (
            Code::Network,
            "it is busy or cannot check the token now; try again later",
        ),
        _ => (Code::Network, "an answer that no storage node gives here"),
    };
    Err(Failure::new(
        code,
        format!("{peer}: HTTP status {}: {why}", head.status),
    ))
}

fn check_content(head: &Head, order: &Order, peer: &str) -> Result<()> {
    if let Some(coding) = &head.coding {
        let detail = format!(
            "{peer}: the answer is coded as '{}', which was not asked for",
            coding.escape_debug()
        );
        return Err(Failure::new(Code::Network, detail));
    }
    if !order.kind.allows(&head.media_type, order.token.is_some()) {
        let (got, wanted) = (head.media_type.escape_debug(), order.kind.media_type());
        let detail =
            format!("{peer}: the answer has the content type '{got}' instead of '{wanted}'");
        return Err(Failure::new(Code::Network, detail));
    }
    if head.framing == Framing::Length(0) {
        let detail = format!("{peer}: the answer is empty");
        return Err(Failure::new(Code::Incomplete, detail));
    }
    Ok(())
}
