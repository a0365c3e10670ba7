//! Keeping the copies of followers in step.

use super::{Holder, Progress};
use crate::{
    application::Application,
    ids::{NodeId, Position, Term},
    message::Replication,
    shard::Context,
};

impl<A: Application> Holder<A> {
    pub(super) fn enlist(&self, ctx: &mut Context<'_, A>, node: &NodeId) {
        let (since, claim) = (self.since, self.claim(ctx.me()));
        ctx.send(node, Replication::Enlist { since, claim });
    }

    pub(crate) fn on_enlisted(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        since: Term,
        last: Position,
    ) {
        if since != self.since {
            return;
        }
        let has_step = self.can_continue(last);
        let Some(learner) = self.learner.as_mut().filter(|learner| learner.node == *from) else {
            return;
        };
        if learner.progress.is_some() {
            return;
        }
        let number = if has_step {
            last.number
        } else {
            let replica = self.replica.clone();
            let number = replica.last().number;
            ctx.send(from, Replication::Install { since, replica });
            number
        };
        learner.progress = Some(Progress {
            node: from.clone(),
            sent: number,
            acknowledged: if has_step { number } else { 0 },
        });
    }

    /// Whether a copy that ends here can be brought into step by entries alone.
    pub(super) fn can_continue(&self, last: Position) -> bool {
        self.replica.log().has(last) && last.number >= self.replica.log().floor()
    }

    pub(crate) fn on_appended(&mut self, from: &NodeId, since: Term, number: u64) {
        if since != self.since {
            return;
        }
        for progress in self.followers_mut().filter(|progress| progress.node == *from) {
            progress.acknowledged = progress.acknowledged.max(number);
        }
    }

    pub(crate) fn on_out_of_step(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        since: Term,
        last: Position,
    ) {
        if since != self.since {
            return;
        }
        let number = if self.can_continue(last) {
            last.number
        } else {
            let replica = self.replica.clone();
            let number = replica.last().number;
            ctx.send(from, Replication::Install { since, replica });
            number
        };
        for progress in self.followers_mut().filter(|progress| progress.node == *from) {
            progress.sent = number;
        }
    }

    pub(super) fn followers_mut(&mut self) -> impl Iterator<Item = &mut Progress> {
        let named = self.change.as_mut().map(|change| &mut change.named);
        let learner = self
            .learner
            .as_mut()
            .and_then(|learner| learner.progress.as_mut());
        self.standby.iter_mut().chain(named).chain(learner)
    }

    pub(super) fn replicate(&mut self, ctx: &mut Context<'_, A>) {
        let since = self.since;
        let named = self.change.as_mut().map(|change| &mut change.named);
        let learner = self
            .learner
            .as_mut()
            .and_then(|learner| learner.progress.as_mut());
        let last = self.replica.last().number;
        // A standby that is named again is one node with two entries here.
        let mut served: Option<NodeId> = None;
        for progress in self.standby.iter_mut().chain(named).chain(learner) {
            let is_served = served.as_ref() == Some(&progress.node);
            if progress.sent < last && !is_served {
                if progress.sent < self.replica.log().floor() {
                    let replica = self.replica.clone();
                    ctx.send(&progress.node, Replication::Install { since, replica });
                } else {
                    let after = self.replica.log().position(progress.sent);
                    let entries = self.replica.log().range(progress.sent, last).cloned().collect();
                    ctx.send(
                        &progress.node,
                        Replication::Append {
                            since,
                            after,
                            entries,
                        },
                    );
                }
            }
            served = Some(progress.node.clone());
            progress.sent = last;
        }
    }
}
