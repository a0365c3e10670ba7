//! What the holder of a socket has of it, beside what is replicated.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use hither_replication::{
    Change as MembershipChange, Listener, Memberships, NodeId, Position, ReplayId, Version,
};

use crate::{
    fifo::Fifo,
    ids::{AttachmentNumber, EndpointId, FrameNumber, Generation, OutputNumber, RunId, Topic},
    message::{AckLost, ClientOffset, ClientPacket, Effects},
    node::Settings,
    outbox::Outbox,
    state::SocketState,
};

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) node: NodeId,
    pub(crate) endpoint: EndpointId,
    pub(crate) attachment: AttachmentNumber,
}

/// An endpoint that is served, or will be.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) client: Client,
    /// What it goes on behind.
    pub(crate) offset: Option<ClientOffset>,
    /// It is served as soon as this record is committed.
    pub(crate) ready_after: u64,
    pub(crate) is_ready: bool,
}

/// Why a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Connect { endpoint: EndpointId, life: u32 },
    Event { ack: Option<u64> },
    Acked(OutputNumber),
    Recovered,
    Disconnected,
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) run: RunId,
    pub(crate) cause: Cause,
    /// The frame that is handled by that.
    pub(crate) frame: Option<(Generation, FrameNumber)>,
}

/// A handler has ended, and joins topics: of each it must be known where it is now.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) running: Running,
    pub(crate) effects: Effects,
    pub(crate) asked: BTreeMap<ReplayId, Topic>,
    pub(crate) changes: Vec<MembershipChange<Topic>>,
}

/// What is not replicated of a socket.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Until its connect handler has ended.
    pub(crate) opening: Option<(EndpointId, u32, Bytes)>,
    pub(crate) life: u32,
    pub(crate) generation: Generation,
    pub(crate) attached: Option<Attached>,
    pub(crate) away_since: Duration,
    pub(crate) has_expired: bool,
    /// Frames that wait for their handler.
    pub(crate) frames: VecDeque<(FrameNumber, ClientPacket)>,
    /// All frames up to this one are handled, or being handled, or wait.
    pub(crate) accepted: FrameNumber,
    pub(crate) handled: FrameNumber,
    /// The endpoint was told that these are handled.
    pub(crate) told_handled: FrameNumber,
    pub(crate) last_output: OutputNumber,
    /// The endpoint has confirmed these.
    pub(crate) received: OutputNumber,
    /// And the answers to these.
    pub(crate) answered: FrameNumber,
    /// The last event for this socket alone that it was sent.
    pub(crate) told_events: OutputNumber,
    pub(crate) fifo: Fifo,
    pub(crate) outbox: Outbox,
    pub(crate) last_record: u64,
    /// The last record that is committed, or one of the shard behind it.
    pub(crate) known: Position,
    /// Those that are not committed.
    pub(crate) unknown: VecDeque<Position>,
    pub(crate) listener: Listener<Topic, Bytes>,
    /// Versions of memberships by the record that has them.
    pub(crate) uncommitted: VecDeque<(u64, Version)>,
    pub(crate) running: Option<Running>,
    pub(crate) joining: Option<Joining>,
    /// Acks that will not come.
    pub(crate) lost_acks: BTreeMap<OutputNumber, AckLost>,
    /// Topics that this node hears for it.
    pub(crate) listening: BTreeSet<Topic>,
}

impl Serving {
    /// Of a socket whose connect handler is to run.
    pub(crate) fn opening(client: Client, life: u32, auth: Bytes, now: Duration) -> Self {
        let mut serving = Self::empty(life, Listener::new(life), now);
        serving.opening = Some((client.endpoint, life, auth));
        serving.attached = Some(Attached::new(client, None, 0));
        serving
    }

    /// Of a socket that was found, which nobody is attached to here.
    pub(crate) fn found(state: &SocketState, last: Position, now: Duration) -> Self {
        let mut serving = Self::empty(state.life, detached(&state.memberships), now);
        serving.known = last;
        serving.generation = state.generation;
        serving.accepted = state.handled;
        serving.handled = state.handled;
        serving.last_output = state.last_output;
        serving.outbox = Outbox::found(&state.outbox);
        serving.fifo = Fifo::found(state, 0);
        serving
    }

    fn empty(life: u32, listener: Listener<Topic, Bytes>, now: Duration) -> Self {
        Self {
            opening: None,
            life,
            generation: Generation::default(),
            attached: None,
            away_since: now,
            has_expired: false,
            frames: VecDeque::new(),
            accepted: FrameNumber::default(),
            handled: FrameNumber::default(),
            told_handled: FrameNumber::default(),
            last_output: OutputNumber::default(),
            received: OutputNumber::default(),
            answered: FrameNumber::default(),
            told_events: OutputNumber::default(),
            fifo: Fifo::default(),
            outbox: Outbox::default(),
            last_record: 0,
            known: Position::start(),
            unknown: VecDeque::new(),
            listener,
            uncommitted: VecDeque::new(),
            running: None,
            joining: None,
            lost_acks: BTreeMap::new(),
            listening: BTreeSet::new(),
        }
    }

    /// The endpoint, if this is its latest attachment.
    pub(crate) fn attached_as(
        &mut self,
        endpoint: EndpointId,
        attachment: AttachmentNumber,
    ) -> Option<&mut Attached> {
        let attached = self.attached.as_mut();
        attached.filter(|it| it.client.endpoint == endpoint && it.client.attachment == attachment)
    }

    /// Who is to be sent something now.
    pub(crate) fn ready(&self) -> Option<&Client> {
        let attached = self.attached.as_ref().filter(|attached| attached.is_ready);
        attached.map(|attached| &attached.client)
    }

    /// Whether a handler runs, or has ended and is not done.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some() || self.joining.is_some()
    }

    /// Whether so much that it has done is not known to be done that no more of its client's frames are to be handled.
    pub(crate) fn is_full(&self, settings: &Settings) -> bool {
        self.fifo.bytes() + self.outbox.bytes() >= settings.unfinished_bytes
    }

    /// The frame of this generation that a handler is busy with.
    pub(crate) fn busy_frame(&self) -> Option<FrameNumber> {
        let joining = self.joining.as_ref().map(|joining| &joining.running);
        let (generation, frame) = self.running.as_ref().or(joining)?.frame?;
        (generation == self.generation).then_some(frame)
    }

    /// What the client would show now.
    pub(crate) fn offset(&self) -> ClientOffset {
        ClientOffset {
            life: self.life,
            events: self.told_events,
            heard: self.listener.offset(),
            record: self.known,
        }
    }

    /// Records up to this number are committed.
    pub(crate) fn committed(&mut self, number: u64) {
        while let Some(known) = self.unknown.pop_front_if(|position| position.number() <= number) {
            self.known = known;
        }
    }

    /// Gives the next number for what the socket says.
    pub(crate) fn next_output(&mut self) -> OutputNumber {
        self.last_output = self.last_output.next();
        self.last_output
    }

    /// Nobody is attached any more.
    pub(crate) fn detach(&mut self, now: Duration) {
        self.attached = None;
        self.away_since = now;
        self.frames.clear();
        self.accepted = self.busy_frame().unwrap_or(self.handled);
    }
}

impl Attached {
    pub(crate) fn new(client: Client, offset: Option<ClientOffset>, ready_after: u64) -> Self {
        Self {
            client,
            offset,
            ready_after,
            is_ready: false,
        }
    }
}

/// A listener that nobody is told by: it can join and leave.
fn detached(memberships: &Memberships<Topic>) -> Listener<Topic, Bytes> {
    match Listener::attach(memberships.clone(), None) {
        Ok((listener, _)) => listener,
        // The past of its memberships is forgotten; its client cannot go on, and it ends.
        Err(_) => Listener::new(0),
    }
}
