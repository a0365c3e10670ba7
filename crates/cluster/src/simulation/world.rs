//! A world of nodes and links, and the schedule that moves it: one small step at a time, drawn from a seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    judge::{Judge, Violation},
    message::{Ask, AskId, Deed, LaneMessage},
    network::{Network, Signal},
    node::{Node, member},
    router::Sight,
    rules::Rules,
};
use crate::{
    member::{Incarnation, NodeId, NodeName, Phase, View},
    shard::{Key, ShardCount},
    topic::Topic,
};

const NAMES: [&str; 5] = ["ann", "bob", "cat", "dan", "eve"];
const TOPICS: [&str; 3] = ["x", "y", "z"];
const MAX_ENTITIES: usize = 8;
const SHARDS: u32 = 16;
/// More than any calm needs: who gets here runs in circles.
const MAX_CALM_STEPS: u64 = 5_000;

/// What can happen next.
#[derive(Clone, Debug)]
enum Step {
    /// A link delivers what is first in its queue.
    Deliver(NodeId, NodeId),
    /// A lane handles the first message of its mailbox.
    Turn(NodeId),
    /// A task asks, or gives up.
    Ask(NodeId, AskId),
    /// A node hears how far a member is.
    Learn(NodeId, NodeId, Option<Phase>),
    Connect(NodeId, NodeId),
    GoUp(NodeId),
    /// A node that has handed off everything ends.
    Depart(NodeId),
    Deed(NodeId, Deed),
    Publish(NodeId, Topic),
    Request(NodeId, Key),
    Join(NodeName),
    Leave(NodeId),
    Crash(NodeId),
    Cut(NodeId, NodeId),
    Part,
    Heal,
}

/// Everything there is.
pub(super) struct World {
    rules: Rules,
    random: StdRng,
    nodes: BTreeMap<NodeId, Node>,
    network: Network,
    /// Those on the other side of a partition.
    beyond: BTreeSet<NodeName>,
    /// How quick each direction of a link, and each lane, is: so that some lag far behind.
    speeds: BTreeMap<(NodeName, NodeName), u32>,
    lives: u64,
    entities: usize,
    judge: Judge,
    step: u64,
    birth: Instant,
    story: Option<Vec<String>>,
}

impl World {
    /// A world with one node.
    pub(super) fn new(seed: u64, rules: Rules, tells: bool) -> Self {
        let mut world = Self {
            rules,
            random: StdRng::seed_from_u64(seed),
            nodes: BTreeMap::new(),
            network: Network::default(),
            beyond: BTreeSet::new(),
            speeds: BTreeMap::new(),
            lives: 0,
            entities: 0,
            judge: Judge::new(rules.partitions),
            step: 0,
            birth: Instant::now(),
            story: tells.then(Vec::new),
        };
        world.join(name(NAMES[0]));
        let now = world.now();
        world
            .nodes
            .values_mut()
            .for_each(|node| node.become_phase(Phase::Up, now));
        world
    }

    pub(super) fn story(&self) -> String {
        self.story.as_deref().unwrap_or_default().join("\n")
    }

    /// A few nodes find each other; then anything may happen; then only what people do, while moves go on; then calm, and
    /// last words that everybody must hear.
    pub(super) fn run(&mut self) -> Result<(), Violation> {
        for other in &NAMES[1..3] {
            self.take(Step::Join(name(other)))?;
        }
        self.calm_down()?;
        for _ in 0..self.random.random_range(50..300) {
            let steps = [self.inevitable(), self.life(), self.misfortunes()].concat();
            self.take_one_of(steps)?;
        }
        self.beyond.clear();
        for _ in 0..100 {
            let steps = [self.inevitable(), self.life()].concat();
            self.take_one_of(steps)?;
        }
        self.speeds.clear();
        self.calm_down()?;
        for id in self.nodes.keys().cloned().collect::<Vec<_>>() {
            for topic in TOPICS {
                self.take(Step::Publish(id.clone(), topic.into()))?;
            }
            for key in self.judge.keys().cloned().collect::<Vec<_>>() {
                self.take(Step::Request(id.clone(), key))?;
            }
        }
        self.calm_down()
    }

    fn calm_down(&mut self) -> Result<(), Violation> {
        self.tell(|| "now all is calm".to_owned());
        let last = self.step + MAX_CALM_STEPS;
        loop {
            let steps = self.inevitable();
            if steps.is_empty() || self.step == last {
                break;
            }
            self.take_one_of(steps)?;
        }
        self.judge.when_calm(&self.nodes)
    }

    fn now(&self) -> Instant {
        self.birth + Duration::from_millis(self.step)
    }

    fn tell(&mut self, text: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:5} {}", self.step, text()));
        }
    }

    // The schedule

    /// What happens by itself sooner or later, with weights.
    fn inevitable(&mut self) -> Vec<(u32, Step)> {
        let mut steps = Vec::new();
        let busy: Vec<_> = self
            .network
            .busy()
            .map(|(from, to)| (from.clone(), to.clone()))
            .collect();
        for (from, to) in busy {
            steps.push((self.speed(&from, &to), Step::Deliver(from, to)));
        }
        let ids: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for id in &ids {
            let speed = self.speed(id, id);
            let node = &self.nodes[id];
            if !node.router.mailbox.is_empty() {
                steps.push((speed, Step::Turn(id.clone())));
            }
            for task in node.router.ready_tasks() {
                steps.push((10, Step::Ask(id.clone(), task)));
            }
            if node.router.phase == Phase::Joining && node.router.may_be_up() {
                steps.push((10, Step::GoUp(id.clone())));
            }
            let has_gone = node.lane.placement.view().up().all(|member| member.id != *id);
            if node.router.phase == Phase::Leaving
                && has_gone
                && node.router.mailbox.is_empty()
                && node.lane.is_calm()
                && node.lane.entities.is_empty()
            {
                steps.push((10, Step::Depart(id.clone())));
            }
            let busy = node.lane.entities.iter().filter(|(_, entity)| entity.is_busy);
            if node.router.mailbox.is_empty() {
                steps.extend(busy.map(|(key, _)| (2, Step::Deed(id.clone(), Deed::Finish(key.clone())))));
            }
            steps.extend(self.news_for(id).map(|step| (12, step)));
            steps.extend(self.dials_of(id).map(|step| (15, step)));
        }
        steps
    }

    fn speed(&mut self, from: &NodeId, to: &NodeId) -> u32 {
        let pair = (from.name.clone(), to.name.clone());
        *self
            .speeds
            .entry(pair)
            .or_insert_with(|| [1, 5, 20, 60][self.random.random_range(0..4)])
    }

    fn are_apart(&self, one: &NodeId, other: &NodeId) -> bool {
        self.beyond.contains(&one.name) != self.beyond.contains(&other.name)
    }

    /// Where the view of a node differs from what it would see if it looked.
    fn news_for(&self, id: &NodeId) -> impl Iterator<Item = Step> {
        let seen = &self.nodes[id].router.placement.view().members;
        let visible = self.nodes.iter().filter(|(other, _)| !self.are_apart(id, other));
        let there: BTreeMap<&NodeName, (&NodeId, Phase)> = visible
            .map(|(other, node)| (&other.name, (other, node.router.phase)))
            .collect();
        let gone = seen
            .iter()
            .filter(|(name, _)| !there.contains_key(name))
            .map(|(_, member)| (member.id.clone(), None));
        let changed = there
            .iter()
            .filter(|(name, (other, phase))| {
                seen.get(**name)
                    .is_none_or(|member| (&member.id, member.phase) != (*other, *phase))
            })
            .map(|(_, (other, phase))| ((*other).clone(), Some(*phase)));
        let news: Vec<_> = gone.chain(changed).collect();
        let id = id.clone();
        news.into_iter()
            .map(move |(about, phase)| Step::Learn(id.clone(), about, phase))
    }

    /// The links that a node could open.
    fn dials_of(&self, id: &NodeId) -> impl Iterator<Item = Step> {
        let sees =
            |one: &NodeId, other: &NodeId| self.nodes[one].router.placement.view().member(other).is_some();
        let others = self.nodes.keys().filter(|other| {
            id < other
                && sees(id, other)
                && sees(other, id)
                && !self.are_apart(id, other)
                && !self.network.is_connected(id, other)
        });
        let dials: Vec<Step> = others
            .map(|other| Step::Connect(id.clone(), other.clone()))
            .collect();
        dials.into_iter()
    }

    /// What people may do, with weights.
    fn life(&mut self) -> Vec<(u32, Step)> {
        let mut steps = Vec::new();
        let up = self.nodes_in(Phase::Up);
        if let Some(id) = self.one_of(&up) {
            steps.push((25, Step::Publish(id.clone(), self.topic())));
            if self.entities < MAX_ENTITIES {
                let key = Key::from(format!("e{}", self.entities));
                let topics: BTreeSet<Topic> = (0..2).map(|_| self.topic()).collect();
                let deed = Deed::Create(key, topics.into_iter().collect());
                steps.push((25, Step::Deed(id, deed)));
            }
        }
        let all: Vec<NodeId> = self.nodes.keys().cloned().collect();
        if let Some(id) = self.one_of(&all) {
            let known: Vec<Key> = self.judge.keys().cloned().collect();
            if let Some(key) = self.one_of(&known) {
                steps.push((10, Step::Request(id.clone(), key)));
            }
            let here: Vec<Key> = self.nodes[&id].lane.entities.keys().cloned().collect();
            if let Some(key) = self.one_of(&here) {
                let deeds = [
                    (4, Deed::Start(key.clone())),
                    (2, Deed::Join(key.clone(), self.topic())),
                    (2, Deed::Part(key.clone(), self.topic())),
                    (1, Deed::End(key)),
                ];
                steps.extend(deeds.map(|(weight, deed)| (weight, Step::Deed(id.clone(), deed))));
            }
            if let Some(other) = self.one_of(&all).filter(|other| *other != id) {
                steps.push((1, Step::Deed(id, Deed::Follow(other))));
            }
        }
        steps
    }

    /// What may befall the nodes and links, with weights.
    fn misfortunes(&mut self) -> Vec<(u32, Step)> {
        let mut steps = Vec::new();
        let up = self.nodes_in(Phase::Up);
        let all: Vec<NodeId> = self.nodes.keys().cloned().collect();
        let (one, other) = (self.one_of(&all), self.one_of(&all));
        if let (Some(one), Some(other)) = (one, other) {
            if self.rules.cuts && self.network.is_connected(&one, &other) {
                steps.push((4, Step::Cut(one.clone(), other)));
            }
            if self.rules.crashes && up.len() > 1 {
                steps.push((2, Step::Crash(one)));
            }
        }
        if let Some(id) = self.one_of(&up).filter(|_| up.len() > 1) {
            steps.push((2, Step::Leave(id)));
        }
        let used: BTreeSet<&NodeName> = self.nodes.keys().map(|id| &id.name).collect();
        let free: Vec<NodeName> = NAMES
            .map(name)
            .into_iter()
            .filter(|name| !used.contains(name))
            .collect();
        if let Some(name) = self.one_of(&free).filter(|_| !up.is_empty()) {
            steps.push((6, Step::Join(name)));
        }
        if self.rules.partitions {
            let step = if self.beyond.is_empty() {
                Step::Part
            } else {
                Step::Heal
            };
            steps.push((2, step));
        }
        steps
    }

    fn nodes_in(&self, phase: Phase) -> Vec<NodeId> {
        let those = self.nodes.iter().filter(|(_, node)| node.router.phase == phase);
        those.map(|(id, _)| id.clone()).collect()
    }

    fn topic(&mut self) -> Topic {
        TOPICS[self.random.random_range(0..TOPICS.len())].into()
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.random.random_range(0..all.len())].clone())
    }

    // Steps

    fn take_one_of(&mut self, steps: Vec<(u32, Step)>) -> Result<(), Violation> {
        let total: u32 = steps.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.random.random_range(0..total.max(1));
        for (weight, step) in steps {
            if drawn < weight {
                return self.take(step);
            }
            drawn -= weight;
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> Result<(), Violation> {
        self.step += 1;
        let (now, number) = (self.now(), self.step);
        match step {
            Step::Deliver(from, to) => self.deliver(&from, &to),
            Step::Turn(id) => {
                let first = |node: &Node| node.router.mailbox.front().map(ToString::to_string);
                let text = self.story.is_some().then(|| first(&self.nodes[&id])).flatten();
                self.at(&id, text.unwrap_or_default(), |node| node.turn(number, now));
            }
            Step::Ask(id, task) => self.at(&id, "asks again or gives up", |node| node.router.run_task(task)),
            Step::Learn(id, about, phase) => {
                let text = format!("hears that {about:?} is {phase:?}");
                self.at(&id, text, |node| node.learn(&about, phase, now));
            }
            Step::Connect(one, other) => {
                self.tell(|| format!("{one} and {other} connect"));
                self.network.connect(&one, &other);
            }
            Step::GoUp(id) => self.at(&id, "is up", |node| node.become_phase(Phase::Up, now)),
            Step::Leave(id) => self.at(&id, "is leaving", |node| node.become_phase(Phase::Leaving, now)),
            Step::Depart(id) => self.remove(&id, "departs", &mut |under_way| under_way),
            Step::Crash(id) => {
                let mut random = StdRng::seed_from_u64(self.random.random());
                self.remove(&id, "dies", &mut |under_way| random.random_range(0..=under_way));
            }
            Step::Deed(id, deed) => self.act(&id, deed),
            Step::Publish(id, topic) => {
                let text = format!("publishes to {topic:?}");
                self.at(&id, text, |node| node.router.publish(topic));
            }
            Step::Request(id, key) => {
                let text = format!("asks for {key}");
                self.at(&id, text, |node| node.router.start_task(key, None, Ask::Find));
            }
            Step::Join(name) => self.join(name),
            Step::Cut(one, other) => self.cut(&one, &other),
            Step::Part => self.part(),
            Step::Heal => {
                self.tell(|| "the partition heals".to_owned());
                self.beyond.clear();
            }
        }
        self.look_around()
    }

    /// Something happens at one node.
    fn at(&mut self, id: &NodeId, text: impl Display, happens: impl FnOnce(&mut Node)) {
        self.tell(|| format!("{id} {text}"));
        if let Some(node) = self.nodes.get_mut(id) {
            happens(node);
        }
    }

    fn act(&mut self, id: &NodeId, deed: Deed) {
        // A client's new session has its home where it came in.
        let owns = |world: &Self, key: &Key| world.nodes[id].router.placement.owner_of(key) == Some(id);
        if let Deed::Create(key, _) = &deed {
            if !owns(self, key) {
                return;
            }
            self.entities += 1;
        }
        let text = format!("will {deed:?}");
        self.at(id, text, |node| {
            node.router.mailbox.push_back(LaneMessage::Deed(deed))
        });
    }

    fn deliver(&mut self, from: &NodeId, to: &NodeId) {
        let Some(signal) = self.network.take(from, to) else {
            return;
        };
        self.tell(|| match &signal {
            Signal::Message(message) => format!("{from} → {to}: {message}"),
            Signal::Up(_) => format!("{to} has a link to {from}"),
            Signal::Down => format!("{to} loses its link to {from}"),
        });
        if let Some(node) = self.nodes.get_mut(to) {
            node.router.heard(from, signal);
        }
    }

    fn cut(&mut self, one: &NodeId, other: &NodeId) {
        self.tell(|| format!("the link of {one} and {other} is cut"));
        let random = &mut self.random;
        let lost = self
            .network
            .cut(one, other, &mut |under_way| random.random_range(0..=under_way));
        lost.iter().for_each(|message| self.judge.lost(message));
    }

    fn part(&mut self) {
        self.beyond = NAMES
            .map(name)
            .into_iter()
            .filter(|_| self.random.random())
            .collect();
        let beyond = format!("{:?}", self.beyond);
        self.tell(|| format!("{beyond} and the others are parted"));
        let ids: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for (position, one) in ids.iter().enumerate() {
            for other in &ids[..position] {
                if self.are_apart(one, other) {
                    self.cut(one, other);
                }
            }
        }
    }

    /// A node comes, and hears of all from one who is there.
    fn join(&mut self, name: NodeName) {
        self.lives += 1;
        let me = NodeId {
            name: name.clone(),
            incarnation: Incarnation(self.lives),
        };
        self.tell(|| format!("{me:?} joins"));
        let there = self.nodes.iter().filter(|(other, _)| !self.are_apart(&me, other));
        let mut members: BTreeMap<_, _> = there
            .map(|(other, node)| (other.name.clone(), member(other, node.router.phase)))
            .collect();
        members.insert(name, member(&me, Phase::Joining));
        let view = View {
            me: me.clone(),
            members,
        };
        let shards = ShardCount::try_from(SHARDS).unwrap();
        let moves_in_flight = self.random.random_range(1..4);
        let mut node = Node::new(view.clone(), shards, self.rules, moves_in_flight, self.now());
        node.router.placed(view, self.now());
        self.nodes.insert(me, node);
    }

    fn remove(&mut self, id: &NodeId, how: &str, keep: &mut dyn FnMut(usize) -> usize) {
        self.tell(|| format!("{id:?} {how}"));
        if let Some(node) = self.nodes.remove(id) {
            self.judge.dies(&node);
        }
        for other in self.nodes.keys() {
            let lost = self.network.cut(id, other, keep);
            lost.iter().for_each(|message| self.judge.lost(message));
        }
        self.network.forget(id);
        self.judge.died(&self.nodes);
    }

    /// What was to be sent is sent, and what could be seen is judged.
    fn look_around(&mut self) -> Result<(), Violation> {
        let mut sights: Vec<(NodeId, Sight)> = Vec::new();
        for (id, node) in &mut self.nodes {
            for (to, life, message) in node.router.outbox.drain(..) {
                if let Some(lost) = self.network.send(id, &to, life, message) {
                    self.judge.lost(&lost);
                }
            }
            sights.extend(node.router.sights.drain(..).map(|sight| (id.clone(), sight)));
        }
        for (id, sight) in sights {
            self.tell(|| format!("  {id}: {sight}"));
            self.judge.saw(&id, sight, self.step, &self.nodes)?;
        }
        self.judge.at_every_step(&self.nodes)
    }
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}
