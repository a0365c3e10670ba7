use ractor::{Actor, ActorProcessingErr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, watch},
};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{
    links::{envelope::LifeId, opened::Way},
    member::{View, testing::node},
    secret::Secret,
    version::WireVersions,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// Stands where the gateway does, and tells which lives are opened.
struct Lives(mpsc::UnboundedSender<LifeId>);

impl Actor for Lives {
    type Msg = GatewayMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<GatewayMessage>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<GatewayMessage>,
        message: GatewayMessage,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let GatewayMessage::Local(Event::Opened(opened)) = message {
            self.0.send(opened.bearings.life)?;
        }
        Ok(())
    }
}

/// An acceptor of the node "b".
struct Accepting {
    address: SocketAddr,
    opened: mpsc::UnboundedReceiver<LifeId>,
    _acceptor: AbortOnDropHandle<()>,
}

impl Accepting {
    async fn start() -> Self {
        let (lives, opened) = mpsc::unbounded_channel();
        let (gateway, _) = Actor::spawn(None, Lives(lives), ()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let view = View {
            me: node("b"),
            members: [].into(),
        };
        let passage = Passage::new(watch::channel(Arc::new(view)).1, DEADLINE);
        let acceptor = Acceptor::new(greeter("b"), passage, gateway);
        Self {
            address,
            opened,
            _acceptor: AbortOnDropHandle::new(tokio::spawn(acceptor.run(listener))),
        }
    }

    /// A connection that was granted to the node "a".
    async fn granted(&self, life: LifeId) -> TcpStream {
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        let wish = Wish::Link {
            life,
            way: Way::Direct,
        };
        let greeting = greeter("a").greet(&mut tcp, &node("b"), wish).await;
        greeting.unwrap();
        tcp
    }

    async fn next_life(&mut self) -> LifeId {
        timeout(DEADLINE, self.opened.recv()).await.unwrap().unwrap()
    }
}

fn greeter(name: &str) -> Greeter {
    Greeter {
        me: node(name),
        secrets: Secret::well_known().into(),
        versions: WireVersions::this_build(),
    }
}

#[tokio::test]
async fn what_is_granted_is_opened_when_it_is_used() {
    let mut accepting = Accepting::start().await;
    let mut first = accepting.granted(LifeId(1)).await;
    let mut second = accepting.granted(LifeId(2)).await;
    second.write_all(b"x").await.unwrap();
    assert_eq!(accepting.next_life().await, LifeId(2));
    first.write_all(b"x").await.unwrap();
    assert_eq!(accepting.next_life().await, LifeId(1));
}

#[tokio::test]
async fn what_was_given_up_when_it_is_granted_is_not_opened() {
    let mut accepting = Accepting::start().await;
    drop(accepting.granted(LifeId(1)).await);
    let mut tcp = accepting.granted(LifeId(2)).await;
    tcp.write_all(b"x").await.unwrap();
    assert_eq!(accepting.next_life().await, LifeId(2));
}

#[tokio::test]
async fn what_is_granted_and_not_used_is_closed() {
    let mut accepting = Accepting::start().await;
    let mut unused = accepting.granted(LifeId(1)).await;
    let closed = timeout(DEADLINE, unused.read(&mut [0]))
        .await
        .expect("it is closed");
    assert_eq!(closed.unwrap(), 0);
    let mut tcp = accepting.granted(LifeId(2)).await;
    tcp.write_all(b"x").await.unwrap();
    assert_eq!(accepting.next_life().await, LifeId(2));
}
