//! What a connection is at the moment.

use std::time::Instant;

use hither_engineio::Message;
use serde::{Deserialize, Serialize};

use super::config::ConnectionConfig;
use super::namespaces::{Accepted, Admission, Namespaces, NotConnecting, Refused, Whereabouts};
use super::output::{CloseReason, OutOfTurn, Output};
use super::queue::OutputQueue;
use crate::args::Args;
use crate::connect_error::ConnectError;
use crate::decode::{Decoded, Decoder, HalfPacketChange, HalfPacketMark, Untaken};
use crate::encode::Encoded;
use crate::ids::{AckId, RecoveryId, SocketId};
use crate::namespace::NamespaceName;
use crate::packet::Packet;

/// `Time` is an instant while it lives, and what is left until then while it is on its way to another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State<Time> {
    Open(Open<Time>),
    Closed,
}

/// The session goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open<Time> {
    pub(super) namespaces: Namespaces,
    /// When it is closed, unless a namespace has accepted the client by then.
    pub(super) connect_overdue: Option<Time>,
    decoder: Decoder,
    /// When it is closed, unless the next attachment has come by then. Only in the middle of a packet.
    attachment_overdue: Option<Time>,
    /// Counted for the whole session: an answer that comes late is never taken for that of the namespace's next socket.
    next_ack: u64,
}

impl<Time> State<Time> {
    pub(super) fn open(&self) -> Option<&Open<Time>> {
        match self {
            State::Open(open) => Some(open),
            State::Closed => None,
        }
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open<Time>> {
        match self {
            State::Open(open) => Some(open),
            State::Closed => None,
        }
    }

    /// The same at another kind of time.
    pub(super) fn map<Other>(&self, time: impl Fn(&Time) -> Option<Other>) -> State<Other> {
        match self {
            State::Closed => State::Closed,
            State::Open(open) => State::Open(Open {
                namespaces: open.namespaces.clone(),
                connect_overdue: open.connect_overdue.as_ref().and_then(&time),
                decoder: open.decoder.clone(),
                attachment_overdue: open.attachment_overdue.as_ref().and_then(&time),
                next_ack: open.next_ack,
            }),
        }
    }
}

impl<Time> Open<Time> {
    pub(super) fn half_packet_mark(&self) -> HalfPacketMark {
        self.decoder.half_packet_mark()
    }

    pub(super) fn half_packet_since(&self, mark: &HalfPacketMark) -> HalfPacketChange {
        self.decoder.half_packet_since(mark)
    }

    /// Bytes of what the client has sent and the application is not given yet.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.decoder.half_packet_bytes() + self.namespaces.waiting_bytes()
    }

    pub(super) fn attachment_overdue(&self) -> &Option<Time> {
        &self.attachment_overdue
    }

    pub(super) fn ack_count(&self) -> u64 {
        self.next_ack
    }

    /// Takes over what has changed elsewhere.
    pub(super) fn update(&mut self, attachment_overdue: Option<Time>, next_ack: u64, half: HalfPacketChange) {
        self.attachment_overdue = attachment_overdue;
        self.next_ack = next_ack;
        self.decoder.update(half);
    }

    pub(super) fn next_ack(&mut self) -> AckId {
        let id = AckId::new(self.next_ack);
        self.next_ack += 1;
        id
    }
}

impl Open<Instant> {
    pub(super) fn new(config: &ConnectionConfig, now: Instant) -> Open<Instant> {
        Open {
            namespaces: Namespaces::default(),
            connect_overdue: now.checked_add(config.connect_timeout),
            decoder: Decoder::new(config.packets),
            attachment_overdue: None,
            next_ack: 0,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.connect_overdue, self.attachment_overdue]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn overdue(&self, now: Instant) -> Option<CloseReason> {
        let is_over = |overdue: Option<Instant>| overdue.is_some_and(|overdue| overdue <= now);
        if is_over(self.connect_overdue) {
            Some(CloseReason::ConnectTimeout)
        } else if is_over(self.attachment_overdue) {
            Some(CloseReason::AttachmentTimeout)
        } else {
            None
        }
    }

    pub(super) fn message(
        &mut self,
        message: Message,
        now: Instant,
        config: &ConnectionConfig,
        outputs: &mut OutputQueue,
    ) -> Result<(), CloseReason> {
        match self.decoder.message(message)? {
            None => self.attachment_overdue = now.checked_add(config.attachment_timeout),
            Some(decoded) => {
                self.attachment_overdue = None;
                match decoded {
                    Decoded::Packet(packet) => self.packet(packet, config, outputs)?,
                    Decoded::Untaken(untaken) => self.untaken(untaken, outputs)?,
                }
            }
        }
        Ok(())
    }

    fn packet(
        &mut self,
        packet: Packet,
        config: &ConnectionConfig,
        outputs: &mut OutputQueue,
    ) -> Result<(), OutOfTurn> {
        match packet {
            Packet::Connect { namespace, payload } => {
                let admission = self
                    .namespaces
                    .ask(&namespace, payload.clone(), config.max_namespaces);
                match admission {
                    Admission::Pending => {}
                    Admission::Asked(namespace) => outputs.push(Output::ConnectRequested {
                        namespace,
                        auth: payload,
                    }),
                    Admission::Connected(namespace, socket) => {
                        outputs.push(Output::ConnectRepeated { namespace, socket })
                    }
                    Admission::Replaced(namespace, socket) => {
                        outputs.push_departure(namespace.clone(), socket);
                        outputs.push(Output::ConnectRequested {
                            namespace,
                            auth: payload,
                        });
                    }
                    Admission::Full => {
                        let error = ConnectError::new("Too many namespaces");
                        outputs.push(Output::Send(Encoded::connect_error(namespace.as_str(), &error)));
                    }
                }
            }
            Packet::Event {
                namespace,
                ack,
                event,
            } => {
                if let Whereabouts::Connected { namespace, socket } = self.namespaces.find(&namespace)? {
                    outputs.push(Output::Event {
                        namespace: namespace.clone(),
                        socket: socket.id.clone(),
                        event,
                        ack,
                    });
                }
            }
            Packet::Ack { namespace, id, args } => {
                if let Whereabouts::Connected { namespace, socket } = self.namespaces.find(&namespace)?
                    && socket.awaited.remove(&id)
                {
                    outputs.push(Output::Acked {
                        namespace: namespace.clone(),
                        socket: socket.id.clone(),
                        id,
                        args,
                    });
                }
            }
            Packet::Disconnect { namespace } => {
                if let Some((namespace, socket)) = self.namespaces.leave(&namespace)? {
                    outputs.push_departure(namespace, socket);
                }
            }
            Packet::ConnectError { .. } => return Err(OutOfTurn::ConnectError),
        }
        Ok(())
    }

    /// What cannot be taken is answered, where somebody waits for an answer.
    fn untaken(&mut self, untaken: Untaken, outputs: &mut OutputQueue) -> Result<(), OutOfTurn> {
        match untaken {
            Untaken::Connect { name, error } => {
                outputs.push(Output::Send(Encoded::connect_error(&name, &error)));
            }
            Untaken::Event {
                namespace,
                ack,
                error,
            } => {
                if let Whereabouts::Connected { namespace, socket } = self.namespaces.find(&namespace)? {
                    if let Some(ack) = ack {
                        let answer = Encoded::ack(namespace, ack, &Args::rejection(&error));
                        outputs.push(Output::Send(answer));
                    }
                    outputs.push(Output::EventUntaken {
                        namespace: namespace.clone(),
                        socket: socket.id.clone(),
                        error,
                    });
                }
            }
            Untaken::Ack { namespace } => {
                self.namespaces.find(&namespace)?;
            }
        }
        Ok(())
    }

    /// The application accepts a CONNECT.
    pub(super) fn accept(
        &mut self,
        namespace: &NamespaceName,
        socket: SocketId,
        recovery: Option<&RecoveryId>,
        outputs: &mut OutputQueue,
    ) -> Result<(), NotConnecting> {
        match self.namespaces.accept(namespace, socket.clone())? {
            Accepted::Connected(early) => {
                self.connect_overdue = None;
                outputs.push(Output::Send(Encoded::connected(namespace, &socket, recovery)));
                for encoded in early {
                    outputs.push(Output::Send(encoded));
                }
            }
            Accepted::Left => outputs.push_departure(namespace.clone(), socket),
            Accepted::AskedAgain(auth) => {
                outputs.push_departure(namespace.clone(), socket);
                outputs.push(Output::ConnectRequested {
                    namespace: namespace.clone(),
                    auth,
                });
            }
        }
        Ok(())
    }

    /// The application refuses a CONNECT.
    pub(super) fn refuse(
        &mut self,
        namespace: &NamespaceName,
        error: &ConnectError,
        outputs: &mut OutputQueue,
    ) -> Result<(), NotConnecting> {
        match self.namespaces.refuse(namespace)? {
            Refused::Told => outputs.push(Output::Send(Encoded::connect_error(namespace.as_str(), error))),
            Refused::Left => {}
            Refused::AskedAgain(auth) => outputs.push(Output::ConnectRequested {
                namespace: namespace.clone(),
                auth,
            }),
        }
        Ok(())
    }
}
