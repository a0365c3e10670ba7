//! Dialling peers, again and again while they are members.

use std::{collections::BTreeMap, fmt, io, net::SocketAddr, time::Duration};

use ractor::ActorRef;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::{
    envelope::LifeId,
    gateway::{Event, GatewayMessage},
    hello::{self, HELLO_TIMEOUT},
    opened::{Opened, Origin},
};
use crate::member::{NodeId, View};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait before dialling again: doubles from the first to the last.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_secs(1);

/// Has a connection, or is about to have one, with each peer that this node must dial.
///
/// Of two members the one with the lower id dials. So there is one connection for each pair, and the dialler knows when
/// it needs another.
pub(super) struct Dialler {
    me: NodeId,
    gateway: ActorRef<GatewayMessage>,
    dials: BTreeMap<NodeId, Dial>,
}

/// The dialling of one peer.
struct Dial {
    address: SocketAddr,
    /// In a row.
    failures: u32,
    state: State,
}

enum State {
    Dialling { _task: AbortOnDropHandle<()> },
    Connected,
}

impl Dialler {
    pub(super) fn new(me: NodeId, gateway: ActorRef<GatewayMessage>) -> Self {
        Self {
            me,
            gateway,
            dials: BTreeMap::new(),
        }
    }

    /// Dials who has come into the view, and gives up who has left it.
    pub(super) fn follow(&mut self, view: &View) {
        self.dials.retain(|peer, _| view.member(peer).is_some());
        for member in view.others() {
            if self.me < member.id && !self.dials.contains_key(&member.id) {
                self.dial(&member.id, member.link, 0);
            }
        }
    }

    /// A connection to the peer has come about. False if it is no longer wanted.
    pub(super) fn connected(&mut self, peer: &NodeId) -> bool {
        let dial = self.dials.get_mut(peer);
        dial.map(|dial| dial.state = State::Connected).is_some()
    }

    /// The peer was not reached, or its connection has ended: dials again, after a while.
    pub(super) fn failed(&mut self, peer: &NodeId, reason: &dyn fmt::Display) {
        let Some(Dial {
            address, failures, ..
        }) = self.dials.get(peer)
        else {
            return;
        };
        let (address, failures) = (*address, failures + 1);
        let (node, incarnation) = (&peer.name, peer.incarnation.0);
        if failures == 1 || !failures.is_power_of_two() {
            debug!(peer = %node, incarnation, %address, %reason, failures, "dialling again");
        } else {
            warn!(peer = %node, incarnation, %address, %reason, failures, "no link yet, and dialling on");
        }
        self.dial(peer, address, failures);
    }

    /// The link with the peer works: its failures are forgotten.
    pub(super) fn succeeded(&mut self, peer: &NodeId) {
        if let Some(dial) = self.dials.get_mut(peer) {
            dial.failures = 0;
        }
    }

    /// Dials nobody any more.
    pub(super) fn hang_up(&mut self) {
        self.dials.clear();
    }

    fn dial(&mut self, peer: &NodeId, address: SocketAddr, failures: u32) {
        let task = tokio::spawn(dial(
            peer.clone(),
            address,
            backoff(failures),
            self.gateway.clone(),
        ));
        let state = State::Dialling {
            _task: AbortOnDropHandle::new(task),
        };
        self.dials.insert(
            peer.clone(),
            Dial {
                address,
                failures,
                state,
            },
        );
    }
}

/// How long to wait before dialling, after so many failures in a row.
fn backoff(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    let longest = FIRST_BACKOFF
        .saturating_mul(1 << doublings.min(16))
        .min(LAST_BACKOFF);
    // Nodes that lost each other at the same time must not come back at the same time.
    longest.mul_f64(rand::random_range(0.8..1.0))
}

/// Opens a connection to a peer, after a while, and reports how that went.
async fn dial(peer: NodeId, address: SocketAddr, after: Duration, gateway: ActorRef<GatewayMessage>) {
    sleep(after).await;
    let event = match connect(&peer, address).await {
        Ok(opened) => Event::Opened(Box::new(opened)),
        Err(error) => Event::DialFailed { peer, error },
    };
    // Without a gateway there is nobody who would miss it.
    gateway.cast(GatewayMessage::Local(event)).ok();
}

async fn connect(peer: &NodeId, address: SocketAddr) -> io::Result<Opened> {
    let mut tcp = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await??;
    tcp.set_nodelay(true)?;
    let life = LifeId(rand::random());
    timeout(HELLO_TIMEOUT, hello::send(&mut tcp, life)).await??;
    Ok(Opened::new(tcp, life, address, Origin::Dialled(peer.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_a_second() {
        assert_eq!(backoff(0), Duration::ZERO);
        for (failures, longest) in [
            (1, 50),
            (2, 100),
            (3, 200),
            (4, 400),
            (5, 800),
            (6, 1000),
            (1000, 1000),
        ] {
            let (wait, longest) = (backoff(failures), Duration::from_millis(longest));
            assert!(
                wait <= longest && wait >= longest.mul_f64(0.79),
                "{failures} failures: {wait:?}"
            );
        }
    }
}
