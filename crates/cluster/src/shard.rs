//! Keys, shards and who owns them: pure functions of a view.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    member::{NodeId, View},
    stable_hash::StableHash,
};

/// The name of an entity: for a session, its session id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(Arc<str>);

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for Key {
    fn from(key: T) -> Self {
        Self(key.into())
    }
}

/// A key's beginning: a session id is a secret, and must not stand in logs.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(6) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How many shards the key space is cut into; the same in the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCount(u32);

/// A shard count that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0} shards cannot be: 1 to 65536 can")]
pub struct InvalidShardCount(u32);

impl ShardCount {
    /// The number itself.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The shard that a key belongs to.
    pub fn shard_of(self, key: &Key) -> ShardId {
        self.shard_of_text(key.as_str())
    }

    /// The shard that what is named so belongs to.
    pub(crate) fn shard_of_text(self, name: &str) -> ShardId {
        let hash = StableHash::new().text(name).finish();
        ShardId(jump_consistent_hash::hash(hash, self.0 as usize))
    }

    /// Every shard, in order.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        (0..self.0).map(ShardId)
    }
}

impl Default for ShardCount {
    /// 1024: fine enough to balance some hundred nodes, coarse enough to compute in a blink.
    fn default() -> Self {
        Self(1024)
    }
}

impl TryFrom<u32> for ShardCount {
    type Error = InvalidShardCount;

    fn try_from(count: u32) -> Result<Self, InvalidShardCount> {
        if (1..=65_536).contains(&count) {
            Ok(Self(count))
        } else {
            Err(InvalidShardCount(count))
        }
    }
}

/// One slice of the key space: what is owned and moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The shards that run in one lane of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardClass {
    /// Which lane, from 0.
    pub(crate) lane: u32,
    /// How many lanes that node has; at least one.
    pub(crate) lanes: u32,
}

impl ShardClass {
    pub(crate) fn contains(self, shard: ShardId) -> bool {
        shard.0 % self.lanes.max(1) == self.lane
    }
}

/// Where every shard lives according to one view: rendezvous (highest random weight) over the *up* members.
///
/// When a member comes, only what it now owns moves; when one goes, only what it owned moves, and each of its shards
/// to that shard's standby.
#[derive(Debug)]
pub struct Placement {
    view: Arc<View>,
    fingerprint: u64,
    shards: ShardCount,
    up: Vec<NodeId>,
    places: Vec<Place>,
}

/// Positions in [`Placement::up`] of the first and second node in a shard's order.
#[derive(Clone, Copy, Debug)]
struct Place {
    owner: u32,
    standby: Option<u32>,
}

impl Placement {
    /// Places all shards on the members that are *up* in `view`.
    pub fn new(view: Arc<View>, shards: ShardCount) -> Self {
        let up: Vec<NodeId> = view.up().map(|member| member.id.clone()).collect();
        let places = if up.is_empty() {
            Vec::new()
        } else {
            let seeds: Vec<u64> = up.iter().map(name_hash).collect();
            shards.iter().map(|shard| place(shard, &seeds)).collect()
        };
        Self {
            fingerprint: view.fingerprint(),
            view,
            shards,
            up,
            places,
        }
    }

    /// The view that this placement follows from.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Equal on all nodes that place every shard alike.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many shards there are.
    pub fn shards(&self) -> ShardCount {
        self.shards
    }

    /// The first node in the shard's order; none while no member is *up*.
    pub fn owner(&self, shard: ShardId) -> Option<&NodeId> {
        self.places
            .get(shard.0 as usize)
            .map(|place| &self.up[place.owner as usize])
    }

    /// The second node in the shard's order: the next owner, should the first go.
    pub fn standby(&self, shard: ShardId) -> Option<&NodeId> {
        let standby = self.places.get(shard.0 as usize)?.standby?;
        Some(&self.up[standby as usize])
    }

    /// The owner of the shard that `key` belongs to.
    pub fn owner_of(&self, key: &Key) -> Option<&NodeId> {
        self.owner(self.shards.shard_of(key))
    }

    /// Whether this view's node owns the shard.
    pub fn is_mine(&self, shard: ShardId) -> bool {
        self.owner(shard) == Some(&self.view.me)
    }

    /// How many shards a node owns.
    pub fn owned_by(&self, node: &NodeId) -> usize {
        self.places
            .iter()
            .filter(|place| self.up[place.owner as usize] == *node)
            .count()
    }
}

/// By name alone, so that a node that comes back owns what it owned before.
fn name_hash(node: &NodeId) -> u64 {
    StableHash::new().text(node.name.as_str()).finish()
}

fn place(shard: ShardId, seeds: &[u64]) -> Place {
    let weight = |seed: u64| StableHash::new().number(seed).number(shard.0.into()).finish();
    let (mut first, mut second) = (None, None);
    for (position, &seed) in (0..).zip(seeds) {
        let candidate = Some((weight(seed), seed, position));
        if candidate > first {
            second = first;
            first = candidate;
        } else if candidate > second {
            second = candidate;
        }
    }
    Place {
        owner: first.map_or(0, |(_, _, position)| position),
        standby: second.map(|(_, _, position)| position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{Incarnation, Member, NodeName, Phase};
    use proptest::prelude::*;

    fn placement(names: impl IntoIterator<Item = usize>) -> Placement {
        let members: std::collections::BTreeMap<NodeName, Member> = names
            .into_iter()
            .map(|number| {
                let name: NodeName = format!("node{number}").parse().unwrap();
                let address = ([127, 0, 0, 1], 1).into();
                let id = NodeId {
                    name: name.clone(),
                    incarnation: Incarnation(number as u64),
                };
                (
                    name,
                    Member {
                        id,
                        phase: Phase::Up,
                        http: address,
                        gossip: address,
                        link: address,
                    },
                )
            })
            .collect();
        let me = members.values().next().unwrap().id.clone();
        Placement::new(Arc::new(View { me, members }), ShardCount::default())
    }

    fn owners(placement: &Placement) -> Vec<NodeId> {
        placement
            .shards()
            .iter()
            .map(|shard| placement.owner(shard).unwrap().clone())
            .collect()
    }

    /// Nodes of different builds place shards alike.
    #[test]
    fn the_placement_is_what_it_has_always_been() {
        let shards = ShardCount::default();
        let of = |key: &str| shards.shard_of(&key.into()).0;
        assert_eq!(
            ["", "session", "lOn3RabCpq9_fDMqTdXx8Q2u"].map(of),
            [237, 551, 645]
        );
        let placement = placement(1..=3);
        let owners: Vec<_> = (0..8)
            .map(|shard| placement.owner(ShardId(shard)).unwrap().name.to_string())
            .collect();
        assert_eq!(
            owners.join(" "),
            "node2 node2 node3 node3 node3 node2 node2 node3"
        );
        assert_eq!(placement.view().fingerprint(), 0x2713_833f_a906_1c98);
    }

    #[test]
    fn no_owner_while_nobody_is_up() {
        let mut view = (**placement([1]).view()).clone();
        for member in view.members.values_mut() {
            member.phase = Phase::Joining;
        }
        let placement = Placement::new(Arc::new(view), ShardCount::default());
        assert_eq!(placement.owner(ShardId(0)), None);
        assert_eq!(placement.standby(ShardId(0)), None);
    }

    #[test]
    fn a_lone_member_owns_all_and_has_no_standby() {
        let placement = placement([1]);
        assert!(placement.shards().iter().all(|shard| placement.is_mine(shard)));
        assert_eq!(placement.standby(ShardId(7)), None);
    }

    #[test]
    fn shards_are_balanced() {
        for nodes in [2, 3, 10] {
            let placement = placement(0..nodes);
            let even = 1024 / nodes;
            for node in placement.view().up() {
                let owned = placement.owned_by(&node.id);
                assert!(
                    owned > even * 6 / 10 && owned < even * 14 / 10,
                    "{owned} of {even} with {nodes} nodes"
                );
            }
        }
    }

    #[test]
    fn keys_are_balanced_over_shards() {
        let shards = ShardCount::try_from(16).unwrap();
        let mut counts = [0; 16];
        for number in 0..16_000 {
            counts[shards.shard_of(&Key::from(format!("key{number}"))).0 as usize] += 1;
        }
        assert!(
            counts.iter().all(|&count| (850..1150).contains(&count)),
            "{counts:?}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_leaver_gives_its_shards_to_their_standbys_and_nothing_else_moves(nodes in 2usize..20, gone in 0usize..20) {
            let gone = gone % nodes;
            let before = placement(0..nodes);
            let after = placement((0..nodes).filter(|&number| number != gone));
            for shard in before.shards().iter() {
                let (old, new) = (before.owner(shard).unwrap(), after.owner(shard).unwrap());
                if old.name.as_str() == format!("node{gone}") {
                    prop_assert_eq!(Some(new), before.standby(shard));
                } else {
                    prop_assert_eq!(old, new);
                }
            }
        }

        #[test]
        fn a_joiner_takes_only_what_it_owns(nodes in 1usize..20) {
            let (before, after) = (placement(0..nodes), placement(0..=nodes));
            let joiner = format!("node{nodes}");
            for (old, new) in owners(&before).iter().zip(&owners(&after)) {
                prop_assert!(old == new || new.name.as_str() == joiner);
            }
        }
    }
}
