//! Whom the chat speaks to: rooms of the library for a person, a login session and a chat room.

use std::fmt::Write;

use hither::Room;
use hither_store::{PersonId, RoomId, SecretHash};

const PERSON: &str = "p:";
const LOGIN: &str = "l:";
const ROOM: &str = "r:";

/// All sockets of a person.
pub(crate) fn of_person(person: PersonId) -> Room {
    Room::from(format!("{PERSON}{person}"))
}

/// All sockets of a login session. The hash is no secret: nobody can sign in with it.
pub(crate) fn of_login(login: &SecretHash) -> Room {
    let mut name = LOGIN.to_owned();
    for byte in login.bytes() {
        // Writing to a String does not fail.
        write!(name, "{byte:02x}").ok();
    }
    Room::from(name)
}

/// All sockets of those in a chat room.
pub(crate) fn of_room(room: RoomId) -> Room {
    Room::from(format!("{ROOM}{room}"))
}

/// The chat room that a room of the library is for, if it is for one.
pub(crate) fn chat_room(room: &Room) -> Option<RoomId> {
    room.as_str().strip_prefix(ROOM)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_are_told_apart() {
        let id = RoomId::random();
        assert_eq!(chat_room(&of_room(id)), Some(id));
        assert_eq!(chat_room(&of_person(PersonId::random())), None);
        let login = of_login(&SecretHash::new([7; 32]));
        assert_eq!(login.as_str().len(), 66);
        assert_eq!(chat_room(&login), None);
    }
}
