//! Which links there are, and what becomes of them.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use ractor::ActorRef;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error, info, warn};

use super::{
    LinkEvents, LinkLimits, LinkSender,
    credit::Credit,
    dial::{Opened, Origin, backoff, dial},
    envelope::{Envelope, LifeId},
    error::LinkDown,
    gateway::GatewayMessage,
    library::Session,
    outbox::Outbox,
    stream::{LinkStream, StreamControl, StreamId},
    writer::Writer,
};
use crate::{
    member::{NodeId, View},
    throttle::Throttle,
};

/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a peer with a link may be missing from the view from the start: gossip may be slower than a link.
const ADMISSION: Duration = Duration::from_secs(5);

/// How long a link must last for its failures to be forgotten.
const SOUND: Duration = Duration::from_secs(1);

/// How many pings fit into the stall timeout: it takes the loss of most of them to be taken for dead.
const PINGS_PER_STALL: u32 = 4;

/// All connections of a node, and the links on them.
///
/// Of two members the one with the lower id dials, so there is one connection for each pair, and the dialler knows when
/// it needs another.
pub(super) struct Switchboard {
    me: NodeId,
    limits: LinkLimits,
    sender: LinkSender,
    events: Arc<dyn LinkEvents>,
    gateway: ActorRef<GatewayMessage>,
    view: Arc<View>,
    lives: HashMap<StreamId, Life>,
    streams: HashMap<LifeId, StreamId>,
    links: BTreeMap<NodeId, StreamId>,
    /// The peers that this node must dial.
    dials: BTreeMap<NodeId, Dial>,
    refusals: Throttle,
}

/// A connection, and the life of a link on it.
struct Life {
    id: LifeId,
    control: StreamControl,
    address: SocketAddr,
    /// Whom this node has dialled, if it has.
    dialled: Option<NodeId>,
    bytes_read: u64,
    silent: Duration,
    age: Duration,
    stage: Stage,
}

enum Stage {
    /// The handshake is under way. What the peer has sent already, for it may be done before us, waits here; it cannot
    /// be more than its window.
    Opening {
        held: Vec<Envelope>,
        _origin: Origin,
    },
    Up(Up),
}

struct Up {
    peer: NodeId,
    outbox: Arc<Outbox>,
    next_sequence: u64,
    /// Whether the peer has ever been in the view.
    admitted: bool,
    _writer: AbortOnDropHandle<()>,
}

/// The dialling of one peer.
struct Dial {
    failures: u32,
    state: DialState,
}

enum DialState {
    Dialling { _task: AbortOnDropHandle<()> },
    Connected,
}

impl Switchboard {
    pub(super) fn new(
        me: NodeId,
        limits: LinkLimits,
        sender: LinkSender,
        events: Arc<dyn LinkEvents>,
        gateway: ActorRef<GatewayMessage>,
    ) -> Self {
        let view = Arc::new(View {
            me: me.clone(),
            members: BTreeMap::new(),
        });
        Self {
            me,
            limits,
            sender,
            events,
            gateway,
            view,
            lives: HashMap::new(),
            streams: HashMap::new(),
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            refusals: Throttle::default(),
        }
    }

    /// Takes a new view: dials who has come, closes the links of who has gone.
    pub(super) fn view(&mut self, view: Arc<View>) {
        self.view = view;
        self.dials.retain(|peer, _| self.view.member(peer).is_some());
        let view = &self.view;
        let dismissed = self
            .lives
            .iter_mut()
            .filter_map(|(stream, life)| life.is_dismissed(view).then_some(*stream));
        let gone: Vec<_> = dismissed.collect();
        for stream in gone {
            self.down(stream, &LinkDown::NotAMember);
        }
        let new = self.view.others().map(|member| &member.id);
        let new: Vec<_> = new
            .filter(|id| **id > self.me && !self.dials.contains_key(id))
            .cloned()
            .collect();
        for peer in new {
            self.dial(&peer, 0);
        }
    }

    /// Takes a new connection. It is returned for the handshake unless it is not wanted.
    pub(super) fn opened(&mut self, opened: Opened) -> Option<LinkStream> {
        let Opened {
            id,
            stream,
            life,
            address,
            origin,
        } = opened;
        let dialled = match &origin {
            Origin::Dialled(peer) => {
                // It may have left while it was dialled.
                self.dials.get_mut(peer)?.state = DialState::Connected;
                Some(peer.clone())
            }
            Origin::Accepted { .. } => None,
        };
        if self.streams.contains_key(&life) {
            debug!(%address, "refused a connection under the number of another");
            return None;
        }
        self.streams.insert(life, id);
        self.lives.insert(
            id,
            Life {
                id: life,
                control: stream.control(),
                address,
                dialled,
                bytes_read: 0,
                silent: Duration::ZERO,
                age: Duration::ZERO,
                stage: Stage::Opening {
                    held: Vec::new(),
                    _origin: origin,
                },
            },
        );
        Some(stream)
    }

    /// A peer could not be reached: tries again later.
    pub(super) fn dial_failed(&mut self, peer: &NodeId, address: SocketAddr, error: &io::Error) {
        self.dial_again(peer, address, error);
    }

    /// The handshake is done: the link comes up.
    pub(super) fn ready(&mut self, session: &Session) {
        let Some(life) = self.lives.get(&session.stream) else {
            return;
        };
        let (peer, remote) = match self.identify(life, session) {
            Ok(identified) => identified,
            Err(fault) => return self.down(session.stream, &LinkDown::Protocol(fault)),
        };
        if let Some(earlier) = self.links.get(&peer).copied() {
            self.down(earlier, &LinkDown::Replaced);
        }
        self.up(session.stream, peer, remote);
    }

    /// An envelope has come, from whichever peer.
    pub(super) fn envelope(&mut self, bytes: Bytes) {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                if let Some(suppressed) = self.refusals.permit() {
                    warn!(suppressed, %error, "a peer has sent what is no envelope");
                }
                return;
            }
        };
        let Some(stream) = self.streams.get(&envelope.life).copied() else {
            // The last of a life that is over here already.
            return;
        };
        match self.lives.get_mut(&stream).map(|life| &mut life.stage) {
            Some(Stage::Opening { held, .. }) => held.push(envelope),
            Some(Stage::Up(up)) => {
                if let Err(reason) = up.receive(envelope, self.events.as_ref()) {
                    self.down(stream, &reason);
                }
            }
            None => {}
        }
    }

    /// Looks for peers that are silent, and for connections that did not become links.
    pub(super) fn tick(&mut self, ran: Duration) {
        let mut ended = Vec::new();
        for (stream, life) in &mut self.lives {
            if let Some(reason) = life.tick(ran, self.limits.stall_timeout) {
                ended.push((*stream, reason));
            }
            if life.age >= SOUND
                && let Stage::Up(up) = &life.stage
                && let Some(dial) = self.dials.get_mut(&up.peer)
            {
                dial.failures = 0;
            }
        }
        for (stream, reason) in ended {
            self.down(stream, &reason);
        }
    }

    /// Ends the life on a connection, if it has not ended yet, and closes the connection.
    pub(super) fn down(&mut self, stream: StreamId, reason: &LinkDown) {
        let Some(life) = self.lives.remove(&stream) else {
            return;
        };
        self.streams.remove(&life.id);
        life.control.cut();
        match &life.stage {
            Stage::Up(up) => self.tell_down(up, life.address, reason),
            Stage::Opening { .. } if life.dialled.is_none() => {
                if let Some(suppressed) = self.refusals.permit() {
                    warn!(address = %life.address, suppressed, %reason, "refused a link");
                }
            }
            Stage::Opening { .. } => {}
        }
        if let Some(peer) = &life.dialled {
            self.dial_again(peer, life.address, reason);
        }
    }

    /// Stops dialling.
    pub(super) fn hang_up(&mut self) {
        self.dials.clear();
    }

    /// Whether the peers have handled all they were sent.
    pub(super) fn is_settled(&self) -> bool {
        self.lives.values().all(|life| match &life.stage {
            Stage::Up(up) => up.outbox.is_settled(),
            Stage::Opening { .. } => true,
        })
    }

    /// Ends all lives.
    pub(super) fn close_all(&mut self, reason: &LinkDown) {
        let streams: Vec<_> = self.lives.keys().copied().collect();
        for stream in streams {
            self.down(stream, reason);
        }
    }

    /// Who is at the other end, and how its gateway is reached; or what is wrong with that.
    fn identify(&self, life: &Life, session: &Session) -> Result<(NodeId, ActorRef<GatewayMessage>), String> {
        let peer = session.peer.clone().ok_or("the peer has no node's name")?;
        match &life.dialled {
            Some(wanted) if *wanted != peer => {
                return Err(format!("dialled {wanted:?}, and {peer:?} answered"));
            }
            None if peer >= self.me => return Err(format!("{peer:?} dialled, and is to be dialled")),
            Some(_) | None => {}
        }
        let gateway = session
            .gateway
            .clone()
            .ok_or_else(|| format!("{peer:?} has no gateway"))?;
        Ok((peer, gateway))
    }

    fn up(&mut self, stream: StreamId, peer: NodeId, remote: ActorRef<GatewayMessage>) {
        let Some(life) = self.lives.get_mut(&stream) else {
            return;
        };
        let outbox = Arc::new(Outbox::new(self.limits.clone()));
        let writer = Writer {
            life: life.id,
            stream,
            outbox: outbox.clone(),
            peer: remote,
            gateway: self.gateway.clone(),
            ping: self.limits.stall_timeout / PINGS_PER_STALL,
        };
        let up = Up {
            peer: peer.clone(),
            outbox: outbox.clone(),
            next_sequence: 0,
            admitted: self.view.member(&peer).is_some(),
            _writer: AbortOnDropHandle::new(tokio::spawn(writer.run())),
        };
        life.age = Duration::ZERO;
        let before = std::mem::replace(&mut life.stage, Stage::Up(up));
        let direction = if life.dialled.is_some() {
            "dialled"
        } else {
            "accepted"
        };
        info!(peer = %peer.name, incarnation = peer.incarnation.0, address = %life.address, direction, "link up");
        self.sender.insert(peer.clone(), outbox);
        self.links.insert(peer.clone(), stream);
        if !harmless(|| self.events.link_up(&peer)) {
            return self.down(stream, &LinkDown::HandlerPanicked);
        }
        if let Stage::Opening { held, .. } = before {
            self.receive_held(stream, held);
        }
    }

    fn receive_held(&mut self, stream: StreamId, held: Vec<Envelope>) {
        for envelope in held {
            let Some(Life {
                stage: Stage::Up(up), ..
            }) = self.lives.get_mut(&stream)
            else {
                return;
            };
            if let Err(reason) = up.receive(envelope, self.events.as_ref()) {
                return self.down(stream, &reason);
            }
        }
    }

    fn tell_down(&mut self, up: &Up, address: SocketAddr, reason: &LinkDown) {
        self.links.remove(&up.peer);
        self.sender.remove(&up.peer);
        up.outbox.close();
        let (peer, incarnation) = (&up.peer.name, up.peer.incarnation.0);
        match reason {
            LinkDown::Closed | LinkDown::NotAMember | LinkDown::Shutdown => {
                info!(%peer, incarnation, %address, %reason, "link down");
            }
            _ => warn!(%peer, incarnation, %address, %reason, "link down"),
        }
        harmless(|| self.events.link_down(&up.peer, reason));
    }

    fn dial(&mut self, peer: &NodeId, failures: u32) {
        let Some(address) = self.view.member(peer).map(|member| member.link) else {
            return;
        };
        let task = tokio::spawn(dial(
            peer.clone(),
            address,
            backoff(failures),
            self.gateway.clone(),
        ));
        let state = DialState::Dialling {
            _task: AbortOnDropHandle::new(task),
        };
        self.dials.insert(peer.clone(), Dial { failures, state });
    }

    fn dial_again(&mut self, peer: &NodeId, address: SocketAddr, reason: &dyn std::fmt::Display) {
        let Some(dial) = self.dials.get(peer) else {
            return;
        };
        let failures = dial.failures + 1;
        let (node, incarnation) = (&peer.name, peer.incarnation.0);
        if failures == 1 {
            debug!(peer = %node, incarnation, %address, %reason, "dialling again");
        } else if failures.is_power_of_two() {
            warn!(peer = %node, incarnation, %address, %reason, failures, "no link yet, and dialling on");
        }
        self.dial(peer, failures);
    }
}

impl Life {
    /// Who is at the other end, as far as it is known.
    fn peer(&self) -> Option<&NodeId> {
        match &self.stage {
            Stage::Up(up) => Some(&up.peer),
            Stage::Opening { .. } => self.dialled.as_ref(),
        }
    }

    /// Whether the peer has left the view. It may come into it later than its link comes up.
    fn is_dismissed(&mut self, view: &View) -> bool {
        let Some(present) = self.peer().map(|peer| view.member(peer).is_some()) else {
            return false;
        };
        match &mut self.stage {
            Stage::Up(up) => {
                up.admitted |= present;
                up.admitted && !present
            }
            Stage::Opening { .. } => !present,
        }
    }

    /// Why this life should end after `ran` more, if it should.
    fn tick(&mut self, ran: Duration, stall_timeout: Duration) -> Option<LinkDown> {
        let bytes_read = self.control.bytes_read();
        let heard = bytes_read > std::mem::replace(&mut self.bytes_read, bytes_read);
        self.silent = if heard { Duration::ZERO } else { self.silent + ran };
        self.age += ran;
        match &self.stage {
            Stage::Opening { .. } => (self.age >= HANDSHAKE).then_some(LinkDown::NoHandshake(HANDSHAKE)),
            Stage::Up(up) if !up.admitted && self.age >= ADMISSION => Some(LinkDown::NotAMember),
            Stage::Up(_) => (self.silent >= stall_timeout).then_some(LinkDown::Stalled(self.silent)),
        }
    }
}

impl Up {
    /// Takes an envelope from the peer.
    fn receive(&mut self, envelope: Envelope, events: &dyn LinkEvents) -> Result<(), LinkDown> {
        let (sequence, expected) = (envelope.sequence, self.next_sequence);
        if sequence != expected {
            return Err(LinkDown::Protocol(format!(
                "envelope {sequence} came in place of {expected}"
            )));
        }
        self.next_sequence += 1;
        if !self.outbox.acknowledge(envelope.handled) {
            return Err(LinkDown::Protocol(
                "the peer claims to have handled what it was not sent".to_owned(),
            ));
        }
        if envelope.messages.is_empty() {
            return Ok(());
        }
        let credit = Credit::new(envelope.weight(), self.outbox.clone());
        if harmless(|| events.received(&self.peer, envelope.messages, credit)) {
            Ok(())
        } else {
            Err(LinkDown::HandlerPanicked)
        }
    }
}

/// Calls what is not ours; false if it panicked. A panic there must not take all other links down.
fn harmless(call: impl FnOnce()) -> bool {
    // What the call may have left half done is its own, and its link goes down for it.
    let sound = catch_unwind(AssertUnwindSafe(call)).is_ok();
    if !sound {
        error!("a handler of link events panicked, which is a bug");
    }
    sound
}
