//! The switchboard of a simulated node. It does with the pure machines what [`Router`](crate::router::Router) and its
//! `Switchboard` do, one message at a time; sending is left to the [`World`](super::world::World).

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    fmt,
    sync::Arc,
};

use super::{
    message::{Answer, Ask, AskId, Asker, LaneMessage, Message},
    network::{Life, Signal},
};
use crate::{
    handoff::Outcome,
    log::Position,
    member::{NodeId, Phase, View},
    settlement::{Settlement, UNSETTLED},
    shard::{Key, Placement, ShardCount},
    topic::{Interest, Publication, Subscribed, Topic},
    trace::Traces,
};

/// The only lane.
const LANE: usize = 0;

/// What the judge and the reader of a story want to know.
pub(super) enum Sight {
    Created(Key),
    Ended(Key),
    /// The entity could not be served without a gap, and ended for that.
    TooLate(Key),
    /// A request was answered: there is no such entity.
    Unknown(Key),
    Published(Arc<Publication<()>>),
    Frozen(Key),
    Thawed(Key),
    Adopted(Key),
    /// Another copy lives here already, and is as good.
    NotBetter(Key),
    Removed {
        key: Key,
        to: NodeId,
    },
    OutOfOrder {
        key: Key,
        origin: NodeId,
        number: u64,
        after: u64,
    },
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(key) => write!(f, "{key} begins"),
            Self::Ended(key) => write!(f, "{key} ends"),
            Self::TooLate(key) => write!(f, "{key} ends, for it has missed something"),
            Self::Unknown(key) => write!(f, "{key} is unknown"),
            Self::Published(publication) => write!(f, "that is publication {}", publication.number),
            Self::Frozen(key) => write!(f, "{key} is frozen"),
            Self::Thawed(key) => write!(f, "{key} stays"),
            Self::Adopted(key) => write!(f, "{key} lives here now"),
            Self::NotBetter(key) => write!(f, "{key} lives here already"),
            Self::Removed { key, to } => write!(f, "{key} has gone to {to}"),
            Self::OutOfOrder { key, .. } => write!(f, "{key} is served out of order"),
        }
    }
}

/// Somebody who asks until there is an answer: a client's request, or a step of a move.
#[derive(Debug)]
struct Task {
    key: Key,
    /// The target of a move; none for whoever owns the key.
    to: Option<NodeId>,
    ask: Ask,
    /// The node that has been asked.
    waits_for: Option<NodeId>,
}

pub(super) struct Router {
    pub(super) me: NodeId,
    pub(super) phase: Phase,
    pub(super) placement: Arc<Placement>,
    pub(super) mailbox: VecDeque<LaneMessage>,
    pub(super) outbox: Vec<(NodeId, Life, Message)>,
    pub(super) sights: Vec<Sight>,
    pub(super) traces: Traces,
    links: BTreeMap<NodeId, Life>,
    introduced: BTreeSet<NodeId>,
    /// Who has ever been introduced.
    known: BTreeSet<NodeId>,
    interest: Interest,
    published: u64,
    settlement: Settlement,
    tasks: BTreeMap<AskId, Task>,
    last_ask: u64,
}

impl Router {
    pub(super) fn new(view: View, shards: ShardCount) -> Self {
        Self {
            me: view.me.clone(),
            phase: Phase::Joining,
            placement: Arc::new(Placement::new(Arc::new(view), shards)),
            mailbox: VecDeque::new(),
            outbox: Vec::new(),
            sights: Vec::new(),
            traces: Traces::default(),
            links: BTreeMap::new(),
            introduced: BTreeSet::new(),
            known: BTreeSet::new(),
            interest: Interest::default(),
            published: 0,
            settlement: Settlement::new(1),
            tasks: BTreeMap::new(),
            last_ask: 0,
        }
    }

    pub(super) fn see(&mut self, sight: Sight) {
        self.sights.push(sight);
    }

    pub(super) fn life(&self, peer: &NodeId) -> Option<Life> {
        self.links.get(peer).copied()
    }

    /// Whether this node sends `peer` what it wants to hear.
    pub(super) fn knows_wishes_of(&self, peer: &NodeId) -> bool {
        self.introduced.contains(peer)
    }

    pub(super) fn wants(&self, topic: &Topic) -> bool {
        self.interest.lanes(topic) != 0
    }

    /// False without a link.
    pub(super) fn send(&mut self, to: &NodeId, message: Message) -> bool {
        let Some(life) = self.life(to) else { return false };
        self.outbox.push((to.clone(), life, message));
        true
    }

    fn send_to_all(&mut self, message: impl Fn() -> Message) -> HashSet<NodeId> {
        let peers: Vec<NodeId> = self.links.keys().cloned().collect();
        peers
            .into_iter()
            .filter(|peer| self.send(peer, message()))
            .collect()
    }

    fn tell_lane(&mut self, message: LaneMessage) {
        self.mailbox.push_back(message);
    }

    // Questions

    /// Asks until there is an answer.
    pub(super) fn start_task(&mut self, key: Key, to: Option<NodeId>, ask: Ask) {
        self.last_ask += 1;
        let task = Task {
            key,
            to,
            ask,
            waits_for: None,
        };
        self.tasks.insert(AskId(self.last_ask), task);
    }

    pub(super) fn has_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// The tasks that could go on.
    pub(super) fn ready_tasks(&self) -> Vec<AskId> {
        let is_ready = |task: &Task| match &task.to {
            Some(to) => self.is_over(task, to) || task.waits_for.is_none() && self.links.contains_key(to),
            None => {
                let owner = self.placement.owner_of(&task.key);
                task.waits_for.is_none()
                    && owner.is_some_and(|owner| *owner == self.me || self.links.contains_key(owner))
            }
        };
        self.tasks
            .iter()
            .filter(|(_, task)| is_ready(task))
            .map(|(id, _)| *id)
            .collect()
    }

    pub(super) fn run_task(&mut self, id: AskId) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let (key, ask) = (task.key.clone(), task.ask.clone());
        let to = match &task.to {
            Some(to) if self.is_over(task, to) => return self.complete(id, Outcome::TargetGone),
            Some(to) => Some(to),
            None => self.placement.owner_of(&task.key),
        };
        let Some(to) = to.cloned() else { return };
        if let Some(task) = self.tasks.get_mut(&id) {
            task.waits_for = Some(to.clone());
        }
        if to == self.me {
            let asker = Asker::Here(id);
            self.tell_lane(LaneMessage::Ask { asker, key, ask });
        } else {
            self.send(&to, Message::Ask { id, key, ask });
        }
    }

    /// Whether asking the target of a move has become pointless.
    fn is_over(&self, task: &Task, to: &NodeId) -> bool {
        let is_former = self.placement.owner_of(&task.key) != Some(to);
        self.placement.view().member(to).is_none() || matches!(task.ask, Ask::Prepare { .. }) && is_former
    }

    pub(super) fn answer(&mut self, asker: Asker, answer: Answer) {
        match asker {
            Asker::Here(id) => self.answered(id, answer),
            Asker::There(peer, id) => drop(self.send(&peer, Message::Answer { id, answer })),
        }
    }

    fn answered(&mut self, id: AskId, answer: Answer) {
        match (answer, self.tasks.get_mut(&id)) {
            // The target has no copy.
            (Answer::NotOwner, Some(task)) if matches!(task.ask, Ask::Adopt { .. }) => {
                self.complete(id, Outcome::TargetGone);
            }
            (Answer::NotOwner, Some(task)) => task.waits_for = None,
            (_, Some(_)) => self.complete(id, Outcome::Done),
            (_, None) => {}
        }
    }

    fn complete(&mut self, id: AskId, outcome: Outcome) {
        let Some(Task { key, to, ask, .. }) = self.tasks.remove(&id) else {
            return;
        };
        match (ask, to) {
            (Ask::Prepare { .. }, Some(to)) => self.tell_lane(LaneMessage::Prepared { key, to, outcome }),
            (Ask::Adopt { .. }, Some(to)) => self.tell_lane(LaneMessage::Adopted { key, to, outcome }),
            _ => {}
        }
    }

    // Topics

    pub(super) fn subscribe(&mut self, topic: &Topic) -> Subscribed {
        let subscription = self.interest.subscribe(topic, LANE);
        if let Some(change) = subscription.announce {
            self.send_to_all(|| Message::Interest(change.clone()));
        }
        subscription.state
    }

    pub(super) fn unsubscribe(&mut self, topic: &Topic) {
        if let Some(change) = self.interest.unsubscribe(topic, LANE) {
            self.send_to_all(|| Message::Interest(change.clone()));
        }
    }

    pub(super) fn publish(&mut self, topic: Topic) {
        self.published += 1;
        let publication = Arc::new(Publication {
            origin: self.me.clone(),
            number: self.published,
            topic,
            cause: 0,
            payload: (),
        });
        for peer in self.interest.nodes(&publication.topic).to_vec() {
            self.send(&peer, Message::Publish(publication.clone()));
        }
        if self.wants(&publication.topic) {
            self.tell_lane(LaneMessage::Publication(publication.clone()));
        }
        self.see(Sight::Published(publication));
    }

    // Handoff

    pub(super) fn barrier_nodes(&self) -> HashSet<NodeId> {
        let others = self.placement.view().others().map(|member| &member.id);
        let known = others.filter(|node| self.known.contains(*node));
        known.chain([&self.me]).cloned().collect()
    }

    pub(super) fn send_barrier(&mut self, node: &NodeId, barrier: u64) {
        if *node == self.me {
            self.tell_lane(LaneMessage::Passed {
                node: self.me.clone(),
                barrier,
                number: self.published,
            });
        } else {
            self.send(node, Message::Barrier { barrier });
        }
    }

    pub(super) fn marks_at(&self, position: Position) -> Option<crate::log::Marks> {
        self.traces.marks_at(position)
    }

    pub(super) fn lane_done(&mut self, placements: u64) {
        if let Some(fingerprint) = self.settlement.lane_done(LANE, placements) {
            self.send_to_all(|| Message::Settled { fingerprint });
        }
        self.tell_if_settled();
    }

    pub(super) fn settled(&self) -> Option<u64> {
        self.settlement.settled()
    }

    fn tell_if_settled(&mut self) {
        if let Some(fingerprint) = self.settlement.settled() {
            self.tell_lane(LaneMessage::Settled { fingerprint });
        }
    }

    pub(super) fn placed(&mut self, view: View, now: std::time::Instant) {
        let placement = Arc::new(Placement::new(Arc::new(view), self.placement.shards()));
        self.traces.members_changed(placement.view(), now);
        if self.settlement.placed(placement.view(), placement.fingerprint()) {
            let fingerprint = UNSETTLED;
            self.send_to_all(|| Message::Settled { fingerprint });
        }
        self.placement = placement.clone();
        self.tell_lane(LaneMessage::Placed(placement));
        self.tell_if_settled();
    }

    /// Whether a node that joins may own shards: it has links to all live members, and they have told their topics.
    pub(super) fn may_be_up(&self) -> bool {
        let mut others = self.placement.view().others().peekable();
        others.peek().is_some() && others.all(|member| self.introduced.contains(&member.id))
    }

    // Links

    pub(super) fn heard(&mut self, peer: &NodeId, signal: Signal) {
        match signal {
            Signal::Up(life) => self.link_up(peer, life),
            Signal::Down => self.link_down(peer),
            Signal::Message(message) => self.received(peer, message),
        }
    }

    fn link_up(&mut self, peer: &NodeId, life: Life) {
        self.links.insert(peer.clone(), life);
        let mut topics = self.interest.link_up(peer);
        topics.sort();
        self.send(peer, Message::Introduction { topics });
        if let Some(fingerprint) = self.settlement.announced() {
            self.send(peer, Message::Settled { fingerprint });
        }
        self.tell_lane(LaneMessage::LinkUp(peer.clone()));
    }

    fn link_down(&mut self, peer: &NodeId) {
        self.links.remove(peer);
        self.introduced.remove(peer);
        for task in self.tasks.values_mut() {
            task.waits_for.take_if(|asked| asked == peer);
        }
        let mut in_force = self.interest.link_down(peer);
        in_force.sort();
        for (topic, ..) in in_force {
            self.tell_lane(LaneMessage::Subscribed(topic));
        }
        self.tell_lane(LaneMessage::LinkDown(peer.clone()));
    }

    fn received(&mut self, peer: &NodeId, message: Message) {
        match message {
            Message::Ask { id, key, ask } => {
                let asker = Asker::There(peer.clone(), id);
                self.tell_lane(LaneMessage::Ask { asker, key, ask });
            }
            Message::Answer { id, answer } => self.answered(id, answer),
            Message::Publish(publication) => {
                if self.wants(&publication.topic) {
                    self.tell_lane(LaneMessage::Publication(publication));
                }
            }
            Message::Introduction { topics } => {
                for topic in topics {
                    self.interest.peer_wants(peer, topic, true);
                }
                self.introduced.insert(peer.clone());
                self.known.insert(peer.clone());
            }
            Message::Interest(change) => {
                self.interest
                    .peer_wants(peer, change.topic.clone(), change.wanted);
                if change.wanted {
                    let (topic, change) = (change.topic, change.change);
                    self.send(peer, Message::InterestKnown { topic, change });
                }
            }
            Message::InterestKnown { topic, change } => {
                let confirmed = self.interest.confirmed(peer, &topic, change);
                if confirmed.is_some_and(|confirmed| confirmed.state == Subscribed::Now) {
                    self.tell_lane(LaneMessage::Subscribed(topic));
                }
            }
            Message::Barrier { barrier } => {
                let number = self.published;
                self.send(peer, Message::Passed { barrier, number });
            }
            Message::Passed { barrier, number } => self.tell_lane(LaneMessage::Passed {
                node: peer.clone(),
                barrier,
                number,
            }),
            // False after a cut: the next part tells all from the beginning.
            Message::Trace(part) => drop(self.traces.extend(peer, part)),
            Message::Settled { fingerprint } => {
                self.settlement.peer_done(peer.clone(), fingerprint);
                self.tell_if_settled();
            }
        }
    }
}
