//! The text with which a packet begins: all of it but its attachments.
//!
//! `<type>[<attachments>-][<namespace>,][<ack id>][<payload>]`

use bytestring::ByteString;

use super::error::DecodeError;
use super::payload;
use crate::ids::AckId;
use crate::json::check_placeholders;
use crate::namespace::NamespaceName;
use crate::packet::{Packet, PacketType};

/// A packet's text, decoded.
pub(super) struct Head {
    /// The packet, without attachments.
    pub(super) packet: Packet,
    /// How many attachments follow. Its placeholders stand for exactly these.
    pub(super) announced: usize,
}

impl Head {
    pub(super) fn decode(text: &ByteString, max_attachments: usize) -> Result<Head, DecodeError> {
        let digit = text.chars().next().ok_or(DecodeError::Empty)?;
        let kind = PacketType::of_digit(digit).ok_or(DecodeError::UnknownType(digit))?;
        let rest = &text[digit.len_utf8()..];
        let (announced, rest) = match kind {
            PacketType::BinaryEvent | PacketType::BinaryAck => attachments(rest, max_attachments)?,
            _ => (0, rest),
        };
        let (namespace, rest) = namespace(text, rest)?;
        let (id, payload) = ack_id(rest)?;

        let mut packet = match kind {
            PacketType::Connect => {
                refuse_id(id)?;
                Packet::Connect {
                    namespace,
                    payload: payload::object(text, payload)?,
                }
            }
            PacketType::Disconnect => {
                refuse_id(id)?;
                payload::nothing(payload)?;
                Packet::Disconnect { namespace }
            }
            PacketType::ConnectError => {
                refuse_id(id)?;
                Packet::ConnectError {
                    namespace,
                    error: payload::connect_error(text, payload)?,
                }
            }
            PacketType::Event | PacketType::BinaryEvent => Packet::Event {
                namespace,
                ack: id,
                event: payload::event(text, payload)?,
            },
            PacketType::Ack | PacketType::BinaryAck => {
                let id = id.ok_or(DecodeError::AckIdMissing)?;
                Packet::Ack {
                    namespace,
                    id,
                    args: payload::args(text, payload)?,
                }
            }
        };
        if matches!(kind, PacketType::BinaryEvent | PacketType::BinaryAck)
            && let Some(args) = packet.args_mut()
        {
            check_placeholders(args.json(), announced)?;
        }
        Ok(Head { packet, announced })
    }
}

/// Digits and a dash, and nothing else: a dash further on is someone's text (python-socketio#675).
fn attachments(text: &str, max: usize) -> Result<(usize, &str), DecodeError> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(DecodeError::AttachmentCount)?;
    if digits.is_empty() {
        return Err(DecodeError::AttachmentCount);
    }
    match digits.parse() {
        Ok(count) if count <= max => Ok((count, rest)),
        _ => Err(DecodeError::TooManyAttachments { max }),
    }
}

/// A namespace reaches to a comma, or to the end.
fn namespace<'a>(text: &ByteString, rest: &'a str) -> Result<(NamespaceName, &'a str), DecodeError> {
    if !rest.starts_with('/') {
        return Ok((NamespaceName::MAIN, rest));
    }
    let (name, rest) = rest.split_once(',').unwrap_or((rest, ""));
    Ok((NamespaceName::new(text.slice_ref(name))?, rest))
}

fn ack_id(text: &str) -> Result<(Option<AckId>, &str), DecodeError> {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let number = digits.parse().map_err(|_| DecodeError::AckId)?;
    Ok((Some(AckId::new(number)), rest))
}

fn refuse_id(id: Option<AckId>) -> Result<(), DecodeError> {
    match id {
        None => Ok(()),
        Some(_) => Err(DecodeError::AckIdUnexpected),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}
