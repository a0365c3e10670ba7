//! Rows, and the words in them, as the types that they are.

use serde::Serialize;
use sqlx::any::AnyRow;

use crate::{
    db::conn::{Column, Columns, unreadable},
    error::StoreError,
    model::{
        ids::{Number, PersonId, RoomId, Timestamp},
        message::{AuthorKind, MessageKind},
        names::{PersonName, RoomName},
        person::{Person, PersonKind},
        room::{Role, Room, RoomKind, Standing},
    },
};

/// An enum as it is stored: by a word that never changes.
pub(crate) trait Word: Sized + Copy + PartialEq + 'static {
    const WORDS: &'static [(Self, &'static str)];

    fn word(self) -> &'static str {
        // Every variant is in the list: a test of each type says so.
        Self::WORDS
            .iter()
            .find(|(value, _)| *value == self)
            .map_or("", |(_, word)| word)
    }

    fn of(row: &AnyRow, column: &str) -> Result<Self, StoreError> {
        let text = row.text(column)?;
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found
            .map(|(value, _)| *value)
            .ok_or_else(|| unreadable(column, &text))
    }
}

impl Word for PersonKind {
    const WORDS: &[(Self, &str)] = &[(Self::Member, "member"), (Self::Guest, "guest")];
}

impl Word for RoomKind {
    const WORDS: &[(Self, &str)] = &[
        (Self::Public, "public"),
        (Self::Private, "private"),
        (Self::Direct, "direct"),
    ];
}

impl Word for MessageKind {
    const WORDS: &[(Self, &str)] = &[
        (Self::Text, "text"),
        (Self::Action, "action"),
        (Self::Notice, "notice"),
    ];
}

impl Word for AuthorKind {
    const WORDS: &[(Self, &str)] = &[
        (Self::Member, "member"),
        (Self::Guest, "guest"),
        (Self::Webhook, "webhook"),
        (Self::Server, "server"),
    ];
}

impl Word for Standing {
    const WORDS: &[(Self, &str)] = &[
        (Self::In(Role::Owner), "owner"),
        (Self::In(Role::Moderator), "moderator"),
        (Self::In(Role::Member), "member"),
        (Self::Invited, "invited"),
        (Self::Banned, "banned"),
    ];
}

/// Those of a [`Standing`] that are in the room.
pub(crate) const INSIDE: &str = "('owner', 'moderator', 'member')";

/// The columns of a [`Room`]; the table is `rooms`.
pub(crate) const ROOM: &str = "rooms.id AS room_id, rooms.kind AS room_kind, rooms.name AS room_name, rooms.topic AS room_topic, \
     rooms.created AS room_created, rooms.last_number AS room_last";

pub(crate) fn room(row: &AnyRow) -> Result<Room, StoreError> {
    Ok(Room {
        id: RoomId::from_raw(row.integer("room_id")?),
        kind: RoomKind::of(row, "room_kind")?,
        name: RoomName::stored(row.text("room_name")?),
        topic: row.text("room_topic")?,
        created: Timestamp(row.integer("room_created")?),
        last: Number::from_raw(row.integer("room_last")?),
    })
}

/// The columns of a [`Person`]; the table is `persons`.
pub(crate) const PERSON: &str = "persons.id AS person_id, persons.kind AS person_kind, \
     persons.name AS person_name, persons.created AS person_created";

pub(crate) fn person(row: &AnyRow) -> Result<Person, StoreError> {
    Ok(Person {
        id: PersonId::from_raw(row.integer("person_id")?),
        kind: PersonKind::of(row, "person_kind")?,
        name: PersonName::stored(row.text("person_name")?),
        created: Timestamp(row.integer("person_created")?),
    })
}

/// Checks a text that is kept as it is.
pub(crate) fn check_text(what: &str, text: &str, max_bytes: usize) -> Result<(), StoreError> {
    if text.len() > max_bytes {
        let bytes = text.len();
        return Err(StoreError::Invalid(format!(
            "{what} may have {max_bytes} bytes; this has {bytes}"
        )));
    }
    if text.contains('\0') {
        return Err(StoreError::Invalid(format!(
            "{what} must not contain the character U+0000"
        )));
    }
    Ok(())
}

/// Rows for [`Dialect::table`](crate::db::conn::Dialect::table).
pub(super) fn json<T: Serialize + ?Sized>(rows: &T) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::internal(sqlx::Error::Encode(error.into())))
}

/// One of several messages of a room, as a row of [`Dialect::table`](crate::db::conn::Dialect::table): a statement that names
/// them in its text would be another one for each page, and prepared anew.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct OfMessage {
    number: i64,
}

impl OfMessage {
    pub(super) const COLUMNS: &[(&str, Column)] = &[("number", Column::Integer)];

    pub(super) fn new(number: Number) -> Self {
        Self { number: number.raw() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_a_word() {
        fn all<W: Word>(values: &[W]) {
            assert_eq!(values.len(), W::WORDS.len());
            assert!(values.iter().all(|value| !value.word().is_empty()));
        }
        all(&[PersonKind::Member, PersonKind::Guest]);
        all(&[RoomKind::Public, RoomKind::Private, RoomKind::Direct]);
        all(&[MessageKind::Text, MessageKind::Action, MessageKind::Notice]);
        all(&[
            AuthorKind::Member,
            AuthorKind::Guest,
            AuthorKind::Webhook,
            AuthorKind::Server,
        ]);
        let inside = [Role::Owner, Role::Moderator, Role::Member].map(Standing::In);
        all(&[
            inside[0],
            inside[1],
            inside[2],
            Standing::Invited,
            Standing::Banned,
        ]);
        for standing in inside {
            assert!(INSIDE.contains(&format!("'{}'", standing.word())));
        }
    }
}
