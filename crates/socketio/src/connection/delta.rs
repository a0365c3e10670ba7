//! What has changed of a connection since somebody was last told of it: a part of what [`ConnectionSnapshot`] has.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Connection;
use super::namespaces::Standing;
use super::snapshot::ConnectionSnapshot;
use super::state::State;
use crate::decode::{HalfPacketChange, HalfPacketMark};
use crate::namespace::NamespaceName;

/// What somebody who keeps a [`ConnectionSnapshot`] has been told of a connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMark {
    is_closed: bool,
    had_connected: bool,
    namespaces: Vec<(NamespaceName, Standing)>,
    half: HalfPacketMark,
}

/// What has changed since a [`ConnectionMark`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionDelta {
    is_closed: bool,
    connect_overdue: Option<Duration>,
    attachment_overdue: Option<Duration>,
    next_ack: u64,
    gone: Vec<NamespaceName>,
    changed: Vec<(NamespaceName, Standing)>,
    half: HalfPacketChange,
    /// Whether anything but times and the count of acks differs.
    is_change: bool,
}

impl ConnectionDelta {
    /// Whether nothing has changed but times, which pass, and the count of acks, which its shell keeps track of.
    pub fn is_empty(&self) -> bool {
        !self.is_change
    }
}

impl Connection {
    /// What whoever has a snapshot of this moment knows.
    pub fn mark(&self) -> ConnectionMark {
        let Some(open) = self.state.open() else {
            return ConnectionMark {
                is_closed: true,
                ..ConnectionMark::default()
            };
        };
        ConnectionMark {
            is_closed: false,
            had_connected: open.connect_overdue.is_none(),
            namespaces: open.namespaces.standings().collect(),
            half: open.half_packet_mark(),
        }
    }

    /// What has changed since a mark, which is moved to now.
    pub fn changes_since(&self, mark: &mut ConnectionMark, now: Instant) -> ConnectionDelta {
        let left = |until: &Option<Instant>| until.map(|until| until.saturating_duration_since(now));
        let new = self.mark();
        let Some(open) = self.state.open() else {
            let is_change = !mark.is_closed;
            *mark = new;
            return ConnectionDelta {
                is_closed: true,
                connect_overdue: None,
                attachment_overdue: None,
                next_ack: 0,
                gone: Vec::new(),
                changed: Vec::new(),
                half: HalfPacketChange::Same,
                is_change,
            };
        };
        let is_in = |list: &[(NamespaceName, Standing)], name: &NamespaceName| {
            list.iter().any(|(known, _)| known == name)
        };
        let gone: Vec<NamespaceName> = mark
            .namespaces
            .iter()
            .filter(|(name, _)| !is_in(&new.namespaces, name))
            .map(|(name, _)| name.clone())
            .collect();
        let changed: Vec<_> = new
            .namespaces
            .iter()
            .filter(|entry| !mark.namespaces.contains(entry))
            .cloned()
            .collect();
        let half = open.half_packet_since(&mark.half);
        let is_change = !(gone.is_empty() && changed.is_empty() && half == HalfPacketChange::Same)
            || mark.had_connected != new.had_connected;
        *mark = new;
        ConnectionDelta {
            is_closed: false,
            connect_overdue: left(&open.connect_overdue),
            attachment_overdue: left(open.attachment_overdue()),
            next_ack: open.ack_count(),
            gone,
            changed,
            half,
            is_change,
        }
    }
}

impl ConnectionSnapshot {
    /// Brings the snapshot up to date. Which acks are awaited is not in a delta: whoever restores the connection
    /// [says so](Connection::expect_ack).
    pub fn apply(&mut self, delta: ConnectionDelta) {
        if delta.is_closed {
            self.state = State::Closed;
            return;
        }
        let State::Open(open) = &mut self.state else {
            return;
        };
        open.connect_overdue = delta.connect_overdue;
        open.update(delta.attachment_overdue, delta.next_ack, delta.half);
        open.namespaces.update(&delta.gone, delta.changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ConnectionConfig;
    use crate::ids::SocketId;
    use hither_engineio::Message;

    fn namespace(name: &str) -> NamespaceName {
        name.parse().expect("a name")
    }

    /// Whoever applies all changes knows where the client stands everywhere, and all of a half packet.
    #[test]
    fn changes_lead_to_the_same_connection() {
        let now = Instant::now();
        let mut connection = Connection::new(ConnectionConfig::default(), now);
        let (mut replica, mut mark) = (connection.snapshot(now), connection.mark());
        let mut tell = |connection: &mut Connection| {
            while connection.next_output().is_some() {}
            let delta = connection.changes_since(&mut mark, now);
            let is_empty = delta.is_empty();
            replica.apply(delta);
            let copy = Connection::restore(replica.clone(), now);
            let standings = |connection: &Connection| {
                let open = connection.state.open().expect("it is open");
                let mut standings: Vec<_> = open.namespaces.standings().collect();
                standings.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
                standings
            };
            assert_eq!(standings(&copy), standings(connection));
            assert_eq!(copy.waiting_bytes(), connection.waiting_bytes());
            assert_eq!(copy.deadline(), connection.deadline());
            is_empty
        };
        let text = |text: &'static str| Message::Text(text.into());
        assert!(tell(&mut connection));
        connection.message(text("0/a,{\"token\":1}"), now);
        connection.message(text("0"), now);
        assert!(!tell(&mut connection), "asked");
        let accepted = connection.accept(&namespace("/a"), SocketId::new("a"), None);
        assert!(accepted.is_ok() && !tell(&mut connection));
        let accepted = connection.accept(&namespace("/"), SocketId::new("main"), None);
        assert!(accepted.is_ok() && !tell(&mut connection));
        connection.message(text("2[\"event\"]"), now);
        assert!(tell(&mut connection), "an event changes nothing");
        connection.message(
            text("52-[\"file\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"),
            now,
        );
        assert!(!tell(&mut connection), "half a packet");
        connection.message(Message::Binary(vec![1; 1000].into()), now);
        assert!(!tell(&mut connection), "more of it");
        assert!(tell(&mut connection), "told once");
        connection.message(Message::Binary(vec![2; 1000].into()), now);
        assert!(!tell(&mut connection), "the rest");
        assert!(connection.disconnect(&namespace("/a")).is_ok() && !tell(&mut connection));
        connection.message(text("1"), now);
        assert!(!tell(&mut connection), "the client has left");
    }
}
