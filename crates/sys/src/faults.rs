//! Calls that inject faults: seccomp's notifications, and the switch that cuts a file system's power.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use crate::Result;
use crate::extents::last_errno;

/// One system call that a traced thread is about to make; it waits for the answer.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Names the call in the answer.
    pub id: u64,
    /// The thread that makes it.
    pub thread: u32,
    /// The kernel's number of the call.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The kernel makes it, as if nobody had looked.
    Goes,
    /// It is not made and returns this number of bytes.
    Returns(i64),
    /// It is not made and fails with this errno.
    Fails(i32),
}

/// Lets this thread, and all it starts from now on, ask before they make one of these calls. Whoever holds the
/// descriptor answers; once nobody does, the calls fail with ENOSYS. Needs `no_new_privs` or root.
pub fn ask_before(numbers: &[i64]) -> Result<OwnedFd> {
    let count = u8::try_from(numbers.len()).map_err(|_| crate::Errno::INVAL)?;
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let number_at = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    let mut program = vec![statement(
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        number_at,
    )];
    for (at, number) in (0u8..).zip(numbers) {
        program.push(libc::sock_filter {
            // To the last statement; else on to the next one.
            jt: count - at,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, *number as u32)
        });
    }
    program.push(statement(libc::BPF_RET, libc::SECCOMP_RET_ALLOW));
    program.push(statement(libc::BPF_RET, libc::SECCOMP_RET_USER_NOTIF));
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program outlives the call, the kernel copies it; its length is that of the vector.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            std::ptr::from_ref(&filter),
        )
    };
    if fd < 0 {
        return Err(last_errno());
    }
    // SAFETY: a descriptor the kernel has just given to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Waits for the next call. ENOENT: its thread was killed meanwhile.
pub fn next_call(listener: impl AsFd) -> Result<Call> {
    // SAFETY: a structure of integers, for which zero is a value; the kernel demands that it is zero.
    let mut seen: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the request writes one seccomp_notif, which lives over the call.
    let status = unsafe {
        libc::ioctl(
            listener.as_fd().as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV as _,
            std::ptr::from_mut(&mut seen),
        )
    };
    if status < 0 {
        return Err(last_errno());
    }
    Ok(Call {
        id: seen.id,
        thread: seen.pid,
        number: i64::from(seen.data.nr),
        arguments: seen.data.args,
    })
}

/// Answers a call. ENOENT: its thread was killed meanwhile.
pub fn answer(listener: impl AsFd, call: &Call, answer: Answer) -> Result<()> {
    let (value, error, flags) = match answer {
        Answer::Goes => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Returns(value) => (value, 0, 0),
        Answer::Fails(errno) => (0, -errno, 0),
    };
    let mut response = libc::seccomp_notif_resp {
        id: call.id,
        val: value,
        error,
        flags,
    };
    // SAFETY: the request reads one seccomp_notif_resp, which lives over the call.
    let status = unsafe {
        libc::ioctl(
            listener.as_fd().as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND as _,
            std::ptr::from_mut(&mut response),
        )
    };
    if status < 0 {
        Err(last_errno())
    } else {
        Ok(())
    }
}

/// How a file system is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Its log is flushed, its data is not: names may come to outlive content.
    LogFlushed,
    /// Nothing is flushed: what a power cut leaves.
    NothingFlushed,
}

/// _IOR('X', 125, __u32): XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN.
const GOING_DOWN: u64 = 0x8004_587d;

/// Cuts off the file system of an open directory: every later call on it fails with EIO, and nothing more is
/// written. ENOTTY where it cannot do that (btrfs, tmpfs). Needs root.
pub fn shut_down(directory: impl AsFd, how: Shutdown) -> Result<()> {
    let flag: u32 = match how {
        Shutdown::LogFlushed => 1,
        Shutdown::NothingFlushed => 2,
    };
    // SAFETY: the request reads one u32, which lives over the call.
    let status = unsafe {
        libc::ioctl(
            directory.as_fd().as_raw_fd(),
            GOING_DOWN as _,
            std::ptr::from_ref(&flag),
        )
    };
    if status < 0 {
        Err(last_errno())
    } else {
        Ok(())
    }
}
