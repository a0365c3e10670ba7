//! A cluster in which everything that happens is one step of a schedule.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{Input, Message, NodeId, Output, ShardId, Target, View};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use super::{
    judge::{Judge, Verdict},
    mutant::{Mutant, Sent},
    network::Network,
    node::{Node, Records, Said, Topic},
};

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    /// Nodes die, one at a time: the next one when every shard has a holder and a standby again.
    pub(super) deaths: bool,
    /// Links are lost and come back.
    pub(super) resets: bool,
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
    network: Network,
    judge: Judge,
    topics: BTreeMap<Said, Topic>,
    incarnations: u64,
    producers: u32,
    records: u64,
    kept_entries: usize,
    /// Who is said to be dead by the others, and is not yet.
    doomed: BTreeSet<NodeId>,
    /// Whether there was a moment since the last death when all was as it should be.
    recovers: bool,
    story: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, keeps_story: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let shards = (0..rng.random_range(1..=3)).map(ShardId).collect();
        let keeps_all = rng.random_bool(0.8);
        let mut world = Self {
            rng,
            faults,
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            members: BTreeSet::new(),
            views: BTreeMap::new(),
            shards,
            network: Network::default(),
            judge: Judge::new(keeps_all),
            topics: BTreeMap::new(),
            incarnations: 0,
            producers: 0,
            records: 0,
            kept_entries: if keeps_all { 1 << 20 } else { 40 },
            doomed: BTreeSet::new(),
            recovers: true,
            story: keeps_story.then(Vec::new),
        };
        world.join("a");
        world
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

    pub(super) fn run(&mut self) -> Verdict {
        let me = self.members.first().cloned().ok_or("nobody is there")?;
        self.update_view(&me)?;
        for _ in 0..STEPS {
            self.step()?;
            self.recovers |= self.has_recovered();
        }
        self.settle()
    }

    fn step(&mut self) -> Verdict {
        match self.rng.random_range(0..1_000) {
            0..550 => self.deliver(),
            550..650 => self.pass_time(),
            650..720 => self.publish(),
            720..780 => self.record(),
            780..800 => self.subscribe(),
            800..950 => self.learn(),
            950..965 => self.reset(),
            965..975 => self.grow(),
            975..980 => self.die(),
            980..983 => {
                if let Some(id) = self.doomed.first().cloned() {
                    self.end(&id);
                }
                Ok(())
            }
            _ => self.deliver(),
        }
    }

    /// Lets all that is under way come to its end, and looks at what has come of it.
    fn settle(&mut self) -> Verdict {
        self.tell(|| "--- no more faults".into());
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
            if !self.network.busy().is_empty() {
                self.deliver()?;
            } else if self.is_settled() {
                return self.judge.final_verdict();
            } else {
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
        let is_idle = self.nodes.values().all(|node| node.core.deadline().is_none());
        let is_committed = self
            .nodes
            .values()
            .all(|node| node.waiting.values().all(Vec::is_empty));
        self.is_placed() && is_idle && is_committed
    }

    fn is_placed(&self) -> bool {
        self.shards.iter().all(|shard| {
            let target = target(&self.members, *shard);
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
        is_known && self.is_placed()
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

    fn any_node(&mut self) -> Option<NodeId> {
        self.nodes.keys().choose(&mut self.rng).cloned()
    }

    fn any_shard(&mut self) -> ShardId {
        let index = self.rng.random_range(0..self.shards.len());
        self.shards[index]
    }

    fn any_topic(&mut self) -> Topic {
        Topic {
            shard: self.any_shard(),
            index: self.rng.random_range(0..TOPICS),
        }
    }

    fn deliver(&mut self) -> Verdict {
        let busy = self.network.busy();
        let Some(ends) = busy.iter().choose(&mut self.rng).cloned() else {
            return self.pass_time();
        };
        let Some((shard, message)) = self.network.take(&ends) else {
            return Ok(());
        };
        let (from, to) = ends;
        self.tell(|| format!("{from} -> {to} [{}] {message:?}", shard.0));
        self.give(&to, Input::Message { from, shard, message })
    }

    fn pass_time(&mut self) -> Verdict {
        self.now += Duration::from_millis(self.rng.random_range(1..150));
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for node in nodes {
            let is_due = |node: &Node| node.core.deadline().is_some_and(|at| at <= self.now);
            if self.nodes.get(&node).is_some_and(is_due) {
                self.give(&node, Input::Tick)?;
            }
        }
        Ok(())
    }

    fn publish(&mut self) -> Verdict {
        let (Some(id), topic) = (self.any_node(), self.any_topic()) else {
            return Ok(());
        };
        let Some(node) = self.nodes.get_mut(&id) else {
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
            &id,
            Input::Publish {
                shard: topic.shard,
                topic,
                producer: said.producer,
                sequence: said.sequence,
                payload: said,
            },
        )
    }

    fn record(&mut self) -> Verdict {
        let shard = self.any_shard();
        let serving: Vec<NodeId> = self
            .nodes
            .values()
            .filter(|node| node.core.state(shard).is_some())
            .map(|node| node.id.clone())
            .collect();
        let Some(id) = serving.iter().choose(&mut self.rng).cloned() else {
            return Ok(());
        };
        self.records += 1;
        let (record, now) = (self.records, self.now);
        self.tell(|| format!("{id} records {record} in {}", shard.0));
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        if let Ok((position, outputs)) = node.core.record(shard, record, now) {
            node.waiting.entry(shard).or_default().push((position, record));
            if self.faults.mutant == Some(Mutant::ReleaseEarly) {
                self.judge.safe(shard, record);
            }
            self.perform(&id, outputs)?;
        }
        Ok(())
    }

    fn subscribe(&mut self) -> Verdict {
        let (Some(id), topic) = (self.any_node(), self.any_topic()) else {
            return Ok(());
        };
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        if node.subscribed.contains(&topic) {
            return Ok(());
        }
        node.subscribed.push(topic);
        self.tell(|| format!("{id} subscribes to {topic:?}"));
        self.give(
            &id,
            Input::Subscribe {
                shard: topic.shard,
                topic,
                from: None,
            },
        )
    }

    /// A node hears that another one has come or gone.
    fn learn(&mut self) -> Verdict {
        match self.any_node() {
            Some(node) => self.learn_one(&node),
            None => Ok(()),
        }
    }

    fn learn_one(&mut self, node: &NodeId) -> Verdict {
        if self.doomed.contains(node) {
            return Ok(());
        }
        let Some(view) = self.views.get_mut(node) else {
            return Ok(());
        };
        let Some(changed) = view
            .symmetric_difference(&self.members)
            .choose(&mut self.rng)
            .cloned()
        else {
            return Ok(());
        };
        if !view.remove(&changed) {
            view.insert(changed.clone());
        }
        self.tell(|| format!("{node} learns of {changed}"));
        self.update_view(node)
    }

    fn update_view(&mut self, node: &NodeId) -> Verdict {
        let members = self.views[node].clone();
        let targets: Vec<_> = self
            .shards
            .iter()
            .map(|shard| (*shard, target(&members, *shard)))
            .collect();
        self.give(node, Input::View(View::new(members, targets)))
    }

    fn reset(&mut self) -> Verdict {
        let Some((one, other)) = self.pairs().collect::<Vec<_>>().into_iter().choose(&mut self.rng) else {
            return Ok(());
        };
        if self.network.are_connected(&one, &other) {
            if self.faults.resets && self.rng.random_bool(0.4) {
                self.tell(|| format!("the link of {one} and {other} is lost"));
                self.network.disconnect(&one, &other);
            }
            Ok(())
        } else {
            self.connect(&one, &other)
        }
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

    fn grow(&mut self) -> Verdict {
        let missing: Vec<&str> = NAMES
            .into_iter()
            .filter(|name| !self.members.iter().any(|node| node.to_string().starts_with(name)))
            .collect();
        if let Some(name) = missing.into_iter().choose(&mut self.rng) {
            self.join(name);
            let id = self
                .members
                .iter()
                .find(|node| node.to_string().starts_with(name))
                .cloned();
            let id = id.ok_or("who has joined is there")?;
            self.update_view(&id)?;
            let others: Vec<NodeId> = self.nodes.keys().filter(|other| **other != id).cloned().collect();
            for other in others {
                self.connect(&id, &other)?;
            }
        }
        Ok(())
    }

    /// A node is started. It sees the others at once, and they see it when they learn of it.
    fn join(&mut self, name: &str) {
        self.incarnations += 1;
        self.producers += 1;
        let id = NodeId::new(name, self.incarnations);
        self.tell(|| format!("{id} joins"));
        let node = Node::new(id.clone(), &self.shards, self.producers, self.kept_entries);
        self.members.insert(id.clone());
        // Nobody is up who does not see the others: see what `Joining` is in membership.
        self.views.insert(id.clone(), self.members.clone());
        self.nodes.insert(id, node);
    }

    fn die(&mut self) -> Verdict {
        if !self.faults.deaths || self.members.len() < 3 || !self.recovers || !self.is_redundant() {
            return Ok(());
        }
        let Some(id) = self.members.iter().choose(&mut self.rng).cloned() else {
            return Ok(());
        };
        self.tell(|| format!("{id} dies"));
        self.recovers = false;
        self.members.remove(&id);
        self.judge.dead(&id);
        self.doomed.insert(id.clone());
        if self.rng.random_bool(0.5) {
            self.end(&id);
        }
        Ok(())
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

    fn send(&mut self, from: &NodeId, to: &NodeId, shard: ShardId, message: Message<Records>) {
        let sent = match self.faults.mutant {
            Some(mutant) => mutant.corrupt(&mut self.rng, message),
            None => Sent::Message(message),
        };
        match sent {
            Sent::Message(message) => self.network.send(from, to, shard, message),
            Sent::Lost => {}
            Sent::Answered(answer) => self.network.send(to, from, shard, answer),
        }
    }

    fn perform(&mut self, id: &NodeId, outputs: Vec<Output<Records>>) -> Verdict {
        for output in outputs {
            if !matches!(output, Output::Send { .. }) {
                self.tell(|| format!("    {id}: {output:?}"));
            }
            match output {
                Output::Send { to, shard, message } => self.send(id, &to, shard, message),
                Output::Promoted(shard) => {
                    if let Some(node) = self.nodes.get(id) {
                        if let Some((log, committed)) = node.core.log(shard) {
                            self.judge.committed(shard, log, committed)?;
                        }
                        let state = node.core.state(shard).cloned();
                        // A holder that is demoted within the same input has nothing to show.
                        if let Some(state) = state {
                            self.judge.promoted(id, shard, &state)?;
                        }
                    }
                }
                Output::Demoted(shard) => {
                    if let Some(node) = self.nodes.get_mut(id) {
                        node.waiting.remove(&shard);
                    }
                }
                Output::Committed { shard, number } => {
                    if let Some(node) = self.nodes.get_mut(id) {
                        if let Some((log, _)) = node.core.log(shard) {
                            self.judge.committed(shard, log, number)?;
                        }
                        let waiting = node.waiting.entry(shard).or_default();
                        let later = waiting.partition_point(|(position, _)| position.number() <= number);
                        for (_, record) in waiting.drain(..later) {
                            self.judge.safe(shard, record);
                        }
                    }
                }
                // What a node hears of which the others say that it is dead is nobody's business.
                Output::Deliver { .. } | Output::Subscribed { .. } | Output::Gap { .. }
                    if self.doomed.contains(id) => {}
                Output::Deliver { topic, at, payload } => self.judge.delivered(id, topic, payload, at)?,
                Output::Subscribed { topic, base } => self.judge.subscribed(id, topic, base),
                Output::Gap { topic, base } => self.judge.gap(id, topic, base)?,
                Output::Confirmed {
                    producer, sequence, ..
                } => {
                    let said = |sequence| Said { producer, sequence };
                    let shard = self.topics.get(&said(sequence)).map(|topic| topic.shard);
                    let earlier = self.topics.range(said(0)..=said(sequence));
                    for (said, topic) in earlier.filter(|(_, topic)| Some(topic.shard) == shard) {
                        self.judge.confirmed(*topic, *said);
                    }
                }
            }
        }
        Ok(())
    }
}

/// First and second in the shard's order over the members: by names, so that a node that restarts has its old place.
fn target(members: &BTreeSet<NodeId>, shard: ShardId) -> Target {
    let weight = |node: &NodeId| {
        let name = node.to_string();
        let name = name.as_bytes().first().copied().unwrap_or_default();
        (u64::from(name) * 0x9E37_79B9 + u64::from(shard.0) * 0x85EB_CA6B).wrapping_mul(0xC2B2_AE3D_27D4_EB4F)
            >> 32
    };
    let mut order: Vec<&NodeId> = members.iter().collect();
    order.sort_by_key(|node| (weight(node), (*node).clone()));
    let mut order = order.into_iter().cloned();
    Target {
        holder: order.next(),
        standby: order.next(),
    }
}
