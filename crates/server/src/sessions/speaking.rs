//! What a session tells its client: gathered during the lane's turn, sent at its end.

use hither_cluster::{CommitId, Missed, NodeId, Position, Publication};
use hither_engineio::{CloseReason, Frame, TransportName};
use hither_socketio::{EmitError, Encoded, Event, SocketId};
use tracing::warn;

use super::{
    commitment::Milestone,
    direct::Order,
    env::{Env, Lane},
    history::{Place, Telling},
    session::{NamespaceSocket, Session, Upper},
};
use crate::room::RoomEvent;

/// Bytes that may be on their way to a socket on another node. Enough to keep a link busy between two acknowledgements.
const IN_FLIGHT: usize = 256 << 10;

/// Bytes that wait for a client who is behind.
pub(super) const BEHIND: usize = 16 << 10;

/// An event for a room, as it comes to the sessions of a lane.
pub(crate) struct Heard<'a> {
    pub(crate) event: &'a RoomEvent,
    /// Where whoever has heard it is in the lane's log.
    pub(crate) position: Position,
    /// Its origin and its number there; none if it is for this node alone and stands in no log.
    pub(crate) published: Option<(&'a NodeId, u64)>,
    /// Whether those who are behind need not hear it.
    pub(crate) is_volatile: bool,
}

impl<'a> Heard<'a> {
    pub(crate) fn of(publication: &'a Publication<RoomEvent>, position: Position) -> Self {
        let published = Some((&publication.origin, publication.number));
        Self {
            event: &publication.payload,
            position,
            published,
            is_volatile: false,
        }
    }

    /// What stands in no log.
    pub(crate) fn unpublished(event: &'a RoomEvent, position: Position) -> Self {
        Self {
            event,
            position,
            published: None,
            is_volatile: false,
        }
    }
}

/// An event for a room in the two forms that clients hear, each made when the first of them hears it.
#[derive(Default)]
pub(crate) struct EncodedEvent {
    plain: Option<Encoded>,
    with_offset: Option<Encoded>,
}

impl NamespaceSocket {
    /// Whether an event is for this socket, whose client is there and has not heard it.
    fn hears(&self, heard: &Heard<'_>) -> bool {
        let knows = heard
            .published
            .is_some_and(|(origin, number)| self.epochs.knew(origin, number));
        self.away.is_none() && !knows && self.is_addressed(heard.event)
    }
}

impl Session {
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
                "the client does not read; closing its session"
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
        // A dormant session hears what it missed once it knows from where on.
        if self.is_dormant() || heard.is_volatile && self.outgoing.bytes() > BEHIND {
            return;
        }
        let event = heard.event;
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        let Some(socket) = upper.sockets.iter().find(|socket| socket.hears(heard)) else {
            return;
        };
        if let Some(published) = heard.published
            && socket.epochs.is_before(heard.position)
        {
            // Its place is in an earlier epoch: in this one it counts as told to this socket alone.
            let (id, published) = (socket.id.clone(), Some((published.0.clone(), published.1)));
            let event = event.event.clone();
            return self.tell_at(env, lane, heard.position, &id, Telling { event, published });
        }
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

    /// What was said to rooms of this session's sockets while it could not hear. `position` is before all of it.
    pub(crate) fn hear_missed(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        position: Position,
        missed: &Missed<RoomEvent>,
    ) {
        for publication in &missed.before {
            if let Some(socket) = self.listener(&Heard::of(publication, position)) {
                // For no position in the lane's log stands for it, it counts as told to this socket alone.
                self.tell_at(env, lane, position, &socket, Telling::of(publication));
            }
        }
        for entry in &missed.entries {
            let heard = Heard::of(&entry.publication, entry.position);
            self.hear(env, lane, &heard, &mut EncodedEvent::default());
        }
    }

    /// The socket for which an event is, if its client is there and has not heard it.
    fn listener(&self, heard: &Heard<'_>) -> Option<SocketId> {
        let Upper::SocketIo(upper) = &self.upper else {
            return None;
        };
        let listener = upper.sockets.iter().find(|socket| socket.hears(heard));
        listener.map(|socket| socket.id.clone())
    }

    /// Emits an event to one socket of this session.
    pub(crate) fn tell(&mut self, env: &mut Env, lane: &mut Lane, id: &SocketId, event: Event) {
        self.tell_at(env, lane, lane.position(), id, event.into());
    }

    /// As [`tell`](Self::tell), when the client has been told what the lane's log holds up to this position only.
    pub(crate) fn tell_at(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        position: Position,
        id: &SocketId,
        telling: Telling,
    ) {
        let Upper::SocketIo(upper) = &self.upper else {
            return;
        };
        let Some(socket) = upper.sockets.iter().find(|socket| socket.id == *id) else {
            return;
        };
        let namespace = socket.namespace.clone();
        let position = socket.epochs.within(position);
        self.commitment.owe();
        let event = match env.shared.config.recovery.filter(|_| socket.recovery.is_some()) {
            Some(recovery) => {
                let place = self.history.push(position, id, &telling, recovery.max_bytes);
                lane.changed(&self.key);
                telling.event.with_offset(&place.offset())
            }
            None => telling.event,
        };
        if socket.away.is_some() || !self.is_current(&namespace, id) {
            return;
        }
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        match upper.connection.emit(&namespace, &event) {
            Ok(()) => self.drain(env, lane),
            Err(EmitError::NotConnected(_)) => {}
            Err(error) => warn!(session = %self.key, %namespace, %error, "an event is lost"),
        }
    }

    /// What would be sent waits until the lane looks again whether the link to where it goes has room.
    pub(super) fn stall(&mut self, env: &mut Env) {
        if !self.is_stalled {
            self.is_stalled = true;
            env.shared.counters.stalled.up();
            env.stalled.push(self.slot);
        }
    }

    pub(super) fn go_on_after_stall(&mut self, env: &mut Env, lane: &mut Lane) {
        self.mark_dirty(env, lane);
        self.drive(env, lane);
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
        if self.frozen || self.is_dormant() || !self.outgoing.has_unsent() {
            return;
        }
        match self.engine.transport() {
            Some(TransportName::Polling) => self.offer_answer(env, lane),
            Some(TransportName::WebSocket) => {
                let all = Milestone {
                    end: self.outgoing.end(),
                    told: Some(self.place(lane)),
                };
                self.commitment.turn_ends(all, || lane.commit(&self.key));
                if self.outgoing.next() < self.commitment.released().end {
                    self.write(env, lane);
                }
            }
            None => {}
        }
    }

    /// The standby knows how this session is.
    pub(crate) fn committed(&mut self, env: &mut Env, lane: &mut Lane, commit: CommitId) {
        self.answer_committed(commit);
        if self.commitment.committed(commit) {
            self.write(env, lane);
            if self.outgoing.has_unsent() {
                self.mark_dirty(env, lane);
            }
        }
    }

    /// Tells the WebSocket what it may be told, and can take.
    pub(super) fn write(&mut self, env: &mut Env, lane: &mut Lane) {
        let Some(socket) = &self.socket else { return };
        let here = socket.address.ingress == *lane.node();
        let limit = if here {
            if env.sockets.is_blocked(socket.address.number) {
                // Comes again when it can be written to.
                return;
            }
            usize::MAX
        } else {
            if lane.is_congested(&socket.address.ingress) {
                return self.stall(env);
            }
            match IN_FLIGHT.checked_sub(self.outgoing.in_flight()) {
                None | Some(0) => return,
                Some(left) => left,
            }
        };
        let released = self.commitment.released();
        let base = self.outgoing.acknowledged();
        let (first, frames) = self.outgoing.send_before(released.end, limit);
        let told = released.told.filter(|_| self.outgoing.next() == released.end);
        let socket = socket.clone();
        env.order(
            lane,
            &socket,
            Order::Frames {
                base,
                first,
                frames,
                told,
            },
        );
    }

    /// How far the client is told with all that there is to say now.
    pub(super) fn place(&self, lane: &Lane) -> Place {
        Place {
            position: lane.position(),
            directs: self.history.count(),
        }
    }
}
