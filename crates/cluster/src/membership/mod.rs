//! Who is in the cluster: gossip over encrypted UDP, and the views that follow from it.
//!
//! Chitchat spreads what each node says of itself. [`Pulse`](pulse::Pulse) judges from the heartbeats who lives,
//! [`Roster`](roster::Roster) makes the view of that, and the [`driver`] connects the two with the clock.

mod absences;
mod advertisement;
mod channels;
mod config;
mod datagram;
mod driver;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod pulse;
mod report;
mod roster;
mod seeds;
mod transport;
mod window;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::{broadcast, mpsc, oneshot, watch},
};
use tokio_util::task::AbortOnDropHandle;

pub use self::config::{MembershipConfig, MembershipError, MembershipTiming};
use self::driver::{Command, Driver, GossipPort, Suspicions};
use crate::{
    member::{NodeId, Phase, View},
    version::WireVersions,
};

/// How many events a slow reader may be behind. They are rare, and the one that matters most is repeated.
const EVENTS: usize = 16;

/// This node's part in the cluster's membership. It ends when this is dropped, or better [shut down](Self::shutdown).
pub struct Membership {
    views: watch::Receiver<Arc<View>>,
    events: broadcast::Sender<MembershipEvent>,
    company: watch::Receiver<bool>,
    name_in_doubt: watch::Receiver<bool>,
    refused: Arc<AtomicU64>,
    suspicions: Arc<Suspicions>,
    commands: mpsc::Sender<Command>,
    gossip: SocketAddr,
    _driver: AbortOnDropHandle<()>,
}

/// Something about the cluster that a view does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipEvent {
    /// This node did not run for that long (stopped, suspended, starved); the others may have counted it out.
    Stalled(Duration),
    /// A member has counted this node out while it was silent, and may have given what it owned to others.
    CountedOut {
        /// Who says so.
        by: NodeId,
    },
    /// This node cannot be part of this cluster, and should stop. Repeated every second while the reason lasts.
    Unfit(Unfit),
}

/// Why a node cannot be part of the cluster that it found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Shards are numbered alike on all nodes, or not at all.
    #[error(
        "this node is configured for {ours} shards, the cluster (by {by:?}) for {theirs}: use the same number"
    )]
    Shards {
        /// What this node is configured for.
        ours: u32,
        /// What the member is configured for.
        theirs: u32,
        /// The member that says so.
        by: NodeId,
    },
    /// Builds that do not understand each other cannot be one cluster.
    #[error(
        "the wire versions of this node are {ours}, those of the cluster (by {by:?}) {theirs} (oldest-newest:broadcast): \
         run builds of which each speaks what the other broadcasts"
    )]
    Versions {
        /// What this build speaks.
        ours: WireVersions,
        /// What the member's build speaks.
        theirs: WireVersions,
        /// The member that says so.
        by: NodeId,
    },
    /// The same, as a seed says: who does not fit may not understand gossip either.
    #[error(
        "the wire versions of this node are {ours}, those of the seed at {seed} {theirs} (oldest-newest:broadcast): \
         run builds of which each speaks what the other broadcasts"
    )]
    SeedVersions {
        /// What this build speaks.
        ours: WireVersions,
        /// What the seed's build speaks.
        theirs: WireVersions,
        /// Where the seed is.
        seed: SocketAddr,
    },
    /// A later life of this node's name has begun: another process has the same name, or this one was replaced.
    #[error("a later node has joined under this node's name ({by:?}): give each node a name of its own")]
    Superseded {
        /// The later life.
        by: NodeId,
    },
    /// An earlier node of this name lives elsewhere: two processes have the same name. This one has not come so far that
    /// anybody would miss it.
    #[error(
        "another node of this name lives at {at} ({by:?}): give each node a name of its own, or end that one before"
    )]
    NameTaken {
        /// The node that has the name.
        by: NodeId,
        /// Where its gossip is.
        at: SocketAddr,
    },
    /// Gossip has ended by itself, which is a bug.
    #[error("gossip has ended: {0}")]
    GossipEnded(String),
}

impl Membership {
    /// Opens the gossip port, tells the seeds about this node and begins to watch the others.
    ///
    /// The node starts as [`Phase::Joining`].
    ///
    /// # Errors
    /// When the configuration makes no sense, or the gossip port cannot be opened.
    pub async fn start(config: MembershipConfig) -> Result<Self, MembershipError> {
        config.check()?;
        let failed = |source| MembershipError::Bind {
            address: config.gossip_bind,
            source,
        };
        let socket = UdpSocket::bind(config.gossip_bind).await.map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        let gossip = config.advertised_gossip(bound)?;
        let port = GossipPort {
            socket,
            bound,
            advertised: gossip,
        };

        let (events, _) = broadcast::channel(EVENTS);
        let (commands, inbox) = mpsc::channel(1);
        let refused = Arc::new(AtomicU64::new(0));
        let suspicions = Arc::new(Suspicions::default());
        let driver = Driver::start(
            config,
            port,
            refused.clone(),
            suspicions.clone(),
            events.clone(),
            inbox,
        )
        .await?;
        Ok(Self {
            views: driver.views(),
            company: driver.company(),
            name_in_doubt: driver.name_in_doubt(),
            events,
            refused,
            suspicions,
            commands,
            gossip,
            _driver: AbortOnDropHandle::new(tokio::spawn(driver.run())),
        })
    }

    /// The live members as this node sees them, itself always among them.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// What a view does not show, from now on.
    pub fn events(&self) -> broadcast::Receiver<MembershipEvent> {
        self.events.subscribe()
    }

    /// Where the others reach this node's gossip.
    pub fn gossip_address(&self) -> SocketAddr {
        self.gossip
    }

    /// Whether any other node has been found alive since the start.
    pub fn has_heard_anyone(&self) -> bool {
        *self.company.borrow()
    }

    /// Whether an earlier node of this one's name may live at another address. While it is so, this node must not be
    /// [up](Phase::Up), for that would supersede the other. It ends with [`Unfit::NameTaken`], or when the other is silent.
    pub fn name_in_doubt(&self) -> watch::Receiver<bool> {
        self.name_in_doubt.clone()
    }

    /// How many datagrams were refused: their sender does not know the cluster secret, or they were recorded, redirected or
    /// held back.
    pub fn refused_datagrams(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Tells the cluster how far this node is. Its own view shows it on return. A phase before the present one changes nothing.
    pub async fn set_phase(&self, phase: Phase) {
        self.command(|done| Command::SetPhase(phase, done)).await;
    }

    /// Reports a reason to doubt a member, such as a closed link. Unless it is heard of within the confirm time it
    /// leaves the view; it comes back once it is heard of again.
    pub fn suspect(&self, member: &NodeId) {
        self.suspicions.add(member.clone());
    }

    /// Tells the others that this node is gone, so that they need not find out, and ends.
    pub async fn shutdown(self) {
        self.command(Command::Leave).await;
    }

    /// Waits until the driver has done something. If it has ended there is nobody left to do it for.
    async fn command(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(command(done)).await.is_ok() {
            wait.await.ok();
        }
    }
}
