//! After a pause of this node: which of its own publications of before it still sends to those who have not heard them.
//!
//! A member that takes this node for dead lets the entities go on of which it is the standby, from what it had heard. What
//! such an entity had published here, and its standby never heard, did not happen where the entity goes on, and nobody was
//! told that it did. By now the entity may have published more, so it would come out of order. It is withheld.

use std::{collections::HashMap, time::Instant};

use crate::member::NodeId;

/// The latest pause of this node.
#[derive(Debug)]
pub(super) struct Pause {
    noticed: Instant,
    /// The number of the last publication of before.
    until: u64,
    /// What peers have said of it, in introductions.
    verdicts: HashMap<NodeId, Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It has let entities of this node go on there.
    TakenOver,
    /// It has not taken this node for dead.
    Untouched,
}

impl Pause {
    /// A lane has noticed that it did not run since then; the last publication so far has this number. Lanes notice one
    /// pause one after the other.
    pub(super) fn notice(latest: &mut Option<Self>, since: Instant, now: Instant, number: u64) {
        match latest {
            Some(pause) if since < pause.noticed => pause.until = number,
            _ => {
                *latest = Some(Self {
                    noticed: now,
                    until: number,
                    verdicts: HashMap::new(),
                });
            }
        }
    }

    /// A peer has introduced itself, and said whether it took entities over since it last did.
    pub(super) fn judged_by(&mut self, peer: &NodeId, has_taken_over: bool) {
        if has_taken_over {
            self.verdicts.insert(peer.clone(), Verdict::TakenOver);
        } else {
            self.verdicts.entry(peer.clone()).or_insert(Verdict::Untouched);
        }
    }

    /// Whether a peer is not to be sent what it has not heard: a publication of an entity that goes on at its standby. While
    /// that has said nothing, the peer's own word counts, for members mostly agree on who is dead.
    pub(super) fn withholds(&self, number: u64, standby: Option<&NodeId>, peer: &NodeId) -> bool {
        let Some(standby) = standby.filter(|_| number <= self.until) else {
            return false;
        };
        let verdict = self.verdicts.get(standby).or_else(|| self.verdicts.get(peer));
        verdict == Some(&Verdict::TakenOver)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::member::testing::node;

    fn at(seconds: u64) -> Instant {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *START.get_or_init(Instant::now) + Duration::from_secs(seconds)
    }

    fn noticed(number: u64) -> Pause {
        let mut pause = None;
        Pause::notice(&mut pause, at(0), at(10), number);
        pause.unwrap()
    }

    #[test]
    fn what_entities_published_that_go_on_elsewhere_is_withheld_from_all() {
        let mut pause = noticed(7);
        pause.judged_by(&node("b"), true);
        pause.judged_by(&node("c"), false);
        for peer in [node("b"), node("c")] {
            assert!(pause.withholds(7, Some(&node("b")), &peer));
            assert!(!pause.withholds(7, Some(&node("c")), &peer), "it lives here");
            assert!(
                !pause.withholds(8, Some(&node("b")), &peer),
                "it is of after the pause"
            );
            assert!(!pause.withholds(7, None, &peer), "nobody goes on with it");
        }
    }

    #[test]
    fn a_peer_speaks_for_a_standby_that_has_said_nothing() {
        let mut pause = noticed(7);
        pause.judged_by(&node("b"), true);
        assert!(pause.withholds(7, Some(&node("c")), &node("b")));
        let mut pause = noticed(7);
        pause.judged_by(&node("b"), false);
        assert!(!pause.withholds(7, Some(&node("c")), &node("b")));
    }

    #[test]
    fn who_has_taken_over_is_not_believed_to_have_given_back() {
        let mut pause = noticed(7);
        pause.judged_by(&node("b"), true);
        pause.judged_by(&node("b"), false);
        assert!(pause.withholds(7, Some(&node("b")), &node("b")));
    }

    #[test]
    fn lanes_notice_one_pause_one_after_the_other() {
        let mut pause = Some(noticed(7));
        pause.as_mut().unwrap().judged_by(&node("b"), true);
        Pause::notice(&mut pause, at(1), at(11), 8);
        assert!(pause.as_ref().unwrap().withholds(8, Some(&node("b")), &node("b")));
        Pause::notice(&mut pause, at(12), at(20), 9);
        assert!(
            !pause.unwrap().withholds(9, Some(&node("b")), &node("b")),
            "another pause"
        );
    }
}
