//! The one place that knows how messages between nodes look in bytes.

use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// A message that could not be turned into bytes, or back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// A value refuses to be encoded.
    #[error("a message for another node cannot be encoded: {0}")]
    Encode(#[from] bincode::error::EncodeError),
    /// The bytes are not such a message: the peer runs another version, or they are damaged.
    #[error("bytes from another node are not a message of this version: {0}")]
    Decode(#[from] bincode::error::DecodeError),
    /// There is more after the message.
    #[error("{0} bytes follow the message from another node")]
    Trailing(usize),
}

/// Encodes one value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes, WireError> {
    Ok(bincode::serde::encode_to_vec(value, bincode::config::standard())?.into())
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

/// Decodes one value, which must fill `bytes` to the end.
///
/// Bytes can claim to hold a text or a list of any length, and are believed up to a limit that depends on how many they
/// are: what they make this node allocate is in proportion to them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    // The limit is counted in sizes of what is decoded: 16 for what one byte may be, a small number of 128 bits.
    let (value, read) = match bytes.len() {
        0..=0x100 => decode_within::<T, 0x1000>(bytes)?,
        0x101..=0x1000 => decode_within::<T, 0x1_0000>(bytes)?,
        0x1001..=0x1_0000 => decode_within::<T, 0x10_0000>(bytes)?,
        0x1_0001..=0x10_0000 => decode_within::<T, 0x100_0000>(bytes)?,
        // The largest message is 16 MiB.
        _ => decode_within::<T, 0x1000_0000>(bytes)?,
    };
    if read == bytes.len() {
        Ok(value)
    } else {
        Err(WireError::Trailing(bytes.len() - read))
    }
}

fn decode_within<T: DeserializeOwned, const LIMIT: usize>(bytes: &[u8]) -> Result<(T, usize), WireError> {
    let config = bincode::config::standard().with_limit::<LIMIT>();
    Ok(bincode::serde::decode_from_slice(bytes, config)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a length is written as, and nothing after it.
    fn claims(length: u64) -> Bytes {
        encode(&length).unwrap()
    }

    #[test]
    fn a_few_bytes_cannot_claim_much() {
        for length in [0x1001_u64, 1 << 32, 1 << 40, u64::MAX] {
            let bytes = claims(length);
            let text = decode::<String>(&bytes).unwrap_err();
            assert!(
                matches!(
                    &text,
                    WireError::Decode(bincode::error::DecodeError::LimitExceeded)
                ),
                "{length}: {text}"
            );
            assert!(decode::<Vec<u64>>(&bytes).is_err());
            assert!(decode::<Bytes>(&bytes).is_err());
        }
    }

    #[test]
    fn the_largest_message_is_within_the_limit() {
        let bytes = Bytes::from(vec![7; 16 << 20]);
        assert_eq!(decode::<Bytes>(&encode(&bytes).unwrap()).unwrap(), bytes);
    }

    #[test]
    fn what_follows_the_value_is_an_error() {
        assert!(matches!(decode::<u8>(&[1, 2]), Err(WireError::Trailing(1))));
    }

    proptest! {
        #[test]
        fn honest_values_are_within_the_limit(
            numbers in prop::collection::vec(0_u128..3, 0..5000),
            texts in prop::collection::vec("[a-z]{0,3}", 0..1000),
            flags in prop::collection::vec(any::<Option<bool>>(), 0..1000),
        ) {
            let value = (numbers, texts, flags);
            let decoded: (Vec<u128>, Vec<String>, Vec<Option<bool>>) = decode(&encode(&value).unwrap()).unwrap();
            prop_assert_eq!(decoded, value);
        }
    }
}
