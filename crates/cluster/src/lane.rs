//! Lanes: the ractor actors that host entities, many each.

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{debug, error, info, warn};

use crate::{
    ask::{Answer, Ask, Refusal},
    cluster::Cluster,
    entity::{Entities, ReplyTo},
    handoff::{Action, Handoff, Outcome},
    links::Credit,
    log::{Log, LogLimits, Marks},
    member::NodeId,
    router::Router,
    shard::{Key, Placement, ShardId},
    topic::{Publication, Subscribed, Topic},
};

/// How often a lane looks at the time.
const TICK: Duration = Duration::from_millis(20);
/// Requests that wait for a handoff to end, per lane. Further ones are refused, so their clients try again.
const MAX_PARKED: usize = 10_000;
/// How long a request waits for a handoff to end before it is refused.
const PARKED_FOR: Duration = Duration::from_secs(10);
/// How long a lane keeps the topics of an entity that was announced and does not come.
const PREPARED_FOR: Duration = Duration::from_secs(60);

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
    /// A pending subscription is in force.
    Subscribed(Topic),
    Placed(Arc<Placement>),
    /// Everybody has handed off what is not theirs by this placement.
    Settled {
        fingerprint: u64,
    },
    /// A node has passed the barrier of this lane's handoff.
    Passed {
        node: NodeId,
        round: u64,
    },
    LinkUp(NodeId),
    LinkDown(NodeId),
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
    /// A look at the time.
    Tick,
    /// The end of the lane's turn.
    Flush,
}

impl<E: Entities> ractor::Message for LaneMessage<E> {}

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
            debug!("a message came too late for its lane, which has ended");
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

/// What a lane offers to the entities that it hosts.
pub struct Lane<E: Entities> {
    index: usize,
    router: Arc<Router<E>>,
    myself: LaneRef<E>,
    placement: Arc<Placement>,
    subscriptions: HashMap<Topic, usize>,
    pending: HashSet<Topic>,
    log: Log<E::Publication>,
    now: Instant,
    flush_requested: bool,
    calmed: Vec<Key>,
    ended: Vec<Key>,
}

impl<E: Entities> Lane<E> {
    /// Which of the node's lanes this is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The node that this lane runs on.
    pub fn node(&self) -> &NodeId {
        self.router.me()
    }

    /// When the message that is being handled was taken from the mailbox.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Where every shard lives, as of this lane's turn.
    pub fn placement(&self) -> &Arc<Placement> {
        &self.placement
    }

    /// The lane's own address, for the tasks that its entities start.
    pub fn handle(&self) -> LaneHandle<E> {
        LaneHandle(self.myself.clone())
    }

    /// The cluster, for the tasks that its entities start.
    pub fn cluster(&self) -> Cluster<E> {
        Cluster::of(self.router.clone())
    }

    /// Asks for [`Entities::flush`] at the end of this turn: when all that waits in the mailbox now is handled.
    pub fn request_flush(&mut self) {
        if !self.flush_requested {
            self.flush_requested = true;
            self.myself.tell(LaneMessage::Flush);
        }
    }

    /// From now on this lane is told what is published to the topic. Counted: each needs an
    /// [`unsubscribe`](Self::unsubscribe).
    pub fn subscribe(&mut self, topic: &Topic) -> Subscribed {
        let count = self.subscriptions.entry(topic.clone()).or_default();
        *count += 1;
        if *count == 1 && self.router.subscribe(topic, self.index) == Subscribed::Pending {
            self.pending.insert(topic.clone());
        }
        if self.pending.contains(topic) {
            Subscribed::Pending
        } else {
            Subscribed::Now
        }
    }

    /// Takes one subscription back.
    pub fn unsubscribe(&mut self, topic: &Topic) {
        let Some(count) = self.subscriptions.get_mut(topic) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.subscriptions.remove(topic);
            self.pending.remove(topic);
            self.router.unsubscribe(topic, self.index);
        }
    }

    /// Publishes to all subscribers of the topic in the cluster, this lane's included.
    pub fn publish(&mut self, topic: Topic, payload: E::Publication) {
        self.router.publish(topic, payload);
    }

    /// Tells the lanes of another node something. False when there is no link to it.
    pub fn send(&self, to: &NodeId, direct: &E::Direct) -> bool {
        self.router.direct(to, direct)
    }

    /// How far this lane has been served, per origin.
    pub fn marks(&self) -> &Marks {
        self.log.seen()
    }

    /// To be called when an entity that could not be frozen has become able to be.
    pub fn calm(&mut self, key: &Key) {
        self.calmed.push(key.clone());
    }

    /// To be called when an entity has ended by itself.
    pub fn ended(&mut self, key: &Key) {
        self.ended.push(key.clone());
    }
}

/// A request for an entity that may be on its way here.
struct Parked<E: Entities> {
    since: Instant,
    request: E::Request,
    reply: ReplyTo<E>,
}

/// Topics that were subscribed for an entity about to come.
struct Preparation<E: Entities> {
    since: Instant,
    topics: Vec<Topic>,
    waits_for: HashSet<Topic>,
    replies: Vec<ReplyTo<E>>,
}

/// The snapshot of an entity that is being adopted elsewhere.
struct Frozen<E: Entities> {
    snapshot: E::Snapshot,
    marks: Marks,
}

/// One lane's state: the entities, and their moves in and out.
pub(crate) struct LaneState<E: Entities> {
    lane: Lane<E>,
    entities: E,
    handoff: Handoff,
    frozen: HashMap<Key, Frozen<E>>,
    parked: HashMap<Key, Vec<Parked<E>>>,
    parked_count: usize,
    preparations: HashMap<Key, Preparation<E>>,
    moved: HashMap<(ShardId, NodeId), usize>,
    /// Whether nothing is left to hand off under this placement, and that is known.
    done: bool,
    ticker: tokio::task::JoinHandle<()>,
}

/// What a lane needs to start.
pub(crate) struct LaneArguments<E: Entities> {
    pub(crate) index: usize,
    pub(crate) router: Arc<Router<E>>,
    pub(crate) entities: E,
    pub(crate) log: LogLimits,
    pub(crate) moves_in_flight: usize,
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
        let placement = arguments.router.placement();
        let lane = Lane {
            index: arguments.index,
            router: arguments.router,
            myself: LaneRef(myself.clone()),
            placement,
            subscriptions: HashMap::new(),
            pending: HashSet::new(),
            log: Log::new(arguments.log),
            now: Instant::now(),
            flush_requested: false,
            calmed: Vec::new(),
            ended: Vec::new(),
        };
        Ok(LaneState {
            lane,
            entities: arguments.entities,
            handoff: Handoff::new(arguments.moves_in_flight),
            frozen: HashMap::new(),
            parked: HashMap::new(),
            parked_count: 0,
            preparations: HashMap::new(),
            moved: HashMap::new(),
            done: true,
            ticker: myself.send_interval(TICK, || LaneMessage::Tick),
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.lane.now = Instant::now();
        state.handle(message);
        state.settle_moves();
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
    fn handle(&mut self, message: LaneMessage<E>) {
        match message {
            LaneMessage::Ask {
                key,
                ask,
                reply,
                hold: _hold,
            } => match ask {
                Ask::Entity(request) => self.request(key, request, reply),
                Ask::Prepare { topics } => self.prepare(key, topics, reply),
                Ask::Adopt { snapshot, marks } => self.adopt(&key, snapshot, &marks, reply),
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
            LaneMessage::Subscribed(topic) => self.subscribed(&topic),
            LaneMessage::Placed(placement) => self.placed(placement),
            LaneMessage::Settled { fingerprint } => self.settled(fingerprint),
            LaneMessage::Passed { node, round } => self.handoff.barrier_passed(round, &node),
            LaneMessage::LinkUp(node) => self.guarded(None, |entities, lane| entities.linked(lane, &node)),
            LaneMessage::LinkDown(node) => self.handoff.link_down(&node),
            LaneMessage::Prepared { key, to, outcome } => self.handoff.prepared(&key, &to, outcome),
            LaneMessage::Adopted { key, to, outcome } => self.handoff.adopted(&key, &to, outcome),
            LaneMessage::Tick => self.tick(),
            LaneMessage::Flush => {
                self.lane.flush_requested = false;
                self.guarded(None, E::flush);
            }
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
                    "entities' code panicked; the lane goes on"
                ),
            }
        }
    }

    fn request(&mut self, key: Key, request: E::Request, reply: ReplyTo<E>) {
        if self.handoff.is_frozen(&key) {
            return reply.answer(Err(Refusal::NotOwner));
        }
        if self.entities.contains(&key) {
            return self.guarded(Some(&key.clone()), |entities, lane| {
                entities.request(lane, &key, request, reply)
            });
        }
        let shard = self.lane.placement.shards().shard_of(&key);
        if !self.lane.placement.is_mine(shard) {
            return reply.answer(Err(Refusal::NotOwner));
        }
        let sure = self.lane.router.settled() == Some(self.lane.placement.fingerprint());
        if sure || E::creates(&request) {
            return self.guarded(Some(&key.clone()), |entities, lane| {
                entities.request(lane, &key, request, reply)
            });
        }
        if self.parked_count >= MAX_PARKED {
            warn!(%key, lane = self.lane.index, "too many requests wait for a handoff; one more is refused");
            return reply.answer(Err(Refusal::Overloaded));
        }
        self.parked_count += 1;
        self.parked.entry(key).or_default().push(Parked {
            since: self.lane.now,
            request,
            reply,
        });
    }

    /// Lets the parked requests of one key go their way again.
    fn unpark(&mut self, key: &Key) {
        for parked in self.parked.remove(key).unwrap_or_default() {
            self.parked_count -= 1;
            self.request(key.clone(), parked.request, parked.reply);
        }
    }

    fn unpark_all(&mut self) {
        let keys: Vec<Key> = self.parked.keys().cloned().collect();
        keys.iter().for_each(|key| self.unpark(key));
    }

    fn settled(&mut self, fingerprint: u64) {
        if fingerprint == self.lane.placement.fingerprint() {
            self.unpark_all();
        }
    }

    fn publication(&mut self, publication: &Arc<Publication<E::Publication>>) {
        if self.lane.log.push(publication, self.lane.now) {
            self.guarded(None, |entities, lane| entities.publication(lane, publication));
        } else {
            warn!(origin = %publication.origin, number = publication.number, "a publication came twice; skipped");
        }
    }

    fn subscribed(&mut self, topic: &Topic) {
        if !self.lane.pending.remove(topic) {
            return;
        }
        for preparation in self.preparations.values_mut() {
            preparation.waits_for.remove(topic);
            preparation.answer_when_ready();
        }
        self.guarded(None, |entities, lane| entities.subscribed(lane, topic));
    }

    fn placed(&mut self, placement: Arc<Placement>) {
        let before = std::mem::replace(&mut self.lane.placement, placement.clone());
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
                "handing off what other nodes own now"
            );
        }
        self.handoff.plan(targets);
        self.done = false;
        self.guarded(None, |entities, lane| entities.placed(lane, &before, &placement));
        // Those who wait for entities that are now another's.
        self.unpark_all();
    }

    fn tick(&mut self) {
        let now = self.lane.now;
        self.lane.log.trim(now);
        let expired = |parked: &mut Parked<E>| now.duration_since(parked.since) > PARKED_FOR;
        for (key, waiting) in &mut self.parked {
            for parked in waiting.extract_if(.., expired) {
                self.parked_count -= 1;
                warn!(%key, "a handoff did not end in time; a request that waited for it is refused");
                parked.reply.answer(Err(Refusal::Overloaded));
            }
        }
        self.parked.retain(|_, waiting| !waiting.is_empty());
        let late: Vec<Key> = self
            .preparations
            .iter()
            .filter(|(_, preparation)| now.duration_since(preparation.since) > PREPARED_FOR)
            .map(|(key, _)| key.clone())
            .collect();
        late.iter().for_each(|key| self.forget_preparation(key));
        self.guarded(None, E::tick);
    }

    // An entity comes

    fn prepare(&mut self, key: Key, topics: Vec<Topic>, reply: ReplyTo<E>) {
        let shard = self.lane.placement.shards().shard_of(&key);
        if !self.lane.placement.is_mine(shard) {
            return reply.answer(Err(Refusal::NotOwner));
        }
        // Subscribe first, so that what an earlier preparation holds is not given up in between.
        let waits_for = topics
            .iter()
            .filter(|topic| self.lane.subscribe(topic) == Subscribed::Pending);
        let waits_for = waits_for.cloned().collect::<Vec<_>>().into_iter().collect();
        let earlier = self.preparations.remove(&key);
        let mut replies = vec![reply];
        if let Some(earlier) = earlier {
            earlier
                .topics
                .iter()
                .for_each(|topic| self.lane.unsubscribe(topic));
            replies.extend(earlier.replies);
        }
        let mut preparation = Preparation {
            since: self.lane.now,
            topics,
            waits_for,
            replies,
        };
        preparation.answer_when_ready();
        self.preparations.insert(key, preparation);
    }

    fn forget_preparation(&mut self, key: &Key) {
        if let Some(preparation) = self.preparations.remove(key) {
            preparation
                .topics
                .iter()
                .for_each(|topic| self.lane.unsubscribe(topic));
        }
    }

    fn adopt(&mut self, key: &Key, snapshot: E::Snapshot, marks: &Marks, reply: ReplyTo<E>) {
        // Asked again because our answer was lost: the entity has been living here since.
        if !self.entities.contains(key) {
            self.guarded(Some(key), |entities, lane| entities.adopt(lane, key, snapshot));
            self.catch_up(key, marks);
        }
        self.forget_preparation(key);
        reply.answer(Ok(Answer::Adopted));
        self.unpark(key);
    }

    // An entity goes

    /// Does what the handoff wants, until it wants nothing more.
    fn settle_moves(&mut self) {
        for key in std::mem::take(&mut self.lane.ended) {
            self.handoff.gone(&key);
        }
        for key in std::mem::take(&mut self.lane.calmed) {
            if self.handoff.is_freezing(&key) {
                self.freeze(&key);
            }
        }
        while let Some(action) = self.handoff.next_action() {
            match action {
                Action::Prepare { key, to } => {
                    let ask = Ask::Prepare {
                        topics: self.entities.topics(&key),
                    };
                    self.ask_target(key, to, ask, |key, to, outcome| LaneMessage::Prepared {
                        key,
                        to,
                        outcome,
                    });
                }
                Action::Barrier { round } => {
                    let nodes = self.lane.router.raise_barrier(self.lane.index, round);
                    self.handoff.barrier_raised(round, nodes);
                }
                Action::Freeze { key } => self.freeze(&key),
                Action::Adopt { key, to } => {
                    if let Some(Frozen { snapshot, marks }) = self.frozen.get(&key) {
                        let ask = Ask::Adopt {
                            snapshot: snapshot.clone(),
                            marks: marks.clone(),
                        };
                        self.ask_target(key, to, ask, |key, to, outcome| LaneMessage::Adopted {
                            key,
                            to,
                            outcome,
                        });
                    }
                }
                Action::Remove { key, to } => self.remove(&key, to),
                Action::Thaw { key } => self.thaw(&key),
            }
        }
        if self.handoff.is_done() && !self.done {
            self.done = true;
            self.log_moved();
            self.lane
                .router
                .lane_done(self.lane.index, self.lane.placement.fingerprint());
        }
    }

    /// Starts a task that asks the target until it answers or is gone, and then tells this lane.
    fn ask_target(
        &self,
        key: Key,
        to: NodeId,
        ask: Ask<E>,
        done: impl FnOnce(Key, NodeId, Outcome) -> LaneMessage<E> + Send + 'static,
    ) {
        let (router, myself) = (self.lane.router.clone(), self.lane.myself.clone());
        tokio::spawn(async move {
            let outcome = router.ask_member(&to, &key, ask).await;
            myself.tell(done(key, to, outcome));
        });
    }

    fn freeze(&mut self, key: &Key) {
        let mut snapshot = None;
        self.guarded(Some(key), |entities, lane| snapshot = entities.freeze(lane, key));
        if let Some(snapshot) = snapshot {
            self.frozen.insert(
                key.clone(),
                Frozen {
                    snapshot,
                    marks: self.lane.log.seen().clone(),
                },
            );
            self.handoff.frozen(key);
        }
    }

    fn thaw(&mut self, key: &Key) {
        let frozen = self.frozen.remove(key);
        self.guarded(Some(key), |entities, lane| entities.thaw(lane, key));
        if let Some(frozen) = frozen {
            self.catch_up(key, &frozen.marks);
        }
    }

    /// Serves an entity what was published to its topics after `marks`.
    fn catch_up(&mut self, key: &Key, marks: &Marks) {
        match self.lane.log.after(marks, &self.entities.topics(key)) {
            Ok(missed) => {
                for publication in missed {
                    self.guarded(Some(key), |entities, lane| {
                        entities.missed(lane, key, &publication)
                    });
                }
            }
            Err(gap) => {
                warn!(%key, %gap, "an entity cannot be served without a gap any more; it ends");
                self.entities
                    .kill(&mut self.lane, key, "could not be continued without a gap");
            }
        }
    }

    fn remove(&mut self, key: &Key, to: NodeId) {
        self.frozen.remove(key);
        self.guarded(Some(key), |entities, lane| entities.remove(lane, key));
        let shard = self.lane.placement.shards().shard_of(key);
        debug!(%key, %shard, %to, "session moved");
        *self.moved.entry((shard, to)).or_default() += 1;
    }

    /// One line per shard that has moved.
    fn log_moved(&mut self) {
        let mut moved: Vec<_> = std::mem::take(&mut self.moved).into_iter().collect();
        moved.sort();
        for ((shard, to), sessions) in moved {
            info!(%shard, from = %self.lane.node(), %to, sessions, "shard moved with its sessions");
        }
    }
}

impl<E: Entities> Preparation<E> {
    fn answer_when_ready(&mut self) {
        if self.waits_for.is_empty() {
            for reply in self.replies.drain(..) {
                reply.answer(Ok(Answer::Prepared));
            }
        }
    }
}
