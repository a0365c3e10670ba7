//! The first packet of a session.

use std::time::Duration;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::{SessionConfig, TransportName};

/// What the server tells a client when it opens a session (specification: *Handshake*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The session id, which the client names in all that follows.
    pub sid: ByteString,
    /// What the client may upgrade to.
    pub upgrades: Vec<TransportName>,
    /// See [`SessionConfig::ping_interval`]; on the wire in milliseconds.
    #[serde(with = "milliseconds")]
    pub ping_interval: Duration,
    /// See [`SessionConfig::ping_timeout`]; on the wire in milliseconds.
    #[serde(with = "milliseconds")]
    pub ping_timeout: Duration,
    /// See [`SessionConfig::max_payload`]; in bytes.
    pub max_payload: usize,
}

impl Handshake {
    /// For a session that opens on `transport`.
    pub fn new(sid: impl Into<ByteString>, transport: TransportName, config: &SessionConfig) -> Handshake {
        Handshake {
            sid: sid.into(),
            upgrades: transport.upgrades().to_vec(),
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            max_payload: config.max_payload,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        #[expect(
            clippy::expect_used,
            reason = "strings, numbers and a list have a JSON form, and memory does not fail"
        )]
        serde_json::to_string(self).expect("a handshake is representable as JSON")
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;

    #[test]
    fn the_example_of_the_specification() {
        let handshake = Handshake::new(
            "lv_VI97HAXpY6yYWAAAC",
            TransportName::Polling,
            &SessionConfig::default(),
        );
        assert_eq!(
            Frame::open(&handshake).bytes(),
            concat!(
                r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"#,
                r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
            )
        );
    }

    #[test]
    fn a_websocket_is_not_told_to_upgrade() {
        let handshake = Handshake::new("x", TransportName::WebSocket, &SessionConfig::default());
        assert!(handshake.to_json().contains(r#""upgrades":[]"#));
    }

    #[test]
    fn a_client_reads_what_a_server_writes() {
        let handshake = Handshake::new("\"", TransportName::Polling, &SessionConfig::default());
        assert_eq!(
            serde_json::from_str::<Handshake>(&handshake.to_json()).ok(),
            Some(handshake)
        );
    }
}
