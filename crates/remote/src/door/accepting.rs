//! Taking connections in, and resting when there is no room for more.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::addresses::Seat;
use super::connection::Connection;
use super::event_loop::{EventLoop, LISTENER, State};
use super::listener::Accepted;
use super::observer::{Event, Gauge, Level};
use super::poller::Interest;

/// Connections accepted before others have their turn.
const ACCEPTS: usize = 64;
/// How long accepting rests when no descriptor is left; a level-triggered listener would spin.
const REST: Duration = Duration::from_millis(250);

impl EventLoop {
    pub fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            if self.is_full() {
                return;
            }
            let Some(listener) = &self.listener else {
                return;
            };
            match listener.accept() {
                Accepted::Nobody => return,
                Accepted::Gone => {}
                Accepted::Exhausted(error) => {
                    self.rests_until = Some(Instant::now() + REST);
                    if !std::mem::replace(&mut self.pause_told, true) {
                        let event = Event::new(
                            Level::Error,
                            "accept-paused",
                            "no connection can be accepted now",
                        );
                        self.tell(event.error(&error));
                    }
                    return;
                }
                Accepted::One(socket, peer) => {
                    self.pause_told = false;
                    let Some(seat) = self.seat(peer) else {
                        continue;
                    };
                    self.shared.stats.accepted.fetch_add(1, Ordering::Relaxed);
                    let open = Gauge::hold(&self.shared.stats, |stats| &stats.connections);
                    let connection = Connection::new(socket, peer, open, seat);
                    let until = Instant::now() + self.shared.options.head_timeout;
                    let key = self.new_key();
                    self.hold(key, State::Head(connection), Some(until));
                }
            }
        }
    }

    /// A place among the connections of its address. Left waiting, it would keep others from being accepted.
    fn seat(&self, peer: SocketAddr) -> Option<Seat> {
        let full = match self.shared.addresses.seat(peer.ip()) {
            Ok(seat) => return Some(seat),
            Err(full) => full,
        };
        if full.news {
            let most = self.shared.options.max_connections_per_address;
            let detail = format!(
                "this address has {most} connections open: more are closed as they come, until it closes some"
            );
            self.tell(Event::new(Level::Warn, "address-full", detail).peer(peer));
        }
        None
    }

    fn is_full(&self) -> bool {
        self.shared.stats.connections.load(Ordering::Relaxed) >= self.shared.options.max_connections
    }

    /// Accepts or rests, as things are now.
    pub fn watch_listener(&mut self) {
        let full = self.is_full();
        if full && self.listener.is_some() && !std::mem::replace(&mut self.pause_told, true) {
            let most = self.shared.options.max_connections;
            let detail =
                format!("{most} connections are open: no more are accepted until some close");
            self.tell(Event::new(Level::Warn, "accept-paused", detail));
        }
        if let Some(until) = self.rests_until {
            self.arm(until);
        }
        let wanted = if full || self.rests_until.is_some() {
            Interest::NONE
        } else {
            Interest::READ
        };
        if let Some(listener) = &mut self.listener
            && let Err(error) =
                self.poller
                    .set(&listener.socket, LISTENER, &mut listener.interest, wanted)
        {
            self.tell(
                Event::new(Level::Error, "accept-paused", "cannot watch the listener")
                    .error(&error),
            );
            self.rests_until = Some(Instant::now() + REST);
        }
    }
}
