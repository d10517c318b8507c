//! A cache directory: file by file from a node of ours, as one archive from a stranger.
//!
//! Who asks says that it understands a listing; only a node of ours has one. Each file is then fetched by itself,
//! so a fetch that was cut goes on in the middle of a file, and the listing is asked for once more at the end: a
//! directory that changed meanwhile was never whole. An archive cannot be gone on from.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use sys::files;

use super::archive::Archive;
use super::ask::{Answer, Asker};
use super::body::{Body, Stream};
use super::disk_file::DiskFile;
use super::failure::{Code, Failure, Result};
use super::head::{Framing, Wish};
use super::pour::pour;
use super::record::{Mark, Record};
use super::single::{Held, Keeper, Progress, Wanted, receive};
use super::target::{FetchedFile, Known, Place, Target};
use super::writers::Writers;
use super::{Fetched, Kind};
use crate::listing::{self, Listed};

/// Modes the field gives.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// Fetches the directory that the order is about.
pub(crate) fn fetch_directory(
    asker: &mut Asker,
    target: &Target,
    (record, mark): Known,
    writers: &mut Writers,
) -> Result<Fetched> {
    // Only what can be gone on from is worth a request for each file.
    let wish = record.as_ref().map_or(Wish::Whole, |_| Wish::Listing);
    let answer = asker.ask(None, wish)?;
    match record {
        Some(record) if answer.is_listing() => {
            let (listed, etag) = read_listing(asker, answer)?;
            let url = asker.order.url.clone();
            let keeper = OfMany::new(record, url, etag);
            file_by_file(asker, target, &listed, (keeper, mark), writers)
        }
        record => {
            if let Some(mut record) = record {
                record
                    .clear()
                    .map_err(target.place().failed("write the record of"))?;
                target.place().clear()?;
            }
            as_archive(asker, target, answer, writers)
        }
    }
}

fn as_archive(
    asker: &Asker,
    target: &Target,
    answer: Answer,
    writers: &mut Writers,
) -> Result<Fetched> {
    let place = target.place();
    let etag = answer.head.etag.clone();
    if let Framing::Length(bytes) = answer.head.framing {
        asker.control.expect(bytes);
    }
    let mut body: Body = answer.content(asker, Kind::Directory)?;
    asker.control.start_at(0);
    let dir = make_dir(place)?;
    let mut archive = Archive::new(&mut body);
    let mut files = Vec::new();
    while let Some(entry) = archive.next_entry()? {
        let path = place.path.join(&entry.name);
        let inner = Place {
            dir: &dir,
            leaf: &entry.name,
            path: &path,
        };
        let size = unpack(&mut archive, inner, entry.size, writers)?;
        files.push(FetchedFile {
            name: entry.name,
            size,
        });
    }
    files::sync(&dir).map_err(place.failed("fsync"))?;
    Ok(fetched(files, etag, 0))
}

fn unpack(stream: &mut impl Stream, place: Place, size: u64, writers: &mut Writers) -> Result<u64> {
    let file = files::create_file(place.dir, place.leaf).map_err(place.failed("create"))?;
    let file = Arc::new(DiskFile::new(file));
    file.set_length(size)
        .map_err(place.failed("set the length of"))?;
    let written = pour(stream, &file, 0, writers, (&place.failed("write"), None))?;
    file.finish(written, FILE_MODE)
        .map_err(place.failed("make durable"))?;
    if let Ok(file) = Arc::try_unwrap(file) {
        file.close().map_err(place.failed("close"))?;
    }
    Ok(written)
}

fn file_by_file(
    asker: &mut Asker,
    target: &Target,
    listed: &[Listed],
    (mut keeper, mark): (OfMany, Option<Mark>),
    writers: &mut Writers,
) -> Result<Fetched> {
    let place = target.place();
    asker
        .control
        .expect(listed.iter().map(|file| file.size).sum());
    let (dir, mark) = match mark.and_then(|mark| keeper.take_up(place, listed, mark)) {
        Some((dir, mark)) => (dir, Some(mark)),
        None => (keeper.begin(place)?, None),
    };
    let (mut before, mut resumed) = (0, 0);
    let present = mark.as_ref().map_or(0, |mark| mark.files);
    for (at, file) in listed.iter().enumerate() {
        if (at as u64) < present {
            resumed += file.size;
        } else {
            let mark = mark.as_ref().filter(|mark| mark.files == at as u64);
            let path = place.path.join(&file.name);
            let inner = Place {
                dir: &dir,
                leaf: &file.name,
                path: &path,
            };
            let held = mark.and_then(|mark| Held::open(inner, mark, &file.etag));
            (keeper.files, keeper.before) = (at as u64, before);
            let wanted = wanted(file, before);
            resumed += receive(asker, &wanted, inner, held, (&mut keeper, writers))?.resumed;
            keeper
                .completed(file.size)
                .map_err(place.failed("write the record of"))?;
        }
        before += file.size;
    }
    files::sync(&dir).map_err(place.failed("fsync"))?;
    demand_unchanged(asker, &keeper.etag)?;
    asker.control.start_at(before);
    let files = listed.iter().map(|file| FetchedFile {
        name: file.name.clone(),
        size: file.size,
    });
    Ok(fetched(files.collect(), Some(keeper.etag), resumed))
}

fn wanted(file: &Listed, before: u64) -> Wanted<'_> {
    Wanted {
        file: Some(&file.name),
        size: Some(file.size),
        etag: Some(&file.etag),
        digest: file.digest,
        before,
    }
}

fn fetched(files: Vec<FetchedFile>, etag: Option<String>, bytes_resumed: u64) -> Fetched {
    Fetched {
        bytes: files.iter().map(|file| file.size).sum(),
        files,
        etag,
        bytes_resumed,
        ..Fetched::default()
    }
}

/// Keeps the record of a directory: which listing, how many of its files, how much of the next one.
struct OfMany {
    record: Record,
    url: String,
    /// The listing's.
    etag: String,
    inode: u64,
    /// Files that are complete, and their bytes.
    files: u64,
    before: u64,
}

impl OfMany {
    fn new(record: Record, url: String, etag: String) -> Self {
        Self {
            record,
            url,
            etag,
            inode: 0,
            files: 0,
            before: 0,
        }
    }

    /// Opens what an earlier fetch of this very listing has left, without what its record does not name.
    fn take_up(&mut self, place: Place, listed: &[Listed], mark: Mark) -> Option<(OwnedFd, Mark)> {
        if mark.url != self.url || mark.validator != self.etag {
            return None;
        }
        let dir = files::open_dir(place.dir, place.leaf).ok()?;
        self.inode = files::stat(&dir).ok()?.ino;
        let complete = listed.get(..usize::try_from(mark.files).ok()?)?;
        let is_there = |file: &Listed| {
            files::stat_at(&dir, &file.name).is_ok_and(|stat| stat.size == file.size)
        };
        if mark.inode != self.inode || !complete.iter().all(is_there) {
            return None;
        }
        Some((dir, mark))
    }

    /// A new, empty directory; what was there is removed.
    fn begin(&mut self, place: Place) -> Result<OwnedFd> {
        self.record
            .clear()
            .map_err(place.failed("write the record of"))?;
        place.clear()?;
        let dir = make_dir(place)?;
        self.inode = files::stat(&dir).map_err(place.failed("stat"))?.ino;
        Ok(dir)
    }

    fn mark(&self, total: u64, offset: u64) -> Mark {
        Mark {
            url: self.url.clone(),
            validator: self.etag.clone(),
            inode: self.inode,
            total,
            files: self.files,
            before: self.before,
            offset,
        }
    }

    /// The present file is durable, as is its name since it was made.
    fn completed(&mut self, bytes: u64) -> sys::Result<()> {
        (self.files, self.before) = (self.files + 1, self.before + bytes);
        let mark = self.mark(0, 0);
        self.record.put(&mark)
    }
}

impl Keeper for OfMany {
    fn replaces(&self) -> bool {
        true
    }

    fn clear(&mut self) -> sys::Result<()> {
        let mark = self.mark(0, 0);
        self.record.put(&mark)
    }

    fn put(&mut self, file: &DiskFile, progress: &Progress, offset: u64) -> sys::Result<()> {
        file.sync_data()?;
        let mark = self.mark(progress.total, offset);
        self.record.put(&mark)
    }
}

fn make_dir(place: Place) -> Result<OwnedFd> {
    files::make_dir(place.dir, place.leaf, DIRECTORY_MODE).map_err(place.failed("create"))?;
    files::sync(place.dir).map_err(place.failed("make the name durable of"))?;
    files::open_dir(place.dir, place.leaf).map_err(place.failed("open"))
}

/// @returns the files, and the listing's own validator
fn read_listing(asker: &Asker, answer: Answer) -> Result<(Vec<Listed>, String)> {
    let (peer, etag) = (answer.peer().to_owned(), answer.head.etag.clone());
    let unusable = |why: &str| Failure::new(Code::Network, format!("{peer}: {why}"));
    let fits = matches!(answer.head.framing, Framing::Length(bytes) if bytes <= listing::MAX_BYTES);
    if !fits {
        return Err(unusable(
            "the list of the directory's files has no length, or is too long",
        ));
    }
    let mut body = answer.body(asker)?;
    let mut bytes = vec![0u8; listing::MAX_BYTES as usize];
    let read = body.fill(&mut bytes)?;
    let listed = listing::parse(&bytes[..read]);
    listed
        .zip(etag)
        .ok_or_else(|| unusable("the list of the directory's files cannot be understood"))
}

fn demand_unchanged(asker: &mut Asker, etag: &str) -> Result<()> {
    let answer = asker.ask(None, Wish::Listing)?;
    if answer.is_listing() && answer.head.etag.as_deref() == Some(etag) {
        return Ok(());
    }
    let detail = format!(
        "{}: the directory changed while it was fetched",
        answer.peer()
    );
    Err(Failure::new(Code::Incomplete, detail))
}
