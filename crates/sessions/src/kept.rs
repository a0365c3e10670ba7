//! What a socket says to its client, until that is known to have arrived.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{ids::OutputNumber, record::own_size, state::Own};

/// In order, and bounded in bytes: of more than a socket keeps, the oldest events go. A client that has not heard these cannot
/// go on. Answers and what the client is asked stay: there are no more of them than handlers that the client made run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    outputs: VecDeque<(OutputNumber, Own)>,
    bytes: usize,
}

impl Kept {
    pub(crate) fn push(&mut self, number: OutputNumber, own: Own) {
        self.bytes += own_size(&own);
        self.outputs.push_back((number, own));
    }

    pub(crate) fn retain(&mut self, mut is_wanted: impl FnMut(OutputNumber, &Own) -> bool) {
        let bytes = &mut self.bytes;
        self.outputs.retain(|(number, own)| {
            let is_wanted = is_wanted(*number, own);
            if !is_wanted {
                *bytes -= own_size(own);
            }
            is_wanted
        });
    }

    /// Drops the oldest events until no more than this is left. Returns the last one that is dropped.
    pub(crate) fn shrink(&mut self, most: usize) -> Option<OutputNumber> {
        let mut excess = self.bytes.saturating_sub(most);
        let mut dropped = None;
        if excess > 0 {
            self.retain(|number, own| {
                let is_dropped = excess > 0 && matches!(own, Own::Event(_));
                if is_dropped {
                    excess = excess.saturating_sub(own_size(own));
                    dropped = Some(number);
                }
                !is_dropped
            });
        }
        dropped
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(OutputNumber, Own)> {
        self.outputs.iter()
    }
}
