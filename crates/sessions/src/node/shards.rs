//! What the core says about shards.

use hither_replication::{self as replication, NodeId, ShardId};

use super::{CoreOutput, Node, Output, Timer};
use crate::{
    ids::SocketId,
    message::Message,
    record::{Change, Delta, Record, Step},
    serving::Serving,
};

impl Node {
    pub(super) fn on_core(&mut self, output: CoreOutput) {
        use replication::Output as Core;
        match output {
            Core::Send { to, message } => self.outputs.push(Output::Send {
                to,
                message: Message::Core(message),
            }),
            Core::Promoted(shard) => self.on_promoted(shard),
            Core::Demoted(shard) => self.on_demoted(shard),
            Core::Committed { shard, number } => self.on_committed(shard, number),
            Core::Deliver { topic, at, payload } => self.on_delivered(&topic, at, payload),
            // A join waits for the answer of the topic's holder, which comes behind this.
            Core::Subscribed { .. } => {}
            Core::Gap { topic, .. } => self.on_gap(&topic),
            Core::Replayed {
                replay,
                publications,
                through,
                is_last,
            } => self.on_replayed(replay, publications, through, is_last),
            Core::NotReplayable(replay) => self.on_not_replayable(replay),
            Core::Leased(shard) => {
                for socket in self.unleased.remove(&shard).unwrap_or_default() {
                    self.start_next(socket);
                }
            }
            // It is looked at before anything is published.
            Core::Rejected { .. } => {}
            Core::Writable(shard) => {
                for socket in self.unwritable.remove(&shard).unwrap_or_default() {
                    self.advance(socket);
                }
            }
            Core::Routed { shard, claim } => {
                if claim.is_some() {
                    self.attach_all(shard);
                }
            }
            Core::Confirmed {
                producer,
                sequence,
                at,
                ..
            } => self.on_published(producer, sequence, at),
        }
    }

    /// All that is found is committed.
    fn on_promoted(&mut self, shard: ShardId) {
        self.on_demoted(shard);
        let (Some(state), Some(last)) = (self.core.state(shard), self.core.last(shard)) else {
            return;
        };
        let mut acks = Vec::new();
        for (id, socket) in state.sockets() {
            self.sockets.insert(*id, Serving::found(socket, last, self.now));
            let current = socket
                .awaited()
                .filter(|(_, it)| it.generation == socket.generation);
            acks.extend(current.map(|(asked, it)| (it.timeout, Timer::Ack(*id, *asked))));
        }
        for (timeout, timer) in acks {
            self.wake_in(timeout, timer);
        }
        let found: Vec<SocketId> = self.sockets_of(shard);
        for id in found {
            self.wake_in(self.settings.window, Timer::Away(id));
            self.advance(id);
        }
        self.begin_to_age(shard);
    }

    fn begin_to_age(&mut self, shard: ShardId) {
        if self.aging.insert(shard) {
            self.wake_in(self.settings.window, Timer::Age(shard));
        }
    }

    fn on_demoted(&mut self, shard: ShardId) {
        for id in self.sockets_of(shard) {
            self.forget(id);
        }
        self.paused.remove(&shard);
        self.waiting.remove(&shard);
        self.confirmations.remove(&shard);
        self.unleased.remove(&shard);
        self.committed.remove(&shard);
    }

    /// Whether the sockets of a shard may be changed. If not, they go on when the hand-over has failed; after one that has
    /// not, this node is told that it does not hold the shard.
    pub(super) fn is_serving(&mut self, shard: ShardId) -> bool {
        let is_serving = self.core.state(shard).is_some();
        if !is_serving {
            self.paused.entry(shard).or_default();
        }
        is_serving
    }

    /// Goes on with shards that were not handed over after all.
    pub(super) fn resume(&mut self) {
        let paused = self.paused.keys().copied();
        let back: Vec<ShardId> = paused.filter(|shard| self.core.state(*shard).is_some()).collect();
        for shard in back {
            for (run, effects) in self.paused.remove(&shard).unwrap_or_default() {
                self.on_done(run, effects);
            }
            for id in self.sockets_of(shard) {
                self.end_joining(id);
                self.advance(id);
            }
        }
    }

    fn sockets_of(&self, shard: ShardId) -> Vec<SocketId> {
        let number = |number| SocketId { shard, number };
        let all = self.sockets.range(number(0)..=number(u64::MAX));
        all.map(|(id, _)| *id).collect()
    }

    /// This node has nothing of a socket any more.
    pub(super) fn forget(&mut self, id: SocketId) {
        if let Some(serving) = self.sockets.remove(&id) {
            for topic in serving.listening {
                self.unlisten(id, &topic);
            }
        }
        self.sending.remove(&id);
    }

    fn on_committed(&mut self, shard: ShardId, number: u64) {
        self.committed.insert(shard, number);
        let waiting = self.waiting.entry(shard).or_default();
        let later = waiting.split_off(&(number + 1));
        let mut due: Vec<SocketId> = std::mem::replace(waiting, later)
            .into_values()
            .flatten()
            .collect();
        due.sort();
        due.dedup();
        due.into_iter().for_each(|id| self.advance(id));
        let confirmations = self.confirmations.entry(shard).or_default();
        let later = confirmations.split_off(&(number + 1));
        let due = std::mem::replace(confirmations, later);
        for (to, message) in due.into_values().flatten() {
            self.send(&to, message);
        }
    }

    /// Has a change of a socket recorded, with all that it has done before and that is not done. Returns the number of
    /// the record; none if this node does not hold the shard.
    pub(super) fn record(&mut self, id: SocketId, step: Step, changes: Vec<Change>) -> Option<u64> {
        #[cfg(test)]
        let carries = !self.fails(crate::simulation::Mutant::LeaveStepsBehind);
        #[cfg(not(test))]
        let carries = true;
        let serving = self.sockets.get_mut(&id)?;
        self.core.state(id.shard)?;
        let outbox = &serving.outbox;
        let mut steps = Vec::new();
        if carries {
            steps = serving.fifo.take_unrecorded(|intent| outbox.is_confirmed(intent));
            serving.outbox.recorded();
        }
        steps.push(step.clone());
        let delta = Delta {
            received: serving.received,
            answered: serving.answered,
            confirmed: serving.outbox.take_confirmed(),
            steps,
            changes,
        };
        #[cfg(test)]
        let delta = match self.mutant {
            Some(mutant) => mutant.corrupt(delta),
            None => delta,
        };
        let record = Record::Socket(id, delta);
        let (position, outputs) = self.core.record(id.shard, record, self.now).ok()?;
        let number = position.number();
        self.records += 1;
        serving.last_record = number;
        serving.unknown.push_back(position);
        for intent in &step.sends {
            serving.outbox.push(intent.clone(), number, true);
        }
        if !serving.outbox.is_empty() {
            self.sending.insert(id);
        }
        if !step.outputs.is_empty() || step.frame.is_some() {
            serving.fifo.push_recorded(step, number);
        }
        let waiting = self.waiting.entry(id.shard).or_default();
        waiting.entry(number).or_default().push(id);
        self.absorb(outputs);
        Some(number)
    }

    pub(super) fn age(&mut self, shard: ShardId) {
        self.aging.remove(&shard);
        let Some(state) = self.core.state(shard) else {
            return;
        };
        if state.sockets().next().is_some() {
            // It can only be that this node does not hold the shard, which was looked at.
            if let Ok((_, outputs)) = self.core.record(shard, Record::Aged, self.now) {
                self.records += 1;
                self.absorb(outputs);
            }
        }
        self.begin_to_age(shard);
    }

    /// Whoever is attached at such a node may not be there any more.
    pub(super) fn detach_where(&mut self, is_doubtful: impl Fn(&NodeId) -> bool) {
        let mut detached = Vec::new();
        for (id, serving) in &mut self.sockets {
            let attached = serving.attached.as_ref();
            if attached.is_some_and(|attached| is_doubtful(&attached.client.node)) {
                serving.detach(self.now);
                detached.push(*id);
            }
        }
        for id in detached {
            self.wake_in(self.settings.window, Timer::Away(id));
        }
    }
}
