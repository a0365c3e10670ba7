//! Rooms, and what is published to them.

use std::{fmt, sync::Arc};

use hither_cluster::{Topic, Weigh};
use hither_socketio::{Event, NamespaceName, SocketId};
use serde::{Deserialize, Serialize};

/// A group of sockets of one namespace, by name. It exists as long as somebody is in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Room(Arc<str>);

impl Room {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for Room {
    fn from(name: T) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The topic of a room, or, without one, of everybody in the namespace.
///
/// A namespace's name holds no comma, so the two cannot run into each other.
pub(crate) fn topic(namespace: &NamespaceName, room: Option<&Room>) -> Topic {
    match room {
        Some(room) => Topic::from(format!("{namespace},{room}")),
        None => Topic::from(namespace.as_str()),
    }
}

/// The room of a namespace that a topic is for, if it is for one.
pub(crate) fn room_of(namespace: &NamespaceName, topic: &Topic) -> Option<Room> {
    topic
        .as_str()
        .strip_prefix(namespace.as_str())?
        .strip_prefix(',')
        .map(Room::from)
}

/// An event for a room, as it travels between nodes. Each lane encodes it once for all its receivers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoomEvent {
    pub(crate) namespace: NamespaceName,
    pub(crate) event: Event,
    /// Sockets that shall not receive it.
    pub(crate) except: Vec<SocketId>,
    /// Rooms whose members shall not receive it: those left out, and those to which it is published as well.
    pub(crate) except_rooms: Vec<Room>,
}

impl Weigh for RoomEvent {
    fn weight(&self) -> usize {
        self.event.args.json().len()
            + self
                .event
                .args
                .attachments()
                .iter()
                .map(bytes::Bytes::len)
                .sum::<usize>()
            + 256
    }
}
