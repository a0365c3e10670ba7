//! Connections that nobody uses yet, and which of them has to go when there are too many.
//!
//! A new one always gets in, for it may be a member's. In its place goes one of those that have [shown](Shown) least, and of
//! these one from where most come, which has waited longest. So whoever holds connections without a word takes no place from
//! members; and it takes a flood to outrun the few milliseconds that a greeting needs.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
};

/// Such connections, each with what ends it.
pub(super) struct Strangers<End> {
    most: usize,
    next: u64,
    present: BTreeMap<StrangerId, Stranger<End>>,
}

/// Names a connection, while it is one of these. A later one has the greater name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StrangerId(u64);

struct Stranger<End> {
    from: Origin,
    shown: Shown,
    end: End,
}

/// What who has made a connection has shown so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shown {
    Nothing,
    /// Its first message shows the secret, or is a recording of one that does.
    Secret,
    /// That it is a member: it has answered under new keys.
    Membership,
}

/// Where connections come from: an address, or of IPv6 what one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Origin(IpAddr);

impl<End> Strangers<End> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            next: 0,
            present: BTreeMap::new(),
        }
    }

    /// Takes a new one. If they are too many now, another one has to end.
    pub(super) fn admit(&mut self, address: IpAddr, begin: impl FnOnce(StrangerId) -> End) -> Option<End> {
        let evicted = if self.present.len() >= self.most {
            self.evict()
        } else {
            None
        };
        let id = StrangerId(self.next);
        self.next += 1;
        let stranger = Stranger {
            from: Origin::of(address),
            shown: Shown::Nothing,
            end: begin(id),
        };
        self.present.insert(id, stranger);
        evicted
    }

    /// One has shown this.
    pub(super) fn shows(&mut self, id: StrangerId, shown: Shown) {
        if let Some(stranger) = self.present.get_mut(&id) {
            stranger.shown = shown;
        }
    }

    /// One is used now, or has ended.
    pub(super) fn remove(&mut self, id: StrangerId) {
        self.present.remove(&id);
    }

    fn evict(&mut self) -> Option<End> {
        let mut from = HashMap::<Origin, usize>::new();
        for stranger in self.present.values() {
            *from.entry(stranger.from).or_default() += 1;
        }
        let priority = |(id, stranger): &(&StrangerId, &Stranger<End>)| {
            let company = from.get(&stranger.from).copied().unwrap_or_default();
            (stranger.shown, std::cmp::Reverse(company), **id)
        };
        let (id, _) = self.present.iter().min_by_key(priority)?;
        let id = *id;
        self.present.remove(&id).map(|stranger| stranger.end)
    }
}

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(strangers: &mut Strangers<StrangerId>, address: &str) -> (StrangerId, Option<StrangerId>) {
        let mut admitted = None;
        let evicted = strangers.admit(address.parse().unwrap(), |id| *admitted.insert(id));
        (admitted.unwrap(), evicted)
    }

    #[test]
    fn a_new_one_always_gets_in_and_the_oldest_goes() {
        let mut strangers = Strangers::new(2);
        let (first, evicted) = admit(&mut strangers, "10.0.0.1");
        assert_eq!(evicted, None);
        let (second, evicted) = admit(&mut strangers, "10.0.0.1");
        assert_eq!(evicted, None);
        assert_eq!(admit(&mut strangers, "10.0.0.1").1, Some(first));
        assert_eq!(admit(&mut strangers, "10.0.0.1").1, Some(second));
    }

    #[test]
    fn who_is_no_stranger_any_more_takes_no_place() {
        let mut strangers = Strangers::new(1);
        for _ in 0..5 {
            let (id, evicted) = admit(&mut strangers, "10.0.0.1");
            assert_eq!(evicted, None);
            strangers.remove(id);
        }
    }

    #[test]
    fn the_place_is_taken_from_where_most_come() {
        let mut strangers = Strangers::new(3);
        let (lonely, _) = admit(&mut strangers, "10.0.0.1");
        let (first, _) = admit(&mut strangers, "2001:db8::1");
        let (second, _) = admit(&mut strangers, "2001:db8::ffff:2");
        assert_eq!(admit(&mut strangers, "10.0.0.2").1, Some(first));
        // Now nobody has more than others.
        assert_eq!(admit(&mut strangers, "10.0.0.3").1, Some(lonely));
        assert_eq!(admit(&mut strangers, "10.0.0.4").1, Some(second));
    }

    #[test]
    fn who_has_shown_more_goes_later() {
        let mut strangers = Strangers::new(3);
        let (member, _) = admit(&mut strangers, "10.0.0.1");
        strangers.shows(member, Shown::Membership);
        let (known, _) = admit(&mut strangers, "10.0.0.1");
        strangers.shows(known, Shown::Secret);
        let (silent, _) = admit(&mut strangers, "10.0.0.1");
        let (next, evicted) = admit(&mut strangers, "10.0.0.1");
        assert_eq!(evicted, Some(silent));
        strangers.shows(next, Shown::Membership);
        assert_eq!(admit(&mut strangers, "10.0.0.2").1, Some(known));
    }
}
