//! Dialling peers, again and again while they are members.

use std::{collections::BTreeMap, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use ractor::ActorRef;
use tokio::{
    net::TcpStream,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::{
    course::{Attempt, Course},
    envelope::LifeId,
    gateway::{Event, GatewayMessage},
    hello::{Greeter, HELLO_TIMEOUT, HelloError, Secured, Wish},
    opened::{Bearings, Opened, Side, Way},
    stream::StreamId,
};
use crate::member::{NodeId, View};

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Has a connection, or is about to have one, with each peer that this node must dial.
///
/// Of two members the one with the lower id dials. So there is one connection for each pair, and the dialler knows when
/// it needs another.
pub(super) struct Dialler {
    greeter: Greeter,
    gateway: ActorRef<GatewayMessage>,
    view: Arc<View>,
    dials: BTreeMap<NodeId, Dial>,
}

/// The dialling of one peer.
struct Dial {
    address: SocketAddr,
    course: Course,
    attempt: Option<AbortOnDropHandle<()>>,
}

/// Why a peer was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("no connection within {CONNECT_TIMEOUT:?}")]
    ConnectTimeout,
    #[error("no answer within {HELLO_TIMEOUT:?}")]
    Silent(#[from] Elapsed),
    #[error("no greeting: {0}")]
    Hello(#[from] HelloError),
}

impl Dialler {
    pub(super) fn new(greeter: Greeter, gateway: ActorRef<GatewayMessage>, view: Arc<View>) -> Self {
        Self {
            greeter,
            gateway,
            view,
            dials: BTreeMap::new(),
        }
    }

    /// Dials who has come into the view, and gives up who has left it.
    pub(super) fn follow(&mut self, view: Arc<View>) {
        self.view = view.clone();
        self.dials.retain(|peer, _| view.member(peer).is_some());
        for member in view.others() {
            if self.greeter.me < member.id && !self.dials.contains_key(&member.id) {
                let mut course = Course::new(rand::random_range(0..=usize::MAX));
                let first = course.begin();
                let dial = Dial {
                    address: member.link,
                    course,
                    attempt: None,
                };
                self.dials.insert(member.id.clone(), dial);
                self.dial(&member.id, first);
            }
        }
    }

    /// A connection to the peer has come about. False if it is no longer wanted.
    pub(super) fn opened(&mut self, peer: &NodeId, stream: StreamId, way: &Way) -> bool {
        let Some(dial) = self.dials.get_mut(peer) else {
            return false;
        };
        dial.attempt = None;
        if let Some(attempt) = dial.course.opened(stream, way) {
            self.dial(peer, attempt);
        }
        true
    }

    /// The peer was not reached: tries again, after a while and by any of these relays.
    pub(super) fn unreached(&mut self, peer: &NodeId, way: &Way, error: &DialError, relays: &[NodeId]) {
        let course = self.dials.get_mut(peer).map(|dial| &mut dial.course);
        if let Some(attempt) = course.and_then(|course| course.unreached(relays)) {
            self.again(peer, way, error, attempt);
        }
    }

    /// A connection to the peer has ended: tries again, as above.
    pub(super) fn ended(
        &mut self,
        peer: &NodeId,
        stream: StreamId,
        way: &Way,
        reason: &dyn fmt::Display,
        relays: &[NodeId],
    ) {
        let course = self.dials.get_mut(peer).map(|dial| &mut dial.course);
        if let Some(attempt) = course.and_then(|course| course.ended(stream, relays)) {
            self.again(peer, way, reason, attempt);
        }
    }

    /// The link on a connection to the peer works.
    pub(super) fn lasted(&mut self, peer: &NodeId, stream: StreamId) {
        if let Some(dial) = self.dials.get_mut(peer) {
            dial.course.lasted(stream);
        }
    }

    /// Dials nobody any more.
    pub(super) fn hang_up(&mut self) {
        self.dials.clear();
    }

    fn again(&mut self, peer: &NodeId, way: &Way, reason: &dyn fmt::Display, attempt: Attempt) {
        let Some(Dial { address, course, .. }) = self.dials.get(peer) else {
            return;
        };
        let (node, incarnation, failures) = (&peer.name, peer.incarnation.0, course.failures());
        let via = way.via().map(tracing::field::display);
        if failures < 2 || !failures.is_power_of_two() {
            debug!(peer = %node, incarnation, %address, via, %reason, failures, "dialling again");
        } else {
            warn!(peer = %node, incarnation, %address, via, %reason, failures, "no link yet; dialling again");
        }
        self.dial(peer, attempt);
    }

    fn dial(&mut self, peer: &NodeId, Attempt { way, after }: Attempt) {
        let Some(dial) = self.dials.get_mut(peer) else {
            return;
        };
        let address = match &way {
            Way::Direct => Some(dial.address),
            Way::Via(relay) => self.view.member(relay).map(|relay| relay.link),
        };
        let call = Call {
            greeter: self.greeter.clone(),
            peer: peer.clone(),
            // Relays are members of this view. If one were not, the peer itself would do.
            way: if address.is_some() { way } else { Way::Direct },
            address: address.unwrap_or(dial.address),
        };
        // Nodes that lost each other at the same time must not come back at the same time.
        let after = after.mul_f64(rand::random_range(0.8..1.0));
        let task = tokio::spawn(call.make(after, self.gateway.clone()));
        dial.attempt = Some(AbortOnDropHandle::new(task));
    }
}

/// One attempt to reach a peer.
struct Call {
    greeter: Greeter,
    peer: NodeId,
    way: Way,
    /// Of the peer, or of the relay.
    address: SocketAddr,
}

impl Call {
    /// Opens a connection to the peer, after a while, and reports how that went.
    async fn make(self, after: Duration, gateway: ActorRef<GatewayMessage>) {
        sleep(after).await;
        let event = match self.connect().await {
            Ok(opened) => Event::Opened(Box::new(opened)),
            Err(error) => Event::DialFailed {
                peer: self.peer,
                way: self.way,
                error,
            },
        };
        // Without a gateway there is nobody who would miss it.
        gateway.cast(GatewayMessage::Local(event)).ok();
    }

    async fn connect(&self) -> Result<Opened, DialError> {
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address));
        let mut tcp = connecting.await.map_err(|_| DialError::ConnectTimeout)??;
        tcp.set_nodelay(true)?;
        let life = LifeId(rand::random());
        let secured = self.greet(&mut tcp, life).await?;
        let bearings = Bearings {
            life,
            peer: self.peer.clone(),
            address: self.address,
            way: self.way.clone(),
            side: Side::Dialled,
            key: secured.key.clone(),
            version: secured.version,
        };
        Ok(Opened::new(tcp, secured, bearings))
    }

    /// Greets the peer, on a way through a relay if need be.
    async fn greet(&self, tcp: &mut TcpStream, life: LifeId) -> Result<Secured, DialError> {
        if let Way::Via(relay) = &self.way {
            let wish = Wish::PassOn(self.peer.clone());
            timeout(HELLO_TIMEOUT, self.greeter.greet(tcp, relay, wish)).await??;
        }
        let way = self.way.clone();
        let wish = Wish::Link { life, way };
        Ok(timeout(HELLO_TIMEOUT, self.greeter.greet(tcp, &self.peer, wish)).await??)
    }
}
