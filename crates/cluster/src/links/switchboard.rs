//! Which links there are, and what becomes of them.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use ractor::ActorRef;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use super::{
    LinkEvents, LinkLimits, LinkSender,
    dial::Dialler,
    envelope::{Envelope, LifeId},
    error::LinkDown,
    gateway::GatewayMessage,
    library::Session,
    life::{Life, Stage, Up, harmless},
    opened::{Opened, Origin},
    outbox::Outbox,
    stream::{LinkStream, StreamId},
    writer::Writer,
};
use crate::{
    member::{NodeId, View},
    throttle::Throttle,
};

/// How long a link must last for the failures before it to be forgotten.
const SOUND: Duration = Duration::from_secs(1);

/// How many pings fit into the stall timeout: it takes the loss of most of them to be taken for dead.
const PINGS_PER_STALL: u32 = 4;

/// All connections of a node, and the links on them.
pub(super) struct Switchboard {
    me: NodeId,
    limits: LinkLimits,
    sender: LinkSender,
    events: Arc<dyn LinkEvents>,
    gateway: ActorRef<GatewayMessage>,
    dialler: Dialler,
    view: Arc<View>,
    lives: HashMap<StreamId, Life>,
    streams: HashMap<LifeId, StreamId>,
    links: BTreeMap<NodeId, StreamId>,
    refusals: Throttle,
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
            dialler: Dialler::new(me.clone(), gateway.clone()),
            me,
            limits,
            sender,
            events,
            gateway,
            view,
            lives: HashMap::new(),
            streams: HashMap::new(),
            links: BTreeMap::new(),
            refusals: Throttle::default(),
        }
    }

    /// Takes a new view: dials who has come, closes the links of who has gone.
    pub(super) fn view(&mut self, view: Arc<View>) {
        self.view = view;
        self.dialler.follow(&self.view);
        let dismissed = |life: &mut Life| life.is_dismissed(&self.view);
        let lives = self.lives.iter_mut();
        let gone: Vec<_> = lives
            .filter_map(|(stream, life)| dismissed(life).then_some(*stream))
            .collect();
        for stream in gone {
            self.down(stream, &LinkDown::NotAMember);
        }
    }

    /// Takes a new connection. It is returned for the handshake unless it is not wanted.
    pub(super) fn opened(&mut self, opened: Opened) -> Option<(StreamId, LinkStream)> {
        let Opened {
            id,
            stream,
            life,
            address,
            origin,
        } = opened;
        if self.streams.contains_key(&life) {
            // Chance would hardly do that; somebody has listened.
            debug!(%address, "refused a connection under the number of another");
            return None;
        }
        let (dialled, place) = match origin {
            Origin::Dialled(peer) => (Some(peer), None),
            Origin::Accepted(place) => (None, Some(place)),
        };
        if let Some(peer) = &dialled
            && !self.dialler.connected(peer)
        {
            return None;
        }
        self.streams.insert(life, id);
        self.lives
            .insert(id, Life::new(life, stream.control(), address, dialled, place));
        Some((id, stream))
    }

    /// A peer could not be reached: tries again later.
    pub(super) fn unreached(&mut self, peer: &NodeId, error: &std::io::Error) {
        self.dialler.failed(peer, error);
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
        match Envelope::decode(bytes) {
            // An envelope of no life is the last of one that is over at this end.
            Ok(envelope) => {
                if let Some(stream) = self.streams.get(&envelope.life).copied() {
                    self.receive(stream, envelope);
                }
            }
            Err(error) => {
                if let Some(suppressed) = self.refusals.permit() {
                    warn!(suppressed, %error, "a peer has sent what is no envelope");
                }
            }
        }
    }

    /// Looks for peers that are silent, and for connections that did not become links.
    pub(super) fn tick(&mut self, ran: Duration) {
        let mut ended = Vec::new();
        for (stream, life) in &mut self.lives {
            if let Some(reason) = life.tick(ran, self.limits.stall_timeout) {
                ended.push((*stream, reason));
            } else if life.has_been_up_for(SOUND)
                && let Some(peer) = &life.dialled
            {
                self.dialler.succeeded(peer);
            }
        }
        for (stream, reason) in ended {
            self.down(stream, &reason);
        }
    }

    /// The library has closed a connection.
    pub(super) fn closed(&mut self, stream: StreamId) {
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
            Stage::Opening { .. } => self.tell_refused(&life, reason),
        }
        if let Some(peer) = &life.dialled {
            self.dialler.failed(peer, reason);
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
            None if peer >= self.me => {
                return Err(format!("{peer:?} dialled, and is to be dialled"));
            }
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
        let writer = AbortOnDropHandle::new(tokio::spawn(writer.run()));
        let admitted = self.view.member(&peer).is_some();
        let held = life.come_up(Up::new(peer.clone(), outbox.clone(), admitted, writer));
        let direction = if life.dialled.is_some() {
            "dialled"
        } else {
            "accepted"
        };
        let (node, incarnation) = (&peer.name, peer.incarnation.0);
        info!(peer = %node, incarnation, address = %life.address, direction, "link up");

        self.sender.insert(peer.clone(), outbox);
        self.links.insert(peer.clone(), stream);
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

    /// What this node has dialled is the dialler's to tell.
    fn tell_refused(&mut self, life: &Life, reason: &LinkDown) {
        if life.dialled.is_none()
            && let Some(suppressed) = self.refusals.permit()
        {
            warn!(address = %life.address, suppressed, %reason, "refused a link");
        }
    }
}
