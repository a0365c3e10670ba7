//! When the WebSockets of a node that leaves are closed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hither_engineio::{Frame, FrameKind};

use crate::request::SocketNumber;

/// How sockets are closed for their node leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Over which time their turns come.
    pub(crate) over: Duration,
    /// How long a socket whose turn has come may wait for an answer to its client.
    pub(crate) patience: Duration,
}

impl Pace {
    /// As long as people and programs that make one call after the other think between two of them. Whoever only listens is
    /// closed that much later.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Spreads the turns over this time, and ends by the deadline.
    pub(crate) fn new(spread: Duration, deadline: Duration) -> Self {
        let patience = Self::PATIENCE.min(deadline);
        Self {
            over: spread.min(deadline - patience),
            patience,
        }
    }
}

/// Closes sockets one after the other, so that their clients do not all come to the other nodes at once, and each right after
/// an answer: a call that is on its way when its socket closes is lost for clients that do not repeat it, and none is less
/// likely to be on its way than when its caller has just been answered.
#[derive(Debug)]
pub(super) struct Eviction {
    began: Instant,
    pace: Pace,
    total: usize,
    /// Whose turn has not come.
    waiting: Vec<SocketNumber>,
    /// Whose turn has come, and until when they may wait for an answer.
    due: HashMap<SocketNumber, Instant>,
}

impl Eviction {
    pub(super) fn new(sockets: Vec<SocketNumber>, pace: Pace, now: Instant) -> Self {
        Self {
            began: now,
            pace,
            total: sockets.len(),
            waiting: sockets,
            due: HashMap::new(),
        }
    }

    /// Time has passed: takes the sockets that wait no longer for an answer.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<SocketNumber> {
        let Pace { over, patience } = self.pace;
        let rest = over.saturating_sub(now.duration_since(self.began));
        // Rounded down, so that the last turn comes when the time is over.
        let left = (self.total as u128 * rest.as_nanos()).checked_div(over.as_nanos());
        let left = left.map_or(0, |left| left as usize);
        let turns = self.waiting.split_off(left.min(self.waiting.len()));
        self.due
            .extend(turns.into_iter().map(|number| (number, now + patience)));
        self.due
            .extract_if(|_, deadline| *deadline <= now)
            .map(|(number, _)| number)
            .collect()
    }

    /// The client of a socket has been answered. Whether the socket is to be closed now.
    pub(super) fn answered(&mut self, number: SocketNumber) -> bool {
        self.due.remove(&number).is_some()
    }

    /// Whether all its sockets are closed.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.due.is_empty()
    }
}

/// Whether a frame is an answer to a call of the client (Socket.IO protocol 5, packets ACK and BINARY_ACK).
pub(super) fn is_answer(frame: &Frame) -> bool {
    frame.kind() == FrameKind::Text && matches!(frame.bytes()[..], [b'4', b'3' | b'6', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_engineio::{Message, Packet};

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Pace::PATIENCE;

    fn sockets(count: u64) -> Vec<SocketNumber> {
        (0..count).map(SocketNumber).collect()
    }

    #[test]
    fn turns_are_spread_and_whoever_is_not_answered_waits_no_longer_than_patience() {
        let began = Instant::now();
        let mut eviction = Eviction::new(sockets(10), Pace::new(SECOND, 30 * SECOND), began);
        let mut closed = Vec::new();
        for tenth in 0..=10 {
            assert_eq!(eviction.expire(began + tenth * SECOND / 10), []);
        }
        for tenth in 1..=10 {
            closed.extend(eviction.expire(began + PATIENCE + tenth * SECOND / 10));
            assert_eq!(closed.len(), tenth as usize, "after {tenth} tenths");
            assert_eq!(eviction.is_over(), tenth == 10);
        }
        closed.sort();
        assert_eq!(closed, sockets(10));
    }

    #[test]
    fn a_socket_whose_turn_has_come_is_closed_after_an_answer() {
        let began = Instant::now();
        let mut eviction = Eviction::new(sockets(2), Pace::new(SECOND, 30 * SECOND), began);
        eviction.expire(began);
        assert!(!eviction.answered(SocketNumber(1)), "its turn has not come");
        eviction.expire(began + SECOND / 2);
        assert!(eviction.answered(SocketNumber(1)));
        assert!(!eviction.answered(SocketNumber(1)), "once");
        assert_eq!(eviction.expire(began + PATIENCE + SECOND / 2), [], "nor again");
        assert!(!eviction.is_over());
    }

    #[test]
    fn without_time_all_turns_come_at_once() {
        let began = Instant::now();
        let mut eviction = Eviction::new(sockets(3), Pace::new(Duration::ZERO, 30 * SECOND), began);
        assert_eq!(eviction.expire(began), []);
        let all = sockets(3).into_iter().filter(|number| eviction.answered(*number));
        assert_eq!(all.count(), 3);
        assert!(eviction.is_over());
    }

    #[test]
    fn the_last_socket_is_closed_by_the_deadline() {
        let pace = |spread, deadline| {
            let Pace { over, patience } = Pace::new(spread, deadline);
            (over, patience)
        };
        assert_eq!(pace(3 * SECOND, 30 * SECOND), (3 * SECOND, PATIENCE));
        assert_eq!(pace(3 * SECOND, 4 * SECOND), (2 * SECOND, PATIENCE));
        assert_eq!(pace(3 * SECOND, SECOND), (Duration::ZERO, SECOND));
    }

    #[test]
    fn only_acknowledgements_are_answers() {
        let answers = |text: &str| {
            is_answer(&Frame::encode(&Packet::Message(Message::Text(
                text.to_owned().into(),
            ))))
        };
        assert!(answers("3/chat,7[1]") && answers("61-7[{\"_placeholder\":true,\"num\":0}]"));
        assert!(!answers("2[\"3\"]") && !answers("0{\"sid\":\"x\"}") && !answers(""));
        let binary = Message::Binary(b"43[]".to_vec().into());
        assert!(!is_answer(&Frame::message(binary)));
        assert!(!is_answer(&Frame::encode(&Packet::Pong("3".into()))));
    }
}
