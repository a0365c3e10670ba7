//! Values as bytes, as nodes send them to each other: the one place in this crate that knows how they look.
//!
//! Which version of a message the bytes are is for who owns the links to say. Whoever writes one knows how many bytes it
//! takes, [before](encoded_len) and [after](encode_into); whoever reads one says how many there may be.

use serde::{Serialize, de::DeserializeOwned};

/// A value that cannot be written: one of its parts refuses to be serialised.
#[derive(Debug, thiserror::Error)]
#[error("a value cannot be written as bytes: {0}")]
pub struct EncodeError(#[from] bincode::error::EncodeError);

/// Bytes that are no such value.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are more of them than a value may take.
    #[error("a value of {length} bytes is too long: {limit} are allowed")]
    TooLong {
        /// How many there are.
        length: usize,
        /// How many there may be.
        limit: usize,
    },
    /// They are damaged, or were written by another version; or they claim to be more than so many bytes can be.
    #[error("bytes are no value of this version: {0}")]
    Invalid(#[from] bincode::error::DecodeError),
    /// There is more behind the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
}

/// Writes a value behind what is in a buffer, and says how many bytes it takes. If that fails, the buffer is as it was.
///
/// # Errors
/// When a part of the value refuses to be serialised.
pub fn encode_into<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<usize, EncodeError> {
    struct Writer<'a>(&'a mut Vec<u8>);
    impl bincode::enc::write::Writer for Writer<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    let before = buffer.len();
    match bincode::serde::encode_into_writer(value, Writer(buffer), bincode::config::standard()) {
        Ok(()) => Ok(buffer.len() - before),
        Err(error) => {
            buffer.truncate(before);
            Err(error.into())
        }
    }
}

/// How many bytes a value takes. It is walked through for that, and nothing is written.
///
/// # Errors
/// When a part of the value refuses to be serialised.
pub fn encoded_len<T: Serialize>(value: &T) -> Result<usize, EncodeError> {
    struct Counter<'a>(&'a mut usize);
    impl bincode::enc::write::Writer for Counter<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
            *self.0 += bytes.len();
            Ok(())
        }
    }
    let mut length = 0;
    bincode::serde::encode_into_writer(value, Counter(&mut length), bincode::config::standard())?;
    Ok(length)
}

/// Reads a value, which must fill `bytes` to the end. Bytes can claim to hold a text or a list of any length: they are
/// believed up to a limit in proportion to how many they are, and so is what they make this node allocate.
///
/// # Errors
/// When there are more than `limit` bytes, or they are not one whole value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    let length = bytes.len();
    if length > limit {
        return Err(DecodeError::TooLong { length, limit });
    }
    // Counted in sizes of what is read: 16 for what one byte may be, a small number of 128 bits. The step must be a constant.
    let (value, read) = match length {
        0..=0x100 => decode_within::<T, 0x1000>(bytes)?,
        0x101..=0x1000 => decode_within::<T, 0x1_0000>(bytes)?,
        0x1001..=0x1_0000 => decode_within::<T, 0x10_0000>(bytes)?,
        0x1_0001..=0x10_0000 => decode_within::<T, 0x100_0000>(bytes)?,
        0x10_0001..=0x100_0000 => decode_within::<T, 0x1000_0000>(bytes)?,
        // What is longer than 16 MiB is believed to be no longer in memory than a bound on all messages of nodes.
        _ => decode_within::<T, 0x4000_0000>(bytes)?,
    };
    if read != length {
        return Err(DecodeError::Trailing(length - read));
    }
    Ok(value)
}

fn decode_within<T: DeserializeOwned, const LIMIT: usize>(
    bytes: &[u8],
) -> Result<(T, usize), bincode::error::DecodeError> {
    bincode::serde::decode_from_slice(bytes, bincode::config::standard().with_limit::<LIMIT>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn written<T: Serialize>(value: &T) -> Vec<u8> {
        let mut buffer = Vec::new();
        let length = encode_into(value, &mut buffer).unwrap();
        assert_eq!(
            (length, encoded_len(value).unwrap()),
            (buffer.len(), buffer.len())
        );
        buffer
    }

    #[test]
    fn values_are_written_one_behind_the_other() {
        let mut buffer = written(&7_u8);
        assert_eq!(encode_into(&"more", &mut buffer).unwrap(), 5);
        assert_eq!(buffer, b"\x07\x04more");
        assert_eq!(
            decode::<(u8, String)>(&buffer, LIMIT).unwrap(),
            (7, "more".into())
        );
    }

    #[test]
    fn a_value_that_cannot_be_written_leaves_nothing_behind() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("it does not want to"))
            }
        }
        let mut buffer = written(&7_u8);
        let error = encode_into(&(1_u8, Refuses), &mut buffer).unwrap_err();
        assert!(error.to_string().contains("does not want to"), "{error}");
        assert_eq!(buffer, [7]);
        assert!(encoded_len(&Refuses).is_err());
    }

    #[test]
    fn only_so_many_bytes_are_read_and_all_of_them() {
        let bytes = written(&[1_u8; 100].to_vec());
        assert!(decode::<Vec<u8>>(&bytes, bytes.len()).is_ok());
        let error = decode::<Vec<u8>>(&bytes, 100).unwrap_err();
        assert!(
            matches!(
                error,
                DecodeError::TooLong {
                    length: 101,
                    limit: 100
                }
            ),
            "{error}"
        );
        assert!(matches!(
            decode::<u8>(&[0, 1, 2], LIMIT),
            Err(DecodeError::Trailing(2))
        ));
        assert!(matches!(decode::<u16>(&[], LIMIT), Err(DecodeError::Invalid(_))));
    }

    #[test]
    fn a_few_bytes_cannot_claim_much() {
        for length in [0x1001_u64, 1 << 32, 1 << 40, u64::MAX] {
            let bytes = written(&length);
            assert!(decode::<String>(&bytes, LIMIT).is_err());
            assert!(decode::<Vec<u64>>(&bytes, LIMIT).is_err());
        }
    }
}
