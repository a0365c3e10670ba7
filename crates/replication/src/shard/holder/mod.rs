//! The node that sequences, decides and moves a shard on.

mod copies;
mod order;
mod pair;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{context::Context, subscribers::Subscribers};
use crate::{
    application::{Application, ProducerOf},
    ids::{Claim, NodeId, Position, Term},
    log::Body,
    message::{Custody, Replication},
    output::Output,
    replica::Replica,
};

pub(crate) struct Holder<A: Application> {
    replica: Replica<A>,
    /// The term in force.
    term: Term,
    since: Term,
    /// See [`Claim::breaks`].
    breaks: u32,
    phase: Phase,
    standby: Option<Progress>,
    /// The next pair, while it is being made.
    change: Option<Change>,
    learner: Option<Learner>,
    committed: u64,
    subscribers: Subscribers<A>,
    /// Publications that are not committed, by number, with the node that wants to know.
    unconfirmed: BTreeMap<u64, Vec<Awaiting<A>>>,
    /// Up to which number producers and topics are forgotten.
    idle: u64,
    /// When entries were trimmed lately, and how long the log was then.
    trims: VecDeque<(Duration, u64)>,
}

enum Phase {
    /// The former holder has not acknowledged an entry of this term.
    Opening,
    Serving,
    /// The standby is to become the holder; nothing is taken any more.
    HandingOver {
        claim: Claim,
        is_told: bool,
    },
}

/// How far a follower's copy is.
#[derive(Clone)]
struct Progress {
    node: NodeId,
    sent: u64,
    acknowledged: u64,
    /// The last number and the bytes of each message that is not acknowledged.
    on_the_way: VecDeque<(u64, usize)>,
    /// Their sum.
    bytes: usize,
}

impl Progress {
    /// Of a follower that has all up to this number.
    fn in_step(node: NodeId, number: u64) -> Self {
        Self {
            node,
            sent: number,
            acknowledged: number,
            on_the_way: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Of a follower to which a copy up to this number is on its way.
    fn installing(node: NodeId, number: u64) -> Self {
        Self {
            acknowledged: 0,
            ..Self::in_step(node, number)
        }
    }

    /// So many entries more are sent, in one message of this size.
    fn advance(&mut self, entries: u64, bytes: usize) {
        self.sent += entries;
        self.on_the_way.push_back((self.sent, bytes));
        self.bytes += bytes;
    }

    fn acknowledge(&mut self, number: u64) {
        self.acknowledged = self.acknowledged.max(number);
        let arrived = self.on_the_way.partition_point(|(last, _)| *last <= number);
        self.bytes -= self
            .on_the_way
            .drain(..arrived)
            .map(|(_, bytes)| bytes)
            .sum::<usize>();
    }

    /// What was sent behind this number is lost.
    fn rewind(&mut self, number: u64) {
        self.sent = number;
        self.on_the_way.clear();
        self.bytes = 0;
    }
}

struct Learner {
    node: NodeId,
    /// None until it has said what it has.
    progress: Option<Progress>,
}

struct Change {
    claim: Claim,
    /// The standby to be. From now on nothing is committed without its word.
    named: Progress,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Naming,
    Discharging,
}

struct Awaiting<A: Application> {
    node: NodeId,
    producer: ProducerOf<A>,
    sequence: u64,
}

impl<A: Application> Holder<A> {
    /// Goes on with what a dead holder has left, or begins a shard. Nobody stands by yet.
    pub(crate) fn promoted(replica: Replica<A>, term: Term, breaks: u32) -> Self {
        Self::new(replica, term, breaks, Phase::Serving, None)
    }

    /// Takes over from a living holder, who becomes the standby.
    pub(crate) fn taking_over(mut replica: Replica<A>, claim: &Claim, former: &NodeId) -> Self {
        let last = replica.last().number;
        replica.decide(claim.term, Body::Opened);
        let standby = Progress::in_step(former.clone(), last);
        Self::new(replica, claim.term, claim.breaks, Phase::Opening, Some(standby))
    }

    fn new(replica: Replica<A>, term: Term, breaks: u32, phase: Phase, standby: Option<Progress>) -> Self {
        let committed = standby
            .as_ref()
            .map_or(replica.last().number, |standby| standby.acknowledged);
        Self {
            replica,
            term,
            since: term,
            breaks,
            phase,
            standby,
            change: None,
            learner: None,
            committed,
            subscribers: Subscribers::default(),
            unconfirmed: BTreeMap::new(),
            idle: 0,
            trims: VecDeque::new(),
        }
    }

    pub(crate) fn state(&self) -> &A::State {
        self.replica.state()
    }

    pub(crate) fn last(&self) -> Position {
        self.replica.last()
    }

    pub(crate) fn has(&self, position: Position) -> bool {
        self.replica.log().has(position)
    }

    #[cfg(test)]
    pub(crate) fn log(&self) -> (&crate::log::Log<A>, u64) {
        (self.replica.log(), self.committed)
    }

    pub(crate) fn into_replica(self) -> Replica<A> {
        self.replica
    }

    pub(crate) fn breaks(&self) -> u32 {
        self.breaks
    }

    pub(crate) fn is_serving(&self) -> bool {
        matches!(self.phase, Phase::Serving)
    }

    /// Who may become the holder when this node is dead, or thought to be.
    pub(crate) fn successors(&self) -> Vec<NodeId> {
        let named = self.change.as_ref().map(|change| &change.named.node);
        let standby = self.standby.as_ref().map(|standby| &standby.node);
        standby.into_iter().chain(named).cloned().collect()
    }

    /// The claim in force.
    pub(crate) fn claim(&self, me: &NodeId) -> Claim {
        Claim {
            term: self.term,
            since: self.since,
            breaks: self.breaks,
            holder: me.clone(),
            standby: self.standby.as_ref().map(|standby| standby.node.clone()),
        }
    }

    /// Whether `from` is the node to which this one hands the shard over in the term `since`.
    pub(crate) fn hands_over_to(&self, from: &NodeId, since: Term) -> Option<&Claim> {
        match &self.phase {
            Phase::HandingOver { claim, .. } if claim.since == since && claim.holder == *from => Some(claim),
            _ => None,
        }
    }

    fn announce(&self, ctx: &mut Context<'_, A>) {
        let claim = self.claim(ctx.me());
        let others: Vec<NodeId> = ctx.peers.others().cloned().collect();
        for node in others {
            ctx.send(&node, Custody::Announce(claim.clone()));
        }
        let me = ctx.me().clone();
        ctx.send(&me, Custody::Announce(claim));
    }

    /// Tells one node of the claim, if it is in force.
    pub(crate) fn announce_to(&self, ctx: &mut Context<'_, A>, node: &NodeId) {
        if !matches!(self.phase, Phase::Opening) {
            let claim = self.claim(ctx.me());
            ctx.send(node, Custody::Announce(claim));
        }
    }

    pub(crate) fn begin(&self, ctx: &mut Context<'_, A>) {
        ctx.put(Output::Promoted(ctx.shard));
        self.announce(ctx);
    }

    /// Nodes have died.
    pub(crate) fn on_view(&mut self, ctx: &mut Context<'_, A>, heard: &mut Option<Claim>) {
        for node in self.subscribers.nodes() {
            if ctx.peers.is_dead(&node) {
                self.subscribers.forget(&node);
            }
        }
        let peers = ctx.peers;
        self.lose(ctx, heard, |node| peers.is_dead(node));
    }

    /// The link to a node may have lost what was sent.
    pub(crate) fn on_reset(&mut self, ctx: &mut Context<'_, A>, peer: &NodeId) {
        self.subscribers.forget(peer);
        for progress in self.followers_mut() {
            if progress.node == *peer {
                progress.rewind(progress.acknowledged);
            }
        }
        if let Some(learner) = self.learner.as_mut().filter(|learner| learner.node == *peer) {
            learner.progress = None;
            self.enlist(ctx, peer);
        }
        if let Some(change) = &self.change {
            if change.named.node == *peer && change.stage == Stage::Naming {
                self.tell_named(ctx, change);
            }
            if change.stage == Stage::Discharging
                && self.former(change).is_some_and(|former| former.node == *peer)
            {
                let claim = change.claim.clone();
                ctx.send(peer, Replication::Discharge { claim });
            }
        }
        if let Phase::HandingOver { claim, is_told } = &mut self.phase
            && claim.holder == *peer
        {
            *is_told = false;
        }
        self.announce_to(ctx, peer);
    }

    /// Does what has become possible: sends entries to followers, commits, delivers, confirms, and moves the shard one
    /// step toward its target.
    pub(crate) fn advance(&mut self, ctx: &mut Context<'_, A>, heard: &mut Option<Claim>) {
        self.trim(ctx);
        self.replicate(ctx);
        self.commit(ctx);
        self.step(ctx, heard);
        self.replicate(ctx);
        self.commit(ctx);
    }
}
