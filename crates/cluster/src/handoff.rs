//! Moving the entities of one lane to their new owners: which step each move is at, and what comes next.
//!
//! A move goes through five steps, none of which can lose a publication, change the order of what the entity publishes,
//! or leave two live copies:
//!
//! 1. *prepare*: the new owner subscribes to the entity's topics and says so when all nodes know of it;
//! 2. *barrier*: every other node sends all that it had published before, so nothing that the new owner could not
//!    hear is still on its way here;
//! 3. *freeze*: the entity stops, and its snapshot is taken with the marks of this lane;
//! 4. *barrier* again: every other node has got what the entity had published here, before it publishes there;
//! 5. *adopt*: the new owner confirms that the entity lives there. Only then is it removed here.
//!
//! A pure state machine: inputs are method calls, outputs are [`Action`]s. Preparing and adopting are repeated by the
//! shell until the target answers or is no member any more, so the only failure known here is [`Outcome::TargetGone`].

use std::collections::{HashMap, VecDeque};

use crate::{member::NodeId, shard::Key};

/// What the lane has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Ask `to` to subscribe to the entity's topics.
    Prepare { key: Key, to: NodeId },
    /// Ask every node to send all that it had published before, and to say that it got all that was published here.
    Barrier { round: u64 },
    /// Stop the entity and take its snapshot, now or when its handler has ended.
    Freeze { key: Key },
    /// Send the snapshot to `to`.
    Adopt { key: Key, to: NodeId },
    /// The entity lives elsewhere: forget it.
    Remove { key: Key, to: NodeId },
    /// The entity stays, for now or for good: let it go on.
    Thaw { key: Key },
}

/// How an attempt to reach the target of a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The target did what it was asked.
    Done,
    /// The target has no copy and will have none: it is no member any more, or it does not own the entity.
    TargetGone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Preparing,
    Prepared,
    InBarrier(u64),
    Freezing,
    Frozen,
    InLastBarrier(u64),
    Adopting,
}

#[derive(Debug)]
struct Move {
    to: NodeId,
    step: Step,
}

/// All moves of one lane. At most `limit` are under way at a time.
#[derive(Debug)]
pub(crate) struct Handoff {
    limit: usize,
    /// Where each entity that is not ours should go, as of the last plan.
    targets: HashMap<Key, NodeId>,
    waiting: VecDeque<Key>,
    moves: HashMap<Key, Move>,
    rounds: u64,
    /// The barrier that is raised.
    barrier: Option<u64>,
    actions: VecDeque<Action>,
}

impl Handoff {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            targets: HashMap::new(),
            waiting: VecDeque::new(),
            moves: HashMap::new(),
            rounds: 0,
            barrier: None,
            actions: VecDeque::new(),
        }
    }

    /// The members have changed: these entities live here and belong elsewhere.
    pub(crate) fn plan(&mut self, targets: HashMap<Key, NodeId>) {
        self.waiting = targets
            .keys()
            .filter(|key| !self.moves.contains_key(*key))
            .cloned()
            .collect();
        self.waiting.make_contiguous().sort();
        self.targets = targets;
        let mut changed: Vec<Key> = self
            .moves
            .iter()
            // What is being adopted is decided by the answer, not by the plan.
            .filter(|(key, entry)| entry.step != Step::Adopting && self.targets.get(*key) != Some(&entry.to))
            .map(|(key, _)| key.clone())
            .collect();
        changed.sort();
        for key in changed {
            self.restart(key);
        }
        self.fill();
    }

    /// The entity ended by itself.
    pub(crate) fn gone(&mut self, key: &Key) {
        self.targets.remove(key);
        self.waiting.retain(|waiting| waiting != key);
        if self.moves.remove(key).is_some() {
            self.fill();
        }
    }

    /// The target answered to [`Action::Prepare`].
    pub(crate) fn prepared(&mut self, key: &Key, to: &NodeId, outcome: Outcome) {
        match (self.at(key, to, Step::Preparing), outcome) {
            (Some(entry), Outcome::Done) => {
                entry.step = Step::Prepared;
                self.raise_barrier();
            }
            // A new plan follows, for the target is no member any more; until then there is nowhere to go.
            (Some(_), Outcome::TargetGone) => {
                self.moves.remove(key);
                self.fill();
            }
            (None, _) => {}
        }
    }

    /// All nodes have passed a barrier.
    pub(crate) fn barrier_passed(&mut self, round: u64) {
        if self.barrier.take_if(|raised| *raised == round).is_none() {
            return;
        }
        let mut passed = Vec::new();
        for (key, entry) in &mut self.moves {
            let next = match entry.step {
                Step::InBarrier(of) if of == round => Step::Freezing,
                Step::InLastBarrier(of) if of == round => Step::Adopting,
                _ => continue,
            };
            entry.step = next;
            passed.push((key.clone(), next, entry.to.clone()));
        }
        passed.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        self.actions
            .extend(passed.into_iter().map(|(key, step, to)| match step {
                Step::Adopting => Action::Adopt { key, to },
                _ => Action::Freeze { key },
            }));
        self.raise_barrier();
    }

    /// The snapshot is taken.
    pub(crate) fn frozen(&mut self, key: &Key) {
        if let Some(entry) = self.moves.get_mut(key)
            && entry.step == Step::Freezing
        {
            entry.step = Step::Frozen;
            self.raise_barrier();
        }
    }

    /// Whether the entity is to be frozen as soon as it can be.
    pub(crate) fn is_freezing(&self, key: &Key) -> bool {
        self.moves
            .get(key)
            .is_some_and(|entry| entry.step == Step::Freezing)
    }

    /// Whether the entity's snapshot is taken, so that it must not act.
    pub(crate) fn is_frozen(&self, key: &Key) -> bool {
        let is_out =
            |entry: &Move| matches!(entry.step, Step::Frozen | Step::InLastBarrier(_) | Step::Adopting);
        self.moves.get(key).is_some_and(is_out)
    }

    /// The target answered to [`Action::Adopt`].
    pub(crate) fn adopted(&mut self, key: &Key, to: &NodeId, outcome: Outcome) {
        if self.at(key, to, Step::Adopting).is_none() {
            return;
        }
        match outcome {
            Outcome::Done => {
                self.moves.remove(key);
                self.targets.remove(key);
                self.actions.push_back(Action::Remove {
                    key: key.clone(),
                    to: to.clone(),
                });
            }
            Outcome::TargetGone => self.restart(key.clone()),
        }
        self.fill();
    }

    /// The next thing to do.
    pub(crate) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// How many entities live here and belong elsewhere.
    pub(crate) fn left(&self) -> usize {
        // What belongs here again may still be on its way elsewhere.
        self.targets.len().max(self.moves.len())
    }

    /// Whether nothing is left to move.
    pub(crate) fn is_done(&self) -> bool {
        self.targets.is_empty() && self.moves.is_empty()
    }

    fn at(&mut self, key: &Key, to: &NodeId, step: Step) -> Option<&mut Move> {
        self.moves
            .get_mut(key)
            .filter(|entry| entry.to == *to && entry.step == step)
    }

    /// Drops a move, so that the entity goes on here until its turn comes again.
    fn restart(&mut self, key: Key) {
        if let Some(entry) = self.moves.remove(&key) {
            match entry.step {
                Step::Preparing | Step::Prepared | Step::InBarrier(_) => {}
                Step::Freezing | Step::Frozen | Step::InLastBarrier(_) | Step::Adopting => {
                    self.actions.push_back(Action::Thaw { key: key.clone() });
                }
            }
            if self.targets.get(&key).is_some_and(|to| *to != entry.to) {
                self.waiting.push_back(key);
            }
        }
    }

    fn fill(&mut self) {
        while self.moves.len() < self.limit
            && let Some(key) = self.waiting.pop_front()
        {
            if let Some(to) = self.targets.get(&key) {
                self.moves.insert(
                    key.clone(),
                    Move {
                        to: to.clone(),
                        step: Step::Preparing,
                    },
                );
                self.actions.push_back(Action::Prepare { key, to: to.clone() });
            }
        }
    }

    fn raise_barrier(&mut self) {
        if self.barrier.is_some() {
            return;
        }
        let round = self.rounds + 1;
        let mut any = false;
        for entry in self.moves.values_mut() {
            entry.step = match entry.step {
                Step::Prepared => Step::InBarrier(round),
                Step::Frozen => Step::InLastBarrier(round),
                _ => continue,
            };
            any = true;
        }
        if any {
            self.rounds = round;
            self.barrier = Some(round);
            self.actions.push_back(Action::Barrier { round });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::testing::node;

    fn targets(of: &[(&str, &str)]) -> HashMap<Key, NodeId> {
        of.iter().map(|(key, to)| (Key::from(*key), node(to))).collect()
    }

    fn actions(handoff: &mut Handoff) -> Vec<String> {
        std::iter::from_fn(|| handoff.next_action())
            .map(|action| match action {
                Action::Prepare { key, to } => format!("prepare {key} at {to}"),
                Action::Barrier { round } => format!("barrier {round}"),
                Action::Freeze { key } => format!("freeze {key}"),
                Action::Adopt { key, to } => format!("adopt {key} at {to}"),
                Action::Remove { key, to } => format!("remove {key}, now at {to}"),
                Action::Thaw { key } => format!("thaw {key}"),
            })
            .collect()
    }

    /// A move of `x` to `b` that waits for its first barrier.
    fn in_barrier() -> Handoff {
        let mut handoff = Handoff::new(10);
        handoff.plan(targets(&[("x", "b")]));
        handoff.prepared(&"x".into(), &node("b"), Outcome::Done);
        assert_eq!(actions(&mut handoff), ["prepare x at b", "barrier 1"]);
        handoff
    }

    fn adopting() -> Handoff {
        let mut handoff = in_barrier();
        handoff.barrier_passed(1);
        assert_eq!(actions(&mut handoff), ["freeze x"]);
        handoff.frozen(&"x".into());
        assert_eq!(actions(&mut handoff), ["barrier 2"]);
        assert!(handoff.is_frozen(&"x".into()));
        handoff.barrier_passed(2);
        assert_eq!(actions(&mut handoff), ["adopt x at b"]);
        handoff
    }

    #[test]
    fn a_move_goes_through_its_steps() {
        let mut handoff = adopting();
        assert!(!handoff.is_done());
        handoff.adopted(&"x".into(), &node("b"), Outcome::Done);
        assert_eq!(actions(&mut handoff), ["remove x, now at b"]);
        assert!(handoff.is_done());
    }

    #[test]
    fn what_is_left_counts_until_it_has_gone() {
        let mut handoff = Handoff::new(1);
        handoff.plan(targets(&[("x", "b"), ("y", "b")]));
        assert_eq!(handoff.left(), 2);
        handoff.gone(&"x".into());
        assert_eq!(handoff.left(), 1);
        handoff.plan(HashMap::new());
        assert_eq!(handoff.left(), 0);
    }

    #[test]
    fn no_more_than_the_limit_are_under_way() {
        let mut handoff = Handoff::new(1);
        handoff.plan(targets(&[("x", "b"), ("y", "b")]));
        assert_eq!(actions(&mut handoff), ["prepare x at b"]);
        handoff.gone(&"x".into());
        assert_eq!(actions(&mut handoff), ["prepare y at b"]);
    }

    #[test]
    fn what_is_prepared_during_a_barrier_waits_for_the_next() {
        let mut handoff = in_barrier();
        handoff.plan(targets(&[("x", "b"), ("y", "b")]));
        handoff.prepared(&"y".into(), &node("b"), Outcome::Done);
        assert_eq!(actions(&mut handoff), ["prepare y at b"]);
        handoff.barrier_passed(1);
        assert_eq!(actions(&mut handoff), ["freeze x", "barrier 2"]);
        handoff.barrier_passed(1);
        assert!(actions(&mut handoff).is_empty());
        handoff.frozen(&"x".into());
        handoff.barrier_passed(2);
        assert_eq!(
            actions(&mut handoff),
            ["freeze y", "barrier 3"],
            "for x, which had published until then"
        );
        handoff.barrier_passed(3);
        assert_eq!(actions(&mut handoff), ["adopt x at b"]);
    }

    #[test]
    fn when_the_target_dies_half_way_the_entity_goes_on_here_and_then_elsewhere() {
        let mut handoff = adopting();
        handoff.plan(targets(&[("x", "d")]));
        assert!(
            actions(&mut handoff).is_empty(),
            "the copy at b may live until b is known to be gone"
        );
        handoff.adopted(&"x".into(), &node("b"), Outcome::TargetGone);
        assert_eq!(actions(&mut handoff), ["thaw x", "prepare x at d"]);
    }

    #[test]
    fn an_entity_that_is_ours_again_stays() {
        let mut handoff = adopting();
        handoff.plan(HashMap::new());
        handoff.adopted(&"x".into(), &node("b"), Outcome::TargetGone);
        assert_eq!(actions(&mut handoff), ["thaw x"]);
        assert!(handoff.is_done());
    }

    #[test]
    fn a_move_that_was_confirmed_after_the_plan_changed_is_still_a_move() {
        let mut handoff = adopting();
        handoff.plan(HashMap::new());
        handoff.adopted(&"x".into(), &node("b"), Outcome::Done);
        assert_eq!(actions(&mut handoff), ["remove x, now at b"]);
    }

    #[test]
    fn answers_of_a_former_target_do_not_count() {
        let mut handoff = in_barrier();
        handoff.plan(targets(&[("x", "d")]));
        assert_eq!(actions(&mut handoff), ["prepare x at d"]);
        handoff.prepared(&"x".into(), &node("b"), Outcome::Done);
        handoff.barrier_passed(1);
        assert!(actions(&mut handoff).is_empty());
        handoff.prepared(&"x".into(), &node("d"), Outcome::Done);
        assert_eq!(actions(&mut handoff), ["barrier 2"]);
    }

    #[test]
    fn a_target_that_is_gone_is_not_asked_again_before_the_next_plan() {
        let mut handoff = Handoff::new(10);
        handoff.plan(targets(&[("x", "b")]));
        handoff.prepared(&"x".into(), &node("b"), Outcome::TargetGone);
        assert_eq!(actions(&mut handoff), ["prepare x at b"]);
        assert!(!handoff.is_done());
        handoff.plan(targets(&[("x", "d")]));
        assert_eq!(actions(&mut handoff), ["prepare x at d"]);
    }
}
