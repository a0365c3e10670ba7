//! What a socket shows of its person: the rooms in which it makes the person present.

use std::{collections::BTreeSet, sync::Arc};

use hither_socketio::NamespaceName;

use super::{Person, hub::Hub, wire::Place};
use crate::room::Room;

/// Makes a person present in rooms, until it is dropped: with the socket, however that ends.
pub(crate) struct Shown {
    hub: Arc<Hub>,
    namespace: NamespaceName,
    /// Which rooms list their persons.
    listed: fn(&Room) -> bool,
    person: Arc<Person>,
    rooms: Arc<BTreeSet<Room>>,
}

impl Shown {
    pub(crate) fn new(
        hub: &Arc<Hub>,
        namespace: &NamespaceName,
        listed: fn(&Room) -> bool,
        person: &Arc<Person>,
        rooms: &Arc<BTreeSet<Room>>,
    ) -> Self {
        let shown = Self {
            hub: hub.clone(),
            namespace: namespace.clone(),
            listed,
            person: person.clone(),
            rooms: rooms.clone(),
        };
        shown.hub.enter(shown.places(shown.rooms.iter()), &shown.person);
        shown
    }

    /// The socket is in these rooms now, and belongs to this person.
    pub(crate) fn update(&mut self, person: &Arc<Person>, rooms: &Arc<BTreeSet<Room>>) {
        let is_same = Arc::ptr_eq(&self.person, person);
        if is_same && Arc::ptr_eq(&self.rooms, rooms) {
            return;
        }
        let (old_person, old_rooms) = (self.person.clone(), self.rooms.clone());
        self.person = person.clone();
        self.rooms = rooms.clone();
        // First what is new, so that nobody is gone for a moment.
        let new = rooms.iter().filter(|room| !is_same || !old_rooms.contains(*room));
        self.hub.enter(self.places(new), person);
        let old = old_rooms.iter().filter(|room| !is_same || !rooms.contains(*room));
        self.hub.leave(self.places(old), &old_person.key);
    }

    fn places<'a>(&self, rooms: impl IntoIterator<Item = &'a Room>) -> impl Iterator<Item = Place> {
        let (namespace, listed) = (self.namespace.clone(), self.listed);
        let rooms = rooms.into_iter().filter(move |room| listed(room));
        rooms.map(move |room| Place {
            namespace: namespace.clone(),
            room: room.clone(),
        })
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let rooms = self.rooms.clone();
        self.hub.leave(self.places(rooms.iter()), &self.person.key);
    }
}
