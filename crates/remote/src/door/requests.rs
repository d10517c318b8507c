//! What the event loop does about a request: who asks, what is asked, and the answer.

use std::time::{Duration, Instant};

use rustix::net::Shutdown;

use super::connection::{Connection, Io, send};
use super::event_loop::{EventLoop, State};
use super::head::{self, Authorization, Framing, Method, Outline, Reading, Request, Target};
use super::inbox::Message;
use super::intake::Intake;
use super::job::{Handed, Job};
use super::observer::{Event, Level};
use super::quick::{self, Quick};
use super::reply::{self, Reply};
use super::tokens::{Judged, Verdict};
use super::tunnel::Tunnel;

/// How long an answered client may take to close its end.
const LINGER: Duration = Duration::from_secs(2);

impl EventLoop {
    /// Looks at what has arrived; `until` is when a head that has begun must be complete.
    pub fn parse(&mut self, key: u64, mut connection: Connection, until: Option<Instant>) {
        match head::read(&connection.buffer) {
            Reading::More => {
                let options = &self.shared.options;
                let patience = if connection.buffer.is_empty() {
                    options.idle_timeout
                } else {
                    options.head_timeout
                };
                let until = until.unwrap_or_else(|| Instant::now() + patience);
                self.hold(key, State::Head(connection), Some(until));
            }
            Reading::Refuse(status) => self.reply(key, connection, reply::empty(status, false)),
            Reading::Tunnel(outline) => self.open_tunnel(key, connection, outline),
            // The control plane may know of it: another node may have put it on a path that both see.
            Reading::Native(request) if self.is_unknown(&request) => {
                self.open_tunnel(key, connection, Some(request.outline()))
            }
            Reading::Native(mut request) => {
                connection.buffer.drain(..request.head_length);
                // A transfer may last for hours, and the control plane does not wait.
                connection.upstream = None;
                request.keep_alive &= self.closing.is_none();
                self.authorize(key, connection, request);
            }
        }
    }

    /// Whether this is a sector file that nobody has published.
    fn is_unknown(&self, request: &Request) -> bool {
        match &request.target {
            Target::Sector { kind, name, .. } => {
                self.shared.publications.paths((*kind, *name)).is_empty()
            }
            Target::Upload(_) => false,
        }
    }

    fn open_tunnel(&mut self, key: u64, mut connection: Connection, outline: Option<Outline>) {
        self.release(key, &mut connection);
        let shared = &self.shared;
        match Tunnel::open(
            connection,
            outline,
            &shared.options,
            &shared.peers,
            &shared.stats,
        ) {
            Ok(tunnel) => self.hold(key, State::Tunnel(tunnel), None),
            Err(failed) => {
                let (connection, error) = *failed;
                self.tell(
                    Event::new(Level::Error, "tunnel-failed", "cannot open a tunnel").error(&error),
                );
                self.no_upstream(key, connection);
            }
        }
    }

    /// The control plane has answered a request, and the client may send another.
    pub fn tunnelled(&mut self, key: u64, tunnel: Tunnel) {
        let connection = tunnel.into_client_and_way(&self.poller, key);
        self.next(key, connection, true);
    }

    pub fn no_upstream(&mut self, key: u64, connection: Connection) {
        let words = "this node is starting; try again in a moment\n";
        self.reply(key, connection, reply::text(503, words, false, false));
    }

    fn authorize(&mut self, key: u64, mut connection: Connection, request: Box<Request>) {
        if request.token_in_query {
            return self.refuse(key, connection, &request, 401, reply::TOKEN_IN_QUERY);
        }
        let is_push = matches!(request.target, Target::Upload(_));
        match &request.authorization {
            // The UUID itself, named in an authorized call, is what lets a push in.
            Authorization::Absent if is_push => self.dispatch(key, connection, request),
            Authorization::Absent => {
                self.refuse(key, connection, &request, 401, reply::NO_PERMISSION)
            }
            Authorization::Unusable => self.refuse(key, connection, &request, 401, ""),
            Authorization::Bearer(token) => match self.tokens.judge(token, key, Instant::now()) {
                Judged::Now(verdict) => self.answer_to(key, connection, request, verdict),
                Judged::Waiting(ticket) => {
                    let question = ticket.map(|ticket| (ticket, token.clone()));
                    self.release(key, &mut connection);
                    self.hold(key, State::Judging(connection, request), None);
                    self.arm(Instant::now() + self.shared.options.verdict_timeout);
                    if let Some((ticket, token)) = question {
                        self.shared.observer.authorize(ticket, &token);
                    }
                }
            },
        }
    }

    /// A verdict has come for a caller that waited.
    pub fn judged(&mut self, key: u64, verdict: Verdict) {
        match self.slots.remove(&key).map(|slot| slot.state) {
            Some(State::Judging(connection, request)) => {
                self.answer_to(key, connection, request, verdict)
            }
            Some(state) => self.hold(key, state, None),
            None => {}
        }
    }

    fn answer_to(
        &mut self,
        key: u64,
        connection: Connection,
        request: Box<Request>,
        verdict: Verdict,
    ) {
        match verdict {
            Verdict::Allowed => self.dispatch(key, connection, request),
            Verdict::Scoped(scopes) if scopes.allow(&request) => {
                self.dispatch(key, connection, request)
            }
            Verdict::Forbidden | Verdict::Scoped(_) => {
                self.refuse(key, connection, &request, 401, reply::NO_PERMISSION)
            }
            Verdict::Denied => self.refuse(key, connection, &request, 401, ""),
            Verdict::Unavailable => self.refuse(key, connection, &request, 503, reply::NO_VERDICT),
        }
    }

    fn dispatch(&mut self, key: u64, mut connection: Connection, request: Box<Request>) {
        match &request.target {
            Target::Upload(uuid) => {
                let uuid = uuid.clone();
                let until = Instant::now() + self.shared.options.upload_wait;
                self.push(key, connection, request, &uuid, until);
            }
            Target::Sector { kind, name, .. } => {
                let kind = *kind;
                let paths = self.shared.publications.paths((kind, *name));
                if paths.is_empty() {
                    return self.refuse(key, connection, &request, 404, "");
                }
                if let Some(Quick { reply, body }) = quick::answer(&request, &paths) {
                    self.shared.stats.add_served(kind, body);
                    return self.reply(key, connection, reply);
                }
                self.release(key, &mut connection);
                self.pool.give(Job::Serve {
                    connection,
                    request,
                    kind,
                    paths,
                });
            }
        }
    }

    /// A push, or the question whether it may come: begins when it is expected, or waits for that.
    fn push(
        &mut self,
        key: u64,
        mut connection: Connection,
        request: Box<Request>,
        uuid: &str,
        until: Instant,
    ) {
        let expectations = &self.shared.expectations;
        if request.method == Method::Head && expectations.has(uuid) {
            return self.reply(key, connection, reply::empty(200, request.keep_alive));
        }
        self.release(key, &mut connection);
        if request.method == Method::Push
            && let Some(expectation) = self.shared.expectations.take(uuid)
        {
            let rules = self.shared.options.pace();
            let intake = Intake::new(connection, &request, expectation, rules, &self.shared.stats);
            return self.pool.give(Job::Receive(Box::new(intake)));
        }
        if self.closing.is_some() {
            return self.not_expected(key, connection, &request);
        }
        self.hold(key, State::Expecting(connection, request), Some(until));
    }

    pub fn not_expected(&mut self, key: u64, connection: Connection, request: &Request) {
        self.refuse(
            key,
            connection,
            request,
            503,
            "nobody asked for this stream in time\n",
        );
    }

    /// Expectations have changed: looks at who waits for one, and for arriving bodies that were given up.
    pub fn look_at_uploads(&mut self) {
        if let Some(at) = self
            .shared
            .expectations
            .earliest(self.shared.options.upload_wait)
        {
            self.arm(at);
        }
        let waits = |state: &State| match state {
            State::Expecting(..) => true,
            State::Parked { job, .. } => job.is_cancelled(),
            _ => false,
        };
        let keys: Vec<u64> = self
            .slots
            .iter()
            .filter(|(_, slot)| waits(&slot.state))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            let Some(slot) = self.slots.remove(&key) else {
                continue;
            };
            match slot.state {
                State::Expecting(connection, request) => {
                    let Target::Upload(uuid) = request.target.clone() else {
                        continue;
                    };
                    let until = slot.until.unwrap_or_else(Instant::now);
                    self.push(key, connection, request, &uuid, until);
                }
                State::Parked { mut job, .. } => {
                    self.release(key, job.connection());
                    self.pool.give(job);
                }
                _ => {}
            }
        }
    }

    /// A short answer to a request; one with a body that will not be read ends the connection.
    fn refuse(
        &mut self,
        key: u64,
        connection: Connection,
        request: &Request,
        status: u16,
        words: &str,
    ) {
        let keep_alive =
            request.keep_alive && request.body == Framing::Length(0) && self.closing.is_none();
        let reply = reply::text(status, words, request.method == Method::Head, keep_alive);
        self.reply(key, connection, reply);
    }

    pub fn reply(&mut self, key: u64, connection: Connection, Reply { bytes, keep_alive }: Reply) {
        let until = Some(Instant::now() + self.shared.options.progress_timeout);
        self.go_on_replying(key, connection, bytes, 0, keep_alive, until);
    }

    pub fn go_on_replying(
        &mut self,
        key: u64,
        connection: Connection,
        bytes: Vec<u8>,
        mut at: usize,
        keep_alive: bool,
        until: Option<Instant>,
    ) {
        while at < bytes.len() {
            match send(&connection, &bytes[at..], false) {
                Io::Moved(moved) => at += moved,
                Io::Blocked => {
                    return self.hold(
                        key,
                        State::Replying {
                            connection,
                            bytes,
                            at,
                            keep_alive,
                        },
                        until,
                    );
                }
                Io::Ended | Io::Failed(_) => return,
            }
        }
        self.next(key, connection, keep_alive);
    }

    /// Goes on after an answer.
    fn next(&mut self, key: u64, mut connection: Connection, keep_alive: bool) {
        if connection.buffer.is_empty() {
            return self.answered(key, connection, keep_alive);
        }
        // The next request is here already. Answered from within this answer, a pile of them would fill the stack.
        self.release(key, &mut connection);
        let served = Handed::Served {
            connection,
            keep_alive,
        };
        self.shared.inbox.send(Message::Handed(served));
    }

    /// The last byte of an answer is with the kernel.
    pub fn answered(&mut self, key: u64, connection: Connection, keep_alive: bool) {
        if keep_alive && self.closing.is_none() {
            self.parse(key, connection, None);
        } else {
            self.linger(key, connection);
        }
    }

    /// Ends our stream and waits a little for the client to end its own: closing with bytes unread
    /// sends a reset, which can overtake the answer.
    pub fn linger(&mut self, key: u64, connection: Connection) {
        if rustix::net::shutdown(&connection, Shutdown::Write).is_ok() {
            self.hold(
                key,
                State::Lingering(connection),
                Some(Instant::now() + LINGER),
            );
        }
    }
}
