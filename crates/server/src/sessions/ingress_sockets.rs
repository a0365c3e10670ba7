//! The WebSockets that landed on this node and whose write halves this lane owns, whoever owns their sessions.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hither_cluster::{Key, NodeId, Placement};
use hither_engineio::Frame;
use tracing::debug;

use super::{
    direct::{Delivered, Order},
    eviction::{self, Eviction, Pace},
    history::Place,
    waiting_orders::WaitingOrders,
};
use crate::{
    ingress::{CloseCode, SocketWriter, WriteOutcome},
    request::{SocketNumber, StreamId},
};

/// How long a client that takes nothing may take for what it was sent before the end of its session. With the time that it
/// may take to close its side, it is gone within two seconds.
const LAST_FRAMES: Duration = Duration::from_millis(500);

/// The sockets of one lane.
#[derive(Default)]
pub(crate) struct IngressSockets {
    sockets: HashMap<SocketNumber, IngressSocket>,
    /// The sockets that are to be closed, for this node leaves.
    eviction: Option<Eviction>,
    /// Whether that has begun: a socket that opens now closes at once.
    evicting: bool,
    /// The blocked sockets that are to be closed, and when at the latest; none before that was looked at.
    closing: Vec<(SocketNumber, Option<Instant>)>,
    /// Where frames are put together for a write; shared, so that an idle socket holds no buffer.
    scratch: Vec<u8>,
}

struct IngressSocket {
    session: Key,
    /// The stream that it is written: what others say is not for it.
    stream: StreamId,
    /// The stream that was offered to whoever has its session now, while that has not answered.
    offered: Option<StreamId>,
    /// The node that last had something to say on it: who is told how far it is.
    owner: Option<NodeId>,
    /// The sequence number of the next frame it wants; none before its first order says where to begin.
    next: Option<u64>,
    /// How far its client is told, where that is known exactly.
    told: Option<Place>,
    state: SocketState,
}

enum SocketState {
    /// Its number is given out; the upgrade is not complete.
    Reserved(WaitingOrders),
    Open(SocketWriter),
    /// The client takes nothing at present. What is given meanwhile waits.
    Blocked(SocketWriter, WaitingOrders),
}

/// What the lane has to do for a socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SocketNews {
    /// How far it is, for the owner of its session to know.
    Delivered { owner: NodeId, delivered: Delivered },
    /// A node has something to say on it that is not of its stream.
    Stray { number: SocketNumber, from: NodeId },
    /// Wait until it can be written to, then call [`IngressSockets::writable`].
    AwaitWritable(SocketNumber),
}

/// A socket that looks for its session.
pub(crate) struct Looking {
    pub(crate) session: Key,
    pub(crate) stream: StreamId,
    pub(crate) next: Option<u64>,
    pub(crate) told: Option<Place>,
    /// A stream for a session that does not know the other.
    pub(crate) otherwise: StreamId,
}

impl IngressSocket {
    /// Whether a stream is the one that it is written. While it looks for its session none is, for what it said of how far
    /// it is has to stay true, until somebody takes up the stream that it offers.
    fn follows(&mut self, stream: StreamId) -> bool {
        match self.offered {
            Some(offered) if offered == stream => {
                self.offered = None;
                self.stream = stream;
                true
            }
            Some(_) => false,
            None => self.stream == stream,
        }
    }

    /// Nothing before an owner has said something.
    fn delivered(&self, socket: SocketNumber, gap: bool) -> Option<SocketNews> {
        let (owner, next) = (self.owner.clone()?, self.next?);
        let delivered = Delivered {
            session: self.session.clone(),
            socket,
            stream: self.stream,
            next,
            gap,
        };
        Some(SocketNews::Delivered { owner, delivered })
    }
}

impl IngressSockets {
    /// A number is given to a socket that is about to open.
    pub(crate) fn reserve(&mut self, number: SocketNumber, session: Key) {
        let state = SocketState::Reserved(WaitingOrders::default());
        self.sockets.insert(
            number,
            IngressSocket {
                session,
                stream: StreamId::default(),
                offered: None,
                owner: None,
                next: None,
                told: None,
                state,
            },
        );
    }

    /// A reserved socket is open.
    pub(crate) fn open(&mut self, number: SocketNumber, writer: SocketWriter, news: &mut Vec<SocketNews>) {
        let Some(socket) = self.sockets.get_mut(&number) else {
            return;
        };
        if let SocketState::Reserved(early) = std::mem::replace(&mut socket.state, SocketState::Open(writer))
        {
            self.execute_all(number, early, news);
        }
        if self.evicting {
            self.end(number, CloseCode::Restart);
        }
    }

    /// The reader of a socket has ended: nothing can be written any more. Says whether it had been open.
    pub(crate) fn ended(&mut self, number: SocketNumber, close: Option<CloseCode>) -> bool {
        let Some(socket) = self.sockets.remove(&number) else {
            return false;
        };
        match socket.state {
            SocketState::Reserved(_) => false,
            SocketState::Open(mut writer) | SocketState::Blocked(mut writer, _) => {
                if let Some(code) = close {
                    writer.close(code);
                }
                true
            }
        }
    }

    /// The session of a socket.
    pub(crate) fn session(&self, number: SocketNumber) -> Option<&Key> {
        self.sockets.get(&number).map(|socket| &socket.session)
    }

    /// A socket is to look for its session; none if it does.
    pub(crate) fn look_for_session(&mut self, number: SocketNumber) -> Option<Looking> {
        let socket = self.sockets.get_mut(&number)?;
        if socket.offered.is_some() {
            return None;
        }
        let otherwise = StreamId::random();
        socket.offered = Some(otherwise);
        Some(Looking {
            session: socket.session.clone(),
            stream: socket.stream,
            next: socket.next,
            told: socket.told,
            otherwise,
        })
    }

    /// The session of a socket goes on with this stream.
    pub(crate) fn reattached(&mut self, number: SocketNumber, stream: StreamId, news: &mut Vec<SocketNews>) {
        if let Some(socket) = self.sockets.get_mut(&number)
            && !socket.follows(stream)
            && socket.offered.take().is_some()
        {
            // As before. What was said meanwhile was not taken.
            news.extend(socket.delivered(number, true));
        }
    }

    /// Whether frames for the socket would only wait.
    pub(crate) fn is_blocked(&self, number: SocketNumber) -> bool {
        self.sockets
            .get(&number)
            .is_some_and(|socket| matches!(socket.state, SocketState::Blocked(..)))
    }

    /// The future that completes when a socket can be written to again.
    pub(crate) fn when_writable(
        &self,
        number: SocketNumber,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        match &self.sockets.get(&number)?.state {
            SocketState::Blocked(writer, _) => Some(writer.wait_writable()),
            SocketState::Reserved(_) | SocketState::Open(_) => None,
        }
    }

    /// A node has an order for a socket.
    pub(crate) fn order(
        &mut self,
        from: &NodeId,
        number: SocketNumber,
        stream: StreamId,
        order: Order,
        news: &mut Vec<SocketNews>,
    ) {
        let Some(socket) = self.sockets.get_mut(&number) else {
            // Its reader tells the session that it is gone.
            return debug!(number = number.0, "a command for a socket that is gone");
        };
        if socket.follows(stream) {
            if socket.owner.as_ref() != Some(from) {
                socket.owner = Some(from.clone());
            }
            self.execute(number, order, news);
        } else if socket.offered.is_none() {
            let from = from.clone();
            news.push(SocketNews::Stray { number, from });
        }
    }

    /// The client sent a WebSocket ping.
    pub(crate) fn pinged(&mut self, number: SocketNumber, payload: Bytes, news: &mut Vec<SocketNews>) {
        match self.sockets.get_mut(&number).map(|socket| &mut socket.state) {
            Some(SocketState::Open(writer)) => {
                let outcome = writer.pong(payload, &mut self.scratch);
                self.concluded(number, outcome, news);
            }
            Some(SocketState::Blocked(writer, _)) => {
                writer.pong(payload, &mut self.scratch);
            }
            Some(SocketState::Reserved(_)) | None => {}
        }
    }

    /// A blocked socket can be written to.
    pub(crate) fn writable(&mut self, number: SocketNumber, news: &mut Vec<SocketNews>) {
        let Some(socket) = self.sockets.get_mut(&number) else {
            return;
        };
        let SocketState::Blocked(writer, waiting) = &mut socket.state else {
            return;
        };
        let outcome = writer.resume(&mut self.scratch);
        let mut orders = WaitingOrders::default();
        if outcome == WriteOutcome::Written {
            orders = std::mem::take(waiting);
            let reserved = SocketState::Reserved(WaitingOrders::default());
            if let SocketState::Blocked(writer, _) = std::mem::replace(&mut socket.state, reserved) {
                socket.state = SocketState::Open(writer);
            }
        }
        self.concluded(number, outcome, news);
        self.execute_all(number, orders, news);
    }

    /// The members changed: a socket whose session's owner is gone has nobody to speak to.
    pub(crate) fn orphans(&self, now: &Placement) -> Vec<SocketNumber> {
        let gone = |socket: &IngressSocket| {
            socket
                .owner
                .as_ref()
                .is_some_and(|owner| now.view().member(owner).is_none())
        };
        self.sockets
            .iter()
            .filter(|(_, socket)| gone(socket))
            .map(|(number, _)| *number)
            .collect()
    }

    /// Every socket that is or will be open.
    pub(crate) fn all(&self) -> Vec<SocketNumber> {
        self.sockets.keys().copied().collect()
    }

    /// All sockets that are here now are to be closed at this pace, and later ones as soon as they open.
    pub(crate) fn evict(&mut self, pace: Pace, now: Instant) {
        self.evicting = true;
        self.eviction = Some(Eviction::new(self.all(), pace, now));
    }

    /// Closes the sockets that are to be closed and wait no longer.
    pub(crate) fn evict_some(&mut self, now: Instant) {
        let Some(mut eviction) = self.eviction.take() else {
            return;
        };
        for number in eviction.expire(now) {
            self.end(number, CloseCode::Restart);
        }
        if !eviction.is_over() {
            self.eviction = Some(eviction);
        }
    }

    /// Closes the sockets whose session has ended and whose client has not taken all in time.
    pub(crate) fn close_overdue(&mut self, now: Instant) {
        let mut closing = std::mem::take(&mut self.closing);
        closing.retain_mut(|(number, deadline)| {
            let is_due = *deadline.get_or_insert(now + LAST_FRAMES) <= now;
            if is_due {
                self.end(*number, CloseCode::Normal);
            }
            !is_due
        });
        self.closing = closing;
    }

    /// Closes a socket at once.
    pub(crate) fn close(&mut self, number: SocketNumber) {
        self.end(number, CloseCode::Away);
    }

    fn end(&mut self, number: SocketNumber, code: CloseCode) {
        if let Some(socket) = self.sockets.get_mut(&number) {
            match &mut socket.state {
                SocketState::Open(writer) | SocketState::Blocked(writer, _) => writer.close(code),
                SocketState::Reserved(early) => early.push(Order::Close),
            }
        }
    }

    /// Executes what has waited.
    fn execute_all(&mut self, number: SocketNumber, waiting: WaitingOrders, news: &mut Vec<SocketNews>) {
        let (orders, dropped) = waiting.into_parts();
        for order in orders {
            self.execute(number, order, news);
        }
        if dropped && let Some(socket) = self.sockets.get(&number) {
            debug!(
                number = number.0,
                "too much waited for a socket: the rest is asked for again"
            );
            news.extend(socket.delivered(number, true));
        }
    }

    fn execute(&mut self, number: SocketNumber, order: Order, news: &mut Vec<SocketNews>) {
        let Some(socket) = self.sockets.get_mut(&number) else {
            return;
        };
        let writer = match &mut socket.state {
            SocketState::Open(writer) => writer,
            SocketState::Blocked(_, waiting) => {
                if matches!(order, Order::Close) {
                    self.closing.push((number, None));
                }
                return waiting.push(order);
            }
            SocketState::Reserved(early) => return early.push(order),
        };
        let mut answers = false;
        let outcome = match order {
            Order::Frames {
                base,
                first,
                mut frames,
                told,
            } => {
                let next = socket.next.get_or_insert(base);
                if first > *next {
                    return news.extend(socket.delivered(number, true));
                }
                let known = usize::try_from(*next - first)
                    .unwrap_or(usize::MAX)
                    .min(frames.len());
                frames.drain(..known);
                *next += frames.len() as u64;
                if !frames.is_empty() || told.is_some() {
                    socket.told = told;
                }
                if frames.is_empty() {
                    // A repetition: our word that it was written has got lost.
                    WriteOutcome::Written
                } else {
                    // Not if the session has more to say, such as the attachments of the answer.
                    answers =
                        self.eviction.is_some() && told.is_some() && frames.iter().any(eviction::is_answer);
                    writer.write(&frames, &mut self.scratch)
                }
            }
            Order::Aside(frame) => writer.write(std::slice::from_ref::<Frame>(&frame), &mut self.scratch),
            Order::Close => return writer.close(CloseCode::Normal),
        };
        self.concluded(number, outcome, news);
        if answers
            && outcome == WriteOutcome::Written
            && self
                .eviction
                .as_mut()
                .is_some_and(|eviction| eviction.answered(number))
        {
            self.end(number, CloseCode::Restart);
        }
    }

    fn concluded(&mut self, number: SocketNumber, outcome: WriteOutcome, news: &mut Vec<SocketNews>) {
        let Entry::Occupied(mut entry) = self.sockets.entry(number) else {
            return;
        };
        match outcome {
            WriteOutcome::Written => {
                news.extend(entry.get().delivered(number, false));
            }
            WriteOutcome::Blocked => {
                let placeholder = SocketState::Reserved(WaitingOrders::default());
                let socket = entry.get_mut();
                socket.state = match std::mem::replace(&mut socket.state, placeholder) {
                    SocketState::Open(writer) => SocketState::Blocked(writer, WaitingOrders::default()),
                    other => other,
                };
                news.push(SocketNews::AwaitWritable(number));
            }
            // The reader notices too, and tells the session.
            WriteOutcome::Failed => debug!(number = number.0, "a write to a socket failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_cluster::Incarnation;

    const NUMBER: SocketNumber = SocketNumber(1);

    fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
        }
    }

    /// Gives an order; says whether the socket took it, and what is to be done.
    fn order(sockets: &mut IngressSockets, from: &str, stream: StreamId) -> (bool, Vec<SocketNews>) {
        let mut news = Vec::new();
        let early = |sockets: &IngressSockets| match &sockets.sockets[&NUMBER].state {
            SocketState::Reserved(early) => early.len(),
            SocketState::Open(_) | SocketState::Blocked(..) => 0,
        };
        let before = early(sockets);
        sockets.order(&node(from), NUMBER, stream, Order::Close, &mut news);
        (early(sockets) > before, news)
    }

    #[test]
    fn what_another_copy_of_the_session_says_is_not_for_the_socket() {
        let mut sockets = IngressSockets::default();
        sockets.reserve(NUMBER, "session".into());
        let first = StreamId::default();
        assert_eq!(order(&mut sockets, "a", first), (true, Vec::new()));

        let offered = sockets.look_for_session(NUMBER).unwrap().otherwise;
        assert!(sockets.look_for_session(NUMBER).is_none(), "it does already");
        let not_found_yet = order(&mut sockets, "a", first);
        assert_eq!(not_found_yet, (false, Vec::new()));
        assert_eq!(order(&mut sockets, "b", offered), (true, Vec::new()));

        let stray = SocketNews::Stray {
            number: NUMBER,
            from: node("a"),
        };
        assert_eq!(order(&mut sockets, "a", first), (false, vec![stray]));
        assert_eq!(sockets.sockets[&NUMBER].owner, Some(node("b")));
    }

    #[test]
    fn a_session_may_go_on_as_it_did() {
        let mut sockets = IngressSockets::default();
        sockets.reserve(NUMBER, "session".into());
        let stream = StreamId::default();
        order(&mut sockets, "a", stream);
        sockets.sockets.get_mut(&NUMBER).unwrap().next = Some(7);

        let offered = sockets.look_for_session(NUMBER).unwrap().otherwise;
        let mut news = Vec::new();
        sockets.reattached(NUMBER, stream, &mut news);
        let again = SocketNews::Delivered {
            owner: node("a"),
            delivered: Delivered {
                session: "session".into(),
                socket: NUMBER,
                stream,
                next: 7,
                gap: true,
            },
        };
        assert_eq!(news, [again]);
        let (taken, news) = order(&mut sockets, "a", offered);
        assert!(!taken && news.len() == 1, "nothing is on offer any more");
        assert_eq!(order(&mut sockets, "a", stream), (true, Vec::new()));
    }

    #[test]
    fn what_was_taken_up_already_is_not_said_again() {
        let mut sockets = IngressSockets::default();
        sockets.reserve(NUMBER, "session".into());
        let offered = sockets.look_for_session(NUMBER).unwrap().otherwise;
        assert_eq!(order(&mut sockets, "b", offered), (true, Vec::new()));
        let mut news = Vec::new();
        sockets.reattached(NUMBER, offered, &mut news);
        assert_eq!(news, []);
    }
}
