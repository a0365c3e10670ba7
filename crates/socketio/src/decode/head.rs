//! The text with which a packet begins: all of it but its attachments.
//!
//! `<type>[<attachments>-][<namespace>,][<ack id>][<payload>]`

use bytestring::ByteString;

use super::error::DecodeError;
use super::payload;
use super::untaken::{Decoded, Untaken, UntakenReason};
use crate::connect_error::ConnectError;
use crate::event::Event;
use crate::ids::AckId;
use crate::json::{JsonError, Placeholders};
use crate::namespace::NamespaceName;
use crate::packet::{Packet, PacketType};

/// A packet's text, decoded.
pub(super) struct Head {
    /// The packet, without attachments.
    pub(super) decoded: Decoded,
    /// How many attachments follow. Its placeholders stand for none but these.
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
        let (name, rest) = namespace(text, rest);
        // Where nothing can be answered an id means nothing.
        let (id, payload) = ack_id(rest);
        let decoded = match kind {
            PacketType::Connect => connect(text, name, payload)?,
            PacketType::Disconnect => {
                let namespace = NamespaceName::new(name)?;
                payload::nothing(payload)?;
                Packet::Disconnect { namespace }.into()
            }
            PacketType::ConnectError => Packet::ConnectError {
                namespace: NamespaceName::new(name)?,
                error: payload::connect_error(text, payload)?,
            }
            .into(),
            PacketType::Event | PacketType::BinaryEvent => {
                event(text, NamespaceName::new(name)?, id, payload)?
            }
            PacketType::Ack | PacketType::BinaryAck => ack(text, NamespaceName::new(name)?, id, payload)?,
        };
        if let Decoded::Packet(
            Packet::Event {
                event: Event { args, .. },
                ..
            }
            | Packet::Ack { args, .. },
        ) = &decoded
            && matches!(kind, PacketType::BinaryEvent | PacketType::BinaryAck)
        {
            Placeholders::read(args.json(), announced)?;
        }
        Ok(Head { decoded, announced })
    }
}

fn connect(text: &ByteString, name: ByteString, payload: &str) -> Result<Decoded, DecodeError> {
    let refused = |name, error| Untaken::Connect { name, error }.into();
    match (NamespaceName::new(name.clone()), payload::object(text, payload)) {
        (_, Err(DecodeError::Json(error @ JsonError::TooDeep))) => {
            Ok(refused(name, ConnectError::new(error.to_string())))
        }
        (_, Err(error)) => Err(error),
        (Err(_), Ok(_)) => Ok(refused(name, ConnectError::invalid_namespace())),
        (Ok(namespace), Ok(payload)) => Ok(Packet::Connect { namespace, payload }.into()),
    }
}

fn event(
    text: &ByteString,
    namespace: NamespaceName,
    ack: Option<AckId>,
    payload: &str,
) -> Result<Decoded, DecodeError> {
    let error = if payload::is_absent(payload) {
        UntakenReason::NoPayload
    } else {
        match payload::event(text, payload) {
            Err(DecodeError::Json(error @ JsonError::TooDeep)) => error.into(),
            event => {
                return Ok(Packet::Event {
                    namespace,
                    ack,
                    event: event?,
                }
                .into());
            }
        }
    };
    Ok(Untaken::Event {
        namespace,
        ack,
        error,
    }
    .into())
}

/// As with the reference, an ack that does not say what it answers is none.
fn ack(
    text: &ByteString,
    namespace: NamespaceName,
    id: Option<AckId>,
    payload: &str,
) -> Result<Decoded, DecodeError> {
    match (id, payload::args(text, payload)) {
        (_, Err(DecodeError::Json(JsonError::TooDeep))) | (None, Ok(_)) => {
            Ok(Untaken::Ack { namespace }.into())
        }
        (_, Err(error)) => Err(error),
        (Some(id), Ok(args)) => Ok(Packet::Ack { namespace, id, args }.into()),
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

/// A namespace reaches to a comma, or to the end. What it is called need not be a name.
fn namespace<'a>(text: &ByteString, rest: &'a str) -> (ByteString, &'a str) {
    if !rest.starts_with('/') {
        return (NamespaceName::MAIN.into(), rest);
    }
    let (name, rest) = rest.split_once(',').unwrap_or((rest, ""));
    (text.slice_ref(name), rest)
}

fn ack_id(text: &str) -> (Option<AckId>, &str) {
    let (digits, rest) = split_digits(text);
    let id = (!digits.is_empty()).then(|| AckId::of_digits(digits));
    (id, rest)
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}
