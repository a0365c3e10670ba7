//! Which way to one peer to try next, and when. It decides only; the [`Dialler`](super::dial::Dialler) does.
//!
//! Direct and relayed attempts take turns, relays one after the other. While a relayed connection is there, the direct way
//! is tried now and then.

use std::time::Duration;

use super::{opened::Way, stream::StreamId};
use crate::member::NodeId;

/// How long to wait before dialling again: doubles from the first to the last.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_secs(1);

/// How long a relayed connection serves before the direct way is tried again. Each attempt costs a few packets.
const RETURN: Duration = Duration::from_secs(5);

/// How often that time doubles at most, when direct connections come about and do not last.
const RETURN_DOUBLINGS: u32 = 4;

/// The way to one peer.
#[derive(Debug)]
pub(super) struct Course {
    /// Attempts and connections that came to nothing, in a row.
    failures: u32,
    /// Direct connections that replaced a relayed one and came to nothing, in a row.
    relapses: u32,
    next: Kind,
    /// Counts relayed attempts, so that all relays have their turn.
    turn: usize,
    connection: Option<(StreamId, Kind)>,
}

/// What to do next: dial this way, after a while.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) way: Way,
    pub(super) after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Direct,
    Relayed,
}

impl Course {
    /// A peer that was never dialled. Its first relay is drawn by whoever calls, so that the relays share the work.
    pub(super) fn new(turn: usize) -> Self {
        Self {
            failures: 0,
            relapses: 0,
            next: Kind::Direct,
            turn,
            connection: None,
        }
    }

    /// Attempts and connections that came to nothing, in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The first attempt.
    pub(super) fn begin(&mut self) -> Attempt {
        self.attempt(&[])
    }

    /// A connection has come about, in place of all earlier ones. There is more to try only if it is relayed.
    pub(super) fn opened(&mut self, stream: StreamId, way: &Way) -> Option<Attempt> {
        let kind = Kind::of(way);
        let earlier = self.connection.replace((stream, kind));
        self.next = kind.other();
        match (earlier, kind) {
            (Some((_, Kind::Relayed)), Kind::Direct) => {
                self.relapses += 1;
                None
            }
            (_, Kind::Direct) => None,
            (_, Kind::Relayed) => Some(self.way_back()),
        }
    }

    /// An attempt has failed. There is nothing more to try if it was an old one.
    pub(super) fn unreached(&mut self, relays: &[NodeId]) -> Option<Attempt> {
        match self.connection {
            None => Some(self.fail(relays)),
            Some((_, Kind::Relayed)) => Some(self.way_back()),
            Some((_, Kind::Direct)) => None,
        }
    }

    /// A connection has ended. There is nothing to try if another has replaced it.
    pub(super) fn ended(&mut self, stream: StreamId, relays: &[NodeId]) -> Option<Attempt> {
        self.connection.take_if(|(current, _)| *current == stream)?;
        Some(self.fail(relays))
    }

    /// The link on a connection works: its failures are forgotten. When it ends, the same way is tried first.
    pub(super) fn lasted(&mut self, stream: StreamId) {
        if let Some((current, kind)) = self.connection
            && current == stream
        {
            self.failures = 0;
            self.next = kind;
            if kind == Kind::Direct {
                self.relapses = 0;
            }
        }
    }

    fn fail(&mut self, relays: &[NodeId]) -> Attempt {
        self.failures += 1;
        self.attempt(relays)
    }

    fn attempt(&mut self, relays: &[NodeId]) -> Attempt {
        let relay = relays.get(self.turn.checked_rem(relays.len()).unwrap_or_default());
        let way = match (self.next, relay) {
            (Kind::Relayed, Some(relay)) => {
                self.turn = self.turn.wrapping_add(1);
                Way::Via(relay.clone())
            }
            _ => Way::Direct,
        };
        self.next = Kind::of(&way).other();
        let after = backoff(self.failures);
        Attempt { way, after }
    }

    fn way_back(&self) -> Attempt {
        Attempt {
            way: Way::Direct,
            after: RETURN * (1 << self.relapses.min(RETURN_DOUBLINGS)),
        }
    }
}

impl Kind {
    fn of(way: &Way) -> Self {
        match way {
            Way::Direct => Self::Direct,
            Way::Via(_) => Self::Relayed,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Direct => Self::Relayed,
            Self::Relayed => Self::Direct,
        }
    }
}

/// How long to wait before dialling, after so many failures in a row.
fn backoff(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    FIRST_BACKOFF
        .saturating_mul(1 << doublings.min(16))
        .min(LAST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::testing::node;

    fn relays() -> [NodeId; 2] {
        ["c", "d"].map(node)
    }

    fn via(name: &str) -> Way {
        Way::Via(node(name))
    }

    fn course() -> Course {
        let mut course = Course::new(0);
        assert_eq!(course.begin().way, Way::Direct);
        course
    }

    /// A course with a connection on which a link works, after some failures.
    fn linked(way: &Way) -> (Course, StreamId) {
        let (mut course, stream) = (course(), StreamId::next());
        for _ in 0..3 {
            course.unreached(&[]);
        }
        course.opened(stream, way);
        course.lasted(stream);
        (course, stream)
    }

    #[test]
    fn direct_and_relayed_attempts_take_turns_and_so_do_relays() {
        let mut course = course();
        let mut ways = Vec::new();
        for _ in 0..6 {
            ways.push(course.unreached(&relays()).unwrap().way);
        }
        let direct = Way::Direct;
        let expected = [
            via("c"),
            direct.clone(),
            via("d"),
            direct.clone(),
            via("c"),
            direct,
        ];
        assert_eq!(ways, expected);
    }

    #[test]
    fn without_relays_every_attempt_is_direct() {
        let mut course = course();
        for _ in 0..4 {
            assert_eq!(course.unreached(&[]).unwrap().way, Way::Direct);
        }
    }

    #[test]
    fn the_first_relay_is_the_one_that_was_drawn() {
        let mut course = Course::new(usize::MAX);
        course.begin();
        let attempt = course.unreached(&relays()).unwrap();
        assert_eq!(attempt.way, via("d"));
        assert_eq!(course.unreached(&relays()).unwrap().way, Way::Direct);
        assert_eq!(course.unreached(&relays()).unwrap().way, via("c"));
    }

    #[test]
    fn a_link_that_breaks_is_tried_the_way_it_worked_and_then_the_other() {
        for (worked, other) in [(Way::Direct, via("c")), (via("c"), Way::Direct)] {
            let (mut course, stream) = linked(&worked);
            let first = course.ended(stream, &relays()).unwrap();
            assert_eq!((first.way, first.after), (worked, FIRST_BACKOFF));
            assert_eq!(course.unreached(&relays()).unwrap().way, other);
        }
    }

    #[test]
    fn a_connection_that_becomes_no_link_is_followed_by_the_other_way() {
        for (came, other) in [(Way::Direct, via("c")), (via("c"), Way::Direct)] {
            let (mut course, stream) = (course(), StreamId::next());
            course.opened(stream, &came);
            assert_eq!(course.ended(stream, &relays()).unwrap().way, other);
            assert_eq!(course.failures(), 1);
        }
    }

    #[test]
    fn a_direct_connection_leaves_nothing_to_try() {
        let mut course = course();
        assert_eq!(course.opened(StreamId::next(), &Way::Direct), None);
        assert_eq!(course.unreached(&relays()), None);
        assert_eq!(course.failures(), 0);
    }

    #[test]
    fn a_relayed_connection_serves_while_the_direct_way_is_tried() {
        let mut course = course();
        let back = Attempt {
            way: Way::Direct,
            after: RETURN,
        };
        assert_eq!(course.opened(StreamId::next(), &via("c")).as_ref(), Some(&back));
        for _ in 0..100 {
            assert_eq!(course.unreached(&relays()).as_ref(), Some(&back));
        }
        assert_eq!(course.failures(), 0);
    }

    #[test]
    fn a_direct_connection_replaces_the_relayed_one_whose_end_is_no_failure() {
        let (mut course, relayed) = linked(&via("c"));
        let direct = StreamId::next();
        assert_eq!(course.opened(direct, &Way::Direct), None);
        assert_eq!(course.ended(relayed, &relays()), None);
        assert_eq!(course.failures(), 0);
        course.lasted(direct);
        assert_eq!(course.ended(direct, &relays()).unwrap().way, Way::Direct);
    }

    #[test]
    fn the_way_back_is_tried_less_often_when_it_does_not_hold() {
        let mut course = course();
        let mut waits = Vec::new();
        for _ in 0..6 {
            let (relayed, direct) = (StreamId::next(), StreamId::next());
            waits.push(course.opened(relayed, &via("c")).unwrap().after.as_secs());
            course.lasted(relayed);
            course.opened(direct, &Way::Direct);
            assert!(matches!(
                course.ended(direct, &relays()).unwrap().way,
                Way::Via(_)
            ));
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 80]);

        let direct = StreamId::next();
        course.opened(direct, &Way::Direct);
        course.lasted(direct);
        assert_eq!(course.opened(StreamId::next(), &via("c")).unwrap().after, RETURN);
    }

    #[test]
    fn backoff_doubles_up_to_a_second() {
        assert_eq!(backoff(0), Duration::ZERO);
        for (failures, wait) in [
            (1, 50),
            (2, 100),
            (3, 200),
            (4, 400),
            (5, 800),
            (6, 1000),
            (1000, 1000),
        ] {
            assert_eq!(
                backoff(failures),
                Duration::from_millis(wait),
                "{failures} failures"
            );
        }
    }
}
