//! Opening, reading, writing and making durable: files and directories by descriptor.

use std::ffi::CStr;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::{self, Errno, retry_on_intr};

use crate::Result;

/// What lies behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else: link, device, pipe, socket.
    Other,
}

/// The parts of a stat that tell whether a file is the same and unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// File, directory or other.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// User and group that own it.
    pub owner: (u32, u32),
    /// Names this inode has.
    pub links: u64,
    /// Length in bytes.
    pub size: u64,
    /// Bytes taken on the disk (blocks × 512).
    pub allocated: u64,
    /// Last change of the content, ns since the epoch.
    pub mtime_ns: i128,
    /// Last change of the inode, ns since the epoch.
    pub ctime_ns: i128,
}

impl Stat {
    /// Whether both are the same inode.
    pub fn same_inode(&self, other: &Stat) -> bool {
        self.dev == other.dev && self.ino == other.ino
    }
}

const NS: i128 = 1_000_000_000;

// The widths of these fields differ between architectures.
#[allow(clippy::unnecessary_cast)]
fn stat_of(raw: &fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(raw.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        _ => Kind::Other,
    };
    Stat {
        dev: raw.st_dev as u64,
        ino: raw.st_ino as u64,
        kind,
        mode: raw.st_mode as u32 & 0o7777,
        owner: (raw.st_uid, raw.st_gid),
        links: raw.st_nlink as u64,
        size: raw.st_size as u64,
        allocated: raw.st_blocks as u64 * 512,
        mtime_ns: raw.st_mtime as i128 * NS + raw.st_mtime_nsec as i128,
        ctime_ns: raw.st_ctime as i128 * NS + raw.st_ctime_nsec as i128,
    }
}

/// Opens a directory by path, following links: an operator's storage path may be reached through one.
pub fn open_root(path: &Path) -> Result<OwnedFd> {
    retry_on_intr(|| {
        fs::open(
            path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
    })
}

fn open_beneath(dir: impl AsFd, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let dir = dir.as_fd();
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    // EAGAIN: a rename elsewhere raced with the walk; the kernel asks to try again.
    for _ in 0..64 {
        match fs::openat2(dir, name, flags | OFlags::CLOEXEC, mode, resolve) {
            Err(Errno::AGAIN | Errno::INTR) => continue,
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens a directory below `dir`; links anywhere on the way are refused (ELOOP).
pub fn open_dir(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    open_beneath(dir, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
}

/// Opens a file below `dir` for reading. Does not wait for a pipe's writer; check the kind afterwards.
pub fn open_file(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    open_beneath(dir, name, flags, Mode::empty())
}

/// Creates a file below `dir` for reading and writing, mode 0600; EEXIST if the name is taken.
pub fn create_file(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    open_beneath(dir, name, flags, Mode::RUSR | Mode::WUSR)
}

/// Opens an existing file below `dir` for reading and writing.
pub fn open_to_write(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    open_beneath(dir, name, OFlags::RDWR | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens or creates a file by path for reading and appending, mode 0600.
pub fn open_append(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    retry_on_intr(|| fs::open(path, flags, Mode::RUSR | Mode::WUSR))
}

/// Makes a directory with these permission bits (less the umask).
pub fn make_dir(dir: impl AsFd, name: &str, mode: u32) -> Result<()> {
    fs::mkdirat(dir, name, Mode::from_raw_mode(mode))
}

/// stat of an open file.
pub fn stat(fd: impl AsFd) -> Result<Stat> {
    fs::fstat(fd).map(|raw| stat_of(&raw))
}

/// stat of a name in an open directory, never following a link.
pub fn stat_at(dir: impl AsFd, name: &str) -> Result<Stat> {
    fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(|raw| stat_of(&raw))
}

/// Device, inode and mount of what a path leads to now.
pub fn identity_of_path(path: &Path) -> Result<(u64, u64, u64)> {
    let fd = open_root(path)?;
    let stat = stat(&fd)?;
    Ok((stat.dev, stat.ino, mount_id(&fd)?))
}

/// The mount an open file was reached through; 0 where the kernel does not tell (before 5.8).
pub fn mount_id(fd: impl AsFd) -> Result<u64> {
    let statx = fs::statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    Ok(if statx.stx_mask & StatxFlags::MNT_ID.bits() != 0 {
        statx.stx_mnt_id
    } else {
        0
    })
}

/// Names in an open directory, without `.` and `..`, sorted. EILSEQ for a name that is not UTF-8.
pub fn list(dir: impl AsFd) -> Result<Vec<String>> {
    // A second description, so that the reading position is ours alone.
    let own = open_dir(dir, ".")?;
    let mut names = Vec::new();
    for entry in fs::Dir::new(own)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_str().map_err(|_| Errno::ILSEQ)?.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads at an offset; fewer bytes than asked for is no error, 0 is the end.
pub fn read_at(fd: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let fd = fd.as_fd();
    retry_on_intr(|| io::pread(fd, &mut *buffer, offset))
}

/// Writes at an offset; may write less than asked for.
pub fn write_at(fd: impl AsFd, buffer: &[u8], offset: u64) -> Result<usize> {
    let fd = fd.as_fd();
    retry_on_intr(|| io::pwrite(fd, buffer, offset))
}

/// Writes at the position of the file (its end, in append mode); may write less than asked for.
pub fn write(fd: impl AsFd, buffer: &[u8]) -> Result<usize> {
    let fd = fd.as_fd();
    retry_on_intr(|| io::write(fd, buffer))
}

/// Sets the length; a longer one reads as zeros and takes no space.
pub fn set_length(fd: impl AsFd, bytes: u64) -> Result<()> {
    let fd = fd.as_fd();
    retry_on_intr(|| fs::ftruncate(fd, bytes))
}

/// Sets the permission bits.
pub fn set_mode(fd: impl AsFd, mode: u32) -> Result<()> {
    fs::fchmod(fd, Mode::from_raw_mode(mode & 0o7777))
}

/// Sets user and group; only root may give files away.
pub fn set_owner(fd: impl AsFd, owner: (u32, u32)) -> Result<()> {
    let (user, group) = (fs::Uid::from_raw(owner.0), fs::Gid::from_raw(owner.1));
    fs::fchown(fd, Some(user), Some(group))
}

/// Sets the time of the last change, leaving that of the last access.
pub fn set_mtime(fd: impl AsFd, mtime_ns: i128) -> Result<()> {
    let omit = fs::Timespec {
        tv_sec: 0,
        tv_nsec: fs::UTIME_OMIT,
    };
    let mtime = fs::Timespec {
        tv_sec: mtime_ns.div_euclid(NS) as _,
        tv_nsec: mtime_ns.rem_euclid(NS) as _,
    };
    fs::futimens(
        fd,
        &fs::Timestamps {
            last_access: omit,
            last_modification: mtime,
        },
    )
}

/// fsync, once: after an error the pages count as clean and another call would lie.
pub fn sync(fd: impl AsFd) -> Result<()> {
    fs::fsync(fd)
}

/// fdatasync, once, for the same reason.
pub fn sync_data(fd: impl AsFd) -> Result<()> {
    fs::fdatasync(fd)
}

/// Takes the exclusive advisory lock of an open file, or EWOULDBLOCK.
pub fn lock(fd: impl AsFd) -> Result<()> {
    fs::flock(fd, fs::FlockOperation::NonBlockingLockExclusive)
}

/// Gives the advisory lock back, also where a child that was just forked still shares the description.
pub fn unlock(fd: impl AsFd) -> Result<()> {
    fs::flock(fd, fs::FlockOperation::Unlock)
}

/// Closes and reports: NFS tells of a failed write here.
pub fn close(fd: OwnedFd) -> Result<()> {
    // SAFETY: the descriptor is ours alone (into_raw_fd gave it up) and is not used after this call.
    // EINTR is success on Linux: the descriptor is gone, closing again could hit another thread's.
    let status = unsafe { libc::close(fd.into_raw_fd()) };
    if status == 0 {
        Ok(())
    } else {
        last_errno_but_intr()
    }
}

fn last_errno_but_intr() -> Result<()> {
    let code = std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO);
    if code == libc::EINTR {
        Ok(())
    } else {
        Err(Errno::from_raw_os_error(code))
    }
}
