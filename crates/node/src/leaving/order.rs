//! In which order a node leaves. Pure: facts and time in, steps out.
//!
//! Every step relies on those before it. The health check fails first, while everything is served as before, so that
//! balancers send no more requests. Then the sessions go, and requests are passed on to where they are. Then nobody may come
//! in any more; only now are the clients of WebSockets sent elsewhere, for none of them can come back here. The links to the
//! other nodes go last: a request that was taken has its answer by then.

use std::time::Duration;

use tokio::time::Instant;

/// For how long no connection may have come before the listeners close.
const QUIET: Duration = Duration::from_millis(300);

/// How long answers that are ready may take to reach their clients, when nothing else is left to wait for.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// How much time leaving may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long the health check fails before anything else happens. It is also how much longer connections may go on
    /// coming before the listeners close regardless.
    pub(crate) grace: Duration,
    /// How long all that comes after may take.
    pub(crate) timeout: Duration,
}

/// What the node has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Fail the health check, answer hanging polls, and close the listeners that are shared with other nodes.
    Announce,
    /// Hand all sessions to other nodes, within this time.
    HandOff(Duration),
    /// Close all listeners.
    CloseListeners,
    /// End connections as soon as they are idle, and close WebSockets, within this time.
    EndConnections(Duration),
    /// Take the links to the other nodes down, and end.
    Stop,
}

/// How far the node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The last hand-off is over.
    pub(crate) handed_off: bool,
    /// How many connections have come so far.
    pub(crate) accepted: u64,
    /// No listener is open.
    pub(crate) listeners_closed: bool,
    /// Every WebSocket is closed.
    pub(crate) sockets_closed: bool,
    /// No connection is left.
    pub(crate) connections_ended: bool,
}

/// A node that leaves.
#[derive(Debug)]
pub(crate) struct Leaving {
    limits: Limits,
    deadline: Instant,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Serving,
    Announced {
        until: Instant,
    },
    HandingOff,
    /// Waits until no connection comes.
    Quieting {
        until: Instant,
        accepted: u64,
        quiet_at: Instant,
    },
    ClosingListeners,
    EndingConnections {
        until: Instant,
    },
    Over,
}

impl Leaving {
    /// A node that begins to leave. With nobody left to serve its clients there is nothing that a balancer could do, and
    /// the limits should have no grace.
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            deadline: now + limits.grace + limits.timeout,
            phase: Phase::Serving,
        }
    }

    /// What is to be done now; nothing while something has to happen before, or time to pass until
    /// [`wake_at`](Self::wake_at).
    pub(crate) fn step(&mut self, now: Instant, facts: Facts) -> Option<Step> {
        match self.phase {
            Phase::Serving => {
                let until = now + self.limits.grace;
                self.enter(Phase::Announced { until }, Step::Announce)
            }
            Phase::Announced { until } if now >= until => {
                let left = self.left(now);
                self.enter(Phase::HandingOff, Step::HandOff(left))
            }
            Phase::HandingOff if facts.handed_off => {
                let until = (now + self.limits.grace).min(self.deadline);
                self.phase = quieting(until, facts.accepted, now);
                self.step(now, facts)
            }
            Phase::Quieting {
                until,
                accepted,
                quiet_at,
            } => {
                if now >= until || now >= quiet_at && facts.accepted == accepted {
                    return self.enter(Phase::ClosingListeners, Step::CloseListeners);
                }
                if now >= quiet_at {
                    self.phase = quieting(until, facts.accepted, now);
                }
                None
            }
            Phase::ClosingListeners if facts.listeners_closed => {
                let left = self.left(now);
                let until = self.deadline.max(now + LAST_ANSWERS);
                self.enter(Phase::EndingConnections { until }, Step::EndConnections(left))
            }
            Phase::EndingConnections { until }
                if now >= until || facts.sockets_closed && facts.connections_ended =>
            {
                self.enter(Phase::Over, Step::Stop)
            }
            _ => None,
        }
    }

    /// When there may be something to do though nothing has happened.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Announced { until } | Phase::EndingConnections { until } => Some(until),
            Phase::Quieting { until, quiet_at, .. } => Some(quiet_at.min(until)),
            Phase::Serving | Phase::HandingOff | Phase::ClosingListeners | Phase::Over => None,
        }
    }

    fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    fn enter(&mut self, phase: Phase, step: Step) -> Option<Step> {
        self.phase = phase;
        Some(step)
    }
}

fn quieting(until: Instant, accepted: u64, now: Instant) -> Phase {
    Phase::Quieting {
        until,
        accepted,
        quiet_at: now + QUIET,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        grace: Duration::from_secs(2),
        timeout: Duration::from_secs(30),
    };

    struct Story {
        now: Instant,
        leaving: Leaving,
        facts: Facts,
    }

    impl Story {
        fn of(limits: Limits) -> Self {
            let now = Instant::now();
            Self {
                now,
                leaving: Leaving::new(limits, now),
                facts: Facts::default(),
            }
        }

        /// Announced, and after its grace.
        fn after_grace() -> Self {
            let mut story = Self::of(LIMITS);
            assert_eq!(story.step(), Some(Step::Announce));
            story.pass(LIMITS.grace);
            story
        }

        fn after_hand_off() -> Self {
            let mut story = Self::after_grace();
            assert_eq!(story.step(), Some(Step::HandOff(LIMITS.timeout)));
            story.facts.handed_off = true;
            story
        }

        fn step(&mut self) -> Option<Step> {
            self.leaving.step(self.now, self.facts)
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
        }

        /// Lets time pass until the node has to look again, and says how much.
        fn pass_until_woken(&mut self) -> Duration {
            let before = self.now;
            self.now = self.leaving.wake_at().unwrap();
            self.now - before
        }
    }

    #[test]
    fn nothing_but_the_health_check_changes_during_the_grace() {
        let mut story = Story::of(LIMITS);
        assert_eq!(story.step(), Some(Step::Announce));
        story.facts.accepted = 7;
        story.pass(LIMITS.grace - Duration::from_millis(1));
        assert_eq!(story.step(), None);
        assert_eq!(story.pass_until_woken(), Duration::from_millis(1));
        assert_eq!(story.step(), Some(Step::HandOff(LIMITS.timeout)));
    }

    #[test]
    fn listeners_stay_open_while_sessions_are_handed_off() {
        let mut story = Story::after_grace();
        assert!(matches!(story.step(), Some(Step::HandOff(_))));
        story.pass(LIMITS.timeout * 2);
        assert_eq!(story.step(), None);
        assert_eq!(
            story.leaving.wake_at(),
            None,
            "the hand-off has a deadline itself"
        );
    }

    #[test]
    fn listeners_close_when_nobody_has_come_for_a_while() {
        let mut story = Story::after_hand_off();
        assert_eq!(story.step(), None);
        assert_eq!(story.pass_until_woken(), QUIET);
        assert_eq!(story.step(), Some(Step::CloseListeners));
    }

    #[test]
    fn who_comes_keeps_the_listeners_open_for_a_grace_at_most() {
        let mut story = Story::after_hand_off();
        let mut waited = Duration::ZERO;
        loop {
            match story.step() {
                Some(step) => break assert_eq!(step, Step::CloseListeners),
                None => waited += story.pass_until_woken(),
            }
            story.facts.accepted += 1;
        }
        assert_eq!(waited, LIMITS.grace);
    }

    #[test]
    fn sockets_are_closed_when_nobody_can_come_back_and_links_go_down_last() {
        let mut story = Story::after_hand_off();
        story.step();
        story.pass_until_woken();
        assert_eq!(story.step(), Some(Step::CloseListeners));
        story.pass(Duration::from_secs(1));
        assert_eq!(story.step(), None);
        story.facts.listeners_closed = true;
        let left = LIMITS.timeout - QUIET - Duration::from_secs(1);
        assert_eq!(story.step(), Some(Step::EndConnections(left)));
        story.facts.sockets_closed = true;
        assert_eq!(story.step(), None, "somebody waits for an answer");
        story.facts.connections_ended = true;
        assert_eq!(story.step(), Some(Step::Stop));
        assert_eq!(story.step(), None);
    }

    #[test]
    fn the_deadline_ends_it_and_leaves_time_for_answers_that_are_ready() {
        let mut story = Story::after_grace();
        story.step();
        // The hand-off took all the time there was.
        story.pass(LIMITS.timeout);
        story.facts.handed_off = true;
        assert_eq!(story.step(), Some(Step::CloseListeners));
        story.facts.listeners_closed = true;
        assert_eq!(story.step(), Some(Step::EndConnections(Duration::ZERO)));
        assert_eq!(story.pass_until_woken(), LAST_ANSWERS);
        assert_eq!(story.step(), Some(Step::Stop));
    }

    #[test]
    fn without_a_grace_nobody_is_waited_for() {
        let mut story = Story::of(Limits {
            grace: Duration::ZERO,
            ..LIMITS
        });
        assert_eq!(story.step(), Some(Step::Announce));
        assert_eq!(story.step(), Some(Step::HandOff(LIMITS.timeout)));
        story.facts.handed_off = true;
        story.facts.accepted = 1;
        assert_eq!(story.step(), Some(Step::CloseListeners));
    }
}
