//! Since when a socket is in its rooms: what was said in a room before a socket joined it is not for that socket, however
//! far back its client's offset lies.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use hither_cluster::{Marks, Missed, Position, Publication, Topic};

use super::{env::Lane, history::Place, session::NamespaceSocket};
use crate::room::{Room, RoomEvent, room_of};

/// Where a socket joined each of its rooms. Shared with whoever compares it with what was before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Joins {
    places: Arc<BTreeMap<Room, Place>>,
    /// Bytes of the rooms' names.
    bytes: usize,
}

impl Joins {
    /// The socket joins a room.
    pub(super) fn joined(&mut self, room: Room, place: Place) {
        self.bytes += room.as_str().len();
        if let Some(_earlier) = Arc::make_mut(&mut self.places).insert(room.clone(), place) {
            self.bytes -= room.as_str().len();
        }
    }

    /// The socket leaves a room.
    pub(super) fn left(&mut self, room: &Room) {
        if Arc::make_mut(&mut self.places).remove(room).is_some() {
            self.bytes -= room.as_str().len();
        }
    }

    /// Memory held, in bytes, nearly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.places.len() * size_of::<(Room, Place)>()
    }

    pub(super) fn places(&self) -> &Arc<BTreeMap<Room, Place>> {
        &self.places
    }

    pub(super) fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.places.keys()
    }

    fn place(&self, room: &Room) -> Option<Place> {
        self.places.get(room).copied()
    }
}

impl From<BTreeMap<Room, Place>> for Joins {
    fn from(places: BTreeMap<Room, Place>) -> Self {
        Self {
            bytes: places.keys().map(|room| room.as_str().len()).sum(),
            places: Arc::new(places),
        }
    }
}

/// What of the past of a socket's rooms is for the socket, room by room as they are asked for.
pub(super) struct Past<'a> {
    socket: &'a NamespaceSocket,
    /// Up to where the client was told, if it has said so: whatever was joined before that needs no look.
    told: Option<Place>,
    rooms: HashMap<Topic, Since>,
}

/// From where on what is said in a room is for a socket.
#[derive(Clone, Debug)]
enum Since {
    /// It was in the room all the time.
    Always,
    /// After this entry of the present lane's log.
    Entry(u64),
    /// After these marks, in a lane in which it lived before.
    Marks(Marks),
    /// The log in which that stands is not known any more.
    Unknown,
}

impl<'a> Past<'a> {
    pub(super) fn of(socket: &'a NamespaceSocket, told: Option<Place>) -> Self {
        Self {
            socket,
            told,
            rooms: HashMap::new(),
        }
    }

    /// Whether the socket was in the room when this was published; none if nobody knows any more. `position` is none for
    /// what the lane has inherited.
    pub(super) fn includes(
        &mut self,
        lane: &Lane,
        publication: &Publication<RoomEvent>,
        position: Option<Position>,
    ) -> Option<bool> {
        let (socket, told) = (self.socket, self.told);
        let since = self
            .rooms
            .entry(publication.topic.clone())
            .or_insert_with(|| since(lane, socket, told, &publication.topic));
        match since {
            Since::Always => Some(true),
            // What was inherited was published before the lane heard the room, and so before the socket joined it here.
            Since::Entry(entry) => Some(position.is_some_and(|position| position.entry > *entry)),
            Since::Marks(marks) => Some(publication.number > marks.of(&publication.origin)),
            Since::Unknown => None,
        }
    }
}

/// Takes out what was said in rooms before these sockets came to them, as far as that is known.
pub(super) fn retain_joined(sockets: &[NamespaceSocket], lane: &Lane, missed: &mut Missed<RoomEvent>) {
    let mut pasts: Vec<Past<'_>> = sockets.iter().map(|socket| Past::of(socket, None)).collect();
    let mut is_for_us = |publication: &Publication<RoomEvent>, position| {
        let namespace = &publication.payload.namespace;
        let past = pasts.iter_mut().find(|past| past.socket.namespace == *namespace);
        past.and_then(|past| past.includes(lane, publication, position)) != Some(false)
    };
    missed.before.retain(|publication| is_for_us(publication, None));
    missed
        .entries
        .retain(|entry| is_for_us(&entry.publication, Some(entry.position)));
}

fn since(lane: &Lane, socket: &NamespaceSocket, told: Option<Place>, topic: &Topic) -> Since {
    let Some(joined) = room_of(&socket.namespace, topic).and_then(|room| socket.joins.place(&room)) else {
        // The namespace itself, in which the socket was from its beginning.
        return Since::Always;
    };
    let order = |place: Place| (socket.epochs.index(place), place.position.entry);
    if told.is_some_and(|told| order(joined) <= order(told)) {
        return Since::Always;
    }
    if joined.position.log == lane.position().log && socket.epochs.is_present(joined) {
        return Since::Entry(joined.position.entry);
    }
    let marks = lane.marks_at(joined.position);
    match marks.and_then(|marks| socket.epochs.at(joined, marks)) {
        Some(marks) => Since::Marks(marks),
        None => Since::Unknown,
    }
}
