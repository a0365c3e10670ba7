//! Rooms.

use crate::{
    db::conn::{Columns, Conn},
    error::{Conflict, Missing, StoreError},
    model::{
        ids::{PersonId, RoomId},
        names::{NameKeys, RoomName, folded, hides},
        room::{MAX_TOPIC_CHARS, NewRoom, Role, Room, RoomKind, RoomSummary, Standing},
    },
    ops::{
        members,
        rows::{self, INSIDE, ROOM, Word, check_text},
    },
    store::Store,
};

/// The most rooms of one list.
const MAX_LIST: u32 = 200;

fn check_topic(topic: &str) -> Result<(), StoreError> {
    check_text("a topic", topic, MAX_TOPIC_CHARS * 4)?;
    let chars = topic.chars().count();
    if chars > MAX_TOPIC_CHARS {
        let problem = format!("a topic may have {MAX_TOPIC_CHARS} characters; this one has {chars}");
        return Err(StoreError::Invalid(problem));
    }
    if topic.chars().any(hides) {
        return Err(StoreError::Invalid(
            "a topic is one line without control characters and marks that turn the direction of text".into(),
        ));
    }
    Ok(())
}

impl Store {
    /// Makes a public or private room; the owner is in it.
    ///
    /// # Errors
    /// [`Conflict::RoomNameTaken`] for a public one, [`Missing::Person`], [`StoreError::Invalid`] topics.
    pub async fn create_room(&self, room: NewRoom) -> Result<Room, StoreError> {
        check_topic(&room.topic)?;
        self.write(room, |new, conn| {
            Box::pin(async move {
                let kind = if new.private {
                    RoomKind::Private
                } else {
                    RoomKind::Public
                };
                let room = insert(conn, kind, &new.name, &new.topic, None).await?;
                let room = room.ok_or(Conflict::RoomNameTaken)?;
                if let Some(owner) = new.owner {
                    members::put(conn, room.id, owner, Standing::In(Role::Owner)).await?;
                }
                Ok(room)
            })
        })
        .await
    }

    /// The public room of this name, which is made if there is none, without an owner.
    ///
    /// # Errors
    /// [`Conflict::RoomNameTaken`] when there is none, but one that looks alike.
    pub async fn ensure_room(&self, name: &RoomName) -> Result<Room, StoreError> {
        self.write(name.clone(), |name, conn| {
            Box::pin(async move {
                let made = insert(conn, RoomKind::Public, name, "", None).await?;
                match made {
                    Some(room) => Ok(room),
                    None => public(conn, name)
                        .await?
                        .ok_or_else(|| Conflict::RoomNameTaken.into()),
                }
            })
        })
        .await
    }

    /// The room of two people, always the same, whoever asks first. Both are in it.
    ///
    /// # Errors
    /// [`Missing::Person`]; [`StoreError::Invalid`] when both are the same.
    pub async fn direct_room(&self, one: PersonId, other: PersonId) -> Result<Room, StoreError> {
        if one == other {
            return Err(StoreError::Invalid(
                "a direct room has two different people".into(),
            ));
        }
        self.write((one.min(other), one.max(other)), |(one, other), conn| {
            Box::pin(async move {
                let pair = format!("{one} {other}");
                let name = RoomName::stored("direct".into());
                let room = match insert(conn, RoomKind::Direct, &name, "", Some(&pair)).await? {
                    Some(room) => room,
                    None => {
                        let text = format!("SELECT {ROOM} FROM rooms WHERE pair = $1");
                        let statement = conn.statement(&text).bind(pair);
                        rows::room(&conn.one(statement).await?)?
                    }
                };
                for person in [one, other] {
                    if members::standing(conn, room.id, *person).await?.is_none() {
                        members::put(conn, room.id, *person, Standing::In(Role::Member)).await?;
                    }
                }
                Ok(room)
            })
        })
        .await
    }

    /// # Errors
    /// [`Missing::Room`].
    pub async fn room(&self, id: RoomId) -> Result<Room, StoreError> {
        self.read(id, |id, conn| Box::pin(room(conn, *id))).await
    }

    /// The public room of this name, whatever its case.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn public_room(&self, name: &RoomName) -> Result<Option<Room>, StoreError> {
        self.read(name.clone(), |name, conn| Box::pin(public(conn, name)))
            .await
    }

    /// Public rooms whose name contains the text, by name, at most `limit` and 200, from the one after `after`. `person` is
    /// the one who asks.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn public_rooms(
        &self,
        query: &str,
        after: Option<&RoomName>,
        limit: u32,
        person: PersonId,
    ) -> Result<Vec<RoomSummary>, StoreError> {
        let after = after.map(RoomName::folded).unwrap_or_default();
        let arguments = (pattern(&folded(query)), after, limit.min(MAX_LIST), person);
        self.read(arguments, |(pattern, after, limit, person), conn| {
            Box::pin(async move {
                let statement = conn.statement(&format!(
                    "SELECT {ROOM}, (SELECT COUNT(*) FROM memberships \
                       WHERE memberships.room = rooms.id AND role IN {INSIDE}) AS members, \
                     (SELECT COUNT(*) FROM memberships WHERE memberships.room = rooms.id \
                       AND memberships.person = $4 AND role IN {INSIDE}) AS joined \
                     FROM rooms WHERE folded LIKE $1 ESCAPE '\\' AND folded > $2 ORDER BY folded LIMIT $3"
                ));
                let statement = statement
                    .bind(pattern.clone())
                    .bind(after.clone())
                    .bind(i64::from(*limit))
                    .bind(person.raw());
                let summary = |row: &sqlx::any::AnyRow| {
                    Ok(RoomSummary {
                        room: rows::room(row)?,
                        members: row.integer("members")?.unsigned_abs(),
                        joined: row.integer("joined")? > 0,
                    })
                };
                conn.all(statement).await?.iter().map(summary).collect()
            })
        })
        .await
    }

    /// Changes what a room is about.
    ///
    /// # Errors
    /// [`Missing::Room`], [`StoreError::Invalid`].
    pub async fn set_topic(&self, id: RoomId, topic: &str) -> Result<Room, StoreError> {
        check_topic(topic)?;
        self.write((id, topic.to_owned()), |(id, topic), conn| {
            Box::pin(async move {
                let statement = conn.statement("UPDATE rooms SET topic = $2 WHERE id = $1");
                conn.execute(statement.bind(id.raw()).bind(topic.clone())).await?;
                room(conn, *id).await
            })
        })
        .await
    }
}

/// A pattern of LIKE for what contains a text.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for char in text.chars().filter(|char| *char != '\0') {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

/// None when the name or the pair is there already.
async fn insert(
    conn: &mut Conn<'_>,
    kind: RoomKind,
    name: &RoomName,
    topic: &str,
    pair: Option<&str>,
) -> Result<Option<Room>, StoreError> {
    let id = RoomId::random();
    let NameKeys {
        folded,
        look,
        look_as_written,
    } = name.keys();
    let public = |key: String| (kind == RoomKind::Public).then_some(key);
    let statement = conn.statement(
        "INSERT INTO rooms (id, kind, name, folded, look, look_as_written, pair, topic, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {now}) ON CONFLICT DO NOTHING",
    );
    let statement = statement
        .bind(id.raw())
        .bind(kind.word())
        .bind(name.as_str().to_owned())
        .bind(public(folded))
        .bind(public(look))
        .bind(public(look_as_written))
        .bind(pair.map(str::to_owned))
        .bind(topic.to_owned());
    if conn.execute(statement).await? == 0 {
        return Ok(None);
    }
    room(conn, id).await.map(Some)
}

pub(super) async fn room(conn: &mut Conn<'_>, id: RoomId) -> Result<Room, StoreError> {
    let statement = conn.statement(&format!("SELECT {ROOM} FROM rooms WHERE id = $1"));
    let row = conn
        .optional(statement.bind(id.raw()))
        .await?
        .ok_or(Missing::Room)?;
    rows::room(&row)
}

async fn public(conn: &mut Conn<'_>, name: &RoomName) -> Result<Option<Room>, StoreError> {
    let statement = conn.statement(&format!("SELECT {ROOM} FROM rooms WHERE folded = $1"));
    let row = conn.optional(statement.bind(name.folded())).await?;
    row.map(|row| rows::room(&row)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_contain_the_text_as_it_is() {
        assert_eq!(pattern(""), "%%");
        assert_eq!(pattern(r"50%_\"), r"%50\%\_\\%");
    }
}
