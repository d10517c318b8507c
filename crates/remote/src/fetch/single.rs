//! One file: from where an earlier fetch of it ended, or from its first byte.
//!
//! ```text
//! record names this URL ──206, exact range, same validator, same tail──► go on
//!          └─ 200 ─► its body from zero      └─ anything else of it ─► asked anew, from zero
//! ```
//! Before the first byte of something else is written, the record is cleared, durably.

use std::sync::Arc;

use sys::direct::BLOCK;
use sys::files;

use super::ask::{Answer, Asker};
use super::body::Body;
use super::checks::{check_digest, check_size, has_same_tail};
use super::disk_file::DiskFile;
use super::failure::{Code, Failure, Result};
use super::head::{Framing, Wish};
use super::pour::{Checkpoint, pour};
use super::record::{Mark, Record};
use super::target::{FetchedFile, Known, Place, Target};
use super::writers::Writers;
use super::{Fetched, Kind};

/// So much of what is here is received once more and compared, before anything is added to it.
const TAIL: u64 = 256 << 10;
/// The mode the field gives its files.
const FILE_MODE: u32 = 0o644;

/// What is asked for, and what is known of it beforehand.
pub(crate) struct Wanted<'w> {
    /// Name in the directory that the order is about; `None`: the order is about this file.
    pub file: Option<&'w str>,
    pub size: Option<u64>,
    pub etag: Option<&'w str>,
    pub digest: Option<[u8; 32]>,
    /// Bytes of the whole order before this file.
    pub before: u64,
}

/// What an earlier fetch has left.
pub(crate) struct Held {
    pub file: DiskFile,
    pub offset: u64,
    pub total: u64,
    pub validator: String,
}

impl Held {
    /// Opens what a mark names. `None`: it is not what the mark was made of.
    pub(crate) fn open(place: Place, mark: &Mark, validator: &str) -> Option<Self> {
        let file = DiskFile::new(files::open_to_write(place.dir, place.leaf).ok()?);
        let stat = file.stat().ok()?;
        let fits = mark.offset > 0 && mark.offset <= mark.total && stat.size >= mark.offset;
        // A second name: a crash came between giving this file its final name and taking the private one away.
        let alone = stat.kind == files::Kind::File && stat.links == 1;
        (fits && alone).then(|| Self {
            file,
            offset: mark.offset,
            total: mark.total,
            validator: validator.to_owned(),
        })
    }
}

/// Keeps the record of one file up to date.
pub(crate) trait Keeper {
    /// Whether what has the name may be removed for a new start.
    fn replaces(&self) -> bool;
    /// Durably: nothing is kept of this file.
    fn clear(&mut self) -> sys::Result<()>;
    /// Durably: so much of the file is on the disk. Does nothing where there is no record.
    fn put(&mut self, file: &DiskFile, progress: &Progress, offset: u64) -> sys::Result<()>;
}

/// Which content is being received.
pub(crate) struct Progress {
    pub total: u64,
    pub validator: String,
}

/// A file that is complete and durable.
pub(crate) struct Received {
    pub size: u64,
    pub etag: Option<String>,
    /// Bytes of it that an earlier fetch had brought.
    pub resumed: u64,
}

/// Fetches the one file that the order is about.
pub(crate) fn fetch_single(
    asker: &mut Asker,
    target: &Target,
    (record, mark): Known,
    writers: &mut Writers,
) -> Result<Fetched> {
    let place = target.place();
    let mark = mark.filter(|mark| mark.url == asker.order.url);
    let held = mark.and_then(|mark| {
        let held = Held::open(place, &mark, &mark.validator)?;
        let inode = held.file.stat().ok()?.ino;
        (inode == mark.inode).then_some(held)
    });
    let url = asker.order.url.clone();
    let mut keeper = OfOne { record, url };
    let expect = asker.order.expect;
    let wanted = Wanted {
        file: None,
        size: expect.bytes,
        etag: None,
        digest: expect.digest,
        before: 0,
    };
    let received = receive(asker, &wanted, place, held, (&mut keeper, writers))?;
    if received.size == 0 {
        let detail = "the file is empty, and no sector file is; look at the disk of the other node";
        return Err(Failure::new(Code::Incomplete, detail));
    }
    Ok(Fetched {
        bytes: received.size,
        files: vec![FetchedFile {
            name: String::new(),
            size: received.size,
        }],
        etag: received.etag,
        bytes_resumed: received.resumed,
        ..Fetched::default()
    })
}

struct OfOne {
    record: Option<Record>,
    url: String,
}

impl Keeper for OfOne {
    fn replaces(&self) -> bool {
        self.record.is_some()
    }

    fn clear(&mut self) -> sys::Result<()> {
        self.record.as_mut().map_or(Ok(()), Record::clear)
    }

    fn put(&mut self, file: &DiskFile, progress: &Progress, offset: u64) -> sys::Result<()> {
        let Some(record) = &mut self.record else {
            return Ok(());
        };
        file.sync_data()?;
        record.put(&Mark {
            url: self.url.clone(),
            validator: progress.validator.clone(),
            inode: file.stat()?.ino,
            total: progress.total,
            files: 0,
            before: 0,
            offset,
        })
    }
}

/// Fetches one file to its place, durably; the record is kept on the way.
pub(crate) fn receive(
    asker: &mut Asker,
    wanted: &Wanted,
    place: Place,
    held: Option<Held>,
    (keeper, writers): (&mut dyn Keeper, &mut Writers),
) -> Result<Received> {
    let begun = match resume(asker, wanted, place, held)? {
        Answered::Rest(begun) => begun,
        Answered::Whole(answer) => start_anew(asker, wanted, place, answer, keeper)?,
    };
    let Begun {
        etag,
        mut body,
        file,
        offset,
        progress,
    } = begun;
    asker.control.start_at(wanted.before + offset);
    let file = Arc::new(file);
    let mut put = |offset| match &progress {
        Some(progress) => keeper.put(&file, progress, offset),
        None => Ok(()),
    };
    let checkpoint: Option<Checkpoint> = match &progress {
        Some(_) => Some((asker.order.mark_bytes, &mut put)),
        None => None,
    };
    let failed = place.failed("write");
    let size = pour(&mut body, &file, offset, writers, (&failed, checkpoint))?;
    check_size(size, wanted.size)?;
    file.finish(size, FILE_MODE)
        .map_err(place.failed("make durable"))?;
    check_digest(&file, size, wanted.digest, place)?;
    put(size).map_err(place.failed("write the record of"))?;
    if let Ok(file) = Arc::try_unwrap(file) {
        file.close().map_err(place.failed("close"))?;
    }
    Ok(Received {
        size,
        etag,
        resumed: offset,
    })
}

/// A body that is about to be written to an open file.
struct Begun<'a> {
    etag: Option<String>,
    body: Body<'a>,
    file: DiskFile,
    offset: u64,
    /// `None`: nothing names this content, so nothing of it can be kept.
    progress: Option<Progress>,
}

enum Answered<'a> {
    /// The rest of what is held, whose tail has been compared.
    Rest(Begun<'a>),
    /// All of it.
    Whole(Answer<'a>),
}

fn resume<'a>(
    asker: &mut Asker<'a>,
    wanted: &Wanted,
    place: Place,
    held: Option<Held>,
) -> Result<Answered<'a>> {
    let Some(held) = held else {
        return asker.ask(wanted.file, Wish::Whole).map(Answered::Whole);
    };
    let start = (held.offset - held.offset.min(TAIL)) / BLOCK as u64 * BLOCK as u64;
    let answer = asker.ask(wanted.file, Wish::From(start, &held.validator))?;
    let head = &answer.head;
    if head.status == 200 {
        return Ok(Answered::Whole(answer));
    }
    if head.is_rest(start, held.total) && head.is_of(&held.validator) {
        let etag = head.etag.clone();
        expect(asker, wanted, held.total);
        let mut body = answer.body(asker)?;
        if has_same_tail(&mut body, &held, start, place)? {
            // What was written behind the mark may be torn: it is received again.
            let cut = held.file.set_length(held.offset);
            cut.and_then(|()| held.file.set_length(held.total))
                .map_err(place.failed("set the length of"))?;
            return Ok(Answered::Rest(Begun {
                etag,
                body,
                offset: held.offset,
                progress: Some(Progress {
                    total: held.total,
                    validator: held.validator,
                }),
                file: held.file,
            }));
        }
    }
    asker.ask(wanted.file, Wish::Whole).map(Answered::Whole)
}

fn start_anew<'a>(
    asker: &mut Asker<'a>,
    wanted: &Wanted,
    place: Place,
    answer: Answer<'a>,
    keeper: &mut dyn Keeper,
) -> Result<Begun<'a>> {
    let (etag, validator) = (answer.head.etag.clone(), answer.head.validator());
    let length = match answer.head.framing {
        Framing::Length(bytes) => Some(bytes),
        Framing::Chunked | Framing::Close => None,
    };
    let progress = validator.zip(length).map(|(validator, total)| Progress {
        total,
        validator: validator.to_owned(),
    });
    let peer = answer.peer().to_owned();
    let body = answer.content(asker, Kind::File)?;
    if wanted.etag.is_some() && wanted.etag != etag.as_deref() {
        let detail = format!("{peer}: a file of the directory changed while it was fetched");
        return Err(Failure::new(Code::Incomplete, detail));
    }
    if let Some(bytes) = length {
        check_size(bytes, wanted.size)?;
        expect(asker, wanted, bytes);
    }
    keeper
        .clear()
        .map_err(place.failed("write the record of"))?;
    if keeper.replaces() {
        place.clear()?;
    }
    let file = files::create_file(place.dir, place.leaf).map_err(place.failed("create"))?;
    let file = DiskFile::new(file);
    files::sync(place.dir).map_err(place.failed("make the name durable of"))?;
    if let Some(bytes) = length {
        file.set_length(bytes)
            .map_err(place.failed("set the length of"))?;
    }
    Ok(Begun {
        etag,
        body,
        file,
        offset: 0,
        progress,
    })
}

/// The total of a directory is its listing's.
fn expect(asker: &Asker, wanted: &Wanted, bytes: u64) {
    if wanted.file.is_none() {
        asker.control.expect(bytes);
    }
}
