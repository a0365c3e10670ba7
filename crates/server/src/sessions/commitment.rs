//! What a session may tell its client already.
//!
//! What comes of a session's own doing, such as an answer, its standby must know of before the client does: else the client
//! would know of what nobody remembers when the owner dies. What was said to a room needs no such thing, for it is in the
//! logs. But nothing overtakes what was to be told before it.

use hither_cluster::CommitId;

use super::history::Place;

/// A point in what a session has to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Milestone {
    /// The sequence number after the last frame before it.
    pub(crate) end: u64,
    /// How far the client is told with all before it, where that is known exactly.
    pub(crate) told: Option<Place>,
}

/// How far a session may go in what it has to say.
#[derive(Debug, Default)]
pub(crate) struct Commitment {
    /// Something was done that the standby was not asked to know.
    owed: bool,
    asked: Option<(CommitId, Milestone)>,
    released: Milestone,
}

impl Commitment {
    /// As it goes on elsewhere: with what its standby there has to be asked.
    pub(crate) fn restored(owed: bool) -> Self {
        Self {
            owed,
            ..Self::default()
        }
    }

    /// The session does something of its own accord.
    pub(crate) fn owe(&mut self) {
        self.owed = true;
    }

    /// Whether there is something that the standby is not known to know.
    pub(crate) fn is_owed(&self) -> bool {
        self.owed || self.asked.is_some()
    }

    /// The end of a turn, with all that the session has to say. `ask` has the standby asked, if there is one.
    pub(crate) fn turn_ends(&mut self, all: Milestone, ask: impl FnOnce() -> Option<CommitId>) {
        if self.asked.is_some() {
            return;
        }
        match std::mem::take(&mut self.owed).then(ask).flatten() {
            Some(commit) => self.asked = Some((commit, all)),
            None => self.released = all,
        }
    }

    /// The standby knows what it was asked to know. Says whether that lets the session go further.
    pub(crate) fn committed(&mut self, commit: CommitId) -> bool {
        match self.asked.take_if(|(asked, _)| *asked == commit) {
            Some((_, milestone)) => {
                self.released = milestone;
                true
            }
            None => false,
        }
    }

    /// The session is stopped: no word of its standby will come.
    pub(crate) fn rest(&mut self) {
        self.owed |= self.asked.take().is_some();
    }

    /// How far the session may go.
    pub(crate) fn released(&self) -> Milestone {
        self.released
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(end: u64) -> Milestone {
        Milestone { end, told: None }
    }

    #[test]
    fn what_a_session_did_not_do_itself_goes_at_once() {
        let mut commitment = Commitment::default();
        commitment.turn_ends(up_to(3), || panic!("there is nothing to ask"));
        assert_eq!(commitment.released(), up_to(3));
    }

    #[test]
    fn what_it_did_waits_for_the_standby_and_what_follows_waits_behind() {
        let mut commitment = Commitment::default();
        commitment.owe();
        commitment.turn_ends(up_to(1), || Some(CommitId(7)));
        commitment.turn_ends(up_to(2), || panic!("it is being asked"));
        assert_eq!(commitment.released(), up_to(0));
        assert!(!commitment.committed(CommitId(6)), "an earlier one");
        assert!(commitment.committed(CommitId(7)));
        assert_eq!(commitment.released(), up_to(1));
        commitment.turn_ends(up_to(2), || panic!("a room's word needs no asking"));
        assert_eq!(commitment.released(), up_to(2));
    }

    #[test]
    fn without_a_standby_all_goes_at_once() {
        let mut commitment = Commitment::default();
        commitment.owe();
        commitment.turn_ends(up_to(1), || None);
        assert_eq!(commitment.released(), up_to(1));
        assert!(!commitment.is_owed());
    }

    #[test]
    fn what_was_being_asked_is_asked_again_after_a_rest() {
        let mut commitment = Commitment::default();
        commitment.owe();
        commitment.turn_ends(up_to(1), || Some(CommitId(7)));
        commitment.rest();
        assert!(!commitment.committed(CommitId(7)));
        assert!(Commitment::restored(commitment.is_owed()).is_owed());
        commitment.turn_ends(up_to(1), || Some(CommitId(8)));
        assert!(commitment.committed(CommitId(8)));
    }
}
