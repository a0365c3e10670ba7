//! How links reach the driver.

use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::debug;

use super::driver::Event;
use crate::{
    links::{Credit, LinkSender},
    member::NodeId,
    throttle::Throttle,
};

/// The links of a node, as its driver hears of them.
pub(crate) struct TopicLinks {
    sender: LinkSender,
    events: mpsc::UnboundedSender<Event>,
}

impl TopicLinks {
    pub(super) fn new(sender: LinkSender, events: mpsc::UnboundedSender<Event>) -> Self {
        Self { sender, events }
    }

    /// A link has come up. Called before anything that comes by it.
    pub(crate) fn link_up(&self, peer: &NodeId) {
        if let (Some(life), Some(version)) = (self.sender.life(peer), self.sender.version(peer)) {
            let peer = peer.clone();
            self.tell(Event::LinkUp { peer, life, version });
        }
    }

    pub(crate) fn link_down(&self, peer: &NodeId) {
        self.tell(Event::LinkDown { peer: peer.clone() });
    }

    pub(crate) fn received(&self, peer: &NodeId, messages: Vec<Bytes>, credit: Credit) {
        self.tell(Event::Received {
            peer: peer.clone(),
            messages,
            credit,
        });
    }

    fn tell(&self, event: Event) {
        // The driver has ended when the node is about to.
        self.events.send(event).ok();
    }
}

/// Says, and not too often, that a peer replicates topics and this node does not.
#[derive(Default)]
pub(crate) struct Unexpected(Mutex<Throttle>);

impl Unexpected {
    pub(crate) fn note(&self, peer: &NodeId) {
        let permit = self.0.lock().ok().and_then(|mut throttle| throttle.permit());
        if let Some(suppressed) = permit {
            debug!(%peer, suppressed, "a peer replicates topics, and this node does not: configure all nodes alike");
        }
    }
}
