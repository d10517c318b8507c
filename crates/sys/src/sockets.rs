//! Socket options that need a raw call.

use std::os::fd::{AsFd, AsRawFd};

use crate::Result;

/// Lets a later bind choose the address alone, and connect the port (IP_BIND_ADDRESS_NO_PORT): then two
/// connections from one address to different servers can share a port.
pub fn bind_without_port(socket: impl AsFd) -> Result<()> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Reports a socket as readable only when so many bytes are there, or its end (SO_RCVLOWAT).
pub fn wake_at(socket: impl AsFd, bytes: usize) -> Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set_int(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, bytes)
}

fn set_int(socket: impl AsFd, level: i32, option: i32, value: libc::c_int) -> Result<()> {
    // SAFETY: the kernel reads one int behind the pointer; it lives over the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(&value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(crate::extents::last_errno())
    }
}
