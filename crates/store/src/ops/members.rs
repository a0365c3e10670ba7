//! Who is in a room, may come in, or may not.
//!
//! What locks a room and its memberships does it in this order.

use serde::Serialize;
use sqlx::any::AnyRow;

use crate::{
    db::conn::{Column, Columns, Conn},
    error::{Conflict, Denial, Missing, StoreError},
    model::{
        ids::{PersonId, RoomId, Timestamp},
        room::{Invitation, Member, Role, Room, RoomKind, Standing},
    },
    ops::{
        persons,
        rooms::room,
        rows::{self, INSIDE, PERSON, ROOM, Word},
    },
    store::Store,
};

/// The most members of one list.
const MAX_LIST: u32 = 500;

impl Store {
    /// Comes into a public room, or one that the person is invited to.
    ///
    /// # Errors
    /// [`Missing::Room`], [`Missing::Person`], [`Denial::NotInvited`], [`Denial::Banned`], [`Conflict::AlreadyMember`].
    pub async fn join(&self, room: RoomId, person: PersonId) -> Result<Room, StoreError> {
        self.write((room, person), |(id, person), conn| {
            Box::pin(async move {
                let room = lock(conn, *id).await?;
                match standing(conn, *id, *person).await? {
                    Some(Standing::In(_)) => return Err(Conflict::AlreadyMember.into()),
                    Some(Standing::Banned) => return Err(Denial::Banned.into()),
                    Some(Standing::Invited) => {}
                    None if room.kind == RoomKind::Public => {}
                    None => return Err(Denial::NotInvited.into()),
                }
                put(conn, *id, *person, Standing::In(Role::Member)).await?;
                Ok(room)
            })
        })
        .await
    }

    /// Invites a person to a room. `by` is in it.
    ///
    /// # Errors
    /// [`Missing::Room`], [`Missing::Person`], [`Conflict::AlreadyMember`], [`Denial::NotMember`] of `by`, [`Denial::Banned`],
    /// [`Denial::DirectRoom`].
    pub async fn invite(
        &self,
        room: RoomId,
        person: PersonId,
        by: PersonId,
    ) -> Result<Invitation, StoreError> {
        self.write((room, person, by), |(id, person, by), conn| {
            Box::pin(async move {
                if lock(conn, *id).await?.kind == RoomKind::Direct {
                    return Err(Denial::DirectRoom.into());
                }
                if !matches!(standing(conn, *id, *by).await?, Some(Standing::In(_))) {
                    return Err(Denial::NotMember.into());
                }
                match standing(conn, *id, *person).await? {
                    Some(Standing::In(_)) => return Err(Conflict::AlreadyMember.into()),
                    Some(Standing::Banned) => return Err(Denial::Banned.into()),
                    Some(Standing::Invited) | None => {}
                }
                put(conn, *id, *person, Standing::Invited).await?;
                let name = persons::person(*by, conn).await?.name;
                let text = "UPDATE memberships SET invited_by = $3 WHERE room = $1 AND person = $2";
                let statement = conn.statement(text).bind(id.raw()).bind(person.raw());
                conn.execute(statement.bind(name.as_str().to_owned())).await?;
                let all = invitations(conn, *person, Some(*id)).await?;
                all.into_iter().next().ok_or_else(|| Missing::Invitation.into())
            })
        })
        .await
    }

    /// Removes an invitation.
    ///
    /// # Errors
    /// [`Missing::Invitation`].
    pub async fn decline(&self, room: RoomId, person: PersonId) -> Result<(), StoreError> {
        self.write((room, person), |(id, person), conn| {
            Box::pin(async move {
                let text = "DELETE FROM memberships WHERE room = $1 AND person = $2 AND role = 'invited'";
                match conn
                    .execute(conn.statement(text).bind(id.raw()).bind(person.raw()))
                    .await?
                {
                    0 => Err(Missing::Invitation.into()),
                    _ => Ok(()),
                }
            })
        })
        .await
    }

    /// To which rooms a person is invited, the last first.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn invitations(&self, person: PersonId) -> Result<Vec<Invitation>, StoreError> {
        self.read(person, |person, conn| Box::pin(invitations(conn, *person, None)))
            .await
    }

    /// Goes out of a room, by oneself or removed by another. When the only owner goes, the moderator, or else the member, who
    /// has been there longest becomes the owner, and is returned.
    ///
    /// # Errors
    /// [`Missing::Room`]; [`Missing::Member`]; [`Denial::DirectRoom`], for these are always the same.
    pub async fn leave(&self, room: RoomId, person: PersonId) -> Result<Option<Member>, StoreError> {
        self.write((room, person), |(id, person), conn| {
            Box::pin(async move {
                if lock(conn, *id).await?.kind == RoomKind::Direct {
                    return Err(Denial::DirectRoom.into());
                }
                if !matches!(standing(conn, *id, *person).await?, Some(Standing::In(_))) {
                    return Err(Missing::Member.into());
                }
                leave(conn, *id, *person).await
            })
        })
        .await
    }

    /// Bans a person, whether or not they are in the room. Returns a new owner as [`Store::leave`] does.
    ///
    /// # Errors
    /// [`Missing::Room`], [`Missing::Person`], [`Denial::DirectRoom`].
    pub async fn ban(&self, room: RoomId, person: PersonId) -> Result<Option<Member>, StoreError> {
        self.write((room, person), |(id, person), conn| {
            Box::pin(async move {
                if lock(conn, *id).await?.kind == RoomKind::Direct {
                    return Err(Denial::DirectRoom.into());
                }
                let heir = leave(conn, *id, *person).await?;
                put(conn, *id, *person, Standing::Banned).await?;
                Ok(heir)
            })
        })
        .await
    }

    /// Lets a person come again.
    ///
    /// # Errors
    /// [`Missing::Member`] when they are not banned.
    pub async fn unban(&self, room: RoomId, person: PersonId) -> Result<(), StoreError> {
        self.write((room, person), |(id, person), conn| {
            Box::pin(async move {
                let text = "DELETE FROM memberships WHERE room = $1 AND person = $2 AND role = 'banned'";
                match conn
                    .execute(conn.statement(text).bind(id.raw()).bind(person.raw()))
                    .await?
                {
                    0 => Err(Missing::Member.into()),
                    _ => Ok(()),
                }
            })
        })
        .await
    }

    /// Gives a member of a room another role.
    ///
    /// # Errors
    /// [`Missing::Room`], [`Missing::Member`], [`Denial::DirectRoom`].
    pub async fn set_role(&self, room: RoomId, person: PersonId, role: Role) -> Result<(), StoreError> {
        self.write((room, person, role), |(id, person, role), conn| {
            Box::pin(async move {
                if lock(conn, *id).await?.kind == RoomKind::Direct {
                    return Err(Denial::DirectRoom.into());
                }
                if !matches!(standing(conn, *id, *person).await?, Some(Standing::In(_))) {
                    return Err(Missing::Member.into());
                }
                put(conn, *id, *person, Standing::In(*role)).await
            })
        })
        .await
    }

    /// How a person stands to a room.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn standing(&self, room: RoomId, person: PersonId) -> Result<Option<Standing>, StoreError> {
        self.read_one((room, person), |(room, person), conn| {
            Box::pin(standing(conn, *room, *person))
        })
        .await
    }

    /// Who is in a room, in the order of their ids, at most `limit` and 500, from the one after `after`.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn members(
        &self,
        room: RoomId,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        self.list(room, after, limit, false).await
    }

    /// Those of some persons who are in a room, in any order.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn members_among(&self, room: RoomId, persons: &[PersonId]) -> Result<Vec<Member>, StoreError> {
        #[derive(Serialize)]
        struct Of {
            id: i64,
        }
        let ids: Vec<_> = persons.iter().map(|person| Of { id: person.raw() }).collect();
        self.read_one((room, rows::json(&ids)?), |(room, ids), conn| {
            Box::pin(async move {
                let table = conn.dialect.table(&[("id", Column::Integer)]);
                let statement = conn.statement(&format!(
                    "SELECT {PERSON}, role, since FROM memberships JOIN persons ON persons.id = person \
                     WHERE room = $2 AND person IN (SELECT id FROM {table}) AND role IN {INSIDE}"
                ));
                let statement = statement.bind(ids.clone()).bind(room.raw());
                conn.all(statement).await?.iter().map(member).collect()
            })
        })
        .await
    }

    /// Who is banned from a room, as [`Store::members`]; their role means nothing.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn banned(
        &self,
        room: RoomId,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        self.list(room, after, limit, true).await
    }

    async fn list(
        &self,
        room: RoomId,
        after: Option<PersonId>,
        limit: u32,
        banned: bool,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.map_or(-1, PersonId::raw);
        self.read(
            (room, after, limit.min(MAX_LIST), banned),
            |(room, after, limit, banned), conn| {
                Box::pin(async move {
                    let roles = if *banned { "('banned')" } else { INSIDE };
                    let statement = conn.statement(&format!(
                        "SELECT {PERSON}, role, since FROM memberships JOIN persons ON persons.id = person \
                     WHERE room = $1 AND person > $2 AND role IN {roles} ORDER BY person LIMIT $3"
                    ));
                    let statement = statement.bind(room.raw()).bind(*after).bind(i64::from(*limit));
                    conn.all(statement).await?.iter().map(member).collect()
                })
            },
        )
        .await
    }
}

fn member(row: &AnyRow) -> Result<Member, StoreError> {
    let role = match Standing::of(row, "role")? {
        Standing::In(role) => role,
        Standing::Invited | Standing::Banned => Role::Member,
    };
    Ok(Member {
        person: rows::person(row)?,
        role,
        since: Timestamp(row.integer("since")?),
    })
}

/// The room, whose memberships nobody else changes until the end of the transaction.
async fn lock(conn: &mut Conn<'_>, id: RoomId) -> Result<Room, StoreError> {
    let locked = conn
        .statement("SELECT id FROM rooms WHERE id = $1 {for update}")
        .bind(id.raw());
    conn.optional(locked).await?.ok_or(Missing::Room)?;
    room(conn, id).await
}

pub(super) async fn standing(
    conn: &mut Conn<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Option<Standing>, StoreError> {
    let statement = conn.statement("SELECT role FROM memberships WHERE room = $1 AND person = $2");
    let row = conn
        .optional(statement.bind(room.raw()).bind(person.raw()))
        .await?;
    row.map(|row| Standing::of(&row, "role")).transpose()
}

/// How somebody stands to a room from now on. Who comes in has nothing to read of what was before.
pub(super) async fn put(
    conn: &mut Conn<'_>,
    room: RoomId,
    person: PersonId,
    standing: Standing,
) -> Result<(), StoreError> {
    persons::person(person, conn).await?;
    let statement = conn.statement(&format!(
        "INSERT INTO memberships (room, person, role, since, read_number) \
         SELECT id, $2, $3, {{now}}, last_number FROM rooms WHERE id = $1 \
         ON CONFLICT (room, person) DO UPDATE SET role = excluded.role, \
           since = CASE WHEN memberships.role IN {INSIDE} THEN memberships.since ELSE excluded.since END, \
           read_number = CASE WHEN memberships.role IN {INSIDE} THEN memberships.read_number \
             ELSE excluded.read_number END"
    ));
    let statement = statement
        .bind(room.raw())
        .bind(person.raw())
        .bind(standing.word());
    match conn.execute(statement).await? {
        0 => Err(Missing::Room.into()),
        _ => Ok(()),
    }
}

/// Removes whatever the person is to the room, and finds an owner for it if it has lost its own.
pub(super) async fn leave(
    conn: &mut Conn<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Option<Member>, StoreError> {
    let locked = conn
        .statement("SELECT id FROM rooms WHERE id = $1 {for update}")
        .bind(room.raw());
    conn.optional(locked).await?.ok_or(Missing::Room)?;
    let statement = conn.statement("DELETE FROM memberships WHERE room = $1 AND person = $2 RETURNING role");
    let row = conn
        .optional(statement.bind(room.raw()).bind(person.raw()))
        .await?;
    match row.map(|row| Standing::of(&row, "role")).transpose()? {
        Some(Standing::In(Role::Owner)) => heir(conn, room).await,
        _ => Ok(None),
    }
}

/// Makes somebody the owner if there is none.
async fn heir(conn: &mut Conn<'_>, room: RoomId) -> Result<Option<Member>, StoreError> {
    let statement = conn.statement(&format!(
        "SELECT {PERSON}, role, since FROM memberships JOIN persons ON persons.id = person \
         WHERE room = $1 AND role IN {INSIDE} \
         ORDER BY CASE role WHEN 'owner' THEN 0 WHEN 'moderator' THEN 1 ELSE 2 END, since, person LIMIT 1"
    ));
    let Some(row) = conn.optional(statement.bind(room.raw())).await? else {
        return Ok(None);
    };
    let mut heir = member(&row)?;
    if heir.role == Role::Owner {
        return Ok(None);
    }
    put(conn, room, heir.person.id, Standing::In(Role::Owner)).await?;
    heir.role = Role::Owner;
    Ok(Some(heir))
}

async fn invitations(
    conn: &mut Conn<'_>,
    person: PersonId,
    room: Option<RoomId>,
) -> Result<Vec<Invitation>, StoreError> {
    let statement = conn.statement(&format!(
        "SELECT {ROOM}, invited_by, since FROM memberships JOIN rooms ON rooms.id = room \
         WHERE person = $1 AND role = 'invited' AND (room = $2 OR $2 < 0) ORDER BY since DESC, room"
    ));
    let statement = statement.bind(person.raw()).bind(room.map_or(-1, RoomId::raw));
    let invitation = |row: &AnyRow| {
        Ok(Invitation {
            room: rows::room(row)?,
            by: row.maybe_text("invited_by")?.unwrap_or_default(),
            since: Timestamp(row.integer("since")?),
        })
    };
    conn.all(statement).await?.iter().map(invitation).collect()
}
