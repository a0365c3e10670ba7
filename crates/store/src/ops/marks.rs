//! What follows a person to all devices: rooms, their order, what is muted, what was read.

use sqlx::any::AnyRow;

use crate::{
    db::conn::{Columns, Conn},
    error::{Missing, StoreError},
    model::{
        ids::{Number, PersonId, RoomId, Timestamp},
        names::PersonName,
        person::{Person, PersonKind},
        room::{Membership, ReadMark, RoomKind, Standing},
    },
    ops::rows::{self, INSIDE, ROOM, Word},
    store::Store,
};

impl Store {
    /// The rooms that a person is in, by their place in the person's list.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn memberships(&self, person: PersonId) -> Result<Vec<Membership>, StoreError> {
        self.read(person, |person, conn| Box::pin(memberships(conn, *person, None)))
            .await
    }

    /// A room as a person has it who is in it.
    ///
    /// # Errors
    /// [`Missing::Member`].
    pub async fn membership(&self, room: RoomId, person: PersonId) -> Result<Membership, StoreError> {
        self.read((room, person), |(room, person), conn| {
            Box::pin(async move {
                let found = memberships(conn, *person, Some(*room)).await?;
                found.into_iter().next().ok_or_else(|| Missing::Member.into())
            })
        })
        .await
    }

    /// Whether the person does not want to be called when something is said in the room.
    ///
    /// # Errors
    /// [`Missing::Member`].
    pub async fn set_muted(&self, room: RoomId, person: PersonId, muted: bool) -> Result<(), StoreError> {
        self.write((room, person, i64::from(muted)), |(room, person, muted), conn| {
            Box::pin(set(conn, "muted", *room, *person, *muted))
        })
        .await
    }

    /// The room's place in the person's list.
    ///
    /// # Errors
    /// [`Missing::Member`].
    pub async fn set_place(&self, room: RoomId, person: PersonId, place: i64) -> Result<(), StoreError> {
        self.write((room, person, place), |(room, person, place), conn| {
            Box::pin(set(conn, "place", *room, *person, *place))
        })
        .await
    }

    /// The person has read up to this number. A mark goes forward only, and not beyond the last message; returns where it is.
    ///
    /// # Errors
    /// [`Missing::Member`].
    pub async fn mark_read(
        &self,
        room: RoomId,
        person: PersonId,
        number: Number,
    ) -> Result<ReadMark, StoreError> {
        self.write((room, person, number), |(room, person, number), conn| {
            Box::pin(async move {
                let statement = conn.statement(&format!(
                    "UPDATE memberships SET read_number = \
                       (SELECT CASE WHEN last_number < $3 THEN last_number ELSE $3 END FROM rooms WHERE id = $1) \
                     WHERE room = $1 AND person = $2 AND role IN {INSIDE} AND read_number < \
                       (SELECT CASE WHEN last_number < $3 THEN last_number ELSE $3 END FROM rooms WHERE id = $1)"
                ));
                let statement = statement.bind(room.raw()).bind(person.raw()).bind(number.raw());
                conn.execute(statement).await?;
                let found = memberships(conn, *person, Some(*room)).await?;
                Ok(found.first().ok_or(Missing::Member)?.mark)
            })
        })
        .await
    }
}

async fn set(
    conn: &mut Conn<'_>,
    column: &'static str,
    room: RoomId,
    person: PersonId,
    value: i64,
) -> Result<(), StoreError> {
    let statement = conn.statement(&format!(
        "UPDATE memberships SET {column} = $3 WHERE room = $1 AND person = $2 AND role IN {INSIDE}"
    ));
    match conn
        .execute(statement.bind(room.raw()).bind(person.raw()).bind(value))
        .await?
    {
        0 => Err(Missing::Member.into()),
        _ => Ok(()),
    }
}

/// All, or the one in `room`.
async fn memberships(
    conn: &mut Conn<'_>,
    person: PersonId,
    room: Option<RoomId>,
) -> Result<Vec<Membership>, StoreError> {
    let most = ReadMark::MOST;
    let statement = conn.statement(&format!(
        "SELECT {ROOM}, own.role AS role, own.place AS place, own.muted AS muted, own.read_number AS read_number, \
         CASE WHEN own.read_number >= rooms.last_number THEN 0 ELSE \
           (SELECT COUNT(*) FROM (SELECT 1 FROM messages WHERE messages.room = rooms.id \
             AND messages.number > own.read_number AND messages.author <> $1 \
             AND messages.deleted IS NULL AND messages.kind <> 'notice' LIMIT {most}) AS counted) END AS unread, \
         peers.id AS peer_id, peers.kind AS peer_kind, peers.name AS peer_name, peers.created AS peer_created \
         FROM memberships AS own JOIN rooms ON rooms.id = own.room \
         LEFT JOIN memberships AS others \
           ON rooms.kind = 'direct' AND others.room = rooms.id AND others.person <> $1 \
         LEFT JOIN persons AS peers ON peers.id = others.person \
         WHERE own.person = $1 AND own.role IN {INSIDE} AND (own.room = $2 OR $2 < 0) \
         ORDER BY own.place, rooms.name, rooms.id"
    ));
    let statement = statement.bind(person.raw()).bind(room.map_or(-1, RoomId::raw));
    conn.all(statement).await?.iter().map(membership).collect()
}

fn membership(row: &AnyRow) -> Result<Membership, StoreError> {
    let room = rows::room(row)?;
    let Standing::In(role) = Standing::of(row, "role")? else {
        return Err(Missing::Member.into());
    };
    let peer = match row.maybe_integer("peer_id")? {
        Some(id) if room.kind == RoomKind::Direct => Some(Person {
            id: PersonId::from_raw(id),
            kind: PersonKind::of(row, "peer_kind")?,
            name: PersonName::stored(row.text("peer_name")?),
            created: Timestamp(row.integer("peer_created")?),
        }),
        _ => None,
    };
    Ok(Membership {
        room,
        role,
        place: row.integer("place")?,
        muted: row.integer("muted")? != 0,
        mark: ReadMark {
            read: Number::from_raw(row.integer("read_number")?),
            unread: row.integer("unread")?.unsigned_abs(),
        },
        peer,
    })
}
