//! Whether one member lives, judged by its heartbeats.
//!
//! Chitchat's own failure detector compares instants. A process that was stopped for a minute would find, when it
//! goes on, that all others have been silent for a minute, and count them all out before it has read one of their
//! datagrams. Here silence is added up from the time this process really ran; and a suspicion has a deadline of its own.

use std::time::Duration;

use super::MembershipTiming;

/// How many heartbeats in a row show that a member lives.
///
/// The first that is heard may be years old: nodes pass on the last heartbeat of the dead, too. One more may have been
/// under way when the member died.
const PROOF: u8 = 2;

/// A suspicion is forgotten after this many confirm times. It must be long enough for the last heartbeats of a dead
/// member, which come by way of others, and the confirm time after those.
const PROBATION: u32 = 3;

/// The heartbeats of one member.
#[derive(Debug)]
pub(super) struct Pulse {
    heartbeat: u64,
    /// How long there was no new one.
    silent: Duration,
    /// Between the first and the last of those that came without a long pause.
    steady: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not known to live.
    Unproven {
        beats: u8,
    },
    Alive,
    /// Alive, with a reason for doubt that is this old.
    Suspected {
        age: Duration,
    },
}

/// Why a member is taken for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Death {
    /// Nothing was heard of it.
    #[error("silent for {0:?}")]
    Silent(Duration),
    /// Its link closed, and nothing was heard of it.
    #[error("its link closed, and it was silent for {0:?}")]
    Suspected(Duration),
}

impl Pulse {
    /// A member whose heartbeat is heard for the first time.
    pub(super) fn first(heartbeat: u64) -> Self {
        Self {
            heartbeat,
            silent: Duration::ZERO,
            steady: Duration::ZERO,
            state: State::Unproven { beats: 0 },
        }
    }

    /// Whether the member may live, for all that is known: heartbeats have come just now. One that has died just now is
    /// ruled out after the confirm time; one that was alive, after its death is told.
    pub(super) fn may_live(&self, timing: &MembershipTiming) -> bool {
        self.is_alive() || self.silent < timing.suspicion_confirm
    }

    /// Whether the member lives beyond doubt: it has beaten for longer than the last heartbeats of a dead one take to come
    /// by way of others.
    pub(super) fn surely_lives(&self, timing: &MembershipTiming) -> bool {
        self.is_alive() && self.steady >= timing.suspicion_confirm * PROBATION
    }

    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, State::Unproven { .. })
    }

    /// Begins to doubt a living member.
    pub(super) fn suspect(&mut self) {
        if self.is_alive() {
            self.silent = Duration::ZERO;
            self.state = State::Suspected { age: Duration::ZERO };
        }
    }

    /// Takes the heartbeat that is known now, after this process ran for `ran`. A death is told once.
    pub(super) fn observe(
        &mut self,
        heartbeat: u64,
        ran: Duration,
        timing: &MembershipTiming,
    ) -> Option<Death> {
        let beat = heartbeat > self.heartbeat;
        self.heartbeat = self.heartbeat.max(heartbeat);
        self.silent += ran;
        if self.silent >= timing.suspicion_confirm {
            self.steady = Duration::ZERO;
        } else if beat {
            self.steady += self.silent;
        }
        if beat {
            self.silent = Duration::ZERO;
        }
        match &mut self.state {
            State::Unproven { beats } => {
                if beat {
                    *beats += 1;
                } else if self.silent >= timing.suspicion_confirm {
                    *beats = 0;
                }
                if *beats >= PROOF {
                    self.state = State::Alive;
                }
                None
            }
            State::Alive => {
                (self.silent >= timing.failure_timeout).then(|| self.die(Death::Silent(self.silent)))
            }
            State::Suspected { age } => {
                *age += ran;
                if self.silent >= timing.suspicion_confirm {
                    return Some(self.die(Death::Suspected(self.silent)));
                }
                if *age >= timing.suspicion_confirm * PROBATION {
                    self.state = State::Alive;
                }
                None
            }
        }
    }

    fn die(&mut self, death: Death) -> Death {
        self.state = State::Unproven { beats: 0 };
        death
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    fn timing() -> MembershipTiming {
        MembershipTiming {
            gossip_interval: TICK,
            failure_timeout: TICK * 40,
            suspicion_confirm: TICK * 5,
        }
    }

    struct Patient {
        pulse: Pulse,
        heartbeat: u64,
    }

    impl Patient {
        fn new() -> Self {
            Self {
                pulse: Pulse::first(100),
                heartbeat: 100,
            }
        }

        fn alive() -> Self {
            let mut patient = Self::new();
            patient.beat(10);
            assert!(patient.pulse.is_alive());
            patient
        }

        fn beat(&mut self, times: u64) {
            for _ in 0..times {
                self.heartbeat += 3;
                assert_eq!(self.pulse.observe(self.heartbeat, TICK, &timing()), None);
            }
        }

        /// Ticks of silence until death, which must come within `limit` ticks.
        fn silence(&mut self, limit: u32) -> Option<(u32, Death)> {
            (1..=limit).find_map(|tick| {
                self.pulse
                    .observe(self.heartbeat, TICK, &timing())
                    .map(|death| (tick, death))
            })
        }
    }

    #[test]
    fn an_old_heartbeat_that_others_pass_on_proves_nothing() {
        let mut patient = Patient::new();
        assert_eq!(patient.silence(1000), None);
        assert!(!patient.pulse.is_alive());
        patient.beat(1);
        assert!(!patient.pulse.is_alive());
        assert_eq!(patient.silence(1000), None);
        patient.beat(1);
        assert!(!patient.pulse.is_alive());
    }

    #[test]
    fn two_heartbeats_in_a_row_prove_life() {
        let mut patient = Patient::new();
        patient.beat(2);
        assert!(patient.pulse.is_alive());
    }

    #[test]
    fn last_heartbeats_by_way_of_others_are_no_sure_life() {
        let mut patient = Patient::new();
        for _ in 0..4 {
            patient.beat(1);
            assert_eq!(patient.silence(2), None);
            assert!(patient.pulse.may_live(&timing()));
            assert!(!patient.pulse.surely_lives(&timing()));
        }
        patient.beat(2);
        assert!(!patient.pulse.surely_lives(&timing()));
        patient.beat(1);
        assert!(patient.pulse.surely_lives(&timing()), "for 15 ticks");
        // Silence is a doubt until it is a death.
        assert_eq!(patient.silence(39), None);
        assert!(patient.pulse.may_live(&timing()));
        assert!(patient.silence(1).is_some());
        assert!(!patient.pulse.may_live(&timing()));
        patient.beat(2);
        assert!(!patient.pulse.surely_lives(&timing()));
    }

    #[test]
    fn silence_is_death_after_the_failure_timeout_and_not_before() {
        let mut patient = Patient::alive();
        assert_eq!(patient.silence(39), None);
        patient.beat(1);
        assert_eq!(patient.silence(100), Some((40, Death::Silent(TICK * 40))));
        assert!(!patient.pulse.is_alive());
    }

    #[test]
    fn a_death_is_told_once_and_the_dead_can_come_back() {
        let mut patient = Patient::alive();
        assert!(patient.silence(100).is_some());
        assert_eq!(patient.silence(100), None);
        patient.beat(2);
        assert!(patient.pulse.is_alive());
        assert_eq!(patient.silence(100), Some((40, Death::Silent(TICK * 40))));
    }

    #[test]
    fn a_suspect_that_stays_silent_is_dead_after_the_confirm_time() {
        let mut patient = Patient::alive();
        patient.pulse.suspect();
        assert_eq!(patient.silence(100), Some((5, Death::Suspected(TICK * 5))));
    }

    #[test]
    fn silence_before_the_suspicion_does_not_count_for_it() {
        let mut patient = Patient::alive();
        assert_eq!(patient.silence(20), None);
        patient.pulse.suspect();
        assert_eq!(patient.silence(100), Some((5, Death::Suspected(TICK * 5))));
    }

    #[test]
    fn last_heartbeats_by_way_of_others_delay_a_suspicion_but_do_not_refute_it() {
        let mut patient = Patient::alive();
        patient.pulse.suspect();
        patient.beat(1);
        assert_eq!(patient.silence(3), None);
        patient.beat(1);
        assert_eq!(patient.silence(100), Some((5, Death::Suspected(TICK * 5))));
    }

    #[test]
    fn a_suspect_that_goes_on_is_trusted_again() {
        let mut patient = Patient::alive();
        patient.pulse.suspect();
        patient.beat(15);
        assert_eq!(patient.silence(39), None);
        assert_eq!(patient.silence(1), Some((1, Death::Silent(TICK * 40))));
    }

    #[test]
    fn time_in_which_this_process_did_not_run_is_no_silence() {
        let mut patient = Patient::alive();
        for _ in 0..1000 {
            assert_eq!(
                patient
                    .pulse
                    .observe(patient.heartbeat, Duration::ZERO, &timing()),
                None
            );
        }
        assert!(patient.pulse.is_alive());
    }

    #[test]
    fn suspecting_the_dead_is_idle() {
        let mut patient = Patient::new();
        patient.pulse.suspect();
        assert!(!patient.pulse.is_alive());
        assert_eq!(patient.silence(100), None);
    }
}
