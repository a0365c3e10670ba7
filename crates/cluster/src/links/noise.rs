//! The encryption of connections: the Noise protocol, with a key that is derived from the cluster secret.
//!
//! `NNpsk0`: both ends draw a key for this connection alone, and the shared key goes into the first message already. So
//!
//! - neither end can take part without the secret, and each knows it of the other once it has read something;
//! - who accepts does no costly computation for a stranger, who fails at the first message's tag;
//! - who records all, and learns the secret later, reads nothing of it;
//! - the first message can be replayed, but not what follows: it proves nothing yet. The second cannot, for it answers the
//!   first; nor can any later one.

use std::sync::Arc;

use snow::{Builder, HandshakeState, StatelessTransportState, params::NoiseParams};

use crate::secret::{LinkKey, LinkKeys};

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";

/// The largest message of the protocol.
const MAX_MESSAGE: usize = u16::MAX as usize;

const TAG: usize = 16;

/// Bytes before each sealed chunk: its length, big endian.
pub(super) const LENGTH: usize = 2;

/// The largest chunk that is sealed at once.
pub(super) const MAX_CHUNK: usize = MAX_MESSAGE - TAG;

/// The largest message of the handshake: a public key, a tag and a short payload.
pub(super) const MAX_HANDSHAKE: usize = 128;

/// Bytes that nobody has sealed who knows the key, or not for this place in this connection.
#[derive(Debug, thiserror::Error)]
#[error("the encryption does not hold: {0}")]
pub(super) struct NoiseError(#[from] snow::Error);

/// The handshake of who dials, while the answer is awaited.
pub(super) struct Initiation(HandshakeState);

/// Seals what is sent on one connection.
pub(super) struct Sealer {
    state: Arc<StatelessTransportState>,
    next: u64,
}

/// Opens what has come on one connection.
pub(super) struct Opener {
    state: Arc<StatelessTransportState>,
    next: u64,
}

/// Begins: the first message.
pub(super) fn initiate(key: &LinkKey, prologue: &[u8]) -> Result<(Initiation, Vec<u8>), NoiseError> {
    let mut state = builder(key, prologue)?.build_initiator()?;
    let message = write(&mut state, &[])?;
    Ok((Initiation(state), message))
}

impl Initiation {
    /// Ends: reads the answer, and what it carries.
    pub(super) fn complete(mut self, answer: &[u8]) -> Result<(Sealer, Opener, Vec<u8>), NoiseError> {
        let payload = read(&mut self.0, answer)?;
        let (sealer, opener) = halves(self.0)?;
        Ok((sealer, opener, payload))
    }
}

/// Answers a first message that was made with one of these keys, and tells which.
pub(super) fn respond<'a>(
    keys: &'a LinkKeys,
    prologue: &[u8],
    message: &[u8],
    payload: &[u8],
) -> Result<(Sealer, Opener, Vec<u8>, &'a LinkKey), NoiseError> {
    let mut refusal = snow::Error::Decrypt;
    for key in keys.accepted() {
        let mut state = builder(key, prologue)?.build_responder()?;
        match read(&mut state, message) {
            Ok(_) => {
                let answer = write(&mut state, payload)?;
                let (sealer, opener) = halves(state)?;
                return Ok((sealer, opener, answer, key));
            }
            Err(NoiseError(error)) => refusal = error,
        }
    }
    Err(refusal.into())
}

fn builder<'a>(key: &'a LinkKey, prologue: &'a [u8]) -> Result<Builder<'a>, NoiseError> {
    let params: NoiseParams = PATTERN.parse()?;
    Ok(Builder::new(params).psk(0, key.bytes())?.prologue(prologue)?)
}

fn write(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, NoiseError> {
    let mut message = vec![0; MAX_HANDSHAKE];
    let length = state.write_message(payload, &mut message)?;
    message.truncate(length);
    Ok(message)
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, NoiseError> {
    let mut payload = vec![0; MAX_HANDSHAKE];
    let length = state.read_message(message, &mut payload)?;
    payload.truncate(length);
    Ok(payload)
}

fn halves(state: HandshakeState) -> Result<(Sealer, Opener), NoiseError> {
    let state = Arc::new(state.into_stateless_transport_mode()?);
    let sealer = Sealer {
        state: state.clone(),
        next: 0,
    };
    Ok((sealer, Opener { state, next: 0 }))
}

impl Sealer {
    /// Appends a chunk, of [`MAX_CHUNK`] bytes at most, with its length.
    pub(super) fn seal(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), NoiseError> {
        let length = u16::try_from(chunk.len() + TAG).map_err(|_| NoiseError(snow::Error::Input))?;
        out.extend_from_slice(&length.to_be_bytes());
        let begin = out.len();
        out.resize(begin + usize::from(length), 0);
        let place = out.get_mut(begin..).unwrap_or_default();
        self.state.write_message(self.next, chunk, place)?;
        self.next += 1;
        Ok(())
    }
}

impl Opener {
    /// Appends what a chunk holds; it comes without its length.
    pub(super) fn open(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), NoiseError> {
        let begin = out.len();
        // Room for the tag, too: then it is opened in place.
        out.resize(begin + sealed.len(), 0);
        let place = out.get_mut(begin..).unwrap_or_default();
        let length = self.state.read_message(self.next, sealed, place)?;
        out.truncate(begin + length);
        self.next += 1;
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::secret::{Secret, Secrets};

    /// Both ends of a connection whose handshake is done.
    pub(in crate::links) fn ends() -> [(Sealer, Opener); 2] {
        let keys = Secrets::from(Secret::well_known()).link_keys();
        let (initiation, first) = initiate(keys.spoken(), b"").unwrap();
        let (sealer, opener, second, _) = respond(&keys, b"", &first, b"").unwrap();
        let (dialled_sealer, dialled_opener, _) = initiation.complete(&second).unwrap();
        [(dialled_sealer, dialled_opener), (sealer, opener)]
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::ends, *};
    use crate::secret::{Secrets, testing::secret};

    fn keys(text: &str) -> LinkKeys {
        Secrets::from(secret(text)).link_keys()
    }

    fn ours() -> LinkKeys {
        keys("ours")
    }

    fn sealed(sealer: &mut Sealer, chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        sealer.seal(chunk, &mut out).unwrap();
        out.split_off(LENGTH)
    }

    fn opened(opener: &mut Opener, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        opener.open(sealed, &mut out).ok().map(|()| out)
    }

    #[test]
    fn both_ends_read_what_the_other_seals() {
        let [(mut sealer, mut opener), (mut far_sealer, mut far_opener)] = ends();
        for chunk in [b"".as_slice(), b"one", &[7; MAX_CHUNK]] {
            let there = sealed(&mut sealer, chunk);
            assert_eq!(opened(&mut far_opener, &there).as_deref(), Some(chunk));
            let back = sealed(&mut far_sealer, chunk);
            assert_eq!(opened(&mut opener, &back).as_deref(), Some(chunk));
        }
        assert!(sealer.seal(&[0; MAX_CHUNK + 1], &mut Vec::new()).is_err());
    }

    #[test]
    fn nothing_can_be_changed_repeated_left_out_or_sent_back() {
        let [(mut sealer, mut opener), (_, mut far_opener)] = ends();
        let first = sealed(&mut sealer, b"first");
        let second = sealed(&mut sealer, b"second");
        assert_eq!(opened(&mut far_opener, &second), None, "left out");
        assert_eq!(opened(&mut opener, &first), None, "sent back");
        for index in 0..first.len() {
            let mut changed = first.clone();
            changed[index] ^= 1;
            assert_eq!(opened(&mut far_opener, &changed), None, "byte {index}");
        }
        assert_eq!(
            opened(&mut far_opener, &first).as_deref(),
            Some(b"first".as_slice())
        );
        assert_eq!(opened(&mut far_opener, &first), None, "repeated");
        let [_, (_, mut other_opener)] = ends();
        assert_eq!(opened(&mut other_opener, &second), None, "in another connection");
    }

    #[test]
    fn another_secret_or_another_beginning_is_refused_at_the_first_message() {
        let (_, first) = initiate(keys("another").spoken(), b"3").unwrap();
        assert!(respond(&ours(), b"3", &first, b"").is_err());
        let (_, first) = initiate(ours().spoken(), b"3").unwrap();
        assert!(respond(&ours(), b"4", &first, b"").is_err());
        assert!(respond(&ours(), b"3", &first, b"").is_ok());
    }

    #[test]
    fn who_answers_must_know_the_secret() {
        let (initiation, first) = initiate(ours().spoken(), b"").unwrap();
        assert!(
            initiation.complete(&first).is_err(),
            "the first message, sent back"
        );
        let (initiation, _) = initiate(ours().spoken(), b"").unwrap();
        let (_, earlier) = initiate(ours().spoken(), b"").unwrap();
        let (_, _, recorded, _) = respond(&ours(), b"", &earlier, b"").unwrap();
        assert!(initiation.complete(&recorded).is_err(), "an answer to another");
    }

    #[test]
    fn a_recorded_first_message_is_answered_but_what_followed_is_worth_nothing() {
        let (initiation, first) = initiate(ours().spoken(), b"").unwrap();
        let (_, _, second, _) = respond(&ours(), b"", &first, b"").unwrap();
        let (mut sealer, _, _) = initiation.complete(&second).unwrap();
        let hello = sealed(&mut sealer, b"hello");
        let keys = ours();
        let (_, mut opener, _, _) = respond(&keys, b"", &first, b"").unwrap();
        assert_eq!(opened(&mut opener, &hello), None);
    }
}
