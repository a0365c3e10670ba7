//! The way of a request from any node to the lane that hosts its entity, and of everything else between nodes.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tracing::{debug, error, info, warn};

mod barriers;
mod histories;
mod introductions;
mod legacies;
mod mourning;
mod topics;

use self::topics::Topics;
use crate::{
    ask::{Answer, Ask, AskId, LinkMessage, Refusal},
    entity::{Entities, ReplyTo},
    handoff::Outcome,
    lane::{HistoryWant, LaneMessage, LaneRef},
    links::{Credit, LinkDown, LinkEvents, LinkSender, SendError},
    log::{Marks, Position},
    member::{NodeId, View},
    membership::Membership,
    settlement::{Settlement, UNSETTLED},
    shard::{Key, Placement, ShardClass, ShardCount},
    topic::lanes_in,
    trace::{TracePart, Traces},
    wire,
};

/// Pause before a request is tried again, growing to the maximum while nothing changes.
const RETRY: std::ops::Range<Duration> = Duration::from_millis(5)..Duration::from_millis(200);

/// A request that got no reply.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No owner answered in time.
    #[error("no node answered for {key} within its deadline (last obstacle: {obstacle})")]
    TimedOut {
        /// The entity that was asked.
        key: Key,
        /// What stood in the way when time ran out.
        obstacle: &'static str,
    },
    /// The owner has too much to do.
    #[error("the owner of {0} has too many requests waiting")]
    Overloaded(Key),
    /// The entity ended, or its code panicked, while it was asked.
    #[error("the entity {0} ended while it was asked")]
    Dropped(Key),
}

/// An attempt that is worth another one.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    NoOwner,
    NotOwner,
    NoLink,
    LinkLost,
}

impl Obstacle {
    fn text(self) -> &'static str {
        match self {
            Self::NoOwner => "no member is up",
            Self::NotOwner => "the entity is moving",
            Self::NoLink => "no link to its owner",
            Self::LinkLost => "the link to its owner was lost",
        }
    }
}

enum Failure {
    Again(Obstacle),
    Final(Refusal),
}

/// The switchboard of a node: lanes on one side, links on the other.
pub(crate) struct Router<E: Entities> {
    me: NodeId,
    lanes: OnceLock<Box<[LaneRef<E>]>>,
    links: LinkSender,
    placement: watch::Sender<Arc<Placement>>,
    asks: Mutex<HashMap<AskId, PendingAsk<E>>>,
    last_ask: AtomicU64,
    topics: Mutex<Topics>,
    settlement: Mutex<Settlement>,
    introduced: watch::Sender<HashMap<NodeId, Vec<NodeId>>>,
    traces: Mutex<Traces>,
    /// The placement under which this node has handed off all that is not its own.
    handed_off: watch::Sender<Option<u64>>,
    /// Per lane, how many of its entities belong elsewhere.
    moves: Box<[AtomicUsize]>,
}

struct PendingAsk<E: Entities> {
    peer: NodeId,
    answer: oneshot::Sender<Result<Answer<E>, Failure>>,
}

/// Removes a question whose asker stopped waiting.
struct AskGuard<'a, E: Entities> {
    router: &'a Router<E>,
    id: AskId,
}

impl<E: Entities> Drop for AskGuard<'_, E> {
    fn drop(&mut self) {
        lock(&self.router.asks).remove(&self.id);
    }
}

/// Nothing here leaves its data half-changed when it panics, so a poisoned lock is as good as another.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E: Entities> Router<E> {
    /// A router whose lanes are yet to be [connected](Self::connect_lanes).
    pub(crate) fn new(view: Arc<View>, shards: ShardCount, lanes: usize, links: LinkSender) -> Self {
        Self {
            me: view.me.clone(),
            lanes: OnceLock::new(),
            links,
            placement: watch::Sender::new(Arc::new(Placement::new(view, shards))),
            asks: Mutex::default(),
            last_ask: AtomicU64::new(0),
            topics: Mutex::default(),
            settlement: Mutex::new(Settlement::new(lanes)),
            introduced: watch::Sender::new(HashMap::new()),
            traces: Mutex::default(),
            handed_off: watch::Sender::new(None),
            moves: (0..lanes).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Sets the lanes, which need the router to be made. Later calls change nothing.
    pub(crate) fn connect_lanes(&self, lanes: Box<[LaneRef<E>]>) {
        self.lanes.get_or_init(|| lanes);
    }

    pub(crate) fn lanes(&self) -> &[LaneRef<E>] {
        self.lanes.get().map_or(&[], |lanes| lanes)
    }

    pub(crate) fn me(&self) -> &NodeId {
        &self.me
    }

    pub(crate) fn placement(&self) -> Arc<Placement> {
        self.placement.borrow().clone()
    }

    pub(crate) fn placements(&self) -> watch::Receiver<Arc<Placement>> {
        self.placement.subscribe()
    }

    /// The peers that have told which topics they want, and so can be relied upon.
    pub(crate) fn introduced(&self) -> watch::Receiver<HashMap<NodeId, Vec<NodeId>>> {
        self.introduced.subscribe()
    }

    /// A shard always runs in the same lane of its node.
    pub(crate) fn lane_of(&self, key: &Key) -> usize {
        let shard = self.placement.borrow().shards().shard_of(key);
        shard.0 as usize % self.lanes().len().max(1)
    }

    // Requests

    /// Asks an entity, wherever it lives, until it has answered or `timeout` is over.
    ///
    /// A request that met a former owner or a lost link is sent again: entities must recognise a repetition.
    pub(crate) async fn request(
        self: &Arc<Self>,
        key: &Key,
        request: E::Request,
        timeout: Duration,
    ) -> Result<E::Reply, RequestError> {
        let deadline = Instant::now() + timeout;
        let mut placements = self.placements();
        let mut pause = RETRY.start;
        loop {
            let owner = placements.borrow_and_update().owner_of(key).cloned();
            let attempt = async {
                match owner {
                    Some(owner) => self.ask(&owner, key, Ask::Entity(request.clone())).await,
                    None => Err(Failure::Again(Obstacle::NoOwner)),
                }
            };
            let obstacle = match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Ok(Answer::Entity(reply))) => return Ok(reply),
                Ok(Ok(Answer::Prepared | Answer::Adopted)) | Ok(Err(Failure::Final(Refusal::Dropped))) => {
                    return Err(RequestError::Dropped(key.clone()));
                }
                Ok(Err(Failure::Final(Refusal::Overloaded))) => {
                    return Err(RequestError::Overloaded(key.clone()));
                }
                Ok(Err(Failure::Final(Refusal::NotOwner))) => Obstacle::NotOwner.text(),
                Ok(Err(Failure::Again(obstacle))) => obstacle.text(),
                Err(_) => {
                    return Err(RequestError::TimedOut {
                        key: key.clone(),
                        obstacle: "its owner is silent",
                    });
                }
            };
            if Instant::now() + pause >= deadline {
                return Err(RequestError::TimedOut {
                    key: key.clone(),
                    obstacle,
                });
            }
            // Whichever comes first: another view, or time for the owner to catch up with ours.
            drop(tokio::time::timeout(pause, placements.changed()).await);
            pause = (pause * 2).min(RETRY.end);
        }
    }

    /// Asks the target of a move until it has answered, or it is certain that it has no copy of the entity and will have
    /// none: for it is no member any more, or says that it does not own the entity. A target that is only to prepare is
    /// not asked on when another is the owner by now.
    pub(crate) async fn ask_target(self: &Arc<Self>, to: &NodeId, key: &Key, ask: Ask<E>) -> Outcome {
        let prepares = matches!(ask, Ask::Prepare { .. });
        let is_out = |placement: &Placement| {
            placement.view().member(to).is_none() || prepares && placement.owner_of(key) != Some(to)
        };
        let mut placements = self.placements();
        let mut pause = RETRY.start;
        loop {
            if is_out(&placements.borrow_and_update()) {
                return Outcome::TargetGone;
            }
            let out = async {
                while !is_out(&placements.borrow_and_update()) {
                    if placements.changed().await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                answer = self.ask(to, key, ask.clone()) => match answer {
                    Ok(_) => return Outcome::Done,
                    Err(Failure::Again(Obstacle::NotOwner)) if !prepares => return Outcome::TargetGone,
                    // A target that does not own the entity yet may own it soon.
                    Err(_) => {}
                },
                () = out => return Outcome::TargetGone,
            }
            // Whichever comes first: another view, or time for the target to catch up with ours.
            tokio::time::timeout(pause, placements.changed()).await.ok();
            pause = (pause * 2).min(RETRY.end);
        }
    }

    async fn ask(self: &Arc<Self>, to: &NodeId, key: &Key, ask: Ask<E>) -> Result<Answer<E>, Failure> {
        if *to == self.me {
            let (reply, answer) = ReplyTo::here();
            self.to_lane(
                key,
                LaneMessage::Ask {
                    key: key.clone(),
                    ask,
                    reply,
                    hold: None,
                },
            );
            return answer
                .await
                .unwrap_or(Err(Refusal::Dropped))
                .map_err(|refusal| match refusal {
                    Refusal::NotOwner => Failure::Again(Obstacle::NotOwner),
                    other => Failure::Final(other),
                });
        }
        let id = AskId(self.last_ask.fetch_add(1, Ordering::Relaxed));
        let ask = match wire::encode(&ask) {
            Ok(ask) => ask,
            Err(error) => {
                error!(%key, %error, "a request could not be encoded");
                return Err(Failure::Final(Refusal::Dropped));
            }
        };
        let (sender, receiver) = oneshot::channel();
        lock(&self.asks).insert(
            id,
            PendingAsk {
                peer: to.clone(),
                answer: sender,
            },
        );
        let _guard = AskGuard { router: self, id };
        if !self.to_peer(
            to,
            &LinkMessage::Ask {
                id,
                key: key.clone(),
                ask,
            },
        ) {
            return Err(Failure::Again(Obstacle::NoLink));
        }
        receiver.await.unwrap_or(Err(Failure::Again(Obstacle::LinkLost)))
    }

    /// Sends an answer to the node that asked.
    pub(crate) fn answer(&self, peer: &NodeId, id: AskId, answer: Result<Answer<E>, Refusal>) {
        let answer = answer.and_then(|answer| {
            wire::encode(&answer).map_err(|error| {
                error!(%peer, %error, "an answer could not be encoded");
                Refusal::Dropped
            })
        });
        // Without a link the asker knows already that no answer will come.
        self.to_peer(peer, &LinkMessage::Answer { id, answer });
    }

    /// Hands a message to the lane of a key. A lane is gone only when the node is about to be.
    fn to_lane(&self, key: &Key, message: LaneMessage<E>) {
        if let Some(lane) = self.lanes().get(self.lane_of(key)) {
            lane.tell(message);
        }
    }

    fn to_lanes(&self, mask: u64, message: impl Fn() -> LaneMessage<E>) {
        for lane in lanes_in(mask) {
            if let Some(lane) = self.lanes().get(lane) {
                lane.tell(message());
            }
        }
    }

    fn to_all_lanes(&self, message: impl Fn() -> LaneMessage<E>) {
        self.lanes().iter().for_each(|lane| lane.tell(message()));
    }

    /// Whether the message is on its way.
    fn to_peer(&self, peer: &NodeId, message: &LinkMessage) -> bool {
        match wire::encode(message) {
            Ok(bytes) => self.send(peer, bytes),
            Err(error) => {
                error!(%peer, %error, "a message could not be encoded");
                false
            }
        }
    }

    fn send(&self, peer: &NodeId, message: Bytes) -> bool {
        match self.links.send(peer, message) {
            Ok(()) => true,
            Err(SendError::NoLink(_)) => false,
            Err(error @ SendError::TooLarge { .. }) => {
                error!(%peer, %error, "a message is lost");
                false
            }
        }
    }

    fn to_peers(&self, message: &LinkMessage) {
        for peer in self.links.linked() {
            self.to_peer(&peer, message);
        }
    }

    /// Sends something to the lanes of another node, if there is a link to it.
    pub(crate) fn direct(&self, to: &NodeId, direct: &E::Direct) -> bool {
        match wire::encode(direct) {
            Ok(bytes) => self.to_peer(to, &LinkMessage::Direct(bytes)),
            Err(error) => {
                error!(%to, %error, "a message between lanes could not be encoded");
                false
            }
        }
    }

    /// As [`direct`](Self::direct), also to this node itself.
    pub(crate) fn send_direct(&self, to: &NodeId, direct: E::Direct) -> bool {
        if *to == self.me {
            self.to_lanes_of(to, direct, &Credit::unaccounted());
            return true;
        }
        self.direct(to, &direct)
    }

    fn to_lanes_of(&self, from: &NodeId, direct: E::Direct, credit: &Credit) {
        for (lane, direct) in E::route(direct, self.lanes().len(), &|key| self.lane_of(key)) {
            if let Some(lane) = self.lanes().get(lane) {
                lane.tell(LaneMessage::Direct {
                    from: from.clone(),
                    direct,
                    hold: credit.clone(),
                });
            }
        }
    }

    /// Whether there is a link to a node at present.
    pub(crate) fn is_linked(&self, node: &NodeId) -> bool {
        self.links.is_linked(node)
    }

    // Handoff

    /// Tells a follower how the log of a lane goes on. False without a link.
    pub(crate) fn trace(&self, to: &NodeId, part: TracePart) -> bool {
        self.to_peer(to, &LinkMessage::Trace(part))
    }

    /// The marks that a position in the log of another node's lane stands for, if this node followed it.
    pub(crate) fn marks_at(&self, position: Position) -> Option<Marks> {
        lock(&self.traces).marks_at(position)
    }

    /// Tells the standby of an entity how it is, or that nothing is to be kept of it. False without a link: then it is
    /// told when there is one.
    pub(crate) fn replicate(&self, standby: &NodeId, key: &Key, snapshot: Option<E::Snapshot>) -> bool {
        match snapshot.as_ref().map(wire::encode).transpose() {
            Ok(snapshot) => self.to_peer(
                standby,
                &LinkMessage::Replica {
                    key: key.clone(),
                    snapshot,
                },
            ),
            Err(error) => {
                error!(%key, %error, "an entity cannot be encoded for its standby");
                false
            }
        }
    }

    /// Tells a standby which replicas of a lane's entities it is to have.
    pub(crate) fn tell_what_to_keep(&self, standby: &NodeId, lane: usize, keys: Vec<Key>) {
        let class = ShardClass {
            lane: lane as u32,
            lanes: self.lanes().len() as u32,
        };
        self.to_peer(standby, &LinkMessage::ReplicasKept { class, keys });
    }

    /// A lane that has been told of so many placements has nothing to hand off.
    pub(crate) fn lane_done(&self, lane: usize, placements: u64) {
        let mut settlement = lock(&self.settlement);
        if let Some(fingerprint) = settlement.lane_done(lane, placements) {
            self.handed_off.send_replace(Some(fingerprint));
            self.to_peers(&LinkMessage::Settled { fingerprint });
        }
        self.tell_if_settled(&settlement);
    }

    /// A lane tells how many of its entities belong elsewhere.
    pub(crate) fn note_moves(&self, lane: usize, left: usize) {
        if let Some(moves) = self.moves.get(lane) {
            moves.store(left, Ordering::Relaxed);
        }
    }

    /// How many entities live here and belong elsewhere.
    pub(crate) fn moves_left(&self) -> usize {
        self.moves.iter().map(|lane| lane.load(Ordering::Relaxed)).sum()
    }

    /// Completes when this node has handed off all that is not its own under the current placement.
    pub(crate) async fn handed_off(&self) {
        let current = |done: &Option<u64>| *done == Some(self.placement.borrow().fingerprint());
        // The sender is our own.
        drop(self.handed_off.subscribe().wait_for(current).await.map(|_| ()));
    }

    /// Whether everybody has handed off what is not theirs under the current placement.
    pub(crate) fn settled(&self) -> Option<u64> {
        lock(&self.settlement).settled()
    }

    fn tell_if_settled(&self, settlement: &Settlement) {
        if let Some(fingerprint) = settlement.settled() {
            self.to_all_lanes(|| LaneMessage::Settled { fingerprint });
        }
    }

    /// The members changed.
    pub(crate) fn placed(&self, view: Arc<View>) {
        let before = self.placement();
        let placement = Arc::new(Placement::new(view, before.shards()));
        log_moved_shards(&before, &placement);
        lock(&self.traces).members_changed(placement.view(), std::time::Instant::now());
        let parted = self.welcome_back(placement.view());
        self.mourn_the_gone(before.view(), placement.view());
        let mut settlement = lock(&self.settlement);
        if settlement.placed(placement.view(), placement.fingerprint()) {
            self.to_peers(&LinkMessage::Settled {
                fingerprint: UNSETTLED,
            });
        }
        self.placement.send_replace(placement.clone());
        self.to_all_lanes(|| LaneMessage::Placed(placement.clone()));
        if let Some(parted) = parted {
            self.to_all_lanes(|| LaneMessage::Reunited { parted });
        }
        self.tell_if_settled(&settlement);
        drop(settlement);
        self.tick(std::time::Instant::now());
        self.to_peers(&LinkMessage::Members(members_of(placement.view())));
    }

    fn handle(self: &Arc<Self>, peer: &NodeId, message: LinkMessage, credit: &Credit) {
        match message {
            LinkMessage::Ask { id, key, ask } => {
                let reply = ReplyTo::there(self.clone(), peer.clone(), id, credit.link());
                if self.is_gone(peer) {
                    // It sees other members than this node, and another owner.
                    return reply.answer(Err(Refusal::NotOwner));
                }
                match wire::decode(&ask) {
                    Ok(ask) => {
                        let hold = Some(credit.clone());
                        self.to_lane(
                            &key,
                            LaneMessage::Ask {
                                key: key.clone(),
                                ask,
                                reply,
                                hold,
                            },
                        );
                    }
                    Err(error) => error!(%peer, %key, %error, "a request from another node cannot be read"),
                }
            }
            LinkMessage::Answer { id, answer } => self.answered(peer, id, answer),
            LinkMessage::Direct(bytes) => match wire::decode::<E::Direct>(&bytes) {
                Ok(direct) => self.to_lanes_of(peer, direct, credit),
                Err(error) => error!(%peer, %error, "a message between lanes cannot be read"),
            },
            LinkMessage::Publish(parcel) => self.published(peer, parcel, credit),
            LinkMessage::Legacy { origin, parcel } => self.legacy(&origin, parcel, credit),
            LinkMessage::Heard { origin, number } => self.peer_heard(peer, origin, number),
            LinkMessage::LegacyTold { origin } => self.legacy_told(peer, &origin),
            LinkMessage::Members(members) => {
                self.introduced
                    .send_if_modified(|introduced| match introduced.get_mut(peer) {
                        Some(known) if *known != members => {
                            *known = members;
                            true
                        }
                        _ => false,
                    });
            }
            LinkMessage::Continues { introduction, after } => {
                self.peer_continues(peer, introduction, after);
            }
            LinkMessage::Introduction(introduction) => {
                let members = introduction.members.clone();
                self.peer_introduced(peer, introduction);
                self.introduced
                    .send_modify(|introduced| drop(introduced.insert(peer.clone(), members)));
                self.to_all_lanes(|| LaneMessage::Introduced(peer.clone()));
            }
            LinkMessage::Interest(change) => self.peer_wants(peer, change),
            LinkMessage::InterestKnown { topic, change, after } => {
                self.interest_known(peer, &topic, change, after)
            }
            LinkMessage::Barrier { lane, barrier } => self.pass(peer, lane, barrier),
            LinkMessage::Passed {
                lane,
                barrier,
                number,
            } => self.peer_passed(peer, lane as usize, barrier, number),
            LinkMessage::HistoryWanted { key, topic, lane } => {
                let node = peer.clone();
                self.to_lane(
                    &key,
                    LaneMessage::HistoryWanted(HistoryWant { node, lane, topic }),
                );
            }
            LinkMessage::History {
                lane,
                from_lane,
                topic,
                forgotten,
                is_whole,
                publications,
            } => {
                let history = self.read_history(topic, forgotten, is_whole, publications);
                self.history_told(peer, lane, from_lane, history, Some(credit.clone()));
            }
            LinkMessage::Trace(part) => {
                if !lock(&self.traces).extend(peer, part) {
                    warn!(%peer, "a part of a lane's trace is missing; its clients may not be recovered if it dies");
                }
            }
            LinkMessage::Replica { key, snapshot } => {
                match snapshot.map(|bytes| wire::decode(&bytes)).transpose() {
                    Ok(snapshot) => {
                        let (owner, hold) = (peer.clone(), credit.clone());
                        self.to_lane(
                            &key.clone(),
                            LaneMessage::Replica {
                                key,
                                owner,
                                snapshot,
                                hold,
                            },
                        );
                    }
                    Err(error) => error!(%peer, %key, %error, "a replica cannot be read"),
                }
            }
            LinkMessage::ReplicasKept { class, keys } => {
                let keys: Arc<HashSet<Key>> = Arc::new(keys.into_iter().collect());
                self.to_all_lanes(|| LaneMessage::ReplicasKept {
                    owner: peer.clone(),
                    class,
                    keys: keys.clone(),
                });
            }
            LinkMessage::Settled { fingerprint } => {
                let mut settlement = lock(&self.settlement);
                settlement.peer_done(peer.clone(), fingerprint);
                self.tell_if_settled(&settlement);
            }
        }
    }

    fn answered(&self, peer: &NodeId, id: AskId, answer: Result<Bytes, Refusal>) {
        // An asker that stopped waiting has removed its question.
        let Some(pending) = lock(&self.asks).remove(&id) else {
            return;
        };
        let answer = match answer {
            Ok(bytes) => wire::decode(&bytes).map_err(|error| {
                error!(%peer, %error, "an answer from another node cannot be read");
                Failure::Final(Refusal::Dropped)
            }),
            Err(Refusal::NotOwner) => Err(Failure::Again(Obstacle::NotOwner)),
            Err(refusal) => Err(Failure::Final(refusal)),
        };
        drop(pending.answer.send(answer));
    }
}

/// The router as links know it.
pub(crate) struct Switchboard<E: Entities> {
    pub(crate) router: Arc<Router<E>>,
    /// Weak, for whoever ends the node owns the membership.
    pub(crate) membership: Weak<Membership>,
}

impl<E: Entities> LinkEvents for Switchboard<E> {
    fn link_up(&self, peer: &NodeId) {
        let router = &self.router;
        router.introduce(peer);
        router.mourn_with(peer);
        if let Some(fingerprint) = lock(&router.settlement).announced() {
            router.to_peer(peer, &LinkMessage::Settled { fingerprint });
        }
        router.to_all_lanes(|| LaneMessage::LinkUp(peer.clone()));
    }

    fn received(&self, peer: &NodeId, messages: Vec<Bytes>, credit: Credit) {
        for message in messages {
            match wire::decode(&message) {
                Ok(message) => self.router.handle(peer, message, &credit),
                Err(error) => error!(%peer, %error, "a message from another node cannot be read"),
            }
        }
    }

    fn link_down(&self, peer: &NodeId, reason: &LinkDown) {
        let router = &self.router;
        debug!(%peer, %reason, "requests under way are asked again");
        router
            .introduced
            .send_if_modified(|introduced| introduced.remove(peer).is_some());
        lock(&router.asks).retain(|_, pending| pending.peer != *peer);
        lock(&router.settlement).peer_down(peer);
        router.wishes_end(peer);
        for (topic, change, lanes) in lock(&router.topics).interest.link_down(peer) {
            router.to_lanes(lanes, || LaneMessage::Subscribed {
                topic: topic.clone(),
                change,
            });
        }
        router.to_all_lanes(|| LaneMessage::LinkDown(peer.clone()));
        if let Some(membership) = self.membership.upgrade() {
            membership.suspect(peer);
        }
    }
}

/// Everybody whom a view knows to be alive.
fn members_of(view: &View) -> Vec<NodeId> {
    view.members.values().map(|member| member.id.clone()).collect()
}

/// One line per pair of nodes between which shards moved.
fn log_moved_shards(before: &Placement, now: &Placement) {
    let mut moved: HashMap<(&str, &str), usize> = HashMap::new();
    for shard in now.shards().iter() {
        let (old, new) = (before.owner(shard), now.owner(shard));
        if old != new {
            let old = old.map_or("nobody", |node| node.name.as_str());
            let new = new.map_or("nobody", |node| node.name.as_str());
            *moved.entry((old, new)).or_default() += 1;
        }
    }
    let mut moved: Vec<_> = moved.into_iter().collect();
    moved.sort();
    for ((from, to), shards) in moved {
        info!(from, to, shards, "shards change owner");
    }
}
