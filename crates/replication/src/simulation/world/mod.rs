//! A cluster in which everything that happens is one step of a schedule: of a [random] one, or of one that is
//! [written down](script).

mod clients;
mod outputs;
mod random;
mod script;
mod settle;
mod several;
mod split;

pub(super) use script::Script;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::{Input, Lease, NodeId, Output, Position, ReplayId, Settings, ShardId, Target, View};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use self::clients::Clients;
use super::{
    judge::{Judge, Verdict},
    mutant::Mutant,
    network::Network,
    node::{Node, Post, Record, Records, Said, Topic},
};

/// What may go wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// Nodes die, one at a time: the next one when every shard has a holder and a standby again.
    pub(super) deaths: bool,
    /// Links are lost and come back.
    pub(super) resets: bool,
    /// Nodes are cut off from each other, or take each other for dead, and find each other again.
    pub(super) splits: bool,
    /// A mistake that the nodes make.
    pub(super) mutant: Option<Mutant>,
}

const STEPS: usize = 1_500;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const TOPICS: u8 = 2;

pub(super) struct World {
    rng: StdRng,
    faults: Faults,
    now: Duration,
    nodes: BTreeMap<NodeId, Node>,
    /// Who is a member, for who sees all.
    members: BTreeSet<NodeId>,
    /// Who is a member for each node.
    views: BTreeMap<NodeId, BTreeSet<NodeId>>,
    shards: Vec<ShardId>,
    /// The nodes in the order in which shards prefer them; if empty, each shard has an order of its own.
    preference: &'static str,
    network: Network,
    judge: Judge,
    topics: BTreeMap<Said, Topic>,
    incarnations: u64,
    producers: u32,
    records: u64,
    settings: Settings,
    replays: u64,
    clients: Clients,
    /// What nodes have put out, and what is not done yet.
    outputs: VecDeque<(NodeId, Output<Records>)>,
    is_performing: bool,
    /// Whether messages are written as bytes, and read again.
    encodes: bool,
    /// On which side a node is, while they are split.
    sides: BTreeMap<NodeId, u8>,
    /// Who is said to be dead by the others, and is not yet.
    doomed: BTreeSet<NodeId>,
    /// Whether there was a moment since the last death when all was as it should be.
    recovers: bool,
    story: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, keeps_story: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let shards = rng.random_range(1..=3);
        let keeps_all = faults.splits || rng.random_bool(0.8);
        let settings = Settings {
            kept_bytes: if keeps_all { usize::MAX / 2 } else { 8_000 },
            message_bytes: rng.random_range(1..2_000),
            window_bytes: rng.random_range(1..5_000),
            backlog_bytes: rng.random_range(1..5_000),
            pending_bytes: rng.random_range(1..5_000),
            lease: match faults.mutant {
                Some(Mutant::OverstayLease) => Duration::from_secs(10),
                _ => Settings::default().lease,
            },
            ..Settings::default()
        };
        let mut world = Self::empty(rng, shards, settings, keeps_all);
        world.faults = faults;
        world.story = keeps_story.then(Vec::new);
        world
    }

    fn empty(rng: StdRng, shards: u32, settings: Settings, keeps_all: bool) -> Self {
        Self {
            rng,
            faults: Faults::default(),
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            members: BTreeSet::new(),
            views: BTreeMap::new(),
            shards: (0..shards).map(ShardId).collect(),
            preference: "",
            network: Network::default(),
            judge: Judge::new(keeps_all),
            topics: BTreeMap::new(),
            incarnations: 0,
            producers: 0,
            records: 0,
            settings,
            replays: 0,
            clients: Clients::default(),
            outputs: VecDeque::new(),
            is_performing: false,
            encodes: false,
            sides: BTreeMap::new(),
            doomed: BTreeSet::new(),
            recovers: true,
            story: None,
        }
    }

    pub(super) fn story(&self) -> Vec<String> {
        self.story.clone().unwrap_or_default()
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let line = format!("{:>7.3} {}", self.now.as_secs_f64(), what());
            story.push(line);
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        self.members.iter().flat_map(|one| {
            let others = self.members.iter().filter(move |other| one < *other);
            others.map(|other| (one.clone(), other.clone()))
        })
    }

    /// A holder is to act by what it has, without an entry.
    fn act(&mut self, id: &NodeId, shard: ShardId) -> Verdict {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        let Ok((lease, outputs)) = node.core.lease(shard, now) else {
            return Ok(());
        };
        if let Some(state) = node.core.state(shard)
            && lease == Lease::Held
        {
            self.judge.acted(id, shard, state)?;
        }
        self.tell(|| format!("{id} wants to act on {}: {lease:?}", shard.0));
        self.perform(id, outputs)
    }

    /// Takes what was sent first from one node to another, and gives it.
    fn deliver_one(&mut self, ends: &(NodeId, NodeId)) -> Verdict {
        let Some(message) = self.network.take(ends) else {
            return Ok(());
        };
        let (from, to) = ends.clone();
        self.tell(|| format!("{from} -> {to} {message:?}"));
        self.give(&to, Input::Message { from, message })
    }

    fn pass(&mut self, time: Duration) -> Verdict {
        self.now += time;
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for node in nodes {
            let is_due = |node: &Node| node.core.deadline().is_some_and(|at| at <= self.now);
            if self.nodes.get(&node).is_some_and(is_due) {
                self.give(&node, Input::Tick)?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, id: &NodeId, topic: Topic) -> Verdict {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        node.sequence += 1;
        let said = Said {
            producer: node.producer,
            sequence: node.sequence,
        };
        self.topics.insert(said, topic);
        self.tell(|| format!("{id} publishes {said:?} to {topic:?}"));
        self.give(
            id,
            Input::Publish {
                shard: topic.shard,
                topic,
                producer: said.producer,
                sequence: said.sequence,
                payload: Post {
                    said,
                    topic,
                    original: said,
                    earlier: Vec::new(),
                },
            },
        )
    }

    fn record(&mut self, id: &NodeId, shard: ShardId) -> Verdict {
        self.records += 1;
        let (record, now) = (self.records, self.now);
        self.tell(|| format!("{id} records {record} in {}", shard.0));
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        if let Ok((position, outputs)) = node.core.record(shard, Record::Number(record), now) {
            node.waiting.entry(shard).or_default().push((position, record));
            if self.faults.mutant == Some(Mutant::ReleaseEarly) {
                let breaks = node.breaks(shard);
                self.judge.safe(shard, record, position, breaks);
            }
            self.perform(id, outputs)?;
        }
        Ok(())
    }

    fn subscribe(&mut self, id: &NodeId, topic: Topic) -> Verdict {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        if node.subscribed.contains(&topic) {
            return Ok(());
        }
        node.subscribed.push(topic);
        self.tell(|| format!("{id} subscribes to {topic:?}"));
        let (shard, from) = (topic.shard, None);
        self.give(id, Input::Subscribe { shard, topic, from })
    }

    fn unsubscribe(&mut self, id: &NodeId, topic: Topic) -> Verdict {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        node.subscribed.retain(|subscribed| *subscribed != topic);
        self.judge.unsubscribed(id, topic);
        self.tell(|| format!("{id} unsubscribes from {topic:?}"));
        let shard = topic.shard;
        self.give(id, Input::Unsubscribe { shard, topic })
    }

    /// Somebody at a node wants to know what was said before the node's own last word.
    fn replay(&mut self, id: &NodeId, topic: Topic, from: Position) -> Verdict {
        self.replays += 1;
        let replay = ReplayId(self.replays);
        self.tell(|| format!("{id} asks for {topic:?} from {from:?}"));
        self.judge.replaying(id, topic, from, replay);
        let shard = topic.shard;
        self.give(
            id,
            Input::Replay {
                shard,
                topic,
                from: Some(from),
                replay,
            },
        )
    }

    /// First and second in the shard's order over the members.
    fn target(&self, members: &BTreeSet<NodeId>, shard: ShardId) -> Target {
        let mut order: Vec<&NodeId> = members.iter().collect();
        order.sort_by_key(|node| (weight(self.preference, shard, node), (*node).clone()));
        let mut order = order.into_iter().cloned();
        Target {
            holder: order.next(),
            standby: order.next(),
        }
    }

    fn update_view(&mut self, node: &NodeId) -> Verdict {
        let members = self.views[node].clone();
        let targets: Vec<_> = self
            .shards
            .iter()
            .map(|shard| (*shard, self.target(&members, *shard)))
            .collect();
        self.give(node, Input::View(View::new(members, targets)))
    }

    fn connect(&mut self, one: &NodeId, other: &NodeId) -> Verdict {
        self.tell(|| format!("{one} and {other} are linked"));
        self.network.connect(one, other);
        if self.faults.mutant == Some(Mutant::KeepSubscriptions) {
            return Ok(());
        }
        self.give(one, Input::LinkReset(other.clone()))?;
        self.give(other, Input::LinkReset(one.clone()))
    }

    /// A node is started. It sees the others at once, and they see it when they learn of it.
    fn join(&mut self, name: &str) {
        self.incarnations += 1;
        self.producers += 1;
        let id = NodeId::new(name, self.incarnations);
        self.tell(|| format!("{id} joins"));
        let node = Node::new(id.clone(), &self.shards, self.producers, self.settings.clone());
        self.members.insert(id.clone());
        if let Some(side) = self.sides.values().choose(&mut self.rng).copied() {
            self.sides.insert(id.clone(), side);
        }
        // Nobody is up who does not see the others: see what `Joining` is in membership.
        let seen = self.seen_by(&id);
        self.views.insert(id.clone(), seen);
        self.nodes.insert(id, node);
    }

    /// Ends a node that is said to be dead. Until then it goes on as if nothing had happened.
    fn end(&mut self, id: &NodeId) {
        self.tell(|| format!("{id} ends"));
        self.doomed.remove(id);
        self.nodes.remove(id);
        self.views.remove(id);
        self.network.bury(id);
    }

    fn give(&mut self, to: &NodeId, input: Input<Records>) -> Verdict {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(to) else {
            return Ok(());
        };
        let outputs = node.core.handle(input, now);
        self.perform(to, outputs)
    }
}

/// By names, so that a node that restarts has its old place.
fn weight(preference: &str, shard: ShardId, node: &NodeId) -> u64 {
    let name = node.to_string().chars().next().unwrap_or_default();
    if let Some(place) = preference.find(name) {
        return place as u64;
    }
    let mixed = u64::from(name) * 0x9E37_79B9 + u64::from(shard.0) * 0x85EB_CA6B;
    mixed.wrapping_mul(0xC2B2_AE3D_27D4_EB4F) >> 32
}
