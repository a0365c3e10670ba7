//! The switchboard of a node: lanes on one side, links on the other. What goes through it stands in the modules, an idea each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize},
    },
};

use bytes::Bytes;
use tokio::sync::watch;
use tracing::error;

mod barriers;
mod histories;
mod introductions;
mod legacies;
mod mourning;
mod moves;
mod pause;
mod requests;
mod switchboard;
mod topics;

pub use self::requests::RequestError;
pub(crate) use self::requests::TooLarge;
pub(crate) use self::switchboard::Switchboard;
use self::{requests::PendingAsk, topics::Topics};
use crate::{
    ask::{AskId, LinkMessage},
    entity::Entities,
    lane::{LaneMessage, LaneRef},
    links::{Credit, LinkSender, SendError},
    member::{NodeId, View},
    settlement::Settlement,
    shard::{Key, Placement, ShardCount},
    topic::lanes_in,
    trace::Traces,
    version::WireVersion,
    wire,
};

/// The switchboard of a node: lanes on one side, links on the other.
pub(crate) struct Router<E: Entities> {
    me: NodeId,
    lanes: OnceLock<Box<[LaneRef<E>]>>,
    links: LinkSender,
    placement: watch::Sender<Arc<Placement>>,
    asks: Mutex<HashMap<AskId, PendingAsk<E>>>,
    last_ask: AtomicU64,
    topics: Mutex<Topics>,
    settlement: Mutex<Settlement>,
    introduced: watch::Sender<HashMap<NodeId, Vec<NodeId>>>,
    traces: Mutex<Traces>,
    /// The placement under which this node has handed off all that is not its own.
    handed_off: watch::Sender<Option<u64>>,
    /// Per lane, how many of its entities belong elsewhere.
    moves: Box<[AtomicUsize]>,
}

/// Nothing here leaves its data half-changed when it panics, so a poisoned lock is as good as another.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E: Entities> Router<E> {
    /// A router whose lanes are yet to be [connected](Self::connect_lanes).
    pub(crate) fn new(view: Arc<View>, shards: ShardCount, lanes: usize, links: LinkSender) -> Self {
        Self {
            me: view.me.clone(),
            lanes: OnceLock::new(),
            links,
            placement: watch::Sender::new(Arc::new(Placement::new(view, shards))),
            asks: Mutex::default(),
            last_ask: AtomicU64::new(0),
            topics: Mutex::default(),
            settlement: Mutex::new(Settlement::new(lanes)),
            introduced: watch::Sender::new(HashMap::new()),
            traces: Mutex::default(),
            handed_off: watch::Sender::new(None),
            moves: (0..lanes).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Sets the lanes, which need the router to be made. Later calls change nothing.
    pub(crate) fn connect_lanes(&self, lanes: Box<[LaneRef<E>]>) {
        self.lanes.get_or_init(|| lanes);
    }

    pub(crate) fn lanes(&self) -> &[LaneRef<E>] {
        self.lanes.get().map_or(&[], |lanes| lanes)
    }

    pub(crate) fn me(&self) -> &NodeId {
        &self.me
    }

    pub(crate) fn placement(&self) -> Arc<Placement> {
        self.placement.borrow().clone()
    }

    pub(crate) fn placements(&self) -> watch::Receiver<Arc<Placement>> {
        self.placement.subscribe()
    }

    /// The peers that have told which topics they want, and so can be relied upon.
    pub(crate) fn introduced(&self) -> watch::Receiver<HashMap<NodeId, Vec<NodeId>>> {
        self.introduced.subscribe()
    }

    /// A shard always runs in the same lane of its node.
    pub(crate) fn lane_of(&self, key: &Key) -> usize {
        let shard = self.placement.borrow().shards().shard_of(key);
        shard.0 as usize % self.lanes().len().max(1)
    }

    /// Hands a message to the lane of a key. A lane is gone only when the node is about to be.
    fn to_lane(&self, key: &Key, message: LaneMessage<E>) {
        if let Some(lane) = self.lanes().get(self.lane_of(key)) {
            lane.tell(message);
        }
    }

    fn to_lanes(&self, mask: u64, message: impl Fn() -> LaneMessage<E>) {
        for lane in lanes_in(mask) {
            if let Some(lane) = self.lanes().get(lane) {
                lane.tell(message());
            }
        }
    }

    fn to_all_lanes(&self, message: impl Fn() -> LaneMessage<E>) {
        self.lanes().iter().for_each(|lane| lane.tell(message()));
    }

    /// Whether the message is on its way.
    fn to_peer(&self, peer: &NodeId, message: &LinkMessage) -> bool {
        let Some(version) = self.links.version(peer) else {
            return false;
        };
        match wire::encode(version, message) {
            Ok(bytes) => self.send(peer, bytes),
            Err(error) => {
                error!(%peer, %error, "a message could not be encoded");
                false
            }
        }
    }

    fn send(&self, peer: &NodeId, message: Bytes) -> bool {
        match self.links.send(peer, message) {
            Ok(()) => true,
            Err(SendError::NoLink(_)) => false,
            Err(error @ SendError::TooLarge { .. }) => {
                error!(%peer, %error, "a message is lost");
                false
            }
        }
    }

    fn to_peers(&self, message: &LinkMessage) {
        self.to_many(&self.links.linked(), message);
    }

    /// Sends the message to these, encoded once for each version that they speak. Returned is who cannot be sent it now.
    fn to_many<'a>(&self, peers: &'a [NodeId], message: &LinkMessage) -> Vec<&'a NodeId> {
        let mut encoded: Option<(WireVersion, Bytes)> = None;
        let mut send = |peer: &NodeId| {
            let Some(version) = self.links.version(peer) else {
                return false;
            };
            let bytes = match &encoded {
                Some((of, bytes)) if *of == version => bytes.clone(),
                _ => match wire::encode(version, message) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        error!(%peer, %error, "a message could not be encoded");
                        return false;
                    }
                },
            };
            encoded = Some((version, bytes.clone()));
            self.send(peer, bytes)
        };
        peers.iter().filter(|peer| !send(peer)).collect()
    }

    /// Sends something to the lanes of another node, if there is a link to it.
    pub(crate) fn direct(&self, to: &NodeId, direct: &E::Direct) -> bool {
        let Some(version) = self.links.version(to) else {
            return false;
        };
        match wire::encode(version, direct) {
            Ok(bytes) => self.to_peer(to, &LinkMessage::Direct(bytes)),
            Err(error) => {
                error!(%to, %error, "a message between lanes could not be encoded");
                false
            }
        }
    }

    /// As [`direct`](Self::direct), also to this node itself.
    pub(crate) fn send_direct(&self, to: &NodeId, direct: E::Direct) -> bool {
        if *to == self.me {
            self.to_lanes_of(to, direct, &Credit::unaccounted());
            return true;
        }
        self.direct(to, &direct)
    }

    fn to_lanes_of(&self, from: &NodeId, direct: E::Direct, credit: &Credit) {
        for (lane, direct) in E::route(direct, self.lanes().len(), &|key| self.lane_of(key)) {
            if let Some(lane) = self.lanes().get(lane) {
                lane.tell(LaneMessage::Direct {
                    from: from.clone(),
                    direct,
                    hold: credit.clone(),
                });
            }
        }
    }

    /// Whether there is a link to a node at present.
    pub(crate) fn is_linked(&self, node: &NodeId) -> bool {
        self.links.is_linked(node)
    }
}

/// Everybody whom a view knows to be alive.
fn members_of(view: &View) -> Vec<NodeId> {
    view.members.values().map(|member| member.id.clone()).collect()
}
