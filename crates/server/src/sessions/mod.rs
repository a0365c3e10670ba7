//! The sessions of one lane: what the cluster hosts for us.

mod calls;
mod cause;
mod direct;
mod effects;
mod env;
mod epochs;
mod history;
mod ingress_sockets;
mod query;
mod recovery;
mod session;
mod shared;
mod sights;
mod snapshot;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use hither_cluster::{Entities, Entry, Key, Marks, NodeId, Placement, Publication, ReplyTo, Topic};
use hither_engineio::{CloseReason, Refusal};
use hither_socketio::{Connection, ConnectionConfig, NamespaceName, RecoveryId};
use slab::Slab;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{error, info};

pub(crate) use direct::Direct;
use env::{Env, Lane, Slot};
use ingress_sockets::SocketNews;
pub use query::FoundSocket;
pub(crate) use query::{Found, Queries, Query, QueryId, QueryReply, Question};
pub(crate) use recovery::Surrendered;
use session::{EncodedEvent, Heard, Opening, Session, SocketIo, Upper};
pub(crate) use shared::{Counters, Service, Shared};
use snapshot::SessionSnapshot;

use crate::{
    ingress::{CloseCode, SocketWriter},
    job::Outcome,
    request::{Served, ServiceIndex, SessionReply, SessionRequest, SocketAddress, SocketNumber},
    room::{Room, RoomEvent, room_of},
    socket::Effect,
};

/// How long a socket whose session's owner is gone looks for the new one.
const REATTACH_TIMEOUT: Duration = Duration::from_secs(15);

/// One run of a handler, so that its end is not taken for that of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionAddress {
    pub(crate) key: Key,
    pub(crate) run: u64,
}

/// What tasks of this node tell a lane.
pub(crate) enum LaneEvent {
    /// A WebSocket is about to open under this number.
    SocketReserved {
        number: SocketNumber,
        session: Key,
    },
    SocketOpened {
        number: SocketNumber,
        writer: SocketWriter,
    },
    /// The client sent a WebSocket ping; `taken` lets its reader go on.
    SocketPinged {
        number: SocketNumber,
        payload: Bytes,
        taken: oneshot::Sender<()>,
    },
    SocketWritable {
        number: SocketNumber,
    },
    SocketEnded {
        number: SocketNumber,
        close: Option<CloseCode>,
    },
    /// No node has the session of this socket.
    SocketOrphaned {
        number: SocketNumber,
    },
    /// A handler wants done what it has asked for so far, and waits.
    Effects {
        address: SessionAddress,
        effects: Vec<Effect>,
        done: oneshot::Sender<Arc<BTreeSet<Room>>>,
    },
    HandlerEnded {
        address: SessionAddress,
        outcome: Outcome,
    },
    /// In which rooms of a namespace are sockets of this lane?
    LocalRooms {
        namespace: NamespaceName,
        reply: oneshot::Sender<Vec<Room>>,
    },
    /// An event for the sockets of this node alone.
    LocalEvent {
        topic: Topic,
        event: Arc<RoomEvent>,
    },
    /// Everything before this is handled: whoever waits for room may go on.
    Passed {
        _permit: Option<Arc<OwnedSemaphorePermit>>,
    },
    /// The clients of the sockets here are to go elsewhere, one after the other in this time.
    Evict {
        over: Duration,
    },
    /// Every session that is still here ends, for the node does.
    Shutdown,
}

/// The sessions of one lane.
pub(crate) struct Sessions {
    slots: Slab<Session>,
    by_key: HashMap<Key, Slot>,
    env: Env,
}

impl Sessions {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            slots: Slab::new(),
            by_key: HashMap::new(),
            env: Env::new(shared),
        }
    }

    /// Calls into a session, if it is here and may act.
    fn with(&mut self, lane: &mut Lane, key: &Key, call: impl FnOnce(&mut Session, &mut Env, &mut Lane)) {
        if let Some(&slot) = self.by_key.get(key) {
            self.with_slot(lane, slot, call);
        }
    }

    fn with_slot(
        &mut self,
        lane: &mut Lane,
        slot: Slot,
        call: impl FnOnce(&mut Session, &mut Env, &mut Lane),
    ) {
        if let Some(session) = self.slots.get_mut(slot).filter(|session| !session.frozen) {
            call(session, &mut self.env, lane);
        }
        self.settle(lane);
    }

    /// Follows up on what sockets had to tell, and forgets the sessions that are over.
    fn settle(&mut self, lane: &mut Lane) {
        while !(self.env.news.is_empty() && self.env.over.is_empty()) {
            for news in std::mem::take(&mut self.env.news) {
                self.socket_news(lane, news);
            }
            for slot in std::mem::take(&mut self.env.over) {
                if self.slots.get(slot).is_some_and(Session::is_over) {
                    self.forget(lane, slot);
                }
            }
        }
    }

    fn socket_news(&mut self, lane: &mut Lane, news: SocketNews) {
        match news {
            SocketNews::Delivered { owner, delivered } => {
                if owner != *lane.node() {
                    self.env.delivered.entry(owner).or_default().push(delivered);
                    lane.request_flush();
                } else if let Some(&slot) = self.by_key.get(&delivered.session)
                    && let Some(session) = self.slots.get_mut(slot).filter(|session| !session.frozen)
                {
                    session.delivered(&mut self.env, lane, &delivered);
                }
            }
            SocketNews::AwaitWritable(number) => {
                if let Some(writable) = self.env.sockets.when_writable(number) {
                    let handle = lane.handle();
                    // Ends when the socket can be written to or is gone.
                    tokio::spawn(async move {
                        writable.await;
                        handle.send(LaneEvent::SocketWritable { number });
                    });
                }
            }
        }
    }

    fn forget(&mut self, lane: &mut Lane, slot: Slot) {
        if let Some(mut session) = self.slots.try_remove(slot) {
            session.silence(&mut self.env, lane);
            self.by_key.remove(&session.key);
            self.env.shared.counters.sessions.down();
            lane.ended(&session.key);
        }
    }

    fn open(&mut self, lane: &mut Lane, key: &Key, opening: Opening, reply: ReplyTo<Self>) {
        if let Some(&slot) = self.by_key.get(key) {
            // Asked again because our answer was lost; anything else would be two clients with one id.
            let answer = match self.slots.get(slot) {
                Some(session) if session.opened_by == opening.id => session.opened(),
                _ => SessionReply::Refused(Refusal::BadRequest),
            };
            return reply.send(answer);
        }
        let shared = self.env.shared.clone();
        let now = lane.now();
        let upper = match shared.service(opening.service) {
            Some(Service::SocketIo(_)) => {
                let config = ConnectionConfig {
                    connect_timeout: shared.config.connect_timeout,
                    ..ConnectionConfig::default()
                };
                Upper::SocketIo(SocketIo {
                    connection: Connection::new(config, now),
                    sockets: Vec::new(),
                })
            }
            Some(Service::EngineIo(_)) => Upper::EngineIo,
            None => {
                error!(
                    service = opening.service.0,
                    "a session was asked for a service that this node does not have"
                );
                return reply.send(SessionReply::Refused(Refusal::BadRequest));
            }
        };
        let slot = self.slots.vacant_key();
        info!(
            session = %key,
            node = %lane.node(),
            ingress = opening.handshake.ingress().map(tracing::field::display),
            transport = %opening.transport.name(),
            "session starts"
        );
        let session = Session::open(key.clone(), slot, opening, upper, &self.env, now);
        reply.send(session.opened());
        self.insert(session);
        shared.counters.opened.up();
        self.with_slot(lane, slot, |session, env, lane| {
            if session.outgoing.has_unsent() {
                session.mark_dirty(env, lane);
            }
            session.drive(env, lane);
        });
    }

    fn restore(&mut self, lane: &mut Lane, key: &Key, snapshot: SessionSnapshot) -> Option<Slot> {
        let slot = self.slots.vacant_key();
        match Session::restore(key.clone(), slot, snapshot, &self.env.shared, lane.now()) {
            Ok(session) => {
                session.listen_again(&mut self.env, lane);
                self.insert(session);
                Some(slot)
            }
            Err(error) => {
                error!(session = %key, %error, "a session that came here cannot live here");
                None
            }
        }
    }

    fn insert(&mut self, session: Session) {
        self.by_key.insert(session.key.clone(), session.slot);
        self.env.shared.counters.sessions.up();
        self.slots.insert(session);
    }

    /// Whether the session exists and is of this service; tells the asker if not.
    fn find(&self, key: &Key, service: ServiceIndex, reply: ReplyTo<Self>) -> Option<ReplyTo<Self>> {
        let session = self.by_key.get(key).and_then(|slot| self.slots.get(*slot));
        if session
            .is_some_and(|session| session.service == service && session.engine.close_reason().is_none())
        {
            return Some(reply);
        }
        reply.send(SessionReply::Refused(Refusal::UnknownSid));
        None
    }

    fn event_of_session(
        &mut self,
        lane: &mut Lane,
        address: &SessionAddress,
        call: impl FnOnce(&mut Session, &mut Env, &mut Lane),
    ) {
        self.with(lane, &address.key, |session, env, lane| {
            if session.is_running(address.run) {
                call(session, env, lane);
            }
        });
    }

    /// A socket whose session's owner is gone looks for the session.
    fn reattach(&self, lane: &Lane, number: SocketNumber) {
        let Some((session, next, told)) = self.env.sockets.position(number) else {
            return;
        };
        let socket = SocketAddress {
            ingress: lane.node().clone(),
            number,
        };
        let served = told.and_then(|told| {
            Some(Served {
                marks: lane.marks_at(told.position)?,
                directs: told.directs,
            })
        });
        let (cluster, handle) = (lane.cluster(), lane.handle());
        // Ends with the request, which has a deadline.
        tokio::spawn(async move {
            let request = SessionRequest::Reattach { socket, next, served };
            match cluster.request(&session, request, REATTACH_TIMEOUT).await {
                Ok(SessionReply::Done) => {}
                Ok(_) => handle.send(LaneEvent::SocketOrphaned { number }),
                Err(error) => {
                    info!(session = %session, %error, "the owner of a socket's session cannot be found");
                    handle.send(LaneEvent::SocketOrphaned { number });
                }
            }
        });
    }

    /// Hands an event to all who hear its topic.
    fn hear(&mut self, lane: &mut Lane, topic: &Topic, heard: &Heard<'_>) {
        // Nobody joins or leaves while an event is handed round.
        let Some(listeners) = self.env.listeners.get_mut(topic).map(std::mem::take) else {
            return;
        };
        let mut encoded = EncodedEvent::default();
        for slot in &listeners {
            if let Some(session) = self.slots.get_mut(*slot).filter(|session| !session.frozen) {
                session.hear(&mut self.env, lane, heard, &mut encoded);
            }
        }
        if let Some(place) = self.env.listeners.get_mut(topic) {
            *place = listeners;
        }
        self.settle(lane);
    }

    fn holder_of(&self, recovery: &RecoveryId) -> Option<Key> {
        let holds = |session: &Session| match &session.upper {
            Upper::SocketIo(upper) => upper
                .sockets
                .iter()
                .any(|socket| socket.recovery.as_ref() == Some(recovery)),
            Upper::EngineIo => false,
        };
        self.slots
            .iter()
            .find(|(_, session)| holds(session))
            .map(|(_, session)| session.key.clone())
    }

    fn sockets_of(&self, topic: &Topic) -> Vec<FoundSocket> {
        let slots = self.env.listeners.get(topic).map_or(&[][..], Vec::as_slice);
        let sessions = slots.iter().filter_map(|slot| self.slots.get(*slot));
        sessions.filter_map(|session| session.found(topic)).collect()
    }
}

impl Entities for Sessions {
    type Request = SessionRequest;
    type Reply = SessionReply;
    type Snapshot = SessionSnapshot;
    type Direct = Direct;
    type Publication = RoomEvent;
    type Event = LaneEvent;

    fn creates(request: &SessionRequest) -> bool {
        matches!(request, SessionRequest::Open { .. })
    }

    fn route(direct: Direct, lanes: usize, lane_of: &dyn Fn(&Key) -> usize) -> Vec<(usize, Direct)> {
        direct::route(direct, lanes, lane_of)
    }

    fn request(&mut self, lane: &mut Lane, key: &Key, request: SessionRequest, reply: ReplyTo<Self>) {
        // What was due before the request came is not put off by it.
        self.with(lane, key, |session, env, lane| {
            if session.scheduled.is_some_and(|due| due <= lane.now()) {
                session.tick(env, lane);
            }
        });
        match request {
            SessionRequest::Open {
                id,
                service,
                transport,
                handshake,
            } => {
                self.open(
                    lane,
                    key,
                    Opening {
                        id,
                        service,
                        transport,
                        handshake,
                    },
                    reply,
                );
            }
            SessionRequest::Push { id, service, body } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, |session, env, lane| {
                        session.push(env, lane, id, body, reply)
                    });
                }
            }
            SessionRequest::PushTooLarge { service } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, Session::push_too_large);
                    reply.send(SessionReply::Done);
                }
            }
            SessionRequest::Pull { id, service } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, |session, env, lane| session.pull(env, lane, id, reply));
                }
            }
            SessionRequest::ReleasePull { id } => {
                self.with(lane, key, |session, _, _| session.release_pull(id));
                reply.send(SessionReply::Done);
            }
            SessionRequest::CancelPull { id } => {
                self.with(lane, key, |session, env, lane| session.cancel_pull(env, lane, id));
                reply.send(SessionReply::Done);
            }
            SessionRequest::Attach { service, socket } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, |session, env, lane| {
                        session.attach(env, lane, socket, reply)
                    });
                }
            }
            SessionRequest::SocketPush {
                socket,
                first,
                frames,
            } => {
                if self.by_key.contains_key(key) {
                    self.with(lane, key, |session, env, lane| {
                        session.socket_push(env, lane, &socket, first, frames, reply);
                    });
                } else {
                    reply.send(SessionReply::Refused(Refusal::UnknownSid));
                }
            }
            SessionRequest::SocketClosed { socket } => {
                self.with(lane, key, |session, env, lane| {
                    session.socket_closed(env, lane, &socket)
                });
                reply.send(SessionReply::Done);
            }
            SessionRequest::Reattach { socket, next, served } => {
                let mut found = false;
                self.with(lane, key, |session, env, lane| {
                    found = session.reattached(env, lane, &socket, next, served);
                });
                reply.send(if found {
                    SessionReply::Done
                } else {
                    SessionReply::Refused(Refusal::UnknownSid)
                });
            }
            SessionRequest::Claim { claim } => {
                let session = self.by_key.get(key).and_then(|slot| self.slots.get(*slot));
                reply.send(SessionReply::Claimable(
                    session.and_then(|session| session.claimable(&claim)),
                ));
            }
            SessionRequest::Surrender { claim } => {
                if self.by_key.contains_key(key) {
                    self.with(lane, key, |session, env, lane| {
                        session.surrender_to(env, lane, claim, reply)
                    });
                } else {
                    reply.send(SessionReply::Surrendered(None));
                }
            }
        }
    }

    fn event(&mut self, lane: &mut Lane, event: LaneEvent) {
        match event {
            LaneEvent::SocketReserved { number, session } => self.env.sockets.reserve(number, session),
            LaneEvent::SocketOpened { number, writer } => {
                self.env.shared.counters.sockets.up();
                self.env.sockets.open(number, writer, &mut self.env.news);
            }
            LaneEvent::SocketPinged {
                number,
                payload,
                taken,
            } => {
                self.env.sockets.pinged(number, payload, &mut self.env.news);
                // A reader that has ended waits for nothing.
                taken.send(()).ok();
            }
            LaneEvent::SocketWritable { number } => {
                self.env.sockets.writable(number, &mut self.env.news);
            }
            LaneEvent::SocketEnded { number, close } => {
                if self.env.sockets.ended(number, close) {
                    self.env.shared.counters.sockets.down();
                }
            }
            LaneEvent::SocketOrphaned { number } => self.env.sockets.close(number),
            LaneEvent::Effects {
                address,
                effects,
                done,
            } => {
                self.event_of_session(lane, &address, |session, env, lane| {
                    session.handler_flushed(env, lane, effects, done);
                });
            }
            LaneEvent::HandlerEnded { address, outcome } => {
                self.event_of_session(lane, &address, |session, env, lane| {
                    session.handler_ended(env, lane, outcome);
                });
            }
            LaneEvent::LocalRooms { namespace, reply } => {
                let rooms = self
                    .env
                    .listeners
                    .keys()
                    .filter_map(|topic| room_of(&namespace, topic));
                // Who asked may have stopped waiting.
                drop(reply.send(rooms.collect()));
            }
            LaneEvent::LocalEvent { topic, event } => {
                let heard = Heard {
                    event: &event,
                    position: lane.position(),
                    published: None,
                };
                self.hear(lane, &topic, &heard);
            }
            LaneEvent::Passed { .. } => {}
            LaneEvent::Evict { over } => self.env.sockets.evict(over, lane.now()),
            LaneEvent::Shutdown => {
                let slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| slot).collect();
                for slot in slots {
                    self.with_slot(lane, slot, |session, env, lane| {
                        session.engine.close(CloseReason::ShuttingDown);
                        session.drive(env, lane);
                    });
                }
            }
        }
        self.settle(lane);
    }

    fn direct(&mut self, lane: &mut Lane, from: &NodeId, direct: Direct) {
        match direct {
            Direct::Orders(batch) => {
                for (socket, order) in batch.unpack() {
                    self.env.sockets.order(from, socket, order, &mut self.env.news);
                }
                self.settle(lane);
            }
            Direct::Delivered(all) => {
                for delivered in all {
                    self.with(lane, &delivered.session.clone(), |session, env, lane| {
                        session.delivered(env, lane, &delivered);
                    });
                }
            }
            Direct::Query(Query { id, question }) => {
                let found = match question {
                    Question::Hears(topic) => Found {
                        sockets: self.sockets_of(&topic),
                        ..Found::default()
                    },
                    Question::Holds(recovery) => Found {
                        holder: self.holder_of(&recovery),
                        ..Found::default()
                    },
                    Question::Lives { limit } => Found {
                        sights: self.sights(lane, limit),
                        ..Found::default()
                    },
                };
                let reply = QueryReply {
                    id,
                    lanes: self.env.shared.lanes,
                    found,
                };
                if *from == *lane.node() {
                    self.env.shared.queries.reply(from, reply);
                } else {
                    // Without a link whoever asked finds out that we are gone.
                    lane.send(from, &Direct::QueryReply(reply));
                }
            }
            Direct::QueryReply(reply) => self.env.shared.queries.reply(from, reply),
        }
    }

    fn publication(&mut self, lane: &mut Lane, publication: &Arc<Publication<RoomEvent>>) {
        self.hear(lane, &publication.topic, &Heard::of(publication, lane.position()));
    }

    fn subscribed(&mut self, lane: &mut Lane, topic: &Topic) {
        for slot in self.env.awaiting.remove(topic).unwrap_or_default() {
            self.with_slot(lane, slot, |session, env, lane| {
                session.subscribed(env, lane, topic)
            });
        }
    }

    fn placed(&mut self, lane: &mut Lane, _: &Placement, now: &Placement) {
        self.env.shared.queries.members_changed(now.view());
        let slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.with_slot(lane, slot, Session::members_changed);
        }
        for number in self.env.sockets.orphans(now) {
            self.reattach(lane, number);
        }
    }

    fn linked(&mut self, lane: &mut Lane, peer: &NodeId) {
        let slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.with_slot(lane, slot, |session, env, lane| session.relinked(env, lane, peer));
        }
    }

    fn tick(&mut self, lane: &mut Lane) {
        self.env.sockets.evict_some(lane.now());
        while let Some(Reverse((due, slot))) = self.env.timers.peek().copied()
            && due <= lane.now()
        {
            self.env.timers.pop();
            self.with_slot(lane, slot, |session, env, lane| {
                if session.scheduled == Some(due) {
                    session.tick(env, lane);
                }
            });
        }
    }

    fn flush(&mut self, lane: &mut Lane) {
        for slot in std::mem::take(&mut self.env.dirty) {
            if let Some(session) = self.slots.get_mut(slot) {
                session.flush(&mut self.env, lane);
            }
        }
        self.settle(lane);
        for (node, orders) in self.env.outbound.take() {
            // Without a link it is sent again when there is one, or given up with the node.
            lane.send(&node, &orders);
        }
        for (node, delivered) in std::mem::take(&mut self.env.delivered) {
            lane.send(&node, &Direct::Delivered(delivered));
        }
    }

    fn keys(&self) -> Vec<Key> {
        self.by_key.keys().cloned().collect()
    }

    fn contains(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    fn topics(&self, key: &Key) -> Vec<Topic> {
        self.by_key
            .get(key)
            .and_then(|slot| self.slots.get(*slot))
            .map(Session::topics)
            .unwrap_or_default()
    }

    fn freeze(&mut self, lane: &mut Lane, key: &Key) -> Option<SessionSnapshot> {
        let session = self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot))?;
        session.moving = true;
        if session.is_busy() {
            return None;
        }
        match session.snapshot(&self.env.shared, lane.now()) {
            Ok(snapshot) => {
                session.rest();
                Some(snapshot)
            }
            Err(error) => {
                error!(session = %key, %error, "a session cannot be moved");
                self.kill(lane, key, "its data cannot be moved");
                None
            }
        }
    }

    fn thaw(&mut self, lane: &mut Lane, key: &Key) {
        if let Some(session) = self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot)) {
            session.moving = false;
            session.frozen = false;
        }
        self.with(lane, key, |session, env, lane| {
            session.scheduled = None;
            session.resume_socket();
            session.mark_dirty(env, lane);
            session.drive(env, lane);
        });
    }

    fn missed(&mut self, lane: &mut Lane, key: &Key, entry: &Entry<RoomEvent>) {
        self.with(lane, key, |session, env, lane| {
            session.hear(
                env,
                lane,
                &Heard::of(&entry.publication, entry.position),
                &mut EncodedEvent::default(),
            );
        });
    }

    fn adopt(&mut self, lane: &mut Lane, key: &Key, snapshot: SessionSnapshot, marks: &Marks) {
        if let Some(slot) = self.restore(lane, key, snapshot) {
            self.env.shared.counters.moved_in.up();
            self.with_slot(lane, slot, |session, env, lane| {
                session.begin_epoch(lane, marks);
                session.arrived(env, lane);
            });
        }
    }

    fn passed(&mut self, lane: &mut Lane, key: &Key) {
        self.with(lane, key, Session::barrier_passed);
    }

    fn is_better(&self, key: &Key, arriving: &SessionSnapshot) -> bool {
        let session = self.by_key.get(key).and_then(|slot| self.slots.get(*slot));
        session.is_none_or(|session| arriving.standing() > session.standing())
    }

    fn replica(&mut self, lane: &mut Lane, key: &Key) -> Option<SessionSnapshot> {
        let session = self.by_key.get(key).and_then(|slot| self.slots.get(*slot))?;
        // Of what is over nothing is to be kept.
        (!session.is_over())
            .then(|| session.replica(&self.env.shared, lane.now()))
            .flatten()
    }

    fn topics_of(snapshot: &SessionSnapshot) -> Vec<Topic> {
        snapshot.topics()
    }

    fn revive(&mut self, lane: &mut Lane, key: &Key, replica: SessionSnapshot) {
        if let Some(slot) = self.restore(lane, key, replica) {
            self.env.shared.counters.revived.up();
            self.with_slot(lane, slot, Session::revived);
        }
    }

    fn give_up(&mut self, lane: &mut Lane) {
        let slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.forget(lane, slot);
        }
        for number in self.env.sockets.all() {
            self.reattach(lane, number);
        }
    }

    fn remove(&mut self, lane: &mut Lane, key: &Key) {
        if let Some(&slot) = self.by_key.get(key) {
            self.env.shared.counters.moved_out.up();
            self.forget(lane, slot);
        }
    }

    fn kill(&mut self, lane: &mut Lane, key: &Key, why: &str) {
        if let Some(session) = self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot)) {
            session.kill(&mut self.env, lane, why);
        }
        self.settle(lane);
    }
}
