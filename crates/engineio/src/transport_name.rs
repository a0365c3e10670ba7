//! The transports by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// A transport, as the query parameter `transport` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl TransportName {
    /// Its name in queries and handshakes.
    pub const fn as_str(self) -> &'static str {
        match self {
            TransportName::Polling => "polling",
            TransportName::WebSocket => "websocket",
        }
    }

    /// What a session on this transport may be upgraded to.
    pub const fn upgrades(self) -> &'static [TransportName] {
        match self {
            TransportName::Polling => &[TransportName::WebSocket],
            TransportName::WebSocket => &[],
        }
    }
}

impl FromStr for TransportName {
    type Err = Refusal;

    /// Anything but the exact names is [`Refusal::UnknownTransport`].
    fn from_str(name: &str) -> Result<Self, Refusal> {
        match name {
            "polling" => Ok(TransportName::Polling),
            "websocket" => Ok(TransportName::WebSocket),
            _ => Err(Refusal::UnknownTransport),
        }
    }
}

impl fmt::Display for TransportName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for name in [TransportName::Polling, TransportName::WebSocket] {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for name in [
            "",
            "Polling",
            "WEBSOCKET",
            "webtransport",
            "constructor",
            "__proto__",
        ] {
            assert_eq!(
                name.parse::<TransportName>(),
                Err(Refusal::UnknownTransport),
                "{name:?}"
            );
        }
    }
}
