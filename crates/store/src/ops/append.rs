//! Messages get their numbers: many at a time, in five statements however many they are.
//!
//! The rows of their rooms are locked first, in the order of their ids, so that nodes do not wait for each other in a circle.
//! Who holds a room's row alone gives out its numbers, so these have no gaps: a transaction that fails has given out none.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};

use serde::Serialize;

use crate::{
    db::conn::{Column, Columns, Conn},
    error::{Conflict, Denial, Missing, StoreError},
    model::{
        ids::{AttachmentId, ClientId, Number, RoomId, Timestamp},
        message::{AppendReply, Appended, Author, AuthorKind, MAX_TEXT_BYTES, MessageKind, NewMessage},
        person::PersonKind,
        room::Standing,
    },
    ops::rows::{Word, check_text},
    store::Store,
};

impl Store {
    /// Stores a message, and gives it the next number of its room and the time. It is durable when this returns.
    ///
    /// When it fails with [`StoreError::Unavailable`] the message may be stored all the same, wholly or not at all: append it
    /// again under the same client id, now or another day, and it is stored once and answered alike.
    ///
    /// # Errors
    /// [`Missing::Room`]; [`Missing::Message`] when the one to reply to is not there; [`Missing::Attachment`];
    /// [`Denial::NotMember`] or [`Denial::Banned`] when the author is not in the room; [`Conflict::ClientIdUsed`];
    /// [`StoreError::Invalid`]; and what can befall the store.
    pub async fn append(&self, message: NewMessage) -> Result<Appended, StoreError> {
        check_text("a message", &message.text, MAX_TEXT_BYTES)?;
        if message.text.is_empty() && message.attachments.is_empty() {
            return Err(StoreError::Invalid(
                "a message needs a text or an attachment".into(),
            ));
        }
        self.writer().append(message).await
    }
}

/// A message that waits to be stored.
pub(crate) struct Append {
    message: NewMessage,
    outcome: Option<Result<Appended, StoreError>>,
    reply: AppendReply,
}

impl Append {
    pub(crate) fn new(message: NewMessage, reply: AppendReply) -> Self {
        Self {
            message,
            outcome: None,
            reply,
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    /// The transaction is committed.
    pub(crate) fn finish(self) {
        let outcome = self
            .outcome
            .unwrap_or_else(|| Err(StoreError::unavailable("never begun")));
        // Who asked may have gone.
        drop(self.reply.send(outcome));
    }

    /// It is not.
    pub(crate) fn fail(self, error: StoreError) {
        drop(self.reply.send(Err(error)));
    }
}

impl Author {
    /// Persons and webhooks share one space of random ids; 0 is none of them.
    pub(crate) fn raw(self) -> i64 {
        match self {
            Self::Person(id) => id.raw(),
            Self::Webhook(id) => id.raw(),
            Self::Server => 0,
        }
    }
}

/// What the database is told of a message to find out about it.
#[derive(Serialize)]
struct Question<'a> {
    i: usize,
    room: i64,
    author: i64,
    client_id: &'a str,
    reply_to: Option<i64>,
}

/// What the database knows of it.
struct Facts {
    /// Room, number and time of the message of the same author and client id.
    earlier: Option<(RoomId, Number, Timestamp)>,
    person: Option<(String, PersonKind)>,
    webhook: Option<String>,
    standing: Option<Standing>,
    is_quoted_there: bool,
}

/// How far a room has come.
struct Counter {
    last: Number,
    time: Timestamp,
    now: Timestamp,
}

impl Counter {
    fn next(&mut self) -> (Number, Timestamp) {
        self.last = Number::new(self.last.get() + 1);
        self.time = self.time.max(self.now);
        (self.last, self.time)
    }
}

#[derive(Serialize)]
struct NewRow<'a> {
    room: i64,
    number: i64,
    time: i64,
    author: i64,
    author_name: &'a str,
    author_kind: &'static str,
    client_id: &'a str,
    kind: &'static str,
    text: &'a str,
    reply_to: Option<i64>,
}

#[derive(Serialize)]
struct Progress {
    room: i64,
    author: i64,
    number: i64,
    time: i64,
}

/// Stores what may be stored, and puts down for each how it went. Fails only with what ends the transaction.
pub(crate) async fn run(conn: &mut Conn<'_>, appends: &mut [&mut Append]) -> Result<(), StoreError> {
    let mut counters = lock_rooms(conn, appends).await?;
    let facts = find_out(conn, appends).await?;
    let mut seen: HashMap<(Author, ClientId), (RoomId, Appended)> = HashMap::new();
    let mut attached: HashSet<AttachmentId> = HashSet::new();
    let mut rows = Vec::new();
    let mut authors: BTreeMap<(i64, i64), Progress> = BTreeMap::new();
    for (append, facts) in appends.iter_mut().zip(&facts) {
        let message = &append.message;
        let outcome = match judge(message, facts, counters.contains_key(&message.room)) {
            Ok(Verdict::Repeated(appended)) => Ok(appended),
            Ok(Verdict::New) => match seen.entry((message.author, message.client_id.clone())) {
                Entry::Occupied(first) => {
                    let (room, appended) = first.get();
                    let repeated = Appended {
                        repeated: true,
                        ..*appended
                    };
                    if *room == message.room {
                        Ok(repeated)
                    } else {
                        Err(Conflict::ClientIdUsed.into())
                    }
                }
                Entry::Vacant(_) if !attachments_are_there(conn, message, &attached).await? => {
                    Err(Missing::Attachment.into())
                }
                Entry::Vacant(place) => {
                    attached.extend(&message.attachments);
                    let counter = counters.get_mut(&message.room).ok_or(Missing::Room)?;
                    let (number, time) = counter.next();
                    let appended = Appended {
                        number,
                        time,
                        repeated: false,
                    };
                    place.insert((message.room, appended));
                    rows.push((row_values(facts), number, time));
                    let (room, author) = (message.room.raw(), message.author.raw());
                    let progress = Progress {
                        room,
                        author,
                        number: number.raw(),
                        time: time.0,
                    };
                    authors.insert((room, author), progress);
                    Ok(appended)
                }
            },
            Err(error) => Err(error),
        };
        append.outcome = Some(outcome);
    }
    let fresh = appends
        .iter()
        .filter(|append| matches!(&append.outcome, Some(Ok(new)) if !new.repeated));
    let rows: Vec<_> = fresh
        .zip(&rows)
        .map(|(append, ((name, kind), number, time))| NewRow {
            room: append.message.room.raw(),
            number: number.raw(),
            time: time.0,
            author: append.message.author.raw(),
            author_name: name,
            author_kind: kind.word(),
            client_id: append.message.client_id.as_str(),
            kind: append.message.kind.word(),
            text: &append.message.text,
            reply_to: append.message.reply_to.map(Number::raw),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    insert(conn, &rows).await?;
    advance(conn, &counters, authors.into_values().collect()).await?;
    for append in appends.iter() {
        if let Some(Ok(appended)) = &append.outcome {
            attach(conn, &append.message, appended).await?;
        }
    }
    Ok(())
}

enum Verdict {
    New,
    Repeated(Appended),
}

fn judge(message: &NewMessage, facts: &Facts, room_exists: bool) -> Result<Verdict, StoreError> {
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
fn row_values(facts: &Facts) -> (&str, AuthorKind) {
    match (&facts.person, &facts.webhook) {
        (Some((name, PersonKind::Member)), _) => (name, AuthorKind::Member),
        (Some((name, PersonKind::Guest)), _) => (name, AuthorKind::Guest),
        (None, Some(name)) => (name, AuthorKind::Webhook),
        (None, None) => ("", AuthorKind::Server),
    }
}

async fn lock_rooms(
    conn: &mut Conn<'_>,
    appends: &[&mut Append],
) -> Result<HashMap<RoomId, Counter>, StoreError> {
    #[derive(Serialize)]
    struct Of {
        room: i64,
    }
    let rooms: Vec<_> = appends
        .iter()
        .map(|append| Of {
            room: append.message.room.raw(),
        })
        .collect();
    let table = conn.dialect.table(&[("room", Column::Integer)]);
    let statement = conn.statement(&format!(
        "SELECT id, last_number, last_time, {{now}} AS now FROM rooms \
         WHERE id IN (SELECT room FROM {table}) ORDER BY id {{for update}}"
    ));
    let rows = conn.all(statement.bind(json(&rooms)?)).await?;
    let counter = |row: &sqlx::any::AnyRow| {
        let counter = Counter {
            last: Number::from_raw(row.integer("last_number")?),
            time: Timestamp(row.integer("last_time")?),
            now: Timestamp(row.integer("now")?),
        };
        Ok((RoomId::from_raw(row.integer("id")?), counter))
    };
    rows.iter().map(counter).collect()
}

/// In the order of the messages.
async fn find_out(conn: &mut Conn<'_>, appends: &[&mut Append]) -> Result<Vec<Facts>, StoreError> {
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

async fn insert(conn: &mut Conn<'_>, rows: &[NewRow<'_>]) -> Result<(), StoreError> {
    const COLUMNS: &str =
        "room, number, time, author, author_name, author_kind, client_id, kind, text, reply_to";
    let table = conn.dialect.table(&[
        ("room", Column::Integer),
        ("number", Column::Integer),
        ("time", Column::Integer),
        ("author", Column::Integer),
        ("author_name", Column::Text),
        ("author_kind", Column::Text),
        ("client_id", Column::Text),
        ("kind", Column::Text),
        ("text", Column::Text),
        ("reply_to", Column::Integer),
    ]);
    let statement = conn.statement(&format!(
        "INSERT INTO messages ({COLUMNS}) SELECT {COLUMNS} FROM {table}"
    ));
    conn.execute(statement.bind(json(rows)?)).await?;
    Ok(())
}

/// The rooms have come further, and who has said something has read what was before it.
async fn advance(
    conn: &mut Conn<'_>,
    counters: &HashMap<RoomId, Counter>,
    authors: Vec<Progress>,
) -> Result<(), StoreError> {
    let columns = [
        ("room", Column::Integer),
        ("author", Column::Integer),
        ("number", Column::Integer),
        ("time", Column::Integer),
    ];
    let table = conn.dialect.table(&columns);
    let rooms: Vec<_> = counters
        .iter()
        .map(|(room, counter)| Progress {
            room: room.raw(),
            author: 0,
            number: counter.last.raw(),
            time: counter.time.0,
        })
        .collect();
    let statement = conn.statement(&format!(
        "UPDATE rooms SET last_number = input.number, last_time = input.time FROM {table} \
         WHERE rooms.id = input.room"
    ));
    conn.execute(statement.bind(json(&rooms)?)).await?;
    let statement = conn.statement(&format!(
        "UPDATE memberships SET read_number = input.number FROM {table} WHERE memberships.room = input.room \
         AND memberships.person = input.author AND memberships.read_number < input.number"
    ));
    conn.execute(statement.bind(json(&authors)?)).await?;
    Ok(())
}

/// Whether all that a message refers to is its author's, of its room, and no other message's: neither of one that is stored
/// nor of one before it in the group. They stay until the end of the transaction.
async fn attachments_are_there(
    conn: &mut Conn<'_>,
    message: &NewMessage,
    taken: &HashSet<AttachmentId>,
) -> Result<bool, StoreError> {
    let mut own = HashSet::new();
    for attachment in &message.attachments {
        if taken.contains(attachment) || !own.insert(attachment) {
            return Ok(false);
        }
        let statement = conn.statement(
            "SELECT id FROM attachments WHERE id = $1 AND owner = $2 AND room = $3 AND number IS NULL {for update}",
        );
        let statement = statement
            .bind(attachment.raw())
            .bind(message.author.raw())
            .bind(message.room.raw());
        if conn.optional(statement).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn attach(conn: &mut Conn<'_>, message: &NewMessage, to: &Appended) -> Result<(), StoreError> {
    if to.repeated {
        return Ok(());
    }
    for attachment in &message.attachments {
        let statement = conn.statement("UPDATE attachments SET number = $2 WHERE id = $1");
        conn.execute(statement.bind(attachment.raw()).bind(to.number.raw()))
            .await?;
    }
    Ok(())
}

fn json<T: Serialize + ?Sized>(rows: &T) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::internal(sqlx::Error::Encode(error.into())))
}
