//! A copy that a holder keeps in step.

use crate::{
    application::Application,
    ids::{Claim, NodeId, Position, Term},
    log::Entry,
    message::Replication,
    replica::Replica,
};

/// A learner, or the standby.
pub(crate) struct Follower<A: Application> {
    holder: NodeId,
    since: Term,
    /// The claim by which it may promote itself when the holder dies. A learner has none.
    right: Option<Claim>,
    /// Who may do so too, until it is discharged.
    former: Option<NodeId>,
    replica: Replica<A>,
}

impl<A: Application> Follower<A> {
    pub(crate) fn learner(holder: NodeId, since: Term, replica: Replica<A>) -> Self {
        Self {
            holder,
            since,
            right: None,
            former: None,
            replica,
        }
    }

    pub(crate) fn standby(claim: Claim, replica: Replica<A>) -> Self {
        Self {
            holder: claim.holder.clone(),
            since: claim.since,
            right: Some(claim),
            former: None,
            replica,
        }
    }

    pub(crate) fn holder(&self) -> &NodeId {
        &self.holder
    }

    pub(crate) fn follows(&self, holder: &NodeId, since: Term) -> bool {
        self.holder == *holder && self.since == since
    }

    pub(crate) fn right(&self) -> Option<&Claim> {
        self.right.as_ref()
    }

    pub(crate) fn former(&self) -> Option<&NodeId> {
        self.former.as_ref()
    }

    pub(crate) fn forfeit(&mut self) {
        self.right = None;
    }

    pub(crate) fn last(&self) -> Position {
        self.replica.last()
    }

    pub(crate) fn into_replica(self) -> Replica<A> {
        self.replica
    }

    /// Takes a whole copy.
    pub(crate) fn install(&mut self, replica: Replica<A>) -> Replication<A> {
        let number = replica.last().number;
        self.replica = replica;
        Replication::Appended {
            since: self.since,
            number,
        }
    }

    /// Appends what follows directly on what is there, and skips what is there already.
    pub(crate) fn append(&mut self, after: Position, entries: Vec<Entry<A>>) -> Replication<A> {
        let since = self.since;
        let replica = &mut self.replica;
        if !replica.log().has(after) {
            return Replication::OutOfStep {
                since,
                last: replica.last(),
            };
        }
        for entry in entries {
            if entry.at.number > replica.last().number {
                if !replica.log().follows(entry.at) {
                    return Replication::OutOfStep {
                        since,
                        last: replica.last(),
                    };
                }
                replica.append(entry);
            }
        }
        Replication::Appended {
            since,
            number: replica.last().number,
        }
    }

    /// Becomes the standby. The holder knows that this copy is in step.
    pub(crate) fn name(&mut self, claim: Claim, former: Option<NodeId>) {
        self.right = Some(claim);
        self.former = former;
    }
}
