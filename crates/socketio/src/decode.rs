//! Packets from what Engine.IO carries.

mod error;
mod half;
mod head;
mod payload;
mod untaken;

use bytes::Bytes;
use bytestring::ByteString;
use hither_engineio::Message;
use serde::{Deserialize, Serialize};

pub use error::DecodeError;
use half::Begun;
pub(crate) use half::{HalfPacketChange, HalfPacketMark};
use head::Head;
pub use untaken::{Decoded, Untaken, UntakenReason};

/// What one packet may take. The reference has a limit on attachments only (10 unless configured; CVE-2026-33151 tells
/// what came of having none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketLimits {
    /// Attachments of one packet. 1,000 by default: ten broke honest users (socket.io#5489), and what attachments cost is
    /// bytes, which have their own limit.
    pub max_attachments: usize,
    /// Bytes of a packet with all its attachments. 10,000,000 by default, ten messages of Engine.IO's default `maxPayload`:
    /// a packet's attachments are each a message, so that limit does not bound them together.
    pub max_bytes: usize,
}

impl Default for PacketLimits {
    fn default() -> Self {
        PacketLimits {
            max_attachments: 1_000,
            max_bytes: 10_000_000,
        }
    }
}

/// Makes packets of one client's messages: each text begins a packet, and each binary is an attachment of the one begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoder {
    limits: PacketLimits,
    /// Boxed, because it is rare.
    begun: Option<Box<Begun>>,
    /// How many packets have begun that lacked attachments.
    halves: u64,
}

impl Decoder {
    /// A decoder at the beginning of a packet.
    pub fn new(limits: PacketLimits) -> Decoder {
        Decoder {
            limits,
            begun: None,
            halves: 0,
        }
    }

    /// Takes the next message, and gives the packet that it completes, or what it is instead.
    ///
    /// An error is the client's fault, and what it sends afterwards cannot be trusted: close the session.
    pub fn message(&mut self, message: Message) -> Result<Option<Decoded>, DecodeError> {
        match (self.begun.take(), message) {
            (None, Message::Text(text)) => self.begin(&text),
            (Some(begun), Message::Binary(attachment)) => self.go_on(begun, attachment),
            (None, Message::Binary(_)) => Err(DecodeError::UnexpectedBinary),
            (Some(begun), Message::Text(_)) => Err(DecodeError::MissingBinary {
                missing: begun.announced - begun.attachments.len(),
            }),
        }
    }

    /// Whether a packet has begun that lacks attachments.
    pub fn is_mid_packet(&self) -> bool {
        self.begun.is_some()
    }

    fn begin(&mut self, text: &ByteString) -> Result<Option<Decoded>, DecodeError> {
        self.check_bytes(text.len())?;
        let Head { decoded, announced } = Head::decode(text, self.limits.max_attachments)?;
        if announced == 0 {
            return Ok(Some(decoded));
        }
        self.halves += 1;
        self.begun = Some(Box::new(Begun {
            decoded,
            announced,
            attachments: Vec::new(),
            bytes: text.len(),
        }));
        Ok(None)
    }

    fn go_on(&mut self, mut begun: Box<Begun>, attachment: Bytes) -> Result<Option<Decoded>, DecodeError> {
        begun.bytes += attachment.len();
        self.check_bytes(begun.bytes)?;
        begun.attachments.push(attachment);
        if begun.attachments.len() < begun.announced {
            self.begun = Some(begun);
            return Ok(None);
        }
        let Begun {
            mut decoded,
            attachments,
            ..
        } = *begun;
        if let Decoded::Packet(packet) = &mut decoded
            && let Some(args) = packet.args_mut()
        {
            args.attach(attachments);
        }
        Ok(Some(decoded))
    }

    fn check_bytes(&self, bytes: usize) -> Result<(), DecodeError> {
        let max = self.limits.max_bytes;
        if bytes > max {
            Err(DecodeError::TooManyBytes { max })
        } else {
            Ok(())
        }
    }
}
