//! A session with its clock.

use std::time::{Duration, Instant};

use hither_engineio::{
    CloseReason, Message, Output, Packet, PacketError, Refusal, Session, SessionConfig, TransportName,
    payload,
};

pub(crate) struct Story {
    pub(crate) session: Session,
    pub(crate) now: Instant,
}

impl Story {
    pub(crate) fn polling() -> Story {
        Story::on(TransportName::Polling)
    }

    pub(crate) fn websocket() -> Story {
        Story::on(TransportName::WebSocket)
    }

    fn on(transport: TransportName) -> Story {
        let now = Instant::now();
        Story {
            session: Session::open(SessionConfig::default(), transport, now),
            now,
        }
    }

    /// A session that polls, with a WebSocket whose probe was answered.
    pub(crate) fn probing() -> Story {
        let mut story = Story::polling();
        story.attach();
        assert_eq!(story.says("2probe"), [Output::ProbeAccepted]);
        story
    }

    /// A session that began with polling and is on a WebSocket now.
    pub(crate) fn upgraded() -> Story {
        let mut story = Story::probing();
        assert_eq!(story.says("5"), [Output::Upgraded]);
        story
    }

    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.next_output()).collect()
    }

    /// A GET that is let in, and what comes of it.
    pub(crate) fn polls(&mut self) -> Vec<Output> {
        assert_eq!(self.session.poll_started(), Ok(()));
        self.outputs()
    }

    /// The body of a POST.
    pub(crate) fn posts(&mut self, body: &'static str) -> (Result<(), Refusal>, Vec<Output>) {
        let answer = self.session.posted(body.into(), self.now);
        (answer, self.outputs())
    }

    pub(crate) fn attach(&mut self) {
        assert_eq!(self.session.websocket_attached(self.now), Ok(()));
        assert_eq!(self.outputs(), []);
    }

    /// A text frame on the WebSocket.
    pub(crate) fn says(&mut self, text: &'static str) -> Vec<Output> {
        self.hears(Packet::decode_text(text.into()))
    }

    pub(crate) fn hears(&mut self, packet: Result<Packet, PacketError>) -> Vec<Output> {
        self.session.websocket_packet(packet, self.now);
        self.outputs()
    }

    /// Lets time pass as a shell does: up to each deadline on the way.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<Output> {
        let until = self.now + time;
        let mut outputs = Vec::new();
        while let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.session.tick(self.now);
            outputs.extend(self.outputs());
            assert_ne!(self.session.deadline(), Some(deadline), "a shell would spin");
        }
        self.now = until;
        outputs
    }

    /// Makes sure that the session is alive on polling.
    pub(crate) fn assert_polling(&mut self) {
        assert_eq!(self.session.transport(), Some(TransportName::Polling));
        assert_eq!(self.posts("4alive?"), (Ok(()), vec![text("alive?")]));
    }

    /// Makes sure that the session is alive on its WebSocket.
    pub(crate) fn assert_websocket(&mut self) {
        assert_eq!(self.session.transport(), Some(TransportName::WebSocket));
        assert_eq!(self.says("4alive?"), [text("alive?")]);
    }

    /// Makes sure that the session is closed, for this reason, and does nothing any more.
    pub(crate) fn assert_closed(&mut self, reason: CloseReason) {
        assert_eq!(self.session.close_reason(), Some(reason));
        assert_eq!(self.session.transport(), None);
        assert_eq!(self.session.deadline(), None);
        assert_eq!(self.session.poll_started(), Err(Refusal::UnknownSid));
        assert_eq!(
            self.session.websocket_attached(self.now),
            Err(Refusal::UnknownSid)
        );
        assert_eq!(self.posts("4hello"), (Err(Refusal::UnknownSid), vec![]));
        assert_eq!(self.posts("malformed"), (Err(Refusal::UnknownSid), vec![]));
        self.session.poll_answered();
        self.session.poll_lost();
        self.session.poll_cancelled();
        self.session.websocket_closed();
        self.session.close(CloseReason::ForcedClose);
        self.session
            .close_when_flushed(CloseReason::ForcedClose, self.now);
        self.session.tick(self.now + minutes(10));
        assert_eq!(self.says("4hello"), []);
        assert_eq!(self.session.close_reason(), Some(reason));
    }
}

/// A POST whose packets are all taken at once.
pub(crate) trait Posted {
    fn posted(&mut self, body: bytes::Bytes, now: std::time::Instant) -> Result<(), Refusal>;
}

impl Posted for Session {
    fn posted(&mut self, body: bytes::Bytes, now: std::time::Instant) -> Result<(), Refusal> {
        let packets = self.payload_arrived(payload::decode(body))?;
        packets.for_each(|packet| self.payload_packet(packet, now));
        self.payload_answer()
    }
}

pub(crate) fn text(text: &'static str) -> Output {
    Output::Message(Message::Text(text.into()))
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    seconds(60 * minutes)
}

/// Just too short.
pub(crate) const JUST_UNDER: Duration = Duration::from_millis(1);
