//! What is recorded of sockets, and how that changes their state.

use hither_replication::{Application, Change as MembershipChange};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{EndpointId, FrameNumber, Generation, OutputNumber, Producer, Sequence, SocketId, Source, Topic},
    message::{Intent, Published},
    state::{Awaited, Own, SocketState, State},
};

/// Sockets, as what a shard replicates.
#[derive(Debug)]
pub enum Replicated {}

/// One change of a shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// One of its sockets is another now.
    Socket(SocketId, Delta),
    /// The time for which things are kept for clients that return is over once more: what was kept at the last one of
    /// these goes.
    Aged,
}

/// How a socket has changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Delta {
    /// The endpoint has all events up to this one.
    pub received: OutputNumber,
    /// It has all answers up to this frame's.
    pub answered: FrameNumber,
    /// These are confirmed.
    pub confirmed: Vec<(Source, Sequence)>,
    /// What it has done, in order: what came before and is not known to be done, and what this record is made for.
    pub steps: Vec<Step>,
    /// What is different.
    pub changes: Vec<Change>,
}

/// What follows from one call of a handler, apart from what it changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// The frame that it handled, and of which connection.
    pub frame: Option<(Generation, FrameNumber)>,
    /// What it says to its client.
    pub outputs: Vec<(OutputNumber, Own)>,
    /// What it sends to others.
    pub sends: Vec<Intent>,
}

/// One thing about a socket that is different.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Change {
    /// It is there.
    Created {
        /// Of its client.
        endpoint: EndpointId,
        /// See [`How::Open`](crate::How::Open).
        life: u32,
        /// How many bytes of what it says to its client are kept until that has them.
        keeps: u32,
    },
    /// Its client has returned.
    Returned {
        /// Through this.
        endpoint: EndpointId,
        /// The client has all events up to this one.
        told: OutputNumber,
    },
    /// Its handler was told so.
    Announced,
    /// What the application keeps.
    Data(Bytes),
    /// The topics that it is in.
    Membership(MembershipChange<Topic>),
    /// An ack is awaited.
    Asked(OutputNumber, Awaited),
    /// It is not any more.
    Settled(OutputNumber),
    /// Another socket's event has come.
    Heard(Producer, Sequence),
    /// It has ended.
    Ended,
}

impl Application for Replicated {
    type State = State;
    type Record = Record;
    type Payload = Published;
    type Topic = Topic;
    type Producer = Producer;

    fn record_size(record: &Record) -> usize {
        let Record::Socket(_, delta) = record else {
            return size_of::<Record>();
        };
        let steps = delta.steps.iter().map(step_size);
        let changes = delta.changes.iter().map(|change| {
            size_of::<Change>()
                + match change {
                    Change::Data(data) => data.len(),
                    Change::Asked(_, awaited) => awaited.context.len(),
                    _ => 0,
                }
        });
        size_of::<Record>() + steps.sum::<usize>() + changes.sum::<usize>()
    }

    fn payload_size(published: &Published) -> usize {
        published.event.len() + size_of_val(published.earlier.as_slice())
    }

    fn apply(state: &mut State, record: &Record) {
        match record {
            Record::Aged => state.sockets.values_mut().for_each(SocketState::age),
            Record::Socket(id, delta) => {
                if let Some(Change::Created {
                    endpoint,
                    life,
                    keeps,
                }) = delta.changes.first()
                {
                    let new = SocketState::new(*endpoint, *life, *keeps);
                    state.sockets.insert(*id, new);
                }
                if let Some(socket) = state.sockets.get_mut(id) {
                    socket.apply(delta);
                    if socket.has_ended && socket.outbox.is_empty() {
                        state.sockets.remove(id);
                    }
                }
            }
        }
    }
}

/// The bytes that it takes, about.
pub(crate) fn step_size(step: &Step) -> usize {
    let outputs = step.outputs.iter().map(|(_, own)| own_size(own));
    let sends = step.sends.iter().map(Intent::size);
    size_of::<Step>() + outputs.sum::<usize>() + sends.sum::<usize>()
}

/// The bytes that it takes, about.
pub(crate) fn own_size(own: &Own) -> usize {
    size_of::<(OutputNumber, Own)>()
        + match own {
            Own::Event(bytes) | Own::Asking(bytes) | Own::Answer { answer: bytes, .. } => bytes.len(),
        }
}

impl SocketState {
    fn apply(&mut self, delta: &Delta) {
        for step in &delta.steps {
            self.apply_step(step);
        }
        for change in &delta.changes {
            self.apply_change(change);
        }
        self.outbox
            .retain(|intent| !delta.confirmed.contains(&intent.key()));
        let (received, forgotten, answered) = (delta.received, self.forgotten, delta.answered);
        self.outgoing.retain(|number, own| match own {
            Own::Event(_) => number > forgotten || number > received,
            Own::Asking(_) => number > received,
            Own::Answer { frame, .. } => *frame > answered,
        });
        if let Some(dropped) = self.outgoing.shrink(self.keeps as usize) {
            self.dropped = dropped;
            self.forgotten = self.forgotten.max(dropped);
        }
    }

    fn apply_step(&mut self, step: &Step) {
        if let Some((generation, frame)) = step.frame
            && generation == self.generation
        {
            self.handled = self.handled.max(frame);
        }
        for (number, own) in &step.outputs {
            self.last_output = self.last_output.max(*number);
            self.outgoing.push(*number, own.clone());
        }
        for intent in &step.sends {
            if intent.source == Source::Calls {
                self.last_sequence = self.last_sequence.max(intent.last());
            }
            self.outbox.push_back(intent.clone());
        }
    }

    fn apply_change(&mut self, change: &Change) {
        match change {
            // The socket was made by it.
            Change::Created { .. } => {}
            Change::Returned { endpoint, told } => {
                self.generation.0 += 1;
                self.former.push(self.endpoint);
                self.endpoint = *endpoint;
                self.handled = FrameNumber::default();
                // A client forgets what it has asked when its connection ends, and is not asked again.
                self.outgoing
                    .retain(|number, own| number > *told && matches!(own, Own::Event(_)));
            }
            Change::Announced => self.announced = self.generation,
            Change::Data(data) => self.data = data.clone(),
            Change::Membership(change) => self.memberships.apply(change),
            Change::Asked(number, awaited) => {
                self.awaited.insert(*number, awaited.clone());
            }
            Change::Settled(number) => {
                self.awaited.remove(number);
            }
            Change::Heard(producer, sequence) => {
                self.heard[1].remove(producer);
                self.heard[0].insert(*producer, *sequence);
            }
            Change::Ended => self.has_ended = true,
        }
    }
}
