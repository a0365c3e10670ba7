//! Replicated shards: who holds each, its log, its standby and its topics, as a state machine without IO, clock or tasks.
//!
//! A cluster cuts its keys into shards. Each shard has a *holder* and a *standby*. The holder gives everything that
//! happens in the shard, changes of state as well as publications to topics, one order: its log. An entry is *committed*
//! when the standby has it, and nothing that depends on it leaves before. So what was told to anybody survives the death
//! of any one node, and all who subscribe to a topic hear it in the same order, without a hole.
//!
//! # How a shard moves
//! A view says where a shard should be (its [`Target`]); who holds it is whoever has the highest [`Claim`]. Only the
//! holder moves it, step by step: a learner gets a copy and is brought into step, is named the standby, the former
//! standby is discharged, and holder and standby change places. When the holder dies, the standby asks all members what
//! they have, and goes on. Planned moves, joins, leaves and deaths are these few steps.
//!
//! # Splits
//! Nodes that take each other for dead may hold the same shard. When they see each other again, one history of the shard
//! goes on, and the other one ends: the one that was broken less often, else that of the higher term. What was committed
//! before the split is in both, unless all of the pair were on the other side; what was committed on the side that ends is
//! lost. Who heard that is told so ([`Output::Gap`], [`Output::NotReplayable`]).
//!
//! # How to drive it
//! One [`Core`] a node. Give it an [`Input`] and the time, do each [`Output`] in order, and give it [`Input::Tick`] at
//! its deadline. Messages between two nodes must arrive in the order in which they were sent; when they may not have
//! arrived, both nodes are given [`Input::LinkReset`].

mod application;
pub mod codec;
mod core;
mod ids;
mod lease;
mod listener;
mod log;
mod message;
mod output;
mod replica;
mod shard;
#[cfg(test)]
mod simulation;
mod topics;
mod view;

pub use self::{
    application::{Application, Value},
    core::{Core, Input, NotHolder, Settings},
    ids::{Claim, NodeId, Position, ReplayId, ShardId, Term},
    lease::Lease,
    listener::{CannotResume, Change, Heard, Listener, Memberships, Missing, Slot, Told, Version},
    message::Message,
    output::Output,
    view::{Target, View},
};
