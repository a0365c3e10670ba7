//! Accepting connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

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
    hello::{self, HELLO_TIMEOUT},
    opened::{Opened, Origin},
};
use crate::throttle::Throttle;

/// How many accepted connections may be short of a finished handshake; more wait in the kernel. Each may make this node
/// hold one frame of the largest size.
const STRANGERS: usize = 16;

/// How long to wait after a failed accept: most likely this process is out of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

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
            let opened = Opened::new(tcp, life, address, Origin::Accepted(place));
            // Without a gateway there is nobody who would miss it.
            gateway
                .cast(GatewayMessage::Local(Event::Opened(Box::new(opened))))
                .ok();
        }
        Err(error) => debug!(%address, %error, "closed a connection that is no link"),
    }
}
