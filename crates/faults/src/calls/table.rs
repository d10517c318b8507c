//! The system calls that touch a file, and where each says which one.

/// Where a call names its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// This argument is an open descriptor.
    Descriptor(usize),
    /// A descriptor of a directory, and a path below it; an empty path is the descriptor itself.
    Below(usize, usize),
    /// A path.
    Path(usize),
    /// None: an io_uring is set up.
    Ring,
}

/// How a call that moves bytes says how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// No bytes.
    Nothing,
    /// Into the caller's buffer.
    Reads(Shape),
    /// Out of it.
    Writes(Shape),
}

/// Buffer and offset of a read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// One buffer and its length, or a list of them.
    pub vector: bool,
    /// The fourth argument is where in the file; else the position of the descriptor.
    pub offset: bool,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// As in the manual.
    pub name: &'static str,
    /// The kernel's number.
    pub number: i64,
    /// Where its file is named.
    pub names: Names,
    /// Whether it can come back short.
    pub moves: Moves,
}

impl Row {
    /// Whether a call with these arguments does something to a file. In a debug build each close asks with fcntl
    /// whether its descriptor is open.
    pub fn concerns(&self, arguments: &[u64; 6]) -> bool {
        self.number != libc::SYS_fcntl || arguments[1] as i32 == libc::F_SETFL
    }
}

const fn row(name: &'static str, number: libc::c_long, names: Names) -> Row {
    Row {
        name,
        number,
        names,
        moves: Moves::Nothing,
    }
}

const fn moving(name: &'static str, number: libc::c_long, moves: Moves) -> Row {
    Row {
        moves,
        ..row(name, number, Names::Descriptor(0))
    }
}

const fn shape(vector: bool, offset: bool) -> Shape {
    Shape { vector, offset }
}

/// The same number on every architecture of Linux.
const SYS_CACHESTAT: libc::c_long = 451;

use Names::{Below, Descriptor, Ring};

const COMMON: &[Row] = &[
    moving("read", libc::SYS_read, Moves::Reads(shape(false, false))),
    moving(
        "pread64",
        libc::SYS_pread64,
        Moves::Reads(shape(false, true)),
    ),
    moving("readv", libc::SYS_readv, Moves::Reads(shape(true, false))),
    moving("preadv", libc::SYS_preadv, Moves::Reads(shape(true, true))),
    moving(
        "preadv2",
        libc::SYS_preadv2,
        Moves::Reads(shape(true, true)),
    ),
    moving("write", libc::SYS_write, Moves::Writes(shape(false, false))),
    moving(
        "pwrite64",
        libc::SYS_pwrite64,
        Moves::Writes(shape(false, true)),
    ),
    moving(
        "writev",
        libc::SYS_writev,
        Moves::Writes(shape(true, false)),
    ),
    moving(
        "pwritev",
        libc::SYS_pwritev,
        Moves::Writes(shape(true, true)),
    ),
    moving(
        "pwritev2",
        libc::SYS_pwritev2,
        Moves::Writes(shape(true, true)),
    ),
    row("openat", libc::SYS_openat, Below(0, 1)),
    row("openat2", libc::SYS_openat2, Below(0, 1)),
    row("close", libc::SYS_close, Descriptor(0)),
    row("fstat", libc::SYS_fstat, Descriptor(0)),
    row("newfstatat", libc::SYS_newfstatat, Below(0, 1)),
    row("statx", libc::SYS_statx, Below(0, 1)),
    row("fstatfs", libc::SYS_fstatfs, Descriptor(0)),
    row("getdents64", libc::SYS_getdents64, Descriptor(0)),
    row("lseek", libc::SYS_lseek, Descriptor(0)),
    row("fsync", libc::SYS_fsync, Descriptor(0)),
    row("fdatasync", libc::SYS_fdatasync, Descriptor(0)),
    row("syncfs", libc::SYS_syncfs, Descriptor(0)),
    row("sync_file_range", libc::SYS_sync_file_range, Descriptor(0)),
    row("ftruncate", libc::SYS_ftruncate, Descriptor(0)),
    row("fallocate", libc::SYS_fallocate, Descriptor(0)),
    // Only F_SETFL counts: see `Row::concerns`.
    row("fcntl", libc::SYS_fcntl, Descriptor(0)),
    row("fadvise64", libc::SYS_fadvise64, Descriptor(0)),
    row("cachestat", SYS_CACHESTAT, Descriptor(0)),
    row("mmap", libc::SYS_mmap, Descriptor(4)),
    row("ioctl", libc::SYS_ioctl, Descriptor(0)),
    row("flock", libc::SYS_flock, Descriptor(0)),
    row("fchmod", libc::SYS_fchmod, Descriptor(0)),
    row("fchown", libc::SYS_fchown, Descriptor(0)),
    row("utimensat", libc::SYS_utimensat, Below(0, 1)),
    row("mkdirat", libc::SYS_mkdirat, Below(0, 1)),
    row("unlinkat", libc::SYS_unlinkat, Below(0, 1)),
    row("linkat", libc::SYS_linkat, Below(0, 1)),
    row("renameat2", libc::SYS_renameat2, Below(0, 1)),
    row("copy_file_range", libc::SYS_copy_file_range, Descriptor(0)),
    row("io_uring_setup", libc::SYS_io_uring_setup, Ring),
    row(
        "io_uring_register",
        libc::SYS_io_uring_register,
        Descriptor(0),
    ),
    row("io_uring_enter", libc::SYS_io_uring_enter, Descriptor(0)),
];

/// Calls that newer architectures have no more.
#[cfg(target_arch = "x86_64")]
const OLD: &[Row] = &[
    row("rename", libc::SYS_rename, Names::Path(0)),
    row("renameat", libc::SYS_renameat, Below(0, 1)),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[Row] = &[row("renameat", libc::SYS_renameat, Below(0, 1))];

/// All rows.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    COMMON.iter().chain(OLD)
}

/// The numbers of all of them, for a filter.
pub fn numbers() -> Vec<i64> {
    rows().map(|row| row.number).collect()
}
