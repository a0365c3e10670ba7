//! What clients do.

use hither_replication::{NodeId, ShardId};

use super::{Verdict, app::bytes, client::Client, world::World};
use crate::{ClientPacket, EndpointId, How, Input, ServerPacket, SocketId};

impl World {
    pub(super) fn tell_client(&mut self, endpoint: EndpointId, packet: ServerPacket) {
        self.log(|| format!("    to {endpoint:?}: {packet:?}"));
        for client in &mut self.clients {
            if let Some(connection) = &mut client.connection
                && connection.endpoint == endpoint
            {
                connection.incoming.push_back(packet);
                return;
            }
        }
    }

    pub(super) fn new_client(&mut self, shard: ShardId) -> usize {
        self.sockets += 1;
        let number = self.sockets;
        self.clients.push(Client::new(SocketId { shard, number }));
        self.clients.len() - 1
    }

    /// A client connects to a node, for the first time or again.
    pub(super) fn connect(&mut self, client: usize, node: &NodeId) {
        self.endpoints += 1;
        let endpoint = EndpointId(self.endpoints);
        let it = &mut self.clients[client];
        let socket = it.socket;
        let how = if it.was_connected {
            How::Return(it.offset.clone())
        } else {
            // Its first connection may have been lost before it knew: a stock client begins anew then.
            self.sockets += 1;
            it.socket.number = self.sockets;
            How::Open {
                auth: bytes("somebody"),
                life: u32::try_from(self.sockets).expect("few sockets"),
            }
        };
        let socket = if it.was_connected { socket } else { it.socket };
        it.connect(endpoint, node.clone());
        self.log(|| {
            format!(
                "client {} connects to {node} as {endpoint:?}: {how:?}",
                socket.number
            )
        });
        self.give(
            node,
            Input::Connected {
                endpoint,
                socket,
                how,
            },
        );
    }

    /// A client's connection is lost. Its node may not know of it yet.
    pub(super) fn lose(&mut self, client: usize, is_known: bool) {
        let Some(connection) = self.clients[client].connection.take() else {
            return;
        };
        let (endpoint, node) = (connection.endpoint, connection.node);
        self.log(|| format!("{endpoint:?} of {node} is lost, known: {is_known}"));
        self.zombies.push((endpoint, node));
        if is_known {
            self.bury(self.zombies.len() - 1);
        }
    }

    /// A node notices that a connection is lost.
    pub(super) fn bury(&mut self, zombie: usize) {
        let (endpoint, node) = self.zombies.remove(zombie);
        self.give(&node, Input::ClientLost(endpoint));
    }

    /// A client asks for something, in words that its number ends. Returns that.
    pub(super) fn ask(&mut self, client: usize, words: &str) -> u64 {
        self.last_x += 1;
        let (x, step) = (self.last_x, self.step);
        let it = &mut self.clients[client];
        let Some(connection) = it.connection.clone() else {
            return x;
        };
        let event = format!("{words} {x}");
        it.ask(x, event.clone(), step);
        let number = it.socket.number;
        self.log(|| format!("client {number} asks for {event}"));
        self.send(
            &connection.node,
            connection.endpoint,
            ClientPacket::Event {
                event: bytes(event),
                ack: Some(x),
            },
        );
        x
    }

    /// A client answers what it was asked first.
    pub(super) fn answer(&mut self, client: usize) {
        let Some(connection) = &mut self.clients[client].connection else {
            return;
        };
        if connection.asked.is_empty() {
            return;
        }
        let asked = connection.asked.remove(0);
        let (node, endpoint) = (connection.node.clone(), connection.endpoint);
        let answer = bytes("yes");
        self.send(&node, endpoint, ClientPacket::Ack { asked, answer });
    }

    pub(super) fn leave(&mut self, client: usize) {
        if let Some(connection) = self.clients[client].connection.clone() {
            self.clients[client].is_leaving = true;
            self.send(&connection.node, connection.endpoint, ClientPacket::Disconnect);
        }
    }

    fn send(&mut self, node: &NodeId, endpoint: EndpointId, packet: ClientPacket) {
        self.give(node, Input::Client { endpoint, packet });
    }

    /// A client reads one thing of what has come to it.
    pub(super) fn read(&mut self, client: usize) -> Verdict {
        self.step += 1;
        self.clients[client].read(self.step)
    }

    /// The same, and says whether there was anything.
    pub(super) fn read_one(&mut self, client: usize) -> Result<bool, String> {
        let connection = self.clients[client].connection.as_ref();
        let has_mail = connection.is_some_and(|it| !it.incoming.is_empty());
        self.read(client)?;
        Ok(has_mail)
    }
}
