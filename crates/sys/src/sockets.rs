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

/// Takes no more bytes than this beyond what the other side's window lets out (TCP_NOTSENT_LOWAT); without it a
/// socket takes megabytes, and holds them for as long as nobody reads.
pub fn limit_unsent(socket: impl AsFd, bytes: usize) -> Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set_int(socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, bytes)
}

/// Bytes of the send queue that the other side has not acknowledged (SIOCOUTQ).
pub fn unsent(socket: impl AsFd) -> Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int behind the pointer; it lives over the call.
    let status = unsafe {
        libc::ioctl(
            socket.as_fd().as_raw_fd(),
            libc::TIOCOUTQ,
            std::ptr::from_mut(&mut bytes),
        )
    };
    if status == 0 {
        Ok(u64::try_from(bytes).unwrap_or(0))
    } else {
        Err(crate::extents::last_errno())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{SocketAddrV4, TcpListener, TcpStream};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_readable(socket: &TcpStream) -> bool {
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: 200_000_000,
        };
        poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&patience)).unwrap() > 0
    }

    #[test]
    fn a_socket_wakes_at_its_mark_and_at_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        wake_at(&receiver, 1000).unwrap();
        sender.write_all(&[1; 999]).unwrap();
        assert!(!is_readable(&receiver));
        sender.write_all(&[1]).unwrap();
        assert!(is_readable(&receiver));
        wake_at(&receiver, usize::MAX).unwrap();
        assert!(!is_readable(&receiver));
        drop(sender);
        assert!(is_readable(&receiver));
    }

    #[test]
    fn an_address_is_bound_without_a_port() {
        use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind_without_port(&socket).unwrap();
        bind(&socket, &SocketAddrV4::new([127, 64, 0, 1].into(), 0)).unwrap();
        let bound = SocketAddrV4::try_from(getsockname(&socket).unwrap()).unwrap();
        assert_eq!((bound.ip().octets(), bound.port()), ([127, 64, 0, 1], 0));
    }

    #[test]
    fn a_socket_takes_no_more_than_it_may() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fill = |limit: Option<usize>| {
            let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let reader = listener.accept().unwrap();
            limit
                .map_or(Ok(()), |limit| limit_unsent(&sender, limit))
                .unwrap();
            sender.set_nonblocking(true).unwrap();
            let mut sent = 0;
            while let Ok(bytes) = sender.write(&[7; 16 << 10]) {
                sent += bytes;
            }
            drop(reader);
            sent
        };
        let (free, bound) = (fill(None), fill(Some(32 << 10)));
        assert!(bound < free, "{bound} and {free}");
    }

    #[test]
    fn what_is_not_taken_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut taker, _) = listener.accept().unwrap();
        assert_eq!(unsent(&sender), Ok(0));
        sender.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(bytes) = sender.write(&[7; 64 << 10]) {
            sent += bytes as u64;
        }
        let before = unsent(&sender).unwrap();
        assert!(before > 0 && before < sent, "{before} of {sent}");
        std::io::Read::read_exact(&mut taker, &mut vec![0; sent as usize]).unwrap();
        while unsent(&sender).unwrap() > 0 {
            std::thread::yield_now();
        }
    }
}
