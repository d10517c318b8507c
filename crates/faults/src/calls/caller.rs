//! The thread that makes a call, seen from outside: which file it means, and the bytes it moves.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use sys::faults::Call;

use super::table::{Moves, Names, Row, Shape};

const LONGEST_PATH: usize = 4096;

/// The path of the file that a call is about; None if it cannot be told, so if it is none of ours.
pub fn path_of(call: &Call, row: &Row) -> Option<PathBuf> {
    match row.names {
        Names::Descriptor(at) => link(call, call.arguments[at]),
        Names::Path(at) => text(call, call.arguments[at]),
        Names::Ring => Some(PathBuf::from("anon_inode:[io_uring]")),
        Names::Below(at, path) => {
            let name = match call.arguments[path] {
                0 => PathBuf::new(),
                address => text(call, address)?,
            };
            if name.is_absolute() {
                return Some(name);
            }
            let directory = link(call, call.arguments[at])?;
            // Joined, an empty name would end it with a slash.
            Some(if name.as_os_str().is_empty() {
                directory
            } else {
                directory.join(name)
            })
        }
    }
}

/// Device and inode behind a descriptor, and whether it is a directory.
pub fn inode_of(call: &Call, descriptor: u64) -> Option<(u64, u64, bool)> {
    let meta = fs::metadata(format!("/proc/{}/fd/{}", call.thread, descriptor as i32)).ok()?;
    Some((meta.dev(), meta.ino(), meta.is_dir()))
}

/// Whether the descriptor of a read or write is O_DIRECT. Half of such a call would need a buffer and a length that the
/// disk takes, and a disk never answers within a block: there is nothing to learn from it.
pub fn is_direct(call: &Call) -> bool {
    let info = format!("/proc/{}/fdinfo/{}", call.thread, call.arguments[0] as i32);
    let flags = fs::read_to_string(info).ok().and_then(|text| {
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        i32::from_str_radix(flags.trim(), 8).ok()
    });
    flags.is_some_and(|flags| flags & libc::O_DIRECT != 0)
}

fn link(call: &Call, descriptor: u64) -> Option<PathBuf> {
    let entry = match descriptor as i32 {
        libc::AT_FDCWD => format!("/proc/{}/cwd", call.thread),
        number => format!("/proc/{}/fd/{number}", call.thread),
    };
    fs::read_link(entry).ok()
}

fn memory(call: &Call) -> std::io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .open(format!("/proc/{}/mem", call.thread))
}

fn text(call: &Call, address: u64) -> Option<PathBuf> {
    let mut bytes = [0; LONGEST_PATH];
    // It may end just before memory that is not there.
    let read = memory(call).ok()?.read_at(&mut bytes, address).ok()?;
    let end = bytes[..read].iter().position(|byte| *byte == 0)?;
    Some(std::ffi::OsString::from_vec(bytes[..end].to_vec()).into())
}

/// The caller's own descriptor, so with its position and its flags.
fn descriptor(call: &Call) -> std::io::Result<OwnedFd> {
    let status = fs::read_to_string(format!("/proc/{}/status", call.thread))?;
    let leader = status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
        .and_then(Pid::from_raw)
        .ok_or(std::io::ErrorKind::NotFound)?;
    let process = pidfd_open(leader, PidfdFlags::empty())?;
    Ok(pidfd_getfd(
        process,
        call.arguments[0] as i32,
        PidfdGetfdFlags::empty(),
    )?)
}

/// Makes a read or write in the caller's stead, half of it, and says how many bytes that were. None where a call
/// has no half.
/// # Errors
/// What the kernel answers to the half.
pub fn make_half(call: &Call, moves: Moves) -> std::io::Result<Option<i64>> {
    let (shape, writes) = match moves {
        Moves::Nothing => return Ok(None),
        Moves::Reads(shape) => (shape, false),
        Moves::Writes(shape) => (shape, true),
    };
    let memory = memory(call)?;
    let (address, bytes) = buffer(call, &memory, shape)?;
    let half = bytes / 2;
    if half == 0 {
        return Ok(None);
    }
    let file = File::from(descriptor(call)?);
    let mut part = vec![0; half];
    if writes {
        memory.read_exact_at(&mut part, address)?;
    }
    let offset = call.arguments[3];
    let moved = match (writes, shape.offset) {
        (true, true) => file.write_at(&part, offset)?,
        (true, false) => std::io::Write::write(&mut &file, &part)?,
        (false, true) => file.read_at(&mut part, offset)?,
        (false, false) => std::io::Read::read(&mut &file, &mut part)?,
    };
    if !writes {
        memory.write_all_at(&part[..moved], address)?;
    }
    Ok(Some(moved as i64))
}

/// The first buffer that is not empty, and its length.
fn buffer(call: &Call, memory: &File, shape: Shape) -> std::io::Result<(u64, usize)> {
    if !shape.vector {
        return Ok((call.arguments[1], call.arguments[2] as usize));
    }
    for at in 0..call.arguments[2] {
        let mut entry = [[0; 8]; 2];
        memory.read_exact_at(entry.as_flattened_mut(), call.arguments[1] + at * 16)?;
        let [address, bytes] = entry.map(u64::from_ne_bytes);
        if bytes > 0 {
            return Ok((address, bytes as usize));
        }
    }
    Ok((0, 0))
}
