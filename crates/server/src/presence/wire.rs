//! What nodes tell each other of their people.

use hither_socketio::{Json, NamespaceName};
use serde::{Deserialize, Serialize};

use super::{Person, PersonKey};
use crate::room::Room;

/// A room of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) namespace: NamespaceName,
    pub(crate) room: Room,
}

/// A person in a room: what lists are ordered by.
pub(crate) type Seat = (Place, PersonKey);

/// What is now true of a person in a room: there with this card, or not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) key: PersonKey,
    pub(crate) card: Option<Json>,
}

/// A message between two nodes about the people of one of them. Links keep the order, and may lose what was sent before
/// they were cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Note {
    /// The sender's list went from one version to the next. A change says what is true now, so one that comes twice does no
    /// harm.
    Delta {
        from: u64,
        to: u64,
        changes: Vec<(Place, Vec<Change>)>,
    },
    /// The sender's list has this version: who has another one has missed something.
    Digest { version: u64 },
    /// Asks for the receiver's list, from behind this seat.
    Want { after: Option<Seat> },
    /// All that the sender's list has behind `after`, up to and with `upto`; to its end if that is none.
    Page {
        version: u64,
        after: Option<Seat>,
        upto: Option<Seat>,
        entries: Vec<(Place, Vec<Person>)>,
    },
}
