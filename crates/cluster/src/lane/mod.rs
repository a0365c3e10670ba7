//! Lanes: the ractor actors that host entities, many each.

mod arrivals;
pub(crate) mod barriers;
mod context;
mod departures;
mod doubt;
mod histories;
mod parking;
mod replicas;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{debug, error, info};

pub use self::context::{CommitId, Lane, Missed};
pub(crate) use self::histories::HistoryWant;
use self::{
    arrivals::{Arrivals, Preparation},
    barriers::Waiting,
    departures::Frozen,
    parking::Parking,
    replicas::Replicas,
};
use crate::{
    ask::{Ask, Refusal, ReplicaUpdate},
    entity::{Entities, ReplyTo},
    handoff::{Handoff, Outcome},
    links::Credit,
    log::{History, LogLimits, Pushed, Source},
    member::NodeId,
    router::Router,
    shard::{Key, Placement, ShardClass, ShardId},
    topic::{Publication, Topic},
};

/// How often a lane looks at the time.
const TICK: Duration = Duration::from_millis(20);

/// What a lane is told. Those that come over a link hold its credit until they are handled.
pub(crate) enum LaneMessage<E: Entities> {
    Ask {
        key: Key,
        ask: Ask<E>,
        reply: ReplyTo<E>,
        hold: Option<Credit>,
    },
    Event(E::Event),
    Direct {
        from: NodeId,
        direct: E::Direct,
        hold: Credit,
    },
    Publication(Arc<Publication<E::Publication>>, Option<Credit>),
    /// Nothing that a node had published up to this number is on its way here any more.
    Heard {
        node: NodeId,
        number: u64,
    },
    /// From which number on the publications of a node come here.
    Flows(Flow),
    /// A pending subscription, which this change had announced, is in force.
    Subscribed {
        topic: Topic,
        change: u64,
    },
    Placed(Arc<Placement>),
    /// Everybody has handed off what is not theirs by this placement.
    Settled {
        fingerprint: u64,
    },
    /// A node has passed a barrier of this lane; so far its own publications went then.
    Passed {
        node: NodeId,
        barrier: u64,
        number: u64,
    },
    /// All that others heard of a node that is gone is here.
    Mourned(NodeId),
    /// A node that was gone since then is a member again.
    Reunited {
        parted: Instant,
    },
    /// A member had taken this node for gone.
    CountedOut {
        by: NodeId,
    },
    /// A lane wants to know what was published to a topic of an entity here.
    HistoryWanted(HistoryWant),
    /// What another lane knows of a topic.
    History {
        from: Source,
        history: History<E::Publication>,
        hold: Option<Credit>,
    },
    LinkUp(NodeId),
    /// A peer listens to this node from now on; what it was told before may be lost.
    Introduced(NodeId),
    LinkDown(NodeId),
    /// What a peer publishes is taken from now on.
    Continues(NodeId),
    /// The target of a move is ready for the entity, or gone.
    Prepared {
        key: Key,
        to: NodeId,
        outcome: Outcome,
    },
    /// The target of a move has adopted the entity, or is gone.
    Adopted {
        key: Key,
        to: NodeId,
        outcome: Outcome,
    },
    /// No message between nodes can hold this entity, which is to move.
    TooLarge {
        key: Key,
    },
    /// How an entity is that lives on another node and whose standby is this one; none when there is nothing to keep.
    Replica {
        key: Key,
        owner: NodeId,
        update: Option<ReplicaUpdate<E::Snapshot, E::Delta>>,
        hold: Credit,
    },
    /// Of the entities of a class of shards these are all that a node has given replicas of to this one.
    ReplicasKept {
        owner: NodeId,
        class: ShardClass,
        keys: Arc<HashSet<Key>>,
    },
    /// A look at the time.
    Tick,
    /// The end of the lane's turn.
    Flush,
}

/// All that a node publishes after a number comes to a lane by itself.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) node: NodeId,
    /// What it publishes to this topic; none for all that the lane hears.
    pub(crate) topic: Option<Topic>,
    pub(crate) after: u64,
}

impl<E: Entities> ractor::Message for LaneMessage<E> {}

impl<E: Entities> LaneMessage<E> {
    /// The room in the sender's window that the message takes, if it came over a link.
    fn credit_mut(&mut self) -> Option<&mut Credit> {
        match self {
            Self::Direct { hold, .. } | Self::Replica { hold, .. } => Some(hold),
            Self::Ask { hold, .. } | Self::Publication(_, hold) | Self::History { hold, .. } => hold.as_mut(),
            _ => None,
        }
    }
}

/// The address of a lane of this node. Its mailbox is bounded by those who send: a request or socket has one message
/// under way, and links stop at their window.
pub(crate) struct LaneRef<E: Entities>(ActorRef<LaneMessage<E>>);

impl<E: Entities> Clone for LaneRef<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Entities> LaneRef<E> {
    pub(crate) fn tell(&self, message: LaneMessage<E>) {
        if self.0.cast(message).is_err() {
            debug!("a message for a lane that has stopped");
        }
    }
}

/// For tasks of this node: tells a lane what they have to say.
pub struct LaneHandle<E: Entities>(LaneRef<E>);

impl<E: Entities> Clone for LaneHandle<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Entities> LaneHandle<E> {
    pub(crate) fn new(lane: LaneRef<E>) -> Self {
        Self(lane)
    }

    /// Puts an event into the lane's mailbox. Lost only when the node is ending.
    pub fn send(&self, event: E::Event) {
        self.0.tell(LaneMessage::Event(event));
    }
}

/// One lane's state: the entities, and their ways in and out.
pub(crate) struct LaneState<E: Entities> {
    lane: Lane<E>,
    entities: E,
    parking: Parking<E>,
    preparations: HashMap<Key, Preparation<E>>,
    arrived: Arrivals,
    handoff: Handoff,
    frozen: HashMap<Key, Frozen<E>>,
    moved: HashMap<(ShardId, NodeId), usize>,
    /// Whether nothing is left to hand off under this placement, and that is known.
    done: bool,
    replicas: Replicas<E>,
    /// How many placements there were.
    placements: u64,
    /// Whether nothing moves yet, for more nodes may come back from a partition.
    gathering: bool,
    /// Nodes that are gone and whose entities live on here once all that they published is here.
    orphaned_by: HashSet<NodeId>,
    /// Since when nodes were counted out that have come back, while entities have yet to find their places.
    reunited: Option<Instant>,
    /// Entities of which a standby has yet to be told.
    unreplicated: Vec<Key>,
    /// After not having run for so long, others may have taken over.
    doubt_after: Duration,
    ticker: tokio::task::JoinHandle<()>,
}

/// What a lane needs to start.
pub(crate) struct LaneArguments<E: Entities> {
    pub(crate) index: usize,
    pub(crate) router: Arc<Router<E>>,
    pub(crate) entities: E,
    pub(crate) log: LogLimits,
    pub(crate) moves_in_flight: usize,
    pub(crate) replicate: bool,
    pub(crate) doubt_after: Duration,
}

/// The actor.
pub(crate) struct LaneActor<E>(std::marker::PhantomData<fn() -> E>);

impl<E: Entities> LaneActor<E> {
    /// Starts a lane under its supervisor.
    pub(crate) async fn start(
        arguments: LaneArguments<E>,
        supervisor: ractor::ActorCell,
    ) -> Result<LaneRef<E>, ractor::SpawnErr> {
        let (lane, _) =
            Actor::spawn_linked(None, Self(std::marker::PhantomData), arguments, supervisor).await?;
        Ok(LaneRef(lane))
    }
}

impl<E: Entities> Actor for LaneActor<E> {
    type Msg = LaneMessage<E>;
    type State = LaneState<E>;
    type Arguments = LaneArguments<E>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let ticker = myself.send_interval(TICK, || LaneMessage::Tick);
        Ok(LaneState {
            lane: Lane::new(
                arguments.index,
                arguments.router,
                LaneRef(myself),
                arguments.log,
                arguments.replicate,
            ),
            entities: arguments.entities,
            parking: Parking::new(),
            preparations: HashMap::new(),
            arrived: Arrivals::default(),
            handoff: Handoff::new(arguments.moves_in_flight),
            frozen: HashMap::new(),
            moved: HashMap::new(),
            done: true,
            placements: 0,
            gathering: false,
            replicas: Replicas::new(),
            orphaned_by: HashSet::new(),
            reunited: None,
            unreplicated: Vec::new(),
            doubt_after: arguments.doubt_after,
            ticker,
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.turn(message);
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.ticker.abort();
        Ok(())
    }
}

impl<E: Entities> LaneState<E> {
    fn turn(&mut self, message: LaneMessage<E>) {
        let before = std::mem::replace(&mut self.lane.now, Instant::now());
        // Ticks are frequent, so a long pause means that the whole node did not run.
        self.paused(self.lane.now.duration_since(before));
        if let Some(message) = self.admit(message) {
            self.handle(message);
            self.settle_moves();
        }
    }

    fn handle(&mut self, message: LaneMessage<E>) {
        match message {
            LaneMessage::Ask { key, reply, .. } if !reply.is_awaited() => {
                debug!(%key, "a request that nobody waits for any more");
            }
            LaneMessage::Ask {
                key,
                ask,
                reply,
                hold: _hold,
            } => match ask {
                Ask::Entity(request) => self.request(key, request, reply),
                Ask::Prepare { topics } => self.prepare(key, topics, reply),
                Ask::Adopt {
                    move_id,
                    snapshot,
                    marks,
                } => self.adopt(&key, move_id, snapshot, &marks, reply),
            },
            LaneMessage::Event(event) => self.guarded(None, |entities, lane| entities.event(lane, event)),
            LaneMessage::Direct {
                from,
                direct,
                hold: _hold,
            } => {
                self.guarded(None, |entities, lane| entities.direct(lane, &from, direct));
            }
            LaneMessage::Publication(publication, _hold) => self.publication(&publication),
            LaneMessage::Heard { node, number } => self.heard_up_to(&node, number),
            LaneMessage::Flows(Flow { node, topic, after }) => match topic {
                Some(topic) => self.lane.log.flows(&topic, &node, after),
                None => self.lane.log.all_flow(&node, after),
            },
            LaneMessage::Subscribed { topic, change } => self.subscribed(&topic, change),
            LaneMessage::Placed(placement) => self.placed(placement),
            LaneMessage::Settled { fingerprint } => self.settled(fingerprint),
            LaneMessage::Passed {
                node,
                barrier,
                number,
            } => {
                if self.lane.barriers.is_to_hear(barrier) {
                    self.heard_up_to(&node, number);
                }
                let waiting = self.lane.barriers.passed(barrier, &node);
                self.passed(waiting);
            }
            LaneMessage::Mourned(node) => self.mourned(&node),
            LaneMessage::Reunited { parted } => {
                self.reunited = Some(self.reunited.map_or(parted, |earlier| earlier.min(parted)));
                if let Some(fingerprint) = self.lane.router.settled() {
                    self.settled(fingerprint);
                }
            }
            LaneMessage::CountedOut { by } => self.counted_out(&by),
            LaneMessage::HistoryWanted(want) => {
                self.lane.histories_wanted.push(want);
                self.lane.request_flush();
            }
            LaneMessage::History {
                from,
                history,
                hold: _hold,
            } => self.inherit(&from, history),
            LaneMessage::LinkUp(node) => self.link_up(&node),
            LaneMessage::Introduced(node) => self.introduced(&node),
            LaneMessage::Continues(node) => self.ask_to_pass(&node),
            LaneMessage::LinkDown(node) => {
                let waiting = self.lane.barriers.link_down(&node);
                self.passed(waiting);
            }
            LaneMessage::Prepared { key, to, outcome } => self.handoff.prepared(&key, &to, outcome),
            LaneMessage::Adopted { key, to, outcome } => {
                self.handoff.adopted(&key, &to, outcome);
                if outcome == Outcome::TargetGone {
                    // Perhaps the same target again, which is prepared once it agrees that it owns the entity.
                    self.plan_moves();
                }
            }
            LaneMessage::TooLarge { key } => self.too_large(&key),
            LaneMessage::Replica {
                key,
                owner,
                update,
                hold: _hold,
            } => match update {
                Some(update) => self.keep_replica(key, &owner, update),
                None => self.replicas.withdrawn(&mut self.lane, &key, &owner),
            },
            LaneMessage::ReplicasKept { owner, class, keys } => self.keep_only(&owner, class, &keys),
            LaneMessage::Tick => self.tick(),
            LaneMessage::Flush => self.flush(),
        }
    }

    /// Calls into the entities. A panic ends the entity that was called; the lane goes on.
    fn guarded(&mut self, key: Option<&Key>, call: impl FnOnce(&mut E, &mut Lane<E>)) {
        let (entities, lane) = (&mut self.entities, &mut self.lane);
        if catch_unwind(AssertUnwindSafe(|| call(entities, lane))).is_err() {
            match key {
                Some(key) => {
                    error!(%key, lane = self.lane.index, "an entity's code panicked; the entity ends");
                    self.entities.kill(&mut self.lane, key, "internal error");
                }
                None => error!(
                    lane = self.lane.index,
                    "an entity's code panicked; the lane continues"
                ),
            }
        }
    }

    fn request(&mut self, key: Key, request: E::Request, reply: ReplyTo<E>) {
        if self.handoff.is_frozen(&key) {
            return reply.answer(Err(Refusal::NotOwner));
        }
        if !self.entities.contains(&key) || self.entities.is_for_another(&key, &request, self.reunited) {
            let shard = self.lane.placement.shards().shard_of(&key);
            if !self.lane.placement.is_mine(shard) {
                return reply.answer(Err(Refusal::NotOwner));
            }
            let sure = self.lane.router.settled() == Some(self.lane.placement.fingerprint());
            if !sure && !E::creates(&request) && !E::is_inquiry(&request) {
                return self.parking.park(key, request, reply, self.lane.now);
            }
        }
        self.guarded(Some(&key), |entities, lane| {
            entities.request(lane, &key, request, reply)
        });
    }

    /// Lets the parked requests of one key go their way again.
    fn unpark(&mut self, key: &Key) {
        for parked in self.parking.take(key) {
            self.request(key.clone(), parked.request, parked.reply);
        }
    }

    fn unpark_all(&mut self) {
        for key in self.parking.keys() {
            self.unpark(&key);
        }
    }

    fn settled(&mut self, fingerprint: u64) {
        if fingerprint == self.lane.placement.fingerprint() {
            self.unpark_all();
            if self.reunited.take().is_some() {
                self.guarded(None, E::reunited);
            }
        }
    }

    fn publication(&mut self, publication: &Arc<Publication<E::Publication>>) {
        match self.lane.log.push(publication, self.lane.now) {
            Pushed::New => {
                self.guarded(None, |entities, lane| entities.publication(lane, publication));
                // So that followers are told, also when nobody here was.
                self.lane.request_flush();
            }
            again @ (Pushed::Repeated | Pushed::SameCause) => {
                debug!(origin = %publication.origin, number = publication.number, ?again, "a publication is skipped");
                self.lane.request_flush();
            }
        }
    }

    pub(super) fn heard_up_to(&mut self, node: &NodeId, number: u64) {
        self.lane.log.passed(node, number, self.lane.now);
        // So that followers are told.
        self.lane.request_flush();
    }

    fn subscribed(&mut self, topic: &Topic, change: u64) {
        if self.lane.pending.get(topic) != Some(&change) {
            return;
        }
        self.lane.pending.remove(topic);
        self.lane.ask_histories(topic);
        for preparation in self.preparations.values_mut() {
            preparation.waits_for.remove(topic);
            preparation.answer_when_ready();
        }
        self.guarded(None, |entities, lane| entities.subscribed(lane, topic));
    }

    fn passed(&mut self, waiting: impl IntoIterator<Item = Waiting>) {
        for waiting in waiting {
            match waiting {
                Waiting::Handoff { round } => self.handoff.barrier_passed(round),
                Waiting::Entity(key) => {
                    self.guarded(Some(&key), |entities, lane| entities.passed(lane, &key));
                }
                Waiting::Commits(commits) => self.committed(commits),
                Waiting::Histories(wanted) => wanted.iter().for_each(|want| self.tell_history(want)),
                Waiting::Doubt => self.doubt_ends(),
            }
        }
    }

    fn committed(&mut self, commits: Vec<(Key, CommitId)>) {
        for (key, commit) in commits {
            self.guarded(Some(&key), |entities, lane| {
                entities.committed(lane, &key, commit)
            });
        }
    }

    fn link_up(&mut self, node: &NodeId) {
        if let Some(told) = self.lane.followers.get_mut(node) {
            *told = None;
        }
        self.lane.tell_followers();
        self.lane.log.linked(node);
        self.guarded(None, |entities, lane| entities.linked(lane, node));
    }

    /// A node may not have heard of barriers, or not have been heard.
    fn ask_to_pass(&self, node: &NodeId) {
        for barrier in self.lane.barriers.waiting_for(node) {
            self.lane.router.send_barrier(node, self.lane.index, barrier);
        }
    }

    fn introduced(&mut self, node: &NodeId) {
        self.ask_to_pass(node);
        self.tell_standby_what_to_keep(node);
        self.forget_what_it_knows(node);
        self.replicate_all();
    }

    fn placed(&mut self, placement: Arc<Placement>) {
        self.placements += 1;
        let before = std::mem::replace(&mut self.lane.placement, placement.clone());
        self.lane
            .followers
            .retain(|node, _| placement.view().member(node).is_some());
        let router = self.lane.router.clone();
        let is_member = |node: &NodeId| placement.view().member(node).is_some();
        let waiting = self
            .lane
            .barriers
            .members_changed(is_member, |node| router.mourns(node));
        let (doubt, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| *one == Waiting::Doubt);
        self.passed(waiting);
        self.lane.log.members_changed(is_member, self.lane.now);
        self.note_orphans();
        for node in self.orphaned_by.clone() {
            if router.is_mourned(&node) {
                self.mourned(&node);
            }
        }
        self.plan_moves();
        self.guarded(None, |entities, lane| entities.placed(lane, &before, &placement));
        self.replicate_all();
        // Those who wait for entities that are now another's.
        self.unpark_all();
        // What was held is handled under the new placement, as if it came now.
        self.passed(doubt);
    }

    /// Everything here that other nodes own is to go there.
    fn plan_moves(&mut self) {
        self.done = false;
        self.gathering = self.lane.router.is_gathering(self.lane.now);
        if self.gathering {
            return;
        }
        let placement = self.lane.placement.clone();
        let mut targets = HashMap::new();
        for key in self.entities.keys() {
            if let Some(owner) = placement.owner_of(&key)
                && owner != self.lane.node()
            {
                targets.insert(key, owner.clone());
            }
        }
        if !targets.is_empty() {
            info!(
                lane = self.lane.index,
                sessions = targets.len(),
                "handing off shards to their new owners"
            );
        }
        self.handoff.plan(targets);
    }

    fn tick(&mut self) {
        if self.lane.index == 0 {
            self.lane.router.tick(self.lane.now);
        }
        self.lane.log.expire(self.lane.now);
        if self.gathering && !self.lane.router.is_gathering(self.lane.now) {
            self.plan_moves();
        }
        self.parking.expire(self.lane.now);
        self.expire_preparations();
        self.replicate_changed();
        self.replicate_some();
        if !self.lane.commits.is_empty() {
            // They waited for a congested link.
            self.lane.request_flush();
        }
        self.guarded(None, E::tick);
    }

    /// The end of the lane's turn. Followers come first: what goes to sockets now names positions that they must know.
    fn flush(&mut self) {
        self.lane.flush_requested = false;
        self.lane.tell_followers();
        self.lane.is_flushing = true;
        self.guarded(None, E::flush);
        self.lane.is_flushing = false;
        self.replicate_new();
        self.lane.raise_for_histories();
        self.commit();
    }
}
