//! What the database knows of messages that are to be stored, and whether each may be.

use serde::Serialize;

use super::Append;
use crate::{
    db::conn::{Column, Columns, Conn},
    error::{Conflict, Denial, Missing, StoreError},
    model::{
        ids::{Number, RoomId, Timestamp},
        message::{Appended, Author, AuthorKind, MessageKind, NewMessage},
        person::PersonKind,
        room::Standing,
    },
    ops::rows::{Word, json},
};

/// What the database is told of a message to find out about it.
#[derive(Serialize)]
struct Question<'a> {
    i: usize,
    room: i64,
    author: i64,
    client_id: &'a str,
    reply_to: Option<i64>,
}

/// What the database knows of a message.
pub(super) struct Facts {
    /// Room, number and time of the message of the same author and client id.
    earlier: Option<(RoomId, Number, Timestamp)>,
    person: Option<(String, PersonKind)>,
    webhook: Option<String>,
    standing: Option<Standing>,
    is_quoted_there: bool,
}

pub(super) enum Verdict {
    New,
    Repeated(Appended),
}

pub(super) fn judge(message: &NewMessage, facts: &Facts, room_exists: bool) -> Result<Verdict, StoreError> {
    if let Some((room, number, time)) = facts.earlier {
        // Before all else: what was stored is answered alike, also to somebody who was removed since.
        return if room == message.room {
            Ok(Verdict::Repeated(Appended {
                number,
                time,
                repeated: true,
            }))
        } else {
            Err(Conflict::ClientIdUsed.into())
        };
    }
    if !room_exists {
        return Err(Missing::Room.into());
    }
    match message.author {
        Author::Server => {}
        Author::Webhook(_) if facts.webhook.is_none() => return Err(Missing::Webhook.into()),
        Author::Webhook(_) => {}
        Author::Person(_) if facts.person.is_none() => return Err(Missing::Person.into()),
        Author::Person(_) => match facts.standing {
            _ if message.kind == MessageKind::Notice => {}
            Some(Standing::In(_)) => {}
            Some(Standing::Banned) => return Err(Denial::Banned.into()),
            Some(Standing::Invited) | None => return Err(Denial::NotMember.into()),
        },
    }
    if message.reply_to.is_some() && !facts.is_quoted_there {
        return Err(Missing::Message.into());
    }
    Ok(Verdict::New)
}

/// The author's name and kind.
pub(super) fn row_values(facts: &Facts) -> (&str, AuthorKind) {
    match (&facts.person, &facts.webhook) {
        (Some((name, PersonKind::Member)), _) => (name, AuthorKind::Member),
        (Some((name, PersonKind::Guest)), _) => (name, AuthorKind::Guest),
        (None, Some(name)) => (name, AuthorKind::Webhook),
        (None, None) => ("", AuthorKind::Server),
    }
}

/// In the order of the messages.
pub(super) async fn find_out(conn: &mut Conn<'_>, appends: &[&mut Append]) -> Result<Vec<Facts>, StoreError> {
    let questions: Vec<_> = (0..)
        .zip(appends)
        .map(|(i, append)| Question {
            i,
            room: append.message.room.raw(),
            author: append.message.author.raw(),
            client_id: append.message.client_id.as_str(),
            reply_to: append.message.reply_to.map(Number::raw),
        })
        .collect();
    let table = conn.dialect.table(&[
        ("i", Column::Integer),
        ("room", Column::Integer),
        ("author", Column::Integer),
        ("client_id", Column::Text),
        ("reply_to", Column::Integer),
    ]);
    let statement = conn.statement(&format!(
        "SELECT input.i AS i, persons.name AS person_name, persons.kind AS person_kind, memberships.role AS role, \
         webhooks.name AS webhook_name, earlier.room AS earlier_room, earlier.number AS earlier_number, \
         earlier.time AS earlier_time, quoted.number AS quoted \
         FROM {table} \
         LEFT JOIN persons ON persons.id = input.author \
         LEFT JOIN memberships ON memberships.room = input.room AND memberships.person = input.author \
         LEFT JOIN webhooks ON webhooks.id = input.author AND webhooks.room = input.room \
         LEFT JOIN messages AS earlier \
           ON earlier.author = input.author AND earlier.client_id = input.client_id \
         LEFT JOIN messages AS quoted ON quoted.room = input.room AND quoted.number = input.reply_to \
         ORDER BY input.i"
    ));
    let rows = conn.all(statement.bind(json(&questions)?)).await?;
    let facts = |row: &sqlx::any::AnyRow| {
        let person = match row.maybe_text("person_name")? {
            Some(name) => Some((name, PersonKind::of(row, "person_kind")?)),
            None => None,
        };
        let standing = match row.maybe_text("role")? {
            Some(_) => Some(Standing::of(row, "role")?),
            None => None,
        };
        let earlier = match row.maybe_integer("earlier_room")? {
            Some(room) => Some((
                RoomId::from_raw(room),
                Number::from_raw(row.integer("earlier_number")?),
                Timestamp(row.integer("earlier_time")?),
            )),
            None => None,
        };
        let is_quoted_there = row.maybe_integer("quoted")?.is_some();
        Ok(Facts {
            earlier,
            person,
            webhook: row.maybe_text("webhook_name")?,
            standing,
            is_quoted_there,
        })
    };
    rows.iter().map(facts).collect()
}
