//! What the nodes put out is done, and the judge is told.

use super::{Verdict, World};
use crate::{
    Message, NodeId, Output,
    simulation::{
        encoding,
        mutant::Sent,
        node::{Records, Said},
    },
};

impl World {
    fn send(&mut self, from: &NodeId, to: &NodeId, message: Message<Records>) {
        let sent = match self.faults.mutant {
            Some(mutant) => mutant.corrupt(&mut self.rng, message),
            None => Sent::Message(message),
        };
        match sent {
            Sent::Message(message) if self.encodes => self.network.send(from, to, encoding::again(message)),
            Sent::Message(message) => self.network.send(from, to, message),
            Sent::Lost => {}
            Sent::Answered(answer) => self.network.send(to, from, answer),
        }
    }

    /// Does what a node puts out, behind what is not done yet.
    pub(super) fn perform(&mut self, id: &NodeId, outputs: Vec<Output<Records>>) -> Verdict {
        let outputs = outputs.into_iter().map(|output| (id.clone(), output));
        self.outputs.extend(outputs);
        if self.is_performing {
            return Ok(());
        }
        self.is_performing = true;
        while let Some((id, output)) = self.outputs.pop_front() {
            self.perform_one(&id, output)?;
        }
        self.is_performing = false;
        match self.nodes.values().find(|node| !node.is_routed(&self.shards)) {
            Some(node) => Err(format!("{} was not told who holds a shard", node.id)),
            None => Ok(()),
        }
    }

    fn perform_one(&mut self, id: &NodeId, output: Output<Records>) -> Verdict {
        if !matches!(output, Output::Send { .. }) {
            self.tell(|| format!("    {id}: {output:?}"));
        }
        match output {
            Output::Send { to, message } => self.send(id, &to, message),
            Output::Promoted(shard) => {
                if let Some(node) = self.nodes.get(id) {
                    self.judge.look_anew(id, shard);
                    if let Some(log) = node.core.log(shard) {
                        self.judge.committed(id, shard, log, node.breaks(shard))?;
                    }
                    let state = node.core.state(shard).cloned();
                    // A holder that is demoted within the same input has nothing to show.
                    if let Some(state) = state {
                        self.judge.promoted(id, shard, &state)?;
                        self.serve_all(id, shard, &state)?;
                    }
                }
            }
            Output::Demoted(shard) => {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.waiting.remove(&shard);
                    node.listeners.retain(|_, serving| serving.shard != shard);
                    node.returning.retain(|(at, ..)| *at != shard);
                }
            }
            Output::Committed { shard, number } => {
                if let Some(node) = self.nodes.get_mut(id) {
                    let breaks = node.breaks(shard);
                    if let Some((log, _)) = node.core.log(shard) {
                        self.judge.committed(id, shard, (log, number), breaks)?;
                    }
                    let waiting = node.waiting.entry(shard).or_default();
                    let later = waiting.partition_point(|(position, _)| position.number() <= number);
                    for (at, record) in waiting.drain(..later) {
                        self.judge.safe(shard, record, at, breaks);
                    }
                }
                self.on_committed(id, shard, number)?;
            }
            // What a node hears of which the others say that it is dead is nobody's business.
            Output::Deliver { .. }
            | Output::Subscribed { .. }
            | Output::Gap { .. }
            | Output::Replayed { .. }
            | Output::NotReplayable(_)
                if self.doomed.contains(id) => {}
            Output::Deliver { topic, at, payload } => {
                self.judge.delivered(id, topic, payload.said, at)?;
                self.judge.note(at, &payload);
                self.on_delivered(id, topic, at, &payload)?;
            }
            Output::Subscribed { topic, base } => {
                self.judge.subscribed(id, topic, base);
            }
            Output::Replayed {
                replay,
                publications,
                through,
                is_last,
            } => {
                if self.clients.asked(replay) {
                    self.on_replayed(id, replay, publications, through, is_last)?;
                } else {
                    self.judge.replayed(replay, &publications, through, is_last)?;
                }
            }
            Output::NotReplayable(replay) => {
                if self.clients.asked(replay) {
                    self.on_not_replayable(id, replay)?;
                } else {
                    self.judge.not_replayable(replay)?;
                }
            }
            Output::Leased(shard) => self.act(id, shard)?,
            Output::Rejected {
                shard,
                producer,
                sequence,
            } => {
                // It is never said again.
                self.topics.remove(&Said { producer, sequence });
                if let Some(node) = self.nodes.get_mut(id) {
                    node.unwritable.insert(shard);
                    node.several
                        .under_way
                        .take_if(|it| it.post.said == Said { producer, sequence });
                }
            }
            Output::Writable(shard) => {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.unwritable.remove(&shard);
                }
            }
            Output::Routed { shard, claim } => {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.routes.insert(shard, claim);
                }
            }
            Output::Gap { topic, base } => {
                self.judge.gap(id, topic, base)?;
                self.on_gap(id, topic)?;
            }
            Output::Confirmed {
                shard,
                producer,
                sequence,
                at,
            } => {
                self.publish_next(id, producer, at)?;
                let said = |sequence| Said { producer, sequence };
                let earlier = self.topics.range(said(0)..=said(sequence));
                for (said, topic) in earlier.filter(|(_, topic)| topic.shard == shard) {
                    self.judge.confirmed(*topic, *said);
                }
            }
        }
        Ok(())
    }
}
