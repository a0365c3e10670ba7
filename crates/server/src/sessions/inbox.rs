//! What a client has sent and the session has not taken yet.
//!
//! A push is taken packet by packet, as fast as its events are handled and as the client's budgets allow; only then is it
//! answered, and only then does the client's node send more. What is left of it is no part of the session's state: whoever
//! asked asks again when the session goes on elsewhere, and the session knows how much of it it had taken.

use std::collections::VecDeque;

use hither_engineio::{CloseReason, Packet, Payload, Refusal};

use super::{
    LaneEvent,
    cause::Cause,
    env::{Env, Lane},
    polling::Taken,
    session::{Reply, Session},
};
use crate::request::{RequestId, SessionReply, SocketAddress, SocketFrame};

/// Pushes that wait for one session. A client has one under way on each transport; a few more come of proxies that repeat.
const MAX_PUSHES: usize = 4;
/// Packets that are taken in one turn of the lane, before other sessions have theirs.
const PACKETS_PER_TURN: usize = 256;

/// The pushes of a client that are under way, the first of them being taken.
#[derive(Default)]
pub(crate) struct Inbox(VecDeque<Push>);

/// One push.
struct Push {
    content: Content,
    reply: Reply,
}

enum Content {
    Payload {
        id: RequestId,
        /// The number of the next packet.
        next: u32,
        packets: Payload,
    },
    Frames {
        socket: SocketAddress,
        /// The number of the next frame.
        next: u64,
        frames: std::vec::IntoIter<SocketFrame>,
    },
}

impl Content {
    /// Whether this is the same push, asked again.
    fn is_again(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Payload { id, .. }, Self::Payload { id: again, .. }) => id == again,
            (Self::Frames { socket, .. }, Self::Frames { socket: again, .. }) => socket == again,
            _ => false,
        }
    }
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is asked again takes the place of what was asked before. Gives back the reply to one that finds no room.
    fn put(&mut self, content: Content, reply: Reply) -> Option<Reply> {
        if let Some(push) = self.0.iter_mut().find(|push| push.content.is_again(&content)) {
            // Whoever asked before waits no more. What is left of a payload is left of it when it is asked again, too.
            push.reply = reply;
            if let Content::Frames { .. } = content {
                push.content = content;
            }
            return None;
        }
        if self.0.len() == MAX_PUSHES {
            return Some(reply);
        }
        self.0.push_back(Push { content, reply });
        None
    }

    /// The session goes on elsewhere: whoever asked asks there.
    pub(super) fn move_on(&mut self) {
        for push in self.0.drain(..) {
            push.reply.moved();
        }
    }
}

/// Bytes that a client has sent for a packet, nearly.
fn size(packet: &Packet) -> usize {
    match packet {
        Packet::Message(message) => message.len(),
        Packet::Ping(data) | Packet::Pong(data) | Packet::Open(data) => data.len(),
        Packet::Close | Packet::Upgrade | Packet::Noop => 0,
    }
}

/// What taking one packet led to.
enum Step {
    Packet,
    /// The push is over.
    End,
}

impl Session {
    /// A payload that a client has posted.
    pub(super) fn put_payload(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        id: RequestId,
        packets: Payload,
        reply: Reply,
    ) {
        let next = match self.polling.pushes.begin(id) {
            Taken::Packets(next) => next,
            Taken::All => return reply.send(SessionReply::Done),
        };
        // What was taken before it was asked again.
        let mut packets = packets;
        if let Some(last) = next.checked_sub(1) {
            packets.nth(last as usize);
        }
        let content = Content::Payload { id, next, packets };
        if let Some(reply) = self.inbox.put(content, reply) {
            reply.send(SessionReply::Refused(Refusal::BadRequest));
        }
        self.take_input(env, lane);
    }

    /// Frames that came on the session's socket.
    pub(super) fn put_frames(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        socket: SocketAddress,
        next: u64,
        frames: Vec<SocketFrame>,
        reply: Reply,
    ) {
        let frames = frames.into_iter();
        let content = Content::Frames { socket, next, frames };
        if let Some(reply) = self.inbox.put(content, reply) {
            reply.send(SessionReply::Refused(Refusal::BadRequest));
        }
        self.take_input(env, lane);
    }

    /// Takes what the client has sent, as far as there is room, and answers what is taken.
    pub(crate) fn take_input(&mut self, env: &mut Env, lane: &mut Lane) {
        for _ in 0..PACKETS_PER_TURN {
            if self.inbox.is_empty() || self.engine.close_reason().is_some() || self.frozen {
                break;
            }
            if self.jobs.bytes() >= env.shared.config.max_incoming_bytes {
                // Goes on when a job is done.
                return self.drive(env, lane);
            }
            if let Err(until) = self.budget.check(&env.shared.config.client_limits, lane.now()) {
                if self.throttled.replace(until).is_none() {
                    env.shared.counters.throttled.up();
                }
                return self.drive(env, lane);
            }
            match self.take_one(lane) {
                Step::Packet => {
                    self.drain(env, lane);
                    self.check_size(env);
                }
                Step::End => {
                    if let Some(push) = self.inbox.0.pop_front() {
                        push.reply.send(SessionReply::Done);
                    }
                }
            }
        }
        self.ask_to_go_on(lane);
        self.drive(env, lane);
    }

    /// A call of the application begins: when half of the room for them is free, more is taken.
    pub(super) fn go_on(&mut self, env: &Env, lane: &Lane) {
        if self.jobs.bytes() < env.shared.config.max_incoming_bytes / 2 {
            self.ask_to_go_on(lane);
        }
    }

    fn ask_to_go_on(&mut self, lane: &Lane) {
        if !self.inbox.is_empty() && !self.going_on {
            self.going_on = true;
            let session = self.key.clone();
            lane.handle().send(LaneEvent::GoOn { session });
        }
    }

    fn take_one(&mut self, lane: &Lane) -> Step {
        let Some(push) = self.inbox.0.front_mut() else {
            return Step::End;
        };
        match &mut push.content {
            Content::Payload { id, next, packets } => {
                let id = *id;
                let Some(packet) = packets.next() else {
                    self.polling.pushes.take(id, Taken::All);
                    return Step::End;
                };
                self.input = Cause::of_frame(&self.key, id.0, u64::from(*next));
                *next += 1;
                self.budget.spend(size(&packet));
                self.polling.pushes.take(id, Taken::Packets(*next));
                self.engine.payload_packet(packet, lane.now());
            }
            Content::Frames { socket, next, frames } => {
                let Some(own) = self.socket.as_mut().filter(|own| own.address == *socket) else {
                    return Step::End;
                };
                let Some(frame) = frames.next() else {
                    return Step::End;
                };
                let number = *next;
                *next += 1;
                if number < own.next {
                    // Handled before our answer was lost.
                    return Step::Packet;
                }
                own.next = *next;
                self.input = Cause::of_frame(&self.key, socket.number.0, number);
                let packet = match frame {
                    SocketFrame::Text(text) => Packet::decode_text(text),
                    SocketFrame::Binary(bytes) => Ok(Packet::decode_binary(bytes)),
                };
                self.budget.spend(packet.as_ref().map_or(0, size));
                self.engine.websocket_packet(packet, lane.now());
            }
        }
        Step::Packet
    }

    /// The session ends: nothing more is taken.
    pub(super) fn end_input(&mut self, reason: CloseReason) {
        for Push { content, reply } in self.inbox.0.drain(..) {
            reply.send(match content {
                Content::Payload { .. } if reason != CloseReason::TransportClose => {
                    SessionReply::Refused(Refusal::BadRequest)
                }
                _ => SessionReply::Done,
            });
        }
    }
}
