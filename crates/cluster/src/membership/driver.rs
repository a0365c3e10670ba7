//! The task between gossip, the clock and the roster.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ListenerHandle, NodeState,
    spawn_chitchat,
};
use tokio::{
    net::UdpSocket,
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error, warn};

use super::{
    MembershipConfig, MembershipError, MembershipEvent, Unfit,
    advertisement::{
        Advertisement, Stage, counted_out_entry, counted_out_key, read_counted_out, stage_entry,
    },
    channels::Channels,
    report::{log_departure, log_own_phase, log_phase},
    roster::{Departure, News, Roster, Sighting},
    seeds::{ForeignSeed, Seeker},
    transport::SealedTransport,
};
use crate::{
    member::{Incarnation, Member, NodeId, NodeName, Phase, View},
    throttle::Throttle,
    version::WireVersions,
};

/// Keeps the gossip of other programs apart, should one have the same secret.
const CLUSTER: &str = "hither 1";

/// How long gossip remembers the dead. They take some 60 bytes each of every datagram, so a node that crashes every
/// second must not fill one (64 KiB) with its former lives. Longer silences are healed by greeting the missing.
const REMEMBER_THE_DEAD: Duration = Duration::from_secs(10 * 60);

/// How often, and how many times, a leaving node says goodbye: datagrams get lost.
const GOODBYE_INTERVAL: Duration = Duration::from_millis(50);
const GOODBYES: u32 = 4;

/// How often an unfit node is told so.
const UNFIT_INTERVAL: Duration = Duration::from_secs(1);

/// What the handle asks of the driver; answered when done.
pub(super) enum Command {
    SetPhase(Phase, oneshot::Sender<()>),
    Leave(oneshot::Sender<()>),
}

/// Members that were suspected since the driver last looked.
#[derive(Default)]
pub(super) struct Suspicions {
    members: Mutex<BTreeSet<NodeId>>,
    added: Notify,
}

impl Suspicions {
    pub(super) fn add(&self, member: NodeId) {
        self.members
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(member);
        self.added.notify_one();
    }

    fn take(&self) -> BTreeSet<NodeId> {
        std::mem::take(&mut *self.members.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The open gossip port.
pub(super) struct GossipPort {
    pub(super) socket: UdpSocket,
    /// Where it listens.
    pub(super) bound: SocketAddr,
    /// What the others are told.
    pub(super) advertised: SocketAddr,
}

pub(super) struct Driver {
    roster: Roster,
    tick: Duration,
    failure_timeout: Duration,
    gossip: Arc<ChitchatHandle>,
    /// Notified when any node has changed what it says of itself.
    changed: Arc<Notify>,
    _listener: ListenerHandle,
    _greeter: AbortOnDropHandle<()>,
    foreign: watch::Receiver<ForeignSeed>,
    suspicions: Arc<Suspicions>,
    commands: mpsc::Receiver<Command>,
    views: watch::Sender<Arc<View>>,
    company: watch::Sender<bool>,
    name_in_doubt: watch::Sender<bool>,
    events: broadcast::Sender<MembershipEvent>,
    /// How often this node has counted out others, by name.
    counted_out: BTreeMap<NodeName, (Incarnation, u64)>,
    /// Nodes whose gossip could not be read, so that each is logged once.
    unreadable: BTreeSet<NodeId>,
    namesakes: Throttle,
    ran_until: Instant,
    told_unfit: Option<Instant>,
}

impl Driver {
    pub(super) async fn start(
        config: MembershipConfig,
        port: GossipPort,
        refused: Arc<AtomicU64>,
        suspicions: Arc<Suspicions>,
        events: broadcast::Sender<MembershipEvent>,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, MembershipError> {
        let GossipPort {
            socket,
            bound,
            advertised,
        } = port;
        let MembershipConfig {
            me,
            http,
            link,
            seeds,
            secrets,
            shards,
            timing,
            ..
        } = config;
        let advertisement = Advertisement {
            stage: Stage::In(Phase::Joining),
            http,
            link,
            shards,
            wire: WireVersions::this_build(),
        };
        let chitchat = ChitchatConfig {
            chitchat_id: ChitchatId::new(me.name.as_str(), me.incarnation.0, advertised),
            cluster_id: CLUSTER.to_owned(),
            gossip_interval: timing.gossip_interval,
            listen_addr: config.gossip_bind,
            seed_nodes: Vec::new(),
            failure_detector_config: failure_detector(timing.failure_timeout),
            marked_for_deletion_grace_period: REMEMBER_THE_DEAD,
            catchup_callback: None,
            extra_liveness_predicate: None,
        };
        let seeker = Seeker::new(seeds, advertised, me.clone(), secrets.clone());
        let channels = Channels::new(advertised, bound, std::time::Instant::now());
        let transport = SealedTransport::new(socket, channels, secrets, refused);
        let gossip = spawn_chitchat(chitchat, advertisement.entries(), &transport)
            .await
            .map_err(|error| MembershipError::Gossip(error.to_string()))?;
        let gossip = Arc::new(gossip);

        let changed = Arc::new(Notify::new());
        let notify = changed.clone();
        let listener = gossip.with_chitchat(move |chitchat| {
            let notify = notify.clone();
            chitchat.subscribe_event("", move |_| notify.notify_one())
        });
        let listener = listener.await;

        let me = Member {
            id: me,
            phase: Phase::Joining,
            http,
            gossip: advertised,
            link,
        };
        let tick = timing.gossip_interval / 2;
        let failure_timeout = timing.failure_timeout;
        let roster = Roster::new(me, shards, timing);
        let (views, seen) = watch::channel(Arc::new(roster.view().clone()));
        let (found, foreign) = watch::channel(None);
        let greeter = tokio::spawn(seeker.run(seen, gossip.clone(), found));
        Ok(Self {
            roster,
            tick,
            failure_timeout,
            gossip,
            changed,
            _listener: listener,
            _greeter: AbortOnDropHandle::new(greeter),
            foreign,
            suspicions,
            commands,
            views,
            company: watch::Sender::new(false),
            name_in_doubt: watch::Sender::new(false),
            events,
            counted_out: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            namesakes: Throttle::default(),
            ran_until: Instant::now(),
            told_unfit: None,
        })
    }

    pub(super) fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.subscribe()
    }

    pub(super) fn company(&self) -> watch::Receiver<bool> {
        self.company.subscribe()
    }

    pub(super) fn name_in_doubt(&self) -> watch::Receiver<bool> {
        self.name_in_doubt.subscribe()
    }

    /// Runs until the handle says goodbye or is dropped, or gossip ends.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(self.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ended: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> =
            Box::pin(self.gossip.termination_watcher());
        loop {
            tokio::select! {
                _ = ticks.tick() => self.observe().await,
                () = self.changed.notified() => self.observe().await,
                () = self.suspicions.added.notified() => self.observe().await,
                Ok(()) = self.foreign.changed() => self.observe().await,
                command = self.commands.recv() => match command {
                    Some(Command::SetPhase(phase, done)) => {
                        self.set_phase(phase).await;
                        done.send(()).ok();
                    }
                    Some(Command::Leave(done)) => {
                        self.say_goodbye().await;
                        done.send(()).ok();
                        return;
                    }
                    None => return,
                },
                end = &mut ended => {
                    let reason = end.err().map_or_else(|| "it was shut down".to_owned(), |error| error.to_string());
                    return self.stay_unfit(Unfit::GossipEnded(reason)).await;
                }
            }
        }
    }

    async fn observe(&mut self) {
        let ran = self.ran();
        for suspect in self.suspicions.take() {
            debug!(node = %suspect.name, incarnation = suspect.incarnation.0, "member suspected");
            self.roster.suspect(&suspect);
        }
        if let Some((seed, theirs)) = *self.foreign.borrow_and_update() {
            self.roster.seed_speaks(seed, theirs);
        }
        let sightings = self.sightings().await;
        let news = self.roster.observe(sightings, ran);
        // Before the view, so that who acts on a view knows of the doubt.
        let doubt = self.roster.is_name_in_doubt();
        self.name_in_doubt
            .send_if_modified(|known| std::mem::replace(known, doubt) != doubt);
        self.publish();
        for item in news {
            self.tell(item).await;
        }
        if self.roster.has_company() {
            self.company
                .send_if_modified(|company| !std::mem::replace(company, true));
        }
        if let Some(unfit) = self.roster.unfit() {
            self.tell_unfit(unfit);
        }
    }

    /// How long this process ran since the last call, as far as the clock can tell.
    ///
    /// A tick that comes late means that the process, or this task, was held up; so were the heartbeats of others.
    fn ran(&mut self) -> Duration {
        let now = Instant::now();
        let passed = now.duration_since(std::mem::replace(&mut self.ran_until, now));
        if passed >= self.failure_timeout {
            warn!(stalled = ?passed, "this node was paused; the others may have declared it dead");
            self.emit(MembershipEvent::Stalled(passed));
        }
        passed.min(self.tick * 2)
    }

    async fn sightings(&mut self) -> Vec<Sighting> {
        let me = self.roster.view().me.clone();
        let unreadable = &mut self.unreadable;
        let chitchat = self.gossip.chitchat();
        let chitchat = chitchat.lock().await;
        let own = chitchat.self_chitchat_id();
        let others = chitchat.node_states().iter().filter(|(id, _)| *id != own);
        others
            .filter_map(|(id, state)| sighting(&me, id, state, unreadable))
            .collect()
    }

    fn publish(&self) {
        self.views.send_if_modified(|view| {
            let changed = **view != *self.roster.view();
            if changed {
                *view = Arc::new(self.roster.view().clone());
            }
            changed
        });
    }

    async fn tell(&mut self, news: News) {
        match news {
            News::Appeared(member) | News::Changed(member) => log_phase(&member),
            News::Disappeared(member, departure) => {
                log_departure(&member, departure);
                if let Departure::Died(_) = departure {
                    self.count_out(&member.id).await;
                }
            }
            News::Refused(id, misfit) => warn!(
                node = %id.name, incarnation = id.incarnation.0, reason = %misfit,
                "refused a node that cannot be a member"
            ),
            News::Namesake(by, at) => {
                if let Some(suppressed) = self.namesakes.permit() {
                    warn!(incarnation = by.incarnation.0, %at, suppressed, "another node tries to join under this node's name");
                }
            }
            News::CountedOut(by) => {
                warn!(by = %by.name, incarnation = by.incarnation.0, "this node was declared dead");
                self.emit(MembershipEvent::CountedOut { by });
            }
            News::Forgotten(name) => {
                self.unreadable.retain(|id| id.name != name);
                if self.counted_out.remove(&name).is_some() {
                    let key = counted_out_key(&name);
                    self.gossip
                        .with_chitchat(|chitchat| chitchat.self_node_state().delete(&key))
                        .await;
                }
            }
        }
    }

    /// Lets a member know that it was counted out, should it still live.
    async fn count_out(&mut self, id: &NodeId) {
        let entry = self
            .counted_out
            .entry(id.name.clone())
            .or_insert((id.incarnation, 0));
        *entry = (
            id.incarnation,
            if entry.0 == id.incarnation { entry.1 + 1 } else { 1 },
        );
        let says = counted_out_entry(id, entry.1);
        self.say(says).await;
    }

    async fn set_phase(&mut self, phase: Phase) {
        if !self.roster.set_phase(phase) {
            return;
        }
        self.say(stage_entry(Stage::In(phase))).await;
        self.publish();
        log_own_phase(self.roster.view());
        self.greet_all();
    }

    async fn say_goodbye(&mut self) {
        self.say(stage_entry(Stage::Gone)).await;
        for _ in 0..GOODBYES {
            self.greet_all();
            sleep(GOODBYE_INTERVAL).await;
        }
        if self.gossip.initiate_shutdown().is_ok() {
            self.gossip.termination_watcher().await.ok();
        }
    }

    async fn say(&self, (key, value): (String, String)) {
        self.gossip
            .with_chitchat(|chitchat| chitchat.self_node_state().set(&key, &value))
            .await;
    }

    /// Does not wait for the next round of gossip.
    fn greet_all(&self) {
        for other in self.roster.view().others() {
            if self.gossip.gossip(other.gossip).is_err() {
                // Gossip has ended, and `run` is about to learn it.
                return;
            }
        }
    }

    fn tell_unfit(&mut self, unfit: Unfit) {
        if self
            .told_unfit
            .is_some_and(|told| told.elapsed() < UNFIT_INTERVAL)
        {
            return;
        }
        self.told_unfit = Some(Instant::now());
        error!(reason = %unfit, "this node cannot be part of the cluster");
        self.emit(MembershipEvent::Unfit(unfit));
    }

    async fn stay_unfit(mut self, unfit: Unfit) {
        let mut ticks = interval(UNFIT_INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.tell_unfit(unfit.clone()),
                command = self.commands.recv() => match command {
                    Some(Command::SetPhase(phase, _done)) => {
                        self.roster.set_phase(phase);
                    }
                    Some(Command::Leave(_)) | None => return,
                },
            }
        }
    }

    fn emit(&self, event: MembershipEvent) {
        // Fails when nobody listens, which is their choice.
        self.events.send(event).ok();
    }
}

/// Chitchat's detector decides only whom it gossips with; who is in the view is the roster's business.
///
/// A window of one interval, smoothed with five times the longest interval that counts, makes the timeout nearly fixed:
/// between 5/6 of it and all of it.
fn failure_detector(timeout: Duration) -> FailureDetectorConfig {
    const PHI: u32 = 8;
    FailureDetectorConfig {
        phi_threshold: f64::from(PHI),
        sampling_window_size: 1,
        max_interval: timeout / PHI,
        initial_interval: timeout / PHI,
        dead_node_grace_period: REMEMBER_THE_DEAD,
    }
}

fn sighting(
    me: &NodeId,
    id: &ChitchatId,
    state: &NodeState,
    unreadable: &mut BTreeSet<NodeId>,
) -> Option<Sighting> {
    let name: NodeName = id.node_id.parse().ok()?;
    let node = NodeId {
        name,
        incarnation: Incarnation(id.generation_id),
    };
    let value_of = |key: &str| state.get(key);
    let advertisement = Advertisement::read(value_of).unwrap_or_else(|error| {
        if unreadable.insert(node.clone()) {
            warn!(node = %node.name, incarnation = node.incarnation.0, %error, "cannot read a node's advertisement");
        }
        None
    });
    Some(Sighting {
        gossip: id.gossip_advertise_addr,
        heartbeat: state.heartbeat().into(),
        advertisement,
        counted_me_out: read_counted_out(me, value_of),
        id: node,
    })
}
