//! How a file gets from the disk to a socket, and which way is right for what the page cache holds of it.

use std::os::fd::AsFd;

use rustix::io::Errno;

/// How sector files are read when they are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServeEngine {
    /// What is in the page cache by `sendfile`, the rest past it. Decided anew for each 64 MiB.
    Auto,
    /// `sendfile`, whatever that leaves in the page cache.
    Sendfile,
    /// io_uring and O_DIRECT: nothing is left in the page cache.
    Direct,
    /// Through the page cache without staying in it (RWF_DONTCACHE, Linux 6.14).
    Uncached,
    /// `sendfile`, and what was sent is dropped from the page cache: also what others had there.
    Buffered,
}

/// One way to go; the engine chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Sendfile,
    Direct,
    Uncached,
    Buffered,
}

impl Way {
    /// What to try where this one does not work.
    pub fn instead(self) -> Self {
        match self {
            Self::Direct => Self::Uncached,
            _ => Self::Buffered,
        }
    }
}

/// What the choice was, and up to where in the file it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub way: Way,
    pub until: u64,
}

/// Long enough that asking costs nothing, short enough to notice where the cached part of a file ends.
const JUDGED: u64 = 64 << 20;
/// mincore and mmap want whole pages.
const LARGEST_PAGE: u64 = 64 << 10;
/// Below this a ring costs more than it gains.
const WORTH_A_RING: u64 = 4 << 20;

impl ServeEngine {
    /// How to send `bytes` from `at` on; `best` is the best way past the page cache that has not failed here.
    pub(crate) fn choose(self, file: impl AsFd, at: u64, bytes: u64, best: Way) -> Choice {
        let (way, until) = match (self, best) {
            (Self::Sendfile, _) => (Way::Sendfile, u64::MAX),
            (Self::Buffered, _) => (Way::Buffered, u64::MAX),
            (Self::Uncached, Way::Direct) => (Way::Uncached, u64::MAX),
            (Self::Direct | Self::Uncached, _) => (best, u64::MAX),
            (Self::Auto, _) => {
                let judged = bytes.min(JUDGED);
                let way = match is_cached(file, at, judged) {
                    true => Way::Sendfile,
                    false if bytes < WORTH_A_RING && best == Way::Direct => Way::Uncached,
                    false => best,
                };
                (way, at + judged)
            }
        };
        Choice { way, until }
    }
}

/// Whether most of a range is in the page cache.
fn is_cached(file: impl AsFd, at: u64, bytes: u64) -> bool {
    let file = file.as_fd();
    let cached = match sys::extents::cached_bytes(file, at, bytes) {
        // Before Linux 6.5.
        Err(Errno::NOSYS) => sys::uncached::mapped_bytes(file, at - at % LARGEST_PAGE, bytes),
        // A file of somebody else's, which we may only read: the kernel does not say. Sectors are read once.
        Err(Errno::PERM) => Ok(0),
        other => other,
    };
    // What cannot be told leaves the usual way.
    cached.is_ok_and(|cached| cached >= bytes - bytes / 4) || cached.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_in_memory_is_sent_from_there_and_the_rest_past_it() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 8 << 20]).unwrap();
        file.sync_all().unwrap();
        let choose = |engine: ServeEngine, at: u64, bytes: u64, best: Way| {
            engine.choose(&file, at, bytes, best).way
        };
        assert_eq!(
            choose(ServeEngine::Auto, 0, 8 << 20, Way::Direct),
            Way::Sendfile
        );
        sys::extents::forget_cached(&file, 0, 0).unwrap();
        if sys::extents::cached_bytes(&file, 0, 0) != Ok(0) {
            println!(
                "SKIP: serving a cold file: this file system keeps its pages, or does not tell"
            );
            return;
        }
        assert_eq!(
            choose(ServeEngine::Auto, 0, 8 << 20, Way::Direct),
            Way::Direct
        );
        assert_eq!(
            choose(ServeEngine::Auto, 0, 8 << 20, Way::Uncached),
            Way::Uncached
        );
        assert_eq!(
            choose(ServeEngine::Auto, 0, 1 << 20, Way::Direct),
            Way::Uncached
        );
        assert_eq!(
            choose(ServeEngine::Sendfile, 0, 8 << 20, Way::Buffered),
            Way::Sendfile
        );
    }

    #[test]
    fn a_forced_way_that_fails_gives_way_to_the_next() {
        let file = tempfile::tempfile().unwrap();
        for (engine, ways) in [
            (
                ServeEngine::Direct,
                [Way::Direct, Way::Uncached, Way::Buffered],
            ),
            (
                ServeEngine::Uncached,
                [Way::Uncached, Way::Uncached, Way::Buffered],
            ),
            (ServeEngine::Buffered, [Way::Buffered; 3]),
        ] {
            for (best, way) in [Way::Direct, Way::Uncached, Way::Buffered]
                .into_iter()
                .zip(ways)
            {
                assert_eq!(
                    engine.choose(&file, 0, 1, best).way,
                    way,
                    "{engine:?} with {best:?}"
                );
            }
        }
        assert_eq!(Way::Direct.instead(), Way::Uncached);
        assert_eq!(Way::Uncached.instead(), Way::Buffered);
    }
}
