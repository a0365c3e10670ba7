//! Which handler of a socket is to run, and what follows when it has.

use hither_replication::Change as MembershipChange;

use super::{Node, Output, Settings, Timer};
use crate::{
    ids::{FrameNumber, Generation, OutputNumber, RunId, Sequence, SocketId, Source, Topic},
    message::{AckLost, ClientPacket, ClosedBecause, Effects, Intent, Job},
    record::{Change, Step},
    serving::{Cause, Joining, Running, Serving},
    state::{Awaited, Own, SocketState},
};

type Frame = (Generation, FrameNumber);

impl Node {
    /// Has the next handler of a socket run, if there is one, and this node may.
    pub(super) fn start_next(&mut self, id: SocketId) {
        while self.sockets.contains_key(&id) && self.is_serving(id.shard) {
            let (Some(serving), Some(state)) = (self.sockets.get_mut(&id), self.core.state(id.shard)) else {
                return;
            };
            let socket = state.socket(&id);
            if !has_work(serving, socket, &self.settings) {
                return;
            }
            if !self.is_sure(id.shard) {
                self.unleased.entry(id.shard).or_default().insert(id);
                return;
            }
            let socket = self.core.state(id.shard).and_then(|state| state.socket(&id));
            let Some(serving) = self.sockets.get_mut(&id) else {
                return;
            };
            match next(serving, socket) {
                Next::Run(cause, frame, job) => {
                    self.next_run += 1;
                    let run = RunId(self.next_run);
                    serving.running = Some(Running { run, cause, frame });
                    let data = socket.map(|socket| socket.data.clone()).unwrap_or_default();
                    let socket = id;
                    self.runs.insert(run, id);
                    self.outputs.push(Output::Run {
                        run,
                        socket,
                        data,
                        job,
                    });
                    return;
                }
                Next::Skip(frame) => {
                    serving.handled = serving.handled.max(frame.1);
                    serving.fifo.push_unrecorded(Step {
                        frame: Some(frame),
                        ..Step::default()
                    });
                    self.release(id);
                }
                Next::Nothing => return,
            }
        }
    }

    pub(super) fn on_done(&mut self, run: RunId, effects: Effects) {
        let Some(id) = self.runs.get(&run).copied() else {
            return;
        };
        if self.sockets.contains_key(&id) && !self.is_serving(id.shard) {
            self.paused.entry(id.shard).or_default().push((run, effects));
            return;
        }
        self.runs.remove(&run);
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        let Some(running) = serving.running.take_if(|running| running.run == run) else {
            return;
        };
        let is_refused = effects.refusal.is_some() && matches!(running.cause, Cause::Connect { .. });
        if effects.joins.is_empty() || is_refused || running.cause == Cause::Disconnected {
            self.finish(id, running, effects, Vec::new());
            return;
        }
        serving.joining = Some(Joining {
            running,
            effects,
            asked: Default::default(),
            changes: Vec::new(),
        });
        self.join(id);
    }

    /// Makes a step of what a handler did.
    pub(super) fn finish(
        &mut self,
        id: SocketId,
        running: Running,
        effects: Effects,
        joins: Vec<MembershipChange<Topic>>,
    ) {
        let state = self.core.state(id.shard).and_then(|state| state.socket(&id));
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        let mut changes = Vec::new();
        match running.cause {
            Cause::Connect { endpoint, life } => {
                serving.opening = None;
                if let Some(why) = effects.refusal {
                    let attached = serving.attached.take();
                    self.forget(id);
                    if let Some(attached) = attached {
                        self.close(&attached.client, ClosedBecause::Refused(why));
                    }
                    return;
                }
                changes.push(Change::Created {
                    endpoint,
                    life,
                    keeps: self.settings.kept_bytes,
                });
            }
            Cause::Event { .. } => {}
            Cause::Acked(asked) => {
                serving.lost_acks.remove(&asked);
                changes.push(Change::Settled(asked));
            }
            Cause::Recovered => changes.push(Change::Announced),
            Cause::Disconnected => changes.push(Change::Ended),
        }
        if let Some(data) = effects.data
            && state.is_none_or(|state| state.data != data)
        {
            changes.push(Change::Data(data));
        }
        let mut memberships = joins;
        let mut left = Vec::new();
        for topic in effects.leaves {
            if let Some(change) = serving.listener.leave(&topic) {
                memberships.push(change);
                left.push(topic);
            }
        }
        let has_moved = !memberships.is_empty();
        changes.extend(memberships.into_iter().map(Change::Membership));
        let version = serving.listener.memberships().version();

        let mut outputs = Vec::new();
        let mut timers = Vec::new();
        let awaited = state.into_iter().flat_map(|state| state.awaited.values());
        let mut awaited_bytes: usize = awaited.map(Awaited::size).sum();
        for emit in effects.emits {
            let number = serving.next_output();
            let Some(asks) = emit.asks else {
                outputs.push((number, Own::Event(emit.event)));
                continue;
            };
            let awaited = Awaited {
                context: asks.context,
                timeout: asks.timeout,
                generation: serving.generation,
            };
            awaited_bytes += awaited.size();
            if awaited_bytes > self.settings.awaited_bytes {
                serving.lost_acks.insert(number, AckLost::TooMany);
            } else {
                timers.push((awaited.timeout, Timer::Ack(id, number)));
                outputs.push((number, Own::Asking(emit.event)));
            }
            changes.push(Change::Asked(number, awaited));
        }
        let is_change = !changes.is_empty() || !outputs.is_empty();
        // An answer over a connection that is gone has no reader.
        if let (Cause::Event { ack: Some(ack) }, Some((generation, frame)), Some(answer)) =
            (running.cause, running.frame, effects.answer)
            && generation == serving.generation
        {
            outputs.push((serving.last_output, Own::Answer { frame, ack, answer }));
        }
        let last = state.map(|state| state.last_sequence).unwrap_or_default();
        let sends = sends(running.frame, last, effects.sends);
        if let Some((generation, frame)) = running.frame
            && generation == serving.generation
        {
            serving.handled = serving.handled.max(frame);
        }
        let step = Step {
            frame: running.frame,
            outputs,
            sends,
        };
        let is_recorded = is_change || running.frame.is_none();
        if is_recorded {
            let number = self.record(id, step, changes);
            if let (Some(number), Some(serving)) = (number, self.sockets.get_mut(&id)) {
                if has_moved {
                    serving.uncommitted.push_back((number, version));
                }
                // Who attaches itself is served by what is committed.
                if let Some(attached) = serving.attached.as_mut().filter(|attached| !attached.is_ready) {
                    attached.ready_after = number;
                }
            }
        } else {
            if !step.sends.is_empty() {
                self.sending.insert(id);
            }
            for intent in &step.sends {
                serving.outbox.push(intent.clone(), 0, false);
            }
            serving.fifo.push_unrecorded(step);
        }
        for topic in left {
            self.unlisten(id, &topic);
        }
        for (timeout, timer) in timers {
            self.wake_in(timeout, timer);
        }
        self.advance(id);
    }

    /// A client has not come back in time.
    pub(super) fn expire(&mut self, id: SocketId) {
        let now = self.now;
        let window = self.settings.window;
        let is_due = |it: &&mut Serving| it.attached.is_none() && it.away_since + window <= now;
        if let Some(serving) = self.sockets.get_mut(&id).filter(is_due) {
            serving.has_expired = true;
            self.start_next(id);
        }
    }

    /// A client has not answered in time.
    pub(super) fn time_out(&mut self, id: SocketId, asked: OutputNumber) {
        if let Some(serving) = self.sockets.get_mut(&id) {
            serving.lost_acks.insert(asked, AckLost::TimedOut);
            self.start_next(id);
        }
    }
}

enum Next {
    Run(Cause, Option<Frame>, Job),
    /// A frame that nobody waits for.
    Skip(Frame),
    Nothing,
}

/// Whether something is to be done, for which a lease is needed.
fn has_work(serving: &mut Serving, socket: Option<&SocketState>, settings: &Settings) -> bool {
    if serving.is_busy() {
        return false;
    }
    let Some(socket) = socket else {
        return serving.opening.is_some();
    };
    let is_ready = serving.ready().is_some();
    let is_waiting = serving.attached.is_some() && !is_ready;
    serving
        .lost_acks
        .retain(|asked, _| socket.awaited.contains_key(asked));
    let is_called = serving.has_expired
        || !serving.lost_acks.is_empty()
        || lost_with_connection(serving, socket).is_some()
        || is_ready
            && (!serving.frames.is_empty() && !serving.is_full(settings)
                || socket.announced < socket.generation);
    !socket.has_ended && !is_waiting && is_called
}

fn next(serving: &mut Serving, socket: Option<&SocketState>) -> Next {
    let Some(socket) = socket else {
        return match serving.opening.clone() {
            Some((endpoint, life, auth)) => {
                Next::Run(Cause::Connect { endpoint, life }, None, Job::Connect(auth))
            }
            None => Next::Nothing,
        };
    };
    if serving.has_expired {
        return Next::Run(Cause::Disconnected, None, Job::Disconnected);
    }
    let lost = serving.lost_acks.first_key_value();
    let lost = lost.map(|(asked, why)| (*asked, *why));
    let lost = lost.or_else(|| Some((lost_with_connection(serving, socket)?, AckLost::Disconnected)));
    if let Some((asked, why)) = lost
        && let Some(awaited) = socket.awaited.get(&asked)
    {
        let job = Job::Acked {
            context: awaited.context.clone(),
            outcome: Err(why),
        };
        return Next::Run(Cause::Acked(asked), None, job);
    }
    if serving.ready().is_none() {
        return Next::Nothing;
    }
    if socket.announced < socket.generation {
        return Next::Run(Cause::Recovered, None, Job::Recovered);
    }
    let Some((number, packet)) = serving.frames.pop_front() else {
        return Next::Nothing;
    };
    let frame = (serving.generation, number);
    match packet {
        ClientPacket::Event { event, ack } => {
            let wants_answer = ack.is_some();
            let job = Job::Event { event, wants_answer };
            Next::Run(Cause::Event { ack }, Some(frame), job)
        }
        ClientPacket::Ack { asked, answer } => match socket.awaited.get(&asked) {
            Some(awaited) => {
                let job = Job::Acked {
                    context: awaited.context.clone(),
                    outcome: Ok(answer),
                };
                Next::Run(Cause::Acked(asked), Some(frame), job)
            }
            None => Next::Skip(frame),
        },
        ClientPacket::Disconnect => Next::Run(Cause::Disconnected, Some(frame), Job::Disconnected),
    }
}

/// An ack that was asked over a connection that is gone. A client forgets those.
fn lost_with_connection(serving: &Serving, socket: &SocketState) -> Option<OutputNumber> {
    let mut awaited = socket.awaited.iter();
    let lost = awaited.find(|(_, awaited)| awaited.generation < serving.generation);
    lost.map(|(asked, _)| *asked)
}

/// Gives what a handler sends its identity.
fn sends(
    frame: Option<Frame>,
    last: Sequence,
    sends: Vec<(crate::Destination, bytes::Bytes)>,
) -> Vec<Intent> {
    let (source, mut sequence) = match frame {
        Some((generation, frame)) => (Source::Frames(generation), Sequence::of(frame)),
        None => (Source::Calls, last.next()),
    };
    let mut intents = Vec::new();
    for (destination, event) in sends {
        let Some(destination) = destination.reduced() else {
            continue;
        };
        let intent = Intent {
            source,
            sequence,
            destination,
            event,
        };
        sequence = intent.last().next();
        intents.push(intent);
    }
    intents
}
