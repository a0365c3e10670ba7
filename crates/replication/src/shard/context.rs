//! What a shard's machine needs of its node.

use std::{collections::VecDeque, time::Duration};

use crate::{
    application::Application,
    core::Settings,
    ids::{NodeId, ShardId},
    lease::Leases,
    message::{Content, Kind, Message},
    output::Output,
    view::{Peers, Target},
};

/// What surrounds one step of one shard.
pub(crate) struct Context<'a, A: Application> {
    pub(crate) shard: ShardId,
    pub(crate) peers: &'a Peers,
    pub(crate) leases: &'a Leases,
    pub(crate) settings: &'a Settings,
    /// Since some moment that does not matter.
    pub(crate) now: Duration,
    pub(crate) outputs: &'a mut Vec<Output<A>>,
    /// What this node says to itself: handled after what is under way.
    pub(crate) to_me: &'a mut VecDeque<(ShardId, Kind<A>)>,
}

impl<A: Application> Context<'_, A> {
    pub(crate) fn me(&self) -> &NodeId {
        &self.peers.me
    }

    pub(crate) fn target(&self) -> Target {
        self.peers.view.target(self.shard)
    }

    pub(crate) fn send(&mut self, to: &NodeId, message: impl Into<Kind<A>>) {
        let (shard, kind) = (self.shard, message.into());
        if *to == self.peers.me {
            self.to_me.push_back((shard, kind));
        } else {
            self.outputs.push(Output::Send {
                to: to.clone(),
                message: Message(Content::Shard(shard, kind)),
            });
        }
    }

    pub(crate) fn put(&mut self, output: Output<A>) {
        self.outputs.push(output);
    }
}
