//! A cluster in which everything that happens is one step of a schedule: of a [random] one, or of one that is
//! [written down](script).

mod clients;
mod random;
mod script;
mod several;
mod split;

pub(super) use script::Script;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::{Input, Lease, Message, NodeId, Output, Position, ReplayId, Settings, ShardId, Target, View};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use self::clients::Clients;
use super::{
    encoding,
    judge::{Judge, Verdict},
    mutant::{Mutant, Sent},
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
const SETTLING_STEPS: usize = 60_000;
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

    /// Lets all that is under way come to its end, and looks at what has come of it.
    fn settle(&mut self) -> Verdict {
        self.tell(|| "--- no more faults".into());
        self.heal();
        while let Some(id) = self.doomed.first().cloned() {
            self.end(&id);
        }
        let pairs: Vec<_> = self.pairs().collect();
        for (one, other) in pairs {
            if !self.network.are_connected(&one, &other) {
                self.connect(&one, &other)?;
            }
        }
        for _ in 0..SETTLING_STEPS {
            let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
            for node in nodes {
                while self.views[&node] != self.members {
                    self.learn_one(&node)?;
                }
            }
            self.recover()?;
            if !self.network.busy().is_empty() {
                self.deliver_any()?;
            } else if self.is_settled() {
                self.judge.final_verdict()?;
                return self.clients_verdict();
            } else {
                self.return_all()?;
                self.pass_time()?;
            }
        }
        Err(format!("does not settle: {}", self.holders()))
    }

    fn holders(&self) -> String {
        let mut lines = Vec::new();
        for shard in &self.shards {
            for node in self.nodes.values() {
                let serves = node.core.state(*shard).is_some();
                lines.push(format!(
                    "{} of {}: serves {serves}, {:?}",
                    node.id,
                    shard.0,
                    node.core.claim(*shard)
                ));
            }
        }
        lines.join("\n")
    }

    /// Whether each shard is where it should be, and nothing waits.
    fn is_settled(&self) -> bool {
        let mut nodes = self.nodes.values();
        let is_idle = nodes.all(|node| node.core.is_quiet() && node.unwritable.is_empty());
        let is_committed = self
            .nodes
            .values()
            .all(|node| node.waiting.values().all(Vec::is_empty));
        self.is_placed() && is_idle && is_committed && self.are_clients_served()
    }

    fn is_placed(&self) -> bool {
        self.shards.iter().all(|shard| {
            let target = self.target(&self.members, *shard);
            let Some(node) = target.holder.as_ref().and_then(|holder| self.nodes.get(holder)) else {
                return false;
            };
            node.core.state(*shard).is_some()
                && node
                    .core
                    .claim(*shard)
                    .is_some_and(|claim| claim.standby() == target.standby.as_ref())
        })
    }

    /// Whether all is again as it was before the last death: everybody knows of it, and every shard has its pair.
    fn has_recovered(&self) -> bool {
        let is_known =
            self.doomed.is_empty() && self.views.values().all(|view| view.is_subset(&self.members));
        is_known && !self.judge.is_split() && self.is_placed()
    }

    /// Whether every shard survives the death of any one node.
    fn is_redundant(&self) -> bool {
        self.shards.iter().all(|shard| {
            let members = self.nodes.values().filter(|node| self.members.contains(&node.id));
            members.into_iter().any(|node| {
                node.core.state(*shard).is_some()
                    && node
                        .core
                        .claim(*shard)
                        .and_then(|claim| claim.standby())
                        .is_some_and(|standby| self.members.contains(standby))
            })
        })
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

    fn send(&mut self, from: &NodeId, to: &NodeId, message: Message<Records>) {
        let sent = match self.faults.mutant {
            Some(mutant) => mutant.corrupt(&mut self.rng, message),
            None => Sent::Message(message),
        };
        match sent {
            Sent::Message(message) if self.encodes => self.network.send(from, to, encoding::again(message)),
            Sent::Message(message) => self.network.send(from, to, message),
            Sent::Lost => {}
            Sent::Answered(answer) => self.network.send(to, from, answer),
        }
    }

    /// Does what a node puts out, behind what is not done yet.
    fn perform(&mut self, id: &NodeId, outputs: Vec<Output<Records>>) -> Verdict {
        let outputs = outputs.into_iter().map(|output| (id.clone(), output));
        self.outputs.extend(outputs);
        if self.is_performing {
            return Ok(());
        }
        self.is_performing = true;
        while let Some((id, output)) = self.outputs.pop_front() {
            let id = &id;
            if !matches!(output, Output::Send { .. }) {
                self.tell(|| format!("    {id}: {output:?}"));
            }
            match output {
                Output::Send { to, message } => self.send(id, &to, message),
                Output::Promoted(shard) => {
                    if let Some(node) = self.nodes.get(id) {
                        self.judge.look_anew(id, shard);
                        if let Some(log) = node.core.log(shard) {
                            self.judge.committed(id, shard, log, node.breaks(shard))?;
                        }
                        let state = node.core.state(shard).cloned();
                        // A holder that is demoted within the same input has nothing to show.
                        if let Some(state) = state {
                            self.judge.promoted(id, shard, &state)?;
                            self.serve_all(id, shard, &state)?;
                        }
                    }
                }
                Output::Demoted(shard) => {
                    if let Some(node) = self.nodes.get_mut(id) {
                        node.waiting.remove(&shard);
                        node.listeners.retain(|_, serving| serving.shard != shard);
                        node.returning.retain(|(at, ..)| *at != shard);
                    }
                }
                Output::Committed { shard, number } => {
                    if let Some(node) = self.nodes.get_mut(id) {
                        let breaks = node.breaks(shard);
                        if let Some((log, _)) = node.core.log(shard) {
                            self.judge.committed(id, shard, (log, number), breaks)?;
                        }
                        let waiting = node.waiting.entry(shard).or_default();
                        let later = waiting.partition_point(|(position, _)| position.number() <= number);
                        for (at, record) in waiting.drain(..later) {
                            self.judge.safe(shard, record, at, breaks);
                        }
                    }
                    self.on_committed(id, shard, number)?;
                }
                // What a node hears of which the others say that it is dead is nobody's business.
                Output::Deliver { .. }
                | Output::Subscribed { .. }
                | Output::Gap { .. }
                | Output::Replayed { .. }
                | Output::NotReplayable(_)
                    if self.doomed.contains(id) => {}
                Output::Deliver { topic, at, payload } => {
                    self.judge.delivered(id, topic, payload.said, at)?;
                    self.judge.note(at, &payload);
                    self.on_delivered(id, topic, at, &payload)?;
                }
                Output::Subscribed { topic, base } => {
                    self.judge.subscribed(id, topic, base);
                }
                Output::Replayed {
                    replay,
                    publications,
                    through,
                    is_last,
                } => {
                    if self.clients.asked(replay) {
                        self.on_replayed(id, replay, publications, through, is_last)?;
                    } else {
                        self.judge.replayed(replay, &publications, through, is_last)?;
                    }
                }
                Output::NotReplayable(replay) => {
                    if self.clients.asked(replay) {
                        self.on_not_replayable(id, replay)?;
                    } else {
                        self.judge.not_replayable(replay)?;
                    }
                }
                Output::Leased(shard) => self.act(id, shard)?,
                Output::Rejected {
                    shard,
                    producer,
                    sequence,
                } => {
                    // It is never said again.
                    self.topics.remove(&Said { producer, sequence });
                    if let Some(node) = self.nodes.get_mut(id) {
                        node.unwritable.insert(shard);
                        node.several
                            .under_way
                            .take_if(|it| it.post.said == Said { producer, sequence });
                    }
                }
                Output::Writable(shard) => {
                    if let Some(node) = self.nodes.get_mut(id) {
                        node.unwritable.remove(&shard);
                    }
                }
                Output::Routed { shard, claim } => {
                    if let Some(node) = self.nodes.get_mut(id) {
                        node.routes.insert(shard, claim);
                    }
                }
                Output::Gap { topic, base } => {
                    self.judge.gap(id, topic, base)?;
                    self.on_gap(id, topic)?;
                }
                Output::Confirmed {
                    shard,
                    producer,
                    sequence,
                    at,
                } => {
                    self.publish_next(id, producer, at)?;
                    let said = |sequence| Said { producer, sequence };
                    let earlier = self.topics.range(said(0)..=said(sequence));
                    for (said, topic) in earlier.filter(|(_, topic)| topic.shard == shard) {
                        self.judge.confirmed(*topic, *said);
                    }
                }
            }
        }
        self.is_performing = false;
        match self.nodes.values().find(|node| !node.is_routed(&self.shards)) {
            Some(node) => Err(format!("{} was not told who holds a shard", node.id)),
            None => Ok(()),
        }
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
