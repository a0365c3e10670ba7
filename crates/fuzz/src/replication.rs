//! What nodes say to each other about replicated shards.

use std::{collections::VecDeque, time::Duration};

use hither_replication::{
    Application, Core, Input, Message, NodeId, Output, Settings, ShardId, Target, View, codec,
};

const SHARD: ShardId = ShardId(0);
/// Whatever a node is told, the cluster comes to rest, or goes on: so many messages are looked at.
const MESSAGES: usize = 200;
/// Of a message, in bytes. Each has its length before it, in one byte.
const LIMIT: usize = 255;

enum Rooms {}

impl Application for Rooms {
    type State = u64;
    type Record = u8;
    type Payload = Vec<u8>;
    type Topic = String;
    type Producer = u32;

    fn record_size(_: &u8) -> usize {
        1
    }

    fn payload_size(payload: &Vec<u8>) -> usize {
        payload.len()
    }

    fn apply(state: &mut u64, record: &u8) {
        *state = state.wrapping_add(u64::from(*record));
    }
}

/// Three nodes, of which one holds a shard and one stands by.
struct Cluster {
    nodes: Vec<(NodeId, Core<Rooms>)>,
    on_the_way: VecDeque<(usize, NodeId, Message<Rooms>)>,
    now: Duration,
}

impl Cluster {
    /// Begins, and shows each message with who hears it and who says it.
    fn started(mut look: impl FnMut(usize, &NodeId, &Message<Rooms>)) -> Self {
        let names = ["o", "s", "x"].map(|name| NodeId::new(name, 1));
        let core = |id: &NodeId| Core::new(id.clone(), [SHARD], Settings::default());
        let mut cluster = Self {
            nodes: names.iter().map(|id| (id.clone(), core(id))).collect(),
            on_the_way: VecDeque::new(),
            now: Duration::ZERO,
        };
        let [holder, standby, _] = names.clone().map(Some);
        for node in 0..names.len() {
            let (holder, standby) = (holder.clone(), standby.clone());
            let target = Target { holder, standby };
            let view = View::new(names.clone(), [(SHARD, target)]);
            cluster.give(node, Input::View(view));
        }
        cluster.settle(&mut look);
        for node in 0..names.len() {
            let (shard, topic, from) = (SHARD, "a".to_owned(), None);
            cluster.give(node, Input::Subscribe { shard, topic, from });
        }
        cluster.publish(1);
        cluster.settle(&mut look);
        cluster
    }

    fn give(&mut self, node: usize, input: Input<Rooms>) {
        let Some((from, core)) = self.nodes.get_mut(node) else {
            return;
        };
        let from = from.clone();
        for output in core.handle(input, self.now) {
            if let Output::Send { to, message } = output
                && let Some(to) = self.nodes.iter().position(|(id, _)| *id == to)
            {
                self.on_the_way.push_back((to, from.clone(), message));
            }
        }
    }

    /// Each node publishes something.
    fn publish(&mut self, sequence: u64) {
        for node in 0..self.nodes.len() {
            let input = Input::Publish {
                shard: SHARD,
                topic: "a".to_owned(),
                producer: node as u32,
                sequence,
                payload: vec![1],
            };
            self.give(node, input);
        }
    }

    fn settle(&mut self, mut look: impl FnMut(usize, &NodeId, &Message<Rooms>)) {
        for _ in 0..MESSAGES {
            let Some((to, from, message)) = self.on_the_way.pop_front() else {
                return;
            };
            look(to, &from, &message);
            self.give(to, Input::Message { from, message });
        }
    }
}

/// Reads a message. What was read can be written, in as many bytes as it says, and is read as the same again.
fn read(bytes: &[u8]) -> Option<Message<Rooms>> {
    let message = codec::decode::<Message<Rooms>>(bytes, LIMIT).ok()?;
    let mut written = Vec::new();
    let Ok(length) = codec::encode_into(&message, &mut written) else {
        panic!("{message:?} was read and cannot be written");
    };
    assert_eq!(length, written.len());
    assert_eq!(codec::encoded_len(&message).ok(), Some(length));
    // Numbers have several forms, of which the shortest is written.
    assert!(length <= bytes.len(), "{message:?} has grown");
    match codec::decode::<Message<Rooms>>(&written, LIMIT) {
        Ok(again) => assert_eq!(format!("{again:?}"), format!("{message:?}")),
        Err(error) => panic!("{message:?} was written and cannot be read: {error}"),
    }
    Some(message)
}

/// Has nodes hear messages, each behind a byte that says from whom to whom and one that says how long it is. They may do
/// harm, for nodes believe each other, but no node ends by them, and none is kept busy for ever.
pub fn replication(mut bytes: &[u8]) {
    let mut cluster = None;
    while let Some(([ends, length], rest)) = bytes.split_first_chunk() {
        let (message, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = rest;
        let Some(message) = read(message) else { return };
        let cluster = cluster.get_or_insert_with(|| Cluster::started(|_, _, _| {}));
        let to = usize::from(ends % 3);
        let from = (to + 1 + usize::from(ends / 3 % 2)) % 3;
        if let Some((from, _)) = cluster.nodes.get(from) {
            let from = from.clone();
            cluster.give(to, Input::Message { from, message });
        }
        // Another bit says whether it is alone, or the next one comes before what follows from it.
        if ends & 0x80 == 0 {
            cluster.settle(|_, _, _| {});
        }
    }
    let Some(mut cluster) = cluster else { return };
    cluster.settle(|_, _, _| {});
    cluster.now += Duration::from_secs(1);
    cluster.publish(2);
    for node in 0..cluster.nodes.len() {
        cluster.give(node, Input::Tick);
    }
    cluster.settle(|_, _, _| {});
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nodes say to each other when they begin is what the target reads: else it would look at nothing.
    #[test]
    fn what_nodes_say_is_read() {
        let mut said = 0;
        Cluster::started(|_, _, message| {
            let mut bytes = Vec::new();
            assert!(codec::encode_into(message, &mut bytes).is_ok());
            assert!(read(&bytes).is_some(), "{message:?}");
            said += 1;
        });
        assert!(said > 20, "{said}");
    }
}
