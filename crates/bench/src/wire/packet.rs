//! The packets that a load generator sends and hears.

use anyhow::{Result, bail};

/// A packet of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// The first one, of Engine.IO.
    Open,
    /// It wants a pong.
    Ping,
    /// The socket is connected to the namespace.
    Connected,
    /// An event.
    Event,
    /// The answer to the event with this id.
    Ack(u64),
    /// Nothing: an answer to a poll that a transport no longer needs.
    Noop,
}

impl Packet {
    /// Reads what kind of packet it is; events are looked at by [`Stamp::find`](crate::stamp::Stamp::find) alone.
    pub(crate) fn read(frame: &[u8]) -> Result<Self> {
        Ok(match frame {
            [b'0', ..] => Self::Open,
            [b'2'] => Self::Ping,
            [b'6'] => Self::Noop,
            [b'4', b'0', ..] => Self::Connected,
            [b'4', b'2', ..] => Self::Event,
            [b'4', b'3', id @ ..] => Self::Ack(leading_number(id)),
            _ => bail!("unexpected packet: {}", String::from_utf8_lossy(frame)),
        })
    }
}

fn leading_number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// What a server says to a socket that connects: the answer to CONNECT, and the event `auth`, which it emits when it has
/// handlers for what the socket says. Some servers answer CONNECT before, and drop an event for which there is no handler yet.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    connected: bool,
    ready: bool,
}

impl Greeting {
    /// Takes the next packet.
    pub(crate) fn hear(&mut self, packet: Packet) -> Result<()> {
        match packet {
            Packet::Connected => self.connected = true,
            Packet::Event => self.ready = true,
            Packet::Ping | Packet::Noop => {}
            Packet::Open | Packet::Ack(_) => bail!("{packet:?} instead of the answer to CONNECT"),
        }
        Ok(())
    }

    /// Whether nothing of it is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.connected && self.ready
    }
}

/// The packet that connects to the default namespace.
pub(crate) const CONNECT: &str = "40";

/// The packet that leaves the default namespace.
pub(crate) const DISCONNECT: &str = "41";

/// The answer to a ping.
pub(crate) const PONG: &str = "3";

/// An event whose arguments are texts that need no escapes; with an id when it awaits an ack.
pub(crate) fn event(id: Option<u64>, name: &str, texts: &[&str]) -> String {
    use std::fmt::Write;
    let mut packet = String::with_capacity(96);
    packet.push_str("42");
    if let Some(id) = id {
        // Writing to a string cannot fail.
        write!(packet, "{id}").unwrap_or_default();
    }
    packet.push_str("[\"");
    packet.push_str(name);
    for text in texts {
        packet.push_str("\",\"");
        packet.push_str(text);
    }
    packet.push_str("\"]");
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart() {
        let kind = |frame: &str| Packet::read(frame.as_bytes()).unwrap();
        assert_eq!(kind(r#"0{"sid":"x"}"#), Packet::Open);
        assert_eq!(kind("2"), Packet::Ping);
        assert_eq!(kind(r#"40{"sid":"x"}"#), Packet::Connected);
        assert_eq!(kind(r#"42["auth",{}]"#), Packet::Event);
        assert_eq!(kind(r#"43127["x"]"#), Packet::Ack(127));
        assert!(Packet::read(br#"44{"message":"no"}"#).is_err());
        assert!(Packet::read(b"").is_err());
    }

    #[test]
    fn a_socket_says_nothing_before_the_server_has_handlers_for_it() {
        for order in [
            [Packet::Connected, Packet::Event],
            [Packet::Event, Packet::Connected],
        ] {
            let mut greeting = Greeting::default();
            for packet in order {
                assert!(!greeting.is_complete());
                greeting.hear(packet).unwrap();
            }
            assert!(greeting.is_complete());
        }
        assert!(Greeting::default().hear(Packet::Ack(1)).is_err());
    }

    #[test]
    fn events_are_written_as_the_protocol_says() {
        assert_eq!(event(Some(7), "echo", &["a"]), r#"427["echo","a"]"#);
        assert_eq!(
            event(None, "publish", &["room", "b"]),
            r#"42["publish","room","b"]"#
        );
    }
}
