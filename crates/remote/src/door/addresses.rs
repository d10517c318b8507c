//! How many connections each address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Guests {
    seated: u64,
    told: bool,
}

/// The addresses that have connections, and how many one may have.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    held: Arc<Mutex<HashMap<IpAddr, Guests>>>,
    most: u64,
}

/// One connection's place; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    all: Addresses,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// Nobody has been told since this address last had no connection at all.
    pub news: bool,
}

impl Addresses {
    pub fn new(most: u64) -> Self {
        Self {
            held: Arc::default(),
            most: most.max(1),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, Guests>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn seat(&self, address: IpAddr) -> Result<Seat, Full> {
        let address = network(address);
        let mut held = self.held();
        let guests = held.entry(address).or_default();
        if guests.seated >= self.most {
            let news = !std::mem::replace(&mut guests.told, true);
            return Err(Full { news });
        }
        guests.seated += 1;
        Ok(Seat {
            all: self.clone(),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.all.held();
        if let Some(guests) = held.get_mut(&self.address) {
            guests.seated -= 1;
            if guests.seated == 0 {
                held.remove(&self.address);
            }
        }
    }
}

/// One host has a whole /64 of IPv6 addresses to come from.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_seats() {
        let addresses = Addresses::new(2);
        let seat = |text: &str| addresses.seat(text.parse().unwrap());
        let first = seat("10.0.0.1").unwrap();
        let _second = seat("10.0.0.1").unwrap();
        assert_eq!(seat("10.0.0.1").unwrap_err(), Full { news: true });
        assert_eq!(seat("10.0.0.1").unwrap_err(), Full { news: false });
        let _other = seat("10.0.0.2").unwrap();
        drop(first);
        let _third = seat("10.0.0.1").unwrap();
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let addresses = Addresses::new(1);
        let seat = |text: &str| addresses.seat(text.parse().unwrap());
        let one = seat("2001:db8::1").unwrap();
        assert!(seat("2001:db8::ffff:1").is_err());
        let _next = seat("2001:db8:0:1::1").unwrap();
        drop(one);
        assert!(
            !addresses
                .held()
                .contains_key(&"2001:db8::".parse().unwrap())
        );
    }
}
