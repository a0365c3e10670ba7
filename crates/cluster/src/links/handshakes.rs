//! One handshake with each peer at a time.
//!
//! Of two connections between the same nodes the library keeps one, by chance. So it is given a connection only when it
//! has closed the one before.

use std::collections::{BTreeMap, HashMap};

use super::{
    opened::Side,
    stream::{LinkStream, StreamId},
};
use crate::member::NodeId;

/// A connection whose handshake may begin.
pub(super) struct Handshake<Stream = LinkStream> {
    pub(super) id: StreamId,
    pub(super) stream: Stream,
    pub(super) side: Side,
}

/// The connections that the library has, and those that wait for it to close others.
pub(super) struct Handshakes<Stream = LinkStream> {
    begun: HashMap<StreamId, NodeId>,
    waiting: BTreeMap<NodeId, Handshake<Stream>>,
}

impl<Stream> Default for Handshakes<Stream> {
    fn default() -> Self {
        Self {
            begun: HashMap::new(),
            waiting: BTreeMap::new(),
        }
    }
}

impl<Stream> Handshakes<Stream> {
    /// A connection has come about. Returned if its handshake may begin, else it waits, in place of one that waited.
    pub(super) fn ask(&mut self, peer: NodeId, handshake: Handshake<Stream>) -> Option<Handshake<Stream>> {
        self.waiting.insert(peer.clone(), handshake);
        self.begin(peer)
    }

    /// A connection is not wanted any more. If it has waited in vain, the library is not waited for again.
    pub(super) fn withdraw(&mut self, peer: &NodeId, stream: StreamId) {
        if self.waiting.get(peer).is_some_and(|waiting| waiting.id == stream) {
            self.waiting.remove(peer);
            self.begun.retain(|_, begun| begun != peer);
        }
    }

    /// The library has closed a connection. Returns the one whose handshake may begin now.
    pub(super) fn closed(&mut self, stream: StreamId) -> Option<Handshake<Stream>> {
        let peer = self.begun.remove(&stream)?;
        self.begin(peer)
    }

    fn begin(&mut self, peer: NodeId) -> Option<Handshake<Stream>> {
        if self.begun.values().any(|begun| *begun == peer) {
            return None;
        }
        let handshake = self.waiting.remove(&peer)?;
        self.begun.insert(handshake.id, peer);
        Some(handshake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::testing::node;

    fn ask(handshakes: &mut Handshakes<()>, peer: &str) -> (StreamId, Option<StreamId>) {
        let id = StreamId::next();
        let (stream, side) = ((), Side::Dialled);
        let begun = handshakes.ask(node(peer), Handshake { id, stream, side });
        (id, begun.map(|begun| begun.id))
    }

    fn closed(handshakes: &mut Handshakes<()>, stream: StreamId) -> Option<StreamId> {
        handshakes.closed(stream).map(|begun| begun.id)
    }

    #[test]
    fn the_next_begins_when_the_one_before_is_closed() {
        let mut handshakes = Handshakes::default();
        let (first, begun) = ask(&mut handshakes, "a");
        assert_eq!(begun, Some(first));
        let (second, begun) = ask(&mut handshakes, "a");
        assert_eq!(begun, None);
        assert_eq!(closed(&mut handshakes, first), Some(second));
        assert_eq!(closed(&mut handshakes, second), None);
    }

    #[test]
    fn peers_do_not_wait_for_each_other() {
        let mut handshakes = Handshakes::default();
        for peer in ["a", "b"] {
            let (id, begun) = ask(&mut handshakes, peer);
            assert_eq!(begun, Some(id));
        }
    }

    #[test]
    fn of_those_that_wait_the_last_begins() {
        let mut handshakes = Handshakes::default();
        let (first, _) = ask(&mut handshakes, "a");
        let (overtaken, _) = ask(&mut handshakes, "a");
        let (last, _) = ask(&mut handshakes, "a");
        handshakes.withdraw(&node("a"), overtaken);
        assert_eq!(closed(&mut handshakes, first), Some(last));
    }

    #[test]
    fn what_is_withdrawn_does_not_begin_and_the_library_is_waited_for_once() {
        let mut handshakes = Handshakes::default();
        let (first, _) = ask(&mut handshakes, "a");
        handshakes.withdraw(&node("a"), first);
        let (second, begun) = ask(&mut handshakes, "a");
        assert_eq!(begun, None);
        handshakes.withdraw(&node("a"), second);
        let (third, begun) = ask(&mut handshakes, "a");
        assert_eq!(begun, Some(third));
        assert_eq!(closed(&mut handshakes, first), None);
    }
}
