//! The end of one client's connection, as far as one socket is concerned.

use std::collections::VecDeque;

use crate::{
    ids::{AttachmentNumber, EndpointId, FrameNumber, SocketId},
    message::{ClientPacket, ClosedBecause, How, Progress, ServerPacket, ToEndpoint, ToSocket},
    state::Own,
};

/// Keeps what the client sent until it is handled, and knows how far the client was told.
///
/// It attaches itself to whoever holds the socket's shard, and again whenever that is another node or something may be
/// lost on the way. It lives no longer than the connection.
#[derive(Debug)]
pub struct Endpoint {
    id: EndpointId,
    socket: SocketId,
    /// How it comes to the socket first.
    how: How,
    attachment: AttachmentNumber,
    /// The latest attachment was answered.
    is_attached: bool,
    /// One of them was.
    was_attached: bool,
    frames: VecDeque<(FrameNumber, ClientPacket)>,
    /// What these take.
    bytes: usize,
    last_frame: FrameNumber,
    progress: Progress,
}

/// What is to be done with what came from a holder.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) packets: Vec<ServerPacket>,
    pub(crate) reply: Option<ToSocket>,
    pub(crate) is_closed: bool,
}

impl Endpoint {
    /// While so many frames are not handled, no more should be read of the client.
    pub const MAX_FRAMES: usize = 64;
    /// The same for their bytes.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Of a new connection.
    pub fn new(id: EndpointId, socket: SocketId, how: How) -> Self {
        let offset = match &how {
            How::Return(offset) => offset.clone(),
            How::Open { .. } | How::Resume(_) => None,
        };
        Self {
            id,
            socket,
            how,
            attachment: AttachmentNumber::default(),
            is_attached: false,
            was_attached: false,
            frames: VecDeque::new(),
            bytes: 0,
            last_frame: FrameNumber::default(),
            progress: Progress {
                offset,
                ..Progress::default()
            },
        }
    }

    /// Its name.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// The socket that it wants.
    pub fn socket(&self) -> SocketId {
        self.socket
    }

    /// How often it has attached itself.
    pub fn attachment(&self) -> AttachmentNumber {
        self.attachment
    }

    /// Whether it is served.
    pub fn is_attached(&self) -> bool {
        self.is_attached
    }

    /// Whether no more may be read of the client now.
    pub fn is_full(&self) -> bool {
        self.frames.len() >= Self::MAX_FRAMES || self.bytes >= Self::MAX_BYTES
    }

    /// Begins anew with whoever holds the shard now: what it is sent for a former attachment, it ignores.
    pub(crate) fn attach(&mut self) -> Vec<ToSocket> {
        self.attachment.0 += 1;
        self.is_attached = false;
        let how = if self.was_attached {
            How::Resume(self.progress.clone())
        } else {
            self.how.clone()
        };
        let frames = self.frames.iter().map(|(frame, packet)| ToSocket::Push {
            frame: *frame,
            packet: packet.clone(),
        });
        std::iter::once(ToSocket::Attach(how)).chain(frames).collect()
    }

    /// The client has sent something.
    pub(crate) fn push(&mut self, packet: ClientPacket) -> ToSocket {
        let frame = self.last_frame.next();
        self.last_frame = frame;
        self.bytes += packet.size();
        self.frames.push_back((frame, packet.clone()));
        ToSocket::Push { frame, packet }
    }

    /// A holder has said something.
    pub(crate) fn receive(&mut self, attachment: AttachmentNumber, message: ToEndpoint) -> Received {
        let mut received = Received::default();
        if attachment != self.attachment {
            return received;
        }
        match message {
            ToEndpoint::Attached { recovered } => {
                self.is_attached = true;
                if !std::mem::replace(&mut self.was_attached, true) {
                    received.packets.push(ServerPacket::Connected { recovered });
                }
            }
            ToEndpoint::Batch {
                handled,
                record,
                outputs,
            } => {
                self.progress.record = record;
                for (number, own, offset) in outputs {
                    let is_known = match &own {
                        Own::Event(_) | Own::Asking(_) => number <= self.progress.output,
                        Own::Answer { frame, .. } => *frame <= self.progress.handled,
                    };
                    if is_known {
                        continue;
                    }
                    if !matches!(own, Own::Answer { .. }) {
                        self.progress.output = number;
                    }
                    received.packets.push(match own {
                        Own::Event(event) => {
                            self.progress.offset = Some(offset.clone());
                            ServerPacket::Event { event, offset }
                        }
                        Own::Asking(event) => ServerPacket::Asking { event, asked: number },
                        Own::Answer { ack, answer, .. } => ServerPacket::Answer { ack, answer },
                    });
                }
                self.progress.handled = self.progress.handled.max(handled);
                let handled = self.progress.handled;
                while let Some((_, packet)) = self.frames.pop_front_if(|(frame, _)| *frame <= handled) {
                    self.bytes -= packet.size();
                }
                received.reply = Some(ToSocket::Received {
                    handled,
                    output: self.progress.output,
                });
            }
            ToEndpoint::Room { event, offset } => {
                self.progress.offset = Some(offset.clone());
                received.packets.push(ServerPacket::Event { event, offset });
            }
            ToEndpoint::Closed(because) => received.close(because),
        }
        received
    }
}

impl Received {
    fn close(&mut self, because: ClosedBecause) {
        self.packets.push(ServerPacket::Closed(because));
        self.is_closed = true;
    }
}
