//! What we ask of `ractor_cluster`: its handshake, and a way to the peer's gateway.
//!
//! Its handshake proves nothing to us: it gets streams whose two ends know each other.

use std::net::{IpAddr, Ipv4Addr};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, pg};
use ractor_cluster::{
    NodeEventSubscription, NodeServer, NodeServerMessage,
    node::{NodeConnectionMode, NodeServerSessionInformation},
};
use tracing::warn;

use super::{
    LinkLimits,
    envelope::{HEADER, MESSAGE_HEADER},
    gateway::{Event, GatewayMessage, SCOPE},
    identity::{gateway_group, library_name, parse_library_name},
    opened::Side,
    stream::{LinkStream, StreamId},
};
use crate::member::NodeId;

/// What the library adds to an envelope at most: three nested lengths, the receiving actor and no more.
pub(super) const FRAME_OVERHEAD: usize = 64;

/// The library wants one. Nobody gets to say it who has not proved more.
const COOKIE: &str = "hither";

/// A connection on which the library's handshake is done.
pub(super) struct Session {
    pub(super) stream: StreamId,
    /// Who is there, by the library's name for it; `None` if that is no name of a node.
    pub(super) peer: Option<NodeId>,
    /// The peer's gateway, if it has one.
    pub(super) gateway: Option<ActorRef<GatewayMessage>>,
}

/// The largest frame that a peer with the same limits may send.
pub(super) fn frame_limit(limits: &LinkLimits) -> usize {
    limits.batch.max(limits.message + MESSAGE_HEADER) + HEADER + FRAME_OVERHEAD
}

/// Starts the library's actors, under the gateway.
///
/// The library insists on a port of its own. It gets one on loopback, and whatever comes in there is turned away: links
/// come in at ours, where we can cut them.
pub(super) async fn start(
    me: &NodeId,
    frame_limit: usize,
    gateway: &ActorRef<GatewayMessage>,
) -> Result<ActorRef<NodeServerMessage>, ActorProcessingErr> {
    const ANY_PORT: u16 = 0;
    // The library takes a peer with its own host and port for itself, so the host must be unique.
    let host = me.name.to_string();
    let mode = Some(NodeConnectionMode::Isolated);
    let server = NodeServer::new(ANY_PORT, COOKIE.to_owned(), library_name(me), host, None, mode)
        .with_listen_addr(IpAddr::V4(Ipv4Addr::LOCALHOST))
        .with_max_inbound_frame_size(frame_limit as u64);
    let (server, _) = Actor::spawn_linked(None, server, (), gateway.get_cell()).await?;
    server.cast(NodeServerMessage::SubscribeToEvents {
        id: "gateway".to_owned(),
        subscription: Box::new(Subscription {
            gateway: gateway.clone(),
        }),
    })?;
    Ok(server)
}

/// Begins the handshake on a connection. False if the library has ended, and is about to be started again.
pub(super) fn connect(library: &ActorRef<NodeServerMessage>, stream: LinkStream, side: Side) -> bool {
    let stream = Box::new(stream);
    library
        .cast(NodeServerMessage::ConnectionOpenedExternal {
            stream,
            is_server: side == Side::Accepted,
        })
        .is_ok()
}

/// Tells the gateway what the library does with its connections.
struct Subscription {
    gateway: ActorRef<GatewayMessage>,
}

impl Subscription {
    fn tell(&self, event: Event) {
        // A gateway that has ended takes the library with it.
        self.gateway.cast(GatewayMessage::Local(event)).ok();
    }
}

impl NodeEventSubscription for Subscription {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        if StreamId::from_label(&session.peer_addr).is_none() {
            warn!(
                address = session.peer_addr,
                "refused a connection at a port that is not for links"
            );
            session.actor.stop(None);
        }
    }

    fn node_session_authenticated(&self, _session: NodeServerSessionInformation) {}

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        if let Some(stream) = StreamId::from_label(&session.peer_addr) {
            let peer = session.peer_name.and_then(|name| parse_library_name(&name.name));
            let gateway = peer.as_ref().and_then(|peer| find_gateway(peer, session.node_id));
            self.tell(Event::Ready(Session {
                stream,
                peer,
                gateway,
            }));
        }
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        if let Some(stream) = StreamId::from_label(&session.peer_addr) {
            self.tell(Event::Closed(stream));
        }
    }
}

/// A peer's gateway, as reached by this session and no other.
///
/// Nodes tell each other of their groups before they are ready, so it is there if it is at all.
fn find_gateway(peer: &NodeId, session: ractor_cluster::NodeId) -> Option<ActorRef<GatewayMessage>> {
    let members = pg::get_scoped_members(&SCOPE.to_owned(), &gateway_group(peer));
    let reached = |id: ActorId| matches!(id, ActorId::Remote { node_id, .. } if node_id == session);
    members
        .into_iter()
        .find(|member| reached(member.get_id()))
        .map(Into::into)
}
