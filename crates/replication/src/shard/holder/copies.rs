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
        learner.progress = Some(if has_step {
            Progress::in_step(from.clone(), last.number)
        } else {
            let replica = self.replica.clone();
            let number = replica.last().number;
            ctx.send(from, Replication::Install { since, replica });
            Progress::installing(from.clone(), number)
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
        // Nobody has more than this holder, whatever it says.
        let number = number.min(self.replica.last().number);
        for progress in self.followers_mut().filter(|progress| progress.node == *from) {
            progress.acknowledge(number);
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
            progress.rewind(number);
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
        let standby = self.standby.as_ref().map(|standby| standby.node.clone());
        let named = self.change.as_mut().map(|change| &mut change.named);
        // A standby that is named again is sent everything once.
        let named = named.filter(|named| standby.as_ref() != Some(&named.node));
        let learner = self
            .learner
            .as_mut()
            .and_then(|learner| learner.progress.as_mut());
        let log = self.replica.log();
        for progress in self.standby.iter_mut().chain(named).chain(learner) {
            if progress.sent < log.floor() {
                let replica = self.replica.clone();
                progress.rewind(replica.last().number);
                ctx.send(&progress.node, Replication::Install { since, replica });
            }
            while progress.sent < log.last().number && progress.bytes < ctx.settings.window_bytes {
                let after = log.position(progress.sent);
                let (mut entries, mut size) = (Vec::new(), 0);
                for entry in log.range(progress.sent, log.last().number) {
                    if size >= ctx.settings.message_bytes {
                        break;
                    }
                    size += entry.size();
                    entries.push(entry.clone());
                }
                progress.advance(entries.len() as u64, size);
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
    }
}
