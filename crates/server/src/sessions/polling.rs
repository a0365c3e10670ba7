//! The polling side of a session: the poll that hangs, its answer, and how far the client is told by its answers.
//!
//! Nobody confirms the answer to a poll but the client, with its next one. So before an answer leaves, the standby knows
//! of it: whoever takes over from a dead owner can tell by the client's next poll whether it had the answer, and neither
//! gives it twice nor never.

use std::collections::VecDeque;

use hither_cluster::CommitId;
use hither_engineio::{CloseReason, Frame};
use serde::{Deserialize, Serialize};

use super::{
    env::{Env, Lane},
    history::Place,
    session::{Reply, Session},
};
use crate::request::{RequestId, SessionReply};

/// Bytes that the answer to one poll may have.
const POLL_ANSWER: usize = 1 << 20;

/// The polling side of a session.
#[derive(Default)]
pub(crate) struct Polling {
    pub(crate) hanging: Option<HangingPoll>,
    /// The answer to the hanging poll, of which the standby is being told.
    prepared: Option<(CommitId, Vec<Frame>)>,
    pub(crate) progress: Progress,
    pub(crate) pushes: Pushes,
}

/// Pushes that are remembered, so that one which is asked again is not handled again. A client posts one at a time.
const REMEMBERED_PUSHES: usize = 8;

/// How much is taken of the pushes that came last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pushes(VecDeque<(RequestId, Taken)>);

/// How much is taken of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Taken {
    /// So many of its packets.
    Packets(u32),
    All,
}

impl Pushes {
    /// How much is taken of a push; what is new is remembered.
    pub(super) fn begin(&mut self, id: RequestId) -> Taken {
        if let Some((_, taken)) = self.0.iter().find(|(known, _)| *known == id) {
            return *taken;
        }
        if self.0.len() == REMEMBERED_PUSHES {
            self.0.pop_front();
        }
        self.0.push_back((id, Taken::Packets(0)));
        Taken::Packets(0)
    }

    pub(super) fn take(&mut self, id: RequestId, now: Taken) {
        if let Some((_, taken)) = self.0.iter_mut().find(|(known, _)| *known == id) {
            *taken = now;
        }
    }
}

/// A poll that waits for something to be said.
pub(crate) struct HangingPoll {
    pub(crate) id: RequestId,
    pub(crate) reply: Reply,
}

/// How far a client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// It was told nothing yet.
    #[default]
    Nothing,
    UpTo(Place),
    /// In the middle of what it is to be told: no place says that.
    Unknown,
}

/// How far a client is told by the answers to its polls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The poll that was answered last, or is about to be.
    answered: Option<RequestId>,
    /// How far the client was told before that.
    before: Told,
    /// How far it is told with that.
    after: Told,
}

impl Progress {
    /// The client polls. Whether it has polled with this before: then it may not have had the answer.
    fn polled(&mut self, id: RequestId) -> bool {
        let repeated = self.is_last(id);
        if !repeated {
            self.before = self.after;
        }
        repeated
    }

    fn answering(&mut self, id: RequestId, told: Told) {
        self.answered = Some(id);
        self.after = told;
    }

    /// Whether this poll was answered last, or is about to be.
    pub(super) fn is_last(&self, id: RequestId) -> bool {
        self.answered == Some(id)
    }

    /// How far the client is told without and with the last answer.
    pub(super) fn told(&self) -> (Told, Told) {
        (self.before, self.after)
    }
}

impl Polling {
    /// As it goes on elsewhere, or after its owner died.
    pub(super) fn restored(progress: Progress, pushes: Pushes) -> Self {
        Self {
            progress,
            pushes,
            ..Self::default()
        }
    }
}

impl Session {
    pub(crate) fn pull(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        id: RequestId,
        may_hang: bool,
        reply: Reply,
    ) {
        self.heard_at = lane.now();
        if let Some(hanging) = &mut self.polling.hanging
            && hanging.id == id
        {
            // Asked again: whoever asked before waits no more.
            hanging.reply = reply;
            if !may_hang {
                self.release_poll();
            }
            return;
        }
        self.wake_for_poll(env, lane, id);
        if let Err(refusal) = self.engine.poll_started() {
            reply.send(SessionReply::Refused(refusal));
            return self.drive(env, lane);
        }
        if self.polling.progress.polled(id) {
            self.outgoing.rewind();
        } else {
            // The client polls again: it has what it was given before.
            self.outgoing.acknowledge_sent();
        }
        self.polling.hanging = Some(HangingPoll { id, reply });
        if self.outgoing.has_unsent() {
            self.mark_dirty(env, lane);
        }
        self.drive(env, lane);
        if !may_hang {
            self.release_poll();
        }
    }

    /// Answers the hanging poll now if there is nothing to say. What there is becomes its answer at the end of the turn.
    fn release_poll(&mut self) {
        if self.polling.prepared.is_none() && !self.outgoing.has_unsent() {
            self.answer_poll(vec![Frame::noop()]);
        }
    }

    pub(crate) fn cancel_pull(&mut self, env: &mut Env, lane: &mut Lane, id: RequestId) {
        if self.hangs(id) {
            self.engine.poll_cancelled();
        } else if self.opened_by == id && self.polling.progress.answered.is_none() {
            // The client left before it could learn that it has a session.
            self.engine.close(CloseReason::TransportClose);
        }
        self.drive(env, lane);
    }

    fn hangs(&self, id: RequestId) -> bool {
        self.polling
            .hanging
            .as_ref()
            .is_some_and(|hanging| hanging.id == id)
    }

    /// A WebSocket probes: the hanging poll is to be answered, so that the client can go on with its upgrade.
    pub(super) fn release_poll_for_upgrade(&mut self, env: &mut Env, lane: &mut Lane) {
        if self.polling.prepared.is_some() {
            // Its answer is on the way.
        } else if self.outgoing.has_unsent() {
            self.offer_answer(env, lane);
        } else {
            self.answer_poll(vec![Frame::noop()]);
        }
    }

    /// What has gathered is the answer to the hanging poll, as soon as the standby knows of it.
    pub(super) fn offer_answer(&mut self, env: &mut Env, lane: &mut Lane) {
        let Some(hanging) = &self.polling.hanging else {
            return;
        };
        if self.polling.prepared.is_some() {
            return;
        }
        if hanging.reply.peer().is_some_and(|peer| lane.is_congested(peer)) {
            return self.stall(env);
        }
        let id = hanging.id;
        let (_, frames) = self.outgoing.send(POLL_ANSWER);
        let told = if self.outgoing.has_unsent() {
            Told::Unknown
        } else {
            Told::UpTo(self.place(lane))
        };
        self.polling.progress.answering(id, told);
        match lane.commit(&self.key) {
            Some(commit) => self.polling.prepared = Some((commit, frames)),
            None => self.answer_poll(frames),
        }
    }

    /// The standby knows how this session is.
    pub(super) fn answer_committed(&mut self, commit: CommitId) {
        if let Some((_, frames)) = self.polling.prepared.take_if(|(asked, _)| *asked == commit) {
            self.answer_poll(frames);
        }
    }

    /// The session ends: the hanging poll gets all that is left to say.
    pub(super) fn answer_poll_for_good(&mut self, rest: Vec<Frame>, farewell: Frame) {
        let mut frames = self
            .polling
            .prepared
            .take()
            .map_or_else(Vec::new, |(_, frames)| frames);
        frames.extend(rest);
        frames.push(farewell);
        self.answer_poll(frames);
    }

    /// The hanging poll will not be answered here; what it was to be given is for the next one.
    pub(super) fn drop_poll(&mut self) -> Option<HangingPoll> {
        let hanging = self.polling.hanging.take()?;
        self.polling.prepared = None;
        self.outgoing.rewind();
        self.engine.poll_lost();
        Some(hanging)
    }

    fn answer_poll(&mut self, frames: Vec<Frame>) {
        if let Some(HangingPoll { id, reply }) = self.polling.hanging.take() {
            self.polling.progress.answered = Some(id);
            self.engine.poll_answered();
            reply.send(SessionReply::Pulled(frames));
        }
    }
}

#[cfg(test)]
mod tests {
    use hither_cluster::{LogId, Position};

    use super::*;

    fn told(entry: u64) -> Told {
        let position = Position { log: LogId(1), entry };
        Told::UpTo(Place { position, directs: 0 })
    }

    #[test]
    fn the_next_poll_tells_whether_the_last_answer_came() {
        let mut progress = Progress::default();
        assert!(!progress.polled(RequestId(1)));
        progress.answering(RequestId(1), told(5));
        assert!(progress.is_last(RequestId(1)) && progress.polled(RequestId(1)));
        assert_eq!(progress.told(), (Told::Nothing, told(5)));
        assert!(!progress.polled(RequestId(2)));
        assert_eq!(progress.told(), (told(5), told(5)), "it had the answer");
        progress.answering(RequestId(2), told(9));
        assert_eq!(progress.told(), (told(5), told(9)));
    }
}
