//! Who is connected: how many at most, in all and from one address.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;

use crate::config::Limits;

/// Bits of an IPv6 address that one customer has for all devices, as providers give them out: the rest is free to choose.
const PREFIX_BITS: u32 = 64;

/// The connections of one serve process.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    count: Cell<usize>,
    /// How many there are from each address, where that is limited.
    by_address: RefCell<HashMap<IpAddr, usize>>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Rc<Crowd>,
    address: Option<IpAddr>,
}

impl Crowd {
    /// Counts those that are connected.
    pub(crate) fn count(&self) -> usize {
        self.count.get()
    }

    /// Takes a place for a connection from this address.
    ///
    /// # Errors
    /// What the client is told if there is none.
    pub(crate) fn enter(
        self: &Rc<Self>,
        address: Option<IpAddr>,
        limits: &Limits,
    ) -> Result<Place, &'static str> {
        if self.count.get() >= limits.connections {
            return Err("too many connections; try again later");
        }
        let address = address.filter(|_| limits.connections_per_address.is_some()).map(group);
        if let (Some(address), Some(most)) = (address, limits.connections_per_address) {
            let mut by_address = self.by_address.borrow_mut();
            let count = by_address.entry(address).or_default();
            if *count >= most.get() {
                return Err("too many connections from your address; try again later");
            }
            *count += 1;
        }
        self.count.set(self.count.get() + 1);
        Ok(Place { crowd: Rc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.count.set(self.crowd.count.get().saturating_sub(1));
        let Some(address) = self.address else { return };
        let mut by_address = self.crowd.by_address.borrow_mut();
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }
}

/// What counts as one address.
pub(super) fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix =
                v6.to_bits() >> (Ipv6Addr::BITS - PREFIX_BITS) << (Ipv6Addr::BITS - PREFIX_BITS);
            Ipv6Addr::from_bits(prefix).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn limits(connections: usize, each: usize) -> Limits {
        let connections_per_address = NonZeroUsize::new(each);
        Limits { connections, connections_per_address, ..Limits::default() }
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_leaves_room_for_others_and_gets_its_place_back() {
        let (crowd, limits) = (Rc::new(Crowd::default()), limits(4, 2));
        let enter = |text| crowd.enter(address(text), &limits);
        let first = enter("192.0.2.1").unwrap();
        let second = enter("::ffff:192.0.2.1").unwrap(); // the same, on a listener for both kinds
        assert!(enter("192.0.2.1").unwrap_err().contains("your address"));
        let others = [enter("192.0.2.2").unwrap(), enter("2001:db8::1").unwrap()];
        assert_eq!(enter("192.0.2.3").unwrap_err(), "too many connections; try again later");
        drop(first);
        let third = enter("192.0.2.1").unwrap();
        drop((second, third, others));
        assert!(crowd.count() == 0 && crowd.by_address.borrow().is_empty());
    }

    #[test]
    fn the_addresses_of_one_ipv6_customer_are_one() {
        let (crowd, limits) = (Rc::new(Crowd::default()), limits(10, 1));
        let _first = crowd.enter(address("2001:db8:0:1::1"), &limits).unwrap();
        assert!(crowd.enter(address("2001:db8:0:1:ffff::2"), &limits).is_err());
        assert!(crowd.enter(address("2001:db8:0:2::1"), &limits).is_ok());
    }

    #[test]
    fn by_default_addresses_are_not_counted() {
        let (crowd, limits) = (Rc::new(Crowd::default()), Limits::default());
        let _places: Vec<_> =
            (0..100).map(|_| crowd.enter(address("192.0.2.1"), &limits).unwrap()).collect();
        assert!(crowd.by_address.borrow().is_empty());
    }
}
