//! What the application says to the handlers of sockets, wherever they are.

use hither_cluster::Topic;
use hither_socketio::{Event, SocketId};

use super::{
    Sessions,
    env::Lane,
    session::{NamespaceSocket, Session, Upper},
};
use crate::{job::Job, room::room_of};

impl Sessions {
    /// Has the handlers called of all sockets here that hear a topic.
    pub(super) fn tell_handlers(&mut self, lane: &mut Lane, topic: &Topic, event: &Event) {
        for slot in self.env.listeners.get(topic).cloned().unwrap_or_default() {
            // One that is on its way keeps it for the case that it stays; elsewhere it is told that it was relocated.
            if let Some(session) = self.slots.get_mut(slot) {
                session.tell_handlers(lane, topic, event);
            }
            self.with_slot(lane, slot, Session::drive);
        }
    }
}

impl Session {
    fn tell_handlers(&mut self, lane: &mut Lane, heard: &Topic, event: &Event) {
        let Upper::SocketIo(upper) = &self.upper else {
            return;
        };
        let hears = |socket: &&NamespaceSocket| {
            let room = room_of(&socket.namespace, heard);
            socket.listening && room.is_some_and(|room| socket.rooms.contains(&room))
        };
        let sockets: Vec<SocketId> = upper
            .sockets
            .iter()
            .filter(hears)
            .map(|socket| socket.id.clone())
            .collect();
        for socket in sockets {
            let event = event.clone();
            self.enqueue(Job::Told { socket, event });
            lane.changed(&self.key);
        }
    }
}
