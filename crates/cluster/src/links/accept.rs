//! Accepting connections.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ractor::ActorRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{
    gateway::{Event, GatewayMessage},
    hello::{Greeter, HELLO_TIMEOUT, Hello, HelloError, Refusal, Secured, Wish},
    opened::{Bearings, Opened, Side},
    pass::{PassError, Passage},
    strangers::{Shown, StrangerId, Strangers},
};
use crate::{member::NodeId, throttle::Throttle};

/// How many accepted connections may be short of a greeting, or of the first use of what was granted.
const STRANGERS: usize = 256;

/// How long to wait after a failed accept: most likely this process is out of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Accepts connections.
pub(super) struct Acceptor {
    greeter: Greeter,
    passage: Passage,
    gateway: ActorRef<GatewayMessage>,
    strangers: Mutex<Strangers<AbortHandle>>,
    refusals: Mutex<Throttle>,
}

/// A connection's place among the strangers; dropped, it is none of them.
struct Place {
    acceptor: Arc<Acceptor>,
    id: StrangerId,
}

impl Acceptor {
    pub(super) fn new(greeter: Greeter, passage: Passage, gateway: ActorRef<GatewayMessage>) -> Self {
        Self {
            greeter,
            passage,
            gateway,
            strangers: Mutex::new(Strangers::new(STRANGERS)),
            refusals: Mutex::new(Throttle::default()),
        }
    }

    /// Accepts connections for ever. Those of members are handed to the gateway, or passed on.
    pub(super) async fn run(self, listener: TcpListener) {
        let acceptor = Arc::new(self);
        let mut connections = JoinSet::new();
        let (mut failures, mut evictions) = (Throttle::default(), Throttle::default());
        loop {
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((tcp, address)) => {
                    let begin = |id| {
                        let place = Place {
                            acceptor: acceptor.clone(),
                            id,
                        };
                        connections.spawn(acceptor.clone().serve(tcp, address, place))
                    };
                    let evicted = acceptor.strangers().admit(address.ip(), begin);
                    if let Some(evicted) = evicted {
                        evicted.abort();
                        if let Some(suppressed) = evictions.permit() {
                            warn!(%address, suppressed, "more than {STRANGERS} connections wait at the link port and are no links; closed one for each that comes");
                        }
                    }
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

    async fn serve(self: Arc<Self>, mut tcp: TcpStream, address: SocketAddr, place: Place) {
        let heard = in_time(self.hear(&mut tcp, || place.shows(Shown::Secret))).await;
        let served = match heard {
            Ok((secured, hello)) => {
                place.shows(Shown::Membership);
                self.grant(tcp, address, secured, hello, place).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            self.refuse(address, &error);
        }
    }

    async fn hear(
        &self,
        tcp: &mut TcpStream,
        is_known: impl FnOnce(),
    ) -> Result<(Secured, Hello), HelloError> {
        tcp.set_nodelay(true)?;
        self.greeter.hear(tcp, is_known).await
    }

    async fn grant(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
        mut secured: Secured,
        hello: Hello,
        place: Place,
    ) -> Result<(), HelloError> {
        let Hello { from, wish, .. } = hello;
        match wish {
            Wish::Link { life, way } => {
                self.greeter.grant(&mut tcp, &mut secured).await?;
                let bearings = Bearings {
                    life,
                    peer: from,
                    address,
                    way,
                    side: Side::Accepted,
                    key: secured.key.clone(),
                    version: secured.version,
                };
                self.open(tcp, secured, bearings).await
            }
            Wish::Bring(source) => {
                self.greeter.grant(&mut tcp, &mut secured).await?;
                self.hear_who_is_brought(tcp, address, &source).await
            }
            Wish::PassOn(to) => {
                // It may last. How many are passed on is bounded by the passage.
                drop(place);
                self.pass_on(tcp, secured, &from, &to).await
            }
            Wish::Introduce => self.greeter.grant(&mut tcp, &mut secured).await,
        }
    }

    /// A relay has opened this connection for another node, which greets next.
    async fn hear_who_is_brought(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
        source: &NodeId,
    ) -> Result<(), HelloError> {
        let (mut secured, hello) = in_time(self.greeter.hear(&mut tcp, || ())).await?;
        match hello.wish {
            Wish::Link { life, way } if hello.from == *source => {
                self.greeter.grant(&mut tcp, &mut secured).await?;
                let bearings = Bearings {
                    life,
                    peer: hello.from,
                    address,
                    way,
                    side: Side::Accepted,
                    key: secured.key.clone(),
                    version: secured.version,
                };
                self.open(tcp, secured, bearings).await
            }
            _ => Err(HelloError::BringsNoLink),
        }
    }

    async fn pass_on(
        &self,
        mut tcp: TcpStream,
        mut secured: Secured,
        from: &NodeId,
        to: &NodeId,
    ) -> Result<(), HelloError> {
        match self.passage.reach(from, to, &self.greeter).await {
            Ok(reached) => {
                self.greeter.grant(&mut tcp, &mut secured).await?;
                reached.join(tcp).await;
                Ok(())
            }
            Err(error) => {
                debug!(%from, %to, %error, "cannot relay a link");
                let refusal = match error {
                    PassError::NotAMember => Refusal::NotAMember(to.clone()),
                    PassError::Full => Refusal::Full,
                    PassError::Unreachable(_) | PassError::Silent | PassError::NoMember(_) => {
                        Refusal::Unreachable(to.clone())
                    }
                };
                secured.refuse(&mut tcp, refusal).await
            }
        }
    }

    /// Hands a connection to the gateway, once who dialled uses it.
    ///
    /// The gateway ends the link that it has with that node for this one. Who dialled may have given the connection up while
    /// the answer was on the way. Its first byte says that its own gateway has taken it, in place of the link before.
    async fn open(&self, tcp: TcpStream, secured: Secured, bearings: Bearings) -> Result<(), HelloError> {
        if in_time(async { Ok(tcp.peek(&mut [0]).await?) }).await? == 0 {
            return Err(HelloError::GivenUp);
        }
        let opened = Event::Opened(Box::new(Opened::new(tcp, secured, bearings)));
        // Without a gateway there is nobody who would miss it.
        self.gateway.cast(GatewayMessage::Local(opened)).ok();
        Ok(())
    }

    fn refuse(&self, address: SocketAddr, reason: &HelloError) {
        let is_of_interest = matches!(
            reason,
            HelloError::OtherSecret | HelloError::VersionMismatch { .. } | HelloError::Sealed(_)
        );
        if !is_of_interest {
            return debug!(%address, %reason, "closed a connection that is no link");
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(suppressed) = refusals.permit() {
            warn!(%address, suppressed, %reason, "refused a link");
        }
    }

    fn strangers(&self) -> MutexGuard<'_, Strangers<AbortHandle>> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What who dialled does, unless it takes longer than a greeting may.
async fn in_time<T>(step: impl Future<Output = Result<T, HelloError>>) -> Result<T, HelloError> {
    timeout(HELLO_TIMEOUT, step)
        .await
        .unwrap_or_else(|elapsed| Err(HelloError::Broken(elapsed.into())))
}

impl Place {
    fn shows(&self, shown: Shown) {
        self.acceptor.strangers().shows(self.id, shown);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.acceptor.strangers().remove(self.id);
    }
}

#[cfg(test)]
#[path = "accept/tests.rs"]
mod tests;
