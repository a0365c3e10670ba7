//! A node's part in the cluster: starting it, asking through it, leaving it.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::{
    entity::Entities,
    lane::{LaneActor, LaneArguments, LaneHandle},
    links::{LinkLimits, LinkListener, Links, LinksConfig, LinksError},
    log::LogLimits,
    member::{Incarnation, NodeId, NodeName, Phase, View},
    membership::{Membership, MembershipConfig, MembershipError, MembershipEvent, MembershipTiming},
    replicated::{Driver, DriverConfig, TopicSettings, Topics, Unexpected},
    router::{RequestError, Router, Switchboard},
    secret::{Secret, Secrets},
    shard::{Key, Placement, ShardCount},
    topic::{MAX_LANES, Topic},
};

/// How a node takes part in a cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The node's name, unique in the cluster.
    pub name: NodeName,
    /// Where clients reach the node; told to the other members.
    pub http: SocketAddr,
    /// Where the node listens for its peers: links by TCP and gossip by UDP, on the same number.
    pub address: SocketAddr,
    /// `host:port` of nodes that may be there already; without any the node starts a cluster of one.
    pub seeds: Vec<String>,
    /// What every node of the cluster knows and nobody else. They may be replaced while the node runs.
    pub secrets: Secrets,
    /// How many shards there are; the same on every node.
    pub shards: ShardCount,
    /// How many lanes run here, 1 to 64.
    pub lanes: usize,
    /// How fast news travels and silence is noticed.
    pub timing: MembershipTiming,
    /// Bounds of each link.
    pub links: LinkLimits,
    /// What each lane remembers of its topics.
    pub log: LogLimits,
    /// How many entities each lane moves at a time. More is faster, and more is held up at once.
    pub moves_in_flight: usize,
    /// Whether the standby of each shard keeps replicas of its entities, so that they outlive the death of their owner.
    pub replicate: bool,
    /// Whether topics are replicated too, as [`Topics`] has them, and how. All nodes of a cluster must have the same.
    pub topics: Option<TopicSettings>,
    /// How long a node with seeds looks for them before it starts alone. It still finds them later.
    pub seed_patience: Duration,
}

impl ClusterConfig {
    /// A cluster of one that nobody joins, on free ports of the loopback interface.
    pub fn alone() -> Self {
        let loopback = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        Self::new(NodeName::default(), loopback, loopback, Secret::random())
    }

    /// A node that starts a cluster of one, with the defaults for everything else.
    pub fn new(name: NodeName, http: SocketAddr, address: SocketAddr, secrets: impl Into<Secrets>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            name,
            http,
            address,
            seeds: Vec::new(),
            secrets: secrets.into(),
            shards: ShardCount::default(),
            lanes: (2 * cores).clamp(2, MAX_LANES),
            timing: MembershipTiming::default(),
            links: LinkLimits::default(),
            log: LogLimits::default(),
            moves_in_flight: 64,
            replicate: true,
            topics: None,
            seed_patience: Duration::from_secs(3),
        }
    }
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The links' side.
    #[error(transparent)]
    Links(#[from] LinksError),
    /// The gossip's side.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The lanes.
    #[error("cannot start a lane: {0}")]
    Lanes(#[from] ractor::SpawnErr),
    /// More or fewer lanes than can be.
    #[error("{0} lanes cannot be: 1 to {MAX_LANES} can")]
    LaneCount(usize),
}

/// Asks entities and publishes, from anywhere on the node. Cheap to clone.
pub struct Cluster<E: Entities>(Arc<Router<E>>);

impl<E: Entities> Clone for Cluster<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Entities> Cluster<E> {
    pub(crate) fn of(router: Arc<Router<E>>) -> Self {
        Self(router)
    }

    /// This node.
    pub fn me(&self) -> &NodeId {
        self.0.me()
    }

    /// Where every shard lives now.
    pub fn placement(&self) -> Arc<Placement> {
        self.0.placement()
    }

    /// Where every shard lives, as it changes.
    pub fn placements(&self) -> watch::Receiver<Arc<Placement>> {
        self.0.placements()
    }

    /// Asks an entity, wherever it lives.
    ///
    /// A request that met a former owner or a lost link is sent again until `timeout` is over, so entities must
    /// recognise a repetition.
    ///
    /// # Errors
    /// When no owner answers in time, is overloaded, or the entity ends while it is asked.
    pub async fn request(
        &self,
        key: &Key,
        request: E::Request,
        timeout: Duration,
    ) -> Result<E::Reply, RequestError> {
        self.0.request(key, request, timeout).await
    }

    /// Completes when no link is so full that what can wait should. For whoever is about to publish.
    pub async fn uncongested(&self) {
        self.0.uncongested().await;
    }

    /// Publishes to all subscribers of a topic in the cluster.
    pub fn publish(&self, topic: Topic, payload: E::Publication) {
        self.0.publish(topic, 0, payload, None);
    }

    /// Tells the lanes of a node something, this node included. False when there is no link to it.
    pub fn send(&self, to: &NodeId, direct: E::Direct) -> bool {
        self.0.send_direct(to, direct)
    }

    /// The fingerprint of the placement under which every member has handed off what is not its own, as far as this node
    /// knows; none while entities move.
    pub fn settled(&self) -> Option<u64> {
        self.0
            .settled()
            .filter(|settled| *settled == self.0.placement().fingerprint())
    }

    /// How many entities live on this node although they belong to another: those that are being handed off now.
    pub fn moves_left(&self) -> usize {
        self.0.moves_left()
    }

    /// The lanes of this node.
    pub fn lanes(&self) -> impl Iterator<Item = LaneHandle<E>> {
        self.0.lanes().iter().map(|lane| LaneHandle::new(lane.clone()))
    }

    /// The lane of this node in which a key's shard runs, should this node own it.
    pub fn lane_of(&self, key: &Key) -> usize {
        self.0.lane_of(key)
    }
}

/// Why a node must end, although nobody asked it to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fatal {
    /// A lane is gone, and its entities with it.
    #[error("a lane ended: {0}")]
    Lane(String),
    /// The task that replicates topics has ended, which is a bug.
    #[error("the replication of topics has ended: {0}")]
    Topics(String),
    /// The node does not fit the cluster that it found.
    #[error(transparent)]
    Unfit(#[from] crate::membership::Unfit),
}

/// A node that takes part in a cluster, until it [hands off](Self::hand_off) what it has and [stops](Self::stop).
pub struct ClusterNode<E: Entities> {
    cluster: Cluster<E>,
    membership: Arc<Membership>,
    links: Links,
    supervisor: ActorRef<Never>,
    conductor: JoinHandle<()>,
    topics: Option<ReplicatedTopics>,
    fatal: mpsc::Receiver<Fatal>,
}

/// Topics on the replicated core, while the node runs.
struct ReplicatedTopics {
    topics: Topics,
    /// Ends the task with the node.
    _driver: AbortOnDropHandle<()>,
}

impl<E: Entities> ClusterNode<E> {
    /// Opens the node's ports and joins the cluster that its seeds belong to. `entities` makes the entities of each
    /// lane.
    ///
    /// The node is *up*, and owns shards, once it has links to all live members: await [`up`](Self::up).
    ///
    /// # Errors
    /// When a port cannot be opened or an actor does not start.
    pub async fn start(config: ClusterConfig, entities: impl Fn(usize) -> E) -> Result<Self, StartError> {
        if !(1..=MAX_LANES).contains(&config.lanes) {
            return Err(StartError::LaneCount(config.lanes));
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let me = NodeId {
            name: config.name,
            incarnation: Incarnation(since_epoch.as_millis() as u64),
        };
        let doubt_after = config.timing.suspicion_confirm;
        let listener = LinkListener::bind(config.address).await?;
        let address = listener.address();
        let membership = Arc::new(
            Membership::start(MembershipConfig {
                me: me.clone(),
                http: config.http,
                gossip_bind: address,
                gossip_advertise: None,
                link: address,
                seeds: config.seeds.clone(),
                secrets: config.secrets.clone(),
                shards: config.shards.get(),
                timing: config.timing,
            })
            .await?,
        );
        let views = membership.views();
        let view = views.borrow().clone();
        let router = Arc::new(Router::new(view, config.shards, config.lanes, listener.sender()));

        let (fatal_sender, fatal) = mpsc::channel(8);
        let (supervisor, _) = Actor::spawn(None, Supervisor, fatal_sender.clone()).await?;
        let mut lanes = Vec::with_capacity(config.lanes);
        for index in 0..config.lanes {
            let arguments = LaneArguments {
                index,
                router: router.clone(),
                entities: entities(index),
                log: config.log,
                moves_in_flight: config.moves_in_flight,
                replicate: config.replicate,
                doubt_after,
            };
            lanes.push(LaneActor::start(arguments, supervisor.get_cell()).await?);
        }
        router.connect_lanes(lanes.into());

        let (topics, topic_links) = match config.topics {
            Some(settings) => {
                let (driver, links, topics) = Driver::new(DriverConfig {
                    me: me.clone(),
                    shards: config.shards,
                    settings,
                    placements: router.placements(),
                    links: listener.sender(),
                    message_limit: config.links.message,
                });
                let driver = tokio::spawn(run_driver(driver, fatal_sender.clone()));
                let topics = ReplicatedTopics {
                    topics,
                    _driver: AbortOnDropHandle::new(driver),
                };
                (Some(topics), Some(links))
            }
            None => (None, None),
        };
        let switchboard = Switchboard {
            router: router.clone(),
            membership: Arc::downgrade(&membership),
            topics: topic_links,
            unexpected: Unexpected::default(),
        };
        let links = LinksConfig {
            me,
            listener,
            secrets: config.secrets,
            limits: config.links,
        };
        let links = Links::start(links, views.clone(), Arc::new(switchboard)).await?;
        let conductor = Conductor {
            router: router.clone(),
            membership: membership.clone(),
            views,
            alone_at: Instant::now()
                + if config.seeds.is_empty() {
                    Duration::ZERO
                } else {
                    config.seed_patience
                },
            fatal: fatal_sender,
        };
        Ok(Self {
            cluster: Cluster::of(router),
            membership,
            links,
            supervisor,
            conductor: tokio::spawn(conductor.run()),
            topics,
            fatal,
        })
    }

    /// To ask and publish through this node.
    pub fn cluster(&self) -> Cluster<E> {
        self.cluster.clone()
    }

    /// Topics on the replicated core, if [configured](ClusterConfig::topics).
    pub fn topics(&self) -> Option<Topics> {
        self.topics.as_ref().map(|running| running.topics.clone())
    }

    /// Completes when this node is *up*.
    pub async fn up(&self) {
        let mut placements = self.cluster.placements();
        let is_up = |placement: &Arc<Placement>| {
            placement
                .view()
                .up()
                .any(|member| member.id == *self.cluster.me())
        };
        // The sender lives as long as the cluster that we hold.
        drop(placements.wait_for(is_up).await.map(|_| ()));
    }

    /// Completes when the node must end, and says why.
    pub async fn failed(&mut self) -> Fatal {
        match self.fatal.recv().await {
            Some(fatal) => fatal,
            None => std::future::pending().await,
        }
    }

    /// Stops owning shards and hands all entities to the nodes that own them then. What could not be handed off by the
    /// `deadline` stays here.
    pub async fn hand_off(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        let me = self.cluster.me().clone();
        info!(node = %me, "leaving the cluster");
        self.membership.set_phase(Phase::Leaving).await;
        let mut placements = self.cluster.placements();
        let left = |placement: &Arc<Placement>| placement.view().up().all(|member| member.id != me);
        let handed_off = async {
            // The sender lives as long as the cluster that we hold.
            drop(placements.wait_for(left).await.map(|_| ()));
            self.cluster.0.handed_off().await;
            let is_last = self.cluster.placement().view().up().next().is_none();
            if let Some(running) = self.topics.as_ref().filter(|_| !is_last) {
                // It ends with the driver, and what that held.
                drop(
                    running
                        .topics
                        .held()
                        .wait_for(|held| *held == 0)
                        .await
                        .map(|_| ()),
                );
            }
        };
        if timeout_at(deadline, handed_off).await.is_err() {
            warn!(node = %me, "not everything could be handed off in time; the rest ends with this node");
        }
    }

    /// Tells the others that this node is gone, and ends its part. Entities that are still here are gone with it.
    pub async fn stop(self) {
        self.conductor.abort();
        drop(self.conductor.await);
        self.links.shutdown().await;
        if let Some(membership) = Arc::into_inner(self.membership) {
            membership.shutdown().await;
        }
        self.supervisor.stop(None);
    }
}

/// Runs a driver; should it end, the node must.
async fn run_driver(driver: Driver, fatal: mpsc::Sender<Fatal>) {
    let running = AbortOnDropHandle::new(tokio::spawn(driver.run()));
    let why = match running.await {
        Ok(()) => "it was told to".to_owned(),
        Err(error) => error.to_string(),
    };
    error!(why, "topics are replicated here no more; the node must stop");
    drop(fatal.try_send(Fatal::Topics(why)));
}

/// Follows the views, and decides when this node is *up*.
struct Conductor<E: Entities> {
    router: Arc<Router<E>>,
    membership: Arc<Membership>,
    views: watch::Receiver<Arc<View>>,
    /// When the node stops looking for its seeds and starts alone.
    alone_at: Instant,
    fatal: mpsc::Sender<Fatal>,
}

impl<E: Entities> Conductor<E> {
    async fn run(mut self) {
        let mut introduced = self.router.introduced();
        let mut events = self.membership.events();
        let mut name_in_doubt = self.membership.name_in_doubt();
        let mut up = false;
        let mut doubted = HashSet::new();
        loop {
            let view = self.views.borrow_and_update().clone();
            if **self.router.placement().view() != *view || !up {
                self.router.placed(view.clone());
            }
            let known = introduced.borrow_and_update().clone();
            let doubtful = only_rumoured(&view, &known);
            for member in doubtful.difference(&doubted) {
                self.membership.suspect(member);
            }
            doubted = doubtful;
            let linked = is_linked_to_all(&view, &known);
            let met = self.membership.has_heard_anyone() && view.others().next().is_some();
            let patience_is_over = Instant::now() >= self.alone_at;
            let name_is_free = !*name_in_doubt.borrow_and_update();
            let joins = view.member(&view.me).is_some_and(|me| me.phase == Phase::Joining);
            if !up && joins && linked && (met || patience_is_over) && name_is_free {
                up = true;
                info!(
                    members = view.members.len(),
                    "linked to all live members; this node is up"
                );
                self.membership.set_phase(Phase::Up).await;
                continue;
            }
            let alone = async {
                if up || met || patience_is_over {
                    std::future::pending().await
                } else {
                    tokio::time::sleep_until(self.alone_at).await
                }
            };
            tokio::select! {
                changed = self.views.changed() => if changed.is_err() { return },
                changed = introduced.changed() => if changed.is_err() { return },
                changed = name_in_doubt.changed() => if changed.is_err() { return },
                () = alone => warn!("no seed has answered; starting alone, and joining them when they come"),
                event = events.recv() => match event {
                    Ok(MembershipEvent::Unfit(unfit)) => {
                        error!(%unfit, "this node cannot be part of the cluster");
                        // A full queue already holds a reason to end.
                        drop(self.fatal.try_send(unfit.into()));
                    }
                    Ok(MembershipEvent::Stalled(pause)) => warn!(?pause, "this node was paused"),
                    Ok(MembershipEvent::CountedOut { by }) => warn!(%by, "this node was declared dead"),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }
}

/// Whether a node has links to all live members: those it sees, and those whom its peers see. It may be the last to see
/// somebody, and must own nothing before that one can tell it what is published.
fn is_linked_to_all(view: &View, introduced: &HashMap<NodeId, Vec<NodeId>>) -> bool {
    let is_linked = |id: &NodeId| introduced.contains_key(id);
    let is_over = |id: &NodeId| {
        let life = view.members.get(&id.name).map(|member| member.id.incarnation);
        life.is_some_and(|life| life > id.incarnation)
    };
    let of_peers = view
        .others()
        .filter_map(|peer| introduced.get(&peer.id))
        .flatten();
    view.others().all(|member| is_linked(&member.id))
        && of_peers
            .into_iter()
            .all(|id| *id == view.me || is_linked(id) || is_over(id))
}

/// Members to which this node has no link, and of whom no peer says that it lives: they may have died just before this
/// node could link to them.
fn only_rumoured(view: &View, introduced: &HashMap<NodeId, Vec<NodeId>>) -> HashSet<NodeId> {
    let others = view.others().map(|member| &member.id);
    let rumoured = others.filter(|id| {
        !introduced.is_empty()
            && !introduced.contains_key(id)
            && introduced.values().all(|living| !living.contains(id))
    });
    rumoured.cloned().collect()
}

/// Supervises the lanes: one that ends takes the node with it, for its entities are gone.
struct Supervisor;

/// The supervisor is told nothing but what becomes of its lanes.
enum Never {}

impl ractor::Message for Never {}

impl Actor for Supervisor {
    type Msg = Never;
    type State = mpsc::Sender<Fatal>;
    type Arguments = mpsc::Sender<Fatal>;

    async fn pre_start(
        &self,
        _: ActorRef<Never>,
        fatal: mpsc::Sender<Fatal>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(fatal)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Never>,
        event: SupervisionEvent,
        fatal: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let why = match event {
            SupervisionEvent::ActorFailed(_, error) => error.to_string(),
            SupervisionEvent::ActorTerminated(_, _, reason) => {
                reason.unwrap_or_else(|| "no reason given".into())
            }
            _ => return Ok(()),
        };
        error!(why, "a lane failed with its sessions; the node must stop");
        drop(fatal.try_send(Fatal::Lane(why)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Member;

    fn node(name: &str, incarnation: u64) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(incarnation),
        }
    }

    fn view(ids: &[NodeId]) -> View {
        let address = ([127, 0, 0, 1], 1).into();
        let member = |id: &NodeId| {
            let member = Member {
                id: id.clone(),
                phase: Phase::Up,
                http: address,
                gossip: address,
                link: address,
            };
            (id.name.clone(), member)
        };
        View {
            me: ids[0].clone(),
            members: ids.iter().map(member).collect(),
        }
    }

    #[test]
    fn a_member_that_only_peers_see_is_waited_for() {
        let (me, b, c) = (node("a", 1), node("b", 1), node("c", 1));
        let view = view(&[me.clone(), b.clone()]);
        let everybody = vec![me.clone(), b.clone(), c.clone()];
        assert!(!is_linked_to_all(&view, &HashMap::new()));
        assert!(!is_linked_to_all(&view, &[(b.clone(), everybody.clone())].into()));
        assert!(is_linked_to_all(
            &view,
            &[(b.clone(), vec![me, b.clone()])].into()
        ));
        assert!(is_linked_to_all(&view, &[(b, everybody), (c, Vec::new())].into()));
    }

    #[test]
    fn a_member_of_whom_no_peer_knows_is_doubted() {
        let (me, b, c) = (node("a", 1), node("b", 1), node("c", 1));
        let view = view(&[me.clone(), b.clone(), c.clone()]);
        assert!(
            only_rumoured(&view, &HashMap::new()).is_empty(),
            "nobody has been asked"
        );
        let without = [(b.clone(), vec![me.clone(), b.clone()])].into();
        assert_eq!(only_rumoured(&view, &without), [c.clone()].into());
        let with = [(b.clone(), vec![me, b, c])].into();
        assert!(only_rumoured(&view, &with).is_empty());
    }

    #[test]
    fn an_earlier_life_of_a_member_is_not_waited_for() {
        let (me, b, old) = (node("a", 2), node("b", 2), node("b", 1));
        let view = view(&[me, b.clone()]);
        assert!(is_linked_to_all(&view, &[(b, vec![old])].into()));
    }
}
