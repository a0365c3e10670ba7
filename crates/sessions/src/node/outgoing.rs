//! What leaves this node for a socket: to its endpoint, to topics and to other sockets.

use bytes::Bytes;
use hither_replication::{NodeId, Position, ShardId};

use super::{CoreInput, Node, Timer};
use crate::{
    fifo::Fifo,
    ids::{Producer, Sequence, SocketId, Source, Topic},
    message::{ClosedBecause, Intent, Message, ToEndpoint},
    outbox::Leaving,
    record::{Change, Step},
    serving::Serving,
    state::Own,
};

impl Node {
    /// Does what has become possible for a socket.
    pub(super) fn advance(&mut self, id: SocketId) {
        let committed = self.committed(id.shard);
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        serving.committed(committed);
        let later = serving
            .uncommitted
            .partition_point(|(number, _)| *number <= committed);
        let told = match serving.uncommitted.drain(..later).next_back() {
            Some((_, version)) => serving.listener.committed(version),
            None => Vec::new(),
        };
        self.tell_of_rooms(id, told);
        self.make_ready(id);
        self.send_out(id);
        self.release(id);
        self.end(id);
        self.start_next(id);
    }

    /// Sends to others what may leave.
    fn send_out(&mut self, id: SocketId) {
        let committed = self.committed(id.shard);
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        let mut has_directs = false;
        for leaving in serving.outbox.release(committed) {
            match leaving.topic.clone() {
                Some(topic) if self.core.has_room(topic.shard) => self.publish(id, topic, leaving),
                Some(topic) => {
                    self.unwritable.entry(topic.shard).or_default().insert(id);
                    if let Some(serving) = self.sockets.get_mut(&id) {
                        serving.outbox.retract(&leaving);
                    }
                    break;
                }
                None => has_directs = true,
            }
        }
        if has_directs {
            self.sending.insert(id);
            self.send_directs(id);
        }
    }

    fn publish(&mut self, id: SocketId, topic: Topic, leaving: Leaving) {
        let producer = producer(id, leaving.source, topic.shard);
        // The core has it still, from when this node held the socket before.
        if !self.published.insert((producer, leaving.sequence)) {
            return;
        }
        let published = leaving.published;
        #[cfg(test)]
        let published = match self.mutant {
            Some(mutant) => mutant.corrupt_published(published),
            None => published,
        };
        self.give_core(CoreInput::Publish {
            shard: topic.shard,
            topic,
            producer,
            sequence: leaving.sequence.0,
            payload: published,
        });
    }

    /// The core confirms what a producer has published up to there: that may be more than this node knows of.
    pub(super) fn on_published(&mut self, producer: Producer, sequence: u64, at: Position) {
        let all = (producer, Sequence(0))..=(producer, Sequence(sequence));
        let confirmed: Vec<Sequence> = self.published.range(all).map(|(_, sequence)| *sequence).collect();
        for sequence in confirmed {
            self.published.remove(&(producer, sequence));
            self.on_confirmed(producer, sequence, Some(at));
        }
    }

    /// Something that a socket has sent to others will not be lost.
    pub(super) fn on_confirmed(&mut self, producer: Producer, sequence: Sequence, at: Option<Position>) {
        let id = producer.socket;
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        serving.outbox.confirmed(producer.source, sequence, at);
        if serving.outbox.is_empty() {
            self.sending.remove(&id);
        }
        self.advance(id);
    }

    fn send_directs(&mut self, id: SocketId) {
        let Some(serving) = self.sockets.get(&id) else {
            return;
        };
        let mut messages = Vec::new();
        for (to, intent, previous) in serving.outbox.directs() {
            let claim = self.core.claim(to.shard);
            if let Some(holder) = claim.map(|claim| claim.holder().clone()) {
                messages.push((holder, direct(id, to, intent, previous)));
            }
        }
        for (holder, message) in messages {
            self.send(&holder, message);
        }
        self.wake_in(self.settings.core.retry, Timer::Directs);
    }

    /// What is sent to sockets is sent again until it is confirmed: their shards may have moved.
    pub(super) fn repeat_directs(&mut self) {
        let has_directs = |id: &&SocketId| {
            let serving = self.sockets.get(id);
            serving.is_some_and(|serving| serving.outbox.directs().next().is_some())
        };
        let all: Vec<SocketId> = self.sending.iter().filter(has_directs).copied().collect();
        // One timer is enough for all.
        self.timers.retain(|(_, timer)| *timer != Timer::Directs);
        all.into_iter().for_each(|id| self.send_directs(id));
    }

    /// An event comes for one of the sockets here.
    pub(super) fn on_direct(
        &mut self,
        from: &NodeId,
        to: SocketId,
        producer: Producer,
        sequence: Sequence,
        previous: Option<Sequence>,
        event: Bytes,
    ) {
        let confirmation = Message::DirectConfirmed {
            to,
            producer,
            sequence,
        };
        let Some(state) = self.core.state(to.shard) else {
            return;
        };
        let state = state.socket(&to).filter(|state| !state.has_ended);
        let (Some(state), Some(serving)) = (state, self.sockets.get_mut(&to)) else {
            // There is nobody whom it could reach.
            if self.is_sure(to.shard) {
                self.send(from, confirmation);
            }
            return;
        };
        let heard = state.heard(&producer);
        #[cfg(test)]
        let heard = match self.mutant {
            Some(crate::simulation::Mutant::HearDirectsTwice) => previous,
            _ => heard,
        };
        if heard.is_some_and(|heard| sequence <= heard) {
            let number = serving.last_record;
            self.confirm_after(to, number, from, confirmation);
            return;
        }
        if previous.is_some_and(|previous| heard != Some(previous)) {
            // The one before is on its way again, and this one behind it.
            return;
        }
        // The sender repeats it. Who is away keeps what there is room for; who is there has it soon.
        if self.core.is_full(to.shard) || serving.attached.is_some() && serving.is_full(&self.settings) {
            return;
        }
        let output = serving.next_output();
        let step = Step {
            outputs: vec![(output, Own::Event(event))],
            ..Step::default()
        };
        if let Some(number) = self.record(to, step, vec![Change::Heard(producer, sequence)]) {
            self.confirm_after(to, number, from, confirmation);
            self.shorten(to, number);
        }
    }

    /// A socket whose client is away has no more to say than what is kept of it.
    fn shorten(&mut self, id: SocketId, number: u64) {
        let state = self.core.state(id.shard).and_then(|state| state.socket(&id));
        let settings = &self.settings;
        let is_long = |serving: &&mut Serving| serving.attached.is_none() && serving.is_full(settings);
        if let (Some(serving), Some(state)) = (self.sockets.get_mut(&id).filter(is_long), state) {
            serving.fifo = Fifo::found(state, number);
        }
    }

    /// Tells a node something as soon as a record is committed.
    fn confirm_after(&mut self, id: SocketId, number: u64, to: &NodeId, message: Message) {
        if number <= self.committed(id.shard) {
            self.send(to, message);
        } else {
            let confirmations = self.confirmations.entry(id.shard).or_default();
            let waiting = confirmations.entry(number).or_default();
            waiting.push((to.clone(), message));
        }
    }

    /// Lets out what waits for nothing any more.
    pub(super) fn release(&mut self, id: SocketId) {
        let committed = self.committed(id.shard);
        #[cfg(test)]
        let trusts = self.fails(crate::simulation::Mutant::AnswerUnconfirmed);
        #[cfg(not(test))]
        let trusts = false;
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        let outbox = &serving.outbox;
        let released = serving
            .fifo
            .release(committed, |intent| trusts || outbox.is_confirmed(intent));
        let steps: Vec<Step> = released.cloned().collect();
        self.transmit(id, &steps);
    }

    /// Sends all that the endpoint may not have.
    pub(super) fn transmit_again(&mut self, id: SocketId) {
        if let Some(serving) = self.sockets.get(&id) {
            let steps: Vec<Step> = serving.fifo.sent().cloned().collect();
            self.transmit(id, &steps);
        }
    }

    fn transmit(&mut self, id: SocketId, steps: &[Step]) {
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        let Some(client) = serving.ready().cloned() else {
            return;
        };
        let before = serving.told_handled;
        let mut outputs = Vec::new();
        for step in steps {
            if let Some((generation, frame)) = step.frame
                && generation == serving.generation
            {
                serving.told_handled = serving.told_handled.max(frame);
            }
            for (number, own) in &step.outputs {
                let is_received = match own {
                    Own::Event(_) | Own::Asking(_) => *number <= serving.received,
                    Own::Answer { frame, .. } => *frame <= serving.answered,
                };
                if is_received {
                    continue;
                }
                if matches!(own, Own::Event(_)) {
                    serving.told_events = serving.told_events.max(*number);
                }
                outputs.push((*number, own.clone(), serving.offset()));
            }
        }
        if outputs.is_empty() && serving.told_handled == before {
            return;
        }
        let (handled, record) = (serving.told_handled, serving.known);
        let batch = ToEndpoint::Batch {
            handled,
            record,
            outputs,
        };
        self.tell(&client, batch);
    }

    /// Lets go of a socket that has ended.
    fn end(&mut self, id: SocketId) {
        let committed = self.committed(id.shard);
        let is_over = |serving: &&mut Serving| serving.opening.is_none() && serving.last_record <= committed;
        let Some(serving) = self.sockets.get_mut(&id).filter(is_over) else {
            return;
        };
        let Some(state) = self.core.state(id.shard) else {
            return;
        };
        let socket = state.socket(&id);
        if socket.is_some_and(|socket| !socket.has_ended) {
            return;
        }
        let is_gone = socket.is_none();
        let attached = serving.attached.take();
        if is_gone {
            self.forget(id);
        }
        if let Some(attached) = attached {
            self.close(&attached.client, ClosedBecause::Ended);
        }
        let has_sent_all = |serving: &&Serving| serving.outbox.is_empty();
        if self.sockets.get(&id).filter(has_sent_all).is_some() {
            // Now it can go from the state, too.
            self.record(id, Step::default(), Vec::new());
        }
    }
}

fn direct(id: SocketId, to: SocketId, intent: &Intent, previous: Option<Sequence>) -> Message {
    Message::Direct {
        to,
        producer: producer(id, intent.source, to.shard),
        sequence: intent.sequence,
        previous,
        event: intent.event.clone(),
    }
}

fn producer(socket: SocketId, source: Source, to: ShardId) -> Producer {
    Producer { socket, source, to }
}
