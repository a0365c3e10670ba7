//! The order in which steps of a socket are told to its endpoint.

use std::collections::VecDeque;

use crate::{
    ids::{FrameNumber, Generation, OutputNumber},
    message::Intent,
    record::{Step, step_size},
    state::{Own, SocketState},
};

/// A step that is not known to be done: the endpoint has not confirmed what it says, or others what it sends.
#[derive(Debug)]
struct Item {
    step: Step,
    /// The number of the record that it depends on; 0 if on none.
    after: u64,
    /// Whether a record has it.
    is_recorded: bool,
}

impl Item {
    fn size(&self) -> usize {
        step_size(&self.step)
    }
}

/// Steps in order. What one of them says does not overtake what the one before says.
#[derive(Debug, Default)]
pub(crate) struct Fifo {
    waiting: VecDeque<Item>,
    /// What was sent to an endpoint, or would have been.
    sent: VecDeque<Item>,
    /// What all of them take.
    bytes: usize,
}

impl Fifo {
    /// A step that is in a record: nothing of it leaves before that is committed.
    pub(crate) fn push_recorded(&mut self, step: Step, after: u64) {
        self.push(Item {
            step,
            after,
            is_recorded: true,
        });
    }

    /// A step that changed nothing.
    pub(crate) fn push_unrecorded(&mut self, step: Step) {
        self.push(Item {
            step,
            after: 0,
            is_recorded: false,
        });
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.size();
        self.waiting.push_back(item);
    }

    /// How many bytes of steps are not known to be done.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is found in the state, and committed with this record: the endpoint may have it or not.
    pub(crate) fn found(state: &SocketState, after: u64) -> Self {
        let mut fifo = Self::default();
        let step = Step {
            frame: Some((state.generation, state.handled)),
            outputs: state.outgoing.iter().cloned().collect(),
            sends: Vec::new(),
        };
        fifo.push_recorded(step, after);
        fifo
    }

    /// Lets out what waits for nothing any more, and returns it.
    pub(crate) fn release(
        &mut self,
        committed: u64,
        is_confirmed: impl Fn(&Intent) -> bool,
    ) -> impl Iterator<Item = &Step> {
        let before = self.sent.len();
        let is_free = |item: &mut Item| item.after <= committed && item.step.sends.iter().all(&is_confirmed);
        while let Some(item) = self.waiting.pop_front_if(is_free) {
            self.sent.push_back(item);
        }
        self.sent.range(before..).map(|item| &item.step)
    }

    /// All that was let out and is not known to have arrived.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Step> {
        self.sent.iter().map(|item| &item.step)
    }

    /// The endpoint of this generation has so much.
    pub(crate) fn received(&mut self, generation: Generation, handled: FrameNumber, output: OutputNumber) {
        let has_arrived = |item: &mut Item| {
            let is_handled = |(of, frame)| of != generation || frame <= handled;
            let is_said = |(number, own): &(OutputNumber, Own)| match own {
                Own::Event(_) | Own::Asking(_) => *number <= output,
                // It goes with its frame.
                Own::Answer { .. } => true,
            };
            item.step.frame.is_none_or(is_handled) && item.step.outputs.iter().all(is_said)
        };
        while let Some(item) = self.sent.pop_front_if(has_arrived) {
            self.bytes -= item.size();
        }
    }

    /// Steps that no record has and that are not done: the next record takes them along.
    pub(crate) fn take_unrecorded(&mut self, is_confirmed: impl Fn(&Intent) -> bool) -> Vec<Step> {
        let all = self.sent.iter_mut().chain(&mut self.waiting);
        all.filter(|item| !item.is_recorded)
            .map(|item| {
                item.is_recorded = true;
                let mut step = item.step.clone();
                step.sends.retain(|intent| !is_confirmed(intent));
                step
            })
            .collect()
    }
}
