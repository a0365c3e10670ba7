//! Nodes, links, clients and time. Nothing happens by itself: a schedule says what does.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use hither_replication::{NodeId, Settings as CoreSettings, ShardId, Target};

use super::{Mutant, app::handle, client::Client};
use crate::{Effects, EndpointId, Input, Job, Message, Node, Output, RunId, Settings, SocketId};

/// A handler that runs.
pub(super) struct Run {
    pub(super) node: NodeId,
    run: RunId,
    socket: SocketId,
    data: Bytes,
    job: Job,
}

type Ends = (NodeId, NodeId);

pub(super) struct World {
    pub(super) now: Duration,
    /// Counts what happens.
    pub(super) step: u64,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) members: BTreeSet<NodeId>,
    pub(super) views: BTreeMap<NodeId, BTreeSet<NodeId>>,
    /// Said to be dead, and not yet.
    pub(super) doomed: BTreeSet<NodeId>,
    /// There was a split: what one side was answered may be lost.
    pub(super) is_split: bool,
    pub(super) shards: Vec<ShardId>,
    /// The nodes in the order in which shards prefer them; if empty, each shard has an order of its own.
    pub(super) preference: &'static str,
    pub(super) settings: Settings,
    /// What does not arrive for now.
    held: BTreeSet<Ends>,
    links: BTreeMap<Ends, VecDeque<Message>>,
    pub(super) clients: Vec<Client>,
    /// Connections that their client has given up and their node has not.
    pub(super) zombies: Vec<(EndpointId, NodeId)>,
    pub(super) runs: Vec<Run>,
    pub(super) mutant: Option<Mutant>,
    pub(super) last_x: u64,
    pub(super) endpoints: u64,
    pub(super) sockets: u64,
    incarnations: u64,
    pub(super) story: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(shards: u32, keeps_story: bool) -> Self {
        Self {
            now: Duration::ZERO,
            step: 0,
            nodes: BTreeMap::new(),
            members: BTreeSet::new(),
            views: BTreeMap::new(),
            doomed: BTreeSet::new(),
            is_split: false,
            shards: (0..shards).map(ShardId).collect(),
            preference: "",
            settings: Settings {
                core: CoreSettings::default(),
                window: Duration::from_secs(600),
                ..Settings::default()
            },
            held: BTreeSet::new(),
            links: BTreeMap::new(),
            clients: Vec::new(),
            zombies: Vec::new(),
            runs: Vec::new(),
            mutant: None,
            last_x: 0,
            endpoints: 0,
            sockets: 0,
            incarnations: 0,
            story: keeps_story.then(Vec::new),
        }
    }

    pub(super) fn log(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let line = format!("{:>7.3} {}", self.now.as_secs_f64(), what());
            story.push(line);
        }
    }

    // Nodes

    /// A node is started and sees all others. These see it when they learn of it.
    pub(super) fn join(&mut self, name: &str) -> NodeId {
        self.incarnations += 1;
        let id = NodeId::new(name, self.incarnations);
        self.log(|| format!("{id} joins"));
        let mut node = Node::new(id.clone(), self.shards.clone(), self.settings.clone());
        node.mutant = self.mutant;
        self.nodes.insert(id.clone(), node);
        let others: Vec<NodeId> = self.members.iter().cloned().collect();
        self.members.insert(id.clone());
        self.learn(&id);
        for other in others {
            self.reset(&id, &other);
        }
        id
    }

    /// A node sees the members as they are.
    pub(super) fn learn(&mut self, id: &NodeId) {
        self.see(id, self.members.clone());
    }

    fn see(&mut self, id: &NodeId, members: BTreeSet<NodeId>) {
        let target = |shard| Self::target_among(self.preference, &members, shard);
        let targets = self.shards.iter().map(|shard| (*shard, target(*shard)));
        let targets = targets.collect();
        self.log(|| format!("{id} sees {members:?}"));
        self.views.insert(id.clone(), members.clone());
        self.give(id, Input::View { members, targets });
    }

    pub(super) fn learn_all(&mut self) {
        let all: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for id in all {
            if !self.doomed.contains(&id) && self.views.get(&id) != Some(&self.members) {
                self.learn(&id);
            }
        }
    }

    /// Nodes on different sides lose their links, and take each other for dead.
    pub(super) fn split(&mut self, sides: &[&[&NodeId]]) {
        self.log(|| format!("the nodes are split: {sides:?}"));
        for side in sides {
            let is_there = |id: &NodeId| side.contains(&id);
            self.links.retain(|(from, to), _| is_there(from) == is_there(to));
        }
        self.is_split = true;
        for client in &mut self.clients {
            client.may_begin_anew = true;
        }
        for side in sides {
            let members: BTreeSet<NodeId> = side.iter().map(|id| (*id).clone()).collect();
            for id in *side {
                self.see(id, members.clone());
            }
        }
    }

    /// The sides have links again, and see each other.
    pub(super) fn heal(&mut self) {
        self.log(|| "the split is over".into());
        let all: Vec<NodeId> = self.members.iter().cloned().collect();
        for one in &all {
            for other in &all {
                if one < other && !self.links.contains_key(&(one.clone(), other.clone())) {
                    self.reset(one, other);
                }
            }
        }
        self.learn_all();
    }

    fn target(&self, shard: ShardId) -> Target {
        Self::target_among(self.preference, &self.members, shard)
    }

    fn target_among(preference: &str, members: &BTreeSet<NodeId>, shard: ShardId) -> Target {
        let mut order: Vec<&NodeId> = members.iter().collect();
        order.sort_by_key(|id| (weight(preference, shard, id), (*id).clone()));
        let mut order = order.into_iter().cloned();
        Target {
            holder: order.next(),
            standby: order.next(),
        }
    }

    pub(super) fn is_placed(&self) -> bool {
        self.shards.iter().all(|shard| {
            let target = self.target(*shard);
            let Some(node) = target.holder.as_ref().and_then(|holder| self.nodes.get(holder)) else {
                return false;
            };
            let claim = node.core().claim(*shard);
            let has_standby = claim.is_some_and(|claim| claim.standby() == target.standby.as_ref());
            node.core().state(*shard).is_some() && has_standby
        })
    }

    /// Others say that a node is dead. It goes on until it ends.
    pub(super) fn doom(&mut self, id: &NodeId) {
        self.log(|| format!("{id} is said to be dead"));
        self.members.remove(id);
        self.doomed.insert(id.clone());
    }

    pub(super) fn end(&mut self, id: &NodeId) {
        self.log(|| format!("{id} ends"));
        self.members.remove(id);
        self.doomed.remove(id);
        self.nodes.remove(id);
        self.views.remove(id);
        self.links.retain(|(_, to), _| to != id);
        self.runs.retain(|run| run.node != *id);
        self.zombies.retain(|(_, node)| node != id);
        for client in &mut self.clients {
            if client.connection.as_ref().is_some_and(|it| it.node == *id) {
                client.connection = None;
            }
        }
    }

    /// What is on its way between two nodes is lost.
    pub(super) fn reset(&mut self, one: &NodeId, other: &NodeId) {
        self.log(|| format!("the link of {one} and {other} is new"));
        self.links.insert((one.clone(), other.clone()), VecDeque::new());
        self.links.insert((other.clone(), one.clone()), VecDeque::new());
        self.give(one, Input::LinkReset(other.clone()));
        self.give(other, Input::LinkReset(one.clone()));
    }

    pub(super) fn busy(&self) -> Vec<Ends> {
        let links = self.links.iter();
        let busy = links.filter(|(ends, link)| !link.is_empty() && !self.held.contains(*ends));
        busy.map(|(ends, _)| ends.clone()).collect()
    }

    /// How many messages are on their way.
    pub(super) fn waiting(&self, ends: &Ends) -> usize {
        self.links.get(ends).map_or(0, VecDeque::len)
    }

    /// What one node sends to another waits from now on.
    pub(super) fn hold(&mut self, from: &NodeId, to: &NodeId) {
        self.held.insert((from.clone(), to.clone()));
    }

    /// Nothing waits any more.
    pub(super) fn release(&mut self) {
        self.held.clear();
    }

    /// What a node has sent is lost.
    pub(super) fn cut(&mut self, from: &NodeId) {
        self.links.retain(|(sender, _), _| sender != from);
    }

    pub(super) fn deliver(&mut self, ends: &Ends) {
        let message = self.links.get_mut(ends).and_then(VecDeque::pop_front);
        if let Some(message) = message {
            let (from, to) = ends.clone();
            self.log(|| format!("{from} -> {to} {}", described(&message)));
            self.give(&to, Input::Message { from, message });
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        let is_due = |node: &Node| node.deadline().is_some_and(|at| at <= now);
        let due = self.nodes.iter().filter(|(_, node)| is_due(node));
        let due: Vec<NodeId> = due.map(|(id, _)| id.clone()).collect();
        for id in due {
            self.give(&id, Input::Tick);
        }
    }

    pub(super) fn give(&mut self, to: &NodeId, input: Input) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(to) else {
            return;
        };
        for output in node.handle(input, now) {
            match output {
                Output::Send { to: other, message } => {
                    if let Some(link) = self.links.get_mut(&(to.clone(), other)) {
                        link.push_back(message);
                    }
                }
                Output::ToClient { endpoint, packet } => self.tell_client(endpoint, packet),
                Output::Run {
                    run,
                    socket,
                    data,
                    job,
                } => {
                    self.log(|| format!("    {to} runs {job:?} of {} with {data:?}", socket.number));
                    let node = to.clone();
                    self.runs.push(Run {
                        node,
                        run,
                        socket,
                        data,
                        job,
                    });
                }
            }
        }
    }

    /// A handler ends.
    pub(super) fn finish(&mut self, index: usize) {
        let run = self.runs.remove(index);
        let effects: Effects = handle(run.socket, &run.data, run.job);
        let (node, run) = (run.node, run.run);
        self.log(|| format!("{node} is done with {run:?}"));
        self.give(&node, Input::Done { run, effects });
    }
}

/// By names, so that a node that restarts has its old place.
fn weight(preference: &str, shard: ShardId, id: &NodeId) -> u64 {
    let name = id.to_string().chars().next().unwrap_or_default();
    if let Some(place) = preference.find(name) {
        return place as u64;
    }
    let mixed = u64::from(name) * 0x9E37_79B9 + u64::from(shard.0) * 0x85EB_CA6B;
    mixed.wrapping_mul(0xC2B2_AE3D_27D4_EB4F) >> 32
}

fn described(message: &Message) -> String {
    match message {
        Message::Core(message) => format!("{message:?}"),
        Message::ToSocket {
            endpoint,
            attachment,
            message,
            ..
        } => format!("{endpoint:?}.{} {message:?}", attachment.0),
        Message::ToEndpoint {
            endpoint,
            attachment,
            message,
        } => format!("to {endpoint:?}.{} {message:?}", attachment.0),
        Message::Direct {
            to,
            producer,
            sequence,
            event,
            ..
        } => format!("direct {event:?} to {} of {producer:?} {sequence:?}", to.number),
        Message::DirectConfirmed {
            producer, sequence, ..
        } => format!("confirmed {producer:?} {sequence:?}"),
    }
}
