//! What lanes of different nodes tell each other: what sessions say to sockets elsewhere, and how far it got.

use std::collections::HashMap;

use hither_cluster::{Key, NodeId, Topic};
use hither_engineio::{Frame, FrameKind};
use serde::{Deserialize, Serialize};

use super::{
    history::Place,
    query::{Query, QueryReply},
};
use crate::{
    presence::Note,
    request::{SocketNumber, StreamId},
    room::RoomEvent,
};

/// A message between lanes of two nodes.
#[derive(Serialize, Deserialize)]
pub(crate) enum Direct {
    /// From owners to an ingress.
    Orders(OrderBatch),
    /// From an ingress to owners.
    Delivered(Vec<Delivered>),
    /// To every lane of a node.
    Query(Query),
    /// To whoever asked; any lane can take it.
    QueryReply(QueryReply),
    /// To every lane: an event that is worth something now or never.
    Volatile(Topic, RoomEvent),
    /// About who is present; the first lane takes it.
    Presence(Note),
}

/// What is to be done with sockets of one node: each distinct frame once, however many sockets receive it.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct OrderBatch {
    frames: Vec<Frame>,
    orders: Vec<(SocketNumber, StreamId, PackedOrder)>,
}

#[derive(Serialize, Deserialize)]
enum PackedOrder {
    Frames {
        base: u64,
        first: u64,
        frames: Vec<u32>,
        told: Option<Place>,
    },
    Aside(u32),
    Close,
}

/// What is to be done with one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Write these frames, unless they were written before.
    Frames {
        /// All frames before this sequence number have come to the client, on this socket or before it had one.
        base: u64,
        /// The sequence number of the first of these.
        first: u64,
        frames: Vec<Frame>,
        /// How far the client is told with these; none while the session has more to say.
        told: Option<Place>,
    },
    /// Write this frame, which is not part of the session's sequence: the answer to a probe.
    Aside(Frame),
    /// Close the socket once all is written.
    Close,
}

/// How far a socket is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivered {
    pub(crate) session: Key,
    pub(crate) socket: SocketNumber,
    /// Whose frames it counts.
    pub(crate) stream: StreamId,
    /// The sequence number of the next frame it wants.
    pub(crate) next: u64,
    /// Whether frames were lost on the way, so that they have to be sent again.
    pub(crate) gap: bool,
}

/// Gathers orders for one node.
#[derive(Default)]
pub(crate) struct Packer {
    batch: OrderBatch,
    /// Where a frame is in the batch, by the address of the bytes that its clones share.
    known: HashMap<(usize, usize, FrameKind), u32>,
}

impl Packer {
    pub(crate) fn add(&mut self, socket: SocketNumber, stream: StreamId, order: Order) {
        let packed = match order {
            Order::Frames {
                base,
                first,
                frames,
                told,
            } => PackedOrder::Frames {
                base,
                first,
                told,
                frames: frames.into_iter().map(|frame| self.place(frame)).collect(),
            },
            Order::Aside(frame) => PackedOrder::Aside(self.place(frame)),
            Order::Close => PackedOrder::Close,
        };
        self.batch.orders.push((socket, stream, packed));
    }

    fn place(&mut self, frame: Frame) -> u32 {
        let identity = (frame.bytes().as_ptr() as usize, frame.bytes().len(), frame.kind());
        let next = self.batch.frames.len() as u32;
        *self.known.entry(identity).or_insert_with(|| {
            self.batch.frames.push(frame);
            next
        })
    }

    pub(crate) fn finish(self) -> OrderBatch {
        self.batch
    }
}

impl OrderBatch {
    /// The orders, in the order in which they were given. One that names a frame that is not there is left out.
    pub(crate) fn unpack(self) -> impl Iterator<Item = (SocketNumber, StreamId, Order)> {
        let Self { frames, orders } = self;
        orders.into_iter().filter_map(move |(socket, stream, packed)| {
            let frame = |index: u32| frames.get(index as usize).cloned();
            let order = match packed {
                PackedOrder::Frames {
                    base,
                    first,
                    frames,
                    told,
                } => Order::Frames {
                    base,
                    first,
                    told,
                    frames: frames.into_iter().map(frame).collect::<Option<_>>()?,
                },
                PackedOrder::Aside(index) => Order::Aside(frame(index)?),
                PackedOrder::Close => Order::Close,
            };
            Some((socket, stream, order))
        })
    }
}

/// Cuts orders and deliveries into the parts for each lane.
pub(crate) fn route(direct: Direct, lanes: usize, lane_of: &dyn Fn(&Key) -> usize) -> Vec<(usize, Direct)> {
    match direct {
        Direct::Orders(batch) => {
            let mut packers: HashMap<usize, Packer> = HashMap::new();
            for (socket, stream, order) in batch.unpack() {
                let packer = packers.entry(socket.lane()).or_default();
                packer.add(socket, stream, order);
            }
            packers
                .into_iter()
                .map(|(lane, packer)| (lane, Direct::Orders(packer.finish())))
                .collect()
        }
        Direct::Delivered(all) => {
            let mut by_lane: HashMap<usize, Vec<Delivered>> = HashMap::new();
            for delivered in all {
                by_lane
                    .entry(lane_of(&delivered.session))
                    .or_default()
                    .push(delivered);
            }
            by_lane
                .into_iter()
                .map(|(lane, all)| (lane, Direct::Delivered(all)))
                .collect()
        }
        Direct::Volatile(topic, event) => (0..lanes)
            .map(|lane| (lane, Direct::Volatile(topic.clone(), event.clone())))
            .collect(),
        Direct::Query(query) => (0..lanes)
            .map(|lane| (lane, Direct::Query(query.clone())))
            .collect(),
        one @ (Direct::QueryReply(_) | Direct::Presence(_)) => vec![(0, one)],
    }
}

/// Orders for the sockets of other nodes, gathered during a lane's turn.
#[derive(Default)]
pub(crate) struct Outbound(HashMap<NodeId, Packer>);

impl Outbound {
    pub(crate) fn add(&mut self, node: &NodeId, socket: SocketNumber, stream: StreamId, order: Order) {
        match self.0.get_mut(node) {
            Some(packer) => packer.add(socket, stream, order),
            None => {
                let mut packer = Packer::default();
                packer.add(socket, stream, order);
                self.0.insert(node.clone(), packer);
            }
        }
    }

    pub(crate) fn take(&mut self) -> impl Iterator<Item = (NodeId, Direct)> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|(node, packer)| (node, Direct::Orders(packer.finish())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_engineio::{Message, Packet};

    fn frame(text: &str) -> Frame {
        Frame::encode(&Packet::Message(Message::Text(text.to_owned().into())))
    }

    #[test]
    fn a_shared_frame_travels_once_and_comes_to_all() {
        let shared = frame("shared");
        let mut packer = Packer::default();
        let orders: Vec<_> = (0..3)
            .map(|number| {
                let frames = vec![shared.clone(), frame("own")];
                (
                    SocketNumber(number),
                    StreamId::random(),
                    Order::Frames {
                        base: 0,
                        first: number,
                        frames,
                        told: None,
                    },
                )
            })
            .chain([
                (SocketNumber(1), StreamId::default(), Order::Aside(shared.clone())),
                (SocketNumber(1), StreamId::default(), Order::Close),
            ])
            .collect();
        orders
            .iter()
            .for_each(|(socket, stream, order)| packer.add(*socket, *stream, order.clone()));
        let batch = packer.finish();
        assert_eq!(batch.frames.len(), 4);
        assert_eq!(batch.unpack().collect::<Vec<_>>(), orders);
    }

    #[test]
    fn orders_come_to_the_lane_of_their_socket_in_order() {
        let mut packer = Packer::default();
        for number in [1, 64, 65] {
            packer.add(
                SocketNumber(number),
                StreamId::default(),
                Order::Aside(frame("x")),
            );
        }
        let mut parts = route(Direct::Orders(packer.finish()), 2, &|_| 0);
        parts.sort_by_key(|(lane, _)| *lane);
        let sockets: Vec<(usize, Vec<u64>)> = parts
            .into_iter()
            .map(|(lane, direct)| match direct {
                Direct::Orders(batch) => (lane, batch.unpack().map(|(socket, ..)| socket.0).collect()),
                _ => panic!("orders stay orders"),
            })
            .collect();
        assert_eq!(sockets, [(0, vec![64]), (1, vec![1, 65])]);
    }
}
