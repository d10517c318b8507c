//! The door as its owner sees it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::addresses::Addresses;
use super::event_loop::EventLoop;
use super::expectations::Expectations;
use super::head::{self, Method, Reading};
use super::inbox::{Inbox, Message};
use super::listener::Listener;
use super::observer::{Observer, Stats, StatsNow};
use super::pace::Rules;
use super::peers::Peers;
use super::publications::Publications;
use super::serve_engine::ServeEngine;
use super::tokens::Verdict;
use super::upload::Upload;
use crate::names::{FileType, SectorName};

/// How a door is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on: `0.0.0.0`, `::`, `127.0.0.1`.
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
    /// Loopback port everything else is tunnelled to.
    pub upstream_port: u16,
    /// Threads that move bulk data.
    pub max_transfers: usize,
    /// Open connections before accepting pauses.
    pub max_connections: u64,
    /// Open connections of one address; more are closed as they come.
    pub max_connections_per_address: u64,
    /// A request head must be complete after this long.
    pub head_timeout: Duration,
    /// A kept-alive connection without a request is closed after this long.
    pub idle_timeout: Duration,
    /// A transfer without a byte moved for this long is cut.
    pub progress_timeout: Duration,
    /// Bytes a second that a client must take or send on average over each `progress_timeout` of waiting
    /// for it; 0 for any.
    pub min_rate: u64,
    /// How long a caller waits for the verdict about its token.
    pub verdict_timeout: Duration,
    /// How long a push and whoever expects it wait for each other.
    pub upload_wait: Duration,
    /// How sector files are read.
    pub serve_engine: ServeEngine,
}

impl Options {
    pub(crate) fn pace(&self) -> Rules {
        Rules::new(self.progress_timeout, self.min_rate)
    }
}

/// What the event loop and its owner share.
pub(crate) struct Shared {
    pub options: Options,
    pub observer: Arc<dyn Observer>,
    pub stats: Arc<Stats>,
    pub publications: Publications,
    pub expectations: Expectations,
    pub peers: Peers,
    pub addresses: Addresses,
    pub inbox: Arc<Inbox>,
}

/// The one public port of a node. Started once; dropping it cuts what runs.
pub struct FrontDoor {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl FrontDoor {
    /// Prepares a door; nothing listens yet.
    pub fn new(options: Options, observer: Arc<dyn Observer>) -> io::Result<Self> {
        let inbox = Arc::new(Inbox::new()?);
        let told = inbox.clone();
        let expectations = Expectations::new(Arc::new(move || told.send(Message::Uploads)));
        let shared = Shared {
            addresses: Addresses::new(options.max_connections_per_address),
            options,
            observer,
            stats: Arc::default(),
            publications: Publications::default(),
            expectations,
            peers: Peers::default(),
            inbox,
        };
        Ok(Self {
            shared: Arc::new(shared),
            thread: Mutex::default(),
        })
    }

    /// Takes the port and starts serving; returns the port. A second start fails with `EALREADY`.
    pub fn start(&self) -> io::Result<u16> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return Err(rustix::io::Errno::ALREADY.into());
        }
        let (listener, port) = Listener::open(&self.shared.options.host, self.shared.options.port)?;
        let event_loop = EventLoop::new(self.shared.clone(), listener)?;
        let builder = std::thread::Builder::new().name("sealyard-door".into());
        *thread = Some(builder.spawn(move || event_loop.run())?);
        Ok(port)
    }

    /// Answers a question put to [`Observer::authorize`].
    pub fn verdict(&self, ticket: u64, verdict: Verdict, lasts: Duration) {
        self.shared.inbox.send(Message::Verdict {
            ticket,
            verdict,
            lasts,
        });
    }

    /// Lets `/remote/<kind>/<name>` serve `path` (`<storage path>/<type>/<name>`). Several storage paths
    /// may hold one name: the first that opens is served.
    pub fn publish(&self, path_id: &str, kind: FileType, name: SectorName, path: PathBuf) {
        self.shared
            .publications
            .publish(path_id, (kind, name), path);
    }

    /// False when that was not published.
    pub fn unpublish(&self, path_id: &str, kind: FileType, name: SectorName) -> bool {
        self.shared.publications.unpublish(path_id, (kind, name))
    }

    /// The client behind a tunnel's source address.
    pub fn peer_of(&self, address: Ipv4Addr) -> Option<SocketAddr> {
        self.shared.peers.peer_of(address)
    }

    /// Takes over a request that came through a tunnel, to be answered on the client's connection when
    /// the control plane closes its end. Only what the door would itself serve is taken: anything else
    /// would be tunnelled to where it comes from.
    pub fn hand_back(&self, address: Ipv4Addr, head: &[u8]) -> bool {
        match head::read(head) {
            Reading::Native(request)
                if request.method != Method::Push && request.head_length == head.len() =>
            {
                self.shared.peers.hand_back(address, head)
            }
            _ => false,
        }
    }

    /// Announces a push to `/rpc/streams/v0/push/<uuid>`, which may be waiting already. The body goes to
    /// the new file `path`. `None` when `uuid` is none, or is expected already.
    pub fn expect_upload(&self, uuid: &str, path: PathBuf, limit: u64) -> Option<Upload> {
        head::is_uuid(uuid)
            .then(|| self.shared.expectations.add(uuid, path, limit))
            .flatten()
    }

    /// The counters now.
    pub fn stats(&self) -> StatsNow {
        self.shared.stats.now()
    }

    /// Stops accepting, lets what runs end, cuts it after `patience`; returns when the threads have ended.
    pub fn close(&self, patience: Duration) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.shared.expectations.close();
        if let Some(thread) = thread {
            self.shared.inbox.send(Message::Close(patience));
            // The last owner may let go of the door in one of its own calls to the observer.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}
