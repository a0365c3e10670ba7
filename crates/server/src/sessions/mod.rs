//! The sessions of one lane: what the cluster hosts for us.

mod budget;
mod calls;
mod cause;
mod claims;
mod commitment;
mod direct;
mod effects;
mod entities;
mod env;
mod epochs;
mod eviction;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod history;
mod holders;
mod inbox;
mod ingress_sockets;
mod jobs;
mod joins;
mod moving;
mod persons;
mod polling;
mod query;
mod recovery;
mod replica;
mod requests;
mod revival;
mod session;
mod shared;
mod sights;
mod size;
mod snapshot;
mod speaking;
mod tell;
mod waiting_orders;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use hither_cluster::{Key, ReplyTo, Topic};
use hither_engineio::Refusal;
use hither_socketio::{Connection, ConnectionConfig, SocketId};
use slab::Slab;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{error, info};

pub(crate) use direct::Direct;
use env::{Env, Lane, Slot};
pub(crate) use eviction::Pace;
pub(crate) use holders::Holder;
use ingress_sockets::{Looking, SocketNews};
pub(crate) use query::{Found, Queries, Query, QueryId, QueryReply, Question};
pub(crate) use recovery::Surrendered;
use session::{Opening, Session, SocketIo, Upper};
pub(crate) use shared::{Counter, Counters, Service, Shared};
use snapshot::SessionSnapshot;
use speaking::{EncodedEvent, Heard};

use crate::{
    ingress::{CloseCode, SocketWriter},
    job::Outcome,
    request::{
        Attachment, Served, ServiceIndex, SessionReply, SessionRequest, SocketAddress, SocketNumber, StreamId,
    },
    room::{Room, RoomEvent},
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
    /// The session of this socket goes on with this stream.
    SocketReattached {
        number: SocketNumber,
        stream: StreamId,
    },
    /// No node has the session of this socket.
    SocketOrphaned {
        number: SocketNumber,
    },
    /// A socket whose client is away is rightly another session's.
    SocketSuperseded {
        session: Key,
        socket: SocketId,
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
    /// There is more to take of what the client of this session has sent.
    GoOn {
        session: Key,
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
    /// The clients of the sockets here are to go elsewhere, one after the other.
    Evict(Pace),
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
            SocketNews::Stray { number, from } => {
                // A copy of the session that is the right one now, though the socket followed another.
                let session = self.env.sockets.session(number);
                if session.is_some_and(|session| lane.placement().owner_of(session) == Some(&from)) {
                    self.reattach(lane, number);
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
                    max_namespaces: shared.config.client_limits.namespaces,
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
                    "request for a service that this node does not have"
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
                error!(session = %key, %error, "cannot restore a transferred session");
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
    fn reattach(&mut self, lane: &Lane, number: SocketNumber) {
        let Some(Looking {
            session,
            stream,
            next,
            told,
            otherwise,
        }) = self.env.sockets.look_for_session(number)
        else {
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
            let attachment = Attachment {
                stream,
                next,
                served,
                otherwise,
            };
            let request = SessionRequest::Reattach { socket, attachment };
            match cluster.request(&session, request, REATTACH_TIMEOUT).await {
                Ok(SessionReply::Reattached(stream)) => {
                    handle.send(LaneEvent::SocketReattached { number, stream });
                }
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
}
