//! Messages get their numbers: many at a time, in six statements however many they are.
//!
//! The rows of their rooms are locked first, in the order of their ids, so that nodes do not wait for each other in a circle.
//! Who holds a room's row alone gives out its numbers, so these have no gaps: a transaction that fails has given out none.

mod facts;

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    time::Duration,
};

use serde::Serialize;

use self::facts::{Facts, Verdict, find_out, judge, row_values};
use crate::{
    db::conn::{Column, Columns, Conn},
    error::{Conflict, Limit, Missing, StoreError},
    model::{
        ids::{AttachmentId, ClientId, Number, RoomId, Timestamp},
        message::{AppendReply, Appended, Author, MAX_TEXT_BYTES, NewMessage},
        rate::{MessageLimits, Rate},
    },
    ops::{
        buckets::{self, Share, Taken, Wanted},
        rows::{Word, check_text, json},
    },
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
    /// [`StoreError::Limited`] by [`Store::with_limits`]; [`StoreError::Denied`] when the author is not in the room or banned from it;
    /// [`Conflict::ClientIdUsed`]; [`StoreError::Invalid`]; and what can befall the store.
    pub async fn append(&self, message: NewMessage) -> Result<Appended, StoreError> {
        check_text("a message", &message.text, MAX_TEXT_BYTES)?;
        if message.text.is_empty() && message.attachments.is_empty() {
            return Err(StoreError::Invalid(
                "a message needs a text or an attachment".into(),
            ));
        }
        self.writer().append(message, self.limits()).await
    }
}

/// A message that waits to be stored.
pub(crate) struct Append {
    message: NewMessage,
    limits: Option<MessageLimits>,
    outcome: Option<Result<Appended, StoreError>>,
    reply: AppendReply,
}

impl Append {
    pub(crate) fn new(message: NewMessage, limits: Option<MessageLimits>, reply: AppendReply) -> Self {
        Self {
            message,
            limits,
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

/// How far a room has come.
struct Counter {
    last: Number,
    time: Timestamp,
    now: Timestamp,
    /// When the bucket for what is said in the room is full, in microseconds.
    full_at: i64,
}

impl Counter {
    /// Takes a token from the room's bucket.
    fn take(&mut self, rate: Rate) -> Result<(), StoreError> {
        let now = self.now.0 * 1000;
        let full_at = self.full_at.max(now) + rate.micros();
        let late = full_at - (now + rate.depth());
        if late > 0 {
            return Err(StoreError::Limited {
                limit: Limit::Room,
                retry_after: Duration::from_micros(late.unsigned_abs()),
            });
        }
        self.full_at = full_at;
        Ok(())
    }

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

/// How far a room has come.
#[derive(Serialize)]
struct RoomRow {
    room: i64,
    number: i64,
    time: i64,
    full_at: i64,
}

/// How far an author has read.
#[derive(Serialize)]
struct Progress {
    room: i64,
    author: i64,
    number: i64,
}

/// Stores what may be stored, and puts down for each how it went. Fails only with what ends the transaction.
pub(crate) async fn run(conn: &mut Conn<'_>, appends: &mut [&mut Append]) -> Result<(), StoreError> {
    let mut counters = lock_rooms(conn, appends).await?;
    let facts = find_out(conn, appends).await?;
    let mut allowances = allowances(conn, appends, &facts).await?;
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
                    let counter = counters.get_mut(&message.room).ok_or(Missing::Room)?;
                    if let Err(error) = is_allowed(append, &mut allowances, counter) {
                        append.outcome = Some(Err(error));
                        continue;
                    }
                    attached.extend(&message.attachments);
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

/// Takes tokens for the people who say something that is new.
async fn allowances(
    conn: &mut Conn<'_>,
    appends: &[&mut Append],
    facts: &[Facts],
) -> Result<HashMap<Author, Taken>, StoreError> {
    let mut wanted: BTreeMap<String, (Author, HashSet<&ClientId>)> = BTreeMap::new();
    let mut rate = None;
    for (append, facts) in appends.iter().zip(facts) {
        // All of a group have the limits of their store.
        let (Some(limits), Author::Person(person)) = (append.limits, append.message.author) else {
            continue;
        };
        if matches!(judge(&append.message, facts, true), Ok(Verdict::New)) {
            rate = Some(limits.person);
            let (_, ids) = wanted
                .entry(format!("messages {person}"))
                .or_insert_with(|| (append.message.author, HashSet::new()));
            ids.insert(&append.message.client_id);
        }
    }
    let Some(rate) = rate else {
        return Ok(HashMap::new());
    };
    let rows: Vec<_> = wanted
        .iter()
        .map(|(subject, (_, ids))| Wanted {
            subject: subject.clone(),
            tokens: u32::try_from(ids.len()).unwrap_or(u32::MAX),
        })
        .collect();
    let taken = buckets::take(conn, &rows, rate, Share::Some).await?;
    let of = |(subject, (author, _)): (&String, &(Author, _))| Some((*author, *taken.get(subject)?));
    Ok(wanted.iter().filter_map(of).collect())
}

/// Lets an author say one thing more in a room.
fn is_allowed(
    append: &Append,
    allowances: &mut HashMap<Author, Taken>,
    counter: &mut Counter,
) -> Result<(), StoreError> {
    let (Some(limits), Author::Person(_) | Author::Webhook(_)) = (append.limits, append.message.author)
    else {
        return Ok(());
    };
    if let Some(allowance) = allowances.get_mut(&append.message.author) {
        let Some(left) = allowance.tokens.checked_sub(1) else {
            return Err(StoreError::Limited {
                limit: Limit::Subject,
                retry_after: allowance.retry_after(1),
            });
        };
        allowance.tokens = left;
    }
    counter.take(limits.room)
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
        "SELECT id, last_number, last_time, full_at, {{now}} AS now FROM rooms \
         WHERE id IN (SELECT room FROM {table}) ORDER BY id {{for update}}"
    ));
    let rows = conn.all(statement.bind(json(&rooms)?)).await?;
    let counter = |row: &sqlx::any::AnyRow| {
        let counter = Counter {
            last: Number::from_raw(row.integer("last_number")?),
            time: Timestamp(row.integer("last_time")?),
            now: Timestamp(row.integer("now")?),
            full_at: row.integer("full_at")?,
        };
        Ok((RoomId::from_raw(row.integer("id")?), counter))
    };
    rows.iter().map(counter).collect()
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
    let table = conn.dialect.table(&[
        ("room", Column::Integer),
        ("number", Column::Integer),
        ("time", Column::Integer),
        ("full_at", Column::Integer),
    ]);
    let rooms: Vec<_> = counters
        .iter()
        .map(|(room, counter)| RoomRow {
            room: room.raw(),
            number: counter.last.raw(),
            time: counter.time.0,
            full_at: counter.full_at,
        })
        .collect();
    let statement = conn.statement(&format!(
        "UPDATE rooms SET last_number = input.number, last_time = input.time, full_at = input.full_at FROM {table} \
         WHERE rooms.id = input.room"
    ));
    conn.execute(statement.bind(json(&rooms)?)).await?;
    let table = conn.dialect.table(&[
        ("room", Column::Integer),
        ("author", Column::Integer),
        ("number", Column::Integer),
    ]);
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
