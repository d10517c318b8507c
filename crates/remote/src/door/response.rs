//! From a request for a sector file to a status line and the parts of a body.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::archive::{self, Listing};
use super::conditions::{Answer, decide};
use super::head::{Method, Request};
use super::observer::{Event, Level};
use super::source::{self, Identity, Source};
use super::{http_date, reply};

/// One stretch of a response.
#[derive(Debug)]
pub(crate) enum Part {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Bytes of an open file, which must not have changed when the last of them goes out.
    Open {
        file: OwnedFd,
        identity: Identity,
        start: u64,
        length: u64,
    },
    /// A whole file of the directory being served, opened when its turn comes.
    Named { name: String, identity: Identity },
    /// The directory must still hold exactly this.
    Unchanged(Listing),
}

/// A response about to be sent.
#[derive(Debug)]
pub(crate) struct Response {
    pub parts: VecDeque<Part>,
    /// The directory that `Named` parts are in.
    pub directory: Option<OwnedFd>,
    pub path: PathBuf,
    /// Bytes before the body.
    pub head_length: u64,
    pub keep_alive: bool,
}

/// Finds the first of `paths` that opens and prepares the answer. Touches the disk.
pub(crate) fn prepare(
    request: &Request,
    paths: &[PathBuf],
    inner: Option<&str>,
    tell: &dyn Fn(Event),
) -> Response {
    let mut failed = false;
    for path in paths {
        match open(path, inner).and_then(|source| respond(request, path, source, tell)) {
            Ok(response) => return response,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                failed = true;
                tell(
                    Event::new(Level::Warn, "open-failed", "cannot serve this")
                        .path(path)
                        .error(&error),
                );
            }
        }
    }
    // lotus answers 500 where it does not hold a file; a missing one is told apart here.
    only_head(reply::empty(
        if failed { 500 } else { 404 },
        request.keep_alive,
    ))
}

fn only_head(reply: reply::Reply) -> Response {
    let head_length = reply.bytes.len() as u64;
    let keep_alive = reply.keep_alive;
    Response {
        parts: [Part::Bytes(reply.bytes)].into(),
        directory: None,
        path: PathBuf::new(),
        head_length,
        keep_alive,
    }
}

fn open(path: &Path, inner: Option<&str>) -> io::Result<Source> {
    let source = source::open(path)?;
    let Some(name) = inner else { return Ok(source) };
    match source {
        Source::Directory(directory, _) if crate::names::cache_file_limit(name).is_some() => {
            match source::open_in(&directory, name)? {
                Source::Directory(..) => Err(io::ErrorKind::NotFound.into()),
                file => Ok(file),
            }
        }
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn respond(
    request: &Request,
    path: &Path,
    source: Source,
    tell: &dyn Fn(Event),
) -> io::Result<Response> {
    match source {
        Source::File(file, identity) => Ok(respond_file(request, path, file, identity)),
        Source::Directory(directory, identity) => {
            let listing = Listing::read(&directory)?;
            if listing.entries.is_empty() {
                // An empty archive would be taken for a whole, empty cache, and the source deleted.
                tell(
                    Event::new(
                        Level::Warn,
                        "empty-directory",
                        "not served: it holds no cache file",
                    )
                    .path(path),
                );
                return Err(io::ErrorKind::NotFound.into());
            }
            if !listing.skipped.is_empty() {
                let detail = format!("left out of the archive: {}", listing.skipped.join(", "));
                tell(Event::new(Level::Warn, "names-skipped", detail).path(path));
            }
            Ok(respond_directory(
                request, path, directory, &identity, listing,
            ))
        }
    }
}

pub(crate) fn respond_file(
    request: &Request,
    path: &Path,
    file: OwnedFd,
    identity: Identity,
) -> Response {
    let (etag, modified, size) = (identity.etag(), identity.modified_seconds(), identity.size);
    let mut fields = vec![
        "Accept-Ranges: bytes".to_owned(),
        format!("ETag: {etag}"),
        format!("Last-Modified: {}", http_date::format(modified)),
    ];
    let typed = "Content-Type: application/octet-stream".to_owned();
    let (status, body) = match decide(&request.conditions, &etag, modified, size, true) {
        Answer::Whole => (200, Some((0, size))),
        Answer::Part { start, length } => {
            fields.push(format!(
                "Content-Range: bytes {start}-{}/{size}",
                start + length - 1
            ));
            (206, Some((start, length)))
        }
        other => return refused(request, other, fields, size),
    };
    fields.push(typed);
    let length = body.map_or(0, |(_, length)| length);
    let head = reply::head(status, &fields, Some(length), request.keep_alive);
    let head_length = head.len() as u64;
    let mut parts = VecDeque::from([Part::Bytes(head)]);
    if let (Method::Get, Some((start, length))) = (request.method, body) {
        parts.push_back(Part::Open {
            file,
            identity,
            start,
            length,
        });
    }
    Response {
        parts,
        directory: None,
        path: path.to_owned(),
        head_length,
        keep_alive: request.keep_alive,
    }
}

fn refused(request: &Request, answer: Answer, mut fields: Vec<String>, size: u64) -> Response {
    let (status, length) = match answer {
        Answer::NotModified => (304, None),
        Answer::PreconditionFailed => (412, Some(0)),
        _ => (416, Some(0)),
    };
    if answer == (Answer::Unsatisfiable { tell_size: true }) {
        fields.push(format!("Content-Range: bytes */{size}"));
    }
    let bytes = reply::head(status, &fields, length, request.keep_alive);
    only_head(reply::Reply {
        bytes,
        keep_alive: request.keep_alive,
    })
}

fn respond_directory(
    request: &Request,
    path: &Path,
    directory: OwnedFd,
    identity: &Identity,
    listing: Listing,
) -> Response {
    if request.conditions.accepts_listing {
        return respond_listing(request, &listing);
    }
    let (etag, length) = (listing.etag(), listing.archive_length());
    let mut fields = vec![format!("ETag: {etag}")];
    match decide(
        &request.conditions,
        &etag,
        identity.modified_seconds(),
        length,
        false,
    ) {
        Answer::Whole => {}
        other => return refused(request, other, fields, length),
    }
    fields.push("Content-Type: application/x-tar".to_owned());
    let head = reply::head(200, &fields, Some(length), request.keep_alive);
    let head_length = head.len() as u64;
    let mut parts = VecDeque::from([Part::Bytes(head)]);
    if request.method == Method::Get {
        for entry in &listing.entries {
            parts.push_back(Part::Bytes(entry.header()));
            parts.push_back(Part::Named {
                name: entry.name.clone(),
                identity: entry.identity,
            });
            parts.push_back(Part::Bytes(vec![0; entry.padding() as usize]));
        }
        parts.push_back(Part::Unchanged(listing));
        parts.push_back(Part::Bytes(archive::end()));
    }
    let (path, keep_alive) = (path.to_owned(), request.keep_alive);
    Response {
        parts,
        directory: Some(directory),
        path,
        head_length,
        keep_alive,
    }
}

/// The list of a directory's files; each is then asked for by itself.
fn respond_listing(request: &Request, listing: &Listing) -> Response {
    let listed: Vec<_> = listing.entries.iter().map(archive::Entry::listed).collect();
    let text = crate::listing::format(&listed);
    let fields = [
        format!("ETag: {}", listing.etag()),
        format!("Content-Type: {}", crate::listing::MEDIA_TYPE),
    ];
    let length = Some(text.len() as u64);
    let mut bytes = reply::head(200, &fields, length, request.keep_alive);
    if request.method == Method::Get {
        bytes.extend_from_slice(text.as_bytes());
    }
    only_head(reply::Reply {
        bytes,
        keep_alive: request.keep_alive,
    })
}
