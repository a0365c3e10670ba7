//! The orders that wait for a socket which cannot take them yet: within a bound, whoever gives them.

use hither_engineio::Frame;

use super::direct::Order;

/// Bytes of orders that wait for one socket. An owner has far less under way to a socket that confirms nothing: more comes
/// of repetitions, or of a peer that breaks the rules.
const MAX_BYTES: usize = 1 << 20;
/// What an order takes apart from its frames' bytes.
const ORDER_OVERHEAD: usize = size_of::<Order>();

/// Orders in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct WaitingOrders {
    orders: Vec<Order>,
    bytes: usize,
    /// Whether some were dropped: then the owner has to be told that frames are missing.
    dropped: bool,
}

fn cost(order: &Order) -> usize {
    let frame = |frame: &Frame| frame.bytes().len() + size_of::<Frame>();
    ORDER_OVERHEAD
        + match order {
            Order::Frames { frames, .. } => frames.iter().map(frame).sum(),
            Order::Aside(one) => frame(one),
            Order::Close => 0,
        }
}

impl WaitingOrders {
    /// Adds an order, or drops it when too much waits. One fits always, however large, and so does the order to close.
    pub(super) fn push(&mut self, order: Order) {
        let bytes = self.bytes + cost(&order);
        let is_first = self.orders.is_empty();
        let is_new_end = order == Order::Close && self.orders.last() != Some(&Order::Close);
        if bytes > MAX_BYTES && !is_first && !is_new_end {
            self.dropped = true;
            return;
        }
        self.bytes = bytes;
        self.orders.push(order);
    }

    /// All of them, and whether some are missing.
    pub(super) fn into_parts(self) -> (Vec<Order>, bool) {
        (self.orders, self.dropped)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.orders.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_engineio::{Message, Packet};

    fn aside(bytes: usize) -> Order {
        let message = Message::Binary(vec![0; bytes].into());
        Order::Aside(Frame::encode(&Packet::Message(message)))
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_dropped_is_known() {
        let mut waiting = WaitingOrders::default();
        (0..10_000).for_each(|_| waiting.push(aside(1_000)));
        assert!(waiting.bytes <= MAX_BYTES);
        (0..10_000).for_each(|_| waiting.push(Order::Close));
        assert!(waiting.bytes <= MAX_BYTES + ORDER_OVERHEAD);
        let (orders, dropped) = waiting.into_parts();
        assert!(dropped && orders.len() > 500);
        assert_eq!(orders.last(), Some(&Order::Close), "the end comes through");
    }

    #[test]
    fn one_order_fits_however_large() {
        let mut waiting = WaitingOrders::default();
        waiting.push(aside(2 * MAX_BYTES));
        assert!(!waiting.into_parts().1);
    }
}
