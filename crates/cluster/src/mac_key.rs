//! Keys of an embedder's own, derived from the cluster secret.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A key for message authentication codes (HMAC-SHA256): all nodes that know the secret have the same one, and nobody else.
///
/// It comes from [`Secret::mac_key`](crate::Secret::mac_key), for one purpose: a code that was made for one is worth
/// nothing for another.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(crate) fn new(keyed: Hmac<Sha256>) -> Self {
        Self(keyed)
    }

    /// The code of these bytes, all 32 bytes of it. A beginning of it will do where forging takes a request for each try.
    pub fn code(&self, bytes: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(bytes).finalize().into_bytes().into()
    }

    /// Whether `code` is the code of these bytes, or a beginning of it. Takes the same time for all wrong ones of a length;
    /// no code at all is wrong.
    pub fn verifies(&self, bytes: &[u8], code: &[u8]) -> bool {
        self.0
            .clone()
            .chain_update(bytes)
            .verify_truncated_left(code)
            .is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use crate::Secret;

    #[test]
    fn a_code_holds_for_one_secret_one_purpose_and_one_text() {
        let secret = Secret::new("0123456789abcdef").unwrap();
        let key = secret.mac_key("sid");
        let code = key.code(b"one");
        assert!(key.verifies(b"one", &code));
        assert!(key.verifies(b"one", &code[..9]));
        assert!(!key.verifies(b"two", &code));
        assert!(!secret.mac_key("pid").verifies(b"one", &code));
        let other = Secret::new("0123456789abcdeg").unwrap();
        assert!(!other.mac_key("sid").verifies(b"one", &code));
    }

    #[test]
    fn what_is_no_code_is_wrong() {
        let key = Secret::new("0123456789abcdef").unwrap().mac_key("sid");
        let code = key.code(b"one");
        let longer = [code.as_slice(), &[0]].concat();
        for wrong in [&[][..], &code[1..], &longer, &[0; 32]] {
            assert!(!key.verifies(b"one", wrong), "{wrong:?}");
        }
    }
}
