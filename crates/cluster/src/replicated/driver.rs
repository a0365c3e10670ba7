//! The task that runs the core: events and time in, messages and news out, one turn after the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use hither_replication::{Core, Input, Message, Output};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    application::{Publications, core_node, core_shard},
    figures::{Figures, count},
    links::TopicLinks,
    port::{TopicSettings, Topics},
    table::{Effect, Request, Table},
};
use crate::{
    links::{Credit, LinkLife, LinkSender, Unsent},
    member::NodeId,
    shard::{Placement, ShardCount},
    throttle::Throttle,
    version::WireVersion,
    wire::{self, WireError},
};

/// What happens to the driver, apart from new placements and time.
pub(crate) enum Event {
    /// A life of a link has begun.
    LinkUp {
        peer: NodeId,
        life: LinkLife,
        version: WireVersion,
    },
    LinkDown {
        peer: NodeId,
    },
    Received {
        peer: NodeId,
        messages: Vec<Bytes>,
        credit: Credit,
    },
    Request(Request),
}

/// How many events one turn takes at most: what it has for others must not wait for ever.
const EVENTS_PER_TURN: usize = 256;

/// What a driver is made with.
pub(crate) struct DriverConfig {
    pub(crate) me: NodeId,
    pub(crate) shards: ShardCount,
    pub(crate) settings: TopicSettings,
    pub(crate) placements: watch::Receiver<Arc<Placement>>,
    pub(crate) links: LinkSender,
    /// The largest message that a link takes.
    pub(crate) message_limit: usize,
}

/// Runs the core of one node.
pub(crate) struct Driver {
    core: Core<Publications>,
    table: Table,
    peers: BTreeMap<hither_replication::NodeId, Peer>,
    placements: watch::Receiver<Arc<Placement>>,
    events: mpsc::UnboundedReceiver<Event>,
    began: Instant,
    message_limit: usize,
    held: BTreeSet<hither_replication::ShardId>,
    held_count: watch::Sender<usize>,
    figures: Arc<Figures>,
    lags: Throttle,
    losses: Throttle,
}

/// A node to which there is a link.
struct Peer {
    life: LinkLife,
    version: WireVersion,
    outgoing: Outgoing,
}

/// The messages that a turn has for a peer, one behind the other.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Outgoing {
    /// Adds a message; without effect, and how long it would be, if that is more than the limit.
    fn push(
        &mut self,
        version: WireVersion,
        message: &Message<Publications>,
        limit: usize,
    ) -> Result<(), Unwritten> {
        let before = self.bytes.len();
        wire::encode_into(version, message, &mut self.bytes)?;
        let size = self.bytes.len() - before;
        if size > limit {
            self.bytes.truncate(before);
            return Err(Unwritten::TooLarge { size, limit });
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// All messages; they share one allocation.
    fn take(&mut self) -> Vec<Bytes> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let mut begin = 0;
        let slice = |end| bytes.slice(std::mem::replace(&mut begin, end)..end);
        self.ends.drain(..).map(slice).collect()
    }
}

/// Why a message is not among those that are sent.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("it takes {size} bytes, and {limit} may be sent")]
    TooLarge { size: usize, limit: usize },
}

impl Driver {
    /// A driver that is yet to [run](Self::run), what links are to tell, and the port to it.
    pub(crate) fn new(config: DriverConfig) -> (Self, TopicLinks, Topics) {
        let DriverConfig {
            me,
            shards,
            settings,
            placements,
            links,
            message_limit,
        } = config;
        let (sender, events) = mpsc::unbounded_channel();
        let (held_count, held) = watch::channel(0);
        let figures = Arc::<Figures>::default();
        let ids = shards.iter().map(core_shard);
        let core = hither_replication::Settings {
            // The port bounds that, for all shards together.
            pending_bytes: usize::MAX,
            ..settings.core.clone()
        };
        let driver = Self {
            core: Core::new(core_node(&me), ids, core),
            table: Table::default(),
            peers: BTreeMap::new(),
            placements,
            events,
            began: Instant::now(),
            message_limit,
            held: BTreeSet::new(),
            held_count,
            figures: figures.clone(),
            lags: Throttle::default(),
            losses: Throttle::default(),
        };
        let topics = Topics::new(sender.clone(), settings, message_limit / 2, shards, figures, held);
        (driver, TopicLinks::new(links, sender), topics)
    }

    /// Runs until the node ends.
    pub(crate) async fn run(mut self) {
        self.placements.mark_changed();
        let mut events = Vec::with_capacity(EVENTS_PER_TURN);
        loop {
            let deadline = self.core.deadline().map(|at| self.began + at);
            let is_placed = tokio::select! {
                changed = self.placements.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => return,
                },
                taken = self.events.recv_many(&mut events, EVENTS_PER_TURN) => match taken {
                    0 => return,
                    _ => false,
                },
                () = wait_until(deadline) => false,
            };
            if is_placed {
                let placement = self.placements.borrow_and_update().clone();
                self.give(Input::View(view(&placement)));
            }
            for event in events.drain(..) {
                self.event(event);
            }
            let now = self.now();
            if self.core.deadline().is_some_and(|at| at <= now) {
                self.give(Input::Tick);
            }
            self.end_turn();
            // Lets whoever is about to say something add to the next turn.
            tokio::task::yield_now().await;
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::LinkUp { peer, life, version } => {
                let peer = core_node(&peer);
                let outgoing = Outgoing::default();
                self.peers.insert(
                    peer.clone(),
                    Peer {
                        life,
                        version,
                        outgoing,
                    },
                );
                self.give(Input::LinkReset(peer));
            }
            Event::LinkDown { peer } => {
                self.peers.remove(&core_node(&peer));
            }
            Event::Received {
                peer,
                messages,
                credit,
            } => {
                let from = core_node(&peer);
                count(&self.figures.received, messages.len());
                for message in messages {
                    match wire::decode::<Message<Publications>>(&message) {
                        Ok(message) => {
                            let from = from.clone();
                            self.give(Input::Message { from, message });
                        }
                        Err(error) => error!(%peer, %error, "a message about topics cannot be read"),
                    }
                }
                drop(credit);
            }
            Event::Request(request) => {
                let mut inputs = Vec::new();
                self.table.request(request, &mut inputs);
                for input in inputs {
                    self.give(input);
                }
            }
        }
    }

    /// Gives the core an input, and does what it puts out.
    fn give(&mut self, input: Input<Publications>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let now = self.now();
            let mut more = Vec::new();
            for output in self.core.handle(input, now) {
                match output {
                    Output::Send { to, message } => self.send(&to, &message),
                    Output::Promoted(shard) => {
                        self.held.insert(shard);
                    }
                    Output::Demoted(shard) => {
                        self.held.remove(&shard);
                    }
                    output => {
                        let effect = self.table.output(output, &mut more);
                        self.account(effect);
                    }
                }
            }
            inputs.extend(more.into_iter().rev());
        }
    }

    fn account(&mut self, effect: Effect) {
        let Effect {
            delivered,
            confirmed,
            lagged,
            gaps,
        } = effect;
        count(&self.figures.delivered, delivered);
        count(&self.figures.confirmed, confirmed);
        count(&self.figures.lagged, lagged);
        count(&self.figures.gaps, gaps);
        if lagged > 0
            && let Some(suppressed) = self.lags.permit()
        {
            warn!(
                suppressed,
                lagged, "listeners to a topic lag: what they have not handled has reached its bound"
            );
        }
        if gaps > 0
            && let Some(suppressed) = self.losses.permit()
        {
            warn!(
                suppressed,
                listeners = gaps,
                "publications to a topic were not heard here, and are no longer retained"
            );
        }
    }

    /// Adds a message to what the turn has for a peer. While there is no link to it, nothing is kept: the reset that comes with
    /// the link makes the core say again what matters then.
    fn send(&mut self, to: &hither_replication::NodeId, message: &Message<Publications>) {
        let Some(peer) = self.peers.get_mut(to) else {
            return;
        };
        if let Err(error) = peer.outgoing.push(peer.version, message, self.message_limit) {
            error!(%to, %error, "a message about topics cannot be sent");
        }
    }

    fn end_turn(&mut self) {
        self.figures.turns.fetch_add(1, Ordering::Relaxed);
        for (node, peer) in &mut self.peers {
            let messages = peer.outgoing.take();
            if messages.is_empty() {
                continue;
            }
            match peer.life.send(&messages) {
                Ok(()) => {
                    count(&self.figures.sent, messages.len());
                    count(&self.figures.sent_bytes, messages.iter().map(Bytes::len).sum());
                }
                // Word of that is on its way.
                Err(Unsent::Down) => {}
                Err(error @ Unsent::TooLarge { .. }) => {
                    error!(%node, %error, "messages about topics are lost")
                }
            }
        }
        self.table.tell();
        let held = self.held.len();
        let was_none = *self.held_count.borrow() == 0;
        if self
            .held_count
            .send_if_modified(|count| std::mem::replace(count, held) != held)
            && was_none != (held == 0)
        {
            info!(shards = held, "shards of topics held by this node");
        }
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What a placement is for the core.
fn view(placement: &Placement) -> hither_replication::View {
    let members = placement.view().members.values();
    let targets = placement.shards().iter().map(|shard| {
        let target = hither_replication::Target {
            holder: placement.owner(shard).map(core_node),
            standby: placement.standby(shard).map(core_node),
        };
        (core_shard(shard), target)
    });
    hither_replication::View::new(members.map(|member| core_node(&member.id)), targets)
}
