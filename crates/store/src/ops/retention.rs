//! What is kept for a while only.

use std::time::Duration;

use crate::{
    db::conn::Columns,
    error::StoreError,
    model::ids::{RoomId, Timestamp},
    ops::messages::first_since,
    store::Store,
};

/// How many go in one transaction, so that others write in between.
const AT_ONCE: i64 = 500;
/// How long a file is kept that no message refers to.
const UPLOAD: Duration = Duration::from_secs(60 * 60);

/// What is kept of the messages of a room; without limits, all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those that are not older.
    pub max_age: Option<Duration>,
    /// So many, the last ones.
    pub max_count: Option<u64>,
}

/// More than there is of anything, and not so much that sums overflow.
const NEVER: i64 = i64::MAX / 4;

impl Retention {
    /// Milliseconds, and a number of messages.
    fn raw(self) -> (Option<i64>, Option<i64>) {
        let age = |age: Duration| i64::try_from(age.as_millis()).map_or(NEVER, |age| age.min(NEVER));
        let count = |count: u64| i64::try_from(count).map_or(NEVER, |count| count.min(NEVER));
        (self.max_age.map(age), self.max_count.map(count))
    }
}

/// What [`Store::prune`] has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Messages, with all that belongs to them.
    pub messages: u64,
    /// Files that no message referred to for an hour.
    pub files: u64,
}

impl Store {
    /// Removes the messages that are beyond the retention, and files that were never sent. Those that stay keep their numbers;
    /// a history begins with a greater one then. A message that is gone may be appended again under its client id.
    ///
    /// Buckets of [`Store::take`] that are full are forgotten, too.
    ///
    /// It takes as long as there is something to remove, in many short transactions: drop it to stop. Several nodes may do it
    /// at once.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn prune(&self, retention: Retention) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        if retention != Retention::default() {
            for room in self.rooms_to_prune(retention).await? {
                loop {
                    let removed = self.prune_room(room, retention).await?;
                    pruned.messages += removed;
                    if removed == 0 {
                        break;
                    }
                }
            }
        }
        while self.forget_full_buckets().await? > 0 {}
        loop {
            let removed = self.prune_uploads().await?;
            pruned.files += removed;
            if removed == 0 {
                return Ok(pruned);
            }
        }
    }

    /// Those that have messages beyond the retention.
    async fn rooms_to_prune(&self, retention: Retention) -> Result<Vec<RoomId>, StoreError> {
        let (age, count) = retention.raw();
        self.read((age, count), |(age, count), conn| {
            Box::pin(async move {
                // Numbers have no gaps, so a room's first message is found without a search.
                let rooms = conn.statement(
                    "SELECT id FROM rooms WHERE first_number <= last_number AND (\
                       last_number - first_number >= $1 \
                       OR EXISTS (SELECT 1 FROM messages WHERE room = rooms.id AND number = first_number \
                         AND time < {now} - $2)) \
                     ORDER BY id",
                );
                let rows = conn
                    .all(rooms.bind(count.unwrap_or(NEVER)).bind(age.unwrap_or(NEVER)))
                    .await?;
                rows.iter()
                    .map(|row| Ok(RoomId::from_raw(row.integer("id")?)))
                    .collect()
            })
        })
        .await
    }

    async fn prune_room(&self, room: RoomId, retention: Retention) -> Result<u64, StoreError> {
        let (age, count) = retention.raw();
        self.write((room, age, count), |(room, age, count), conn| {
            Box::pin(async move {
                let statement = conn.statement(
                    "SELECT first_number, last_number, {now} AS now FROM rooms WHERE id = $1 {for update}",
                );
                let Some(row) = conn.optional(statement.bind(room.raw())).await? else {
                    return Ok(0);
                };
                let (first, last) = (row.integer("first_number")?, row.integer("last_number")?);
                let mut cut = count.map_or(0, |count| last - count.min(last));
                if let Some(age) = age {
                    let oldest = Timestamp(row.integer("now")? - age);
                    cut = cut.max(first_since(conn, *room, oldest).await? - 1);
                }
                let cut = cut.min(first + AT_ONCE - 1);
                if cut < first {
                    return Ok(0);
                }
                let statement = conn.statement("DELETE FROM messages WHERE room = $1 AND number <= $2");
                conn.execute(statement.bind(room.raw()).bind(cut)).await?;
                let statement = conn.statement("UPDATE rooms SET first_number = $2 WHERE id = $1");
                conn.execute(statement.bind(room.raw()).bind(cut + 1)).await?;
                Ok((cut + 1 - first).unsigned_abs())
            })
        })
        .await
    }

    /// Whether it is for the caller to [prune](Self::prune) now: true for one node in each `every`.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn claim_pruning(&self, every: Duration) -> Result<bool, StoreError> {
        let every = i64::try_from(every.as_millis()).unwrap_or(NEVER);
        self.write(every, |every, conn| {
            Box::pin(async move {
                let statement = conn.statement(
                    "INSERT INTO chores (name, due) VALUES ('prune', {now} + $1) \
                     ON CONFLICT (name) DO UPDATE SET due = excluded.due WHERE chores.due <= {now}",
                );
                Ok(conn.execute(statement.bind(*every)).await? > 0)
            })
        })
        .await
    }

    async fn prune_uploads(&self) -> Result<u64, StoreError> {
        let age = i64::try_from(UPLOAD.as_millis()).unwrap_or(i64::MAX);
        self.write(age, |age, conn| {
            Box::pin(async move {
                let statement = conn.statement(
                    "DELETE FROM attachments WHERE id IN (SELECT id FROM attachments \
                     WHERE number IS NULL AND created < {now} - $1 LIMIT 100)",
                );
                conn.execute(statement.bind(*age)).await
            })
        })
        .await
    }
}
