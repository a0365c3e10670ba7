//! A connection on which a life of a link may begin.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::{
    envelope::LifeId,
    hello::Secured,
    stream::{LinkStream, StreamId},
};
use crate::{
    member::{NodeId, NodeName},
    secret::LinkKey,
    version::WireVersion,
};

/// A connection on which a life of a link may begin.
pub(super) struct Opened {
    pub(super) id: StreamId,
    pub(super) stream: LinkStream,
    pub(super) bearings: Bearings,
}

/// What is known of a connection before its handshake.
#[derive(Clone, Debug)]
pub(super) struct Bearings {
    pub(super) life: LifeId,
    /// Who is at the other end, as the hello has it.
    pub(super) peer: NodeId,
    /// The other end of the TCP connection: the peer, or the relay.
    pub(super) address: SocketAddr,
    pub(super) way: Way,
    pub(super) side: Side,
    /// By which of the cluster's secrets the two ends know each other.
    pub(super) key: LinkKey,
    /// What both speak.
    pub(super) version: WireVersion,
}

/// How two nodes reach each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    Direct,
    /// Through this third node, the relay.
    Via(NodeId),
}

/// Which end of a connection this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Dialled,
    Accepted,
}

impl Opened {
    pub(super) fn new(tcp: TcpStream, secured: Secured, bearings: Bearings) -> Self {
        let id = StreamId::next();
        let Secured { sealer, opener, .. } = secured;
        Self {
            id,
            stream: LinkStream::new(id, tcp, sealer, opener),
            bearings,
        }
    }
}

impl Way {
    /// The name of the relay, if there is one.
    pub(super) fn via(&self) -> Option<&NodeName> {
        match self {
            Self::Direct => None,
            Self::Via(relay) => Some(&relay.name),
        }
    }
}
