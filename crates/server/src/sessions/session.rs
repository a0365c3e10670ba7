//! One client's session: the two protocol machines, what it has to say, where its client is, and the application's calls.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use hither_cluster::{Key, NodeId, NodeName, Position, Publication, ReplyTo, Topic};
use hither_engineio::{
    self as engineio, CloseReason, Frame, Handshake as EngineHandshake, Refusal, TransportName,
};
use hither_socketio::{
    AckId, Connection, EmitError, Encoded, Event, Json, NamespaceName, RecoveryId, SocketId,
};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{
    Sessions,
    calls::Running,
    cause::Cause,
    direct::{Delivered, Order},
    effects::Application,
    env::{Env, Lane, Slot},
    epochs::Epochs,
    history::{History, Place},
    query::FoundSocket,
    recovery::{Away, WaitingClaim},
};
use crate::{
    handshake::Handshake,
    job::Job,
    namespace::AnyData,
    outgoing::Outgoing,
    request::{OpenTransport, RequestId, ServiceIndex, SessionReply, SocketAddress},
    room::{Room, RoomEvent, room_of},
    socket::Whereabouts,
};

/// Bytes that may be on their way to a socket on another node. Enough to keep a link busy between two acknowledgements.
const IN_FLIGHT: usize = 256 << 10;
/// Bytes that the answer to one poll may have.
const POLL_ANSWER: usize = 1 << 20;
/// Pushes that are remembered, so that one which is asked again is not handled again. A client posts one at a time.
const REMEMBERED_PUSHES: usize = 8;

type Reply = ReplyTo<Sessions>;

/// A session alive in its lane.
pub(crate) struct Session {
    pub(crate) key: Key,
    pub(crate) slot: Slot,
    pub(crate) service: ServiceIndex,
    pub(crate) opened_by: RequestId,
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) engine: engineio::Session,
    pub(crate) outgoing: Outgoing,
    pub(crate) polling: Polling,
    pub(crate) socket: Option<SessionSocket>,
    pub(crate) upper: Upper,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) jobs_bytes: usize,
    /// The client's node waits for this before it sends more.
    pub(crate) held: Option<Reply>,
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
    /// How often it has moved.
    pub(crate) moves: u32,
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
    /// How far the client was told by the last answer to a poll.
    pub(crate) polled: Option<Place>,
    /// Until when a revived session waits for its socket to say how far the client was served.
    pub(crate) reattach_by: Option<Instant>,
}

/// What a session begins with.
pub(crate) struct Opening {
    pub(crate) id: RequestId,
    pub(crate) service: ServiceIndex,
    pub(crate) transport: OpenTransport,
    pub(crate) handshake: Handshake,
}

/// The polling side of a session.
#[derive(Default)]
pub(crate) struct Polling {
    pub(crate) hanging: Option<HangingPoll>,
    pub(crate) answered: Option<RequestId>,
    pub(crate) pushes: VecDeque<RequestId>,
}

/// A poll that waits for something to be said.
pub(crate) struct HangingPoll {
    pub(crate) id: RequestId,
    pub(crate) reply: Reply,
}

/// The WebSocket of a session, probing or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionSocket {
    pub(crate) address: SocketAddress,
    /// The number of the next frame from the client.
    pub(crate) next: u64,
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
    /// Whether it hears its rooms and its namespace.
    pub(crate) listening: bool,
    pub(crate) acks: BTreeMap<AckId, AwaitedAck>,
    /// What others find of it.
    pub(crate) card: Option<Json>,
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

/// An event for a room, as it comes to the sessions of a lane.
pub(crate) struct Heard<'a> {
    pub(crate) event: &'a RoomEvent,
    /// Where whoever has heard it is in the lane's log.
    pub(crate) position: Position,
    /// Its origin and its number there; none if it is for this node alone and stands in no log.
    pub(crate) published: Option<(&'a NodeId, u64)>,
}

impl<'a> Heard<'a> {
    pub(crate) fn of(publication: &'a Publication<RoomEvent>, position: Position) -> Self {
        let published = Some((&publication.origin, publication.number));
        Self {
            event: &publication.payload,
            position,
            published,
        }
    }
}

/// An event for a room in the two forms that clients hear, each made when the first of them hears it.
#[derive(Default)]
pub(crate) struct EncodedEvent {
    plain: Option<Encoded>,
    with_offset: Option<Encoded>,
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
            OpenTransport::WebSocket(address) => Some(SessionSocket { address, next: 0 }),
        };
        let mut session = Self {
            engine: engineio::Session::open(env.shared.config.engine, name, now),
            outgoing: Outgoing::default(),
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
            jobs: VecDeque::new(),
            jobs_bytes: 0,
            held: None,
            running: None,
            applications: VecDeque::new(),
            moving: false,
            frozen: false,
            dirty: false,
            scheduled: None,
            moves: 0,
            history: History::default(),
            claims: Vec::new(),
            recovery_failed: false,
            held_topics: Vec::new(),
            polled: None,
            reattach_by: None,
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

    // Requests

    pub(crate) fn pull(&mut self, env: &mut Env, lane: &mut Lane, id: RequestId, reply: Reply) {
        if let Some(hanging) = &mut self.polling.hanging
            && hanging.id == id
        {
            // Asked again: whoever asked before waits no more.
            hanging.reply = reply;
            return;
        }
        let repeated = self.polling.answered == Some(id);
        if let Err(refusal) = self.engine.poll_started() {
            reply.send(SessionReply::Refused(refusal));
            return self.drive(env, lane);
        }
        if repeated {
            self.outgoing.rewind();
        } else {
            // The client polls again: it has what it was given before.
            self.outgoing.acknowledge_sent();
        }
        self.polling.hanging = Some(HangingPoll { id, reply });
        if self.outgoing.has_unsent() {
            self.mark_dirty(env, lane);
        }
        self.drive(env, lane);
    }

    pub(crate) fn release_pull(&mut self, id: RequestId) {
        if self
            .polling
            .hanging
            .as_ref()
            .is_some_and(|hanging| hanging.id == id)
        {
            self.answer_poll(vec![Frame::noop()]);
        }
    }

    pub(crate) fn cancel_pull(&mut self, env: &mut Env, lane: &mut Lane, id: RequestId) {
        if self
            .polling
            .hanging
            .as_ref()
            .is_some_and(|hanging| hanging.id == id)
        {
            self.engine.poll_cancelled();
        } else if self.opened_by == id && self.polling.answered.is_none() {
            // The client left before it could learn that it has a session.
            self.engine.close(CloseReason::TransportClose);
        }
        self.drive(env, lane);
    }

    pub(crate) fn push(&mut self, env: &mut Env, lane: &mut Lane, id: RequestId, body: Bytes, reply: Reply) {
        if self.polling.pushes.contains(&id) {
            return self.hold_or_answer(env, reply);
        }
        if self.polling.pushes.len() == REMEMBERED_PUSHES {
            self.polling.pushes.pop_front();
        }
        self.polling.pushes.push_back(id);
        self.input = Cause::of_push(&self.key, id);
        let result = self.engine.payload(engineio::payload::decode(body), lane.now());
        self.drive(env, lane);
        match result {
            Ok(()) => self.hold_or_answer(env, reply),
            Err(refusal) => reply.send(SessionReply::Refused(refusal)),
        }
    }

    pub(crate) fn push_too_large(&mut self, env: &mut Env, lane: &mut Lane) {
        self.engine.close(CloseReason::TransportError);
        self.drive(env, lane);
    }

    pub(crate) fn attach(&mut self, env: &mut Env, lane: &mut Lane, address: SocketAddress, reply: Reply) {
        if self
            .socket
            .as_ref()
            .is_some_and(|socket| socket.address == address)
        {
            return reply.send(SessionReply::Done);
        }
        match self.engine.websocket_attached(lane.now()) {
            Ok(()) => {
                self.socket = Some(SessionSocket { address, next: 0 });
                reply.send(SessionReply::Done);
            }
            Err(refusal) => reply.send(SessionReply::Refused(refusal)),
        }
        self.drive(env, lane);
    }

    pub(crate) fn socket_push(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        address: &SocketAddress,
        first: u64,
        frames: Vec<crate::request::SocketFrame>,
        reply: Reply,
    ) {
        let Some(socket) = self.socket.as_mut().filter(|socket| socket.address == *address) else {
            // A socket that the session gave up, such as a failed probe.
            return reply.send(SessionReply::Refused(Refusal::UnknownSid));
        };
        // What was pushed before and is pushed again, because our answer was lost, is not handled again.
        let known = usize::try_from(socket.next.saturating_sub(first)).unwrap_or(usize::MAX);
        socket.next = socket.next.max(first + frames.len() as u64);
        for (number, frame) in (first..).zip(frames).skip(known) {
            self.input = Cause::of_frame(&self.key, address.number.0, number);
            let packet = match frame {
                crate::request::SocketFrame::Text(text) => engineio::Packet::decode_text(text),
                crate::request::SocketFrame::Binary(bytes) => Ok(engineio::Packet::decode_binary(bytes)),
            };
            self.engine.websocket_packet(packet, lane.now());
            self.drive(env, lane);
            if self
                .socket
                .as_ref()
                .is_none_or(|socket| socket.address != *address)
            {
                break;
            }
        }
        self.hold_or_answer(env, reply);
    }

    pub(crate) fn socket_closed(&mut self, env: &mut Env, lane: &mut Lane, address: &SocketAddress) {
        if self.socket.take_if(|socket| socket.address == *address).is_some() {
            self.engine.websocket_closed();
            self.drive(env, lane);
        }
    }

    /// Answers a push when there is room for another; so the client is read no faster than its events are handled.
    fn hold_or_answer(&mut self, env: &Env, reply: Reply) {
        if self.jobs_bytes < env.shared.config.max_incoming_bytes {
            reply.send(SessionReply::Done);
        } else if let Some(earlier) = self.held.replace(reply) {
            // An overlapping push: the earlier one is let go.
            earlier.send(SessionReply::Done);
        }
    }

    pub(crate) fn release_held(&mut self, env: &Env) {
        if self.jobs_bytes < env.shared.config.max_incoming_bytes
            && let Some(held) = self.held.take()
        {
            held.send(SessionReply::Done);
        }
    }

    // What is lost

    /// A node is gone, and with it what of this session's client was there.
    pub(crate) fn members_changed(&mut self, env: &mut Env, lane: &mut Lane) {
        let view = lane.placement().view().clone();
        let gone = |node: &hither_cluster::NodeId| view.member(node).is_none();
        if self
            .polling
            .hanging
            .as_ref()
            .is_some_and(|hanging| hanging.reply.peer().is_some_and(gone))
        {
            self.polling.hanging = None;
            self.engine.poll_lost();
        }
        if self
            .socket
            .take_if(|socket| gone(&socket.address.ingress))
            .is_some()
        {
            self.engine.websocket_closed();
        }
        self.drive(env, lane);
    }

    /// A link is back: what was sent over it before may be lost.
    pub(crate) fn relinked(&mut self, env: &mut Env, lane: &mut Lane, peer: &hither_cluster::NodeId) {
        if self
            .socket
            .as_ref()
            .is_some_and(|socket| socket.address.ingress == *peer)
        {
            self.resume_socket();
            self.mark_dirty(env, lane);
        }
    }

    /// Sends its socket again what that has not confirmed; what it has already it passes over. A poll needs no such
    /// thing: the client's next one confirms it.
    pub(crate) fn resume_socket(&mut self) {
        if self.engine.transport() == Some(TransportName::WebSocket) {
            self.outgoing.rewind();
        }
    }

    /// A socket says how far it is.
    pub(crate) fn delivered(&mut self, env: &mut Env, lane: &mut Lane, delivered: &Delivered) {
        if self
            .socket
            .as_ref()
            .is_none_or(|socket| socket.address.number != delivered.socket)
            || self.engine.transport() != Some(TransportName::WebSocket)
        {
            return;
        }
        self.outgoing.acknowledge(delivered.next);
        if delivered.gap {
            self.outgoing.rewind();
        }
        if self.outgoing.has_unsent() {
            self.mark_dirty(env, lane);
        }
    }

    // Moving

    /// The snapshot is out: nothing happens any more, unless the session is thawed.
    pub(crate) fn rest(&mut self) {
        self.frozen = true;
        if let Some(hanging) = self.polling.hanging.take() {
            self.engine.poll_lost();
            hanging.reply.moved();
        }
        if let Some(held) = self.held.take() {
            held.send(SessionReply::Done);
        }
        for claim in self.claims.drain(..) {
            claim.reply.moved();
        }
    }

    /// The session has come from another node, and goes on.
    pub(crate) fn arrived(&mut self, env: &mut Env, lane: &mut Lane) {
        if let Some(socket) = &self.socket
            && self.engine.transport() == Some(TransportName::WebSocket)
        {
            // Also when there is nothing to say: the socket learns where its session lives.
            let address = socket.address.clone();
            let base = self.outgoing.acknowledged();
            let (first, frames) = self.outgoing.send(IN_FLIGHT);
            env.order(
                lane,
                &address,
                Order::Frames {
                    base,
                    first,
                    frames,
                    told: self.told(lane),
                },
            );
        }
        self.drive(env, lane);
    }

    /// The session is over or has gone: it hears nothing any more.
    pub(crate) fn silence(&mut self, env: &mut Env, lane: &mut Lane) {
        let Upper::SocketIo(upper) = &self.upper else {
            return;
        };
        let sockets: Vec<SocketId> = upper.sockets.iter().map(|socket| socket.id.clone()).collect();
        for socket in sockets {
            self.unlisten(env, lane, &socket);
        }
    }

    /// The socket that hears a topic, for a query.
    pub(crate) fn found(&self, heard: &Topic) -> Option<FoundSocket> {
        let Upper::SocketIo(upper) = &self.upper else {
            return None;
        };
        let hears = |socket: &&NamespaceSocket| {
            let is_gone = socket.away.as_ref().is_some_and(|away| away.tell_at.is_none());
            socket.listening
                && !is_gone
                && match room_of(&socket.namespace, heard) {
                    Some(room) => socket.rooms.contains(&room),
                    None => heard.as_str() == socket.namespace.as_str(),
                }
        };
        let socket = upper.sockets.iter().find(hears)?;
        Some(FoundSocket {
            id: socket.id.clone(),
            card: socket.card.clone(),
        })
    }

    // Sending

    /// Puts a packet into the outgoing buffer.
    pub(crate) fn say(&mut self, env: &mut Env, lane: &mut Lane, frames: impl IntoIterator<Item = Frame>) {
        if self.engine.close_reason().is_some() {
            return;
        }
        for frame in frames {
            env.shared.counters.frames.up();
            self.outgoing.push(frame);
        }
        self.mark_dirty(env, lane);
        if self.outgoing.bytes() > env.shared.config.max_outgoing_bytes {
            env.shared.counters.overflows.up();
            warn!(
                session = %self.key,
                bytes = self.outgoing.bytes(),
                "the client does not take what it is sent; the session is closed"
            );
            self.engine.close(CloseReason::Overflow);
        }
    }

    /// Something was said to a room of this session's socket. `encoded` is shared by all who hear it.
    pub(crate) fn hear(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        heard: &Heard<'_>,
        encoded: &mut EncodedEvent,
    ) {
        // A revived session hears what it missed once it knows from where on.
        if self.reattach_by.is_some() {
            return;
        }
        let event = heard.event;
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        let hears = |socket: &&NamespaceSocket| {
            let knows = heard
                .published
                .is_some_and(|(origin, number)| socket.epochs.knew(origin, number));
            socket.away.is_none() && !knows && socket.is_addressed(event)
        };
        let Some(socket) = upper.sockets.iter().find(hears) else {
            return;
        };
        let encoded = if socket.recovery.is_some() {
            encoded.with_offset.get_or_insert_with(|| {
                let offset = Place {
                    position: heard.position,
                    directs: 0,
                }
                .offset();
                Encoded::event(&event.namespace, None, &event.event.with_offset(&offset))
            })
        } else {
            encoded
                .plain
                .get_or_insert_with(|| Encoded::event(&event.namespace, None, &event.event))
        };
        match upper.connection.emit_encoded(&event.namespace, encoded.clone()) {
            Ok(()) => self.drain(env, lane),
            // It has left since.
            Err(EmitError::NotConnected(_)) => {}
            Err(error) => warn!(session = %self.key, %error, "an event for a room is lost"),
        }
    }

    /// Emits an event to one socket of this session.
    pub(crate) fn tell(&mut self, env: &mut Env, lane: &mut Lane, id: &SocketId, event: Event) {
        self.tell_at(env, lane, lane.position(), id, event);
    }

    /// As [`tell`](Self::tell), when the client has been told what the lane's log holds up to this position only.
    pub(crate) fn tell_at(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        position: Position,
        id: &SocketId,
        event: Event,
    ) {
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        let Some(socket) = upper.sockets.iter().find(|socket| socket.id == *id) else {
            return;
        };
        let namespace = socket.namespace.clone();
        let event = match env.shared.config.recovery.filter(|_| socket.recovery.is_some()) {
            Some(recovery) => {
                let place = self.history.push(position, id, &event, recovery.max_bytes);
                lane.changed(&self.key);
                event.with_offset(&place.offset())
            }
            None => event,
        };
        if socket.away.is_some() {
            return;
        }
        match upper.connection.emit(&namespace, &event) {
            Ok(()) => self.drain(env, lane),
            Err(EmitError::NotConnected(_)) => {}
            Err(error) => warn!(session = %self.key, %namespace, %error, "an event is lost"),
        }
    }

    pub(crate) fn mark_dirty(&mut self, env: &mut Env, lane: &mut Lane) {
        if !self.dirty {
            self.dirty = true;
            env.dirty.push(self.slot);
            lane.request_flush();
        }
    }

    /// The end of the lane's turn: what gathered goes out on the session's transport.
    pub(crate) fn flush(&mut self, env: &mut Env, lane: &mut Lane) {
        self.dirty = false;
        if self.frozen || !self.outgoing.has_unsent() {
            return;
        }
        match self.engine.transport() {
            Some(TransportName::Polling) if self.polling.hanging.is_none() => {}
            Some(TransportName::Polling) => {
                let (_, frames) = self.outgoing.send(POLL_ANSWER);
                self.polled = self.told(lane);
                lane.changed(&self.key);
                self.answer_poll(frames);
            }
            Some(TransportName::WebSocket) => self.write(env, lane),
            None => {}
        }
    }

    fn write(&mut self, env: &mut Env, lane: &mut Lane) {
        let Some(socket) = &self.socket else { return };
        let here = socket.address.ingress == *lane.node();
        let limit = if here {
            if env.sockets.is_blocked(socket.address.number) {
                // Comes again when it can be written to.
                return;
            }
            usize::MAX
        } else {
            match IN_FLIGHT.checked_sub(self.outgoing.in_flight()) {
                None | Some(0) => return,
                Some(left) => left,
            }
        };
        let base = self.outgoing.acknowledged();
        let (first, frames) = self.outgoing.send(limit);
        let address = socket.address.clone();
        env.order(
            lane,
            &address,
            Order::Frames {
                base,
                first,
                frames,
                told: self.told(lane),
            },
        );
    }

    /// How far the client is told with all that was sent so far; none while something is left to send.
    fn told(&self, lane: &Lane) -> Option<Place> {
        let place = Place {
            position: lane.position(),
            directs: self.history.count(),
        };
        (!self.outgoing.has_unsent()).then_some(place)
    }

    fn answer_poll(&mut self, frames: Vec<Frame>) {
        if let Some(HangingPoll { id, reply }) = self.polling.hanging.take() {
            self.polling.answered = Some(id);
            self.engine.poll_answered();
            reply.send(SessionReply::Pulled(frames));
        }
    }

    // Driving the machines

    /// Does what the two machines ask for until they ask for nothing, then lets the application go on.
    pub(crate) fn drive(&mut self, env: &mut Env, lane: &mut Lane) {
        loop {
            self.drain(env, lane);
            if !self.advance(env, lane) {
                break;
            }
        }
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
                    let address = socket.address.clone();
                    env.order(lane, &address, Order::Aside(Frame::pong_probe()));
                }
            }
            engineio::Output::ReleasePoll => {
                let frames = match self.engine.transport() {
                    Some(TransportName::Polling) if self.outgoing.has_unsent() => {
                        self.outgoing.send(POLL_ANSWER).1
                    }
                    _ => vec![Frame::noop()],
                };
                self.answer_poll(frames);
            }
            engineio::Output::Upgraded => {
                info!(session = %self.key, "upgraded to WebSocket");
                // The client has finished its last poll before it said so.
                self.outgoing.acknowledge_sent();
                self.mark_dirty(env, lane);
                self.relocated();
            }
            engineio::Output::ProbeFailed => self.close_socket(env, lane),
            engineio::Output::Closed(reason) => self.closed(env, lane, reason),
        }
    }

    fn close_socket(&mut self, env: &mut Env, lane: &mut Lane) {
        if let Some(socket) = self.socket.take() {
            env.order(lane, &socket.address, Order::Close);
        }
    }

    fn closed(&mut self, env: &mut Env, lane: &mut Lane, reason: CloseReason) {
        info!(session = %self.key, node = %lane.node(), %reason, "session ends");
        let base = self.outgoing.acknowledged();
        let (first, mut frames) = self.outgoing.send(usize::MAX);
        if self.polling.hanging.is_some() {
            frames.push(reason.farewell());
            self.answer_poll(frames);
        } else if let Some(socket) = &self.socket {
            let address = socket.address.clone();
            if !frames.is_empty() {
                env.order(
                    lane,
                    &address,
                    Order::Frames {
                        base,
                        first,
                        frames,
                        told: self.told(lane),
                    },
                );
            }
        }
        self.close_socket(env, lane);
        self.outgoing = Outgoing::default();
        if let Some(held) = self.held.take() {
            held.send(SessionReply::Done);
        }
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

    /// A job that is to be done again, before all others.
    pub(crate) fn requeue(&mut self, job: Job) {
        self.jobs_bytes += job.cost();
        self.jobs.push_front(job);
    }

    pub(crate) fn enqueue(&mut self, job: Job) {
        self.jobs_bytes += job.cost();
        self.jobs.push_back(job);
    }

    pub(crate) fn next_job(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.jobs_bytes -= job.cost();
        if self.jobs.is_empty() {
            self.jobs = VecDeque::new();
        }
        Some(job)
    }

    // Time

    pub(crate) fn tick(&mut self, env: &mut Env, lane: &mut Lane) {
        self.scheduled = None;
        self.engine.tick(lane.now());
        if let Upper::SocketIo(upper) = &mut self.upper {
            upper.connection.tick(lane.now());
        }
        self.expire_acks(lane.now());
        self.expire_away(env, lane);
        self.expire_reattachment(lane.now());
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
            self.reattach_by,
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
        self.jobs_bytes = 0;
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
