//! Presence on one node as a state machine: what sockets do, what other nodes say and the time go in; what to tell whom and
//! what changed come out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use hither_cluster::NodeId;

use super::{
    Person, PersonKey, PresenceChange, PresencePage,
    local::Local,
    replica::Replica,
    roll::Roll,
    wire::{Note, Place, Seat},
};

/// How long changes are gathered, for other nodes and for applications: short for people, long for a crowd that comes at
/// once.
pub(super) const GATHERING: Duration = Duration::from_millis(100);
/// How often nodes compare their lists. Links lose nothing while they are up, so this finds what was lost with a link whose
/// end nobody noticed.
const DIGEST_EVERY: Duration = Duration::from_secs(5);

/// What is to be said to other nodes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    ToAll(Note),
    To(NodeId, Note),
}

#[derive(Debug, Default)]
pub(super) struct Machine {
    local: Local,
    replicas: BTreeMap<NodeId, Replica>,
    roll: Roll,
    gathering_since: Option<Instant>,
    digest_at: Option<Instant>,
}

impl Machine {
    /// A socket of this person is in this room.
    pub(super) fn enter(&mut self, now: Instant, place: &Place, person: &Person) {
        if self.local.enter(place, person) {
            self.update(now, &(place.clone(), person.key.clone()));
        }
    }

    /// A socket that had [entered](Self::enter) is gone.
    pub(super) fn leave(&mut self, now: Instant, place: &Place, key: &PersonKey) {
        if self.local.leave(place, key) {
            self.update(now, &(place.clone(), key.clone()));
        }
    }

    /// The other members of the cluster.
    pub(super) fn members(&mut self, now: Instant, others: &BTreeSet<NodeId>) -> Vec<Output> {
        let gone: Vec<NodeId> = self
            .replicas
            .keys()
            .filter(|node| !others.contains(node))
            .cloned()
            .collect();
        for node in gone {
            let replica = self.replicas.remove(&node).unwrap_or_default();
            for seat in replica.seats() {
                self.update(now, seat);
            }
        }
        let mut outputs = Vec::new();
        for node in others {
            if !self.replicas.contains_key(node) {
                let replica = self.replicas.entry(node.clone()).or_default();
                outputs.push(Output::To(node.clone(), replica.fetch()));
            }
        }
        outputs
    }

    /// A link to this node has come up: what was said before may be lost, in both directions.
    pub(super) fn linked(&mut self, node: &NodeId) -> Vec<Output> {
        let digest = Output::To(node.clone(), self.local.digest());
        let fetch = self.replicas.get_mut(node).map(Replica::fetch);
        std::iter::once(digest)
            .chain(fetch.map(|fetch| Output::To(node.clone(), fetch)))
            .collect()
    }

    /// Another node says something.
    pub(super) fn hear(&mut self, now: Instant, from: &NodeId, note: Note) -> Option<Output> {
        if let Note::Want { after } = note {
            return Some(Output::To(from.clone(), self.local.page(after)));
        }
        // Of one that is no member nothing is kept; when it is one, it is asked for all.
        let heard = self.replicas.get_mut(from)?.hear(note);
        for seat in &heard.touched {
            self.update(now, seat);
        }
        heard.reply.map(|reply| Output::To(from.clone(), reply))
    }

    /// Time has passed: what other nodes are to be told, and what applications are.
    pub(super) fn tick(&mut self, now: Instant) -> (Vec<Output>, Vec<PresenceChange>) {
        let is_due = |since: Option<Instant>, pause| {
            since.is_none_or(|since| now.saturating_duration_since(since) >= pause)
        };
        let (mut outputs, mut changes) = (Vec::new(), Vec::new());
        if is_due(self.gathering_since, GATHERING) {
            self.gathering_since = Some(now);
            self.roll.tick(now);
            outputs.extend(self.local.delta().map(Output::ToAll));
            changes.extend(self.roll.changes().into_iter().map(|change| PresenceChange {
                is_here: self.local.has(&change.place),
                namespace: change.place.namespace,
                room: change.place.room,
                joined: change.joined,
                left: change.left,
                count: change.count,
            }));
        }
        if is_due(self.digest_at, DIGEST_EVERY) {
            self.digest_at = Some(now);
            outputs.push(Output::ToAll(self.local.digest()));
        }
        (outputs, changes)
    }

    pub(super) fn count(&self, place: &Place) -> usize {
        self.roll.count(place)
    }

    pub(super) fn list(&self, place: &Place, after: Option<&PersonKey>, limit: usize) -> PresencePage {
        self.roll.list(place, after, limit)
    }

    /// Something else may be true of a seat now.
    fn update(&mut self, now: Instant, seat: &Seat) {
        let elsewhere = || self.replicas.values().find_map(|replica| replica.card(seat));
        let card = self.local.card(seat).or_else(elsewhere);
        self.roll.set(now, seat, card);
    }
}
