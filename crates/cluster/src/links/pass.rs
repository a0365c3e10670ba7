//! Passing connections on, between members that cannot reach each other.
//!
//! The relay joins two TCP connections and understands nothing of what goes over them: the two ends know each other by
//! hellos and a handshake of their own.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{Semaphore, watch},
    time::timeout,
};
use tracing::info;

use super::dial::CONNECT_TIMEOUT;
use crate::member::{NodeId, View};

/// How many connections are passed on at a time. Each costs two sockets and 32 KiB; they are as many as 16 nodes need
/// that have lost 16 others.
const PLACES: usize = 256;

const BUFFER: usize = 16 << 10;

/// How many stall timeouts a connection may stand still in a direction. By then each end has cut it, if it could.
const STANDSTILL: u32 = 2;

/// Passes connections on to members of the view.
pub(super) struct Passage {
    views: watch::Receiver<Arc<View>>,
    places: Semaphore,
    patience: Duration,
}

/// Why a connection is not passed on, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    #[error("not another member")]
    NotAMember,
    #[error("{PLACES} connections are passed on already")]
    Full,
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    #[error("it stood still")]
    StoodStill,
    #[error("it broke: {0}")]
    Broken(#[from] io::Error),
}

impl Passage {
    pub(super) fn new(views: watch::Receiver<Arc<View>>, stall_timeout: Duration) -> Self {
        Self {
            views,
            places: Semaphore::new(PLACES),
            patience: stall_timeout * STANDSTILL,
        }
    }

    /// Joins a connection to one to that member, until either ends.
    pub(super) async fn pass_on(&self, near: TcpStream, from: &NodeId, to: &NodeId) -> Result<(), PassError> {
        let address = {
            let view = self.views.borrow();
            let target = view.member(to).filter(|target| target.id != view.me);
            target.ok_or(PassError::NotAMember)?.link
        };
        let _place = self.places.try_acquire().map_err(|_| PassError::Full)?;
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(address));
        let far = match connecting.await {
            Ok(far) => far.map_err(PassError::Unreachable)?,
            Err(elapsed) => return Err(PassError::Unreachable(elapsed.into())),
        };
        far.set_nodelay(true)?;
        info!(%from, %to, "passing on a link between two nodes");
        let end = self.join(near, far).await;
        let reason = match &end {
            Ok(()) => "it was closed".to_owned(),
            Err(error) => error.to_string(),
        };
        info!(%from, %to, reason, "no longer passing on a link");
        Ok(())
    }

    /// Copies both ways. Links have no use for a connection that is open in one direction.
    async fn join(&self, mut near: TcpStream, mut far: TcpStream) -> Result<(), PassError> {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        tokio::select! {
            end = self.copy(near_read, far_write) => end,
            end = self.copy(far_read, near_write) => end,
        }
    }

    /// Copies until the end. A link pings all the time, so silence means that its ends are gone.
    async fn copy(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), PassError> {
        let patient = |_| PassError::StoodStill;
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = timeout(self.patience, from.read(&mut buffer));
            let read = read.await.map_err(patient)??;
            let Some(bytes @ [_, ..]) = buffer.get(..read) else {
                return Ok(());
            };
            let written = timeout(self.patience, to.write_all(bytes));
            written.await.map_err(patient)??;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{net::TcpListener, task::JoinHandle};

    use super::*;
    use crate::member::{Member, Phase, testing::node};

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

    /// The two ends of a connection that is passed on, and the task that does it.
    async fn passed_on(stall_timeout: Duration) -> (TcpStream, TcpStream, JoinHandle<Result<(), PassError>>) {
        let (listener, address) = listener().await;
        let (from, near) = pair().await;
        let passage = passage(address, stall_timeout);
        let task = tokio::spawn(async move { passage.pass_on(near, &node("from"), &node("target")).await });
        let target = timeout(DEADLINE, listener.accept())
            .await
            .expect("it is passed on");
        (from, target.unwrap().0, task)
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
            timeout(DEADLINE, task).await.expect("it ends").unwrap().unwrap();
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
        task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn only_other_members_are_reached() {
        let (_listener, address) = listener().await;
        for target in ["stranger", "relay"] {
            let (_from, near) = pair().await;
            let passage = passage(address, DEADLINE);
            let passed = passage.pass_on(near, &node("from"), &node(target)).await;
            assert!(
                matches!(passed, Err(PassError::NotAMember)),
                "{target}: {passed:?}"
            );
        }
    }

    #[tokio::test]
    async fn no_more_than_so_many_are_passed_on() {
        let (_listener, address) = listener().await;
        let passage = passage(address, DEADLINE);
        let _places = passage.places.try_acquire_many(PLACES as u32).unwrap();
        let (_from, near) = pair().await;
        let passed = passage.pass_on(near, &node("from"), &node("target")).await;
        assert!(matches!(passed, Err(PassError::Full)), "{passed:?}");
    }
}
