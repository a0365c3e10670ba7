//! A client, as it looks at what it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hither_replication::NodeId;

use super::{Verdict, app::text};
use crate::{ClientOffset, ClosedBecause, EndpointId, OutputNumber, ServerPacket, SocketId};

/// A connection of a client.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) endpoint: EndpointId,
    pub(super) node: NodeId,
    pub(super) is_open: bool,
    /// What is on its way to the client.
    pub(super) incoming: VecDeque<ServerPacket>,
    /// What it was asked and has not answered.
    pub(super) asked: Vec<OutputNumber>,
    all_asked: BTreeSet<OutputNumber>,
}

/// What a client has asked for and was not answered, by its own number.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) x: u64,
    pub(super) event: String,
    pub(super) sent_at: u64,
}

/// A client of one socket.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: SocketId,
    pub(super) was_connected: bool,
    /// There was a split: its socket may be on the side that ends.
    pub(super) may_begin_anew: bool,
    /// It has said that it leaves.
    pub(super) is_leaving: bool,
    /// It has left, or is not wanted.
    pub(super) is_over: bool,
    pub(super) connection: Option<Connection>,
    pub(super) offset: Option<ClientOffset>,
    pub(super) pending: VecDeque<Pending>,
    /// How many words the data had when it was answered last.
    length: usize,
    pub(super) answered: Vec<Answered>,
    pub(super) told: BTreeMap<String, Vec<u64>>,
    /// Rooms that it wanted to leave, and when.
    pub(super) left: Vec<(String, u64)>,
    /// What it said, and in which room.
    pub(super) said: Vec<(String, u64)>,
    pub(super) closed: Vec<ClosedBecause>,
}

/// What a client was answered.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) pending: Pending,
    pub(super) length: usize,
    pub(super) at: u64,
}

impl Client {
    pub(super) fn new(socket: SocketId) -> Self {
        Self {
            socket,
            was_connected: false,
            may_begin_anew: false,
            is_leaving: false,
            is_over: false,
            connection: None,
            offset: None,
            pending: VecDeque::new(),
            length: 0,
            answered: Vec::new(),
            told: BTreeMap::new(),
            left: Vec::new(),
            said: Vec::new(),
            closed: Vec::new(),
        }
    }

    pub(super) fn connect(&mut self, endpoint: EndpointId, node: NodeId) {
        self.pending.clear();
        self.connection = Some(Connection {
            endpoint,
            node,
            is_open: false,
            incoming: VecDeque::new(),
            asked: Vec::new(),
            all_asked: BTreeSet::new(),
        });
    }

    /// The client asks for something.
    pub(super) fn ask(&mut self, x: u64, event: String, now: u64) {
        let parts: Vec<&str> = event.split_whitespace().collect();
        match parts.as_slice() {
            ["leave", room, _] => self.left.push(((*room).to_owned(), now)),
            ["say" | "addsay", room, _] => self.said.push(((*room).to_owned(), x)),
            _ => {}
        }
        let sent_at = now;
        self.pending.push_back(Pending { x, event, sent_at });
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.is_open)
    }

    /// The client reads one thing of what has come.
    pub(super) fn read(&mut self, now: u64) -> Verdict {
        let Some(packet) = self.connection.as_mut().and_then(|it| it.incoming.pop_front()) else {
            return Ok(());
        };
        match packet {
            ServerPacket::Connected { recovered } => self.on_connected(recovered),
            ServerPacket::Answer { ack, answer } => self.on_answer(ack, text(&answer), now),
            ServerPacket::Event { event, offset } => {
                self.offset = Some(offset);
                self.on_event(text(&event))
            }
            ServerPacket::Asking { asked, event } => {
                let Some(connection) = &mut self.connection else {
                    return Ok(());
                };
                connection.asked.push(asked);
                if !connection.all_asked.insert(asked) {
                    return Err(format!("{:?} is asked {event:?} twice", self.socket));
                }
                Ok(())
            }
            ServerPacket::Closed(because) => self.on_closed(because),
        }
    }

    fn on_connected(&mut self, recovered: bool) -> Verdict {
        if recovered != self.was_connected {
            return Err(format!("{:?} is connected, recovered: {recovered}", self.socket));
        }
        self.was_connected = true;
        if let Some(connection) = &mut self.connection {
            connection.is_open = true;
        }
        Ok(())
    }

    fn on_answer(&mut self, ack: u64, answer: &str, now: u64) -> Verdict {
        let Some(pending) = self.pending.pop_front() else {
            return Err(format!("{:?} is answered {ack} twice", self.socket));
        };
        if pending.x != ack {
            return Err(format!("{:?} is answered {ack} before {pending:?}", self.socket));
        }
        let Some((x, length)) = answer.split_once(' ') else {
            return Err(format!("{answer} is no answer"));
        };
        let length: usize = length.parse().expect("a length");
        let adds = usize::from(pending.event.starts_with("add"));
        if x != ack.to_string() || length < self.length + adds {
            return Err(format!(
                "{:?} is answered {answer} after {} words",
                self.socket, self.length
            ));
        }
        self.length = length;
        let at = now;
        self.answered.push(Answered { pending, length, at });
        Ok(())
    }

    fn on_event(&mut self, event: &str) -> Verdict {
        let Some((kind, x)) = event.split_once(' ') else {
            return Err(format!("{event} is no event"));
        };
        let told = self.told.entry(kind.to_owned()).or_default();
        let x: u64 = x.parse().expect("a number");
        if told.contains(&x) {
            return Err(format!("{:?} is told {event} twice", self.socket));
        }
        told.push(x);
        Ok(())
    }

    /// It has another socket from now on, but goes on to show what it has heard.
    fn begin_anew(&mut self) {
        let mut fresh = Self::new(self.socket);
        fresh.may_begin_anew = true;
        fresh.offset = self.offset.take();
        fresh.closed = std::mem::take(&mut self.closed);
        *self = fresh;
    }

    fn on_closed(&mut self, because: ClosedBecause) -> Verdict {
        self.connection = None;
        self.closed.push(because.clone());
        match because {
            ClosedBecause::Ended | ClosedBecause::Refused(_) => {
                self.is_over = true;
                Ok(())
            }
            // A former connection of the same client was late. It returns.
            ClosedBecause::Superseded => Ok(()),
            ClosedBecause::Unknown if !self.was_connected || self.is_leaving => {
                self.is_over = true;
                Ok(())
            }
            ClosedBecause::Unknown | ClosedBecause::CannotResume if self.may_begin_anew => {
                self.begin_anew();
                Ok(())
            }
            other => Err(format!("{:?} is closed: {other:?}", self.socket)),
        }
    }
}
