//! The one place that knows how messages between nodes look in bytes.
//!
//! Each value bears the [version](WireVersion) that it is written in. Who writes it chooses: on a link the one that both ends
//! speak, else the one that this build [broadcasts](WireVersion::broadcast). Who reads it takes all that this build speaks.
//!
//! To change the wire, add a version to [`WireVersion`] and a variant to [`Versioned`]; the compiler names what else is to be
//! said of it. A type that changes stays as it was for the older version, and is converted here. In which releases that
//! happens is told in [`version`](crate::version).

use std::{
    cell::Cell,
    hash::{DefaultHasher, Hasher},
};

use bytes::Bytes;
use hither_replication::codec;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::version::WireVersion;

/// A value, as each version has it.
#[derive(Serialize, Deserialize)]
enum Versioned<T> {
    V3(T),
    #[cfg(any(test, feature = "next-wire"))]
    V4(next::Next<T>),
}

/// The next version, for tests: the same values, and something more that older builds do not know.
#[cfg(any(test, feature = "next-wire"))]
mod next {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(super) struct Next<T> {
        more: String,
        pub(super) value: T,
    }

    impl<T> Next<T> {
        pub(super) fn new(value: T) -> Self {
            let more = "next".to_owned();
            Self { more, value }
        }
    }
}

/// A message that could not be turned into bytes, or back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// A value refuses to be encoded.
    #[error("a message for another node cannot be encoded: {0}")]
    Encode(#[from] codec::EncodeError),
    /// The bytes are not such a message: the peer runs another version, or they are damaged.
    #[error("bytes from another node are not a message of this version: {0}")]
    Decode(#[from] codec::DecodeError),
    /// The bytes are of a version that this build, as a test has it, does not speak.
    #[cfg(feature = "next-wire")]
    #[error("bytes from another node are a message of version {0}, which this node does not speak")]
    NotSpoken(WireVersion),
}

#[cfg(feature = "next-wire")]
impl<T> Versioned<T> {
    /// As builds do that have no such variant.
    fn check_spoken(&self) -> Result<(), WireError> {
        let version = match self {
            Self::V3(_) => WireVersion::V3,
            Self::V4(_) => WireVersion::V4,
        };
        version
            .is_spoken()
            .then_some(())
            .ok_or(WireError::NotSpoken(version))
    }
}

/// What a thread keeps room for, in bytes, to encode the next value in.
const KEPT_ROOM: usize = 64 << 10;

thread_local! {
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Encodes one value in a version.
pub(crate) fn encode<T: Serialize>(version: WireVersion, value: &T) -> Result<Bytes, WireError> {
    // How long it becomes is known at its end only. So that it is allocated once, it is written into room that is there.
    let mut buffer = ROOM.take();
    let encoded = encode_into(version, value, &mut buffer).map(|()| Bytes::copy_from_slice(&buffer));
    if buffer.capacity() <= KEPT_ROOM {
        buffer.clear();
        ROOM.set(buffer);
    }
    encoded
}

/// Encodes one value in a version, behind what is in a buffer. If that fails, the buffer is as it was.
pub(crate) fn encode_into<T: Serialize>(
    version: WireVersion,
    value: &T,
    buffer: &mut Vec<u8>,
) -> Result<(), WireError> {
    codec::encode_into(&versioned(version, value), buffer)?;
    Ok(())
}

fn versioned<T: Serialize>(version: WireVersion, value: &T) -> Versioned<&T> {
    match version {
        WireVersion::V3 => Versioned::V3(value),
        #[cfg(any(test, feature = "next-wire"))]
        WireVersion::V4 => Versioned::V4(next::Next::new(value)),
    }
}

/// Tells values apart by what they would be in bytes. For comparing on the node that made it, at once: it means nothing to
/// others, or to another build.
pub fn fingerprint<T: Serialize>(value: &T) -> u64 {
    struct Sink(DefaultHasher);
    impl bincode::enc::write::Writer for Sink {
        fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
            self.0.write(bytes);
            Ok(())
        }
    }
    let mut sink = Sink(DefaultHasher::new());
    match bincode::serde::encode_into_writer(value, &mut sink, bincode::config::standard()) {
        Ok(()) => sink.0.finish(),
        // Then it differs from everything.
        Err(_) => rand::random(),
    }
}

/// More than the largest message between nodes takes; how large that may be is for the links to say.
const LONGEST: usize = 32 << 20;

/// Decodes one value in any version that this build speaks, which must fill `bytes` to the end.
///
/// Bytes can claim to hold a text or a list of any length, and are believed up to a limit that depends on how many they
/// are: what they make this node allocate is in proportion to them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let value = codec::decode::<Versioned<T>>(bytes, LONGEST)?;
    #[cfg(feature = "next-wire")]
    value.check_spoken()?;
    Ok(match value {
        Versioned::V3(value) => value,
        #[cfg(any(test, feature = "next-wire"))]
        Versioned::V4(next) => next.value,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a length is written as, and nothing after it.
    fn claims(length: u64) -> Bytes {
        encode(WireVersion::V3, &length).unwrap()
    }

    /// What was encoded before, or could not be, is not in what is encoded next; and little room is kept of what was large.
    #[test]
    fn values_that_are_encoded_in_turn_know_nothing_of_each_other() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("it does not want to"))
            }
        }
        let small = encode(WireVersion::V3, &7_u8).unwrap();
        let large = "x".repeat(KEPT_ROOM);
        let encoded = encode(WireVersion::V3, &large).unwrap();
        assert_eq!(decode::<String>(&encoded).unwrap(), large);
        assert_eq!(encode(WireVersion::V3, &7_u8).unwrap(), small);
        assert!(encode(WireVersion::V3, &("some of it", Refuses)).is_err());
        assert_eq!(encode(WireVersion::V3, &7_u8).unwrap(), small);
        let kept = ROOM.take();
        assert!(
            kept.is_empty() && kept.capacity() <= KEPT_ROOM,
            "{}",
            kept.capacity()
        );
    }

    #[test]
    fn a_few_bytes_cannot_claim_much() {
        for length in [0x1001_u64, 1 << 32, 1 << 40, u64::MAX] {
            let bytes = claims(length);
            let text = decode::<String>(&bytes).unwrap_err();
            assert!(text.to_string().contains("LimitExceeded"), "{length}: {text}");
            assert!(decode::<Vec<u64>>(&bytes).is_err());
            assert!(decode::<Bytes>(&bytes).is_err());
        }
    }

    #[test]
    fn the_largest_message_is_within_the_limit() {
        let bytes = Bytes::from(vec![7; 16 << 20]);
        assert_eq!(
            decode::<Bytes>(&encode(WireVersion::V3, &bytes).unwrap()).unwrap(),
            bytes
        );
    }

    #[test]
    fn what_follows_the_value_is_an_error() {
        assert!(matches!(
            decode::<u8>(&[0, 1, 2]),
            Err(WireError::Decode(codec::DecodeError::Trailing(1)))
        ));
    }

    #[test]
    fn a_value_bears_its_version_and_is_read_in_any() {
        let [third, fourth] =
            [WireVersion::V3, WireVersion::V4].map(|version| encode(version, &7_u8).unwrap());
        assert_eq!(third[..], [0, 7]);
        assert_eq!((fourth[0], decode::<u8>(&fourth).unwrap()), (1, 7));
        assert_eq!(decode::<u8>(&third).unwrap(), 7);
        assert!(decode::<u8>(&[9, 7]).is_err());
    }

    proptest! {
        #[test]
        fn honest_values_are_within_the_limit(
            numbers in prop::collection::vec(0_u128..3, 0..5000),
            texts in prop::collection::vec("[a-z]{0,3}", 0..1000),
            flags in prop::collection::vec(any::<Option<bool>>(), 0..1000),
        ) {
            let value = (numbers, texts, flags);
            let decoded: (Vec<u128>, Vec<String>, Vec<Option<bool>>) = decode(&encode(WireVersion::V3, &value).unwrap()).unwrap();
            prop_assert_eq!(decoded, value);
        }
    }
}
