//! What the sessions of one lane share.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Instant,
};

use hither_cluster::{NodeId, Subscribed, Topic};
use hither_socketio::RecoveryId;

use super::{
    Sessions,
    direct::{Delivered, Order, Outbound},
    holders::Search,
    ingress_sockets::{IngressSockets, SocketNews},
    session::SessionSocket,
    shared::Shared,
};

/// The lane as its sessions see it.
pub(crate) type Lane = hither_cluster::Lane<Sessions>;

/// A session's place in its lane.
pub(crate) type Slot = usize;

/// What the sessions of one lane share.
pub(crate) struct Env {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sockets: IngressSockets,
    /// Who hears a topic.
    pub(crate) listeners: HashMap<Topic, Vec<Slot>>,
    /// Who waits until a subscription is in force.
    pub(crate) awaiting: HashMap<Topic, Vec<Slot>>,
    /// Which sessions have a socket that can be recovered; more than one only after a partition.
    recoverable: HashMap<RecoveryId, Vec<Slot>>,
    /// Who has something to send at the end of the turn.
    pub(crate) dirty: Vec<Slot>,
    /// Who is over and can be forgotten.
    pub(crate) over: Vec<Slot>,
    pub(crate) timers: BinaryHeap<Reverse<(Instant, Slot)>>,
    pub(crate) outbound: Outbound,
    /// What is to be told to other nodes about their sessions' sockets here.
    pub(crate) delivered: HashMap<NodeId, Vec<Delivered>>,
    pub(crate) news: Vec<SocketNews>,
    pub(super) search: Option<Search>,
    /// Who waits for a link that is congested.
    pub(super) stalled: Vec<Slot>,
    runs: u64,
    /// How many handlers the session that goes on has run in the lane.
    pub(super) handlers_in_turn: u32,
}

impl Env {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            sockets: IngressSockets::default(),
            listeners: HashMap::new(),
            awaiting: HashMap::new(),
            recoverable: HashMap::new(),
            dirty: Vec::new(),
            over: Vec::new(),
            timers: BinaryHeap::new(),
            outbound: Outbound::default(),
            delivered: HashMap::new(),
            news: Vec::new(),
            search: None,
            stalled: Vec::new(),
            runs: 0,
            handlers_in_turn: 0,
        }
    }

    /// A number by which a handler's end is told from that of an earlier one in the same lane.
    pub(crate) fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    /// A session hears a topic from now on.
    pub(crate) fn listen(&mut self, lane: &mut Lane, topic: &Topic, slot: Slot) -> Subscribed {
        self.listeners.entry(topic.clone()).or_default().push(slot);
        lane.subscribe(topic)
    }

    /// A session hears a topic no more.
    pub(crate) fn unlisten(&mut self, lane: &mut Lane, topic: &Topic, slot: Slot) {
        if let Some(slots) = self.listeners.get_mut(topic)
            && let Some(position) = slots.iter().position(|listener| *listener == slot)
        {
            slots.swap_remove(position);
            if slots.is_empty() {
                self.listeners.remove(topic);
            }
            lane.unsubscribe(topic);
        }
    }

    /// A session has a socket that can be recovered with this.
    pub(super) fn recoverable(&mut self, recovery: &RecoveryId, slot: Slot) {
        self.recoverable.entry(recovery.clone()).or_default().push(slot);
    }

    /// A session has that socket no more.
    pub(super) fn not_recoverable(&mut self, recovery: &RecoveryId, slot: Slot) {
        if let Some(slots) = self.recoverable.get_mut(recovery) {
            slots.retain(|holder| *holder != slot);
            if slots.is_empty() {
                self.recoverable.remove(recovery);
            }
        }
    }

    /// The sessions that have a socket which can be recovered with this.
    pub(super) fn holders_of(&self, recovery: &RecoveryId) -> &[Slot] {
        self.recoverable.get(recovery).map_or(&[], Vec::as_slice)
    }

    /// Gives an order to a socket, here at once, elsewhere at the end of the turn.
    pub(crate) fn order(&mut self, lane: &mut Lane, socket: &SessionSocket, order: Order) {
        let (number, stream) = (socket.address.number, socket.stream);
        if socket.address.ingress == *lane.node() {
            self.sockets
                .order(lane.node(), number, stream, order, &mut self.news);
        } else {
            self.outbound.add(&socket.address.ingress, number, stream, order);
        }
        lane.request_flush();
    }
}
