//! What must hold at every step, and when all is calm.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::{entity::Since, message::Message, node::Node, router::Sight};
use crate::{
    log::{Marks, Position},
    member::NodeId,
    shard::Key,
    topic::Publication,
};

/// Every how many entries a dead log is remembered.
const SAMPLE: usize = 13;

/// What has become of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    /// It has ended by itself, or could not be served without a gap.
    Over,
    /// It died with its node, unless its snapshot was under way.
    Lost,
}

/// A rule that was broken.
#[derive(Debug)]
pub(super) struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn broken<T>(rule: impl Into<String>) -> Result<T, Violation> {
    Err(Violation(rule.into()))
}

/// Knows all, and says when something is wrong.
pub(super) struct Judge {
    /// Two copies may live while the members do not agree on who is there.
    allows_copies: bool,
    fates: BTreeMap<Key, Fate>,
    published: Vec<(u64, Arc<Publication<()>>)>,
    /// Publications that some node did not hear, for a link was missing or cut.
    unheard: BTreeSet<(NodeId, u64)>,
    /// What positions in the logs of dead nodes stand for.
    estate: BTreeMap<Position, Marks>,
}

type Nodes = BTreeMap<NodeId, Node>;

impl Judge {
    pub(super) fn new(allows_copies: bool) -> Self {
        Self {
            allows_copies,
            fates: BTreeMap::new(),
            published: Vec::new(),
            unheard: BTreeSet::new(),
            estate: BTreeMap::new(),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.fates.keys()
    }

    /// A message did not arrive.
    pub(super) fn lost(&mut self, message: &Message) {
        if let Message::Publish(publication) = message {
            self.unheard
                .insert((publication.origin.clone(), publication.number));
        }
    }

    /// A node is about to die.
    pub(super) fn dies(&mut self, node: &Node) {
        let Position { log, entry: end } = node.lane.log.end();
        for entry in (0..=end).rev().step_by(SAMPLE) {
            if let Some(marks) = node.lane.log.marks_at(entry) {
                self.estate.insert(Position { log, entry }, marks);
            }
        }
    }

    /// A node has died.
    pub(super) fn died(&mut self, nodes: &Nodes) {
        for (key, fate) in &mut self.fates {
            if *fate == Fate::Alive && copies(nodes, key).next().is_none() {
                *fate = Fate::Lost;
            }
        }
    }

    pub(super) fn saw(
        &mut self,
        at: &NodeId,
        sight: Sight,
        step: u64,
        nodes: &Nodes,
    ) -> Result<(), Violation> {
        match sight {
            Sight::Created(key) => drop(self.fates.insert(key, Fate::Alive)),
            Sight::Ended(key) | Sight::TooLate(key) => drop(self.fates.insert(key, Fate::Over)),
            Sight::Published(publication) => self.published(publication, step, nodes),
            Sight::Unknown(key) => {
                let sees = |node: &NodeId| {
                    let view = nodes.get(at).map(|node| node.router.placement.view());
                    !self.allows_copies || view.is_some_and(|view| view.member(node).is_some())
                };
                if let Some((node, _)) = copies(nodes, &key).find(|(node, _)| sees(node)) {
                    return broken(format!("{at} says that {key} is unknown, but {node} has it"));
                }
            }
            Sight::OutOfOrder {
                key,
                origin,
                number,
                after,
            } => {
                return broken(format!(
                    "{key} at {at} is served {number} of {origin:?} after {after}"
                ));
            }
            Sight::Frozen(_)
            | Sight::Thawed(_)
            | Sight::Adopted(_)
            | Sight::NotBetter(_)
            | Sight::Removed { .. } => {}
        }
        Ok(())
    }

    fn published(&mut self, publication: Arc<Publication<()>>, step: u64, nodes: &Nodes) {
        let origin = &publication.origin;
        let is_cut_off = |(peer, node): (&NodeId, &Node)| {
            peer != origin
                && node.router.wants(&publication.topic)
                && !nodes.get(origin).is_some_and(|at| {
                    at.router.knows_wishes_of(peer) && at.router.life(peer) == node.router.life(origin)
                })
        };
        if nodes.iter().any(is_cut_off) {
            self.unheard.insert((origin.clone(), publication.number));
        }
        self.published.push((step, publication));
    }

    /// To be asked after every step.
    pub(super) fn at_every_step(&self, nodes: &Nodes) -> Result<(), Violation> {
        for (key, fate) in &self.fates {
            let live: Vec<&NodeId> = copies(nodes, key)
                .filter(|(_, node)| node.lane.is_live(key))
                .map(|(id, _)| id)
                .collect();
            if live.len() > 1 && !self.allows_copies {
                return broken(format!("{key} lives at {live:?}"));
            }
            match fate {
                Fate::Alive if copies(nodes, key).next().is_none() => {
                    return broken(format!("{key} is gone, though it never ended"));
                }
                Fate::Over if !live.is_empty() && !self.allows_copies => {
                    return broken(format!("{key} had ended and lives at {live:?}"));
                }
                Fate::Alive | Fate::Over | Fate::Lost => {}
            }
        }
        Ok(())
    }

    /// To be asked when nothing is under way any more.
    pub(super) fn when_calm(&self, nodes: &Nodes) -> Result<(), Violation> {
        for (id, node) in nodes {
            let fingerprint = node.lane.placement.fingerprint();
            if !node.lane.is_calm() || node.router.has_tasks() {
                return broken(format!("{id} has something left to do, and does not"));
            }
            if node.router.settled() != Some(fingerprint) {
                return broken(format!("{id} does not know that all have settled"));
            }
            if nodes
                .values()
                .any(|other| other.lane.placement.fingerprint() != fingerprint)
            {
                return broken("views differ");
            }
            for key in node.lane.entities.keys() {
                if node.lane.placement.owner_of(key) != Some(id) {
                    return broken(format!("{key} stays at {id}, which does not own it"));
                }
            }
        }
        for (id, node) in nodes {
            for (key, entity) in &node.lane.entities {
                for (step, publication) in &self.published {
                    let (origin, number) = (&publication.origin, publication.number);
                    let is_due = match entity.topics.get(&publication.topic) {
                        Some(Since::Step(since)) => since < step,
                        Some(Since::Pending) | None => false,
                    };
                    if is_due
                        && !self.unheard.contains(&(origin.clone(), number))
                        && !entity.has_heard(origin, number)
                    {
                        return broken(format!(
                            "{key} at {id} was never served {number} of {origin:?} to {:?}",
                            publication.topic
                        ));
                    }
                }
            }
        }
        self.traces_are_true(nodes)
    }

    /// Whatever a follower says of a position is what the log itself says.
    fn traces_are_true(&self, nodes: &Nodes) -> Result<(), Violation> {
        for (follower, node) in nodes {
            for (position, marks) in &self.estate {
                let told = node.router.marks_at(*position);
                if told.is_some_and(|told| told != *marks) {
                    return broken(format!(
                        "{follower} is wrong about entry {} of a dead log",
                        position.entry
                    ));
                }
            }
            for (followed, other) in nodes
                .iter()
                .filter(|(_, other)| other.lane.is_followed_by(follower))
            {
                let end = other.lane.log.end();
                if node.router.marks_at(end) != other.lane.log.marks_at(end.entry) {
                    return broken(format!(
                        "{follower} follows {followed} and does not know its log's end"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The nodes with a copy of an entity, frozen or not.
fn copies<'a>(nodes: &'a Nodes, key: &'a Key) -> impl Iterator<Item = (&'a NodeId, &'a Node)> {
    nodes
        .iter()
        .filter(move |(_, node)| node.lane.entities.contains_key(key))
}
