//! The first bytes on a connection, before the library's handshake: who dials, and what for.
//!
//! ```text
//! who accepts:  magic (8) · challenge (16)
//! who dials:    magic (8) · length (2, big endian) · hello · MAC of challenge and hello (32)
//! ```
//!
//! The MAC shows that who dials knows the cluster secret, and knows it now: a hello that was overheard is worth nothing.
//! That who accepts knows it, too, shows in the handshake. The challenge tells who dials that the way is open in both
//! directions.

use std::{io, time::Duration};

use hmac::Mac;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{envelope::LifeId, opened::Way};
use crate::{
    member::NodeId,
    secret::HelloKey,
    wire::{self, WireError},
};

/// Tells links of this version from all else that may come to the port.
const MAGIC: [u8; 8] = *b"hither 2";

/// A hello of three nodes with the longest names is shorter.
const MAX_LENGTH: u16 = 512;

const MAC_LENGTH: usize = 32;

/// How long the challenge, or the hello, may take to come.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// What who dials says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) from: NodeId,
    /// Who is to answer.
    pub(super) to: NodeId,
    pub(super) wish: Wish,
}

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wish {
    /// To be a link.
    Link { life: LifeId, way: Way },
    /// To be joined to another, to that node: its challenge comes next.
    PassOn(NodeId),
}

/// What was drawn for one connection, so that its hello is like no other.
#[derive(Clone, Copy)]
pub(super) struct Challenge([u8; 16]);

/// Why a connection is refused before the handshake.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelloError {
    #[error(transparent)]
    Broken(#[from] io::Error),
    #[error("it is of no Hither node of this version")]
    OtherMagic,
    #[error("its hello is too long")]
    TooLong,
    #[error("its hello does not know the cluster secret")]
    WrongMac,
    #[error(transparent)]
    Unreadable(#[from] WireError),
    #[error("it is meant for {0:?}")]
    ForAnother(NodeId),
}

/// Challenges who has dialled.
pub(super) async fn challenge(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<Challenge> {
    let challenge = Challenge(rand::random());
    stream
        .write_all(&[MAGIC.as_slice(), &challenge.0].concat())
        .await?;
    Ok(challenge)
}

/// Reads what who has dialled says to the challenge.
pub(super) async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    challenge: Challenge,
    me: &NodeId,
    key: &HelloKey,
) -> Result<Hello, HelloError> {
    expect_magic(stream).await?;
    let length = stream.read_u16().await?;
    if length > MAX_LENGTH {
        return Err(HelloError::TooLong);
    }
    let mut hello = vec![0; length.into()];
    stream.read_exact(&mut hello).await?;
    let mut mac = [0; MAC_LENGTH];
    stream.read_exact(&mut mac).await?;
    let expected = key.mac().chain_update(challenge.0).chain_update(&hello);
    expected.verify_slice(&mac).map_err(|_| HelloError::WrongMac)?;
    let hello: Hello = wire::decode(&hello)?;
    if hello.to == *me {
        Ok(hello)
    } else {
        Err(HelloError::ForAnother(hello.to))
    }
}

impl Hello {
    /// Waits for the challenge of who accepts, and answers it.
    pub(super) async fn say(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        key: &HelloKey,
    ) -> Result<(), HelloError> {
        let hello = wire::encode(self)?;
        let length = u16::try_from(hello.len()).map_err(|_| HelloError::TooLong)?;
        expect_magic(stream).await?;
        let mut challenge = Challenge([0; 16]);
        stream.read_exact(&mut challenge.0).await?;
        let mac = key.mac().chain_update(challenge.0).chain_update(&hello);
        let mac = mac.finalize().into_bytes();
        let all = [MAGIC.as_slice(), &length.to_be_bytes(), &hello, &mac].concat();
        Ok(stream.write_all(&all).await?)
    }
}

async fn expect_magic(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), HelloError> {
    let mut magic = [0; MAGIC.len()];
    stream.read_exact(&mut magic).await?;
    if magic == MAGIC {
        Ok(())
    } else {
        Err(HelloError::OtherMagic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{member::Incarnation, secret::Secret};

    fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(u64::MAX),
        }
    }

    fn key(secret: &str) -> HelloKey {
        Secret::new(secret).unwrap().hello_key()
    }

    fn ours() -> HelloKey {
        key("one secret of the cluster")
    }

    fn hello(wish: Wish) -> Hello {
        let (from, to) = (node("from"), node("to"));
        Hello { from, to, wish }
    }

    fn link() -> Hello {
        let (life, way) = (LifeId(u64::MAX), Way::Via(node("relay")));
        hello(Wish::Link { life, way })
    }

    /// What the node `to` makes of a hello that may be changed on the way.
    async fn exchange(
        said: &Hello,
        their_key: &HelloKey,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Hello, HelloError> {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let challenge = challenge(&mut near).await.unwrap();
        said.say(&mut far, their_key).await.unwrap();
        drop(far);
        let mut bytes = Vec::new();
        near.read_to_end(&mut bytes).await.unwrap();
        change(&mut bytes);
        receive(&mut bytes.as_slice(), challenge, &node("to"), &ours()).await
    }

    #[tokio::test]
    async fn what_is_said_is_received() {
        for said in [link(), hello(Wish::PassOn(node("target")))] {
            assert_eq!(exchange(&said, &ours(), |_| ()).await.unwrap(), said);
        }
    }

    #[tokio::test]
    async fn the_longest_names_fit() {
        let long = node(&"n".repeat(64));
        let said = Hello {
            from: long.clone(),
            to: node("to"),
            wish: Wish::Link {
                life: LifeId(u64::MAX),
                way: Way::Via(long.clone()),
            },
        };
        assert_eq!(exchange(&said, &ours(), |_| ()).await.unwrap(), said);
        let longest = wire::encode(&Hello { to: long, ..said }).unwrap();
        assert!(longest.len() < MAX_LENGTH.into());
    }

    #[tokio::test]
    async fn another_secret_is_refused() {
        let stranger = key("two secrets of the cluster");
        let heard = exchange(&link(), &stranger, |_| ()).await;
        assert!(matches!(heard, Err(HelloError::WrongMac)), "{heard:?}");
    }

    #[tokio::test]
    async fn no_byte_can_be_changed() {
        let length = MAGIC.len() + 2 + wire::encode(&link()).unwrap().len() + MAC_LENGTH;
        for index in 0..length {
            let heard = exchange(&link(), &ours(), |bytes| bytes[index] ^= 1).await;
            assert!(heard.is_err(), "byte {index}");
        }
    }

    #[tokio::test]
    async fn a_hello_that_was_overheard_is_refused() {
        let mut overheard = Vec::new();
        exchange(&link(), &ours(), |bytes| overheard.clone_from(bytes))
            .await
            .unwrap();
        let heard = exchange(&link(), &ours(), |bytes| *bytes = overheard).await;
        assert!(matches!(heard, Err(HelloError::WrongMac)), "{heard:?}");
    }

    #[tokio::test]
    async fn a_hello_for_another_life_is_refused() {
        let mut earlier = link();
        earlier.to.incarnation = Incarnation(1);
        let heard = exchange(&earlier, &ours(), |_| ()).await;
        assert!(matches!(heard, Err(HelloError::ForAnother(_))), "{heard:?}");
    }

    #[tokio::test]
    async fn who_accepts_without_our_challenge_is_not_told_anything() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        near.write_all(&[b'x'; 24]).await.unwrap();
        let said = link().say(&mut far, &ours()).await;
        assert!(matches!(said, Err(HelloError::OtherMagic)), "{said:?}");
        drop(far);
        assert_eq!(near.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }
}
