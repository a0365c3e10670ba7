//! What is kept is named by these.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};

/// A text is not an id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} id is 11 characters of A-Z a-z 0-9 _ -, as the server gave it out")]
pub struct IdError {
    kind: &'static str,
}

/// A random positive number; as text, and so in JSON, 11 characters of base64url.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(i64);

        impl $name {
            /// A new one, of 63 random bits.
            pub fn random() -> Self {
                Self((rand::random::<u64>() >> 1) as i64)
            }

            pub(crate) fn from_raw(raw: i64) -> Self {
                Self(raw)
            }

            pub(crate) fn raw(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { kind: $kind };
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| error.clone())?;
                let raw = i64::from_be_bytes(bytes.try_into().map_err(|_| error.clone())?);
                if raw < 0 { Err(error) } else { Ok(Self(raw)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

random_id!(
    /// Names a person, member or guest, for as long as the person is kept.
    PersonId,
    "a person's"
);
random_id!(
    /// Names a room.
    RoomId,
    "a room's"
);
random_id!(
    /// Names an incoming webhook. It is no secret: who knows it cannot use the webhook.
    WebhookId,
    "a webhook's"
);
random_id!(
    /// Names an attachment.
    AttachmentId,
    "an attachment's"
);

/// The SHA-256 of a secret: of a login session's id, an API token, a webhook's path. The secret itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Of the hash's bytes.
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// The hash's bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Some(Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// A time by the clock of the store: milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// The place of a message in its room: 1, 2, 3, … without gaps. 0 stands for the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Number(u64);

impl Number {
    /// The largest number: what JSON numbers hold exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// A number, [`Number::MAX`] when it is greater than that.
    pub const fn new(number: u64) -> Self {
        Self(if number < Self::MAX.0 { number } else { Self::MAX.0 })
    }

    /// As an integer.
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn from_raw(raw: i64) -> Self {
        Self(raw.unsigned_abs())
    }

    pub(crate) fn raw(self) -> i64 {
        // At most `MAX`, which fits.
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadNumber)
    }
}

/// Reads a [`Number`] from whatever a number of JSON can be: 3 may come as 3.0.
#[derive(Clone, Copy)]
struct ReadNumber;

impl Visitor<'_> for ReadNumber {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 0 to {}", Number::MAX)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
        if number > Number::MAX.0 {
            return Err(E::invalid_value(Unexpected::Unsigned(number), &self));
        }
        Ok(Number(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
        let unsigned = u64::try_from(number);
        self.visit_u64(unsigned.map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
        // Up to `MAX` each whole number is exact.
        if number.fract() != 0.0 || !(0.0..=Number::MAX.0 as f64).contains(&number) {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        Ok(Number(number as u64))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client calls a message: 1 to 64 characters of `A-Z a-z 0-9 _ -`, new for each message of an author.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientId(String);

/// A text is no [`ClientId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message's id is 1 to 64 characters of A-Z a-z 0-9 _ -")]
pub struct ClientIdError;

impl ClientId {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is empty, too long or has other characters.
    pub fn new(text: impl Into<String>) -> Result<Self, ClientIdError> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(ClientIdError)
        }
    }

    /// A random one, for messages that no client named.
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClientId {
    type Error = ClientIdError;

    fn try_from(text: String) -> Result<Self, ClientIdError> {
        Self::new(text)
    }
}

impl From<ClientId> for String {
    fn from(id: ClientId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        for id in [RoomId::from_raw(0), RoomId::from_raw(i64::MAX), RoomId::random()] {
            assert_eq!(id.to_string().len(), 11);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        let negative = URL_SAFE_NO_PAD.encode((-1_i64).to_be_bytes());
        for text in [
            "",
            "lobby",
            "AAAAAAAAAAA=",
            "AAAAAAAAAAAAAAAA",
            "äääää",
            &negative,
        ] {
            let error = text.parse::<RoomId>().unwrap_err();
            assert!(error.to_string().starts_with("a room's id is 11 characters"));
        }
    }

    #[test]
    fn numbers_are_whole_and_exact() {
        for (text, number) in [
            ("0", 0),
            ("3", 3),
            ("3.0", 3),
            ("9007199254740991", Number::MAX.get()),
        ] {
            assert_eq!(serde_json::from_str::<Number>(text).unwrap().get(), number);
        }
        for text in ["-1", "1.5", "9007199254740992", "1e300", "\"3\"", "null"] {
            let error = serde_json::from_str::<Number>(text).unwrap_err().to_string();
            assert!(
                error.contains("a whole number from 0 to 9007199254740991"),
                "{error}"
            );
        }
    }

    #[test]
    fn client_ids_have_few_characters() {
        assert!(ClientId::new("0b9f-UUID_").is_ok());
        for text in [
            String::new(),
            "x".repeat(65),
            "a b".into(),
            "é".into(),
            "a\0".into(),
        ] {
            assert!(ClientId::new(text).is_err());
        }
    }

    #[test]
    fn a_hash_is_not_shown() {
        assert_eq!(format!("{:?}", SecretHash::new([7; 32])), "SecretHash(..)");
    }
}
