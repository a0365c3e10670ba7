//! Opening connections: dialling the peers, and accepting those that dial this node.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use ractor::ActorRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{
    envelope::LifeId,
    gateway::{Event, GatewayMessage},
    hello,
    stream::{LinkStream, StreamId},
};
use crate::{member::NodeId, throttle::Throttle};

/// How long a connection may take to come about, and then its first bytes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// How many accepted connections may be short of a finished handshake; more wait in the kernel. Each may make this node
/// hold one frame of the largest size.
const STRANGERS: usize = 32;

/// How long to wait after a failed accept: most likely this process is out of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How long to wait before dialling again: doubles from the first to the last.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_secs(1);

/// A connection on which a life may begin.
pub(super) struct Opened {
    pub(super) id: StreamId,
    pub(super) stream: LinkStream,
    pub(super) life: LifeId,
    pub(super) address: SocketAddr,
    pub(super) origin: Origin,
}

impl Opened {
    /// Whether this node has opened it.
    pub(super) fn is_dialled(&self) -> bool {
        matches!(self.origin, Origin::Dialled(_))
    }
}

/// Who opened a connection.
pub(super) enum Origin {
    /// This node did, to reach that peer.
    Dialled(NodeId),
    /// A stranger, until the handshake is done. It takes up a place until then.
    Accepted { _place: OwnedSemaphorePermit },
}

/// How long to wait before dialling for the time after `failures` in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    // Two nodes that lost each other must not get in each other's way for ever.
    FIRST_BACKOFF
        .saturating_mul(1 << doublings.min(16))
        .min(LAST_BACKOFF)
        .mul_f64(rand::random_range(0.8..1.0))
}

/// Opens a connection to a peer, after a while, and reports how that went.
pub(super) async fn dial(
    peer: NodeId,
    address: SocketAddr,
    after: Duration,
    gateway: ActorRef<GatewayMessage>,
) {
    sleep(after).await;
    let event = match connect(&peer, address).await {
        Ok(opened) => Event::Opened(Box::new(opened)),
        Err(error) => Event::DialFailed { peer, address, error },
    };
    // Without a gateway there is nobody who would miss it.
    gateway.cast(GatewayMessage::Local(event)).ok();
}

async fn connect(peer: &NodeId, address: SocketAddr) -> io::Result<Opened> {
    let mut tcp = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await??;
    tcp.set_nodelay(true)?;
    let life = LifeId(rand::random());
    timeout(HELLO_TIMEOUT, hello::send(&mut tcp, life)).await??;
    Ok(opened(tcp, life, address, Origin::Dialled(peer.clone())))
}

/// Accepts connections for ever, and hands those that say hello to the gateway.
pub(super) async fn accept(listener: TcpListener, gateway: ActorRef<GatewayMessage>) {
    let places = Arc::new(Semaphore::new(STRANGERS));
    let mut greetings = JoinSet::new();
    let mut failures = Throttle::default();
    loop {
        while greetings.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else {
            // Nobody closes the semaphore.
            return;
        };
        match listener.accept().await {
            Ok((tcp, address)) => {
                greetings.spawn(greet(tcp, address, place, gateway.clone()));
            }
            Err(error) => {
                if let Some(suppressed) = failures.permit() {
                    warn!(suppressed, %error, "cannot accept links");
                }
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn greet(
    mut tcp: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
    gateway: ActorRef<GatewayMessage>,
) {
    let hello = async {
        tcp.set_nodelay(true)?;
        timeout(HELLO_TIMEOUT, hello::receive(&mut tcp)).await?
    };
    match hello.await {
        Ok(life) => {
            let opened = opened(tcp, life, address, Origin::Accepted { _place: place });
            // Without a gateway there is nobody who would miss it.
            gateway
                .cast(GatewayMessage::Local(Event::Opened(Box::new(opened))))
                .ok();
        }
        Err(error) => debug!(%address, %error, "closed a connection that is no link"),
    }
}

fn opened(tcp: TcpStream, life: LifeId, address: SocketAddr, origin: Origin) -> Opened {
    let id = StreamId::next();
    Opened {
        id,
        stream: LinkStream::new(id, tcp),
        life,
        address,
        origin,
    }
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
