//! Answers the calls of a trapped program, one of them with a fault.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use sys::Errno;
use sys::faults::{Answer, Call, answer, next_call};

use super::caller::{inode_of, is_direct, make_half, path_of};
use super::table::{Moves, Names, Row, rows};
use crate::{Outcome, while_doing};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not made and fails.
    Fails(Errno),
    /// Half of it is made.
    Short,
    /// The process is killed in place of it.
    Kill,
}

/// Each fault and its name.
pub const FAULTS: [(&str, Fault); 8] = [
    ("EIO", Fault::Fails(Errno::IO)),
    ("ENOSPC", Fault::Fails(Errno::NOSPC)),
    ("EDQUOT", Fault::Fails(Errno::DQUOT)),
    ("EROFS", Fault::Fails(Errno::ROFS)),
    ("ESTALE", Fault::Fails(Errno::STALE)),
    ("EINTR", Fault::Fails(Errno::INTR)),
    ("short", Fault::Short),
    ("SIGKILL", Fault::Kill),
];

/// One call that was asked for.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub name: &'static str,
    /// The file it is about.
    pub path: PathBuf,
    /// Device, inode, and whether it is a directory, where the call is on a descriptor.
    pub inode: Option<(u64, u64, bool)>,
    /// Whether half of it can be made.
    pub can_be_short: bool,
    /// It met the fault.
    pub failed: bool,
}

/// A trapped program and what it has called so far.
pub struct Supervisor {
    listener: OwnedFd,
    child: Child,
}

impl Supervisor {
    /// Takes over the listener of a program that has just begun.
    pub fn new(child: Child, listener: OwnedFd) -> Supervisor {
        Supervisor { listener, child }
    }

    /// Answers until the program ends or `idle` says so; it is asked when nothing was called for a while.
    /// @param concerns whether a file is one of those whose calls count
    /// @param decide what happens to a call that counts
    /// # Errors
    /// When the kernel does not let us answer.
    pub fn serve(
        &mut self,
        concerns: &dyn Fn(&Call, &Path) -> bool,
        decide: &mut dyn FnMut(&mut Seen) -> Option<Fault>,
        idle: &mut dyn FnMut() -> bool,
    ) -> Outcome<()> {
        loop {
            let mut fds = [PollFd::new(&self.listener, PollFlags::IN)];
            let wait = Timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            };
            let ready = match poll(&mut fds, Some(&wait)) {
                Err(Errno::INTR) => continue,
                other => other.map_err(while_doing("poll"))?,
            };
            let events = fds[0].revents();
            if ready == 0 {
                if idle() {
                    return Ok(());
                }
                continue;
            }
            // The last process under the filter has ended.
            if !events.contains(PollFlags::IN) {
                return Ok(());
            }
            let call = match next_call(self.listener.as_fd()) {
                Err(Errno::NOENT | Errno::INTR) => continue,
                other => other.map_err(while_doing("receiving a call"))?,
            };
            let reply = self.reply(&call, concerns, decide)?;
            match answer(self.listener.as_fd(), &call, reply) {
                Ok(()) | Err(Errno::NOENT | Errno::INPROGRESS) => {}
                Err(errno) => return Err(format!("answering a call: {errno}")),
            }
        }
    }

    fn reply(
        &self,
        call: &Call,
        concerns: &dyn Fn(&Call, &Path) -> bool,
        decide: &mut dyn FnMut(&mut Seen) -> Option<Fault>,
    ) -> Outcome<Answer> {
        let Some(row) = rows()
            .find(|row| row.number == call.number)
            .filter(|row| row.concerns(&call.arguments))
        else {
            return Ok(Answer::Goes);
        };
        let Some(path) = path_of(call, row).filter(|path| concerns(call, path)) else {
            return Ok(Answer::Goes);
        };
        let mut seen = seen(call, row, path);
        match decide(&mut seen) {
            None => Ok(Answer::Goes),
            Some(Fault::Fails(errno)) => Ok(Answer::Fails(errno.raw_os_error())),
            Some(Fault::Short) => match make_half(call, row.moves) {
                Ok(Some(bytes)) => Ok(Answer::Returns(bytes)),
                Ok(None) => Ok(Answer::Goes),
                Err(error) => Err(format!(
                    "half of {} on {}: {error}",
                    row.name,
                    seen.path.display()
                )),
            },
            Some(Fault::Kill) => {
                let pid = Pid::from_raw(self.child.id() as i32).ok_or("no process")?;
                kill_process(pid, Signal::KILL).map_err(while_doing("kill"))?;
                Ok(Answer::Fails(Errno::INTR.raw_os_error()))
            }
        }
    }

    /// The program, once it has ended.
    pub fn into_child(self) -> Child {
        self.child
    }
}

fn seen(call: &Call, row: &'static Row, path: PathBuf) -> Seen {
    let inode = match row.names {
        Names::Descriptor(at) => inode_of(call, call.arguments[at]),
        _ => None,
    };
    Seen {
        name: row.name,
        path,
        inode,
        can_be_short: row.moves != Moves::Nothing && !is_direct(call),
        failed: false,
    }
}
