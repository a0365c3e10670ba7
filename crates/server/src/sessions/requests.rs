//! What clients and their nodes ask of a session, and what becomes of it when they are lost.

use bytes::Bytes;
use hither_cluster::NodeId;
use hither_engineio::{self as engineio, CloseReason, Refusal, TransportName};

use super::{
    direct::Delivered,
    env::{Env, Lane},
    session::{Reply, Session, SessionSocket},
};
use crate::request::{RequestId, SessionReply, SocketAddress, SocketFrame};

impl Session {
    pub(crate) fn push(&mut self, env: &mut Env, lane: &mut Lane, id: RequestId, body: Bytes, reply: Reply) {
        self.heard_at = lane.now();
        match self.engine.payload_arrived(engineio::payload::decode(body)) {
            Ok(packets) => self.put_payload(env, lane, id, packets, reply),
            Err(refusal) => {
                reply.send(SessionReply::Refused(refusal));
                self.drive(env, lane);
            }
        }
    }

    /// What the client is sending gets on.
    pub(crate) fn receiving(&mut self, lane: &Lane) {
        self.heard_at = lane.now();
        self.engine.receiving(lane.now());
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
                self.socket = Some(SessionSocket::new(address));
                lane.changed(&self.key);
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
        frames: Vec<SocketFrame>,
        reply: Reply,
    ) {
        if self
            .socket
            .as_ref()
            .is_none_or(|socket| socket.address != *address)
        {
            // A socket that the session gave up, such as a failed probe.
            return reply.send(SessionReply::Refused(Refusal::UnknownSid));
        }
        self.heard_at = lane.now();
        self.put_frames(env, lane, address.clone(), first, frames, reply);
    }

    pub(crate) fn socket_closed(&mut self, env: &mut Env, lane: &mut Lane, address: &SocketAddress) {
        if self.socket.take_if(|socket| socket.address == *address).is_some() {
            self.engine.websocket_closed();
            self.drive(env, lane);
        }
    }

    // What is lost

    /// A node is gone, and with it what of this session's client was there.
    pub(crate) fn members_changed(&mut self, env: &mut Env, lane: &mut Lane) {
        let view = lane.placement().view().clone();
        let gone = |node: &NodeId| view.member(node).is_none();
        if self
            .polling
            .hanging
            .as_ref()
            .is_some_and(|hanging| hanging.reply.peer().is_some_and(gone))
        {
            drop(self.drop_poll());
            self.lost_with_node();
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
    pub(crate) fn relinked(&mut self, env: &mut Env, lane: &mut Lane, peer: &NodeId) {
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
        if self.socket.as_ref().is_none_or(|socket| {
            socket.address.number != delivered.socket || socket.stream != delivered.stream
        }) || self.engine.transport() != Some(TransportName::WebSocket)
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
}
