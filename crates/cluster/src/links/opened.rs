//! A connection on which a life of a link may begin.

use std::net::SocketAddr;

use tokio::{net::TcpStream, sync::OwnedSemaphorePermit};

use super::{
    envelope::LifeId,
    stream::{LinkStream, StreamId},
};
use crate::member::NodeId;

/// A connection on which a life of a link may begin.
pub(super) struct Opened {
    pub(super) id: StreamId,
    pub(super) stream: LinkStream,
    pub(super) life: LifeId,
    pub(super) address: SocketAddr,
    pub(super) origin: Origin,
}

/// Who opened a connection.
pub(super) enum Origin {
    /// This node did, to reach that peer.
    Dialled(NodeId),
    /// A stranger, until the handshake is done. It takes up a place until then.
    Accepted(OwnedSemaphorePermit),
}

impl Opened {
    pub(super) fn new(tcp: TcpStream, life: LifeId, address: SocketAddr, origin: Origin) -> Self {
        let id = StreamId::next();
        Self {
            id,
            stream: LinkStream::new(id, tcp),
            life,
            address,
            origin,
        }
    }
}
