//! Mistakes that nodes could make, as they show in what they say.

use rand::{RngExt, rngs::StdRng};

use super::node::Records;
use crate::{
    Position, ShardId,
    lease::Leasing,
    message::{Content, Custody, Holding, Kind, Message, Replication, Topics},
};

/// One mistake. Each stands for a rule that somebody might break when changing the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A follower says that it has what it has not.
    AcknowledgeUnread,
    /// A holder forgets some subscribers of what it delivers.
    LosePublications,
    /// A holder does not recognise a repetition.
    ForgetProducers,
    /// A holder accepts publications in any order.
    IgnorePrevious,
    /// A candidate does not ask the others what they hold.
    PromoteUnasked,
    /// What depends on an entry leaves before the standby has it.
    ReleaseEarly,
    /// After a link was lost nobody says anew what it wants.
    KeepSubscriptions,
    /// A learner is named before it is in step.
    NameTooEarly,
    /// A holder takes it that it has the lease that it has asked for.
    GrantUnasked,
    /// A holder relies on its lease for longer than the standby keeps its word.
    OverstayLease,
    /// A holder forgets something when it replays.
    ReplayWithHoles,
    /// Who joins a topic is told a place where the topic has long been.
    BeginTooEarly,
    /// A copy does not say where the copies before it stand.
    ForgetEarlierCopies,
    /// A client is told that its change is safe before it is.
    CommitChangesEarly,
    /// A client is told something, and not up to where it has heard by that.
    LoseOffsets,
    /// A history that was begun without the pair that had the shard counts as much as that of the pair.
    ForgetBreaks,
    /// A node is not told that it was taken for dead.
    LoseReturned,
}

/// What becomes of a message.
pub(super) enum Sent {
    Message(Message<Records>),
    Lost,
    /// As if the receiver had answered so.
    Answered(Message<Records>),
}

impl Mutant {
    pub(super) fn corrupt(self, rng: &mut StdRng, message: Message<Records>) -> Sent {
        match (self, message.0) {
            (Self::GrantUnasked, Content::Leasing(Leasing::Ask { number })) => {
                Sent::Answered(Message(Content::Leasing(Leasing::Grant { number })))
            }
            (Self::LoseReturned, Content::Returned) => Sent::Lost,
            (_, Content::Shard(shard, kind)) => self.corrupt_kind(rng, shard, kind),
            (_, content) => Sent::Message(Message(content)),
        }
    }

    fn corrupt_kind(self, rng: &mut StdRng, shard: ShardId, mut kind: Kind<Records>) -> Sent {
        let about = |kind: Kind<Records>| Message(Content::Shard(shard, kind));
        match (self, &mut kind) {
            (
                Self::AcknowledgeUnread,
                Kind::Replication(Replication::Append {
                    since,
                    after,
                    entries,
                }),
            ) if rng.random_bool(0.5) => {
                let (since, number) = (
                    *since,
                    entries.last().map_or(after.number, |entry| entry.at.number),
                );
                return Sent::Answered(about(Replication::Appended { since, number }.into()));
            }
            (Self::LosePublications, Kind::Topics(Topics::Publications { .. })) if rng.random_bool(0.1) => {
                return Sent::Lost;
            }
            (
                Self::BeginTooEarly,
                Kind::Topics(Topics::Replayed {
                    missed: Some(missed), ..
                }),
            ) if missed.publications.is_empty() => missed.through = Position::START,
            (
                Self::ReplayWithHoles,
                Kind::Topics(Topics::Replayed {
                    missed: Some(missed), ..
                }),
            ) => {
                missed.publications.pop();
            }
            (Self::ForgetEarlierCopies, Kind::Topics(Topics::Publish(intent))) => {
                intent.payload.earlier.clear();
            }
            (Self::ForgetProducers, Kind::Topics(Topics::Publish(intent))) => {
                // A holder that knows nobody's last publication takes each for a new one.
                intent.producer = rng.random();
                intent.previous = None;
            }
            (Self::ForgetBreaks, Kind::Custody(Custody::Announce(claim) | Custody::Superseded(claim))) => {
                claim.breaks = 0;
            }
            (Self::IgnorePrevious, Kind::Topics(Topics::Publish(intent))) => intent.previous = None,
            (Self::PromoteUnasked, Kind::Custody(Custody::Inquire { round, .. })) => {
                let answer = Custody::Holding {
                    round: *round,
                    heard: None,
                    holding: Holding::Nothing,
                    dead: Vec::new(),
                };
                return Sent::Answered(about(answer.into()));
            }
            (Self::NameTooEarly, Kind::Replication(Replication::Install { since, replica })) => {
                let (since, number) = (*since, replica.last().number);
                return Sent::Answered(about(Replication::Appended { since, number }.into()));
            }
            _ => {}
        }
        Sent::Message(about(kind))
    }
}
