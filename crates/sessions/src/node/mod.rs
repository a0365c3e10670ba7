//! A node's part in all sockets: the replicated core, the sockets that it holds, and the endpoints that landed here.

mod attach;
mod endpoints;
mod handlers;
mod outgoing;
mod rooms;
mod shards;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use hither_replication as replication;
use replication::{Core, NodeId, ReplayId, ShardId, Target, View};

use self::{endpoints::Connections, rooms::Replay};
use crate::{
    endpoint::Endpoint,
    ids::{AttachmentNumber, EndpointId, OutputNumber, Producer, RunId, Sequence, SocketId, Topic},
    message::{ClientPacket, Effects, How, Job, Message, ServerPacket},
    record::Replicated,
    serving::Serving,
};

type CoreOutput = replication::Output<Replicated>;
type CoreInput = replication::Input<Replicated>;

/// How long.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the replicated core.
    pub core: replication::Settings,
    /// For how long a socket waits for its client, and what the client may have missed is kept: up to twice as long.
    pub window: Duration,
    /// How many bytes of what a socket says to its client are kept until the client has them. Of more, the oldest events go, and
    /// a client that has not heard them cannot go on with its socket.
    pub kept_bytes: u32,
    /// How many bytes of what a socket says and sends may not be known to be done, beside what one handler does. Of more, the
    /// frames of its client wait, and events of others for it are not taken.
    pub unfinished_bytes: usize,
    /// How many bytes of acks may be awaited. Of more, the client is not asked, and the handler is told so.
    pub awaited_bytes: usize,
    /// How many bytes of rooms may wait for a socket's own changes to be committed, or for another room. A socket for which
    /// more waits ends, and its client begins anew.
    pub waiting_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            core: replication::Settings::default(),
            window: Duration::from_secs(120),
            kept_bytes: 256 << 10,
            unfinished_bytes: 1 << 20,
            awaited_bytes: 256 << 10,
            waiting_bytes: 1 << 20,
        }
    }
}

/// What happens to a node.
pub enum Input {
    /// The members are others now, and shards should be there.
    View {
        /// All members.
        members: BTreeSet<NodeId>,
        /// Where shards should be.
        targets: Vec<(ShardId, Target)>,
    },
    /// What was on its way between this node and another may be lost, in both directions.
    LinkReset(NodeId),
    /// A node has said something.
    Message {
        /// The node.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// A deadline is over; see [`Node::deadline`].
    Tick,
    /// A client has connected here, and wants a socket.
    Connected {
        /// Of this connection; never used before.
        endpoint: EndpointId,
        /// Which socket: a new one, or the one that the client names.
        socket: SocketId,
        /// Whether it is new.
        how: How,
    },
    /// A client has sent something.
    Client {
        /// Through this.
        endpoint: EndpointId,
        /// What.
        packet: ClientPacket,
    },
    /// A client's connection has ended.
    ClientLost(EndpointId),
    /// A handler has ended.
    Done {
        /// Which run.
        run: RunId,
        /// What it has done.
        effects: Effects,
    },
}

/// What a node is to do.
pub enum Output {
    /// Send a message to another node.
    Send {
        /// The node.
        to: NodeId,
        /// The message.
        message: Message,
    },
    /// Tell a client something.
    ToClient {
        /// Through this.
        endpoint: EndpointId,
        /// What.
        packet: ServerPacket,
    },
    /// Run a handler, and give [`Input::Done`] when it has ended.
    Run {
        /// This run.
        run: RunId,
        /// Of this socket.
        socket: SocketId,
        /// Its data.
        data: Bytes,
        /// What for.
        job: Job,
    },
}

/// What is due at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Messages to sockets that are not confirmed are sent again.
    Directs,
    /// What is kept in a shard for clients that return gets older.
    Age(ShardId),
    /// An attachment is not answered.
    Attach(EndpointId, AttachmentNumber),
    /// A socket's client does not come back.
    Away(SocketId),
    /// An ack does not come.
    Ack(SocketId, OutputNumber),
}

enum Event {
    Core(CoreOutput),
    ToMe(Message),
}

/// A node: give it an input, do what it puts out, in order, and wake it at its [deadline](Self::deadline).
///
/// It has no clock, no random source and no task; the same inputs give the same outputs.
pub struct Node {
    me: NodeId,
    settings: Settings,
    core: Core<Replicated>,
    members: BTreeSet<NodeId>,
    sockets: BTreeMap<SocketId, Serving>,
    connections: Connections,
    /// Who hears a topic here.
    listening: BTreeMap<Topic, BTreeSet<SocketId>>,
    replays: BTreeMap<ReplayId, Replay>,
    next_replay: u64,
    runs: BTreeMap<RunId, SocketId>,
    next_run: u64,
    /// What this node has published and does not know to be committed.
    published: BTreeSet<(Producer, Sequence)>,
    /// Sockets that have sent something to others which is not confirmed.
    sending: BTreeSet<SocketId>,
    committed: BTreeMap<ShardId, u64>,
    /// Whose records are not committed, by number.
    waiting: BTreeMap<ShardId, BTreeMap<u64, Vec<SocketId>>>,
    /// What other nodes are told when a record is committed.
    confirmations: BTreeMap<ShardId, BTreeMap<u64, Vec<(NodeId, Message)>>>,
    /// Sockets with publications to shards to which there was no room for any.
    unwritable: BTreeMap<ShardId, BTreeSet<SocketId>>,
    /// Sockets with something to do, in shards of which this node has no lease.
    unleased: BTreeMap<ShardId, BTreeSet<SocketId>>,
    /// Shards that this node is handing over, with the handlers that have ended meanwhile: they may come back.
    paused: BTreeMap<ShardId, Vec<(RunId, Effects)>>,
    timers: BTreeSet<(Duration, Timer)>,
    /// Shards with a timer for what is kept in them.
    aging: BTreeSet<ShardId>,
    now: Duration,
    events: VecDeque<Event>,
    outputs: Vec<Output>,
    /// How many records it has made.
    records: u64,
    #[cfg(test)]
    pub(crate) mutant: Option<crate::simulation::Mutant>,
}

impl Node {
    /// The node `me`, which knows nobody and of nothing yet, in a cluster with these shards.
    pub fn new(me: NodeId, shards: impl IntoIterator<Item = ShardId>, settings: Settings) -> Self {
        Self {
            core: Core::new(me.clone(), shards, settings.core.clone()),
            me,
            settings,
            members: BTreeSet::new(),
            sockets: BTreeMap::new(),
            connections: Connections::default(),
            listening: BTreeMap::new(),
            replays: BTreeMap::new(),
            next_replay: 0,
            runs: BTreeMap::new(),
            next_run: 0,
            published: BTreeSet::new(),
            sending: BTreeSet::new(),
            committed: BTreeMap::new(),
            waiting: BTreeMap::new(),
            confirmations: BTreeMap::new(),
            unwritable: BTreeMap::new(),
            unleased: BTreeMap::new(),
            paused: BTreeMap::new(),
            timers: BTreeSet::new(),
            aging: BTreeSet::new(),
            now: Duration::ZERO,
            events: VecDeque::new(),
            outputs: Vec::new(),
            records: 0,
            #[cfg(test)]
            mutant: None,
        }
    }

    /// The replicated core.
    pub fn core(&self) -> &Core<Replicated> {
        &self.core
    }

    /// How many changes of sockets it has had recorded.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The end of a client's connection.
    pub fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.connections.get(id)
    }

    /// When the next [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(at, _)| *at);
        timer.into_iter().chain(self.core.deadline()).min()
    }

    /// Takes an input and says what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Output> {
        self.now = now;
        match input {
            Input::View { members, targets } => {
                self.members = members;
                let view = View::new(self.members.iter().cloned(), targets);
                self.give_core(CoreInput::View(view));
                let members = self.members.clone();
                self.detach_where(|node| !members.contains(node));
            }
            Input::LinkReset(peer) => {
                self.give_core(CoreInput::LinkReset(peer.clone()));
                // Whoever is there still attaches itself again.
                self.detach_where(|node| *node == peer);
                self.reattach_to(&peer);
            }
            Input::Message { from, message } => self.on_message(&from, message),
            Input::Tick => {
                self.give_core(CoreInput::Tick);
                while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
                    self.timers.remove(&(at, timer));
                    self.on_timer(timer);
                }
            }
            Input::Connected {
                endpoint,
                socket,
                how,
            } => self.connect(Endpoint::new(endpoint, socket, how)),
            Input::Client { endpoint, packet } => self.on_client(endpoint, packet),
            Input::ClientLost(endpoint) => self.on_client_lost(endpoint),
            Input::Done { run, effects } => self.on_done(run, effects),
        }
        self.run_events();
        self.resume();
        self.run_events();
        std::mem::take(&mut self.outputs)
    }

    fn run_events(&mut self) {
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Core(output) => self.on_core(output),
                Event::ToMe(message) => {
                    let me = self.me.clone();
                    self.on_message(&me, message);
                }
            }
        }
    }

    fn on_message(&mut self, from: &NodeId, message: Message) {
        match message {
            Message::Core(message) => {
                let from = from.clone();
                self.give_core(CoreInput::Message { from, message });
            }
            Message::ToSocket {
                endpoint,
                attachment,
                socket,
                message,
            } => self.on_endpoint(from, endpoint, attachment, socket, message),
            Message::ToEndpoint {
                endpoint,
                attachment,
                message,
            } => self.on_socket(endpoint, attachment, message),
            Message::Direct {
                to,
                producer,
                sequence,
                previous,
                event,
            } => self.on_direct(from, to, producer, sequence, previous, event),
            Message::DirectConfirmed {
                producer, sequence, ..
            } => self.on_confirmed(producer, sequence, None),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Directs => self.repeat_directs(),
            Timer::Age(shard) => self.age(shard),
            Timer::Attach(endpoint, attachment) => self.attach_again(endpoint, attachment),
            Timer::Away(socket) => self.expire(socket),
            Timer::Ack(socket, asked) => self.time_out(socket, asked),
        }
    }

    fn give_core(&mut self, input: CoreInput) {
        let outputs = self.core.handle(input, self.now);
        self.absorb(outputs);
    }

    fn absorb(&mut self, outputs: Vec<CoreOutput>) {
        self.events.extend(outputs.into_iter().map(Event::Core));
    }

    fn send(&mut self, to: &NodeId, message: Message) {
        if *to == self.me {
            self.events.push_back(Event::ToMe(message));
        } else {
            let to = to.clone();
            self.outputs.push(Output::Send { to, message });
        }
    }

    fn wake_in(&mut self, delay: Duration, timer: Timer) {
        self.timers.insert((self.now + delay, timer));
    }

    /// Up to where the records of a shard are committed, as far as this node holds it.
    fn committed(&self, shard: ShardId) -> u64 {
        #[cfg(test)]
        if self.fails(crate::simulation::Mutant::ReleaseEarly) {
            return u64::MAX;
        }
        self.committed.get(&shard).copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn is_waiting_for_room(&self) -> bool {
        !self.unwritable.is_empty()
    }

    /// Whether it makes a mistake, for the simulation to catch.
    #[cfg(test)]
    fn fails(&self, mutant: crate::simulation::Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
