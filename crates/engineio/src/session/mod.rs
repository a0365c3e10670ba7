//! The session state machine.

mod heartbeat;
mod output;
mod snapshot;
mod state;
mod time;
mod transport;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use output::{CloseReason, Output};
pub use snapshot::SessionSnapshot;

use crate::packet::PROBE;
use crate::{Packet, PacketError, Payload, PayloadError, Refusal, SessionConfig, TransportName};
use heartbeat::{Beat, Heartbeat};
use state::{Closing, Open, State};
use transport::{Poll, Probe, ProbeStage, Transport};

/// How long an orderly close waits for the client's next poll. The reference server's value.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

/// Outputs for which room is kept between inputs; a burst gives its memory back.
const OUTPUTS_KEPT: usize = 4;

/// One client's Engine.IO session, wherever its polls and sockets land.
///
/// It neither sends nor waits: its shell (the actor that owns it) does. To drive it, give it **one input**,
/// then **drain** [`next_output`](Self::next_output) and do as told, then **wait until**
/// [`deadline`](Self::deadline) or the next input, whichever is first; when it is the deadline, the input is
/// [`tick`](Self::tick). Time is judged by `tick` alone: a pong that was waiting in the shell's mailbox while
/// the process stood still is in time if it is given first.
///
/// The shell keeps the outgoing buffer. It sends what is buffered on a WebSocket that is the transport, or as
/// the answer to a hanging poll, and says so with [`poll_answered`](Self::poll_answered). It keeps apart the
/// sockets of a session: what comes from one that it was told to close, or that was refused, is not given to
/// the session.
///
/// ```
/// # use std::time::Instant;
/// # use hither_engineio::{CloseReason, Output, Packet, Session, SessionConfig, TransportName};
/// let mut session = Session::open(SessionConfig::default(), TransportName::WebSocket, Instant::now());
/// session.websocket_packet(Packet::decode_text("4hello".into()), Instant::now());
/// session.websocket_closed();
/// while let Some(output) = session.next_output() {
///     match output {
///         Output::Message(message) => println!("for the application: {message:?}"),
///         Output::Closed(reason) => println!("over: {reason}"),
///         other => println!("to do: {other:?}"),
///     }
/// }
/// assert_eq!(session.close_reason(), Some(CloseReason::TransportClose));
/// ```
///
/// After [`Output::Closed`] an input changes nothing and, where it can, answers [`Refusal::UnknownSid`].
#[derive(Clone, Debug)]
pub struct Session {
    config: SessionConfig,
    state: State<Instant>,
    outputs: VecDeque<Output>,
}

impl Session {
    /// Opens a session on the transport of its handshake. The shell itself answers with
    /// [`Frame::open`](crate::Frame::open).
    pub fn open(config: SessionConfig, transport: TransportName, now: Instant) -> Session {
        let open = Open {
            transport: Transport::open(transport),
            heartbeat: Heartbeat::start(&config, now),
            closing: None,
        };
        Session {
            config,
            state: State::Open(open),
            outputs: VecDeque::new(),
        }
    }

    /// The settings it was opened with.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// The transport that carries the buffer; none once closed. A probing session is still polling.
    pub fn transport(&self) -> Option<TransportName> {
        match &self.state {
            State::Open(open) => Some(open.transport.name()),
            State::Closed(_) => None,
        }
    }

    /// Why it is closed, if it is.
    pub fn close_reason(&self) -> Option<CloseReason> {
        match self.state {
            State::Open(_) => None,
            State::Closed(reason) => Some(reason),
        }
    }

    /// When [`tick`](Self::tick) has something to do, unless an input changes it; never once closed.
    pub fn deadline(&self) -> Option<Instant> {
        let State::Open(open) = &self.state else {
            return None;
        };
        let probe = open.transport.probe().map(|probe| probe.gives_up_at);
        let closing = open.closing.map(|closing| closing.gives_up_at);
        [Some(open.heartbeat.deadline()), probe, closing]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next thing to do.
    pub fn next_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if self.outputs.is_empty() && self.outputs.capacity() > OUTPUTS_KEPT {
            self.outputs = VecDeque::new();
        }
        output
    }

    /// A GET for this session arrived.
    ///
    /// Refused with [`Refusal::BadRequest`], without harm, when the session is on a WebSocket; also when
    /// another poll hangs, and then the session closes, as the specification demands.
    pub fn poll_started(&mut self) -> Result<(), Refusal> {
        let State::Open(open) = &mut self.state else {
            return Err(Refusal::UnknownSid);
        };
        match open.transport.poll_mut() {
            None => return Err(Refusal::BadRequest),
            Some(poll @ Poll::Idle) => *poll = Poll::Hanging,
            Some(Poll::Hanging | Poll::Released) => {
                self.end(CloseReason::TransportError);
                return Err(Refusal::BadRequest);
            }
        }
        self.finish_closing();
        self.release_poll_for_upgrade();
        Ok(())
    }

    /// The hanging poll got its answer.
    pub fn poll_answered(&mut self) {
        if let State::Open(open) = &mut self.state
            && let Some(poll) = open.transport.poll_mut()
        {
            *poll = Poll::Idle;
        }
    }

    /// The hanging poll vanished with the node at which it hung. That is no doing of the client, which may
    /// poll again elsewhere and is not told that its polls overlap; if it does not, the heartbeat ends the
    /// session.
    pub fn poll_lost(&mut self) {
        self.poll_answered();
    }

    /// The client dropped its hanging poll: the session closes. Nothing happens when none hangs, as after an
    /// upgrade.
    pub fn poll_cancelled(&mut self) {
        if let State::Open(open) = &self.state
            && matches!(open.transport.poll(), Some(Poll::Hanging | Poll::Released))
        {
            self.end(CloseReason::TransportError);
        }
    }

    /// A POST for this session arrived, and this is what [`payload::decode`](crate::payload::decode) made of
    /// its body. Give its packets to [`payload_packet`](Self::payload_packet), at once or one after the other, and answer
    /// the POST with [`payload_answer`](Self::payload_answer).
    ///
    /// Refused with [`Refusal::BadRequest`], without harm, when the session is on a WebSocket; also for a
    /// malformed body, and then the session closes.
    pub fn payload_arrived(&mut self, payload: Result<Payload, PayloadError>) -> Result<Payload, Refusal> {
        match self.transport() {
            None => return Err(Refusal::UnknownSid),
            Some(TransportName::WebSocket) => return Err(Refusal::BadRequest),
            Some(TransportName::Polling) => {}
        }
        payload.map_err(|_| {
            self.end(CloseReason::ParseError);
            Refusal::BadRequest
        })
    }

    /// A packet of a payload that has arrived. One that is out of place closes the session.
    pub fn payload_packet(&mut self, packet: Packet, now: Instant) {
        self.receive(packet, now);
    }

    /// The answer to a payload whose packets have been taken, as far as the session wanted them.
    pub fn payload_answer(&self) -> Result<(), Refusal> {
        match self.close_reason() {
            None | Some(CloseReason::TransportClose) => Ok(()),
            Some(_) => Err(Refusal::BadRequest),
        }
    }

    /// A WebSocket that names this session arrived, and if it is not refused the session probes it.
    ///
    /// Refused with [`Refusal::BadRequest`], without harm, when one probes already or the session is on a
    /// WebSocket.
    pub fn websocket_attached(&mut self, now: Instant) -> Result<(), Refusal> {
        let State::Open(open) = &mut self.state else {
            return Err(Refusal::UnknownSid);
        };
        let Transport::Polling(poll) = open.transport else {
            return Err(Refusal::BadRequest);
        };
        let gives_up_at = time::after(now, self.config.upgrade_timeout);
        open.transport = Transport::Probing {
            poll,
            probe: Probe {
                stage: ProbeStage::Silent,
                gives_up_at,
            },
        };
        Ok(())
    }

    /// A frame arrived on the WebSocket, probing or not, and this is what
    /// [`Packet::decode_text`] or [`Packet::decode_binary`] made of it.
    pub fn websocket_packet(&mut self, packet: Result<Packet, PacketError>, now: Instant) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        match (&mut open.transport, packet) {
            (Transport::Probing { probe, .. }, Ok(Packet::Ping(data))) if data == PROBE => {
                // One answer, however often it probes: it may not even read it.
                if probe.stage == ProbeStage::Silent {
                    probe.stage = ProbeStage::Answered;
                    self.outputs.push_back(Output::ProbeAccepted);
                    self.release_poll_for_upgrade();
                }
            }
            (Transport::Probing { .. }, Ok(Packet::Upgrade)) => {
                open.heartbeat.heard(&self.config, now);
                self.upgrade();
            }
            (Transport::Probing { .. }, _) => self.fail_probe(),
            (Transport::WebSocket, Ok(packet)) => self.receive(packet, now),
            (Transport::WebSocket, Err(_)) => self.end(CloseReason::ParseError),
            (Transport::Polling(_), _) => {}
        }
    }

    /// The WebSocket is gone, or failed. While it was only probing the session goes on polling; else it
    /// closes.
    pub fn websocket_closed(&mut self) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        match open.transport {
            Transport::Polling(_) => {}
            Transport::Probing { poll, .. } => open.transport = Transport::Polling(poll),
            Transport::WebSocket => self.end(CloseReason::TransportClose),
        }
    }

    /// Closes at once, whatever is buffered.
    pub fn close(&mut self, reason: CloseReason) {
        self.end(reason);
    }

    /// Closes as soon as the client can take what is buffered: at once on a WebSocket or when a poll hangs,
    /// else with the next poll, for which it waits [`CLOSE_PATIENCE`]. From now on messages of the client are
    /// dropped.
    ///
    /// So a Socket.IO DISCONNECT still reaches a client that is between two polls, which would otherwise take
    /// the end for an accident and reconnect.
    pub fn close_when_flushed(&mut self, reason: CloseReason, now: Instant) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        open.closing.get_or_insert(Closing {
            reason,
            gives_up_at: time::after(now, CLOSE_PATIENCE),
        });
        self.finish_closing();
    }

    /// Time passed. Call it at [`deadline`](Self::deadline); earlier it does nothing, later it makes up for
    /// it.
    pub fn tick(&mut self, now: Instant) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        if let Some(closing) = open.closing
            && closing.gives_up_at <= now
        {
            return self.end(closing.reason);
        }
        let beat = open.heartbeat.tick(&self.config, now);
        if open
            .transport
            .probe()
            .is_some_and(|probe| probe.gives_up_at <= now)
        {
            self.fail_probe();
        }
        match beat {
            None => {}
            Some(Beat::Ping) => self.outputs.push_back(Output::Ping),
            Some(Beat::PongOverdue) => self.end(CloseReason::PingTimeout),
        }
    }

    /// The client may have waited for a ping for long, or its pong may have got lost with a former owner of the session: it
    /// gets a ping at the next [`tick`](Self::tick).
    pub fn ping_soon(&mut self, now: Instant) {
        if let State::Open(open) = &mut self.state {
            open.heartbeat = Heartbeat::PingDue(now);
        }
    }

    /// The client is sending something long, of which a part has come: its pong can only follow behind that. Whoever says so
    /// sees to it that parts come at a rate which ends.
    pub fn receiving(&mut self, now: Instant) {
        if let State::Open(open) = &mut self.state {
            open.heartbeat.receiving(&self.config, now);
        }
    }

    /// Whether a ping of ours waits for its pong.
    pub fn awaits_pong(&self) -> bool {
        matches!(&self.state, State::Open(open) if matches!(open.heartbeat, Heartbeat::PongDue { .. }))
    }

    /// A packet on the transport of the session.
    fn receive(&mut self, packet: Packet, now: Instant) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        if !matches!(packet, Packet::Pong(_)) {
            open.heartbeat.heard(&self.config, now);
        }
        match packet {
            Packet::Message(_) if open.closing.is_some() => {}
            Packet::Message(message) => self.outputs.push_back(Output::Message(message)),
            Packet::Pong(_) => open.heartbeat.pong(&self.config, now),
            // Of no meaning here, and of no harm: some clients say `5` on a WebSocket from which there is nothing to upgrade.
            Packet::Noop | Packet::Open(_) | Packet::Upgrade => {}
            Packet::Close => self.end(CloseReason::TransportClose),
            Packet::Ping(_) => self.end(CloseReason::TransportError),
        }
    }

    /// While the client prepares to leave polling its polls are answered at once, or it would wait for a ping
    /// to go on.
    fn release_poll_for_upgrade(&mut self) {
        if let State::Open(Open {
            transport: Transport::Probing { poll, probe },
            ..
        }) = &mut self.state
            && probe.stage == ProbeStage::Answered
            && poll.release()
        {
            self.outputs.push_back(Output::ReleasePoll);
        }
    }

    /// The heartbeat goes on as it was: a ping may be under way, and its answer may come on either transport.
    fn upgrade(&mut self) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        let poll_hangs = open.transport.poll_mut().is_some_and(Poll::release);
        open.transport = Transport::WebSocket;
        self.outputs.push_back(Output::Upgraded);
        if poll_hangs {
            self.outputs.push_back(Output::ReleasePoll);
        }
        self.finish_closing();
    }

    fn fail_probe(&mut self) {
        if let State::Open(open) = &mut self.state
            && open.transport.give_up_probe()
        {
            self.outputs.push_back(Output::ProbeFailed);
        }
    }

    fn finish_closing(&mut self) {
        if let State::Open(open) = &self.state
            && let Some(closing) = open.closing
            && open.can_flush()
        {
            self.end(closing.reason);
        }
    }

    fn end(&mut self, reason: CloseReason) {
        self.fail_probe();
        if let State::Open(_) = self.state {
            self.state = State::Closed(reason);
            self.outputs.push_back(Output::Closed(reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    #[test]
    fn a_burst_gives_its_memory_back() {
        let now = Instant::now();
        let mut session = Session::open(SessionConfig::default(), TransportName::Polling, now);
        let body = vec!["4x"; 10_000].join("\x1e");
        let packets = session.payload_arrived(payload::decode(body.into())).unwrap();
        packets.for_each(|packet| session.payload_packet(packet, now));
        assert_eq!(std::iter::from_fn(|| session.next_output()).count(), 10_000);
        assert!(session.outputs.capacity() <= OUTPUTS_KEPT);
    }
}
