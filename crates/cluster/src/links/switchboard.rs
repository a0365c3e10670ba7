//! Which links there are, and what becomes of them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use ractor::ActorRef;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use super::{
    LinkEvents, LinkLimits, LinkSender,
    dial::{DialError, Dialler},
    envelope::{Envelope, LifeId},
    error::LinkDown,
    gateway::GatewayMessage,
    handshakes::{Handshake, Handshakes},
    hello::Greeter,
    library::Session,
    life::{Life, Stage, Up, harmless},
    opened::{Bearings, Opened, Side, Way},
    outbox::Outbox,
    stream::StreamId,
    writer::Writer,
};
use crate::{
    member::{NodeId, Phase, View},
    secret::Secrets,
    throttle::Throttle,
};

/// How long a link must last for the failures before it to be forgotten.
const SOUND: Duration = Duration::from_secs(1);

/// How many pings fit into the stall timeout: it takes the loss of most of them to be taken for dead.
const PINGS_PER_STALL: u32 = 4;

/// All connections of a node, and the links on them.
pub(super) struct Switchboard {
    me: NodeId,
    secrets: Secrets,
    limits: LinkLimits,
    sender: LinkSender,
    events: Arc<dyn LinkEvents>,
    gateway: ActorRef<GatewayMessage>,
    dialler: Dialler,
    view: Arc<View>,
    lives: HashMap<StreamId, Life>,
    streams: HashMap<LifeId, StreamId>,
    /// The one connection with each peer, the last if there were more.
    peers: BTreeMap<NodeId, StreamId>,
    handshakes: Handshakes,
    refusals: Throttle,
}

impl Switchboard {
    pub(super) fn new(
        greeter: Greeter,
        limits: LinkLimits,
        sender: LinkSender,
        events: Arc<dyn LinkEvents>,
        gateway: ActorRef<GatewayMessage>,
    ) -> Self {
        let (me, secrets) = (greeter.me.clone(), greeter.secrets.clone());
        let view = Arc::new(View {
            me: me.clone(),
            members: BTreeMap::new(),
        });
        Self {
            dialler: Dialler::new(greeter, gateway.clone(), view.clone()),
            me,
            secrets,
            limits,
            sender,
            events,
            gateway,
            view,
            lives: HashMap::new(),
            streams: HashMap::new(),
            peers: BTreeMap::new(),
            handshakes: Handshakes::default(),
            refusals: Throttle::default(),
        }
    }

    /// Takes a new view: dials who has come, closes the links of who has gone.
    pub(super) fn view(&mut self, view: Arc<View>) {
        self.view = view;
        self.dialler.follow(self.view.clone());
        let dismissed = |life: &mut Life| life.is_dismissed(&self.view);
        let lives = self.lives.iter_mut();
        let gone: Vec<_> = lives
            .filter_map(|(stream, life)| dismissed(life).then_some(*stream))
            .collect();
        for stream in gone {
            self.down(stream, &LinkDown::NotAMember);
        }
    }

    /// Takes a new connection, which replaces an earlier one with the same peer. Returned is whose handshake may begin.
    pub(super) fn opened(&mut self, opened: Opened) -> Option<Handshake> {
        let Opened { id, stream, bearings } = opened;
        let Bearings {
            life,
            peer,
            way,
            side,
            ..
        } = bearings.clone();
        let wanted = !self.streams.contains_key(&life)
            && match side {
                Side::Dialled => self.dialler.opened(&peer, id, &way),
                Side::Accepted => peer < self.me,
            };
        if !wanted {
            debug!(?bearings, "closed a redundant connection");
            return None;
        }
        self.streams.insert(life, id);
        self.lives.insert(id, Life::new(bearings, stream.control()));
        let handshake = self.handshakes.ask(peer.clone(), Handshake { id, stream, side });
        if let Some(earlier) = self.peers.insert(peer, id) {
            self.down(earlier, &LinkDown::Replaced);
        }
        handshake
    }

    /// A peer could not be reached: tries again later.
    pub(super) fn unreached(&mut self, peer: &NodeId, way: &Way, error: &DialError) {
        let relays = self.relays();
        self.dialler.unreached(peer, way, error, &relays);
    }

    /// The handshake is done: the link comes up.
    pub(super) fn ready(&mut self, session: &Session) {
        let Some(life) = self.lives.get(&session.stream) else {
            return;
        };
        match identify(&life.bearings.peer, session) {
            Ok(remote) => self.up(session.stream, remote),
            Err(fault) => self.down(session.stream, &LinkDown::Protocol(fault)),
        }
    }

    /// An envelope has come, from whichever peer.
    pub(super) fn envelope(&mut self, bytes: Bytes) {
        match Envelope::decode(bytes) {
            // An envelope of no life is the last of one that is over at this end.
            Ok(envelope) => {
                if let Some(stream) = self.streams.get(&envelope.life).copied() {
                    self.receive(stream, envelope);
                }
            }
            Err(error) => {
                if let Some(suppressed) = self.refusals.permit() {
                    warn!(suppressed, %error, "a peer sent a malformed envelope");
                }
            }
        }
    }

    /// Looks for peers that are silent, connections that did not become links, and such as are made with a former secret.
    pub(super) fn tick(&mut self, ran: Duration) {
        let mut ended = Vec::new();
        let keys = self.secrets.link_keys();
        for (stream, life) in &mut self.lives {
            if !keys.accepted().any(|key| *key == life.bearings.key) {
                ended.push((*stream, LinkDown::SecretRetired));
                continue;
            }
            if let Some(reason) = life.tick(ran, self.limits.stall_timeout) {
                ended.push((*stream, reason));
            } else if life.has_been_up_for(SOUND) {
                self.dialler.lasted(&life.bearings.peer, *stream);
            }
        }
        for (stream, reason) in ended {
            self.down(stream, &reason);
        }
    }

    /// The library has closed a connection. Returned is whose handshake may begin now.
    pub(super) fn closed(&mut self, stream: StreamId) -> Option<Handshake> {
        let is_up = self
            .lives
            .get_mut(&stream)
            .is_some_and(|life| life.up().is_some());
        self.down(
            stream,
            if is_up {
                &LinkDown::Closed
            } else {
                &LinkDown::Refused
            },
        );
        self.handshakes.closed(stream)
    }

    /// Ends the life on a connection, if it has not ended yet, and closes the connection.
    pub(super) fn down(&mut self, stream: StreamId, reason: &LinkDown) {
        let Some(life) = self.lives.remove(&stream) else {
            return;
        };
        let Bearings {
            life: id,
            peer,
            way,
            side,
            ..
        } = &life.bearings;
        self.streams.remove(id);
        if self.peers.get(peer) == Some(&stream) {
            self.peers.remove(peer);
        }
        self.handshakes.withdraw(peer, stream);
        life.control.cut();
        match &life.stage {
            Stage::Up(up) => self.tell_down(up, &life.bearings, reason),
            Stage::Opening { .. } => self.tell_refused(&life.bearings, reason),
        }
        if *side == Side::Dialled {
            let relays = self.relays();
            self.dialler.ended(peer, stream, way, reason, &relays);
        }
    }

    /// Opens no more links.
    pub(super) fn hang_up(&mut self) {
        self.dialler.hang_up();
    }

    /// Whether the peers have handled all they were sent.
    pub(super) fn is_settled(&mut self) -> bool {
        self.lives
            .values_mut()
            .filter_map(Life::up)
            .all(|up| up.outbox.is_settled())
    }

    /// The library has ended, and all connections with it.
    pub(super) fn lose_library(&mut self) {
        self.close_all(&LinkDown::Closed);
        self.handshakes = Handshakes::default();
    }

    /// Ends all lives.
    pub(super) fn close_all(&mut self, reason: &LinkDown) {
        let streams: Vec<_> = self.lives.keys().copied().collect();
        for stream in streams {
            self.down(stream, reason);
        }
    }

    /// Who can pass connections on: whom this node reaches itself, and who stays.
    fn relays(&self) -> Vec<NodeId> {
        let is_direct = |stream| {
            let life = self.lives.get(stream);
            life.is_some_and(|life| life.bearings.way == Way::Direct && matches!(life.stage, Stage::Up(_)))
        };
        let direct = self.peers.iter().filter(|(_, stream)| is_direct(stream));
        let stays = |peer: &&NodeId| {
            let member = self.view.member(peer);
            member.is_some_and(|member| member.phase != Phase::Leaving)
        };
        direct.map(|(peer, _)| peer).filter(stays).cloned().collect()
    }

    fn up(&mut self, stream: StreamId, remote: ActorRef<GatewayMessage>) {
        let Some(life) = self.lives.get_mut(&stream) else {
            return;
        };
        let Bearings {
            life: id,
            peer,
            address,
            way,
            side,
            version,
            ..
        } = life.bearings.clone();
        let outbox = Arc::new(Outbox::new(self.limits.clone()));
        let writer = Writer {
            life: id,
            stream,
            outbox: outbox.clone(),
            peer: remote,
            gateway: self.gateway.clone(),
            ping: self.limits.stall_timeout / PINGS_PER_STALL,
        };
        let writer = AbortOnDropHandle::new(tokio::spawn(writer.run()));
        let admitted = self.view.member(&peer).is_some();
        let held = life.come_up(Up::new(outbox.clone(), admitted, writer));
        let direction = match side {
            Side::Dialled => "dialled",
            Side::Accepted => "accepted",
        };
        let (node, incarnation) = (&peer.name, peer.incarnation.0);
        let via = way.via().map(tracing::field::display);
        info!(peer = %node, incarnation, %address, via, direction, %version, "link up");

        self.sender.insert(peer.clone(), outbox, version);
        if !harmless(|| self.events.link_up(&peer)) {
            return self.down(stream, &LinkDown::HandlerPanicked);
        }
        for envelope in held {
            self.receive(stream, envelope);
        }
    }

    fn receive(&mut self, stream: StreamId, envelope: Envelope) {
        let Some(life) = self.lives.get_mut(&stream) else {
            return;
        };
        if let Err(reason) = life.receive(envelope, self.events.as_ref()) {
            self.down(stream, &reason);
        }
    }

    fn tell_down(&mut self, up: &Up, bearings: &Bearings, reason: &LinkDown) {
        let Bearings {
            peer, address, way, ..
        } = bearings;
        self.sender.remove(peer);
        up.outbox.close();
        let (node, incarnation) = (&peer.name, peer.incarnation.0);
        let via = way.via().map(tracing::field::display);
        match reason {
            LinkDown::Closed
            | LinkDown::NotAMember
            | LinkDown::Replaced
            | LinkDown::SecretRetired
            | LinkDown::Shutdown => {
                info!(peer = %node, incarnation, %address, via, %reason, "link down");
            }
            _ => warn!(peer = %node, incarnation, %address, via, %reason, "link down"),
        }
        harmless(|| self.events.link_down(peer, reason));
    }

    /// What this node has dialled is the dialler's to tell.
    fn tell_refused(&mut self, bearings: &Bearings, reason: &LinkDown) {
        let Bearings {
            peer, address, side, ..
        } = bearings;
        if *side == Side::Accepted
            && let Some(suppressed) = self.refusals.permit()
        {
            let (node, incarnation) = (&peer.name, peer.incarnation.0);
            warn!(peer = %node, incarnation, %address, suppressed, %reason, "refused a link");
        }
    }
}

/// How the gateway at the other end is reached; or what is wrong with that end.
fn identify(expected: &NodeId, session: &Session) -> Result<ActorRef<GatewayMessage>, String> {
    let peer = session.peer.as_ref().ok_or("the peer has no node's name")?;
    if peer != expected {
        return Err(format!("{expected:?} is expected, and {peer:?} is there"));
    }
    let gateway = session.gateway.clone();
    gateway.ok_or_else(|| format!("{peer:?} has no gateway"))
}
