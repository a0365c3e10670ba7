//! Passing connections on, between members that cannot reach each other.
//!
//! The relay greets the target first, so that it joins nothing but the link ports of members, whatever address it was told
//! for one. Then it understands nothing of what goes over the two connections: their ends greet each other.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use tracing::info;

use super::hello::{Greeter, HelloError, Wish};
use crate::member::{NodeId, View};

/// How many connections are passed on at a time. Each costs two sockets and 32 KiB; they are as many as 16 nodes need
/// that have lost 16 others.
const PLACES: usize = 256;

const BUFFER: usize = 16 << 10;

/// How long the target may take to greet: less than the node that waits for it does.
const REACH_TIMEOUT: Duration = Duration::from_millis(1500);

/// How many stall timeouts a connection may stand still in a direction. By then each end has cut it, if it could.
const STANDSTILL: u32 = 2;

/// Passes connections on to members of the view.
pub(super) struct Passage {
    views: watch::Receiver<Arc<View>>,
    places: Arc<Semaphore>,
    patience: Duration,
}

/// A member that waits for the greeting of another.
#[derive(Debug)]
pub(super) struct Reached {
    far: TcpStream,
    from: NodeId,
    to: NodeId,
    patience: Duration,
    _place: OwnedSemaphorePermit,
}

/// Why a connection is not passed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    #[error("not another member")]
    NotAMember,
    #[error("{PLACES} connections are passed on already")]
    Full,
    #[error("cannot connect: {0}")]
    Unreachable(#[from] io::Error),
    #[error("no answer within {REACH_TIMEOUT:?}")]
    Silent,
    #[error("it is not the link port of that member: {0}")]
    NoMember(#[from] HelloError),
}

/// Why a connection is no longer passed on.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("it stood still")]
    StoodStill,
    #[error("it broke: {0}")]
    Io(#[from] io::Error),
}

impl Passage {
    pub(super) fn new(views: watch::Receiver<Arc<View>>, stall_timeout: Duration) -> Self {
        Self {
            views,
            places: Arc::new(Semaphore::new(PLACES)),
            patience: stall_timeout * STANDSTILL,
        }
    }

    /// Connects to that member, and greets it.
    pub(super) async fn reach(
        &self,
        from: &NodeId,
        to: &NodeId,
        greeter: &Greeter,
    ) -> Result<Reached, PassError> {
        let address = {
            let view = self.views.borrow();
            let target = view.member(to).filter(|target| target.id != view.me);
            target.ok_or(PassError::NotAMember)?.link
        };
        let places = self.places.clone();
        let place = places.try_acquire_owned().map_err(|_| PassError::Full)?;
        let reaching = async {
            let mut far = TcpStream::connect(address).await?;
            far.set_nodelay(true)?;
            greeter.greet(&mut far, to, Wish::Bring(from.clone())).await?;
            Ok::<_, PassError>(far)
        };
        let far = timeout(REACH_TIMEOUT, reaching)
            .await
            .map_err(|_| PassError::Silent)??;
        Ok(Reached {
            far,
            from: from.clone(),
            to: to.clone(),
            patience: self.patience,
            _place: place,
        })
    }
}

impl Reached {
    /// Joins another connection to this one, until either ends.
    pub(super) async fn join(mut self, mut near: TcpStream) {
        let (from, to) = (self.from.clone(), self.to.clone());
        info!(%from, %to, "relaying a link between two nodes");
        let reason = match self.copy_both_ways(&mut near).await {
            Ok(()) => "it was closed".to_owned(),
            Err(error) => error.to_string(),
        };
        info!(%from, %to, reason, "stopped relaying a link");
    }

    /// Copies both ways. Links have no use for a connection that is open in one direction.
    async fn copy_both_ways(&mut self, near: &mut TcpStream) -> Result<(), Broken> {
        let patience = self.patience;
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = self.far.split();
        tokio::select! {
            end = copy(near_read, far_write, patience) => end,
            end = copy(far_read, near_write, patience) => end,
        }
    }
}

/// Copies until the end. A link pings all the time, so silence means that its ends are gone.
async fn copy(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, patience: Duration) -> Result<(), Broken> {
    let stood_still = |_| Broken::StoodStill;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = timeout(patience, from.read(&mut buffer));
        let read = read.await.map_err(stood_still)??;
        let Some(bytes @ [_, ..]) = buffer.get(..read) else {
            return Ok(());
        };
        let written = timeout(patience, to.write_all(bytes));
        written.await.map_err(stood_still)??;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{net::TcpListener, task::JoinHandle};

    use super::*;
    use crate::{
        member::{Member, Phase, testing::node},
        secret::Secret,
        version::WireVersions,
    };

    const PATIENCE: Duration = Duration::from_millis(100);
    const DEADLINE: Duration = Duration::from_secs(10);

    /// The passage of the node "relay", whose view has the node "target", too.
    fn passage(target: SocketAddr, stall_timeout: Duration) -> Passage {
        let members = ["relay", "target"].map(|name| {
            let member = Member {
                id: node(name),
                phase: Phase::Up,
                http: target,
                gossip: target,
                link: target,
            };
            (member.id.name.clone(), member)
        });
        let view = View {
            me: node("relay"),
            members: members.into(),
        };
        Passage::new(watch::channel(Arc::new(view)).1, stall_timeout)
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let (listener, address) = listener().await;
        let ours = TcpStream::connect(address).await.unwrap();
        (ours, listener.accept().await.unwrap().0)
    }

    fn greeter(name: &str) -> Greeter {
        Greeter {
            me: node(name),
            secrets: Secret::well_known().into(),
            versions: WireVersions::this_build(),
        }
    }

    async fn reach(passage: &Passage, target: &str) -> Result<Reached, PassError> {
        passage
            .reach(&node("from"), &node(target), &greeter("relay"))
            .await
    }

    /// The two ends of a connection that is passed on, and the task that does it.
    async fn passed_on(stall_timeout: Duration) -> (TcpStream, TcpStream, JoinHandle<()>) {
        let (listener, address) = listener().await;
        let (from, near) = pair().await;
        let passage = passage(address, stall_timeout);
        let task = tokio::spawn(async move { reach(&passage, "target").await.unwrap().join(near).await });
        let target = timeout(DEADLINE, listener.accept())
            .await
            .expect("it is passed on");
        let (mut target, _) = target.unwrap();
        let accepts = greeter("target");
        let (mut secured, hello) = accepts.hear(&mut target, || ()).await.unwrap();
        assert_eq!(hello.wish, Wish::Bring(node("from")));
        accepts.grant(&mut target, &mut secured).await.unwrap();
        (from, target, task)
    }

    async fn ends(mut stream: TcpStream) {
        let read = timeout(DEADLINE, stream.read(&mut [0])).await;
        // A reset is an end, too.
        assert_eq!(read.expect("it ends").unwrap_or_default(), 0);
    }

    #[tokio::test]
    async fn carries_both_ways_and_ends_with_either_end() {
        for from_ends in [true, false] {
            let (mut from, mut target, task) = passed_on(DEADLINE).await;
            let mut buffer = [0; 5];
            from.write_all(b"there").await.unwrap();
            target.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, b"there");
            target.write_all(b"again").await.unwrap();
            from.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, b"again");
            let (ended, other) = if from_ends { (from, target) } else { (target, from) };
            drop(ended);
            ends(other).await;
            timeout(DEADLINE, task).await.expect("it ends").unwrap();
        }
    }

    #[tokio::test]
    async fn what_stands_still_is_dropped() {
        let (from, target, _task) = passed_on(PATIENCE).await;
        ends(from).await;
        ends(target).await;
    }

    #[tokio::test]
    async fn a_target_that_reads_nothing_is_dropped_whatever_it_says() {
        let (mut from, mut target, task) = passed_on(PATIENCE).await;
        let chunk = vec![0; 1 << 20];
        let writes = async { while from.write_all(&chunk).await.is_ok() {} };
        let says = async {
            while target.write_all(b".").await.is_ok() {
                tokio::time::sleep(PATIENCE / 10).await;
            }
        };
        let end = timeout(DEADLINE, async { tokio::join!(writes, says) });
        end.await.expect("it ends");
        task.await.unwrap();
    }

    #[tokio::test]
    async fn only_other_members_are_reached() {
        let (_listener, address) = listener().await;
        for target in ["stranger", "relay"] {
            let reached = reach(&passage(address, DEADLINE), target).await;
            assert!(
                matches!(reached, Err(PassError::NotAMember)),
                "{target}: {reached:?}"
            );
        }
    }

    #[tokio::test]
    async fn nothing_is_joined_to_a_port_that_is_not_that_of_the_member() {
        let (listener, address) = listener().await;
        let service = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
            stream
        };
        let passage = passage(address, DEADLINE);
        let (reached, _stream) = tokio::join!(reach(&passage, "target"), service);
        assert!(
            matches!(reached, Err(PassError::NoMember(HelloError::OtherMagic))),
            "{reached:?}"
        );
        let another = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            greeter("another").hear(&mut stream, || ()).await.err()
        };
        let (reached, _) = tokio::join!(reach(&passage, "target"), another);
        assert!(
            matches!(reached, Err(PassError::NoMember(HelloError::Refused(_)))),
            "{reached:?}"
        );
    }

    #[tokio::test]
    async fn no_more_than_so_many_are_passed_on() {
        let (_listener, address) = listener().await;
        let passage = passage(address, DEADLINE);
        let _places = passage.places.try_acquire_many(PLACES as u32).unwrap();
        let reached = reach(&passage, "target").await;
        assert!(matches!(reached, Err(PassError::Full)), "{reached:?}");
    }
}
