//! What became of a shard's entries when it had several histories: during a split.

use std::collections::{BTreeMap, BTreeSet};

use super::Verdict;
use crate::{
    Position, ShardId,
    simulation::node::{Said, Topic},
};

#[derive(Default)]
pub(super) struct Histories {
    /// From a split until all nodes see each other and each shard has one holder again.
    is_split: bool,
    /// A position stands for one entry, whoever holds the shard.
    entries: BTreeMap<Position, BTreeMap<ShardId, Said>>,
    commits: BTreeMap<(ShardId, Position), Commit>,
    placements: BTreeMap<(Topic, Said), BTreeSet<Position>>,
    /// How often the history was broken that went on after the last split.
    survivors: BTreeMap<ShardId, u32>,
}

/// How an entry was committed at first.
struct Commit {
    in_split: bool,
    /// How often the history was broken that has it.
    breaks: u32,
}

impl Histories {
    pub(super) fn is_split(&self) -> bool {
        self.is_split
    }

    pub(super) fn was_split(&self) -> bool {
        self.is_split || !self.survivors.is_empty()
    }

    pub(super) fn split(&mut self) {
        self.is_split = true;
    }

    pub(super) fn end(&mut self) {
        self.is_split = false;
    }

    pub(super) fn at(&self, shard: ShardId, at: Position) -> Option<Said> {
        self.entries.get(&at)?.get(&shard).copied()
    }

    pub(super) fn place(&mut self, topic: Topic, said: Said, at: Position) -> Verdict {
        let entries = self.entries.entry(at).or_default();
        let occupant = *entries.entry(topic.shard).or_insert(said);
        if occupant != said {
            return Err(format!("{at:?} of {topic:?} is {occupant:?} and {said:?}"));
        }
        self.placements.entry((topic, said)).or_default().insert(at);
        Ok(())
    }

    pub(super) fn commit(&mut self, shard: ShardId, at: Position, breaks: u32) {
        let in_split = self.is_split;
        let commit = Commit { in_split, breaks };
        self.commits.entry((shard, at)).or_insert(commit);
    }

    /// Whether an entry may be missing in the history that went on: if it was committed during the split, and not in a
    /// history that was broken less often.
    pub(super) fn may_be_lost(&self, shard: ShardId, at: Position, breaks: u32) -> bool {
        let commit = self.commits.get(&(shard, at));
        commit.is_some_and(|commit| commit.in_split && commit.breaks >= breaks)
    }

    /// The same of a publication, wherever it stands.
    pub(super) fn may_miss(&self, topic: Topic, said: Said, breaks: u32) -> bool {
        let placements = self.placements.get(&(topic, said));
        placements.is_some_and(|all| all.iter().all(|at| self.may_be_lost(topic.shard, *at, breaks)))
    }

    pub(super) fn survive(&mut self, shard: ShardId, breaks: u32) {
        self.survivors.insert(shard, breaks);
    }

    /// Whether a publication is known to be lost since the last split.
    pub(super) fn is_lost(&self, topic: Topic, said: Said) -> bool {
        let breaks = self.survivors.get(&topic.shard);
        breaks.is_some_and(|breaks| self.may_miss(topic, said, *breaks))
    }
}
