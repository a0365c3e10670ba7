//! What each socket of the chat shows of itself to all nodes.

use std::collections::BTreeSet;

use hither::{FoundSocket, Room};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{room_name::RoomName, user_name::UserName};

/// What a socket shows of itself.
#[derive(Serialize)]
pub(crate) struct Card<'a> {
    pub(crate) user: &'a UserName,
    /// The rooms it is in. Few, so that cards stay small: nodes send each other those of whole rooms.
    pub(crate) rooms: &'a BTreeSet<Room>,
}

/// What of a card is read to know who somebody is.
#[derive(Deserialize)]
pub(crate) struct UserCard {
    pub(crate) user: UserName,
}

/// What of a card is read to count people.
#[derive(Deserialize)]
pub(crate) struct RoomsCard {
    pub(crate) rooms: Vec<RoomName>,
}

/// Reads the card of a socket, which all have, unless nodes of another version write other cards.
pub(crate) fn read<Card: for<'a> Deserialize<'a>>(found: &FoundSocket) -> Option<Card> {
    let Some(card) = &found.card else {
        warn!(socket = %found.id, "a socket of the chat shows no card");
        return None;
    };
    card.parse()
        .inspect_err(|error| warn!(socket = %found.id, %error, "a card cannot be read"))
        .ok()
}
