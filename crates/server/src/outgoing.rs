//! What a session has to say, from when it is said until its client's node has it.

use std::collections::VecDeque;

use hither_engineio::Frame;
use serde::{Deserialize, Serialize};

#[cfg(feature = "fault-injection")]
use crate::sabotage::{self, Mistake};

/// The frames of a session that are not acknowledged, each with its sequence number: the first ever has 0.
///
/// A frame is *unsent*, then *sent*, then acknowledged and gone. What was sent and got lost is sent again after a
/// [`rewind`](Self::rewind).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    frames: VecDeque<Frame>,
    /// The sequence number of the first frame kept.
    first: u64,
    /// How many of the frames kept were sent.
    sent: usize,
    bytes: usize,
    #[cfg(feature = "fault-injection")]
    #[serde(skip)]
    has_moved: bool,
}

/// What each frame costs apart from its bytes; many small frames must count too.
const FRAME_OVERHEAD: usize = size_of::<Frame>();

fn cost(frame: &Frame) -> usize {
    frame.bytes().len() + FRAME_OVERHEAD
}

impl Outgoing {
    /// A buffer whose first frame will have this sequence number.
    pub(crate) fn beginning_at(first: u64) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// Adds a frame at the end.
    pub(crate) fn push(&mut self, frame: Frame) {
        #[cfg(feature = "fault-injection")]
        match self.has_moved.then(|| sabotage::mistake(&frame)).flatten() {
            Some(Mistake::Drop) => return,
            Some(Mistake::Repeat) => {
                self.bytes += cost(&frame);
                self.frames.push_back(frame.clone());
            }
            None => {}
        }
        self.bytes += cost(&frame);
        self.frames.push_back(frame);
    }

    /// The session has moved here: from now on its events may suffer.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn moved(mut self) -> Self {
        self.has_moved = true;
        self
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is something to send.
    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.frames.len()
    }

    /// The sequence number of the first frame that is not acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.first
    }

    /// Bytes that were sent and are not acknowledged.
    pub(crate) fn in_flight(&self) -> usize {
        self.frames.iter().take(self.sent).map(cost).sum()
    }

    /// The sequence number of the next frame to be sent.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.sent as u64
    }

    /// The sequence number after the last frame.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Takes what is to be sent next, at most `limit` bytes but one frame at least, and the sequence number of the
    /// first of it.
    pub(crate) fn send(&mut self, limit: usize) -> (u64, Vec<Frame>) {
        self.send_before(self.end(), limit)
    }

    /// As [`send`](Self::send), if its sequence number is below `end`.
    pub(crate) fn send_before(&mut self, end: u64, limit: usize) -> (u64, Vec<Frame>) {
        let first = self.next();
        let count = usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut total = 0;
        let fits = |frame: &&Frame| {
            let is_first = total == 0;
            total += cost(frame);
            is_first || total <= limit
        };
        let unsent = self.frames.range(self.sent..).take(count);
        let frames: Vec<Frame> = unsent.take_while(fits).cloned().collect();
        self.sent += frames.len();
        (first, frames)
    }

    /// Everything with a sequence number below `next` has arrived.
    pub(crate) fn acknowledge(&mut self, next: u64) {
        while self.first < next
            && let Some(frame) = self.frames.pop_front()
        {
            self.bytes -= cost(&frame);
            self.first += 1;
            self.sent = self.sent.saturating_sub(1);
        }
        if self.frames.is_empty() {
            // An idle session keeps no buffer.
            self.frames = VecDeque::new();
        }
    }

    /// All that was sent has arrived.
    pub(crate) fn acknowledge_sent(&mut self) {
        self.acknowledge(self.next());
    }

    /// What was sent and not acknowledged is to be sent again.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_engineio::Packet;

    fn frame(text: &str) -> Frame {
        Frame::encode(&Packet::Ping(text.to_owned().into()))
    }

    fn outgoing(texts: &[&str]) -> Outgoing {
        let mut outgoing = Outgoing::default();
        texts.iter().for_each(|text| outgoing.push(frame(text)));
        outgoing
    }

    #[test]
    fn frames_are_sent_once_and_kept_until_acknowledged() {
        let mut outgoing = outgoing(&["a", "b"]);
        assert_eq!(outgoing.send(usize::MAX), (0, vec![frame("a"), frame("b")]));
        assert!(!outgoing.has_unsent());
        outgoing.push(frame("c"));
        assert_eq!(outgoing.send(usize::MAX), (2, vec![frame("c")]));
        assert!(outgoing.bytes() > 0);
        outgoing.acknowledge(3);
        assert_eq!(outgoing.bytes(), 0);
        assert_eq!(outgoing.in_flight(), 0);
    }

    #[test]
    fn what_was_lost_is_sent_again_from_the_first_unacknowledged() {
        let mut outgoing = outgoing(&["a", "b", "c"]);
        outgoing.send(usize::MAX);
        outgoing.acknowledge(1);
        outgoing.rewind();
        assert_eq!(outgoing.send(usize::MAX), (1, vec![frame("b"), frame("c")]));
    }

    #[test]
    fn a_limit_cuts_but_never_to_nothing() {
        let mut outgoing = outgoing(&["a", "b", "c"]);
        assert_eq!(outgoing.send(1), (0, vec![frame("a")]));
        assert_eq!(
            outgoing.send(2 * cost(&frame("b"))),
            (1, vec![frame("b"), frame("c")])
        );
    }

    #[test]
    fn only_what_is_before_the_end_is_sent() {
        let mut outgoing = outgoing(&["a", "b", "c"]);
        assert_eq!(outgoing.end(), 3);
        assert_eq!(
            outgoing.send_before(2, usize::MAX),
            (0, vec![frame("a"), frame("b")])
        );
        assert_eq!(outgoing.send_before(1, usize::MAX), (2, Vec::new()));
        assert_eq!(outgoing.next(), 2);
    }

    #[test]
    fn acknowledging_twice_or_too_much_is_harmless() {
        let mut outgoing = outgoing(&["a"]);
        outgoing.send(usize::MAX);
        outgoing.acknowledge(9);
        outgoing.acknowledge(1);
        outgoing.push(frame("b"));
        assert_eq!(outgoing.send(usize::MAX), (1, vec![frame("b")]));
    }
}
