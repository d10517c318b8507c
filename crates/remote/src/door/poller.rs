//! epoll, level-triggered. A socket nothing is wanted from is taken out: hang-ups are reported
//! whether they are wanted or not, and one that cannot be acted on would spin.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

/// What is awaited of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub read: bool,
    pub write: bool,
}

impl Interest {
    pub const NONE: Self = Self {
        read: false,
        write: false,
    };
    pub const READ: Self = Self {
        read: true,
        write: false,
    };
    pub const WRITE: Self = Self {
        read: false,
        write: true,
    };

    fn flags(self) -> EventFlags {
        let read = if self.read {
            EventFlags::IN | EventFlags::RDHUP
        } else {
            EventFlags::empty()
        };
        let write = if self.write {
            EventFlags::OUT
        } else {
            EventFlags::empty()
        };
        read | write
    }
}

/// Events taken at once.
const AT_ONCE: usize = 256;

#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
        })
    }

    /// Moves a socket from what was awaited of it to what is. `key` comes back from [`Poller::wait`].
    pub fn set(
        &self,
        fd: impl AsFd,
        key: u64,
        current: &mut Interest,
        wanted: Interest,
    ) -> std::io::Result<()> {
        if *current == wanted {
            return Ok(());
        }
        let data = EventData::new_u64(key);
        if wanted == Interest::NONE {
            epoll::delete(&self.epoll, fd)?;
        } else if *current == Interest::NONE {
            epoll::add(&self.epoll, fd, data, wanted.flags())?;
        } else {
            epoll::modify(&self.epoll, fd, data, wanted.flags())?;
        }
        *current = wanted;
        Ok(())
    }

    /// The keys of what became ready; none after `patience`.
    pub fn wait(&self, patience: Option<Duration>) -> std::io::Result<Vec<u64>> {
        let patience = patience.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        let mut events = Vec::with_capacity(AT_ONCE);
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events),
            patience.as_ref(),
        ) {
            Ok(_) => Ok(events.iter().map(|event| event.data.u64()).collect()),
            Err(Errno::INTR) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
        }
    }
}
