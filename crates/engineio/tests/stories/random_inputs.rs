//! Whatever happens in whatever order, a few things always hold.

use std::time::{Duration, Instant};

use hither_engineio::{CloseReason, Output, Packet, Refusal, Session, SessionConfig, TransportName};
use proptest::prelude::*;

use crate::{moving::through_bytes, story::Posted};

const CONFIG: SessionConfig = SessionConfig {
    ping_interval: Duration::from_millis(250),
    ping_timeout: Duration::from_millis(200),
    upgrade_timeout: Duration::from_millis(100),
    max_payload: 1_000_000,
};

/// A ping that goes out this long after it was due counts as sent when it was due.
const HARDLY_LATE: Duration = Duration::from_millis(25);

#[derive(Clone, Copy, Debug)]
enum Input {
    Poll,
    AnswerPoll,
    CancelPoll,
    LosePoll,
    Post(&'static str),
    AttachWebSocket,
    WebSocketText(&'static str),
    CloseWebSocket,
    Close,
    CloseWhenFlushed,
    Receiving,
    Wait(u64),
    Move,
}

fn one_of(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        20 => Just(Input::Poll),
        12 => Just(Input::AnswerPoll),
        1 => Just(Input::CancelPoll),
        2 => Just(Input::LosePoll),
        12 => one_of(&["3", "4a", "4a\x1e4b", "bAQ==", "6", "5", "0{}", "3\x1e4c"]).prop_map(Input::Post),
        1 => one_of(&["", "x", "1", "2", "4a\x1e1\x1e4b"]).prop_map(Input::Post),
        12 => Just(Input::AttachWebSocket),
        30 => one_of(&["2probe", "5", "3", "4a", "4b"]).prop_map(Input::WebSocketText),
        2 => one_of(&["", "x", "1", "2", "6", "0{}"]).prop_map(Input::WebSocketText),
        2 => Just(Input::Receiving),
        2 => Just(Input::CloseWebSocket),
        1 => Just(Input::Close),
        1 => Just(Input::CloseWhenFlushed),
        12 => (0_u64..120).prop_map(Input::Wait),
        4 => Just(Input::Move),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Absent,
    Probing,
    Transport,
}

/// A shell that knows only what it was told, and checks that it was told the truth.
struct Shell {
    session: Session,
    now: Instant,
    poll_hangs: bool,
    socket: Socket,
    well_since: Instant,
    /// From when the time for the pong counts.
    pinged_at: Option<Instant>,
    /// Whether something else has come since the ping.
    is_heard: bool,
    closed: Option<CloseReason>,
    told: Vec<Output>,
}

impl Shell {
    fn open(transport: TransportName) -> Shell {
        let now = Instant::now();
        Shell {
            session: Session::open(CONFIG, transport, now),
            now,
            poll_hangs: false,
            socket: match transport {
                TransportName::Polling => Socket::Absent,
                TransportName::WebSocket => Socket::Transport,
            },
            well_since: now,
            pinged_at: None,
            is_heard: false,
            closed: None,
            told: Vec::new(),
        }
    }

    fn give(&mut self, input: Input) {
        match input {
            Input::Poll => {
                let answer = self.session.poll_started();
                self.check_poll(answer);
            }
            Input::AnswerPoll => {
                self.session.poll_answered();
                self.poll_hangs = false;
            }
            Input::CancelPoll => self.session.poll_cancelled(),
            Input::LosePoll => {
                self.session.poll_lost();
                self.poll_hangs = false;
            }
            Input::Post(body) => {
                let answer = self.session.posted(body.into(), self.now);
                if answer.is_ok() {
                    self.heard(body);
                }
            }
            Input::AttachWebSocket => {
                let answer = self.session.websocket_attached(self.now);
                let expected = match (self.closed, self.socket) {
                    (Some(_), _) => Err(Refusal::UnknownSid),
                    (None, Socket::Absent) => Ok(()),
                    (None, Socket::Probing | Socket::Transport) => Err(Refusal::BadRequest),
                };
                assert_eq!(answer, expected);
                if answer.is_ok() {
                    self.socket = Socket::Probing;
                }
            }
            Input::WebSocketText(text) if self.socket != Socket::Absent => {
                if self.socket == Socket::Transport || text == "5" {
                    self.heard(text);
                }
                self.session
                    .websocket_packet(Packet::decode_text(text.into()), self.now);
            }
            Input::WebSocketText(_) => {}
            Input::CloseWebSocket if self.socket != Socket::Absent => {
                let was = std::mem::replace(&mut self.socket, Socket::Absent);
                self.session.websocket_closed();
                assert_eq!(self.session.close_reason().is_some(), was == Socket::Transport);
            }
            Input::CloseWebSocket => {}
            Input::Close => self.session.close(CloseReason::ForcedClose),
            Input::CloseWhenFlushed => self
                .session
                .close_when_flushed(CloseReason::ForcedClose, self.now),
            Input::Receiving => {
                self.session.receiving(self.now);
                self.pinged_at = self.pinged_at.map(|at| at.max(self.now));
            }
            Input::Wait(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                self.session.tick(self.now);
            }
            Input::Move => self.session = moved(&self.session, self.now, self.poll_hangs),
        }
        while let Some(output) = self.session.next_output() {
            self.hear(output);
        }
        self.check(input);
    }

    fn check_poll(&mut self, answer: Result<(), Refusal>) {
        let expected = match (self.closed, self.socket, self.poll_hangs) {
            (Some(_), _, _) => Err(Refusal::UnknownSid),
            (None, Socket::Transport, _) | (None, _, true) => Err(Refusal::BadRequest),
            (None, Socket::Absent | Socket::Probing, false) => Ok(()),
        };
        assert_eq!(answer, expected);
        self.poll_hangs |= answer.is_ok();
    }

    /// What begins with a pong answers the ping, and all else puts off its time once.
    fn heard(&mut self, packets: &str) {
        if self.pinged_at.is_none() {
            return;
        }
        if packets.starts_with('3') {
            self.pinged_at = None;
            self.well_since = self.now;
        } else if !std::mem::replace(&mut self.is_heard, true) {
            self.pinged_at = Some(self.now);
        }
    }

    fn hear(&mut self, output: Output) {
        assert_eq!(
            self.closed, None,
            "nothing may follow the end, but {output:?} does"
        );
        match &output {
            Output::Message(_) => {}
            Output::Ping => {
                assert_eq!(self.pinged_at, None, "a ping is under way");
                let due = self.well_since + CONFIG.ping_interval;
                assert!(self.now >= due, "too early");
                let is_late = self.now > due + HARDLY_LATE;
                self.pinged_at = Some(if is_late { self.now } else { due });
                self.is_heard = false;
            }
            Output::ProbeAccepted => assert_eq!(self.socket, Socket::Probing),
            Output::ReleasePoll => {
                assert!(self.poll_hangs, "no poll to answer");
                self.session.poll_answered();
                self.poll_hangs = false;
            }
            Output::Upgraded => {
                assert_eq!(self.socket, Socket::Probing);
                self.socket = Socket::Transport;
            }
            Output::ProbeFailed => {
                assert_eq!(self.socket, Socket::Probing);
                self.socket = Socket::Absent;
            }
            Output::Closed(reason) => {
                assert_ne!(
                    self.socket,
                    Socket::Probing,
                    "the probing socket would be left open"
                );
                if *reason == CloseReason::PingTimeout {
                    assert!(
                        self.pinged_at
                            .is_some_and(|at| self.now >= at + CONFIG.ping_timeout),
                        "too early"
                    );
                }
                self.closed = Some(*reason);
                self.socket = Socket::Absent;
                self.poll_hangs = false;
            }
        }
        self.told.push(output);
    }

    fn check(&self, input: Input) {
        assert_eq!(self.session.close_reason(), self.closed);
        assert_eq!(self.session.transport().is_none(), self.closed.is_some());
        assert_eq!(
            self.session.transport() == Some(TransportName::WebSocket),
            self.socket == Socket::Transport,
            "buffer and socket agree"
        );
        match self.session.deadline() {
            None => assert!(
                self.closed.is_some(),
                "a session without a deadline would never end"
            ),
            Some(deadline) => {
                let heartbeat = match self.pinged_at {
                    Some(at) => at + CONFIG.ping_timeout,
                    None => self.well_since + CONFIG.ping_interval,
                };
                assert!(deadline <= heartbeat, "a heartbeat would be late");
                if let Input::Wait(_) = input {
                    assert!(deadline > self.now, "time would stand still");
                }
            }
        }
    }
}

fn moved(session: &Session, now: Instant, poll_hangs: bool) -> Session {
    let mut session = Session::restore(through_bytes(&session.snapshot(now)), now);
    if poll_hangs && session.transport() == Some(TransportName::Polling) {
        assert_eq!(session.poll_started(), Ok(()));
    }
    session
}

fn transport() -> impl Strategy<Value = TransportName> {
    prop_oneof![4 => Just(TransportName::Polling), 1 => Just(TransportName::WebSocket)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_session_tells_its_shell_the_truth(
        transport in transport(),
        inputs in proptest::collection::vec(input(), 0..120),
    ) {
        let mut shell = Shell::open(transport);
        for input in inputs {
            shell.give(input);
        }
        for _ in 0..10 {
            shell.give(Input::Wait(1_000));
        }
        prop_assert!(shell.closed.is_some(), "a client that is gone is given up");
        let ends = shell.told.iter().filter(|output| matches!(output, Output::Closed(_))).count();
        prop_assert_eq!(ends, 1);
    }

    #[test]
    fn a_session_that_moves_does_as_one_that_stays(
        transport in transport(),
        inputs in proptest::collection::vec(input(), 0..120),
    ) {
        let mut moving = Shell::open(transport);
        let mut staying = Shell::open(transport);
        for input in inputs {
            moving.give(input);
            if let Input::Move = input {
                continue;
            }
            staying.give(input);
        }
        prop_assert_eq!(moving.told, staying.told);
    }
}
