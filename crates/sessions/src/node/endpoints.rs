//! The endpoints that landed at this node, and how they find their sockets.

use std::collections::{BTreeMap, BTreeSet};

use hither_replication::{NodeId, ShardId};

use super::{Node, Output, Timer};
use crate::{
    endpoint::Endpoint,
    ids::{AttachmentNumber, EndpointId, SocketId},
    message::{ClientPacket, ClosedBecause, Message, ServerPacket, ToEndpoint, ToSocket},
};

#[derive(Default)]
pub(super) struct Connections {
    endpoints: BTreeMap<EndpointId, Endpoint>,
    /// By the shard of their sockets.
    shards: BTreeMap<ShardId, BTreeSet<EndpointId>>,
}

impl Connections {
    pub(super) fn get(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(&id)
    }

    fn insert(&mut self, endpoint: Endpoint) {
        let there = self.shards.entry(endpoint.socket().shard).or_default();
        there.insert(endpoint.id());
        self.endpoints.insert(endpoint.id(), endpoint);
    }

    fn remove(&mut self, id: EndpointId) -> Option<Endpoint> {
        let endpoint = self.endpoints.remove(&id)?;
        let shard = endpoint.socket().shard;
        if let Some(there) = self.shards.get_mut(&shard) {
            there.remove(&id);
            if there.is_empty() {
                self.shards.remove(&shard);
            }
        }
        Some(endpoint)
    }
}

impl Node {
    pub(super) fn connect(&mut self, endpoint: Endpoint) {
        let id = endpoint.id();
        self.connections.insert(endpoint);
        self.attach(id);
    }

    pub(super) fn on_client(&mut self, id: EndpointId, packet: ClientPacket) {
        let Some(endpoint) = self.connections.endpoints.get_mut(&id) else {
            return;
        };
        if endpoint.is_full() {
            // Whoever reads the client did not look: nothing is dropped in silence.
            let (endpoint, packet) = (id, ServerPacket::Closed(ClosedBecause::Overrun));
            self.outputs.push(Output::ToClient { endpoint, packet });
            self.on_client_lost(id);
            return;
        }
        let message = endpoint.push(packet);
        self.say(id, message);
    }

    pub(super) fn on_client_lost(&mut self, id: EndpointId) {
        if self.connections.endpoints.contains_key(&id) {
            self.say(id, ToSocket::Lost);
            self.connections.remove(id);
        }
    }

    /// Attaches all that want sockets of a shard: it is held by another node than before, or anew by the same, which knows of
    /// no endpoint then.
    pub(super) fn attach_all(&mut self, shard: ShardId) {
        let there = self.connections.shards.get(&shard).cloned();
        there.into_iter().flatten().for_each(|id| self.attach(id));
    }

    /// What was on its way to a holder, or from it, may be lost.
    pub(super) fn reattach_to(&mut self, holder: &NodeId) {
        let shards = self.connections.shards.keys().copied();
        let is_there = |shard: &ShardId| self.core.claim(*shard).is_some_and(|it| it.holder() == holder);
        let there: Vec<ShardId> = shards.filter(is_there).collect();
        there.into_iter().for_each(|shard| self.attach_all(shard));
    }

    pub(super) fn attach_again(&mut self, id: EndpointId, attachment: AttachmentNumber) {
        let is_waiting = |it: &Endpoint| !it.is_attached() && it.attachment() == attachment;
        if self.connections.get(id).is_some_and(is_waiting) {
            self.attach(id);
        }
    }

    fn attach(&mut self, id: EndpointId) {
        let Some(endpoint) = self.connections.endpoints.get_mut(&id) else {
            return;
        };
        let messages = endpoint.attach();
        let timer = Timer::Attach(id, endpoint.attachment());
        for message in messages {
            self.say(id, message);
        }
        self.wake_in(self.settings.core.retry, timer);
    }

    /// What cannot be sent now is said again with the next attachment.
    fn say(&mut self, id: EndpointId, message: ToSocket) {
        let Some(endpoint) = self.connections.get(id) else {
            return;
        };
        let (socket, attachment): (SocketId, _) = (endpoint.socket(), endpoint.attachment());
        let Some(holder) = self.core.claim(socket.shard).map(|claim| claim.holder().clone()) else {
            return;
        };
        let message = Message::ToSocket {
            endpoint: id,
            attachment,
            socket,
            message,
        };
        self.send(&holder, message);
    }

    pub(super) fn on_socket(&mut self, id: EndpointId, attachment: AttachmentNumber, message: ToEndpoint) {
        let Some(endpoint) = self.connections.endpoints.get_mut(&id) else {
            return;
        };
        #[cfg(test)]
        let attachment = match self.mutant {
            Some(crate::simulation::Mutant::HearFormerAttachments) => endpoint.attachment(),
            _ => attachment,
        };
        let received = endpoint.receive(attachment, message);
        for packet in received.packets {
            let endpoint = id;
            self.outputs.push(Output::ToClient { endpoint, packet });
        }
        if let Some(reply) = received.reply {
            self.say(id, reply);
        }
        if received.is_closed {
            self.connections.remove(id);
        }
    }
}
