//! Secrets that browsers and programs hold: of login sessions, API tokens and webhooks. Only their hashes are stored.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hither_store::SecretHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Random bytes of a secret.
const BYTES: usize = 32;
/// Characters of a secret.
const CHARS: usize = 43;

/// A secret of 256 random bits. With so many, a plain hash of it is as safe as a slow one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; BYTES]>()))
    }

    /// A secret as somebody shows it, if it can be one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let fits = text.len() == CHARS && URL_SAFE_NO_PAD.decode(text).is_ok();
        fits.then(|| Self(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> SecretHash {
        SecretHash::new(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Which login session, as it travels with a socket: the hash of its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct LoginId(pub(crate) SecretHash);

/// A text names no login session.
#[derive(Debug, thiserror::Error)]
#[error("a login session is named by 43 characters of base64url")]
pub(crate) struct LoginIdError;

impl From<LoginId> for String {
    fn from(id: LoginId) -> Self {
        URL_SAFE_NO_PAD.encode(id.0.bytes())
    }
}

impl TryFrom<String> for LoginId {
    type Error = LoginIdError;

    fn try_from(text: String) -> Result<Self, LoginIdError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| LoginIdError)?;
        Ok(Self(SecretHash::new(bytes.try_into().map_err(|_| LoginIdError)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_as_they_were_given() {
        let secret = Secret::random();
        assert_eq!(Secret::read(secret.text()), Some(secret.clone()));
        assert_ne!(Secret::random(), secret);
        for bad in ["", "x", &"x".repeat(44), &"ü".repeat(43), &"=".repeat(43)] {
            assert_eq!(Secret::read(bad), None, "{bad}");
        }
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn login_ids_travel() {
        let id = LoginId(Secret::random().hash());
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<LoginId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<LoginId>("\"x\"").is_err());
    }
}
