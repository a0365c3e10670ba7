//! Who is there, and who may come: counts and token buckets, without clock or lock.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use super::{AdmissionLimits, TokenBucket, address_group::AddressGroup};

/// Addresses that are counted apart. Whoever comes with more of them meets the node's limits alone.
const MAX_ADDRESSES: usize = 100_000;

/// How long to stay away from a place that is full.
const WHEN_FULL: Duration = Duration::from_secs(5);

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// That of the node.
    Node { retry_after: Duration },
    /// That of the address.
    Address { retry_after: Duration },
}

/// What an address has of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A connection, seen where it is accepted.
    Connection,
    /// A request under way, or a WebSocket: what a client has of a node behind a proxy.
    Use,
}

/// Who is there, and who may come.
#[derive(Debug)]
pub(super) struct Admissions {
    limits: AdmissionLimits,
    connections: u32,
    opens: TokenBucket,
    addresses: HashMap<AddressGroup, Presence>,
    /// How many addresses there may be before those are looked for that have nothing here.
    sweep_at: usize,
    swept: Instant,
}

#[derive(Debug)]
struct Presence {
    connections: u32,
    uses: u32,
    opens: TokenBucket,
}

impl Presence {
    fn new(now: Instant) -> Self {
        Self {
            connections: 0,
            uses: 0,
            opens: TokenBucket::full(now),
        }
    }

    fn count(&mut self, place: Place) -> &mut u32 {
        match place {
            Place::Connection => &mut self.connections,
            Place::Use => &mut self.uses,
        }
    }

    /// Whether nothing would be forgotten with it.
    fn is_over(&self, now: Instant) -> bool {
        self.connections == 0 && self.uses == 0 && self.opens.is_full(now)
    }
}

const FIRST_SWEEP: usize = 1024;

/// So that many addresses which all have something here are not looked through for each new one.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Admissions {
    pub(super) fn new(limits: AdmissionLimits, now: Instant) -> Self {
        Self {
            limits,
            connections: 0,
            opens: TokenBucket::full(now),
            addresses: HashMap::new(),
            sweep_at: FIRST_SWEEP,
            swept: now,
        }
    }

    /// Somebody takes a place. Says for which address it is counted, if for any: what is to be [left](Self::leave).
    pub(super) fn enter(
        &mut self,
        address: Option<AddressGroup>,
        place: Place,
        now: Instant,
    ) -> Result<Option<AddressGroup>, Refused> {
        let is_full =
            |count: u32, limit: Option<std::num::NonZeroU32>| limit.is_some_and(|limit| count >= limit.get());
        if place == Place::Connection && is_full(self.connections, self.limits.connections) {
            return Err(Refused::Node {
                retry_after: WHEN_FULL,
            });
        }
        let limit = self.limits.connections_per_address;
        let presence = address.and_then(|address| Some((address, self.presence(address, now)?)));
        let counted = match presence {
            Some((address, presence)) => {
                let count = presence.count(place);
                if is_full(*count, limit) {
                    return Err(Refused::Address {
                        retry_after: WHEN_FULL,
                    });
                }
                *count += 1;
                Some(address)
            }
            None => None,
        };
        if place == Place::Connection {
            self.connections += 1;
        }
        Ok(counted)
    }

    /// A place is given back.
    pub(super) fn leave(&mut self, counted: Option<AddressGroup>, place: Place, now: Instant) {
        if place == Place::Connection {
            self.connections = self.connections.saturating_sub(1);
        }
        if let Some(address) = counted
            && let Entry::Occupied(mut entry) = self.addresses.entry(address)
        {
            let count = entry.get_mut().count(place);
            *count = count.saturating_sub(1);
            if entry.get().is_over(now) {
                entry.remove();
            }
        }
    }

    /// Somebody opens a session.
    pub(super) fn open(&mut self, address: Option<AddressGroup>, now: Instant) -> Result<(), Refused> {
        if let Some(rate) = self.limits.opens_per_address
            && let Some(presence) = address.and_then(|address| self.presence(address, now))
        {
            presence
                .opens
                .take(rate, 1, now)
                .map_err(|retry_after| Refused::Address { retry_after })?;
        }
        let Some(rate) = self.limits.opens else {
            return Ok(());
        };
        self.opens.take(rate, 1, now).map_err(|retry_after| {
            // It does not count for the address if the node has no room.
            if let Some(rate) = self.limits.opens_per_address
                && let Some(presence) = address.and_then(|address| self.addresses.get_mut(&address))
            {
                presence.opens.give_back(rate, 1, now);
            }
            Refused::Node { retry_after }
        })
    }

    /// Connections at present.
    pub(super) fn connections(&self) -> u32 {
        self.connections
    }

    /// What is known of an address; none of one too many.
    fn presence(&mut self, address: AddressGroup, now: Instant) -> Option<&mut Presence> {
        if self.addresses.len() >= self.sweep_at
            && now.duration_since(self.swept) >= SWEEP_INTERVAL
            && !self.addresses.contains_key(&address)
        {
            self.addresses.retain(|_, presence| !presence.is_over(now));
            self.swept = now;
            // Twice as many as are left, so that each costs little in the long run.
            self.sweep_at = (2 * self.addresses.len()).clamp(FIRST_SWEEP, MAX_ADDRESSES);
        }
        let has_room = self.addresses.len() < MAX_ADDRESSES;
        match self.addresses.entry(address) {
            Entry::Occupied(entry) => Some(entry.into_mut()),
            Entry::Vacant(entry) => has_room.then(|| entry.insert(Presence::new(now))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::limits::Rate;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn limits() -> AdmissionLimits {
        AdmissionLimits {
            connections: Some(number(5)),
            connections_per_address: Some(number(2)),
            opens: Some(Rate::new(number(1), number(4))),
            opens_per_address: Some(Rate::new(number(1), number(2))),
            ..AdmissionLimits::default()
        }
    }

    fn address(last: u8) -> Option<AddressGroup> {
        Some(AddressGroup::of([192, 0, 2, last].into()))
    }

    fn is_address(refused: Result<impl Sized, Refused>) -> bool {
        matches!(refused, Err(Refused::Address { .. }))
    }

    fn is_node(refused: Result<impl Sized, Refused>) -> bool {
        matches!(refused, Err(Refused::Node { .. }))
    }

    #[test]
    fn an_address_has_its_limit_and_the_node_its_own() {
        let now = Instant::now();
        let mut admissions = Admissions::new(limits(), now);
        for who in [1, 1, 2, 2] {
            assert!(admissions.enter(address(who), Place::Connection, now).is_ok());
        }
        assert!(is_address(admissions.enter(address(1), Place::Connection, now)));
        // Whoever counts for no address counts for the node.
        assert_eq!(admissions.enter(None, Place::Connection, now), Ok(None));
        assert!(is_node(admissions.enter(address(3), Place::Connection, now)));
        assert_eq!(admissions.connections(), 5);
        admissions.leave(address(1), Place::Connection, now);
        assert!(admissions.enter(address(1), Place::Connection, now).is_ok());
    }

    #[test]
    fn uses_and_connections_are_counted_apart() {
        let now = Instant::now();
        let mut admissions = Admissions::new(limits(), now);
        for place in [Place::Connection, Place::Use] {
            assert!(admissions.enter(address(1), place, now).is_ok());
            assert!(admissions.enter(address(1), place, now).is_ok());
            assert!(is_address(admissions.enter(address(1), place, now)));
        }
        for _ in 0..5 {
            // Uses alone fill no node: they are of connections that count.
            assert!(admissions.enter(None, Place::Use, now).is_ok());
        }
    }

    #[test]
    fn opening_has_rates() {
        let now = Instant::now();
        let mut admissions = Admissions::new(limits(), now);
        assert!(admissions.open(address(1), now).is_ok());
        assert!(admissions.open(address(1), now).is_ok());
        let second = Duration::from_secs(1);
        assert_eq!(
            admissions.open(address(1), now),
            Err(Refused::Address { retry_after: second })
        );
        assert!(admissions.open(None, now).is_ok());
        assert!(admissions.open(address(2), now).is_ok());
        assert_eq!(
            admissions.open(address(2), now),
            Err(Refused::Node { retry_after: second })
        );
        // That one did not count for the address.
        let later = now + second;
        assert!(admissions.open(address(2), later).is_ok());
    }

    #[test]
    fn without_limits_everybody_comes() {
        let now = Instant::now();
        let mut admissions = Admissions::new(
            AdmissionLimits {
                connections_per_address: None,
                opens: None,
                opens_per_address: None,
                ..AdmissionLimits::default()
            },
            now,
        );
        for _ in 0..100_000 {
            assert!(admissions.open(address(1), now).is_ok());
            assert!(admissions.enter(address(1), Place::Connection, now).is_ok());
        }
    }

    #[test]
    fn addresses_that_have_nothing_here_are_forgotten() {
        let mut now = Instant::now();
        let mut admissions = Admissions::new(
            AdmissionLimits {
                opens: None,
                ..limits()
            },
            now,
        );
        for number in 0..50_000u32 {
            let address = Some(AddressGroup::of(number.to_be_bytes().into()));
            now += Duration::from_millis(10);
            assert!(admissions.open(address, now).is_ok());
        }
        // Each counts for the second that its bucket takes to fill.
        assert!(
            admissions.addresses.len() <= 2 * FIRST_SWEEP,
            "{}",
            admissions.addresses.len()
        );
    }

    #[test]
    fn more_addresses_than_can_be_counted_are_let_in() {
        let now = Instant::now();
        let mut admissions = Admissions::new(limits(), now);
        for number in 0..=MAX_ADDRESSES as u32 {
            let address = Some(AddressGroup::of(number.to_be_bytes().into()));
            assert!(admissions.enter(address, Place::Use, now).is_ok());
        }
        assert_eq!(admissions.addresses.len(), MAX_ADDRESSES);
    }

    proptest! {
        #[test]
        fn who_leaves_is_not_counted(
            steps in prop::collection::vec((0u8..4, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut now = Instant::now();
            let mut admissions = Admissions::new(limits(), now);
            let mut inside = Vec::new();
            for (who, connects, leaves) in steps {
                let place = if connects { Place::Connection } else { Place::Use };
                if leaves && let Some((counted, place)) = inside.pop() {
                    admissions.leave(counted, place, now);
                } else if let Ok(counted) = admissions.enter(address(who), place, now) {
                    inside.push((counted, place));
                }
                let connections = inside.iter().filter(|(_, place)| *place == Place::Connection).count();
                prop_assert_eq!(admissions.connections() as usize, connections);
                prop_assert!(connections <= 5);
            }
            now += Duration::from_secs(1);
            for (counted, place) in inside {
                admissions.leave(counted, place, now);
            }
            prop_assert_eq!(admissions.connections(), 0);
            prop_assert!(admissions.addresses.is_empty());
        }
    }
}
