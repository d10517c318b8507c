//! One file that is a disk, served to the kernel by its FUSE protocol (7.31): a regular file as the root of a mount.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use sys::Errno;

use super::memory::Memory;
use crate::{Outcome, while_doing};

/// The largest write, and room for the headers before it.
const MOST: usize = 128 << 10;
const HEADERS: usize = 4096;
/// How often a stalled disk looks whether it goes on.
const PATIENCE: Duration = Duration::from_millis(1);

/// Opcodes of `fuse_opcode` that such a file meets; all others are answered with ENOSYS.
mod opcode {
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const STATFS: u32 = 17;
    pub const RELEASE: u32 = 18;
    pub const FSYNC: u32 = 20;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const BATCH_FORGET: u32 = 42;
    pub const FALLOCATE: u32 = 43;
}

/// A mounted file and the thread that answers for it.
pub struct Served {
    at: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Mounts it over the file `at`, which exists.
    /// # Errors
    /// What this machine lacks.
    pub fn mount(at: &Path, memory: Arc<Mutex<Memory>>) -> Outcome<Served> {
        let device = File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .map_err(while_doing("opening /dev/fuse"))?;
        let options = format!(
            "fd={},rootmode=100000,user_id=0,group_id=0",
            device.as_raw_fd()
        );
        let options = std::ffi::CString::new(options).map_err(while_doing("mounting"))?;
        mount(
            "sealyard-faults",
            at,
            "fuse",
            MountFlags::NOSUID | MountFlags::NODEV,
            options.as_c_str(),
        )
        .map_err(while_doing("mounting a file of FUSE"))?;
        let thread = std::thread::spawn(move || serve(&device, &memory));
        Ok(Served {
            at: at.to_owned(),
            thread: Some(thread),
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Err(errno) = unmount(&self.at, UnmountFlags::DETACH) {
            eprintln!("{} stays mounted: {errno}", self.at.display());
            return;
        }
        // The loop device may hold the file a moment longer; the thread ends with the connection.
        drop(self.thread.take());
    }
}

/// Ends when the file is unmounted.
fn serve(mut device: &File, memory: &Mutex<Memory>) {
    let mut buffer = vec![0; MOST + HEADERS];
    loop {
        let read = match device.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // ENOENT: the request was withdrawn meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return,
        };
        let Some(reply) = answer(&buffer[..read], memory) else {
            continue;
        };
        if let Err(error) = device.write_all(&reply)
            && error.kind() != io::ErrorKind::NotFound
        {
            return;
        }
    }
}

struct Request<'a> {
    opcode: u32,
    unique: u64,
    body: &'a [u8],
}

impl Request<'_> {
    fn number(&self, at: usize) -> u64 {
        self.body.get(at..at + 8).map_or(0, |bytes| {
            u64::from_ne_bytes(bytes.try_into().unwrap_or_default())
        })
    }

    fn half(&self, at: usize) -> u32 {
        self.body.get(at..at + 4).map_or(0, |bytes| {
            u32::from_ne_bytes(bytes.try_into().unwrap_or_default())
        })
    }
}

fn parse(bytes: &[u8]) -> Option<Request<'_>> {
    // struct fuse_in_header
    let (header, body) = bytes.split_at_checked(40)?;
    Some(Request {
        opcode: u32::from_ne_bytes(header[4..8].try_into().ok()?),
        unique: u64::from_ne_bytes(header[8..16].try_into().ok()?),
        body,
    })
}

/// None for what wants no answer.
fn answer(bytes: &[u8], memory: &Mutex<Memory>) -> Option<Vec<u8>> {
    let request = parse(bytes)?;
    let result = match request.opcode {
        opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT => return None,
        opcode::INIT => Ok(init()),
        opcode::DESTROY | opcode::RELEASE | opcode::FLUSH => Ok(Vec::new()),
        // FOPEN_DIRECT_IO: nothing between the loop device and us keeps a copy.
        opcode::OPEN => Ok([&0u64.to_ne_bytes()[..], &1u32.to_ne_bytes(), &[0; 4]].concat()),
        opcode::STATFS => Ok(vec![0; 80]),
        opcode::FALLOCATE => Err(Errno::OPNOTSUPP),
        opcode::GETATTR | opcode::SETATTR => Ok(attributes(locked(memory).bytes())),
        opcode::READ | opcode::WRITE | opcode::FSYNC => transfer(&request, memory),
        _ => Err(Errno::NOSYS),
    };
    // struct fuse_out_header
    let (error, body) = match result {
        Ok(body) => (0, body),
        Err(errno) => (-errno.raw_os_error(), Vec::new()),
    };
    let length = (16 + body.len()) as u32;
    Some(
        [
            &length.to_ne_bytes()[..],
            &error.to_ne_bytes(),
            &request.unique.to_ne_bytes(),
            &body,
        ]
        .concat(),
    )
}

fn locked(memory: &Mutex<Memory>) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What touches the disk: the body of the answer, or EIO.
fn transfer(request: &Request<'_>, memory: &Mutex<Memory>) -> Result<Vec<u8>, Errno> {
    while locked(memory).stalls() {
        std::thread::sleep(PATIENCE);
    }
    let delay = locked(memory).delay();
    if !delay.is_zero() {
        std::thread::sleep(delay);
    }
    let mut memory = locked(memory);
    let (offset, bytes) = (request.number(8), request.half(16));
    match request.opcode {
        opcode::READ => memory.read(offset, bytes as usize).ok_or(Errno::IO),
        opcode::WRITE => {
            // Behind struct fuse_write_in.
            let data = request
                .body
                .get(40..40 + bytes as usize)
                .ok_or(Errno::INVAL)?;
            let written = [bytes.to_ne_bytes(), [0; 4]].concat();
            memory
                .write(offset, data)
                .then_some(written)
                .ok_or(memory.write_errno())
        }
        _ => memory.flush().then(Vec::new).ok_or(Errno::IO),
    }
}

/// struct fuse_init_out
fn init() -> Vec<u8> {
    const MAX_PAGES: u32 = 1 << 22;
    let pages = (MOST / 4096) as u16;
    let words = [7u32, 31, MOST as u32, MAX_PAGES]
        .map(u32::to_ne_bytes)
        .concat();
    let background = [16u16, 12].map(u16::to_ne_bytes).concat();
    let sizes = [MOST as u32, 1].map(u32::to_ne_bytes).concat();
    let mut out = [words, background, sizes, pages.to_ne_bytes().to_vec()].concat();
    out.resize(64, 0);
    out
}

/// struct fuse_attr_out
fn attributes(bytes: u64) -> Vec<u8> {
    const REGULAR: u32 = 0o100_600;
    let numbers = [0u64, 0, 1, bytes, bytes / 512, 0, 0, 0]
        .map(u64::to_ne_bytes)
        .concat();
    let halves = [0u32, 0, 0, REGULAR, 1, 0, 0, 0, 4096, 0]
        .map(u32::to_ne_bytes)
        .concat();
    [numbers, halves].concat()
}
