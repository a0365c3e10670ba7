//! What a client says to get its former connection back (connection state recovery).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::RecoveryId;
use crate::json::Json;

/// How far a client has been served, in words only the server understands. The client keeps the last one it saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Offset(Arc<str>);

impl Offset {
    /// Any text.
    pub fn new(offset: impl Into<Arc<str>>) -> Offset {
        Offset(offset.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes of a `pid` or an offset: no server gives longer ones, so a client that names one was given it by nobody.
const MAX_WORD: usize = 128;

/// A client's wish to recover: part of its auth payload, put there by the client library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryRequest {
    /// Which connection.
    pub pid: RecoveryId,
    /// What it saw last: nothing if no event had reached it (socket.io#5538).
    pub offset: Option<Offset>,
}

impl RecoveryRequest {
    /// The wish in an auth payload, if there is one. Fields of other types than the client library's are no wish, nor are words
    /// of more than 128 bytes, which no server gives.
    pub fn from_auth(auth: &Json) -> Option<RecoveryRequest> {
        #[derive(Deserialize)]
        struct Auth {
            pid: Arc<str>,
            offset: Option<Arc<str>>,
        }
        let Auth { pid, offset } = auth.parse().ok()?;
        let is_ours = |word: &Arc<str>| word.len() <= MAX_WORD;
        if !is_ours(&pid) || !offset.as_ref().is_none_or(is_ours) {
            return None;
        }
        Some(RecoveryRequest {
            pid: RecoveryId(pid),
            offset: offset.map(Offset),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(auth: &'static str) -> Option<RecoveryRequest> {
        RecoveryRequest::from_auth(&Json::new(auth).unwrap())
    }

    #[test]
    fn is_found_in_the_auth_payload() {
        let found = request(r#"{"token":"t","pid":"p","offset":"o"}"#).unwrap();
        assert_eq!(
            found,
            RecoveryRequest {
                pid: RecoveryId::new("p"),
                offset: Some(Offset::new("o"))
            }
        );
    }

    #[test]
    fn may_lack_an_offset() {
        assert_eq!(request(r#"{"pid":"p"}"#).unwrap().offset, None);
    }

    #[test]
    fn is_absent_otherwise() {
        for auth in [
            "{}",
            r#"{"offset":"o"}"#,
            r#"{"pid":1}"#,
            r#"{"pid":"p","offset":{}}"#,
        ] {
            assert_eq!(request(auth), None, "{auth}");
        }
    }

    #[test]
    fn is_absent_when_no_server_can_have_given_such_words() {
        let auth = |pid: usize, offset: usize| {
            let auth = format!(
                r#"{{"pid":"{}","offset":"{}"}}"#,
                "p".repeat(pid),
                "o".repeat(offset)
            );
            RecoveryRequest::from_auth(&Json::new(auth).unwrap())
        };
        assert!(auth(MAX_WORD, MAX_WORD).is_some());
        assert_eq!(auth(MAX_WORD + 1, 1), None);
        assert_eq!(auth(1, MAX_WORD + 1), None);
    }
}
