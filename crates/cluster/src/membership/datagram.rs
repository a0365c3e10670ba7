//! Gossip datagrams as they are on the wire: encrypted and authenticated by ChaCha20-Poly1305.
//!
//! ```text
//! version (1) · origin (16) · number (8, big endian) · sealed message · tag (16)
//! ```
//!
//! Each life of a node has an origin, drawn at random, and numbers its datagrams. The key is derived from the cluster secret
//! and the origin, and the number is the nonce: so no two datagrams are sealed with the same key and nonce, and a number
//! tells a repetition.

use std::net::SocketAddr;

use bytes::Bytes;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use crate::{
    secret::{GossipKey, GossipKeys},
    version::WireVersion,
    wire,
};

/// The version of all before the message, which bears its own.
const VERSION: u8 = 3;

const ORIGIN: usize = 16;
const NUMBER: usize = 8;
const HEADER: usize = 1 + ORIGIN + NUMBER;

/// The largest payload of a UDP datagram over IPv4.
pub(super) const MAX_DATAGRAM: usize = 65_507;

/// One life of a node, as the sender of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin([u8; ORIGIN]);

/// What a node has drawn, for others to show that they have lately heard from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token([u8; 16]);

/// What one node tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Where the sender is reached.
    pub(super) from: SocketAddr,
    /// Where it takes the receiver to be.
    pub(super) to: SocketAddr,
    /// What the receiver is to show when it answers.
    pub(super) token: Token,
    pub(super) content: Content,
}

/// What it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    /// The sender has no token of the receiver, or an old one.
    Hello,
    /// Here is one, for who has shown this one.
    Challenge { shown: Token },
    /// Gossip, with the receiver's token.
    Gossip { shown: Token, payload: Bytes },
}

/// A datagram that has been opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) origin: Origin,
    pub(super) number: u64,
    pub(super) message: Message,
}

/// Bytes that are no datagram of this cluster.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unopened {
    #[error("it is of another version of Hither, or of another program")]
    OtherVersion,
    #[error("its sender does not know the cluster secret, or it was changed on the way")]
    OtherSecret,
    #[error("it holds no message of this version")]
    Unreadable,
}

/// Seals the datagrams of one life.
pub(super) struct Sealer {
    origin: Origin,
    next: u64,
}

impl Token {
    pub(super) fn draw() -> Self {
        Self(rand::random())
    }
}

impl Sealer {
    pub(super) fn new() -> Self {
        Self {
            origin: Origin(rand::random()),
            next: 0,
        }
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// The next datagram; `None` if the message is too long for one.
    pub(super) fn seal(&mut self, key: &GossipKey, message: Message) -> Option<Vec<u8>> {
        let message = wire::encode(WireVersion::broadcast(), &message).ok()?;
        let mut datagram = Vec::with_capacity(HEADER + message.len() + CHACHA20_POLY1305.tag_len());
        datagram.push(VERSION);
        datagram.extend_from_slice(&self.origin.0);
        datagram.extend_from_slice(&self.next.to_be_bytes());
        let header = datagram.clone();
        datagram.extend_from_slice(&message);
        let body = datagram.get_mut(HEADER..)?;
        let nonce = nonce(self.next);
        let tag = cipher(key, self.origin)?
            .seal_in_place_separate_tag(nonce, Aad::from(header), body)
            .ok()?;
        self.next += 1;
        datagram.extend_from_slice(tag.as_ref());
        (datagram.len() <= MAX_DATAGRAM).then_some(datagram)
    }
}

/// Opens a datagram that was sealed with one of these keys.
pub(super) fn open(keys: &GossipKeys, datagram: &[u8]) -> Result<Datagram, Unopened> {
    let (header, sealed) = datagram.split_at_checked(HEADER).ok_or(Unopened::OtherVersion)?;
    let (version, rest) = header.split_first().ok_or(Unopened::OtherVersion)?;
    let (Some((origin, number)), VERSION) = (rest.split_first_chunk(), *version) else {
        return Err(Unopened::OtherVersion);
    };
    let origin = Origin(*origin);
    let number = number.first_chunk().ok_or(Unopened::OtherVersion)?;
    let number = u64::from_be_bytes(*number);
    let message = keys
        .accepted()
        .find_map(|key| {
            let mut message = sealed.to_vec();
            let cipher = cipher(key, origin)?;
            let opened = cipher.open_in_place(nonce(number), Aad::from(header), &mut message);
            let length = opened.ok()?.len();
            message.truncate(length);
            Some(message)
        })
        .ok_or(Unopened::OtherSecret)?;
    let message = wire::decode(&message).map_err(|_| Unopened::Unreadable)?;
    Ok(Datagram {
        origin,
        number,
        message,
    })
}

fn cipher(key: &GossipKey, origin: Origin) -> Option<LessSafeKey> {
    let key = key.of_origin(&origin.0);
    // A key of 32 bytes is one of this cipher, so this is always some.
    UnboundKey::new(&CHACHA20_POLY1305, &key)
        .ok()
        .map(LessSafeKey::new)
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    let (_, end) = nonce.split_at_mut(NONCE_LEN - NUMBER);
    end.copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing {
    /// Reads what an opened datagram says.
    pub(crate) fn message(bytes: &[u8]) {
        crate::fuzzing::again::<super::Message>(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Secrets, testing::secret};

    fn keys(text: &str) -> GossipKeys {
        Secrets::from(secret(text)).gossip_keys()
    }

    fn ours() -> GossipKeys {
        keys("ours")
    }

    fn message(payload: &[u8]) -> Message {
        Message {
            from: "10.0.0.1:7001".parse().unwrap(),
            to: "[2001:db8::1]:65535".parse().unwrap(),
            token: Token([u8::MAX; 16]),
            content: Content::Gossip {
                shown: Token([7; 16]),
                payload: Bytes::copy_from_slice(payload),
            },
        }
    }

    #[test]
    fn what_was_sealed_opens() {
        let mut sealer = Sealer::new();
        for (number, payload) in [b"".as_slice(), b"x", &[7; 60_000]].into_iter().enumerate() {
            let datagram = sealer.seal(ours().spoken(), message(payload)).unwrap();
            let opened = open(&ours(), &datagram).unwrap();
            assert_eq!(opened.message, message(payload));
            assert_eq!((opened.origin, opened.number), (sealer.origin(), number as u64));
        }
    }

    #[test]
    fn what_is_too_long_is_not_sealed() {
        let mut sealer = Sealer::new();
        assert_eq!(sealer.seal(ours().spoken(), message(&[0; MAX_DATAGRAM])), None);
    }

    #[test]
    fn nothing_of_it_can_be_read_on_the_way() {
        let payload = b"a heartbeat and an address";
        let datagram = Sealer::new().seal(ours().spoken(), message(payload)).unwrap();
        assert!(!datagram.windows(9).any(|window| window == b"heartbeat"));
    }

    #[test]
    fn no_bit_can_be_changed() {
        let datagram = Sealer::new().seal(ours().spoken(), message(b"17")).unwrap();
        for bit in 0..datagram.len() * 8 {
            let mut forged = datagram.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&ours(), &forged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_secret_another_program_and_junk_are_told_apart() {
        let key = keys("another");
        let datagram = Sealer::new().seal(key.spoken(), message(b"17")).unwrap();
        assert_eq!(open(&ours(), &datagram), Err(Unopened::OtherSecret));
        for length in 0..HEADER {
            assert_eq!(open(&ours(), &datagram[..length]), Err(Unopened::OtherVersion));
        }
        let mut other = datagram;
        other[0] = VERSION + 1;
        assert_eq!(open(&ours(), &other), Err(Unopened::OtherVersion));
    }
}
