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
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, read) = bincode::serde::decode_from_slice(bytes, bincode::config::standard())?;
    if read == bytes.len() {
        Ok(value)
    } else {
        Err(WireError::Trailing(bytes.len() - read))
    }
}
