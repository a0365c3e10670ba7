//! One life of a link: a connection, from its first byte to its end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio_util::task::AbortOnDropHandle;
use tracing::error;

use super::{
    LinkEvents,
    credit::Credit,
    envelope::Envelope,
    error::LinkDown,
    opened::{Bearings, Side},
    outbox::Outbox,
    stream::StreamControl,
};
use crate::member::{NodeId, View};

/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a peer with a link may be missing from the view from the start: gossip may be slower than a link.
const ADMISSION: Duration = Duration::from_secs(5);

/// One life of a link.
pub(super) struct Life {
    pub(super) bearings: Bearings,
    pub(super) control: StreamControl,
    pub(super) stage: Stage,
    bytes_read: u64,
    silent: Duration,
    /// How long it has been in its stage.
    age: Duration,
}

pub(super) enum Stage {
    /// The handshake is under way.
    Opening {
        /// What the peer has sent already, for it may be done before us. It cannot be more than its window.
        held: Vec<Envelope>,
    },
    /// Messages go both ways.
    Up(Up),
}

/// What an open link has.
pub(super) struct Up {
    pub(super) outbox: Arc<Outbox>,
    next_sequence: u64,
    /// Whether the peer has ever been in the view.
    admitted: bool,
    _writer: AbortOnDropHandle<()>,
}

impl Life {
    /// A connection whose handshake is to come.
    pub(super) fn new(bearings: Bearings, control: StreamControl) -> Self {
        Self {
            bearings,
            control,
            stage: Stage::Opening { held: Vec::new() },
            bytes_read: 0,
            silent: Duration::ZERO,
            age: Duration::ZERO,
        }
    }

    /// The handshake is done. Returns what was held until then.
    pub(super) fn come_up(&mut self, up: Up) -> Vec<Envelope> {
        self.silent = Duration::ZERO;
        self.age = Duration::ZERO;
        match std::mem::replace(&mut self.stage, Stage::Up(up)) {
            Stage::Opening { held } => held,
            Stage::Up(_) => Vec::new(),
        }
    }

    /// The link, once it is up.
    pub(super) fn up(&mut self) -> Option<&mut Up> {
        match &mut self.stage {
            Stage::Up(up) => Some(up),
            Stage::Opening { .. } => None,
        }
    }

    /// Whether the link has been up for so long.
    pub(super) fn has_been_up_for(&self, long: Duration) -> bool {
        matches!(self.stage, Stage::Up(_)) && self.age >= long
    }

    /// Whether the peer has left the view. It may come into it later than its link comes up.
    pub(super) fn is_dismissed(&mut self, view: &View) -> bool {
        let present = view.member(&self.bearings.peer).is_some();
        match &mut self.stage {
            Stage::Up(up) => {
                up.admitted |= present;
                up.admitted && !present
            }
            Stage::Opening { .. } => self.bearings.side == Side::Dialled && !present,
        }
    }

    /// Why this life should end after this process ran for `ran` more, if it should.
    pub(super) fn tick(&mut self, ran: Duration, stall_timeout: Duration) -> Option<LinkDown> {
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

    /// Takes an envelope from the peer: keeps it until the link is up, or hands on what is in it.
    pub(super) fn receive(&mut self, envelope: Envelope, events: &dyn LinkEvents) -> Result<(), LinkDown> {
        match &mut self.stage {
            Stage::Opening { held } => {
                held.push(envelope);
                Ok(())
            }
            Stage::Up(up) => up.receive(&self.bearings.peer, envelope, events),
        }
    }
}

impl Up {
    /// A link that is up from now on.
    pub(super) fn new(outbox: Arc<Outbox>, admitted: bool, writer: AbortOnDropHandle<()>) -> Self {
        Self {
            outbox,
            next_sequence: 0,
            admitted,
            _writer: writer,
        }
    }

    fn receive(
        &mut self,
        peer: &NodeId,
        envelope: Envelope,
        events: &dyn LinkEvents,
    ) -> Result<(), LinkDown> {
        let (sequence, expected) = (envelope.sequence, self.next_sequence);
        if sequence != expected {
            let fault = format!("envelope {sequence} came in place of {expected}");
            return Err(LinkDown::Protocol(fault));
        }
        self.next_sequence += 1;
        if !self.outbox.acknowledge(envelope.channel, envelope.handled) {
            let fault = "the peer claims to have handled what it was not sent";
            return Err(LinkDown::Protocol(fault.to_owned()));
        }
        if envelope.messages.is_empty() {
            return Ok(());
        }
        let (weight, channel) = (envelope.weight(), envelope.channel);
        let credit = Credit::new(weight, channel, self.outbox.clone());
        if harmless(|| events.received(peer, channel, envelope.messages, credit)) {
            Ok(())
        } else {
            Err(LinkDown::HandlerPanicked)
        }
    }
}

/// Calls what is not ours; false if it panicked. A panic there must not take all other links down.
pub(super) fn harmless(call: impl FnOnce()) -> bool {
    // What the call may have left half done is its own, and its link goes down for it.
    let sound = catch_unwind(AssertUnwindSafe(call)).is_ok();
    if !sound {
        error!("a handler of link events panicked, which is a bug");
    }
    sound
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Mutex};

    use bytes::Bytes;

    use super::*;
    use crate::{
        links::{Channel, LinkLimits, envelope::LifeId, opened::Way},
        member::{Incarnation, Member, Phase},
        secret::{Secret, Secrets},
        version::WireVersion,
    };

    const STALL: Duration = Duration::from_secs(2);
    const TICK: Duration = Duration::from_millis(250);

    /// Keeps what it receives; panics at the message "panic".
    #[derive(Default)]
    struct Received(Mutex<Vec<Bytes>>);

    impl LinkEvents for Received {
        fn link_up(&self, _peer: &NodeId) {}

        fn received(&self, _peer: &NodeId, _channel: Channel, messages: Vec<Bytes>, _credit: Credit) {
            assert!(messages != ["panic"], "as the message says");
            self.0.lock().unwrap().extend(messages);
        }

        fn link_down(&self, _peer: &NodeId, _reason: &LinkDown) {}
    }

    fn peer() -> NodeId {
        NodeId {
            name: "peer".parse().unwrap(),
            incarnation: Incarnation(1),
        }
    }

    fn view(members: &[NodeId]) -> View {
        let address = SocketAddr::from(([127, 0, 0, 1], 7001));
        let member = |id: &NodeId| {
            let (id, phase) = (id.clone(), Phase::Up);
            (
                id.name.clone(),
                Member {
                    id,
                    phase,
                    http: address,
                    gossip: address,
                    link: address,
                },
            )
        };
        let me = NodeId {
            name: "me".parse().unwrap(),
            incarnation: Incarnation(1),
        };
        View {
            me,
            members: members.iter().map(member).collect(),
        }
    }

    fn opening(side: Side) -> Life {
        let bearings = Bearings {
            life: LifeId(7),
            peer: peer(),
            address: ([127, 0, 0, 1], 7001).into(),
            way: Way::Direct,
            side,
            key: Secrets::from(Secret::well_known()).link_keys().spoken().clone(),
            version: WireVersion::V3,
        };
        Life::new(bearings, StreamControl::default())
    }

    fn up(admitted: bool) -> Life {
        let mut life = opening(Side::Accepted);
        let outbox = Arc::new(Outbox::new(LinkLimits::default()));
        let writer = AbortOnDropHandle::new(tokio::spawn(std::future::pending()));
        assert!(life.come_up(Up::new(outbox, admitted, writer)).is_empty());
        life
    }

    fn envelope(sequence: u64, messages: &[&'static str]) -> Envelope {
        let messages = messages
            .iter()
            .map(|message| Bytes::from_static(message.as_bytes()))
            .collect();
        Envelope {
            life: LifeId(7),
            sequence,
            channel: Channel::Entities,
            handled: 0,
            messages,
        }
    }

    /// Ticks until the life ends, which it must within a minute.
    fn end(life: &mut Life) -> (Duration, LinkDown) {
        let ticks = 1..240;
        let mut ends = ticks.filter_map(|tick| Some((TICK * tick, life.tick(TICK, STALL)?)));
        ends.next().expect("the life ends")
    }

    #[tokio::test]
    async fn messages_are_handed_on_in_order() {
        let (mut life, events) = (up(true), Received::default());
        for (sequence, messages) in [["one", "two"], ["three", "four"]].iter().enumerate() {
            life.receive(envelope(sequence as u64, messages), &events)
                .unwrap();
        }
        assert_eq!(*events.0.lock().unwrap(), ["one", "two", "three", "four"]);
    }

    #[tokio::test]
    async fn a_gap_a_repetition_and_a_false_claim_are_faults() {
        let events = Received::default();
        for sequence in [0, 2] {
            let mut life = up(true);
            life.receive(envelope(0, &["one"]), &events).unwrap();
            let end = life.receive(envelope(sequence, &["two"]), &events).unwrap_err();
            assert!(matches!(end, LinkDown::Protocol(_)), "{end}");
        }
        let claim = Envelope {
            handled: 1,
            ..envelope(0, &[])
        };
        assert!(matches!(
            up(true).receive(claim, &events),
            Err(LinkDown::Protocol(_))
        ));
        assert_eq!(*events.0.lock().unwrap(), ["one", "one"]);
    }

    #[tokio::test]
    async fn a_handler_that_panics_ends_its_link_and_no_more() {
        let (mut life, events) = (up(true), Received::default());
        assert_eq!(
            life.receive(envelope(0, &["panic"]), &events),
            Err(LinkDown::HandlerPanicked)
        );
    }

    #[tokio::test]
    async fn what_comes_before_the_link_is_up_waits() {
        let (mut life, events) = (opening(Side::Accepted), Received::default());
        life.receive(envelope(0, &["one"]), &events).unwrap();
        assert!(events.0.lock().unwrap().is_empty());
        let outbox = Arc::new(Outbox::new(LinkLimits::default()));
        let writer = AbortOnDropHandle::new(tokio::spawn(std::future::pending()));
        let held = life.come_up(Up::new(outbox, true, writer));
        assert_eq!(held, [envelope(0, &["one"])]);
    }

    #[tokio::test]
    async fn a_silent_peer_ends_the_life_after_the_stall_timeout() {
        let mut life = up(true);
        assert_eq!(end(&mut life), (STALL, LinkDown::Stalled(STALL)));
    }

    #[tokio::test]
    async fn any_byte_breaks_the_silence() {
        let mut life = up(true);
        for _ in 0..100 {
            assert_eq!(life.tick(TICK, STALL), None);
            life.control.count_bytes_read(1);
        }
    }

    #[tokio::test]
    async fn a_handshake_has_a_deadline_however_much_is_said() {
        let mut life = opening(Side::Accepted);
        life.control.count_bytes_read(1000);
        assert_eq!(end(&mut life), (HANDSHAKE, LinkDown::NoHandshake(HANDSHAKE)));
    }

    #[tokio::test]
    async fn a_peer_has_some_time_to_come_into_the_view() {
        let mut life = up(false);
        assert!(!life.is_dismissed(&view(&[])));
        assert!(!life.is_dismissed(&view(&[peer()])));
        assert!(life.is_dismissed(&view(&[])));

        let mut never = up(false);
        let ticks = (1..).take_while(|_| {
            never.control.count_bytes_read(1);
            never.tick(TICK, STALL).is_none()
        });
        assert_eq!(TICK * ticks.last().unwrap(), ADMISSION - TICK);
    }

    #[tokio::test]
    async fn a_later_life_of_the_peer_does_not_keep_the_link_of_this_one() {
        let mut life = up(true);
        let later = NodeId {
            incarnation: Incarnation(2),
            ..peer()
        };
        assert!(life.is_dismissed(&view(&[later])));
    }

    #[tokio::test]
    async fn a_dialled_peer_that_leaves_meanwhile_is_given_up() {
        let mut life = opening(Side::Dialled);
        assert!(!life.is_dismissed(&view(&[peer()])));
        assert!(life.is_dismissed(&view(&[])));
        assert!(!opening(Side::Accepted).is_dismissed(&view(&[])));
    }
}
