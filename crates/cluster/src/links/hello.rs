//! The first bytes on a connection: both ends prove that they know the cluster secret, and say who they are.
//!
//! ```text
//! who dials:    preface · length (2) · first message of the handshake
//! who accepts:  preface · length (2) · second message, which holds the preface again
//! who dials:    length (2) · sealed Hello
//! who accepts:  length (2) · sealed Answer
//!
//! preface:      "hither" · oldest, newest and broadcast version (2 each)          numbers big endian
//! ```
//!
//! Only the prefaces can be read, and neither can be changed: the handshake covers both. Who accepts closes after its
//! preface when the [versions](crate::version) do not fit, or when who dials has another secret. A [`Hello`] cannot come from a
//! recording, for it is sealed under keys that both ends drew for this connection; nor from who redirects a connection to
//! another node, for it names whom it is for, and the answer who gives it.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    envelope::LifeId,
    noise::{self, MAX_HANDSHAKE, NoiseError, Opener, Sealer},
    opened::Way,
};
use crate::{
    member::NodeId,
    secret::{LinkKey, Secrets},
    version::{InvalidVersions, WireVersion, WireVersions},
    wire::{self, WireError},
};

/// Tells nodes from all else that may come to the port.
const MAGIC: [u8; 6] = *b"hither";

const PREFACE: usize = MAGIC.len() + WireVersions::LENGTH;

/// A hello of three nodes with the longest names is shorter, sealed.
const MAX_HELLO: usize = 512;

/// How long a greeting may take.
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
    /// To be joined to another, to that node: a greeting of that node follows.
    PassOn(NodeId),
    /// To be joined to another, from a node that cannot come itself: a greeting by that node follows.
    Bring(NodeId),
    /// To be told who is there, whoever that is.
    Introduce,
}

/// What who accepts says to a hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is granted, by this node.
    Granted(NodeId),
    Refused(Refusal),
}

/// Why a wish is not granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0:?} is there")]
    Another(NodeId),
    #[error("it does not know {0:?} as another member")]
    NotAMember(NodeId),
    #[error("it passes on as many connections as it can")]
    Full,
    #[error("it does not reach {0:?} either")]
    Unreachable(NodeId),
}

/// A connection whose two ends know each other.
pub(super) struct Secured {
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    /// By which of the cluster's secrets they do.
    pub(super) key: LinkKey,
    /// What both speak.
    pub(super) version: WireVersion,
}

/// Who greets others, and how.
#[derive(Clone)]
pub(super) struct Greeter {
    pub(super) me: NodeId,
    pub(super) secrets: Secrets,
    pub(super) versions: WireVersions,
}

/// Why a connection is closed before it is a link.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelloError {
    #[error(transparent)]
    Broken(#[from] io::Error),
    #[error("whoever is there is no Hither node, or one from before version 3 of the wire format")]
    OtherMagic,
    #[error(transparent)]
    Versions(#[from] InvalidVersions),
    #[error(
        "its wire versions are {theirs}, and those of this node {ours} (oldest-newest:broadcast): run builds of which each \
         speaks what the other broadcasts"
    )]
    VersionMismatch {
        ours: WireVersions,
        theirs: WireVersions,
    },
    #[error("a message of {0} bytes is no greeting")]
    TooLong(usize),
    #[error("it has another cluster secret")]
    OtherSecret,
    #[error(transparent)]
    Sealed(#[from] NoiseError),
    #[error(transparent)]
    Unreadable(#[from] WireError),
    #[error("it refuses: {0}")]
    Refused(Refusal),
    #[error("it is meant for {0:?}")]
    ForAnother(NodeId),
    #[error("{0:?} answers in place of who is meant")]
    FromAnother(NodeId),
    #[error("it brings no link")]
    BringsNoLink,
    #[error("it was given up when it was granted")]
    GivenUp,
}

impl Greeter {
    /// Greets who has been dialled, and waits for the wish to be granted.
    pub(super) async fn greet(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        to: &NodeId,
        wish: Wish,
    ) -> Result<Secured, HelloError> {
        let mut secured = self.secure(stream).await?;
        match self.ask(stream, &mut secured, to, wish).await? {
            by if by == *to => Ok(secured),
            by => Err(HelloError::FromAnother(by)),
        }
    }

    /// Asks who has been dialled for its name.
    pub(super) async fn ask_who(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<NodeId, HelloError> {
        let mut secured = self.secure(stream).await?;
        self.ask(stream, &mut secured, &self.me, Wish::Introduce).await
    }

    /// Proves to who has been dialled that this node knows the secret, and has it do so.
    async fn secure(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<Secured, HelloError> {
        let ours = preface(self.versions);
        let keys = self.secrets.link_keys();
        let key = keys.spoken();
        let (initiation, first) = noise::initiate(key, &ours)?;
        let mut greeting = ours.to_vec();
        append(&mut greeting, &first)?;
        stream.write_all(&greeting).await?;

        let theirs = read_preface(stream).await?;
        let version = self.common(theirs)?;
        let second = read_message(stream, MAX_HANDSHAKE).await.map_err(other_secret)?;
        let (sealer, opener, repeated) = initiation.complete(&second)?;
        if repeated != preface(theirs) {
            return Err(InvalidVersions.into());
        }
        Ok(Secured {
            sealer,
            opener,
            key: key.clone(),
            version,
        })
    }

    /// Says what this node wishes of `to`, and waits for who grants it.
    async fn ask(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        secured: &mut Secured,
        to: &NodeId,
        wish: Wish,
    ) -> Result<NodeId, HelloError> {
        let hello = Hello {
            from: self.me.clone(),
            to: to.clone(),
            wish,
        };
        secured.say(stream, hello).await?;
        match secured.hear(stream).await? {
            Answer::Granted(by) => Ok(by),
            Answer::Refused(refusal) => Err(HelloError::Refused(refusal)),
        }
    }

    /// Hears who has dialled. `is_known` is called when the first message shows the secret; it may be a recording.
    pub(super) async fn hear(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        is_known: impl FnOnce(),
    ) -> Result<(Secured, Hello), HelloError> {
        let theirs = read_preface(stream).await?;
        let ours = preface(self.versions);
        let version = match self.common(theirs) {
            Ok(version) => version,
            Err(error) => {
                stream.write_all(&ours).await?;
                return Err(error);
            }
        };
        let first = read_message(stream, MAX_HANDSHAKE).await?;
        let keys = self.secrets.link_keys();
        let Ok((sealer, opener, second, key)) = noise::respond(&keys, &preface(theirs), &first, &ours) else {
            stream.write_all(&ours).await?;
            return Err(HelloError::OtherSecret);
        };
        is_known();
        let mut answer = ours.to_vec();
        append(&mut answer, &second)?;
        stream.write_all(&answer).await?;
        let mut secured = Secured {
            sealer,
            opener,
            key: key.clone(),
            version,
        };
        let hello: Hello = secured.hear(stream).await?;
        if hello.to == self.me || hello.wish == Wish::Introduce {
            return Ok((secured, hello));
        }
        secured.refuse(stream, Refusal::Another(self.me.clone())).await?;
        Err(HelloError::ForAnother(hello.to))
    }

    /// Grants what who has dialled wishes.
    pub(super) async fn grant(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        secured: &mut Secured,
    ) -> Result<(), HelloError> {
        secured.say(stream, Answer::Granted(self.me.clone())).await
    }

    fn common(&self, theirs: WireVersions) -> Result<WireVersion, HelloError> {
        let ours = self.versions;
        ours.common(theirs)
            .ok_or(HelloError::VersionMismatch { ours, theirs })
    }
}

impl Secured {
    /// Refuses what who has dialled wishes.
    pub(super) async fn refuse(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        refusal: Refusal,
    ) -> Result<(), HelloError> {
        self.say(stream, Answer::Refused(refusal)).await
    }

    async fn say<T: Serialize>(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        message: T,
    ) -> Result<(), HelloError> {
        let message = wire::encode(self.version, &message)?;
        let mut sealed = Vec::new();
        self.sealer.seal(&message, &mut sealed)?;
        Ok(stream.write_all(&sealed).await?)
    }

    async fn hear<T: serde::de::DeserializeOwned>(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<T, HelloError> {
        let sealed = read_message(stream, MAX_HELLO).await?;
        let mut message = Vec::new();
        self.opener.open(&sealed, &mut message)?;
        Ok(wire::decode(&message)?)
    }
}

/// Who accepts says no more than its preface to who does not know the secret.
fn other_secret(error: HelloError) -> HelloError {
    match error {
        HelloError::Broken(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            HelloError::OtherSecret
        }
        other => other,
    }
}

fn preface(versions: WireVersions) -> [u8; PREFACE] {
    let mut preface = [0; PREFACE];
    let (magic, range) = preface.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    range.copy_from_slice(&versions.encode());
    preface
}

async fn read_preface(stream: &mut (impl AsyncRead + Unpin)) -> Result<WireVersions, HelloError> {
    let mut magic = [0; MAGIC.len()];
    stream.read_exact(&mut magic).await?;
    if magic != MAGIC {
        return Err(HelloError::OtherMagic);
    }
    let mut versions = [0; WireVersions::LENGTH];
    stream.read_exact(&mut versions).await?;
    Ok(WireVersions::decode(versions)?)
}

fn append(out: &mut Vec<u8>, message: &[u8]) -> Result<(), HelloError> {
    let length = u16::try_from(message.len()).map_err(|_| HelloError::TooLong(message.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    Ok(())
}

async fn read_message(stream: &mut (impl AsyncRead + Unpin), most: usize) -> Result<Vec<u8>, HelloError> {
    let length = stream.read_u16().await?.into();
    if length > most {
        return Err(HelloError::TooLong(length));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing {
    use super::*;
    use crate::fuzzing::again;

    /// Reads what the two ends tell each other once they can.
    pub(crate) fn messages(bytes: &[u8]) {
        again::<Hello>(bytes);
        again::<Answer>(bytes);
    }

    /// The preface of a node, and these bytes.
    pub(crate) fn preface_and(bytes: &[u8]) -> Vec<u8> {
        let mut said = preface(WireVersions::this_build()).to_vec();
        said.extend_from_slice(bytes);
        said
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::{member::Incarnation, secret::testing::secret};

    const OURS: &str = "ours";
    const OTHER: &str = "another";

    fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(u64::MAX),
        }
    }

    fn greeter(name: &str, known: &str) -> Greeter {
        Greeter {
            me: node(name),
            secrets: secret(known).into(),
            versions: WireVersions::this_build(),
        }
    }

    fn link() -> Wish {
        let (life, way) = (LifeId(u64::MAX), Way::Via(node("relay")));
        Wish::Link { life, way }
    }

    fn ends() -> (DuplexStream, DuplexStream) {
        duplex(4096)
    }

    type Ends = (Result<Secured, HelloError>, Result<Hello, HelloError>);

    /// What both ends make of a greeting for the node `to`; the one that accepts grants all.
    async fn meet(dials: &Greeter, accepts: &Greeter, to: &str, wish: Wish) -> Ends {
        let (mut near, mut far) = ends();
        let to = node(to);
        let accept = async move {
            let (mut secured, hello) = accepts.hear(&mut far, || ()).await?;
            accepts.grant(&mut far, &mut secured).await?;
            Ok(hello)
        };
        tokio::join!(dials.greet(&mut near, &to, wish), accept)
    }

    /// All that who dials says when it greets `to`, and what that answers.
    async fn record() -> (Vec<u8>, Vec<u8>) {
        let (mut near, mut tap) = ends();
        let (mut tap_far, mut far) = ends();
        let (dials, accepts) = (greeter("from", OURS), greeter("to", OURS));
        let accept = async {
            let (mut secured, _) = accepts.hear(&mut far, || ()).await.unwrap();
            accepts.grant(&mut far, &mut secured).await.unwrap();
        };
        let (mut said, mut answered) = (Vec::new(), Vec::new());
        let listen = async {
            let mut buffers = ([0; 1024], [0; 1024]);
            loop {
                tokio::select! {
                    read = tap.read(&mut buffers.0) => match read.unwrap() {
                        0 => return,
                        length => {
                            said.extend_from_slice(&buffers.0[..length]);
                            tap_far.write_all(&buffers.0[..length]).await.unwrap();
                        }
                    },
                    read = tap_far.read(&mut buffers.1) => {
                        let length = read.unwrap();
                        answered.extend_from_slice(&buffers.1[..length]);
                        tap.write_all(&buffers.1[..length]).await.unwrap();
                    }
                }
            }
        };
        let dial = async {
            let secured = dials.greet(&mut near, &node("to"), link()).await;
            drop(near);
            secured.unwrap();
        };
        tokio::join!(dial, accept, listen);
        (said, answered)
    }

    #[tokio::test]
    async fn what_is_said_is_heard_and_granted() {
        for wish in [link(), Wish::PassOn(node("target")), Wish::Bring(node("source"))] {
            let (secured, hello) =
                meet(&greeter("from", OURS), &greeter("to", OURS), "to", wish.clone()).await;
            assert!(secured.is_ok());
            let (from, to) = (node("from"), node("to"));
            assert_eq!(hello.unwrap(), Hello { from, to, wish });
        }
    }

    #[tokio::test]
    async fn who_asks_who_is_there_is_told_if_it_knows_the_secret() {
        for (known, expected) in [(OURS, Ok(node("there"))), (OTHER, Err(()))] {
            let (mut near, mut far) = ends();
            let (asks, there) = (greeter("asks", known), greeter("there", OURS));
            let accept = async move {
                let (mut secured, _) = there.hear(&mut far, || ()).await?;
                there.grant(&mut far, &mut secured).await
            };
            let (told, _) = tokio::join!(asks.ask_who(&mut near), accept);
            if let Err(error) = &told {
                assert!(matches!(error, HelloError::OtherSecret), "{error}");
            }
            assert_eq!(told.map_err(drop), expected);
        }
    }

    #[tokio::test]
    async fn the_longest_names_fit() {
        let long = node(&"n".repeat(64));
        let wish = Wish::Link {
            life: LifeId(u64::MAX),
            way: Way::Via(long.clone()),
        };
        let hello = Hello {
            from: long.clone(),
            to: long,
            wish,
        };
        let encoded = wire::encode(WireVersion::V4, &hello).unwrap();
        assert!(encoded.len() + 16 <= MAX_HELLO, "{}", encoded.len());
    }

    #[tokio::test]
    async fn while_a_secret_is_exchanged_all_understand_each_other() {
        let both = |first, second| Greeter {
            secrets: Secrets::new([secret(first), secret(second)]).unwrap(),
            ..greeter("to", first)
        };
        // The rounds over the nodes: add the new one, put it first, take the old one away.
        let rounds = [
            greeter("to", OURS),
            both(OURS, OTHER),
            both(OTHER, OURS),
            greeter("to", OTHER),
        ];
        for neighbours in rounds.windows(2) {
            for (dials, accepts) in [(0, 1), (1, 0)].map(|(i, j)| (&neighbours[i], &neighbours[j])) {
                let (secured, heard) = meet(dials, accepts, "to", link()).await;
                assert!(heard.is_ok(), "{heard:?}");
                let key = dials.secrets.link_keys().spoken().clone();
                assert_eq!(secured.ok().unwrap().key, key);
            }
        }
    }

    #[tokio::test]
    async fn another_secret_is_refused_and_both_are_told() {
        let (secured, heard) = meet(&greeter("from", OTHER), &greeter("to", OURS), "to", link()).await;
        assert!(matches!(secured, Err(HelloError::OtherSecret)));
        assert!(matches!(heard, Err(HelloError::OtherSecret)), "{heard:?}");
    }

    #[tokio::test]
    async fn a_hello_for_another_node_or_another_life_is_refused_and_both_are_told() {
        let mut earlier = greeter("to", OURS);
        earlier.me.incarnation = Incarnation(1);
        for accepts in [greeter("another", OURS), earlier] {
            let (secured, heard) = meet(&greeter("from", OURS), &accepts, "to", link()).await;
            let refusal = Refusal::Another(accepts.me);
            assert!(matches!(secured, Err(HelloError::Refused(by)) if by == refusal));
            assert!(matches!(heard, Err(HelloError::ForAnother(_))), "{heard:?}");
        }
    }

    #[tokio::test]
    async fn who_answers_in_place_of_another_is_not_believed() {
        let (mut near, mut far) = ends();
        let mut impostor = greeter("to", OURS);
        let accept = async {
            let (mut secured, _) = impostor.hear(&mut far, || ()).await.unwrap();
            impostor.me = node("impostor");
            impostor.grant(&mut far, &mut secured).await.unwrap();
        };
        let dials = greeter("from", OURS);
        let to = node("to");
        let (secured, ()) = tokio::join!(dials.greet(&mut near, &to, link()), accept);
        assert!(matches!(secured, Err(HelloError::FromAnother(by)) if by == node("impostor")));
    }

    #[tokio::test]
    async fn builds_that_fit_understand_each_other() {
        let mut next = greeter("to", OURS);
        next.versions = WireVersions::new(3, 4, 3).unwrap();
        let (secured, heard) = meet(&greeter("from", OURS), &next, "to", link()).await;
        assert!(heard.is_ok(), "{heard:?}");
        assert_eq!(secured.ok().unwrap().version, WireVersion::V3);
        let other = Greeter {
            me: node("from"),
            ..next.clone()
        };
        let (secured, heard) = meet(&other, &next, "to", link()).await;
        assert!(heard.is_ok(), "{heard:?}");
        assert_eq!(secured.ok().unwrap().version, WireVersion::V4);
        let (secured, heard) = meet(&other, &greeter("to", OURS), "to", link()).await;
        assert!(heard.is_ok(), "{heard:?}");
        assert_eq!(secured.ok().unwrap().version, WireVersion::V3);
    }

    #[tokio::test]
    async fn builds_that_do_not_fit_refuse_each_other_and_name_both() {
        let mut next = greeter("to", OURS);
        next.versions = WireVersions::new(4, 5, 4).unwrap();
        let (secured, heard) = meet(&greeter("from", OURS), &next, "to", link()).await;
        let said = secured.err().unwrap().to_string();
        assert!(said.contains("4-5") && said.contains("3-3"), "{said}");
        assert!(
            matches!(heard, Err(HelloError::VersionMismatch { .. })),
            "{heard:?}"
        );
    }

    #[tokio::test]
    async fn no_byte_can_be_changed() {
        let (said, answered) = record().await;
        for index in 0..answered.len() {
            let mut changed = answered.clone();
            changed[index] ^= 1;
            let mut stream = scripted(&changed);
            let heard = greeter("from", OURS)
                .greet(&mut stream, &node("to"), link())
                .await;
            assert!(heard.is_err(), "byte {index} of the answer");
        }
        for index in 0..said.len() {
            let mut changed = said.clone();
            changed[index] ^= 1;
            let mut stream = scripted(&changed);
            let heard = greeter("to", OURS).hear(&mut stream, || ()).await;
            assert!(heard.is_err(), "byte {index}");
        }
    }

    #[tokio::test]
    async fn what_was_recorded_is_refused_by_the_node_itself_and_by_who_dials_it() {
        let (said, answered) = record().await;
        let mut known = false;
        let mut stream = scripted(&said);
        let heard = greeter("to", OURS).hear(&mut stream, || known = true).await;
        assert!(matches!(heard, Err(HelloError::Sealed(_))));
        assert!(known, "the first message is no proof yet");
        let mut stream = scripted(&answered);
        let heard = greeter("from", OURS)
            .greet(&mut stream, &node("to"), link())
            .await;
        assert!(matches!(heard, Err(HelloError::Sealed(_))));
    }

    #[tokio::test]
    async fn what_is_sent_back_to_its_sender_is_refused() {
        let (said, _) = record().await;
        let mut stream = scripted(&said);
        let heard = greeter("from", OURS)
            .greet(&mut stream, &node("to"), link())
            .await;
        assert!(matches!(heard, Err(HelloError::Sealed(_))));
    }

    /// A stream that says this and then ends, and takes all.
    fn scripted(bytes: &[u8]) -> impl AsyncRead + AsyncWrite + Unpin + use<> {
        tokio::io::join(io::Cursor::new(bytes.to_vec()), tokio::io::sink())
    }
}
