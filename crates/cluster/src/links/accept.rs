//! Accepting connections.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ractor::ActorRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{
    gateway::{Event, GatewayMessage},
    hello::{self, HELLO_TIMEOUT, Hello, HelloError, Wish},
    opened::{Bearings, Opened, Side},
    pass::Passage,
};
use crate::{member::NodeId, secret::HelloKey, throttle::Throttle};

/// How many accepted connections may be short of a hello; more wait in the kernel.
const STRANGERS: usize = 16;

/// How long to wait after a failed accept: most likely this process is out of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Accepts connections.
pub(super) struct Acceptor {
    pub(super) me: NodeId,
    pub(super) key: HelloKey,
    pub(super) passage: Passage,
    pub(super) gateway: ActorRef<GatewayMessage>,
    pub(super) refusals: Mutex<Throttle>,
}

impl Acceptor {
    /// Accepts connections for ever. Those that say hello are handed to the gateway, or passed on.
    pub(super) async fn run(self, listener: TcpListener) {
        let acceptor = Arc::new(self);
        let places = Arc::new(Semaphore::new(STRANGERS));
        let mut connections = JoinSet::new();
        let mut failures = Throttle::default();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(place) = places.clone().acquire_owned().await else {
                // Nobody closes the semaphore.
                return;
            };
            match listener.accept().await {
                Ok((tcp, address)) => {
                    connections.spawn(acceptor.clone().serve(tcp, address, place));
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

    async fn serve(self: Arc<Self>, mut tcp: TcpStream, address: SocketAddr, place: OwnedSemaphorePermit) {
        let hello = match timeout(HELLO_TIMEOUT, self.greet(&mut tcp)).await {
            Ok(Ok(hello)) => hello,
            Ok(Err(error)) => return self.refuse(address, &error),
            Err(elapsed) => return self.refuse(address, &HelloError::Broken(elapsed.into())),
        };
        // No stranger any more.
        drop(place);
        let Hello { from, wish, .. } = hello;
        match wish {
            Wish::Link { life, way } => {
                let bearings = Bearings {
                    life,
                    peer: from,
                    address,
                    way,
                    side: Side::Accepted,
                };
                let opened = Event::Opened(Box::new(Opened::new(tcp, bearings)));
                // Without a gateway there is nobody who would miss it.
                self.gateway.cast(GatewayMessage::Local(opened)).ok();
            }
            Wish::PassOn(to) => {
                if let Err(error) = self.passage.pass_on(tcp, &from, &to).await {
                    debug!(%from, %to, %error, "passed no link on");
                }
            }
        }
    }

    async fn greet(&self, tcp: &mut TcpStream) -> Result<Hello, HelloError> {
        tcp.set_nodelay(true)?;
        let challenge = hello::challenge(tcp).await?;
        hello::receive(tcp, challenge, &self.me, &self.key).await
    }

    fn refuse(&self, address: SocketAddr, reason: &HelloError) {
        if !matches!(reason, HelloError::WrongMac) {
            return debug!(%address, %reason, "closed a connection that is no link");
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(suppressed) = refusals.permit() {
            warn!(%address, suppressed, %reason, "refused a link");
        }
    }
}
