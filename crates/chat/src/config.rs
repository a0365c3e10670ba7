//! Settings of the chat.

use crate::room_name::RoomName;

/// How the chat treats people. The same on every node of a cluster.
#[derive(Clone, Debug)]
pub struct ChatConfig {
    /// Bytes of UTF-8 that a message may have. Of use only below the `maxPayload` of the server: what exceeds that closes
    /// the session before the chat sees it.
    pub max_message_bytes: usize,
    /// Rooms that one socket may be in at a time. Each makes it larger in what nodes tell each other about members.
    pub max_rooms_per_socket: usize,
    /// Rooms that a list of rooms may have, apart from those that are suggested.
    pub max_listed_rooms: usize,
    /// Rooms that are offered to everybody, also while nobody is in them.
    pub suggested_rooms: Vec<RoomName>,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 10,
            max_rooms_per_socket: 32,
            max_listed_rooms: 100,
            suggested_rooms: ["lobby", "random", "help"]
                .into_iter()
                .filter_map(|name| RoomName::new(name).ok())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_by_default() {
        let rooms = ChatConfig::default().suggested_rooms;
        assert_eq!(
            rooms.iter().map(RoomName::as_str).collect::<Vec<_>>(),
            ["lobby", "random", "help"]
        );
    }
}
