//! Messages that are stored: reading them, and changing one's own.

use std::collections::HashMap;

use sqlx::any::AnyRow;

use crate::{
    db::conn::{Columns, Conn, Statement},
    error::{Denial, Missing, StoreError},
    model::{
        ids::{ClientId, Number, PersonId, RoomId, Timestamp, WebhookId},
        message::{
            Author, AuthorKind, AuthorLine, Changes, MAX_EMOJI_BYTES, MAX_PAGE, MAX_REACTIONS,
            MAX_TEXT_BYTES, Message, MessageKind, Page, Quote, Reaction, Span,
        },
        names::hides,
        room::Standing,
    },
    ops::{
        attachments, members,
        rows::{OfMessage, Word, check_text, json},
    },
    store::Store,
};

/// Characters of a quoted text.
const QUOTE_CHARS: usize = 200;

/// The start of a statement that reads messages.
pub(super) const SELECT: &str = "SELECT messages.room AS room, messages.number AS number, messages.time AS time, \
    messages.author AS author, messages.author_name AS author_name, messages.author_kind AS author_kind, \
    messages.client_id AS client_id, messages.kind AS kind, messages.text AS text, \
    messages.reply_to AS reply_to, messages.edited AS edited, messages.deleted AS deleted, \
    messages.change AS change, quoted.author_name AS quoted_author, quoted.text AS quoted_text, \
    quoted.deleted AS quoted_deleted \
    FROM messages LEFT JOIN messages AS quoted \
    ON quoted.room = messages.room AND quoted.number = messages.reply_to";

impl Store {
    /// Messages of a room, at most `limit` and [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`Missing::Room`].
    pub async fn history(&self, room: RoomId, span: Span, limit: u32) -> Result<Page, StoreError> {
        let limit = i64::from(limit.clamp(1, MAX_PAGE));
        self.read((room, span, limit), |(room, span, limit), conn| {
            Box::pin(page(conn, *room, *span, *limit))
        })
        .await
    }

    /// # Errors
    /// [`Missing::Message`].
    pub async fn message(&self, room: RoomId, number: Number) -> Result<Message, StoreError> {
        self.read((room, number), |(room, number), conn| {
            Box::pin(message(conn, *room, *number))
        })
        .await
    }

    /// Messages that were edited, deleted or reacted to after the room's count of changes was `after`, in that order: what a
    /// client that was away has to know of messages that it has. At most `limit` and [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`Missing::Room`].
    pub async fn changes(&self, room: RoomId, after: u64, limit: u32) -> Result<Changes, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let limit = i64::from(limit.clamp(1, MAX_PAGE));
        self.read((room, after, limit), |(room, after, limit), conn| {
            Box::pin(async move {
                let statement = conn.statement("SELECT last_change FROM rooms WHERE id = $1");
                let row = conn.optional(statement.bind(room.raw())).await?;
                let last_change = row.ok_or(Missing::Room)?.integer("last_change")?.unsigned_abs();
                let statement = conn.statement(&format!(
                    "{SELECT} WHERE messages.room = $1 AND messages.change > $2 AND messages.change > 0 \
                     ORDER BY messages.change LIMIT $3"
                ));
                let statement = statement.bind(room.raw()).bind(*after).bind(*limit + 1);
                let (messages, more) = some(conn, statement, *limit).await?;
                let last_change = match messages.last() {
                    Some(last) if more => last.change,
                    _ => last_change,
                };
                Ok(Changes {
                    messages,
                    last_change,
                    more,
                })
            })
        })
        .await
    }

    /// Changes the text of one's own message.
    ///
    /// # Errors
    /// [`Missing::Message`], also when it was deleted; [`Denial`] when it is somebody else's, or the author is not in the room;
    /// [`StoreError::Invalid`].
    pub async fn edit(
        &self,
        room: RoomId,
        number: Number,
        by: PersonId,
        text: &str,
    ) -> Result<Message, StoreError> {
        check_text("a message", text, MAX_TEXT_BYTES)?;
        if text.is_empty() {
            return Err(StoreError::Invalid(
                "a message needs a text; delete it instead".into(),
            ));
        }
        self.write((room, number, by, text.to_owned()), |(room, number, by, text), conn| {
            Box::pin(async move {
                let change = next_change(conn, *room).await?;
                require_member(conn, *room, *by).await?;
                require_author(conn, *room, *number, *by).await?;
                let statement = conn.statement(
                    "UPDATE messages SET text = $3, edited = {now}, change = $4 WHERE room = $1 AND number = $2",
                );
                let statement = statement.bind(room.raw()).bind(number.raw()).bind(text.clone()).bind(change);
                conn.execute(statement).await?;
                message(conn, *room, *number).await
            })
        })
        .await
    }

    /// Removes text, attachments and reactions of a message from the store; its number stays. `by` is its author, or whoever
    /// may remove the messages of others if `moderator` says so. Deleting it again changes nothing.
    ///
    /// # Errors
    /// [`Missing::Message`]; [`Denial::NotAuthor`].
    pub async fn delete(
        &self,
        room: RoomId,
        number: Number,
        by: PersonId,
        moderator: bool,
    ) -> Result<Message, StoreError> {
        self.write((room, number, by, moderator), |(room, number, by, moderator), conn| {
            Box::pin(async move {
                let change = next_change(conn, *room).await?;
                let found = message(conn, *room, *number).await?;
                if !moderator && found.author.author != Author::Person(*by) {
                    return Err(Denial::NotAuthor.into());
                }
                if found.deleted {
                    return Ok(found);
                }
                for text in [
                    "UPDATE messages SET text = '', deleted = {now}, change = $3 WHERE room = $1 AND number = $2",
                    "DELETE FROM reactions WHERE room = $1 AND number = $2 AND $3 > 0",
                    "DELETE FROM attachments WHERE room = $1 AND number = $2 AND $3 > 0",
                ] {
                    let statement = conn.statement(text).bind(room.raw()).bind(number.raw()).bind(change);
                    conn.execute(statement).await?;
                }
                message(conn, *room, *number).await
            })
        })
        .await
    }

    /// Adds or removes a person's reaction to a message.
    ///
    /// # Errors
    /// [`Missing::Message`], also when it was deleted; [`Denial`] when the person is not in the room; [`StoreError::Invalid`]
    /// emoji, or too many different ones.
    pub async fn react(
        &self,
        room: RoomId,
        number: Number,
        person: PersonId,
        emoji: &str,
        on: bool,
    ) -> Result<Message, StoreError> {
        check_text("a reaction", emoji, MAX_EMOJI_BYTES)?;
        if emoji.is_empty() || emoji.chars().any(|char| hides(char) || char.is_whitespace()) {
            return Err(StoreError::Invalid("a reaction is an emoji".into()));
        }
        self.write((room, number, person, emoji.to_owned(), on), |(room, number, person, emoji, on), conn| {
            Box::pin(async move {
                let change = next_change(conn, *room).await?;
                require_member(conn, *room, *person).await?;
                let found = message(conn, *room, *number).await?;
                if found.deleted {
                    return Err(Missing::Message.into());
                }
                let others = found.reactions.iter().filter(|reaction| reaction.emoji != *emoji).count();
                if *on && others >= MAX_REACTIONS {
                    let problem = format!("a message may have {MAX_REACTIONS} different reactions");
                    return Err(StoreError::Invalid(problem));
                }
                let statement = conn.statement(if *on {
                    "INSERT INTO reactions (room, number, person, emoji, time) VALUES ($1, $2, $3, $4, {now}) \
                     ON CONFLICT DO NOTHING"
                } else {
                    "DELETE FROM reactions WHERE room = $1 AND number = $2 AND person = $3 AND emoji = $4"
                });
                let statement =
                    statement.bind(room.raw()).bind(number.raw()).bind(person.raw()).bind(emoji.clone());
                if conn.execute(statement).await? > 0 {
                    let statement =
                        conn.statement("UPDATE messages SET change = $3 WHERE room = $1 AND number = $2");
                    conn.execute(statement.bind(room.raw()).bind(number.raw()).bind(change)).await?;
                }
                message(conn, *room, *number).await
            })
        })
        .await
    }
}

async fn page(conn: &mut Conn<'_>, room: RoomId, span: Span, limit: i64) -> Result<Page, StoreError> {
    let statement = conn.statement("SELECT last_number, last_change FROM rooms WHERE id = $1");
    let row = conn
        .optional(statement.bind(room.raw()))
        .await?
        .ok_or(Missing::Room)?;
    let last = Number::from_raw(row.integer("last_number")?);
    let last_change = row.integer("last_change")?.unsigned_abs();
    let (messages, more_before, more_after) = match span {
        Span::Newest => {
            let (messages, more) = before(conn, room, i64::MAX, limit).await?;
            (messages, more, false)
        }
        Span::Before(number) => {
            let (messages, more) = before(conn, room, number.raw(), limit).await?;
            (messages, more, number.raw() <= last.raw())
        }
        Span::After(number) => from(conn, room, number.raw().saturating_add(1), limit).await?,
        Span::Around(number) => {
            // Half before it, and the rest from it on.
            let (mut messages, more_before) = before(conn, room, number.raw(), limit / 2).await?;
            let rest = limit - i64::try_from(messages.len()).unwrap_or(limit);
            let (after, _, more_after) = from(conn, room, number.raw(), rest).await?;
            messages.extend(after);
            (messages, more_before, more_after)
        }
        Span::Since(time) => {
            let number = first_since(conn, room, time).await?;
            from(conn, room, number, limit).await?
        }
    };
    Ok(Page {
        messages,
        last,
        last_change,
        more_before,
        more_after,
    })
}

/// The number of the first message that is not before `time`; the next to be given out when there is none.
///
/// Numbers have no gaps, and times go the way of the numbers, so that it is found by halving: no index by time is needed.
pub(super) async fn first_since(
    conn: &mut Conn<'_>,
    room: RoomId,
    time: Timestamp,
) -> Result<i64, StoreError> {
    let statement = conn.statement(
        "WITH RECURSIVE halves (low, high) AS (\
           SELECT first_number, last_number + 1 FROM rooms WHERE id = $1 \
           UNION ALL \
           SELECT CASE WHEN messages.time < $2 THEN (low + high) / 2 + 1 ELSE low END, \
             CASE WHEN messages.time < $2 THEN high ELSE (low + high) / 2 END \
           FROM halves LEFT JOIN messages ON messages.room = $1 AND messages.number = (low + high) / 2 \
           WHERE low < high) \
         SELECT low FROM halves WHERE low >= high",
    );
    let row = conn.optional(statement.bind(room.raw()).bind(time.0)).await?;
    row.ok_or(Missing::Room)?.integer("low")
}

/// Those with a smaller number, and whether there are more.
async fn before(
    conn: &mut Conn<'_>,
    room: RoomId,
    number: i64,
    limit: i64,
) -> Result<(Vec<Message>, bool), StoreError> {
    let statement = conn.statement(&format!(
        "{SELECT} WHERE messages.room = $1 AND messages.number < $2 ORDER BY messages.number DESC LIMIT $3"
    ));
    let statement = statement.bind(room.raw()).bind(number).bind(limit + 1);
    let (mut messages, more) = some(conn, statement, limit).await?;
    messages.reverse();
    Ok((messages, more))
}

/// Those from a number on, and whether there are others before and after them.
async fn from(
    conn: &mut Conn<'_>,
    room: RoomId,
    number: i64,
    limit: i64,
) -> Result<(Vec<Message>, bool, bool), StoreError> {
    let statement = conn.statement(&format!(
        "{SELECT} WHERE messages.room = $1 AND messages.number >= $2 ORDER BY messages.number LIMIT $3"
    ));
    let statement = statement.bind(room.raw()).bind(number).bind(limit + 1);
    let (messages, more) = some(conn, statement, limit).await?;
    let earlier = conn.statement("SELECT number FROM messages WHERE room = $1 AND number < $2 LIMIT 1");
    let earlier = conn
        .optional(earlier.bind(room.raw()).bind(number))
        .await?
        .is_some();
    Ok((messages, earlier, more))
}

/// Runs a statement that reads one message more than wanted.
pub(super) async fn some(
    conn: &mut Conn<'_>,
    statement: Statement,
    limit: i64,
) -> Result<(Vec<Message>, bool), StoreError> {
    let rows = conn.all(statement).await?;
    first(conn, &rows, limit).await
}

/// The first `limit` messages of what such a statement has read, and whether there are more.
pub(super) async fn first(
    conn: &mut Conn<'_>,
    rows: &[AnyRow],
    limit: i64,
) -> Result<(Vec<Message>, bool), StoreError> {
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > limit;
    let mut messages = rows.iter().take(limit).map(read).collect::<Result<Vec<_>, _>>()?;
    complete(conn, &mut messages).await?;
    Ok((messages, more))
}

pub(super) async fn message(
    conn: &mut Conn<'_>,
    room: RoomId,
    number: Number,
) -> Result<Message, StoreError> {
    let statement = conn.statement(&format!(
        "{SELECT} WHERE messages.room = $1 AND messages.number = $2"
    ));
    let row = conn
        .optional(statement.bind(room.raw()).bind(number.raw()))
        .await?;
    let mut messages = vec![read(&row.ok_or(Missing::Message)?)?];
    complete(conn, &mut messages).await?;
    messages.pop().ok_or_else(|| Missing::Message.into())
}

fn read(row: &AnyRow) -> Result<Message, StoreError> {
    let author = row.integer("author")?;
    let kind = AuthorKind::of(row, "author_kind")?;
    let client_id = row.text("client_id")?;
    let quote = match row.maybe_integer("reply_to")? {
        Some(number) => {
            let line = match (
                row.maybe_text("quoted_author")?,
                row.maybe_integer("quoted_deleted")?,
            ) {
                (Some(author), None) => {
                    let text = row.maybe_text("quoted_text")?.unwrap_or_default();
                    Some((author, text.chars().take(QUOTE_CHARS).collect()))
                }
                _ => None,
            };
            Some(Quote {
                number: Number::from_raw(number),
                line,
            })
        }
        None => None,
    };
    Ok(Message {
        room: RoomId::from_raw(row.integer("room")?),
        number: Number::from_raw(row.integer("number")?),
        time: Timestamp(row.integer("time")?),
        author: AuthorLine {
            author: match kind {
                AuthorKind::Member | AuthorKind::Guest => Author::Person(PersonId::from_raw(author)),
                AuthorKind::Webhook => Author::Webhook(WebhookId::from_raw(author)),
                AuthorKind::Server => Author::Server,
            },
            name: row.text("author_name")?,
            kind,
        },
        client_id: ClientId::new(client_id)
            .map_err(|error| StoreError::internal(sqlx::Error::Decode(error.into())))?,
        kind: MessageKind::of(row, "kind")?,
        text: row.text("text")?,
        reply_to: quote,
        edited: row.maybe_integer("edited")?.map(Timestamp),
        deleted: row.maybe_integer("deleted")?.is_some(),
        change: row.integer("change")?.unsigned_abs(),
        reactions: Vec::new(),
        attachments: Vec::new(),
    })
}

/// Adds reactions and attachments to messages of one room.
async fn complete(conn: &mut Conn<'_>, messages: &mut [Message]) -> Result<(), StoreError> {
    let Some(first) = messages.first() else {
        return Ok(());
    };
    let room = first.room;
    let places: HashMap<_, _> = messages.iter().map(|message| message.number).zip(0..).collect();
    // Hits of a search lie far apart, hence each by its number.
    let of: Vec<_> = places.keys().copied().map(OfMessage::new).collect();
    let table = conn.dialect.table(OfMessage::COLUMNS);
    let statement = conn.statement(&format!(
        "SELECT number, emoji, persons.name AS name FROM reactions JOIN persons ON persons.id = person \
         WHERE room = $2 AND number IN (SELECT input.number FROM {table}) ORDER BY number, time, emoji, person"
    ));
    for row in conn.all(statement.bind(json(&of)?).bind(room.raw())).await? {
        let Some(place) = places.get(&Number::from_raw(row.integer("number")?)) else {
            continue;
        };
        let (emoji, name) = (row.text("emoji")?, row.text("name")?);
        let reactions = &mut messages[*place].reactions;
        match reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
            Some(reaction) => reaction.names.push(name),
            None => reactions.push(Reaction {
                emoji,
                names: vec![name],
            }),
        }
    }
    for attachment in attachments::of_messages(conn, room, &of).await? {
        let place = attachment.number.and_then(|number| places.get(&number));
        if let Some(place) = place {
            messages[*place].attachments.push(attachment);
        }
    }
    Ok(())
}

/// Locks the room, and counts a change of it.
async fn next_change(conn: &mut Conn<'_>, room: RoomId) -> Result<i64, StoreError> {
    let text = "UPDATE rooms SET last_change = last_change + 1 WHERE id = $1 RETURNING last_change";
    let row = conn.optional(conn.statement(text).bind(room.raw())).await?;
    row.ok_or(Missing::Room)?.integer("last_change")
}

async fn require_member(conn: &mut Conn<'_>, room: RoomId, person: PersonId) -> Result<(), StoreError> {
    match members::standing(conn, room, person).await? {
        Some(Standing::In(_)) => Ok(()),
        Some(Standing::Banned) => Err(Denial::Banned.into()),
        Some(Standing::Invited) | None => Err(Denial::NotMember.into()),
    }
}

async fn require_author(
    conn: &mut Conn<'_>,
    room: RoomId,
    number: Number,
    by: PersonId,
) -> Result<(), StoreError> {
    let found = message(conn, room, number).await?;
    if found.deleted {
        return Err(Missing::Message.into());
    }
    if found.author.author == Author::Person(by) && found.kind != MessageKind::Notice {
        Ok(())
    } else {
        Err(Denial::NotAuthor.into())
    }
}
