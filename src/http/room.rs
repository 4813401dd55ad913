//! The places of a listener: how many connections there are, whose they are, and who has to go.
//!
//! Bounded twice, overall and by address. When all places are taken the connection that has waited
//! longest without a request under way gives up its own, so that those who hold places and ask nothing
//! cannot keep others out; a request that is under way is never cut off for one that is not.

use super::wire::Carrier;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How soon another connection is asked for its place.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The places of one listener.
#[derive(Debug)]
pub struct Room {
    places: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Arc<Carrier>>,
    addresses: HashMap<IpAddr, usize>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    taken: Arc<Mutex<Taken>>,
    number: u64,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Room {
    /// With so many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            taken: Arc::default(),
        }
    }

    /// Waits for a place, after asking for one where none is free.
    pub async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(permit);
        }
        loop {
            self.make_way();
            let free = Arc::clone(&self.places).acquire_owned();
            // Whoever was asked may have been given a request at that moment: then another is asked.
            match tokio::time::timeout(ASK_AGAIN, free).await {
                Ok(permit) => return permit.ok(),
                Err(_) => continue,
            }
        }
    }

    /// Seats a connection; nothing where its address has as many as its share is.
    pub fn seat(
        &self,
        permit: OwnedSemaphorePermit,
        address: IpAddr,
        share: Option<usize>,
        carrier: &Arc<Carrier>,
    ) -> Option<Place> {
        let address = household(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.addresses.get(&address).copied().unwrap_or(0);
        if share.is_some_and(|share| count >= share) {
            return None;
        }
        taken.addresses.insert(address, count.saturating_add(1));
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        taken.connections.insert(number, Arc::clone(carrier));
        Some(Place {
            taken: Arc::clone(&self.taken),
            number,
            address,
            _permit: permit,
        })
    }

    /// Lets go whoever has waited longest.
    fn make_way(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = taken
            .connections
            .values()
            .filter_map(|carrier| Some((carrier.waits_since()?, carrier)));
        if let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) {
            longest.let_go();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.connections.remove(&self.number);
        match taken.addresses.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                taken.addresses.remove(&self.address);
            }
        }
    }
}

/// Whose an address is: an IPv6 network hands every customer a whole /64 and more.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let room = Room::new(10);
        let carrier = Arc::new(Carrier::new());
        let mut held = Vec::new();
        for (text, fits) in [
            ("10.0.0.1", true),
            ("10.0.0.1", true),
            ("::ffff:10.0.0.1", false),
            ("10.0.0.2", true),
            ("2001:db8::1", true),
            ("2001:db8::2", true),
            ("2001:db8::3:4", false),
            ("2001:db8:0:1::1", true),
        ] {
            let permit = room.permit().await.unwrap();
            let place = room.seat(permit, address(text), Some(2), &carrier);
            assert_eq!(place.is_some(), fits, "{text}");
            held.extend(place);
        }
        let permit = room.permit().await.unwrap();
        let proxy = room.seat(permit, address("10.0.0.1"), None, &carrier);
        assert!(proxy.is_some());
        drop(proxy);
        held.clear();
        let permit = room.permit().await.unwrap();
        assert!(
            room.seat(permit, address("10.0.0.1"), Some(2), &carrier)
                .is_some()
        );
    }
}
