//! Who is at the other end of a tunnel. Each tunnel leaves from a loopback address of its own, so the
//! control plane knows a connection by the one thing a client cannot write: its source address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// 127.64.0.0/10, without its first address.
const FIRST: u32 = 0x7f40_0001;
const COUNT: u32 = (1 << 22) - 2;

#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    /// A request the control plane wants answered here.
    handed: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Held {
    by_address: HashMap<Ipv4Addr, Peer>,
    next: u32,
}

/// The addresses in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers {
    held: Arc<Mutex<Held>>,
}

/// An address, taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub address: Ipv4Addr,
    peers: Peers,
}

impl Peers {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an address nobody uses. They go round, so one just given back is not soon somebody else's.
    pub fn lease(&self, peer: SocketAddr) -> Lease {
        let mut held = self.held();
        loop {
            let address = Ipv4Addr::from(FIRST + held.next);
            held.next = (held.next + 1) % COUNT;
            if let Entry::Vacant(free) = held.by_address.entry(address) {
                free.insert(Peer {
                    address: peer,
                    handed: None,
                });
                return Lease {
                    address,
                    peers: self.clone(),
                };
            }
        }
    }

    pub fn peer_of(&self, address: Ipv4Addr) -> Option<SocketAddr> {
        self.held()
            .by_address
            .get(&address)
            .map(|peer| peer.address)
    }

    /// Keeps a request for the moment the control plane closes its end of the tunnel.
    /// False when there is no such tunnel, or one request waits already.
    pub fn hand_back(&self, address: Ipv4Addr, head: &[u8]) -> bool {
        let mut held = self.held();
        match held.by_address.get_mut(&address) {
            Some(Peer {
                handed: handed @ None,
                ..
            }) => {
                *handed = Some(head.to_vec());
                true
            }
            _ => false,
        }
    }
}

impl Lease {
    pub fn take_handed(&self) -> Option<Vec<u8>> {
        self.peers
            .held()
            .by_address
            .get_mut(&self.address)?
            .handed
            .take()
    }

    pub fn is_handed(&self) -> bool {
        self.peers
            .held()
            .by_address
            .get(&self.address)
            .is_some_and(|peer| peer.handed.is_some())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.peers.held().by_address.remove(&self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tunnel_has_an_address_of_its_own() {
        let peers = Peers::default();
        let peer: SocketAddr = "10.0.0.5:51234".parse().unwrap();
        let first = peers.lease(peer);
        let second = peers.lease(peer);
        assert_eq!(first.address, Ipv4Addr::new(127, 64, 0, 1));
        assert_eq!(second.address, Ipv4Addr::new(127, 64, 0, 2));
        assert_eq!(peers.peer_of(first.address), Some(peer));
        peers.held().next = 0;
        assert_eq!(peers.lease(peer).address, Ipv4Addr::new(127, 64, 0, 3));
        let address = first.address;
        drop(first);
        assert_eq!(peers.peer_of(address), None);
    }

    #[test]
    fn one_request_at_a_time_is_handed_back() {
        let peers = Peers::default();
        let lease = peers.lease("[::1]:9".parse().unwrap());
        assert!(peers.hand_back(lease.address, b"a"));
        assert!(!peers.hand_back(lease.address, b"b"));
        assert_eq!(lease.take_handed().as_deref(), Some(&b"a"[..]));
        assert!(!peers.hand_back(Ipv4Addr::new(127, 0, 0, 1), b"c"));
    }
}
