//! How reading a socket ends.

use super::CloseCode;

/// Why a socket is read no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SocketEnd {
    /// The connection ended, or broke.
    #[error("connection lost")]
    Lost,
    /// The lane dropped the write half: the session is done with the socket, or it could not be written to.
    #[error("closed by the server")]
    HungUp,
    /// The client sent a close frame.
    #[error("closed by the client")]
    ClosedByClient(CloseCode),
    /// The client broke the rules of WebSocket.
    #[error("malformed frame")]
    Malformed,
    /// Text was not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// A message was over `maxPayload`.
    #[error("message over maxPayload")]
    TooLarge,
    /// The session does not take frames from this socket.
    #[error("refused by the session")]
    Refused,
    /// The session did not say whether it has what it was pushed.
    #[error("session out of reach")]
    OutOfReach,
}

impl SocketEnd {
    /// The code that tells the client, if there is still something to tell (RFC 6455, 7.4.1).
    pub(super) fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::Lost | Self::HungUp => None,
            Self::ClosedByClient(code) => Some(code),
            Self::Malformed => Some(CloseCode::Protocol),
            Self::NotUtf8 => Some(CloseCode::Invalid),
            Self::TooLarge => Some(CloseCode::Size),
            Self::Refused => Some(CloseCode::Normal),
            Self::OutOfReach => Some(CloseCode::Error),
        }
    }
}
