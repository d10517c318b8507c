//! Opens what is published, without following a link, and knows what it opened.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType as Inode, Mode, OFlags, ResolveFlags, Stat, Statx, StatxFlags,
    StatxTimestamp,
};
use rustix::io::Errno;

use super::local_disks;

/// What must not change while a file is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
    /// Bytes.
    pub size: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Identity {
    // The widths of these fields differ between architectures.
    #[allow(clippy::unnecessary_cast)]
    pub(crate) fn of(stat: &Stat) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified_ns: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed_ns: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    fn of_statx(stat: &Statx) -> Self {
        let nanoseconds = |time: &StatxTimestamp| {
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        Self {
            device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            size: stat.stx_size,
            modified_ns: nanoseconds(&stat.stx_mtime),
            changed_ns: nanoseconds(&stat.stx_ctime),
        }
    }

    /// Seconds since 1970, as `Last-Modified` has it.
    pub(crate) fn modified_seconds(&self) -> i64 {
        self.modified_ns.div_euclid(1_000_000_000) as i64
    }

    /// A strong validator: any write, truncation or replacement changes it.
    pub(crate) fn etag(&self) -> String {
        let Self {
            device,
            inode,
            size,
            modified_ns,
            changed_ns,
        } = self;
        format!("\"{device:x}-{inode:x}-{size:x}-{modified_ns:x}-{changed_ns:x}\"")
    }
}

/// Something that can be served.
#[derive(Debug)]
pub(crate) enum Source {
    /// An open regular file.
    File(OwnedFd, Identity),
    /// An open directory.
    Directory(OwnedFd, Identity),
}

/// Opens a published path. Its last two components (`<type>/<name>`) are walked below the storage
/// path without following any link, so that nothing outside of it can be reached.
pub(crate) fn open(path: &Path) -> io::Result<Source> {
    let (root, below) = split(path)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
    inspect(open_beneath(root.as_fd(), &below)?)
}

/// Opens a published regular file, or a name of a published directory, if that takes no disk: everything
/// on the way must be in the kernel's caches (RESOLVE_CACHED, Linux 5.12), on a disk that opens at once.
pub(crate) fn open_cached(path: &Path, inner: Option<&str>) -> Option<(OwnedFd, Identity)> {
    let (root, below) = split(path).ok()?;
    let below = inner.map_or(below.clone(), |name| below.join(name));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let cached = ResolveFlags::CACHED;
    let root = rustix::fs::openat2(CWD, root, flags, Mode::empty(), cached).ok()?;
    // Found first, which asks nobody; only the second open would go to a server.
    let found = OFlags::PATH | OFlags::CLOEXEC;
    let found = rustix::fs::openat2(&root, &below, found, Mode::empty(), CONFINED | cached).ok()?;
    if !local_disks::opens_at_once(identity_cached(&found)?.device) {
        return None;
    }
    let file = rustix::fs::openat2(&root, &below, READ, Mode::empty(), CONFINED | cached).ok()?;
    let identity = identity_cached(&file)?;
    Some((file, identity))
}

/// What the kernel knows of a regular file without asking a disk or a server.
pub(crate) fn identity_cached(file: &OwnedFd) -> Option<Identity> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let stat = rustix::fs::statx(file, c"", flags, StatxFlags::BASIC_STATS).ok()?;
    let regular = Inode::from_raw_mode(stat.stx_mode.into()) == Inode::RegularFile;
    regular.then(|| Identity::of_statx(&stat))
}

/// A storage path, and what is below it: the last two components of a published path.
fn split(path: &Path) -> io::Result<(&Path, PathBuf)> {
    let refuse = || io::Error::from(Errno::INVAL);
    let name = path.file_name().ok_or_else(refuse)?;
    let type_directory = path.parent().ok_or_else(refuse)?;
    Ok(
        match (type_directory.parent(), type_directory.file_name()) {
            (Some(root), Some(kind)) => (root, Path::new(kind).join(name)),
            _ => (type_directory, name.into()),
        },
    )
}

/// Opens one name of an open directory.
pub(crate) fn open_in(directory: &OwnedFd, name: &str) -> io::Result<Source> {
    inspect(open_beneath(directory.as_fd(), Path::new(name))?)
}

/// `O_NONBLOCK` lets the open of a FIFO return, so that it can be refused.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
const CONFINED: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

fn open_beneath(root: std::os::fd::BorrowedFd<'_>, below: &Path) -> io::Result<OwnedFd> {
    loop {
        match rustix::fs::openat2(root, below, READ, Mode::empty(), CONFINED) {
            // A rename elsewhere in the tree may have raced with the walk.
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Kernels before 5.6 and some container profiles have no openat2.
            Err(Errno::NOSYS | Errno::PERM) => return walk(root, below, READ),
            other => return Ok(other?),
        }
    }
}

fn walk(root: std::os::fd::BorrowedFd<'_>, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut at = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    let mut names = below.iter().peekable();
    while let Some(name) = names.next() {
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = if names.peek().is_some() { step } else { flags };
        at = rustix::fs::openat(&at, name, flags, Mode::empty())?;
    }
    Ok(at)
}

fn inspect(fd: OwnedFd) -> io::Result<Source> {
    let stat = rustix::fs::fstat(&fd)?;
    match Inode::from_raw_mode(stat.st_mode) {
        Inode::RegularFile => {
            let identity = Identity::of(&stat);
            local_disks::learn(&fd, identity.device);
            Ok(Source::File(fd, identity))
        }
        Inode::Directory => Ok(Source::Directory(fd, Identity::of(&stat))),
        _ => Err(Errno::OPNOTSUPP.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn sealed_file(root: &Path) -> PathBuf {
        fs::create_dir_all(root.join("sealed")).unwrap();
        let path = root.join("sealed/s-t01-1");
        fs::write(&path, b"data").unwrap();
        path
    }

    #[test]
    fn a_disk_opens_at_once_when_it_is_known_to_ask_no_server() {
        let root = tempfile::tempdir().unwrap();
        let path = sealed_file(root.path());
        let device = fs::metadata(&path).map(|meta| std::os::unix::fs::MetadataExt::dev(&meta));
        assert!(matches!(open(&path), Ok(Source::File(..))));
        let known = local_disks::opens_at_once(device.unwrap());
        assert_eq!(open_cached(&path, None).is_some(), known);
    }

    #[test]
    fn a_filesystem_without_a_block_device_is_never_opened_by_the_event_loop() {
        let Ok(root) = tempfile::tempdir_in("/dev/shm") else {
            return;
        };
        let path = sealed_file(root.path());
        assert!(matches!(open(&path), Ok(Source::File(..))));
        assert!(open_cached(&path, None).is_none());
    }

    #[test]
    fn links_and_special_files_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |below: &str| root.path().join(below);
        fs::create_dir_all(at("sealed")).unwrap();
        fs::create_dir_all(at("outside")).unwrap();
        fs::write(at("sealed/s-t01-1"), b"data").unwrap();
        fs::write(at("outside/secret"), b"secret").unwrap();
        symlink(at("outside/secret"), at("sealed/s-t01-2")).unwrap();
        symlink(at("outside"), at("cache")).unwrap();
        rustix::fs::mknodat(
            CWD,
            at("sealed/s-t01-3"),
            Inode::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();

        assert!(
            matches!(open(&at("sealed/s-t01-1")), Ok(Source::File(_, identity)) if identity.size == 4)
        );
        assert!(matches!(open(&at("outside")), Ok(Source::Directory(..))));
        let errno = |below: &str| open(&at(below)).unwrap_err().raw_os_error();
        assert_eq!(errno("sealed/s-t01-2"), Some(Errno::LOOP.raw_os_error()));
        assert_eq!(errno("cache/secret"), Some(Errno::LOOP.raw_os_error()));
        assert_eq!(
            errno("sealed/s-t01-3"),
            Some(Errno::OPNOTSUPP.raw_os_error())
        );
        assert_eq!(errno("sealed/s-t01-4"), Some(Errno::NOENT.raw_os_error()));
    }

    #[test]
    fn the_older_walk_refuses_links_too() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("real")).unwrap();
        fs::write(root.path().join("real/file"), b"data").unwrap();
        symlink("real", root.path().join("link")).unwrap();
        let top = fs::File::open(root.path()).unwrap();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW;
        assert!(walk(top.as_fd(), Path::new("real/file"), flags).is_ok());
        assert!(walk(top.as_fd(), Path::new("link/file"), flags).is_err());
    }

    #[test]
    fn the_validator_changes_with_the_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, b"one").unwrap();
        let tag = || match open(&path).unwrap() {
            Source::File(_, identity) => identity.etag(),
            Source::Directory(..) => panic!("a file was written"),
        };
        let first = tag();
        assert_eq!(first, tag());
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, b"two").unwrap();
        assert_ne!(first, tag());
    }
}
