//! What crosses a link at once: a batch of messages of one channel, and how much the sender has handled of what it received.
//!
//! ```text
//! life (8) · sequence (8) · channel (1) · handled (8) · { length (4) · message }*      numbers big endian
//! ```
//!
//! An envelope without messages says that its sender lives, or only how much it has handled.

use bytes::{Buf, BufMut, Bytes};
use serde::{Deserialize, Serialize};

use super::channel::Channel;

/// One life of a link, by the same number at both ends. The node that dialled has drawn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct LifeId(pub(super) u64);

/// What an envelope adds to its messages.
pub(super) const HEADER: usize = 25;

/// What an envelope adds to each message.
pub(super) const MESSAGE_HEADER: usize = 4;

/// A batch of messages on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) life: LifeId,
    /// Counts the envelopes of one direction of one life, from 0.
    pub(super) sequence: u64,
    pub(super) channel: Channel,
    /// How many bytes of this channel's messages from the other direction the sender has handled in this life.
    pub(super) handled: u64,
    pub(super) messages: Vec<Bytes>,
}

/// Bytes that are no envelope.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("an envelope of {length} bytes is cut short")]
    Truncated { length: usize },
    #[error("there is no channel {0} on a link")]
    Channel(u8),
}

/// What a message counts against windows and queues, in bytes.
pub(super) fn weight(message: &Bytes) -> usize {
    MESSAGE_HEADER + message.len()
}

impl Envelope {
    /// What its messages count against the window, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.messages.iter().map(weight).sum()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(HEADER + self.weight());
        buffer.put_u64(self.life.0);
        buffer.put_u64(self.sequence);
        buffer.put_u8(self.channel as u8);
        buffer.put_u64(self.handled);
        for message in &self.messages {
            // Messages are limited far below 4 GiB.
            buffer.put_u32(message.len() as u32);
            buffer.put_slice(message);
        }
        buffer
    }

    /// Reads an envelope; its messages are slices of `bytes`.
    pub(super) fn decode(mut bytes: Bytes) -> Result<Self, Malformed> {
        let truncated = Malformed::Truncated { length: bytes.len() };
        let (Ok(life), Ok(sequence)) = (bytes.try_get_u64(), bytes.try_get_u64()) else {
            return Err(truncated);
        };
        let (Ok(channel), Ok(handled)) = (bytes.try_get_u8(), bytes.try_get_u64()) else {
            return Err(truncated);
        };
        let channel = Channel::of(channel).ok_or(Malformed::Channel(channel))?;
        let mut messages = Vec::new();
        while !bytes.is_empty() {
            match bytes.try_get_u32().map(|length| length as usize) {
                Ok(length) if length <= bytes.len() => messages.push(bytes.split_to(length)),
                _ => return Err(truncated),
            }
        }
        Ok(Self {
            life: LifeId(life),
            sequence,
            channel,
            handled,
            messages,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(
            life: u64,
            sequence: u64,
            handled: u64,
            channel in prop::sample::select(Channel::ALL.to_vec()),
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
        ) {
            let messages: Vec<_> = messages.into_iter().map(Bytes::from).collect();
            let envelope = Envelope { life: LifeId(life), sequence, channel, handled, messages };
            let encoded = envelope.encode();
            prop_assert_eq!(encoded.len(), HEADER + envelope.weight());
            prop_assert_eq!(Envelope::decode(encoded.into()), Ok(envelope));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let length = bytes.len();
            if let Ok(envelope) = Envelope::decode(bytes.into()) {
                prop_assert_eq!(envelope.encode().len(), length);
            }
        }

        #[test]
        fn a_cut_envelope_is_an_error_unless_cut_between_messages(length in 0_usize..42) {
            let messages = vec![Bytes::from_static(b"12345678"), Bytes::from_static(b"")];
            let channel = Channel::Replication;
            let envelope = Envelope { life: LifeId(1), sequence: 2, channel, handled: 3, messages };
            let cut = Bytes::from(envelope.encode()).slice(..length);
            prop_assert_eq!(Envelope::decode(cut).is_ok(), [25, 37, 41].contains(&length));
        }
    }

    #[test]
    fn messages_share_the_envelope_and_are_not_copied() {
        let messages = vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let bytes = Bytes::from(
            Envelope {
                life: LifeId(1),
                sequence: 0,
                channel: Channel::Entities,
                handled: 0,
                messages,
            }
            .encode(),
        );
        let within = bytes.as_ptr_range();
        let envelope = Envelope::decode(bytes.clone()).unwrap();
        assert!(
            envelope
                .messages
                .iter()
                .all(|message| within.contains(&message.as_ptr()))
        );
    }
}
