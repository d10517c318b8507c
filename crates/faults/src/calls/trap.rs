//! A program whose calls are asked for: the filter is set, its descriptor handed over, and the program begins.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::table::numbers;
use crate::{Outcome, while_doing};

/// In the new process, whose stdin is the socket: sets the filter and becomes the program. Comes back only to fail.
pub fn become_program(words: &[String]) -> Outcome<()> {
    let (program, arguments) = words.split_first().ok_or("no program to run")?;
    // Without its supervisor it would get ENOSYS for everything.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(while_doing("parent death signal"))?;
    rustix::thread::set_no_new_privs(true).map_err(while_doing("no_new_privs"))?;
    let listener = sys::faults::ask_before(&numbers()).map_err(while_doing("seccomp"))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let sent = [listener.as_fd()];
    message.push(SendAncillaryMessage::ScmRights(&sent));
    let stdin = io::stdin();
    sendmsg(
        stdin.as_fd(),
        &[IoSlice::new(b"L")],
        &mut message,
        SendFlags::empty(),
    )
    .map_err(while_doing("handing the listener over"))?;
    // The program must not hold its own listener: whoever waits for its end would wait for ever.
    Err(format!(
        "{program}: {}",
        Command::new(program).args(arguments).exec()
    ))
}

/// Starts a program under the filter, by way of `trap` of this program.
/// # Errors
/// Where seccomp's notifications are not to be had.
pub fn start(
    trap: &Path,
    words: &[String],
    prepare: impl FnOnce(&mut Command),
) -> Outcome<(Child, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair().map_err(while_doing("socketpair"))?;
    let mut command = Command::new(trap);
    command.arg("trap").args(words).stdin(OwnedFd::from(theirs));
    command.stdout(Stdio::piped());
    prepare(&mut command);
    let child = command
        .spawn()
        .map_err(while_doing("starting the program"))?;
    drop(command);
    match receive(&ours) {
        Ok(listener) => Ok((child, listener)),
        Err(error) => {
            let _ = child.wait_with_output();
            Err(format!(
                "no listener came from the program ({error}); is seccomp's user notification allowed here?"
            ))
        }
    }
}

fn receive(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut message,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    message
        .drain()
        .find_map(|each| match each {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        })
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
