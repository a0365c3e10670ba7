//! Mistakes that nodes make on purpose: the judge must see the harm that each of them does.

use crate::message::Published;
use crate::record::{Change, Delta};
use crate::state::Own;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// What depends on a record leaves before it is committed.
    ReleaseEarly,
    /// A record leaves out the steps before it.
    LeaveStepsBehind,
    /// A record leaves out the answers.
    LeaveAnswersBehind,
    /// A record leaves out what is sent to others.
    LeaveSendsBehind,
    /// A record does not say which frame was handled.
    LeaveFramesBehind,
    /// A record leaves out that an ack has come.
    KeepAcks,
    /// A record leaves out whose event has come.
    ForgetSenders,
    /// An answer does not wait for what was sent before it.
    AnswerUnconfirmed,
    /// A frame that comes again is handled again.
    HandleFramesTwice,
    /// An event for one socket that comes again is told again.
    HearDirectsTwice,
    /// A node says no, and runs handlers, though it may hold the shard no more.
    RefuseWithoutLease,
    /// An endpoint listens to what belongs to its former attachments.
    HearFormerAttachments,
    /// What goes to several topics does not say where the copies before stand.
    ForgetEarlierCopies,
    /// What a client was told on the other side of a split counts.
    TrustOtherSides,
}

impl Mutant {
    pub(crate) fn corrupt_published(self, mut published: Published) -> Published {
        if self == Self::ForgetEarlierCopies {
            published.earlier.clear();
        }
        published
    }

    pub(crate) fn corrupt(self, mut delta: Delta) -> Delta {
        for step in &mut delta.steps {
            match self {
                Self::LeaveAnswersBehind => {
                    step.outputs.retain(|(_, own)| !matches!(own, Own::Answer { .. }));
                }
                Self::LeaveSendsBehind => step.sends.clear(),
                Self::LeaveFramesBehind => step.frame = None,
                _ => {}
            }
        }
        delta.changes.retain(|change| match self {
            Self::KeepAcks => !matches!(change, Change::Settled(_)),
            Self::ForgetSenders => !matches!(change, Change::Heard(..)),
            _ => true,
        });
        delta
    }
}
