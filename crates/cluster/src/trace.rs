//! The order in which the lanes of other nodes saw publications, so that a [`Position`] in the log of a lane that is
//! gone can still be told in [`Marks`].
//!
//! A lane tells its followers (the standbys of its shards, and the nodes that hold sockets of its entities) which
//! publication each new entry of its log is: an origin and a number, not the publication itself.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    log::{LogId, Marks, Position},
    member::{NodeId, View},
};

/// Entries of one log that a follower remembers.
const KEPT: usize = 65_536;
/// How long the log of a node that is gone may still be asked for: longer than clients may take to come back.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// What a lane tells a follower about its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TracePart {
    pub(crate) log: LogId,
    /// How many entries there were before these.
    pub(crate) before: u64,
    /// The marks before these entries: only in the first part that a follower gets over a link.
    pub(crate) base: Option<Marks>,
    /// The origins that the entries name.
    pub(crate) origins: Vec<NodeId>,
    /// Per entry, the position of its origin in `origins` and its number there.
    pub(crate) entries: Vec<(u32, u64)>,
}

impl TracePart {
    pub(crate) fn new(log: LogId, before: u64, base: Option<Marks>) -> Self {
        Self {
            log,
            before,
            base,
            origins: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Adds the next entry.
    pub(crate) fn push(&mut self, origin: &NodeId, number: u64) {
        let known = self.origins.iter().rposition(|known| known == origin);
        let position = known.unwrap_or_else(|| {
            self.origins.push(origin.clone());
            self.origins.len() - 1
        });
        self.entries.push((position as u32, number));
    }
}

/// What a node knows of the logs of other nodes' lanes.
#[derive(Debug, Default)]
pub(crate) struct Traces(HashMap<LogId, Trace>);

#[derive(Debug)]
struct Trace {
    node: NodeId,
    /// The marks before the first entry kept.
    base: Marks,
    /// How many entries there were before the first kept.
    before: u64,
    entries: VecDeque<(NodeId, u64)>,
    gone_since: Option<Instant>,
}

impl Traces {
    /// A lane of `node` goes on. False if a part before this is missing, so that this one is of no use.
    pub(crate) fn extend(&mut self, node: &NodeId, part: TracePart) -> bool {
        if let Some(base) = part.base {
            let trace = Trace {
                node: node.clone(),
                base,
                before: part.before,
                entries: VecDeque::new(),
                gone_since: None,
            };
            self.0.insert(part.log, trace);
        }
        let Some(trace) = self.0.get_mut(&part.log) else {
            return false;
        };
        if trace.before + trace.entries.len() as u64 != part.before {
            self.0.remove(&part.log);
            return false;
        }
        for (origin, number) in part.entries {
            if let Some(origin) = part.origins.get(origin as usize) {
                trace.entries.push_back((origin.clone(), number));
            }
        }
        while trace.entries.len() > KEPT
            && let Some((origin, number)) = trace.entries.pop_front()
        {
            trace.base.advance(&origin, number);
            trace.before += 1;
        }
        true
    }

    /// The marks that a position stands for, if its log was followed up to there.
    pub(crate) fn marks_at(&self, position: Position) -> Option<Marks> {
        let trace = self.0.get(&position.log)?;
        let seen = usize::try_from(position.entry.checked_sub(trace.before)?).ok()?;
        if seen > trace.entries.len() {
            return None;
        }
        let mut marks = trace.base.clone();
        trace
            .entries
            .range(..seen)
            .for_each(|(origin, number)| marks.advance(origin, *number));
        Some(marks)
    }

    /// The logs of nodes that have been gone for long are forgotten; those of late may still be asked for.
    pub(crate) fn members_changed(&mut self, view: &View, now: Instant) {
        self.0.retain(|_, trace| {
            if view.member(&trace.node).is_some() {
                trace.gone_since = None;
            } else {
                trace.gone_since.get_or_insert(now);
            }
            trace
                .gone_since
                .is_none_or(|gone_since| now.duration_since(gone_since) < KEPT_FOR)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::marks;
    use crate::member::testing::node;

    fn part(before: u64, base: Option<Marks>, entries: &[(&str, u64)]) -> TracePart {
        let mut part = TracePart::new(LogId(7), before, base);
        entries
            .iter()
            .for_each(|(origin, number)| part.push(&node(origin), *number));
        part
    }

    fn at(entry: u64) -> Position {
        Position { log: LogId(7), entry }
    }

    #[test]
    fn a_position_in_another_log_can_be_told_in_marks() {
        let mut traces = Traces::default();
        assert!(traces.extend(
            &node("a"),
            part(5, Some(marks(&[("b", 3)])), &[("a", 1), ("b", 4)])
        ));
        assert!(traces.extend(&node("a"), part(7, None, &[("a", 2)])));
        assert_eq!(traces.marks_at(at(5)), Some(marks(&[("b", 3)])));
        assert_eq!(traces.marks_at(at(7)), Some(marks(&[("a", 1), ("b", 4)])));
        assert_eq!(traces.marks_at(at(8)), Some(marks(&[("a", 2), ("b", 4)])));
        assert_eq!(traces.marks_at(at(4)), None);
        assert_eq!(traces.marks_at(at(9)), None);
    }

    #[test]
    fn a_log_with_a_hole_is_not_trusted() {
        let mut traces = Traces::default();
        traces.extend(&node("a"), part(0, Some(marks(&[])), &[("a", 1)]));
        assert!(!traces.extend(&node("a"), part(2, None, &[("a", 3)])));
        assert_eq!(traces.marks_at(at(1)), None);
        assert!(traces.extend(&node("a"), part(9, Some(marks(&[("a", 9)])), &[])));
        assert_eq!(traces.marks_at(at(9)), Some(marks(&[("a", 9)])));
    }

    #[test]
    fn a_log_outlives_its_node_for_a_while() {
        let mut traces = Traces::default();
        traces.extend(&node("a"), part(0, Some(marks(&[])), &[("a", 1)]));
        let without_a = View {
            me: node("b"),
            members: [].into(),
        };
        let now = Instant::now();
        traces.members_changed(&without_a, now);
        assert!(traces.marks_at(at(1)).is_some());
        traces.members_changed(&without_a, now + KEPT_FOR);
        assert!(traces.marks_at(at(1)).is_none());
    }

    #[test]
    fn the_oldest_entries_become_part_of_the_base() {
        let mut traces = Traces::default();
        let entries: Vec<(&str, u64)> = (1..=KEPT as u64 + 3).map(|number| ("a", number)).collect();
        traces.extend(&node("a"), part(0, Some(marks(&[])), &entries));
        assert_eq!(traces.marks_at(at(2)), None);
        assert_eq!(traces.marks_at(at(3)), Some(marks(&[("a", 3)])));
    }
}
