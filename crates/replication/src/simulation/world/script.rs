//! A schedule that is written down: who starts, who sees whom, which messages wait, who dies.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};

use super::{Said, Settings, Topic, Verdict, World};
use crate::{Lease, NodeId, Position, ShardId};

/// The one shard of a script, and its one topic.
const SHARD: ShardId = ShardId(0);
const TOPIC: Topic = Topic {
    shard: SHARD,
    index: 0,
};

/// Nodes are called by one letter each. Messages are delivered at once and in the order of their links, unless a link is
/// held; whoever violates what the judge watches over fails the test with the story.
pub(in crate::simulation) struct Script {
    world: World,
    nodes: BTreeMap<char, NodeId>,
    held: BTreeSet<(NodeId, NodeId)>,
}

impl Script {
    /// Shards prefer these nodes in this order: the first that is there is to hold, the second to stand by.
    pub(in crate::simulation) fn new(preference: &'static str) -> Self {
        let settings = Settings {
            kept_bytes: usize::MAX / 2,
            ..Settings::default()
        };
        Self::with(preference, settings, true)
    }

    /// Only so much is kept: gaps may be.
    pub(in crate::simulation) fn keeping(preference: &'static str, kept_bytes: usize) -> Self {
        let settings = Settings {
            kept_bytes,
            ..Settings::default()
        };
        Self::with(preference, settings, false)
    }

    /// Little may be on its way at once.
    pub(in crate::simulation) fn narrow(preference: &'static str) -> Self {
        let settings = Settings {
            kept_bytes: usize::MAX / 2,
            message_bytes: 500,
            window_bytes: 2_000,
            ..Settings::default()
        };
        Self::with(preference, settings, true)
    }

    /// With bounds that the schedule is about.
    pub(in crate::simulation) fn bounded(preference: &'static str, settings: Settings) -> Self {
        Self::with(preference, settings, false)
    }

    /// More goes wrong at once than the core promises to survive: what is lost must be told as a gap.
    pub(in crate::simulation) fn losing(preference: &'static str) -> Self {
        let mut script = Self::keeping(preference, usize::MAX / 2);
        script.world.judge.allow_loss();
        script
    }

    fn with(preference: &'static str, settings: Settings, keeps_all: bool) -> Self {
        let mut world = World::empty(StdRng::seed_from_u64(0), 1, settings, keeps_all);
        world.preference = preference;
        world.story = Some(Vec::new());
        world.encodes = true;
        Self {
            world,
            nodes: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    fn must(&mut self, verdict: Verdict) {
        if let Err(violation) = verdict {
            self.fail(&violation);
        }
    }

    fn fail(&self, violation: &str) -> ! {
        panic!("{}\n{violation}", self.world.story().join("\n"));
    }

    fn expect(&self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    fn id(&self, name: char) -> NodeId {
        self.nodes[&name].clone()
    }

    fn say(&mut self, what: &str) {
        self.world.tell(|| format!("--- {what}"));
    }

    /// Nodes that start together, see each other, and have come to rest.
    pub(in crate::simulation) fn start_together(&mut self, names: &str) {
        for name in names.chars() {
            self.start(name);
        }
        for name in names.chars() {
            self.see(name, names);
        }
        self.run();
    }

    /// A node starts, links to all, and sees them; they do not see it yet.
    pub(in crate::simulation) fn start(&mut self, name: char) {
        let all: String = self.world.members.iter().map(letter).collect();
        self.start_seeing(name, &format!("{all}{name}"));
    }

    /// A node starts, links to all, and sees some of them.
    pub(in crate::simulation) fn start_seeing(&mut self, name: char, members: &str) {
        self.world.join(&name.to_string());
        let id = self.world.members.iter().rfind(|id| letter(id) == name);
        let Some(id) = id.cloned() else {
            self.fail("who has started is there");
        };
        self.nodes.insert(name, id.clone());
        self.see(name, members);
        let others: Vec<NodeId> = self
            .world
            .nodes
            .keys()
            .filter(|other| **other != id)
            .cloned()
            .collect();
        for other in others {
            let verdict = self.world.connect(&id, &other);
            self.must(verdict);
        }
    }

    /// From now on these are the members for a node.
    pub(in crate::simulation) fn see(&mut self, who: char, members: &str) {
        self.say(&format!("{who} sees {members}"));
        let id = self.id(who);
        let members = members.chars().map(|name| self.id(name)).collect();
        self.world.views.insert(id.clone(), members);
        let verdict = self.world.update_view(&id);
        self.must(verdict);
    }

    /// A node takes those for dead that are not among these, though they live.
    pub(in crate::simulation) fn mistake(&mut self, who: char, members: &str) {
        self.world.judge.split();
        self.see(who, members);
    }

    /// From now on these are the members for all of them.
    pub(in crate::simulation) fn all_see(&mut self, members: &str) {
        for name in members.chars() {
            self.see(name, members);
        }
    }

    /// What one node sends to another waits from now on.
    pub(in crate::simulation) fn hold(&mut self, from: char, to: char) {
        self.say(&format!("{from} -> {to} waits"));
        self.held.insert((self.id(from), self.id(to)));
    }

    pub(in crate::simulation) fn hold_both(&mut self, one: char, other: char) {
        self.hold(one, other);
        self.hold(other, one);
    }

    pub(in crate::simulation) fn release(&mut self, from: char, to: char) {
        self.say(&format!("{from} -> {to} goes on"));
        self.held.remove(&(self.id(from), self.id(to)));
    }

    pub(in crate::simulation) fn release_both(&mut self, one: char, other: char) {
        self.release(one, other);
        self.release(other, one);
    }

    /// Delivers this many messages of one node to another.
    pub(in crate::simulation) fn deliver(&mut self, from: char, to: char, count: usize) {
        let ends = (self.id(from), self.id(to));
        for _ in 0..count {
            let verdict = self.world.deliver_one(&ends);
            self.must(verdict);
        }
    }

    /// The link between two nodes loses all that is on its way, and is made anew.
    pub(in crate::simulation) fn reset(&mut self, one: char, other: char) {
        self.cut(one, other);
        self.link(one, other);
    }

    /// Nodes on different sides lose their links, and take each other for dead.
    pub(in crate::simulation) fn split(&mut self, sides: &[&str]) {
        let numbered = sides.iter().zip(0..);
        let sided = numbered.flat_map(|(names, side)| names.chars().map(move |name| (name, side)));
        let sided = sided.map(|(name, side)| (self.id(name), side)).collect();
        self.world.split(sided);
        for names in sides {
            self.all_see(names);
        }
    }

    /// The sides have links again. Nobody sees that yet.
    pub(in crate::simulation) fn heal(&mut self) {
        self.world.heal();
        let pairs: Vec<_> = self.world.pairs().collect();
        for (one, other) in pairs {
            if !self.world.network.are_connected(&one, &other) {
                let verdict = self.world.connect(&one, &other);
                self.must(verdict);
            }
        }
    }

    pub(in crate::simulation) fn cut(&mut self, one: char, other: char) {
        let (one, other) = (self.id(one), self.id(other));
        self.say(&format!("the link of {one} and {other} is lost"));
        self.world.network.disconnect(&one, &other);
    }

    pub(in crate::simulation) fn link(&mut self, one: char, other: char) {
        let (one, other) = (self.id(one), self.id(other));
        let verdict = self.world.connect(&one, &other);
        self.must(verdict);
    }

    /// The others say that it is dead; it goes on.
    pub(in crate::simulation) fn declare_dead(&mut self, name: char) {
        let id = self.id(name);
        self.say(&format!("{id} is declared dead"));
        self.world.members.remove(&id);
        self.world.judge.dead(&id);
        self.world.doomed.insert(id);
    }

    /// It ends, and what was sent to it is lost. Nobody knows yet.
    pub(in crate::simulation) fn kill(&mut self, name: char) {
        self.declare_dead(name);
        let id = self.id(name);
        self.world.end(&id);
    }

    /// Delivers all that does not wait.
    pub(in crate::simulation) fn run(&mut self) {
        for _ in 0..100_000 {
            let busy = self.world.network.busy();
            let Some(ends) = busy.into_iter().find(|ends| !self.held.contains(ends)) else {
                return;
            };
            let verdict = self.world.deliver_one(&ends);
            self.must(verdict);
        }
        self.fail("the nodes do not come to rest");
    }

    pub(in crate::simulation) fn pass(&mut self, time: Duration) {
        let end = self.world.now + time;
        while self.world.now < end {
            let verdict = self.world.pass(Duration::from_millis(10));
            self.must(verdict);
            self.run();
        }
    }

    pub(in crate::simulation) fn record(&mut self, name: char) -> u64 {
        self.expect(self.serves(name), "who records serves the shard");
        let verdict = self.world.record(&self.id(name), SHARD);
        self.must(verdict);
        self.world.records
    }

    pub(in crate::simulation) fn publish(&mut self, name: char) -> Said {
        let id = self.id(name);
        let verdict = self.world.publish(&id, TOPIC);
        self.must(verdict);
        let Some(node) = self.world.nodes.get(&id) else {
            self.fail("who publishes is there");
        };
        Said {
            producer: node.producer,
            sequence: node.sequence,
        }
    }

    pub(in crate::simulation) fn subscribe(&mut self, name: char) {
        let verdict = self.world.subscribe(&self.id(name), TOPIC);
        self.must(verdict);
    }

    pub(in crate::simulation) fn unsubscribe(&mut self, name: char) {
        let id = self.id(name);
        let verdict = self.world.unsubscribe(&id, TOPIC);
        self.must(verdict);
    }

    /// Whether a holder may act by what it has, at this moment.
    pub(in crate::simulation) fn may_act(&mut self, name: char) -> bool {
        let (id, now) = (self.id(name), self.world.now);
        let verdict = self.world.act(&id, SHARD);
        self.must(verdict);
        let node = self.world.nodes.get_mut(&id);
        let lease = node.map(|node| node.core.lease(SHARD, now));
        matches!(lease, Some(Ok((Lease::Held, _))))
    }

    pub(in crate::simulation) fn serves(&self, name: char) -> bool {
        let node = self.world.nodes.get(&self.id(name));
        node.is_some_and(|node| node.core.state(SHARD).is_some())
    }

    pub(in crate::simulation) fn is_safe(&self, record: u64) -> bool {
        self.world.judge.is_safe(SHARD, record)
    }

    pub(in crate::simulation) fn is_confirmed(&self, said: Said) -> bool {
        self.world.judge.is_confirmed(TOPIC, said)
    }

    pub(in crate::simulation) fn heard(&self, name: char) -> Vec<Said> {
        self.world.judge.heard(&self.id(name), TOPIC)
    }

    pub(in crate::simulation) fn has_gap(&self, name: char) -> bool {
        self.world.judge.has_gap(&self.id(name), TOPIC)
    }

    /// A node asks for all that was said, for somebody who has heard nothing.
    pub(in crate::simulation) fn replay(&mut self, name: char) {
        let verdict = self.world.replay(&self.id(name), TOPIC, Position::START);
        self.must(verdict);
    }

    /// How many bytes of the past the holder keeps.
    pub(in crate::simulation) fn log_bytes(&self, name: char) -> usize {
        let node = self.world.nodes.get(&self.id(name));
        let log = node.and_then(|node| node.core.log(SHARD));
        log.map_or(0, |(log, _)| log.bytes())
    }

    /// Whether a node may publish, and was told so.
    pub(in crate::simulation) fn is_writable(&self, name: char) -> bool {
        let node = self.world.nodes.get(&self.id(name));
        node.is_some_and(|node| node.unwritable.is_empty() && node.core.has_room(SHARD))
    }

    /// How often something has happened, as the story tells it.
    pub(in crate::simulation) fn count(&self, what: &str) -> usize {
        let story = self.world.story();
        story.iter().filter(|line| line.contains(what)).count()
    }

    /// How many entries of the past the holder keeps.
    pub(in crate::simulation) fn kept(&self, name: char) -> u64 {
        let node = self.world.nodes.get(&self.id(name));
        let log = node.and_then(|node| node.core.log(SHARD));
        log.map_or(0, |(log, _)| log.last().number() - log.floor())
    }

    /// All is delivered, all see each other, and the judge is content.
    pub(in crate::simulation) fn end(mut self) {
        self.held.clear();
        let verdict = self.world.settle();
        self.must(verdict);
    }
}

fn letter(id: &NodeId) -> char {
    id.to_string().chars().next().unwrap_or_default()
}
