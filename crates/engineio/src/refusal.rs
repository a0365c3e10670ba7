//! How a request is refused.

use serde::{Deserialize, Serialize};

/// Why a request is not served: the reference server's errors, with its codes and words.
///
/// Whether the session survives stands with each input of [`Session`](crate::Session).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The `transport` of the query is missing or is none of ours.
    #[error("Transport unknown")]
    UnknownTransport,
    /// There is no such session, or no longer.
    #[error("Session ID unknown")]
    UnknownSid,
    /// Only a GET opens a session.
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    /// The request does not fit the state of its session, or is malformed.
    #[error("Bad request")]
    BadRequest,
    /// The application does not want this client.
    #[error("Forbidden")]
    Forbidden,
    /// The `EIO` of the query is missing or is not 4.
    #[error("Unsupported protocol version")]
    UnsupportedProtocolVersion,
}

impl Refusal {
    /// The number that clients are told.
    pub const fn code(self) -> u8 {
        match self {
            Refusal::UnknownTransport => 0,
            Refusal::UnknownSid => 1,
            Refusal::BadHandshakeMethod => 2,
            Refusal::BadRequest => 3,
            Refusal::Forbidden => 4,
            Refusal::UnsupportedProtocolVersion => 5,
        }
    }

    /// The words that clients are told.
    pub fn message(self) -> String {
        self.to_string()
    }

    /// The JSON body of the answer, for `content-type: application/json`.
    pub fn body(self) -> String {
        format!(r#"{{"code":{},"message":"{self}"}}"#, self.code())
    }

    /// The HTTP status of the answer.
    pub const fn http_status(self) -> u16 {
        match self {
            Refusal::Forbidden => 403,
            _ => 400,
        }
    }
}

/// Checks the query parameter `EIO` of a request that opens a session.
///
/// Where it is missing the reference server assumes revision 3, which is not spoken here.
pub fn check_revision(eio: Option<&str>) -> Result<(), Refusal> {
    match eio {
        Some("4") => Ok(()),
        _ => Err(Refusal::UnsupportedProtocolVersion),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_words_and_statuses_are_those_of_the_reference() {
        let bodies = [
            (
                Refusal::UnknownTransport,
                400,
                r#"{"code":0,"message":"Transport unknown"}"#,
            ),
            (
                Refusal::UnknownSid,
                400,
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                Refusal::BadHandshakeMethod,
                400,
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            (Refusal::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
            (Refusal::Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
            (
                Refusal::UnsupportedProtocolVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
        ];
        for (refusal, status, body) in bodies {
            assert_eq!((refusal.http_status(), refusal.body().as_str()), (status, body));
        }
    }

    #[test]
    fn only_revision_4_is_spoken() {
        assert_eq!(check_revision(Some("4")), Ok(()));
        for eio in [
            None,
            Some(""),
            Some("3"),
            Some("5"),
            Some("abc"),
            Some("04"),
            Some("4 "),
        ] {
            assert_eq!(
                check_revision(eio),
                Err(Refusal::UnsupportedProtocolVersion),
                "{eio:?}"
            );
        }
    }
}
