//! A connection with its clock; what it puts out is told in words.

use std::fmt::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hither_engineio::{FrameKind, Message};
use hither_socketio::{
    AckId, Args, Connection, ConnectionConfig, Encoded, Event, NamespaceName, Output, SocketId,
};
use serde::Serialize;

pub(crate) struct Story {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
}

impl Story {
    pub(crate) fn new() -> Story {
        Story::with(ConnectionConfig::default())
    }

    pub(crate) fn with(config: ConnectionConfig) -> Story {
        let now = Instant::now();
        Story {
            connection: Connection::new(config, now),
            now,
        }
    }

    /// A client that is socket `S` in the main namespace.
    pub(crate) fn connected() -> Story {
        let mut story = Story::new();
        assert_eq!(story.says("0"), ["ask / -"]);
        assert_eq!(story.accepts("/", "S"), [r#"send 0{"sid":"S"}"#]);
        story
    }

    pub(crate) fn says(&mut self, text: &str) -> Vec<String> {
        self.hears(Message::Text(text.into()))
    }

    pub(crate) fn attaches(&mut self, bytes: &'static [u8]) -> Vec<String> {
        self.hears(Message::Binary(Bytes::from_static(bytes)))
    }

    fn hears(&mut self, message: Message) -> Vec<String> {
        self.connection.message(message, self.now);
        self.outputs()
    }

    pub(crate) fn accepts(&mut self, at: &str, socket: &str) -> Vec<String> {
        self.connection
            .accept(&namespace(at), SocketId::new(socket), None)
            .expect("a CONNECT waits for its answer");
        self.outputs()
    }

    pub(crate) fn emits(&mut self, at: &str, name: &str, args: impl Serialize) -> Vec<String> {
        self.connection
            .emit(&namespace(at), &event(name, args))
            .expect("a connected or asking client");
        self.outputs()
    }

    pub(crate) fn emits_with_ack(
        &mut self,
        at: &str,
        name: &str,
        args: impl Serialize,
    ) -> (AckId, Vec<String>) {
        let emitted = self.connection.emit_with_ack(&namespace(at), &event(name, args));
        (emitted.expect("a connected or asking client"), self.outputs())
    }

    pub(crate) fn disconnects(&mut self, at: &str) -> Vec<String> {
        self.connection
            .disconnect(&namespace(at))
            .expect("a connected client");
        self.outputs()
    }

    pub(crate) fn outputs(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.connection.next_output())
            .map(|output| tell(&output))
            .collect()
    }

    /// Lets time pass as a shell does: up to each deadline on the way.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<String> {
        let until = self.now + time;
        let mut outputs = Vec::new();
        while let Some(deadline) = self.connection.deadline().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.connection.tick(self.now);
            outputs.extend(self.outputs());
        }
        self.now = until;
        outputs
    }

    /// Makes sure that the client is socket `S` in the main namespace, and is heard there.
    pub(crate) fn assert_connected(&mut self) {
        assert_eq!(self.says(r#"2["alive?"]"#), ["event / S alive?[]"]);
        assert_eq!(self.emits("/", "alive", ()), [r#"send 2["alive"]"#]);
    }

    /// Makes sure that it is over and that nothing matters any more.
    pub(crate) fn assert_closed(&mut self) {
        let main = NamespaceName::MAIN;
        assert!(self.connection.is_closed());
        assert_eq!(self.connection.deadline(), None);
        assert_eq!(self.connection.sockets().count(), 0);
        assert_eq!(self.says("0"), [""; 0]);
        assert_eq!(self.says("malformed"), [""; 0]);
        assert_eq!(self.attaches(b"bytes"), [""; 0]);
        assert!(
            self.connection
                .accept(&main, SocketId::new("late"), None)
                .is_err()
        );
        assert!(self.connection.emit(&main, &event("late", ())).is_err());
        assert!(self.connection.emit_with_ack(&main, &event("late", ())).is_err());
        assert!(self.connection.ack(&main, AckId::new(0), &Args::NONE).is_err());
        assert!(self.connection.disconnect(&main).is_err());
        self.connection.disconnect_all();
        self.connection.tick(self.now + Duration::from_secs(3600));
        assert_eq!(self.outputs(), [""; 0]);
    }
}

pub(crate) fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).expect("a namespace")
}

pub(crate) fn event(name: &str, args: impl Serialize) -> Event {
    Event::new(name, &args).expect("an event")
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An output in words; what is sent is shown as on the wire, without Engine.IO's digit.
pub(crate) fn tell(output: &Output) -> String {
    match output {
        Output::ConnectRequested { namespace, auth } => {
            format!(
                "ask {namespace} {}",
                auth.as_ref().map_or("-", |auth| auth.as_str())
            )
        }
        Output::ConnectRepeated { namespace, socket } => format!("repeated {namespace} {socket}"),
        Output::EventUntaken {
            namespace,
            socket,
            error,
        } => format!("untaken {namespace} {socket}: {error}"),
        Output::Event {
            namespace,
            socket,
            event,
            ack,
        } => {
            let ack = ack.map_or(String::new(), |ack| format!(" ack {ack}"));
            format!(
                "event {namespace} {socket} {}{}{ack}",
                event.name,
                args(&event.args)
            )
        }
        Output::Acked {
            namespace,
            socket,
            id,
            args: answer,
        } => {
            format!("acked {namespace} {socket} {id}{}", args(answer))
        }
        Output::Disconnected {
            namespace,
            socket,
            reason,
        } => {
            format!("disconnected {namespace} {socket}: {reason}")
        }
        Output::Send(encoded) => format!("send {}", wire(encoded)),
        Output::Close(reason) => format!("close: {reason}"),
    }
}

/// A packet as on the wire, each attachment in hex.
pub(crate) fn wire(encoded: &Encoded) -> String {
    let frames = encoded.frames().map(|frame| match frame.kind() {
        FrameKind::Text => {
            let text = std::str::from_utf8(frame.bytes()).expect("a text frame is text");
            text.strip_prefix('4')
                .expect("Engine.IO's digit for a message")
                .to_owned()
        }
        FrameKind::Binary => hex(frame.bytes()),
    });
    frames.collect::<Vec<_>>().join(" ")
}

/// The messages that a peer receives when this is sent.
pub(crate) fn messages(encoded: &Encoded) -> Vec<Message> {
    let frames = encoded.frames().map(|frame| match frame.kind() {
        FrameKind::Text => {
            let text = bytestring::ByteString::try_from(frame.bytes().slice(1..));
            Message::Text(text.expect("a text frame is text"))
        }
        FrameKind::Binary => Message::Binary(frame.bytes().clone()),
    });
    frames.collect()
}

fn args(args: &Args) -> String {
    let mut told = args.json().to_owned();
    for attachment in args.attachments() {
        told.push(' ');
        told.push_str(&hex(attachment));
    }
    told
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("+"), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes what is written");
        hex
    })
}
