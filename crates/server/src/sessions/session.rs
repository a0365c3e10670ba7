//! One client's session: the two protocol machines, what it has to say, where its client is, and the application's calls.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use hither_cluster::{Key, NodeName, ReplyTo, Topic};
use hither_engineio::{self as engineio, CloseReason, Frame, Handshake as EngineHandshake, TransportName};
use hither_socketio::{AckId, Connection, Json, NamespaceName, RecoveryId, SocketId};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{
    Sessions,
    budget::Budget,
    calls::Running,
    cause::Cause,
    claims::WaitingClaim,
    commitment::Commitment,
    direct::Order,
    effects::Application,
    env::{Env, Lane, Slot},
    epochs::Epochs,
    history::{History, Place},
    inbox::Inbox,
    jobs::JobQueue,
    joins::Joins,
    polling::Polling,
    recovery::Away,
    replica::Mark,
    revival::Dormancy,
};
use crate::{
    handshake::Handshake,
    job::Job,
    namespace::AnyData,
    outgoing::Outgoing,
    presence::{Person, Shown},
    request::{OpenTransport, RequestId, ServiceIndex, SessionReply, SocketAddress, StreamId},
    room::Room,
    socket::Whereabouts,
};

/// Where the answer to a request goes.
pub(crate) type Reply = ReplyTo<Sessions>;

/// A session alive in its lane.
pub(crate) struct Session {
    pub(crate) key: Key,
    pub(crate) slot: Slot,
    pub(crate) service: ServiceIndex,
    pub(crate) opened_by: RequestId,
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) engine: engineio::Session,
    pub(crate) outgoing: Outgoing,
    /// How far the WebSocket may be told what is outgoing.
    pub(crate) commitment: Commitment,
    pub(crate) polling: Polling,
    pub(crate) socket: Option<SessionSocket>,
    pub(crate) upper: Upper,
    /// What the client has sent and is not taken yet.
    pub(crate) inbox: Inbox,
    /// Whether the lane has been asked to go on with that.
    pub(crate) going_on: bool,
    /// How fast the client may speak.
    pub(crate) budget: Budget,
    /// Until when it has to wait, for it spoke faster.
    pub(crate) throttled: Option<Instant>,
    /// Whether it waits for a link that is congested.
    pub(crate) is_stalled: bool,
    pub(crate) jobs: JobQueue,
    /// The handler at work.
    pub(crate) running: Option<Running>,
    /// What handlers asked for and is not done yet, in order.
    pub(crate) applications: VecDeque<Application>,
    /// A handoff wants the session to rest: it starts no other handler.
    pub(crate) moving: bool,
    /// Its snapshot is out: it does nothing.
    pub(crate) frozen: bool,
    pub(crate) dirty: bool,
    pub(crate) scheduled: Option<Instant>,
    /// When something was last heard from the client.
    pub(crate) heard_at: Instant,
    pub(crate) history: History,
    pub(crate) claims: Vec<WaitingClaim>,
    /// A client's wish to have its former socket could not be met, and it is to get another.
    pub(crate) recovery_failed: bool,
    /// Topics that a handler has had heard by the lane.
    pub(crate) held_topics: Vec<Topic>,
    /// What the client is saying.
    pub(crate) input: Cause,
    /// What the application is doing.
    pub(crate) cause: Cause,
    pub(crate) dormancy: Dormancy,
    /// What the standby has been told; nothing if there is none.
    pub(crate) mark: Option<Box<Mark>>,
}

/// What a session begins with.
pub(crate) struct Opening {
    pub(crate) id: RequestId,
    pub(crate) service: ServiceIndex,
    pub(crate) transport: OpenTransport,
    pub(crate) handshake: Handshake,
}

/// The WebSocket of a session, probing or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionSocket {
    pub(crate) address: SocketAddress,
    /// The number of the next frame from the client.
    pub(crate) next: u64,
    /// The stream that it is written.
    pub(crate) stream: StreamId,
}

impl SessionSocket {
    /// A socket that is new to its session.
    pub(crate) fn new(address: SocketAddress) -> Self {
        Self {
            address,
            next: 0,
            stream: StreamId::default(),
        }
    }
}

/// What runs on top of Engine.IO.
#[expect(clippy::large_enum_variant, reason = "hardly a session is without Socket.IO")]
pub(crate) enum Upper {
    SocketIo(SocketIo),
    EngineIo,
}

pub(crate) struct SocketIo {
    pub(crate) connection: Connection,
    pub(crate) sockets: Vec<NamespaceSocket>,
}

/// A client's socket in one namespace, from CONNECT until its `disconnect` handler has ended.
pub(crate) struct NamespaceSocket {
    pub(crate) namespace: NamespaceName,
    pub(crate) id: SocketId,
    /// None while it is lent to a handler, or the client is not let in yet.
    pub(crate) data: Option<AnyData>,
    pub(crate) rooms: Arc<BTreeSet<Room>>,
    pub(crate) joins: Joins,
    /// Whether it hears its rooms and its namespace.
    pub(crate) listening: bool,
    pub(crate) acks: BTreeMap<AckId, AwaitedAck>,
    /// Whose it is.
    pub(crate) person: Option<Arc<Person>>,
    /// Where it makes that person present.
    pub(crate) shown: Option<Shown>,
    /// How often the client has come back to it.
    pub(crate) returns: u32,
    /// The secret with which the client may come back to it; none if it may not.
    pub(crate) recovery: Option<RecoveryId>,
    /// Where the client is told from.
    pub(crate) since: Place,
    /// The lanes that it has lived in.
    pub(crate) epochs: Epochs,
    /// Its client is away, and may come back.
    pub(crate) away: Option<Away>,
    /// Its data as of the last handler, for the standby.
    pub(crate) saved: Option<Bytes>,
}

/// The answer to an emit that is waited for.
pub(crate) struct AwaitedAck {
    pub(crate) context: Json,
    pub(crate) overdue: Instant,
}

impl SocketIo {
    pub(crate) fn socket_mut(&mut self, id: &SocketId) -> Option<&mut NamespaceSocket> {
        self.sockets.iter_mut().find(|socket| socket.id == *id)
    }
}

impl Session {
    /// A session that begins now.
    pub(crate) fn open(
        key: Key,
        slot: Slot,
        opening: Opening,
        upper: Upper,
        env: &Env,
        now: Instant,
    ) -> Self {
        let Opening {
            id: opened_by,
            service,
            transport,
            handshake,
        } = opening;
        let name = transport.name();
        let socket = match transport {
            OpenTransport::Polling => None,
            OpenTransport::WebSocket(address) => Some(SessionSocket::new(address)),
        };
        let mut session = Self {
            engine: engineio::Session::open(env.shared.config.engine, name, now),
            outgoing: Outgoing::default(),
            commitment: Commitment::default(),
            input: Cause::of_push(&key, opened_by),
            cause: Cause::of_push(&key, opened_by),
            key,
            slot,
            service,
            opened_by,
            handshake: Arc::new(handshake),
            polling: Polling::default(),
            socket,
            upper,
            inbox: Inbox::default(),
            going_on: false,
            budget: Budget::new(&env.shared.config.client_limits, now),
            throttled: None,
            is_stalled: false,
            jobs: JobQueue::default(),
            running: None,
            applications: VecDeque::new(),
            moving: false,
            frozen: false,
            dirty: false,
            scheduled: None,
            heard_at: now,
            history: History::default(),
            claims: Vec::new(),
            recovery_failed: false,
            held_topics: Vec::new(),
            dormancy: Dormancy::Awake,
            mark: None,
        };
        if name == TransportName::WebSocket {
            session.outgoing.push(session.open_frame(name));
        }
        session
    }

    fn open_frame(&self, transport: TransportName) -> Frame {
        Frame::open(&EngineHandshake::new(
            self.key.as_str(),
            transport,
            self.engine.config(),
        ))
    }

    /// What answers the request that opened the session.
    pub(crate) fn opened(&self) -> SessionReply {
        SessionReply::Opened(match self.socket {
            None => vec![self.open_frame(TransportName::Polling)],
            Some(_) => Vec::new(),
        })
    }

    /// Where the session is, as the application is told.
    pub(crate) fn whereabouts(&self, lane: &Lane) -> Whereabouts {
        let owner: NodeName = lane.node().name.clone();
        let transport = self.engine.transport().unwrap_or(TransportName::Polling);
        let ingress = match (&self.socket, transport) {
            (Some(socket), TransportName::WebSocket) => socket.address.ingress.name.clone(),
            _ => self.handshake.ingress().unwrap_or(&owner).clone(),
        };
        Whereabouts {
            ingress,
            owner,
            transport,
        }
    }

    // Driving the machines

    /// Does what the two machines ask for until they ask for nothing, then lets the application go on.
    pub(crate) fn drive(&mut self, env: &mut Env, lane: &mut Lane) {
        self.refuse_claims_of_others();
        env.handlers_in_turn = 0;
        loop {
            self.drain(env, lane);
            if !self.advance(env, lane) {
                break;
            }
        }
        self.show_persons(env);
        self.schedule(env);
        if self.is_over() {
            env.over.push(self.slot);
        }
    }

    /// Does what the two machines ask for until they ask for nothing.
    pub(super) fn drain(&mut self, env: &mut Env, lane: &mut Lane) {
        loop {
            if let Some(output) = self.engine.next_output() {
                self.engine_output(env, lane, output);
            } else if let Upper::SocketIo(upper) = &mut self.upper
                && let Some(output) = upper.connection.next_output()
            {
                self.connection_output(env, lane, output);
            } else {
                return;
            }
        }
    }

    fn engine_output(&mut self, env: &mut Env, lane: &mut Lane, output: engineio::Output) {
        match output {
            engineio::Output::Message(message) => match &mut self.upper {
                Upper::SocketIo(upper) => upper.connection.message(message, lane.now()),
                Upper::EngineIo => self.enqueue(Job::EngineMessage(message)),
            },
            engineio::Output::Ping => self.say(env, lane, [Frame::ping()]),
            engineio::Output::ProbeAccepted => {
                if let Some(socket) = &self.socket {
                    let socket = socket.clone();
                    env.order(lane, &socket, Order::Aside(Frame::pong_probe()));
                }
            }
            engineio::Output::ReleasePoll => self.release_poll_for_upgrade(env, lane),
            engineio::Output::Upgraded => {
                info!(session = %self.key, "upgraded to WebSocket");
                // The client has finished its last poll before it said so.
                self.outgoing.acknowledge_sent();
                self.wake_for_upgrade(env, lane);
                self.mark_dirty(env, lane);
                lane.changed(&self.key);
                self.relocated();
            }
            engineio::Output::ProbeFailed => {
                self.close_socket(env, lane);
                lane.changed(&self.key);
            }
            engineio::Output::Closed(reason) => self.closed(env, lane, reason),
        }
    }

    fn close_socket(&mut self, env: &mut Env, lane: &mut Lane) {
        if let Some(socket) = self.socket.take() {
            env.order(lane, &socket, Order::Close);
        }
    }

    fn closed(&mut self, env: &mut Env, lane: &mut Lane, reason: CloseReason) {
        info!(session = %self.key, node = %lane.node(), %reason, "session ends");
        self.wake_to_end(lane);
        self.gather_for_claims(lane);
        let base = self.outgoing.acknowledged();
        let (first, frames) = self.outgoing.send(usize::MAX);
        if self.polling.hanging.is_some() {
            self.answer_poll_for_good(frames, reason.farewell());
        } else if let Some(socket) = &self.socket {
            let socket = socket.clone();
            if !frames.is_empty() {
                env.order(
                    lane,
                    &socket,
                    Order::Frames {
                        base,
                        first,
                        frames,
                        told: Some(self.place(lane)),
                    },
                );
            }
        }
        self.close_socket(env, lane);
        self.outgoing = Outgoing::default();
        self.end_input(reason);
        if let Upper::SocketIo(upper) = &mut self.upper {
            upper.connection.session_closed(reason);
        }
    }

    /// The session has changed its transport, owner or ingress: namespaces that care are told.
    pub(crate) fn relocated(&mut self) {
        if let Upper::SocketIo(upper) = &self.upper {
            let connected: Vec<SocketId> = upper.sockets.iter().map(|socket| socket.id.clone()).collect();
            for socket in connected {
                self.enqueue(Job::Relocated { socket });
            }
        }
    }

    /// A cause for the next publication of the application.
    pub(crate) fn next_cause(&mut self) -> u64 {
        self.cause.next()
    }

    pub(crate) fn enqueue(&mut self, job: Job) {
        self.jobs.push(job);
    }

    // Time

    pub(crate) fn tick(&mut self, env: &mut Env, lane: &mut Lane) {
        self.scheduled = None;
        if !self.inbox.is_empty() {
            // Its pong may be behind what it is not our turn to take.
            self.engine.receiving(lane.now());
        }
        self.engine.tick(lane.now());
        if let Upper::SocketIo(upper) = &mut self.upper {
            upper.connection.tick(lane.now());
        }
        self.expire_acks(lane.now());
        self.expire_away(env, lane);
        self.expire_dormancy(lane.now());
        self.expire_claim_probes(lane.now());
        if self.throttled.take_if(|until| *until <= lane.now()).is_some() {
            self.take_input(env, lane);
        }
        self.drive(env, lane);
    }

    fn deadline(&self) -> Option<Instant> {
        let (connection, acks) = match &self.upper {
            Upper::SocketIo(upper) => {
                let overdue = upper
                    .sockets
                    .iter()
                    .flat_map(|socket| socket.acks.values().map(|ack| ack.overdue))
                    .min();
                (upper.connection.deadline(), overdue)
            }
            Upper::EngineIo => (None, None),
        };
        [
            self.engine.deadline(),
            connection,
            acks,
            self.away_deadline(),
            self.dormancy.deadline(),
            self.claim_deadline(),
            self.throttled,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn away_deadline(&self) -> Option<Instant> {
        let Upper::SocketIo(upper) = &self.upper else {
            return None;
        };
        let away = upper.sockets.iter().filter_map(|socket| socket.away.as_ref());
        away.map(|away| away.tell_at.unwrap_or(away.until).min(away.until))
            .min()
    }

    fn schedule(&mut self, env: &mut Env) {
        if let Some(deadline) = self.deadline()
            && self.scheduled.is_none_or(|scheduled| deadline < scheduled)
        {
            self.scheduled = Some(deadline);
            env.timers.push(std::cmp::Reverse((deadline, self.slot)));
        }
    }

    /// Whether a handler runs, or what one asked for is still being done.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some() || !self.applications.is_empty()
    }

    /// Whether a client that is away may come back to a socket of this session.
    pub(crate) fn is_waiting_for_client(&self) -> bool {
        let Upper::SocketIo(upper) = &self.upper else {
            return false;
        };
        upper.sockets.iter().any(|socket| socket.away.is_some())
    }

    /// Whether nothing will come of the session any more.
    pub(crate) fn is_over(&self) -> bool {
        self.engine.close_reason().is_some()
            && self.jobs.is_empty()
            && self.claims.is_empty()
            && !self.is_busy()
            && !self.is_waiting_for_client()
    }

    /// Ends the session at once, without a call of the application. For one whose code panicked.
    pub(crate) fn kill(&mut self, env: &mut Env, lane: &mut Lane, why: &str) {
        warn!(session = %self.key, why, "session is ended by force");
        self.jobs.clear();
        self.running = None;
        self.applications.clear();
        self.engine.close(CloseReason::ForcedClose);
        while let Some(output) = self.engine.next_output() {
            if let engineio::Output::Closed(reason) = output {
                self.closed(env, lane, reason);
            }
        }
        env.over.push(self.slot);
    }
}
