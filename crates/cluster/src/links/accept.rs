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
    strangers::{StrangerId, Strangers},
};
use crate::{member::NodeId, throttle::Throttle};

/// How many accepted connections may be short of a greeting.
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
                            warn!(%address, suppressed, "more than {STRANGERS} connections wait at the link port and do not greet; closed one for each that comes");
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
        let greeted = match timeout(HELLO_TIMEOUT, self.hear(&mut tcp, || place.know())).await {
            Ok(greeted) => greeted,
            Err(elapsed) => Err(HelloError::Broken(elapsed.into())),
        };
        // No stranger any more.
        drop(place);
        let served = match greeted {
            Ok((secured, hello)) => self.grant(tcp, address, secured, hello).await,
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
                self.open(tcp, secured, bearings);
                Ok(())
            }
            Wish::Bring(source) => {
                self.greeter.grant(&mut tcp, &mut secured).await?;
                self.hear_who_is_brought(tcp, address, &source).await
            }
            Wish::PassOn(to) => self.pass_on(tcp, secured, &from, &to).await,
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
        let greeting = timeout(HELLO_TIMEOUT, self.greeter.hear(&mut tcp, || ()));
        let (mut secured, hello) = greeting
            .await
            .map_err(|elapsed| HelloError::Broken(elapsed.into()))??;
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
                self.open(tcp, secured, bearings);
                Ok(())
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

    fn open(&self, tcp: TcpStream, secured: Secured, bearings: Bearings) {
        let opened = Event::Opened(Box::new(Opened::new(tcp, secured, bearings)));
        // Without a gateway there is nobody who would miss it.
        self.gateway.cast(GatewayMessage::Local(opened)).ok();
    }

    fn refuse(&self, address: SocketAddr, reason: &HelloError) {
        let is_of_interest = matches!(
            reason,
            HelloError::OtherSecret | HelloError::NoCommonVersion { .. } | HelloError::Sealed(_)
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

impl Place {
    fn know(&self) {
        self.acceptor.strangers().know(self.id);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.acceptor.strangers().remove(self.id);
    }
}
