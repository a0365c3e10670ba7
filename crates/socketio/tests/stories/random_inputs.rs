//! Whatever happens in whatever order, a few things always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hither_engineio::Message;
use hither_socketio::{
    AckId, Args, ConnectError, Connection, ConnectionConfig, EmitError, NamespaceName, Output, PacketLimits,
    SocketId,
};
use proptest::prelude::*;

use crate::moving::through_snapshot;
use crate::story::{event, namespace, tell, wire};

const CONFIG: ConnectionConfig = ConnectionConfig {
    connect_timeout: Duration::from_millis(500),
    attachment_timeout: Duration::from_millis(300),
    packets: PacketLimits {
        max_attachments: 2,
        max_bytes: 200,
    },
    max_namespaces: 2,
    max_awaited_acks: 3,
    max_early_bytes: 40,
};

#[derive(Clone, Copy, Debug)]
enum Input {
    Text(&'static str),
    Binary(&'static [u8]),
    Ack(Place, u64),
    Accept(Place),
    Refuse(Place),
    Emit(Place),
    EmitWithAck(Place),
    ForgetAck(Place, u64),
    AnswerEvent(Place),
    Disconnect(Place),
    DisconnectAll,
    Wait(u64),
    Move,
}

type Place = &'static str;

fn place() -> impl Strategy<Value = Place> {
    prop::sample::select(&["/", "/", "/a", "/b"][..])
}

fn input() -> impl Strategy<Value = Input> {
    let good = &[
        "0",
        "0/a,{}",
        "0/a,{\"as\":2}",
        "0/b",
        "0/a\u{1}b,",
        "3[]",
        "2[\"x\"]",
        "2/a,[\"x\"]",
        "2/b,7[\"x\",1]",
        "1",
        "1/a,",
        "51-[\"x\",{\"_placeholder\":true,\"num\":0}]",
        "52-/a,[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
    ][..];
    let bad = &[
        "",
        "x",
        "2{}",
        "4{\"message\":\"m\"}",
        "53-[\"x\"]",
        "2[\"connect\"]",
    ][..];
    prop_oneof![
        30 => prop::sample::select(good).prop_map(Input::Text),
        1 => prop::sample::select(bad).prop_map(Input::Text),
        8 => prop::sample::select(vec![&b""[..], b"12"]).prop_map(Input::Binary),
        6 => (place(), 0_u64..8).prop_map(|(place, id)| Input::Ack(place, id)),
        20 => place().prop_map(Input::Accept),
        3 => place().prop_map(Input::Refuse),
        8 => place().prop_map(Input::Emit),
        8 => place().prop_map(Input::EmitWithAck),
        2 => (place(), 0_u64..8).prop_map(|(place, id)| Input::ForgetAck(place, id)),
        4 => place().prop_map(Input::AnswerEvent),
        4 => place().prop_map(Input::Disconnect),
        1 => Just(Input::DisconnectAll),
        6 => (0_u64..150).prop_map(Input::Wait),
        3 => Just(Input::Move),
    ]
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// The application was asked and has not answered.
    Asked {
        early: Vec<String>,
    },
    Connected {
        socket: SocketId,
    },
}

/// A shell that knows only what it was told, and checks that it was told the truth.
struct Shell {
    connection: Connection,
    now: Instant,
    standing: BTreeMap<NamespaceName, Standing>,
    awaited: BTreeSet<(NamespaceName, AckId)>,
    /// What must be sent next, before anything else is.
    due: Vec<String>,
    sockets: u32,
    closed: bool,
    told: Vec<String>,
}

impl Shell {
    fn new() -> Shell {
        let now = Instant::now();
        Shell {
            connection: Connection::new(CONFIG, now),
            now,
            standing: BTreeMap::new(),
            awaited: BTreeSet::new(),
            due: Vec::new(),
            sockets: 0,
            closed: false,
            told: Vec::new(),
        }
    }

    fn give(&mut self, input: Input) {
        match input {
            Input::Text(text) => self.connection.message(Message::Text(text.into()), self.now),
            Input::Binary(bytes) => self
                .connection
                .message(Message::Binary(Bytes::from_static(bytes)), self.now),
            Input::Ack(place, id) => {
                let text = if place == "/" {
                    format!("3{id}[]")
                } else {
                    format!("3{place},{id}[]")
                };
                self.connection.message(Message::Text(text.into()), self.now);
            }
            Input::Accept(place) => self.accept(namespace(place)),
            Input::Refuse(place) => {
                let namespace = namespace(place);
                let answer = self.connection.refuse(&namespace, &ConnectError::new("no"));
                assert_eq!(answer.is_ok(), self.is_asked(&namespace));
                if answer.is_ok() {
                    self.standing.remove(&namespace);
                    self.awaited.retain(|(at, _)| *at != namespace);
                }
            }
            Input::Emit(place) => {
                let namespace = namespace(place);
                let emitted = self.connection.emit(&namespace, &event("e", ()));
                self.check_emit(&namespace, emitted, "e");
            }
            Input::EmitWithAck(place) => {
                let namespace = namespace(place);
                let waiting = self.awaited.iter().filter(|(at, _)| *at == namespace).count();
                let emitted = self.connection.emit_with_ack(&namespace, &event("q", ()));
                assert_eq!(
                    emitted == Err(EmitError::TooManyAcks),
                    waiting == CONFIG.max_awaited_acks
                );
                if let Ok(id) = emitted {
                    assert!(self.awaited.insert((namespace.clone(), id)), "an id is used once");
                }
                self.check_emit(&namespace, emitted.map(drop), "q");
            }
            Input::ForgetAck(place, id) => {
                let (namespace, id) = (namespace(place), AckId::new(id));
                let forgotten = self.connection.forget_ack(&namespace, id);
                assert_eq!(forgotten, self.awaited.remove(&(namespace, id)));
            }
            Input::AnswerEvent(place) => {
                let namespace = namespace(place);
                let answered = self.connection.ack(&namespace, AckId::new(1), &Args::NONE);
                assert_eq!(answered.is_ok(), self.is_connected(&namespace));
            }
            Input::Disconnect(place) => {
                let namespace = namespace(place);
                let connected = self.is_connected(&namespace);
                assert_eq!(self.connection.disconnect(&namespace).is_ok(), connected);
            }
            Input::DisconnectAll => self.connection.disconnect_all(),
            Input::Wait(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                self.connection.tick(self.now);
            }
            Input::Move => self.relocate(),
        }
        while let Some(output) = self.connection.next_output() {
            self.hear(output);
        }
        self.check();
    }

    fn accept(&mut self, namespace: NamespaceName) {
        self.sockets += 1;
        let socket = SocketId::new(format!("S{}", self.sockets));
        let asked = self.standing.get(&namespace).cloned();
        let answer = self.connection.accept(&namespace, socket.clone(), None);
        match asked {
            Some(Standing::Asked { early }) => {
                assert!(answer.is_ok());
                self.due = early;
                self.standing.insert(namespace, Standing::Connected { socket });
            }
            Some(Standing::Connected { .. }) | None => assert!(answer.is_err()),
        }
    }

    fn check_emit(&mut self, at: &NamespaceName, emitted: Result<(), EmitError>, name: &str) {
        match (self.standing.get_mut(at), emitted) {
            (Some(Standing::Asked { early }), Ok(())) => early.push(name.into()),
            (Some(Standing::Asked { .. }), Err(error)) => {
                assert!(!matches!(error, EmitError::NotConnected(_)))
            }
            (Some(Standing::Connected { .. }), Ok(()) | Err(EmitError::TooManyAcks)) => {}
            (None, Err(EmitError::NotConnected(_))) => {}
            (standing, emitted) => panic!("{standing:?} and {emitted:?}"),
        }
    }

    /// The handlers that were asked stay behind, and what they emitted with them.
    fn relocate(&mut self) {
        let snapshot = through_snapshot(&self.connection, self.now);
        self.connection = Connection::restore(snapshot, self.now);
        let asked: Vec<NamespaceName> = self
            .standing
            .keys()
            .filter(|at| self.is_asked(at))
            .cloned()
            .collect();
        for namespace in asked {
            self.standing.remove(&namespace);
            self.awaited.retain(|(at, _)| *at != namespace);
        }
    }

    fn hear(&mut self, output: Output) {
        assert!(!self.closed, "nothing may follow the end, but {output:?} does");
        match &output {
            Output::ConnectRequested { namespace, .. } => {
                let before = self
                    .standing
                    .insert(namespace.clone(), Standing::Asked { early: Vec::new() });
                assert_eq!(before, None, "one question at a time");
            }
            Output::ConnectRepeated { namespace, socket } => {
                self.assert_connected(namespace, socket);
                let answered = self.connection.connected_again(namespace, None);
                assert_eq!(answered, Ok(()));
            }
            Output::Event {
                namespace, socket, ..
            }
            | Output::EventUntaken {
                namespace, socket, ..
            } => self.assert_connected(namespace, socket),
            Output::Acked {
                namespace,
                socket,
                id,
                ..
            } => {
                self.assert_connected(namespace, socket);
                assert!(
                    self.awaited.remove(&(namespace.clone(), *id)),
                    "nobody asked for {id}"
                );
            }
            Output::Disconnected {
                namespace, socket, ..
            } => {
                self.assert_connected(namespace, socket);
                // One that has left before it was accepted is not told.
                self.due.clear();
                self.standing.remove(namespace);
                self.awaited.retain(|(at, _)| at != namespace);
            }
            Output::Send(encoded) => self.check_sent(&wire(encoded)),
            Output::Close(_) => {
                let connected = self.standing.keys().filter(|at| self.is_connected(at)).count();
                assert_eq!(connected, 0, "sockets go before their session");
                self.standing.clear();
                self.awaited.clear();
                self.closed = true;
            }
        }
        self.told.push(tell(&output));
    }

    /// What was emitted early follows right behind the word that the client is connected, in its order.
    fn check_sent(&mut self, wire: &str) {
        if !wire.starts_with('0') && !self.due.is_empty() {
            let name = self.due.remove(0);
            assert!(
                wire.ends_with(&format!("[\"{name}\"]")),
                "{name} was due, but {wire} was sent"
            );
        }
    }

    fn check(&self) {
        assert!(self.due.is_empty(), "never sent: {:?}", self.due);
        assert_eq!(self.connection.is_closed(), self.closed);
        assert!(!self.closed || self.connection.deadline().is_none());
        assert!(
            self.connection
                .deadline()
                .is_none_or(|deadline| deadline > self.now - Duration::from_millis(150))
        );
        let sockets: Vec<_> = self.connection.sockets().collect();
        let connected = self
            .standing
            .values()
            .filter(|standing| matches!(standing, Standing::Connected { .. }));
        assert_eq!(sockets.len(), connected.count());
        assert!(self.standing.len() <= CONFIG.max_namespaces);
        for (namespace, socket) in sockets {
            self.assert_connected(namespace, socket);
        }
    }

    fn assert_connected(&self, namespace: &NamespaceName, socket: &SocketId) {
        let expected = Standing::Connected {
            socket: socket.clone(),
        };
        assert_eq!(self.standing.get(namespace), Some(&expected), "{namespace}");
    }

    fn is_asked(&self, namespace: &NamespaceName) -> bool {
        matches!(self.standing.get(namespace), Some(Standing::Asked { .. }))
    }

    fn is_connected(&self, namespace: &NamespaceName) -> bool {
        matches!(self.standing.get(namespace), Some(Standing::Connected { .. }))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_connection_tells_its_shell_the_truth(inputs in proptest::collection::vec(input(), 0..80)) {
        let mut shell = Shell::new();
        for input in inputs {
            shell.give(input);
        }
        let ends = shell.told.iter().filter(|told| told.starts_with("close")).count();
        prop_assert_eq!(ends, usize::from(shell.closed));
    }

    /// Only where nobody waits for an answer: there the application is asked again, which one that stays is not.
    #[test]
    fn a_connection_that_moves_does_as_one_that_stays(inputs in proptest::collection::vec(input(), 0..80)) {
        let mut moving = Shell::new();
        let mut staying = Shell::new();
        for input in inputs {
            if let Input::Move = input {
                if moving.standing.values().all(|standing| matches!(standing, Standing::Connected { .. })) {
                    moving.give(input);
                }
                continue;
            }
            moving.give(input);
            staying.give(input);
        }
        prop_assert_eq!(moving.told, staying.told);
    }
}
